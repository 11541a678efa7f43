"""The one public factory: models and a strategy in, a compiled LangGraph graph out."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import Unpack

from ..errors import UserError
from ..models.references import resolve_model
from ..nodes.answer_cache import AnswerCache
from ..nodes.budget import Budget
from ..nodes.decomposer import check_cap
from ..nodes.session import Limits
from ..nodes.solvers import Solvers
from ..prompts import load_prompts
from .dag import build_dag, build_sequential
from .direct import build_cot, build_direct
from .options import Options
from .roles import Roles
from .self_consistency import build_self_consistency
from .static import build_static

if TYPE_CHECKING:
    from langgraph.cache.base import BaseCache
    from langgraph.graph import StateGraph
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.store.base import BaseStore
    from langgraph.types import Checkpointer

Strategy = Literal["direct", "cot", "self_consistency", "static", "sequential", "dag"]
"""How a question is answered; each is described in `graphs/`."""

_BUILDERS = {
    "direct": build_direct,
    "cot": build_cot,
    "self_consistency": build_self_consistency,
    "static": build_static,
    "sequential": build_sequential,
    "dag": build_dag,
}
STRATEGIES = tuple(_BUILDERS)
_WITH_REVIEW = ("sequential", "dag")
MAX_SAMPLES = 64


def create_decomposition_graph(
    solver: Any = "bundled",
    *,
    name: str = "decomposition",
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    cache: BaseCache[Any] | None = None,
    interrupt_before: list[str] | None = None,
    interrupt_after: list[str] | None = None,
    debug: bool = False,
    **options: Unpack[Options],
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A graph that splits a question, solves the parts and composes the answer.

    Input is `{"question": ..., "context": ...}` or `{"messages": [...]}`; the result holds
    `answer`, `status`, `plan`, `answers`, `warnings`, `usage` and one more AI message.

    Args:
        solver: Answers the subquestions: a model reference, a chat model, a Runnable, a
            compiled graph or a function; or a dict of named ones, see `Options.route`.
        name: The graph's name, which a parent graph sees.
        checkpointer: Keeps runs, for threads, review and resuming.
        store: Passed to `StateGraph.compile`.
        cache: Passed to `StateGraph.compile`.
        interrupt_before: Nodes to stop before.
        interrupt_after: Nodes to stop after.
        debug: LangGraph's debug output.
        **options: See `Options`.

    Raises:
        UserError: If a reference, a file or an option is wrong; nothing is loaded or called
            yet.

    Example:
        >>> graph = create_decomposition_graph()
        >>> question = "Ana has 4 bags with 6 pears each. How many pears does Ana have?"
        >>> graph.invoke({"question": question})["status"]
        'ok'
    """
    graph = build_decomposition_graph(solver, **options)
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
    solver: Any = "bundled", **options: Unpack[Options]
) -> StateGraph[Any, Any, Any, Any]:
    """The same graph before compiling, for adding nodes and edges of one's own.

    Its nodes are `read_question`; `scheduler` (plans and solves at once) or, with review,
    `decomposer`, `review` and `solver`; and `composer`, as far as the strategy has them.

    Raises:
        UserError: As `create_decomposition_graph`.
    """
    unknown = set(options) - set(Options.__annotations__)
    if unknown:
        raise TypeError(f"unknown option {min(unknown)!r}; known: {', '.join(_known_options())}")
    strategy = options.get("strategy", "dag")
    if not isinstance(strategy, str) or strategy not in _BUILDERS:
        known = ", ".join(STRATEGIES)
        raise UserError(f"unknown strategy {strategy!r}; use one of {known}.")
    return _BUILDERS[strategy](_roles(solver, strategy, options))


def _roles(solver: Any, strategy: str, options: Options) -> Roles:
    cap, samples = options.get("max_subquestions", 8), options.get("samples", 5)
    check_cap(cap)
    if type(samples) is not int or not 1 <= samples <= MAX_SAMPLES:
        raise UserError(f"samples is 1 to {MAX_SAMPLES}, not {samples!r}.")
    if options.get("review") and strategy not in _WITH_REVIEW:
        raise UserError(f"review needs a plan to solve: strategy {' or '.join(_WITH_REVIEW)}.")
    solvers = Solvers(solver, options.get("route"), options.get("max_concurrency"))
    given = options.get("composer")
    composer = solvers.first if given is None else resolve_model(given)
    if options.get("condense") and composer.speaks_contract("solver"):
        raise UserError(
            f"condense=True needs a composer that writes in words; {composer.name!r} only writes "
            "expressions: name another composer."
        )
    return Roles(
        decomposer=resolve_model(options.get("decomposer", "bundled")),
        solvers=solvers,
        composer=composer,
        prompts=load_prompts(options.get("prompts")),
        max_subquestions=cap,
        limits=Limits(
            _instance(options, "budget", Budget),
            _timeout(options.get("call_timeout")),
            options.get("shared_meter"),
        ),
        retriever=_retriever(options.get("retriever")),
        answer_cache=_instance(options, "answer_cache", AnswerCache),
        review=bool(options.get("review")),
        samples=samples,
        condense=bool(options.get("condense")),
        context_schema=options.get("context_schema"),
    )


def _known_options() -> list[str]:
    return sorted(Options.__annotations__)


def _instance(options: Options, name: str, kind: type[Any]) -> Any:
    value = options.get(name)
    if value is not None and not isinstance(value, kind):
        raise UserError(f"{name}= takes {kind.__name__}(...), not {value!r}.")
    return value


def _timeout(seconds: Any) -> float | None:
    if seconds is None:
        return None
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    # No thread can wait for longer than TIMEOUT_MAX.
    if not number or not 0 < seconds < threading.TIMEOUT_MAX:
        raise UserError(f"call_timeout is a number of seconds above 0, not {seconds!r}.")
    return float(seconds)


def _retriever(retriever: Any) -> Any:
    from langchain_core.runnables import Runnable, RunnableLambda

    if retriever is None or isinstance(retriever, Runnable):
        return retriever
    if not callable(retriever):
        raise UserError(f"a retriever is a LangChain retriever or a function, not {retriever!r}.")
    return RunnableLambda(retriever)
