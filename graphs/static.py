"""`static`: plan first, then ONE solver call that answers the subquestions and the question.

The two-stage method of Wu et al., "Divide-or-Conquer?" (arXiv 2402.15000).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.graph import StateGraph

from ..nodes.composer import undivided_outcome
from ..nodes.problem import Problem
from ..nodes.solver import refuse_prose, solve_static, unsplit_row, with_failure_as_row
from ..nodes.steps import Steps, as_runnable
from ..plan import Plan
from .about import About
from .divided import add_review
from .roles import Roles, finish, new_graph

ABOUT = About(
    does="splits, then answers all subquestions and the question in one call",
    calls="2",
    pays="with a good decomposer and a solver that reasons in words (not measured here)",
    source="Wu et al., arXiv 2402.15000",
    plans=True,
    always=True,
    reviewed=True,
)


def build_static(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """Decomposer, then a single solver call; an atomic plan is solved undivided."""
    refuse_prose(roles.solver, "static")

    def solve(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        problem, plan = Problem.of(state), Plan.from_rows(state["plan"])
        solving = roles.solving(problem)
        if plan.atomic:
            steps = unsplit_row(problem, **solving)
        else:
            once = solve_static(problem, plan, **solving)
            steps = with_failure_as_row(once, problem, solving["model"])
        answer, row = yield from steps
        return undivided_outcome(state, answer, row, roles.limits.budget)

    graph = new_graph(roles, "static", first="decomposer")
    graph.add_node("decomposer", roles.decomposer_node())
    graph.add_node("solver", as_runnable("solver", solve, roles.limits))
    if roles.review:
        add_review(graph, roles)
    else:
        graph.add_edge("decomposer", "solver")
    return finish(graph, roles, "solver")
