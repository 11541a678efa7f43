"""`static`: plan first, then ONE solver call that answers the subquestions and the question.

The two-stage method of Wu et al., "Divide-or-Conquer?" (arXiv 2402.15000).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.graph import END, StateGraph

from ..errors import PromptTooLongError, must_be_raised
from ..nodes.answers import failed
from ..nodes.composer import undivided_outcome
from ..nodes.problem import Problem
from ..nodes.review import review_node
from ..nodes.solver import refuse_prose, solve_static, unsplit_row, whole_question
from ..nodes.steps import Steps, as_runnable
from ..plan import Plan
from .about import About
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
        answer: str | None = None
        budget = roles.limits.budget
        if plan.atomic:
            answer, row = yield from unsplit_row(problem, style="direct", **solving)
            return undivided_outcome(state, answer, row, budget)
        try:
            answer, row = yield from solve_static(problem, plan, **solving)
        except Exception as error:
            if must_be_raised(error) or isinstance(error, PromptTooLongError):
                raise
            row = failed(whole_question(problem), error, solving["model"])
        return undivided_outcome(state, answer, row, budget)

    graph = new_graph(roles, "static", first="decomposer")
    graph.add_node("decomposer", roles.decomposer_node())
    graph.add_node("solver", as_runnable("solver", solve, roles.limits))
    if roles.review:
        reviewing = review_node(roles.max_subquestions)
        graph.add_node("review", reviewing, destinations=("solver", END))
        graph.add_edge("decomposer", "review")
    else:
        graph.add_edge("decomposer", "solver")
    return finish(graph, roles, "solver")
