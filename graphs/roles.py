"""Who fills which role in a graph, and the pieces that all strategies share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langgraph.graph import END, START, StateGraph

from ..models.references import ResolvedModel
from ..nodes.answer_cache import AnswerCache
from ..nodes.composer import composer_node
from ..nodes.decomposer import decomposer_node
from ..nodes.final_verifier import verifier_node
from ..nodes.gate import Gate, gate_node
from ..nodes.problem import Problem
from ..nodes.session import Limits
from ..nodes.solver import whole_question
from ..nodes.solvers import Solvers
from ..nodes.steps import Steps, as_runnable
from ..nodes.understanding import understanding_node
from ..nodes.verifier import Verifier
from ..prompts import Prompts
from .read_question import read_question_node
from .state import DecompositionInput, DecompositionOutput, DecompositionState

if TYPE_CHECKING:
    from .escalate import Rung


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
    attempts: int = 3
    condense: bool = False
    gate: Gate = "model"
    dup: bool = False
    verifier: Verifier | None = None
    max_depth: int = 2
    max_total: int = 64
    max_concurrency: int | None = None
    ladder: tuple[Rung, ...] = ()
    examples: tuple[Mapping[str, str], ...] = ()
    context_schema: type[Any] | None = None

    @property
    def solver(self) -> ResolvedModel:
        """Who is asked where nobody is chosen, and must be able to do what the strategy asks."""
        return self.solvers.first

    def solver_of(self, problem: Problem) -> ResolvedModel:
        """Who answers a question undivided."""
        return self.solvers.choose(whole_question(problem)).model

    def solving(self, problem: Problem) -> dict[str, Any]:
        """What functions that solve the question undivided take by keyword."""
        model = self.solver_of(problem)
        return {"model": model, "prompts": self.prompts, "retriever": self.retriever}

    @property
    def planning(self) -> dict[str, Any]:
        """What `decompose` takes by keyword."""
        return {
            "model": self.decomposer,
            "prompts": self.prompts,
            "max_subquestions": self.max_subquestions,
            "must_split": self.gate == "always",
        }

    @property
    def line_verifier(self) -> Verifier | None:
        """Who verifies each subquestion's answer, if anybody does."""
        return self.verifier if self.verifier and self.verifier.of_subquestions else None

    def decomposer_node(self) -> Any:
        """The decomposer as a node."""
        return decomposer_node(
            self.decomposer,
            max_subquestions=self.max_subquestions,
            must_split=self.gate == "always",
            prompts=self.prompts,
            limits=self.limits,
        )

    def composer_node(self) -> Any:
        """The composer as a node."""
        return composer_node(self.composer, prompts=self.prompts, limits=self.limits)


def new_graph(roles: Roles, strategy: str, *, first: str) -> StateGraph[Any, Any, Any, Any]:
    """A graph that reads the question and decides whether the strategy begins at all.

    Args:
        roles: Who does what.
        strategy: The strategy's name, for the result.
        first: The strategy's first node, which the caller adds.
    """
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
    following = "understanding" if roles.dup else first
    if roles.gate in ("never", "disagreement"):
        graph.add_node("gate", _gate(roles))
        graph.add_edge("read_question", "gate")
        go_on_unless_answered(graph, roles, "gate", following)
    else:
        graph.add_edge("read_question", following)
    if roles.dup:
        options: Any = {"prompts": roles.prompts, "limits": roles.limits}
        graph.add_node("understanding", understanding_node(roles.solvers.writer, **options))
        graph.add_edge("understanding", first)
    return graph


def _gate(roles: Roles) -> Any:
    gate: Any = roles.gate
    return gate_node(
        gate,
        roles.solvers,
        samples=roles.attempts,
        prompts=roles.prompts,
        retriever=roles.retriever,
        limits=roles.limits,
    )


def solved_in_one_node(
    roles: Roles, strategy: str, steps: Callable[..., Steps[dict[str, Any]]]
) -> StateGraph[Any, Any, Any, Any]:
    """The whole graph of a strategy that needs only one node of its own."""
    graph = new_graph(roles, strategy, first="solver")
    graph.add_node("solver", as_runnable("solver", steps, roles.limits))
    return finish(graph, roles, "solver")


def go_on_unless_answered(graph: Any, roles: Roles, node: str, following: str) -> None:
    """An edge from a node that may have answered the question already."""
    end = _end(roles)

    def route(state: Mapping[str, Any]) -> str:
        return following if state["status"] == "running" else end

    graph.add_conditional_edges(node, route, [following, end])


def finish(graph: Any, roles: Roles, last: str) -> StateGraph[Any, Any, Any, Any]:
    """The graph with its end: the verifier of the final answer, if there is one."""
    end = _end(roles)
    if end != END:
        assert roles.verifier
        judging = verifier_node(
            roles.verifier.model,
            solver=roles.solvers.writer,
            retries=roles.verifier.retries,
            prompts=roles.prompts,
            limits=roles.limits,
        )
        graph.add_node(end, judging)
        graph.add_edge(end, END)
    graph.add_edge(last, end)
    return graph


def _end(roles: Roles) -> str:
    return "verifier" if roles.verifier and roles.verifier.of_answers else END
