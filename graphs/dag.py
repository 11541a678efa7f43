"""`dag`: one solver call a subquestion, independent ones at once, then the composer.

The plan is a graph of needs, run as LLMCompiler (arXiv 2312.04511) runs its tool calls: a
subquestion starts when the answers that it needs exist, the first ones while the decomposer
is still writing the rest. With review the plan is shown to a person before anything is solved.
"""

from __future__ import annotations

from typing import Any

from langgraph.graph import StateGraph

from .about import About
from .divided import add_divided, first_node
from .roles import Roles, new_graph

ABOUT = About(
    does="splits, answers independent subquestions at once, composes",
    calls="1 + n, and 1 to compose unless the last line answers",
    pays="on long questions, and where a solver repeats its mistakes so that votes don't help",
    source="Kim et al. (LLMCompiler), arXiv 2312.04511",
    plans=True,
    lines=True,
    always=True,
    reviewed=True,
)


def build_dag(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """Decomposer and solver at once, then the composer."""
    graph = new_graph(roles, "dag", first=first_node(roles))
    return add_divided(graph, roles)
