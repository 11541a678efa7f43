"""`dag`: one solver call a subquestion, independent ones at once, then the composer.

The plan is a graph of needs, run as LLMCompiler (arXiv 2312.04511) runs its tool calls: a
subquestion starts when the answers that it needs exist.
"""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, StateGraph

from ..nodes.composer import composer_node
from ..nodes.decomposer import decomposer_node
from ..nodes.scheduler import solver_node
from .roles import Roles, new_graph


def build_dag(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """Decomposer, solver and composer in a row; the solver runs the plan's own graph."""
    planner = decomposer_node(
        roles.decomposer, max_subquestions=roles.max_subquestions, prompts=roles.prompts
    )
    graph = new_graph(roles, "dag")
    graph.add_node("decomposer", planner)
    graph.add_node("solver", solver_node(roles.solver, prompts=roles.prompts))
    graph.add_node("composer", composer_node(roles.composer, prompts=roles.prompts))
    graph.add_edge("read_question", "decomposer")
    graph.add_edge("decomposer", "solver")
    graph.add_edge("solver", "composer")
    graph.add_edge("composer", END)
    return graph
