"""`direct`: the question undivided, in one call. Every other strategy's baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.graph import StateGraph

from ..nodes.composer import undivided_outcome
from ..nodes.problem import Problem
from ..nodes.solver import refuse_prose, undivided_row
from ..nodes.steps import Steps
from .about import About
from .roles import Roles, solved_in_one_node

ABOUT = About(
    does="answers the question undivided and briefly",
    calls="1",
    pays="on single facts; the baseline of everything else",
    source="",
)


def build_direct(roles: Roles, name: str = "direct") -> StateGraph[Any, Any, Any, Any]:
    """One call that answers briefly or, in strategies of other names, thinks first."""
    refuse_prose(roles.solver, name)
    style = "direct" if name == "direct" else "cot"

    def solve(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        problem = Problem.of(state)
        answer, row = yield from undivided_row(problem, style=style, **roles.solving(problem))
        return undivided_outcome(state, answer, row, roles.limits.budget)

    return solved_in_one_node(roles, name, solve)
