"""`sequential`: one subquestion after another, every earlier answer carried along.

Least-to-Most (Zhou et al., arXiv 2205.10625), and how Socratic CoT (arXiv 2212.00193) solves.
"""

from __future__ import annotations

from typing import Any

from langgraph.graph import StateGraph

from .about import About
from .divided import add_divided, first_node
from .roles import Roles, new_graph

ABOUT = About(
    does="splits, answers one subquestion after another with all earlier answers in view",
    calls="as `dag`",
    pays="where the plan's needs can't be trusted; slower than `dag` (not measured here)",
    source="Zhou et al. (Least-to-Most), arXiv 2205.10625",
    plans=True,
    lines=True,
    always=True,
    reviewed=True,
)


def build_sequential(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """The nodes of `dag`, one line at a time."""
    graph = new_graph(roles, "sequential", first=first_node(roles))
    return add_divided(graph, roles, one_at_a_time=True)
