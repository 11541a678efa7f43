"""What is compared: a strategy with a decomposer and a solver, as one system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..graphs.escalate import Rung
from ..graphs.factory import ABOUT, STRATEGIES, create_decomposition_graph
from ..graphs.read_question import read_question_node
from ..graphs.state import DecompositionState
from ..models.hosted import without_credentials
from ..nodes.decomposer import decomposer_node
from ..nodes.session import Limits
from ..prompts import load_prompts
from .gold import GOLD, gold_decomposer

PLANNING = tuple(name for name, about in ABOUT.items() if about.plans)
"""Strategies that ask a decomposer; the others are the same whatever decomposer is named."""

NO_MODEL = "-"
_USUAL_CAP, _NO_CAP = 8, 64
PLAN = "plan"
"""The strategy of tasks that judge plans only: nothing is solved."""


@dataclass(frozen=True)
class System:
    """One way of answering questions.

    Attributes:
        strategy: A strategy of `create_decomposition_graph`.
        decomposer: A model reference; `-` if the strategy has none.
        solver: The same.
        samples: Samples of `self_consistency`.
        max_subquestions: Most lines of a plan.
        prompts: Folder with prompts of its own, or "".
        options: Further options of the graph, by name.
    """

    strategy: str
    decomposer: str = "bundled"
    solver: str = "bundled"
    samples: int = 5
    max_subquestions: int = 8
    prompts: str = ""
    options: tuple[tuple[str, Any], ...] = ()

    @cached_property
    def name(self) -> str:
        """What reports call it.

        Example:
            >>> System("dag", "bundled", "bundled").name
            'dag · bundled · bundled'
        """
        kind = self.strategy
        if kind == "self_consistency":
            kind += f"({self.samples})"
        if self.max_subquestions != _USUAL_CAP:
            kind += f"(≤{self.max_subquestions})"
        kind += "".join(f"({_shown(name, value)})" for name, value in self.options)
        refs = [ref for ref in (self.decomposer, self.solver) if ref != NO_MODEL]
        models = [without_credentials(ref) for ref in refs]
        prompts = [f"prompts {Path(self.prompts).name}"] if self.prompts else []
        return " · ".join([kind, *models, *prompts])

    @property
    def models(self) -> list[str]:
        """The references of its models, each once."""
        options = dict(self.options)
        rungs = [rung.solver for rung in options.get("ladder", ())]
        refs = [self.decomposer, self.solver, options.get("verifier"), *rungs]
        return [ref for ref in dict.fromkeys(refs) if ref not in (None, NO_MODEL)]

    @property
    def plan_only(self) -> System:
        """The same decomposer, with nothing solved."""
        return replace(self, strategy=PLAN, solver=NO_MODEL, options=())

    def graph(
        self, checkpointer: Any = None, gold: Mapping[str, str] | None = None, **options: Any
    ) -> Any:
        """The compiled graph; models are loaded when the first question comes.

        Args:
            checkpointer: Keeps what was paid for.
            gold: The plans that the decomposer `gold` knows, by problem.
            **options: Further options of `create_decomposition_graph`.

        Raises:
            UserError: If a reference or a file is wrong.
        """
        options = {
            "max_subquestions": self.max_subquestions,
            "prompts": self.prompts or None,
            **dict(self.options),
            **options,
        }
        if self.decomposer == GOLD:
            options |= {"decomposer": gold_decomposer(gold or {}), "max_subquestions": _NO_CAP}
            options |= {"max_total": 3 * _NO_CAP}
        elif self.decomposer != NO_MODEL:
            options["decomposer"] = self.decomposer
        if self.strategy == PLAN:
            return _planning(options).compile(checkpointer=checkpointer)
        strategy: Any = self.strategy
        return create_decomposition_graph(
            self.solver,
            strategy=strategy,
            samples=self.samples,
            checkpointer=checkpointer,
            **options,
        )


def _shown(name: str, value: Any) -> str:
    if name == "ladder":
        return ", ".join(_shown_rung(rung) for rung in value)
    return name if value is True else f"{name} {without_credentials(str(value))}"


def _shown_rung(rung: Rung) -> str:
    cap = f" ≤{rung.max_subquestions}" if rung.max_subquestions else ""
    solver = f" {without_credentials(str(rung.solver))}" if rung.solver else ""
    return f"{rung.strategy}×{rung.samples}{cap}{solver}"


def _system(
    strategy: str,
    decomposer: str,
    solver: str,
    samples: int,
    cap: int,
    options: Mapping[str, Any],
) -> System:
    if strategy not in PLANNING:
        return System(strategy, NO_MODEL, solver, samples)
    if strategy == "dynamic" and decomposer == "bundled":
        decomposer = solver  # That one can't; Self-Ask has one model for both.
    fitting = tuple(_fitting(strategy, options).items())
    return System(strategy, decomposer, solver, samples, cap, options=fitting)


def _fitting(strategy: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a strategy heeds."""
    if strategy not in PLANNING:
        return {}
    attempting = strategy == "attempt_first" or options.get("gate") == "disagreement"
    fitting = {
        name: value
        for name, value in options.items()
        if (name != "ladder" or strategy == "escalate") and (name != "attempts" or attempting)
    }
    if not ABOUT[strategy].always and fitting.get("gate") == "always":
        del fitting["gate"]
    if not ABOUT[strategy].lines and fitting.get("verify") == "subquestions":
        fitting = {n: v for n, v in fitting.items() if n not in ("verify", "verifier")}
    return fitting


