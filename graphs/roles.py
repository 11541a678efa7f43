"""Who fills which role in a graph, and the pieces that all strategies share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from langgraph.graph import START, StateGraph

from ..models.references import ResolvedModel
from ..nodes.answer_cache import AnswerCache
from ..nodes.composer import composer_node
from ..nodes.decomposer import decomposer_node
from ..nodes.session import Limits
from ..nodes.solvers import Solvers
from ..prompts import Prompts
from .read_question import read_question_node
from .state import DecompositionInput, DecompositionOutput, DecompositionState


@dataclass(frozen=True)
class Roles:
    """The models and settings that a strategy is built from."""

    decomposer: ResolvedModel
    solvers: Solvers
    composer: ResolvedModel
    prompts: Prompts
    max_subquestions: int = 8
    limits: Limits = field(default_factory=Limits)
    retriever: Any = None
    answer_cache: AnswerCache | None = None
    review: bool = False
    samples: int = 5
    condense: bool = False
    context_schema: type[Any] | None = None

    @property
    def solver(self) -> ResolvedModel:
        """The solver of undivided questions."""
        return self.solvers.first

    def decomposer_node(self) -> Any:
        """The decomposer as a node."""
        return decomposer_node(
            self.decomposer,
            max_subquestions=self.max_subquestions,
            prompts=self.prompts,
            limits=self.limits,
        )

    def composer_node(self) -> Any:
        """The composer as a node."""
        return composer_node(self.composer, prompts=self.prompts, limits=self.limits)


def new_graph(roles: Roles, strategy: str) -> StateGraph[Any, Any, Any, Any]:
    """A graph that begins by reading the question; the strategy adds the rest."""
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(
        DecompositionState,
        context_schema=roles.context_schema,
        input_schema=DecompositionInput,
        output_schema=DecompositionOutput,
    )
    reading: Any = read_question_node(
        strategy,
        condenser=roles.composer if roles.condense else None,
        prompts=roles.prompts,
        limits=roles.limits,
        review=roles.review,
    )
    graph.add_node("read_question", reading)
    graph.add_edge(START, "read_question")
    return graph
