"""The part that splitting strategies share: plan, maybe review, solve, compose."""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, StateGraph

from ..nodes.decomposer import decompose, final_of
from ..nodes.lines import Answerer, LineSettings
from ..nodes.review import review_node
from ..nodes.scheduler import Scheduler
from ..nodes.work import Planner
from .roles import Roles, finish


def first_node(roles: Roles) -> str:
    """The name of the part's first node: with review, planning is a node of its own."""
    return "decomposer" if roles.review else "scheduler"


def add_divided(
    graph: Any, roles: Roles, *, one_at_a_time: bool = False, answer: Answerer | None = None
) -> StateGraph[Any, Any, Any, Any]:
    """The graph with the nodes that plan, solve and compose, and its end.

    Args:
        graph: The graph, whose edge to `first_node` is there or will be.
        roles: Who does what.
        one_at_a_time: Solve in plan order, with every earlier answer carried along.
        answer: Answers a line; the solver if None.
    """
    settings = line_settings(roles, one_at_a_time=one_at_a_time, answer=answer)
    name, planner = "scheduler", _planner(roles)
    if roles.review:  # Three nodes, so that nothing is solved before the person has seen the plan.
        graph.add_node("decomposer", roles.decomposer_node())
        add_review(graph, roles)
        name, planner = "solver", None
    graph.add_node(name, Scheduler(settings, roles.limits, planner).as_runnable(name))
    graph.add_edge(name, "composer")
    graph.add_node("composer", roles.composer_node())
    return finish(graph, roles, "composer")


def line_settings(
    roles: Roles, *, one_at_a_time: bool = False, answer: Answerer | None = None
) -> LineSettings:
    """Who solves the lines of a plan, and how."""
    return LineSettings(
        roles.solvers,
        roles.prompts,
        roles.retriever,
        roles.answer_cache,
        one_at_a_time,
        roles.line_verifier,
        answer,
        roles.composer,
    )


def add_review(graph: Any, roles: Roles) -> None:
    """The review between decomposer and solver; a rejected plan goes straight to the end."""
    graph.add_node("review", review_node(roles.max_subquestions), destinations=("solver", END))
    graph.add_edge("decomposer", "review")


def _planner(roles: Roles) -> Planner:
    return Planner(
        lambda problem, on_lines: decompose(problem, on_lines=on_lines, **roles.planning),
        final=final_of(roles.decomposer),
    )