def _refuse_unheeded(strategies: Sequence[str], options: Mapping[str, Any]) -> None:
    """Refuse what all strategies would go without; numbers may be named in vain."""
    for name in ("gate", "dup", "verify", "verifier", "ladder"):
        if name in options and not any(name in _fitting(s, options) for s in strategies):
            heeding = ", ".join(s for s in STRATEGIES if name in _fitting(s, options))
            shown = "a ladder" if name == "ladder" else _shown(name, options[name])
            raise UserError(
                f"{shown} has no effect on {', '.join(strategies)}; leave it "
                f"out, or compare a strategy that heeds it: {heeding}."
            )


def _ended(state: DecompositionState) -> dict[str, Any]:
    del state
    return {"status": "ok"}


def _planning(options: dict[str, Any]) -> Any:
    """A graph that ends with the plan."""
    from langgraph.graph import StateGraph

    limits = Limits(None, options.get("call_timeout"), None)
    prompts = load_prompts(options["prompts"])
    reading = read_question_node(PLAN, condenser=None, prompts=prompts, limits=limits)
    planner = decomposer_node(
        options["decomposer"],
        max_subquestions=options["max_subquestions"],
        prompts=prompts,
        limits=limits,
    )
    graph = StateGraph(DecompositionState)
    graph.add_sequence([("read_question", reading), ("decomposer", planner), ("end", _ended)])
    return graph.set_entry_point("read_question")


def systems(
    strategies: Sequence[str],
    decomposers: Sequence[str] = ("bundled",),
    solvers: Sequence[str] = ("bundled",),
    samples: int = 5,
    max_subquestions: int = _USUAL_CAP,
    options: Mapping[str, Any] | None = None,
) -> list[System]:
    """Every combination, each once.

    Args:
        strategies: Names of strategies.
        decomposers: Model references.
        solvers: Model references.
        samples: Samples of `self_consistency`.
        max_subquestions: Most lines of a plan.
        options: Further options, for strategies that split: `gate`, `attempts`, `dup`,
            `verify`, `verifier`, `ladder`.

    Raises:
        UserError: If a strategy isn't known, or none heeds an option.

    Example:
        >>> [s.name for s in systems(["direct", "dag"], ["a", "b"], ["c"])]
        ['direct · c', 'dag · a · c', 'dag · b · c']
    """
    for strategy in strategies:
        if strategy not in STRATEGIES:
            known = ", ".join(STRATEGIES)
            raise UserError(f"unknown strategy {strategy!r}; use one of {known}.")
    _refuse_unheeded(strategies, options or {})
    return list(
        dict.fromkeys(
            _system(strategy, decomposer, solver, samples, max_subquestions, options or {})
            for strategy in strategies
            for decomposer in decomposers
            for solver in solvers
        )
    )
