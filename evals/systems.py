"""What is compared: a strategy with a decomposer and a solver, as one system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from ..graphs.factory import STRATEGIES, create_decomposition_graph
from ..graphs.read_question import read_question_node
from ..graphs.state import DecompositionState
from ..nodes.decomposer import decomposer_node
from ..nodes.session import Limits
from ..prompts import load_prompts

PLANNING = ("static", "sequential", "dag")
"""Strategies that ask a decomposer; the others are the same whatever decomposer is named."""

NO_MODEL = "-"
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
    """

    strategy: str
    decomposer: str = "bundled"
    solver: str = "bundled"
    samples: int = 5

    @property
    def name(self) -> str:
        """What reports call it.

        Example:
            >>> System("dag", "bundled", "openai:gpt-5-mini").name
            'dag · bundled · openai:gpt-5-mini'
        """
        kind = self.strategy
        if kind == "self_consistency":
            kind += f"({self.samples})"
        models = [ref for ref in (self.decomposer, self.solver) if ref != NO_MODEL]
        return " · ".join([kind, *models])

    @property
    def plan_only(self) -> System:
        """The same decomposer, with nothing solved."""
        return System(PLAN, self.decomposer, NO_MODEL)

    def graph(self, checkpointer: Any = None, **options: Any) -> Any:
        """The compiled graph; models are loaded when the first question comes.

        Args:
            checkpointer: Keeps what was paid for.
            **options: Further options of `create_decomposition_graph`.

        Raises:
            UserError: If a reference or a file is wrong.
        """
        if self.decomposer != NO_MODEL:
            options = {"decomposer": self.decomposer, **options}
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


def _planning(options: dict[str, Any]) -> Any:
    """A graph that ends with the plan."""
    from langgraph.graph import END, StateGraph

    limits = Limits(None, options.get("call_timeout"), None)
    cap = options.get("max_subquestions", 8)
    reading = read_question_node(PLAN, condenser=None, prompts=load_prompts(), limits=limits)
    graph = StateGraph(DecompositionState)
    graph.add_node("read_question", reading)
    planner = decomposer_node(options["decomposer"], max_subquestions=cap, limits=limits)
    graph.add_node("decomposer", planner)
    graph.set_entry_point("read_question")
    graph.add_edge("read_question", "decomposer")
    graph.add_edge("decomposer", END)
    return graph


def systems(
    strategies: Sequence[str],
    decomposers: Sequence[str] = ("bundled",),
    solvers: Sequence[str] = ("bundled",),
    samples: int = 5,
) -> list[System]:
    """Every combination, each once.

    Args:
        strategies: Names of strategies.
        decomposers: Model references.
        solvers: Model references.
        samples: Samples of `self_consistency`.

    Raises:
        UserError: If a strategy isn't known.

    Example:
        >>> [s.name for s in systems(["direct", "dag"], ["a", "b"], ["c"])]
        ['direct · c', 'dag · a · c', 'dag · b · c']
    """
    for strategy in strategies:
        if strategy not in STRATEGIES:
            known = ", ".join(STRATEGIES)
            raise UserError(f"unknown strategy {strategy!r}; use one of {known}.")
    return list(
        dict.fromkeys(
            System(strategy, decomposer if strategy in PLANNING else NO_MODEL, solver, samples)
            for strategy in strategies
            for decomposer in decomposers
            for solver in solvers
        )
    )
