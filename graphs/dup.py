"""`dup`: the core question, then the useful facts, then the answer with both in view.

"Deeply Understanding the Problems" (Zhong et al., arXiv 2404.14963). The first two calls can
also stand in front of any other strategy: the option `dup=True`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from langgraph.graph import StateGraph

from .about import About
from .direct import build_direct
from .roles import Roles

ABOUT = About(
    does="finds the core question, then the facts that bear on it, then thinks and answers",
    calls="3",
    pays="where questions are long-winded and solvers misread them (not measured here)",
    source="Zhong et al., arXiv 2404.14963",
)


def build_dup(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """`cot` on a problem that was understood first."""
    return build_direct(replace(roles, dup=True), "dup")
