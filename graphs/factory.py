"""The one public factory: models and a strategy in, a compiled LangGraph graph out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ..errors import UserError
from ..models.references import resolve_model
from ..nodes.decomposer import check_cap
from ..prompts import load_prompts
from .dag import build_dag
from .direct import build_cot, build_direct
from .roles import Roles
from .static import build_static

if TYPE_CHECKING:
    from pathlib import Path

    from langgraph.cache.base import BaseCache
    from langgraph.graph import StateGraph
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.store.base import BaseStore
    from langgraph.types import Checkpointer

Strategy = Literal["direct", "cot", "static", "dag"]
"""How a question is answered; each is a file in `graphs/`."""

_BUILDERS = {"direct": build_direct, "cot": build_cot, "static": build_static, "dag": build_dag}
STRATEGIES = tuple(_BUILDERS)


def create_decomposition_graph(
    solver: Any = "bundled",
    *,
    decomposer: Any = "bundled",
    composer: Any = None,
    strategy: Strategy = "dag",
    max_subquestions: int = 8,
    prompts: str | Path | None = None,
    name: str = "decomposition",
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    cache: BaseCache[Any] | None = None,
    context_schema: type[Any] | None = None,
    interrupt_before: list[str] | None = None,
    interrupt_after: list[str] | None = None,
    debug: bool = False,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A graph that splits a question, solves the parts and composes the answer.

    Input is `{"question": ..., "context": ...}` or `{"messages": [...]}`; the result holds
    `answer`, `status`, `plan`, `answers`, `warnings`, `usage` and one more AI message.

    Args:
        solver: Answers the subquestions: a model reference, a chat model, a Runnable, a
            compiled graph or a function.
        decomposer: Writes the plan: a model reference or a chat model.
        composer: Merges the answers; the solver if None.
        strategy: `dag`, `static`, `direct` or `cot`.
        max_subquestions: Most lines a plan may have, 1 to 64.
        prompts: Folder whose files replace prompts of the same name.
        name: The graph's name, which a parent graph sees.
        checkpointer: Keeps runs, for threads and resuming.
        store: Passed to `StateGraph.compile`.
        cache: Passed to `StateGraph.compile`.
        context_schema: Type of the run-scoped context, for solvers that read it.
        interrupt_before: Nodes to stop before.
        interrupt_after: Nodes to stop after.
        debug: LangGraph's debug output.

    Raises:
        UserError: If a reference, a file, the strategy or the cap is wrong; nothing is
            loaded or called yet.

    Example:
        >>> graph = create_decomposition_graph()
        >>> question = "Ana has 4 bags with 6 pears each. How many pears does Ana have?"
        >>> graph.invoke({"question": question})["status"]
        'ok'
    """
    graph = build_decomposition_graph(
        solver,
        decomposer=decomposer,
        composer=composer,
        strategy=strategy,
        max_subquestions=max_subquestions,
        prompts=prompts,
        context_schema=context_schema,
    )
    return graph.compile(
        checkpointer=checkpointer,
        store=store,
        cache=cache,
        interrupt_before=interrupt_before,
        interrupt_after=interrupt_after,
        debug=debug,
        name=name,
    )


def build_decomposition_graph(
    solver: Any = "bundled",
    *,
    decomposer: Any = "bundled",
    composer: Any = None,
    strategy: Strategy = "dag",
    max_subquestions: int = 8,
    prompts: str | Path | None = None,
    context_schema: type[Any] | None = None,
) -> StateGraph[Any, Any, Any, Any]:
    """The same graph before compiling, for adding nodes and edges of one's own.

    Its nodes are `read_question`, `decomposer`, `solver` and `composer`, as far as the
    strategy has them.

    Raises:
        UserError: As `create_decomposition_graph`.
    """
    if not isinstance(strategy, str) or strategy not in _BUILDERS:
        known = ", ".join(STRATEGIES)
        raise UserError(f"unknown strategy {strategy!r}; use one of {known}.")
    check_cap(max_subquestions)
    solving = resolve_model(solver)
    roles = Roles(
        decomposer=resolve_model(decomposer),
        solver=solving,
        composer=solving if composer is None else resolve_model(composer),
        prompts=load_prompts(prompts),
        max_subquestions=max_subquestions,
        context_schema=context_schema,
    )
    return _BUILDERS[strategy](roles)
