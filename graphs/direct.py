"""`direct`: the question undivided, in one call. Every other strategy's baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from langgraph.graph import StateGraph

from ..nodes.composer import undivided_outcome
from ..nodes.problem import Problem
from ..nodes.solver import refuse_prose, undivided_row
from ..nodes.steps import Steps, as_runnable
from .about import About
from .roles import Roles, finish, new_graph

ABOUT = About(
    does="answers the question undivided and briefly",
    calls="1",
    pays="on single facts; the baseline of everything else",
    source="",
)


def build_direct(
    roles: Roles, style: Literal["direct", "cot"] = "direct", name: str = ""
) -> StateGraph[Any, Any, Any, Any]:
    """One call that answers briefly (`direct`) or thinks step by step first (`cot`).

    Args:
        roles: Who does what.
        style: How it answers.
        name: The strategy's name, if it isn't the style's.
    """
    refuse_prose(roles.solver, name or style)

    def solve(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        problem = Problem.of(state)
        answer, row = yield from undivided_row(problem, style=style, **roles.solving(problem))
        return undivided_outcome(state, answer, row, roles.limits.budget)

    graph = new_graph(roles, name or style, first="solver")
    graph.add_node("solver", as_runnable("solver", solve, roles.limits))
    return finish(graph, roles, "solver")
