"""A model file asked for plans, and for single steps with gold answers before them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import PromptTooLongError, ReplyError, UserError
from ...evals.plans import PlanScore, score_plan
from ...models.references import ResolvedModel, find_gguf
from ...nodes.calls import Call
from ...nodes.decomposer import decompose
from ...nodes.engine_calls import open_gguf
from ...nodes.expression import solve_expression
from ...nodes.given_numbers import stated_number
from ...nodes.problem import Problem
from ...nodes.replies import Reply
from ...nodes.steps import run
from ...plan import Plan, ancestors
from ...prompts import Prompts, load_prompts
from ...tools.calculator import format_number
from ..records import Example, Line

CAP = 8
"""Most lines of a plan, as in `create_decomposition_graph`."""


@dataclass(frozen=True)
class Predicted:
    """A plan beside the gold one."""

    example: Example
    plan: Plan | None
    score: PlanScore


@dataclass(frozen=True)
class Step:
    """A line solved with gold answers before it: right, wrong, or refused."""

    right: bool
    refused: bool


@dataclass(frozen=True)
class AskedFile:
    """A loaded model file and how it is asked."""

    model: ResolvedModel
    asking: Callable[[Call, Any], Reply]
    prompts: Prompts

    def has(self, role: str) -> bool:
        """Whether the file was trained for a role."""
        return self.model.speaks_contract(role)


@contextmanager
def open_file(path: Path) -> Iterator[AskedFile]:
    """Load a file trained for this project; it is closed at the end.

    Raises:
        UserError: If it is no GGUF, or has no contract metadata.
    """
    source = find_gguf(f"gguf:{path}")
    if source is None or source.contract is None:
        raise UserError(
            f"{str(path)!r} has no contract metadata, so its role isn't known; "
            "export it with `decompose distill export`."
        )
    with open_gguf(source) as (model, asking):
        yield AskedFile(model, asking, load_prompts(None))


def predict(asked: AskedFile, examples: Sequence[Example]) -> Iterator[Predicted]:
    """Plan each question, as the graphs do: a reply that can't be read is asked for again."""
    for example in examples:
        problem = Problem(example.question, example.context)
        steps = decompose(problem, model=asked.model, prompts=asked.prompts, max_subquestions=CAP)
        try:
            found = run(steps, asking=asked.asking)
        except PromptTooLongError:
            plan, valid = None, False
        else:
            plan = None if found.source == "undivided" else found.plan
            valid = found.source == "model"
        gold = example.to_plan()
        yield Predicted(example, plan, score_plan(example.problem, plan, gold, valid=valid))


def solve_steps(asked: AskedFile, examples: Sequence[Example]) -> Iterator[Step]:
    """Solve each line that has an expression, with the gold answers that it needs.

    As in training, a line that needs an answer which isn't there is left out.
    """
    for example in examples:
        plan = example.to_plan()
        for line in example.plan:
            needed = [example.plan[k - 1] for k in ancestors(plan, line["id"])]
            if line.get("expr") and all(row.get("answer") for row in (line, *needed)):
                yield _solve_step(asked, example, line, needed)


def _solve_step(asked: AskedFile, example: Example, line: Line, needed: list[Line]) -> Step:
    lines = [(row["id"], row["text"], row.get("answer", "")) for row in needed]
    call = Call("solver", asked.model, [])
    # A problem that isn't split is asked as it stands.
    target = (line["id"], line["text"]) if len(example.plan) > 1 else None
    steps = solve_expression(call, example.problem, lines, target)
    try:
        answer, _ = run(steps, asking=asked.asking)
    except (ReplyError, PromptTooLongError):
        return Step(right=False, refused=True)
    return Step(right=_same_number(answer, line.get("answer", "")), refused=False)


def _same_number(answer: str, gold: str) -> bool:
    """Whether the calculator's answer is the gold one, which is rounded in the same way.

    Like an answer that is calculated on with, the gold one may have words: "12 inches".
    """
    value = stated_number(gold)
    return value is not None and answer == format_number(value)
