"""What a ladder may be made of, and the samples that it is chosen by.

They are drawn by an evaluation like any other, of the strategy `escalate` with a single rung
of ten samples for each strategy and solver: samples.jsonl has them all, and a killed one goes
on without asking anything again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ..errors import UserError
from ..graphs.escalate import WAYS, Rung, Way
from ..models.hosted import without_credentials
from ..nodes.usage import known_sum
from .gold import GOLD
from .ladder import MOST_SAMPLES, Drawn, LadderSamples, Spend
from .metrics import score
from .splits import EVALUATION, file_id
from .summary import read_samples
from .systems import NO_MODEL, System
from .task_files import Task, load_task, task_names

_LEAST_ITEMS, _FEW_ITEMS = 20, 100
_SPLITTING = ("sequential", "dag")


@dataclass(frozen=True)
class LadderChoice:
    """What a ladder may be made of.

    Attributes:
        task: The task's name or file.
        strategies: Of `direct`, `cot`, `sequential` and `dag`.
        solvers: Model references, the cheapest first.
        decomposer: A model reference.
        caps: Most lines of a plan; each is a granularity of its own, which a splitting
            strategy is tried with.

    Raises:
        UserError: If something of it can't be in a ladder, or the task can't choose one.

    Example:
        >>> choice = LadderChoice("svamp", ["cot", "dag"], ["bundled"])
        >>> [system.name for system in choice.systems.values()]
        ['escalate(cot×10) · bundled', 'escalate(dag×10) · bundled · bundled']
    """

    task: str
    strategies: Sequence[str]
    solvers: Sequence[str]
    decomposer: str = "bundled"
    caps: Sequence[int] = (8,)

    def __post_init__(self) -> None:
        if unknown := [name for name in self.strategies if name not in WAYS]:
            raise UserError(f"a ladder has the strategies {', '.join(WAYS)}, not {unknown[0]!r}.")
        if self.decomposer == GOLD:
            raise UserError("a ladder is fitted with the decomposer that it is to be used with.")
        for ref in self.solvers:
            if without_credentials(ref) != ref:
                raise UserError(
                    "a ladder is a file to keep: put the solver's address in a [models.NAME] "
                    "table, and name that."
                )
        if not load_task(self.task).scoring:
            raise UserError(
                f"the task {self.task!r} judges plans only; a ladder is chosen by answers."
            )

    @property
    def systems(self) -> dict[Rung, System]:
        """By cell, a rung of ten samples, the system that draws them."""
        ways = cast("Sequence[Way]", self.strategies)
        cells = (
            Rung(way, MOST_SAMPLES, solver, cap)
            for solver in self.solvers
            for way in ways
            for cap in (self.caps if way in _SPLITTING else (None,))
        )
        return {cell: self._system(cell) for cell in cells}

    def _system(self, cell: Rung) -> System:
        ladder = ("ladder", (Rung(cell.strategy, cell.samples),))
        if cell.max_subquestions is None:
            return System("escalate", NO_MODEL, cell.solver, options=(ladder,))
        cap = cell.max_subquestions
        return System(
            "escalate", self.decomposer, cell.solver, max_subquestions=cap, options=(ladder,)
        )


def warnings_about(choice: LadderChoice, items: int) -> list[str]:
    """What is doubtful about choosing by these items.

    Raises:
        UserError: If there are too few to choose by.
    """
    if items < _LEAST_ITEMS:
        raise UserError(f"{items} items are too few to choose by; it takes {_LEAST_ITEMS}.")
    found: list[str] = []
    if _is_for_evaluation(load_task(choice.task), choice.task):
        found.append(
            f"{choice.task} is for evaluation: to choose by it is to tune on the test, and "
            "figures on it no longer say what the ladder is worth. Choose by training items or "
            "questions of your own."
        )
    if items < _FEW_ITEMS:
        found.append(f"{items} items are few to choose by; the published search took 200.")
    return found


def _is_for_evaluation(task: Task, name: str) -> bool:
    """Whether it comes with the package, whose sets all are, or reads a part that is held out."""
    held_out = any(file_id(task.home / place).startswith(EVALUATION) for place in task.sources)
    return name in task_names() or held_out or (not task.sources and task.hf.endswith(":test"))


def read_drawn(samples: Path, choice: LadderChoice) -> LadderSamples:
    """What an evaluation of the choice's systems has drawn."""
    cells = {system.name: cell for cell, system in choice.systems.items()}
    drawn: dict[Rung, dict[str, Drawn]] = {cell: {} for cell in cells.values()}
    gold: dict[str, Any] = {}
    for row in read_samples(samples):
        drawn[cells[row["system"]]][row["id"]] = drawn_of(row)
        gold[row["id"]] = row["gold"]
    task, ids = load_task(choice.task), list(gold)

    def mark(item: int, answer: str | None) -> float:
        return score(task.scoring, answer, gold[ids[item]]).get(task.metric, 0.0)

    return LadderSamples({cell: [of[k] for k in ids] for cell, of in drawn.items()}, mark)


def drawn_of(row: Mapping[str, Any]) -> Drawn:
    """What a sample's row, or a result, of `escalate` with a single rung has drawn."""
    if len(row["answers"]) < MOST_SAMPLES:  # A plan that failed is a single row.
        return Drawn([], [], _spend(row["usage"]))
    planning = [usage for usage in row["usage"] if usage["role"] == "decomposer"]
    answers = [answer["answer"] for answer in row["answers"]]
    return Drawn(answers, [_spend(a["usage"]) for a in row["answers"]], _spend(planning))


def _spend(usage: Sequence[Mapping[str, Any]]) -> Spend:
    rows = [
        Spend(row["calls"], known_sum(row["input_tokens"], row["output_tokens"]), row["cost"])
        for row in usage
    ]
    return sum(rows, Spend())
