"""langgraph-decompose: split a hard question with a small local model, solve the parts.

Everything is imported on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import UserError
    from .graphs.factory import build_decomposition_graph, create_decomposition_graph
    from .models.bundled import bundled_model_path
    from .models.chat_gguf import ChatGGUF
    from .models.references import resolve_model
    from .nodes.composer import composer_node
    from .nodes.decomposer import create_decomposer, decomposer_node
    from .nodes.scheduler import solver_node
    from .plan import Plan, PlanError, Subquestion, parse_plan, plan_grammar
    from .tools import calculator_tool

__version__ = "0.1.0"

__all__ = [
    "ChatGGUF",
    "Plan",
    "PlanError",
    "Subquestion",
    "UserError",
    "build_decomposition_graph",
    "bundled_model_path",
    "calculator_tool",
    "composer_node",
    "create_decomposer",
    "create_decomposition_graph",
    "decomposer_node",
    "parse_plan",
    "plan_grammar",
    "resolve_model",
    "solver_node",
]

_HOME = {
    "ChatGGUF": ".models.chat_gguf",
    "Plan": ".plan",
    "PlanError": ".plan",
    "Subquestion": ".plan",
    "UserError": ".errors",
    "build_decomposition_graph": ".graphs.factory",
    "bundled_model_path": ".models.bundled",
    "calculator_tool": ".tools",
    "composer_node": ".nodes.composer",
    "create_decomposer": ".nodes.decomposer",
    "create_decomposition_graph": ".graphs.factory",
    "decomposer_node": ".nodes.decomposer",
    "parse_plan": ".plan",
    "plan_grammar": ".plan",
    "resolve_model": ".models.references",
    "solver_node": ".nodes.scheduler",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name], __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
