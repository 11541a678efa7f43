"""`direct` and `cot`: the question undivided, in one call. Every other strategy's baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from langgraph.graph import END, StateGraph

from ..nodes.composer import undivided_outcome
from ..nodes.problem import Problem
from ..nodes.solver import refuse_prose, undivided_row
from ..nodes.steps import Steps, as_runnable
from .roles import Roles, new_graph


def build_direct(
    roles: Roles, style: Literal["direct", "cot"] = "direct"
) -> StateGraph[Any, Any, Any, Any]:
    """One call that answers briefly (`direct`) or thinks step by step first (`cot`)."""
    refuse_prose(roles.solver, style)

    def solve(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        answer, row = yield from undivided_row(
            Problem.of(state),
            model=roles.solver,
            prompts=roles.prompts,
            style=style,
            retriever=roles.retriever,
        )
        return undivided_outcome(state, answer, row, roles.limits.budget)

    graph = new_graph(roles, style)
    graph.add_node("solver", as_runnable("solver", solve, roles.limits))
    graph.add_edge("read_question", "solver")
    graph.add_edge("solver", END)
    return graph


def build_cot(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """Chain of thought (Kojima et al., 2022)."""
    return build_direct(roles, "cot")
