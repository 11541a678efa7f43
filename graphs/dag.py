"""`dag`: one solver call a subquestion, independent ones at once, then the composer.

The plan is a graph of needs, run as LLMCompiler (arXiv 2312.04511) runs its tool calls: a
subquestion starts when the answers that it needs exist, the first ones while the decomposer
is still writing the rest. With review the plan is shown to a person before anything is solved.
"""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, StateGraph

from ..nodes.decomposer import decompose, final_of
from ..nodes.lines import Settings
from ..nodes.review import review_node
from ..nodes.scheduler import Scheduler, solver_node
from ..nodes.work import Planner
from .roles import Roles, new_graph


def build_dag(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """Decomposer and solver at once, then the composer."""
    return _build(roles, "dag", one_at_a_time=False)


def build_sequential(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """Least-to-Most (arXiv 2205.10625): one subquestion after another, answers carried along."""
    return _build(roles, "sequential", one_at_a_time=True)


def _build(roles: Roles, strategy: str, *, one_at_a_time: bool) -> StateGraph[Any, Any, Any, Any]:
    graph = new_graph(roles, strategy)
    if roles.review:
        last = _add_reviewed(graph, roles, one_at_a_time)
    else:
        graph.add_node("scheduler", _scheduler(roles, one_at_a_time))
        graph.add_edge("read_question", "scheduler")
        last = "scheduler"
    graph.add_node("composer", roles.composer_node())
    graph.add_edge(last, "composer")
    graph.add_edge("composer", END)
    return graph


def _add_reviewed(graph: Any, roles: Roles, one_at_a_time: bool) -> str:
    """Three nodes, so that nothing is solved before the person has seen the plan."""
    solving = solver_node(
        roles.solvers,
        prompts=roles.prompts,
        retriever=roles.retriever,
        answer_cache=roles.answer_cache,
        one_at_a_time=one_at_a_time,
        limits=roles.limits,
    )
    graph.add_node("decomposer", roles.decomposer_node())
    # A rejected plan goes straight to the end.
    reviewing = review_node(roles.max_subquestions)
    graph.add_node("review", reviewing, destinations=("solver", END))
    graph.add_node("solver", solving)
    graph.add_edge("read_question", "decomposer")
    graph.add_edge("decomposer", "review")
    return "solver"


def _scheduler(roles: Roles, one_at_a_time: bool) -> Any:
    planner = Planner(
        lambda problem, on_lines: decompose(
            problem,
            model=roles.decomposer,
            prompts=roles.prompts,
            max_subquestions=roles.max_subquestions,
            on_lines=on_lines,
        ),
        final=final_of(roles.decomposer),
    )
    settings = Settings(
        roles.solvers, roles.prompts, roles.retriever, roles.answer_cache, one_at_a_time
    )
    return Scheduler(settings, roles.limits, planner).as_runnable("scheduler")
