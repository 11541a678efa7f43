"""`cot`: the question undivided, in one call that thinks step by step first.

Chain of thought without examples (Kojima et al., arXiv 2205.11916).
"""

from __future__ import annotations

from typing import Any

from langgraph.graph import StateGraph

from .about import About
from .direct import build_direct
from .roles import Roles

ABOUT = About(
    does="thinks step by step, then answers, in one call",
    calls="1",
    pays="with solvers that reason well on their own: the one to beat",
    source="Kojima et al., arXiv 2205.11916",
)


def build_cot(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """`direct` with the prompt that asks to think first."""
    return build_direct(roles, "cot")
