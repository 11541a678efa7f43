"""langgraph-decompose: split a hard question with a small local model, solve the parts.

Everything is imported on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import UserError
    from .graphs.escalate import Rung
    from .graphs.factory import build_decomposition_graph, create_decomposition_graph
    from .graphs.middleware import DecompositionMiddleware
    from .graphs.tool import create_decomposition_tool
    from .models.bundled import bundled_model_path
    from .models.chat_gguf import ChatGGUF
    from .models.references import resolve_model
    from .nodes.answer_cache import AnswerCache
    from .nodes.budget import Budget, Meter
    from .nodes.composer import composer_node
    from .nodes.decomposer import create_decomposer, decomposer_node
    from .nodes.final_verifier import verifier_node
    from .nodes.gate import gate_node
    from .nodes.scheduler import solver_node
    from .nodes.session import Limits
    from .nodes.solvers import SolverOption
    from .nodes.understanding import understanding_node
    from .plan import Plan, PlanError, Subquestion, parse_plan, plan_grammar
    from .plan.allocation import Option, allocate
    from .tools import calculator_tool

__version__ = "0.1.0"

__all__ = [
    "AnswerCache",
    "Budget",
    "ChatGGUF",
    "DecompositionMiddleware",
    "Limits",
    "Meter",
    "Option",
    "Plan",
    "PlanError",
    "Rung",
    "SolverOption",
    "Subquestion",
    "UserError",
    "allocate",
    "build_decomposition_graph",
    "bundled_model_path",
    "calculator_tool",
    "composer_node",
    "create_decomposer",
    "create_decomposition_graph",
    "create_decomposition_tool",
    "decomposer_node",
    "gate_node",
    "parse_plan",
    "plan_grammar",
    "resolve_model",
    "solver_node",
    "understanding_node",
    "verifier_node",
]

_HOME = {
    "AnswerCache": ".nodes.answer_cache",
    "Budget": ".nodes.budget",
    "ChatGGUF": ".models.chat_gguf",
    "DecompositionMiddleware": ".graphs.middleware",
    "Limits": ".nodes.session",
    "Meter": ".nodes.budget",
    "Option": ".plan.allocation",
    "Plan": ".plan",
    "PlanError": ".plan",
    "Rung": ".graphs.escalate",
    "SolverOption": ".nodes.solvers",
    "Subquestion": ".plan",
    "UserError": ".errors",
    "allocate": ".plan.allocation",
    "build_decomposition_graph": ".graphs.factory",
    "bundled_model_path": ".models.bundled",
    "calculator_tool": ".tools",
    "composer_node": ".nodes.composer",
    "create_decomposer": ".nodes.decomposer",
    "create_decomposition_graph": ".graphs.factory",
    "create_decomposition_tool": ".graphs.tool",
    "decomposer_node": ".nodes.decomposer",
    "gate_node": ".nodes.gate",
    "parse_plan": ".plan",
    "plan_grammar": ".plan",
    "resolve_model": ".models.references",
    "solver_node": ".nodes.scheduler",
    "understanding_node": ".nodes.understanding",
    "verifier_node": ".nodes.final_verifier",
}


if not TYPE_CHECKING:  # A type checker that saw it would take any misspelt name.

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOME[name], __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
