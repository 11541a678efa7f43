"""The one public factory: models and a strategy in, a compiled LangGraph graph out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import Unpack

from ..errors import UserError
from ..nodes.gate import GATES
from ..nodes.journal import KEEPS_NOTHING
from . import (
    attempt_first,
    cot,
    dag,
    direct,
    dup,
    dynamic,
    escalate,
    recursive,
    self_consistency,
    sequential,
    static,
    symbolic,
)
from .about import About
from .options import Options
from .read_options import read_roles
from .roles import Roles

if TYPE_CHECKING:
    from langgraph.cache.base import BaseCache
    from langgraph.graph import StateGraph
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.store.base import BaseStore
    from langgraph.types import All, Checkpointer

Strategy = Literal[
    "direct",
    "cot",
    "self_consistency",
    "static",
    "sequential",
    "dag",
    "dynamic",
    "attempt_first",
    "dup",
    "escalate",
    "recursive",
    "symbolic",
]
"""How a question is answered; each is described in `graphs/`."""

_Build = Callable[[Roles], "StateGraph[Any, Any, Any, Any]"]

_STRATEGIES: dict[str, tuple[_Build, About]] = {
    "direct": (direct.build_direct, direct.ABOUT),
    "cot": (cot.build_cot, cot.ABOUT),
    "self_consistency": (self_consistency.build_self_consistency, self_consistency.ABOUT),
    "static": (static.build_static, static.ABOUT),
    "sequential": (sequential.build_sequential, sequential.ABOUT),
    "dag": (dag.build_dag, dag.ABOUT),
    "dynamic": (dynamic.build_dynamic, dynamic.ABOUT),
    "attempt_first": (attempt_first.build_attempt_first, attempt_first.ABOUT),
    "dup": (dup.build_dup, dup.ABOUT),
    "escalate": (escalate.build_escalate, escalate.ABOUT),
    "recursive": (recursive.build_recursive, recursive.ABOUT),
    "symbolic": (symbolic.build_symbolic, symbolic.ABOUT),
}
STRATEGIES = tuple(_STRATEGIES)
ABOUT = {name: about for name, (_, about) in _STRATEGIES.items()}
_ALWAYS = ", ".join(name for name, about in ABOUT.items() if about.always)
_LINES = ", ".join(name for name, about in ABOUT.items() if about.lines)
_WITH_REVIEW = ", ".join(name for name, about in ABOUT.items() if about.reviewed)


def create_decomposition_graph(
    solver: Any = "bundled",
    *,
    name: str = "decomposition",
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    cache: BaseCache[Any] | None = None,
    interrupt_before: All | list[str] | None = None,
    interrupt_after: All | list[str] | None = None,
    debug: bool = False,
    **options: Unpack[Options],
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A graph that splits a question, solves the parts and composes the answer.

    Its input is `{"question": ..., "context": ...}` or `{"messages": [...]}`. The result has
    `answer`, `status` (`ok`, `partial`, `failed` or `budget_exhausted`), `plan`, `answers` (of
    the subquestions), `warnings`, `usage` and one more AI message.

    Args:
        solver: Answers the subquestions: a model reference such as "ollama:qwen3", a chat
            model, a Runnable, a compiled graph or a function; or a dict of named ones, see
            `Options.route`. The default, "bundled", does arithmetic only.
        name: The graph's name in a parent graph.
        checkpointer: Stores runs; needed for threads, review and resuming. False stores nothing,
            also in a parent graph that has one.
        store: Passed to `StateGraph.compile`.
        cache: Passed to `StateGraph.compile`.
        interrupt_before: Nodes to stop before; "*" is all.
        interrupt_after: Nodes to stop after; "*" is all.
        debug: LangGraph's debug output.
        **options: See `Options` in `graphs/options.py`.

    Raises:
        UserError: If a reference, a file or an option is wrong; it comes before any model is
            loaded or called.

    Example:
        >>> graph = create_decomposition_graph()
        >>> question = "Ana has 4 bags with 6 pears each. How many pears does Ana have?"
        >>> graph.invoke({"question": question})["status"]
        'ok'
    """
    graph = build_decomposition_graph(solver, **options)
    compiled = graph.compile(
        checkpointer=checkpointer,
        store=store,
        cache=cache,
        interrupt_before=interrupt_before,
        interrupt_after=interrupt_after,
        debug=debug,
        name=name,
    )
    if checkpointer is False:
        return compiled.with_config(configurable={KEEPS_NOTHING: True})
    return compiled


def build_decomposition_graph(
    solver: Any = "bundled", **options: Unpack[Options]
) -> StateGraph[Any, Any, Any, Any]:
    """The same graph before compiling, for adding your own nodes and edges.

    Its nodes, as far as the strategy has them: `read_question`; `gate` and `understanding`, if
    asked for; `scheduler` (plans and solves at once) or, with review, `decomposer`, `review` and
    `solver`; `composer`; and `verifier`, if asked for.

    Raises:
        UserError: As `create_decomposition_graph`.
    """
    unknown = set(options) - set(Options.__annotations__)
    if unknown:
        raise TypeError(
            f"unknown option {min(unknown)!r}; known: {', '.join(sorted(Options.__annotations__))}"
        )
    strategy = options.get("strategy", "dag")
    if not isinstance(strategy, str) or strategy not in _STRATEGIES:
        known = ", ".join(STRATEGIES)
        raise UserError(f"unknown strategy {strategy!r}; use one of {known}.")
    build, about = _STRATEGIES[strategy]
    _check(about, options)
    return build(read_roles(solver, strategy, options))


def _check(about: About, options: Options) -> None:
    """Refuse what the strategy can't do, and numbers out of range."""
    if options.get("review") and not about.reviewed:
        raise UserError(f"review needs a plan before anything is solved: one of {_WITH_REVIEW}.")
    gate = options.get("gate", "model")
    if gate not in GATES:
        raise UserError(f"unknown gate {gate!r}; use one of {', '.join(GATES)}.")
    if gate == "always" and not about.always:
        raise UserError(f"gate 'always' needs a strategy that always splits: one of {_ALWAYS}.")
    if gate == "disagreement" and options.get("attempts", 3) == 1:
        raise UserError("a single attempt agrees with itself: attempts is 2 or more for this gate.")
    if options.get("verify") == "subquestions" and not about.lines:
        raise UserError(f"verify 'subquestions' needs a strategy that asks them: one of {_LINES}.")
