"""The one public factory: models and a strategy in, a compiled LangGraph graph out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import Unpack

from ..errors import UserError
from ..models.references import ResolvedModel, resolve_model
from ..nodes.answer_cache import AnswerCache
from ..nodes.budget import Budget
from ..nodes.decomposer import check_cap
from ..nodes.gate import GATES
from ..nodes.session import Limits
from ..nodes.solvers import Solvers
from ..nodes.verifier import PLACES, Verifier
from ..prompts import Prompts, load_prompts
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
from .escalate import read_ladder
from .options import Options
from .roles import Roles

if TYPE_CHECKING:
    from langgraph.cache.base import BaseCache
    from langgraph.graph import StateGraph
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.store.base import BaseStore
    from langgraph.types import Checkpointer

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
_NOT_ALLOCATED = ("dynamic", "escalate")
MAX_SAMPLES, MAX_EXAMPLES = 64, 16
_RANGES = {
    "samples": (1, MAX_SAMPLES, 5),
    "attempts": (1, MAX_SAMPLES, 3),
    "verify_retries": (0, 8, 1),
    "max_depth": (1, 8, 2),
    "max_total": (1, 4096, 64),
}
"""Least, most and usual values of options that are whole numbers."""


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

    Its nodes are `read_question`; `gate` and `understanding`, if asked for; `scheduler` (plans
    and solves at once) or, with review, `decomposer`, `review` and `solver`; `composer`; and
    `verifier`, if asked for: as far as the strategy has them.

    Raises:
        UserError: As `create_decomposition_graph`.
    """
    unknown = set(options) - set(Options.__annotations__)
    if unknown:
        raise TypeError(f"unknown option {min(unknown)!r}; known: {', '.join(_known_options())}")
    strategy = options.get("strategy", "dag")
    if not isinstance(strategy, str) or strategy not in _STRATEGIES:
        known = ", ".join(STRATEGIES)
        raise UserError(f"unknown strategy {strategy!r}; use one of {known}.")
    build, about = _STRATEGIES[strategy]
    _check(about, options)
    return build(_roles(solver, strategy, options))


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
    check_cap(options.get("max_subquestions", 8))
    for name, (least, most, usual) in _RANGES.items():
        value: Any = options.get(name, usual)
        if type(value) is not int or not least <= value <= most:
            raise UserError(f"{name} is {least} to {most}, not {value!r}.")


def _roles(solver: Any, strategy: str, options: Options) -> Roles:
    solvers = Solvers(solver, options.get("route"), options.get("max_concurrency"))
    given = options.get("composer")
    composer = solvers.first if given is None else resolve_model(given)
    if options.get("condense") and composer.speaks_contract("solver"):
        raise UserError(
            f"condense=True needs a composer that writes in words; {composer.name!r} only writes "
            "expressions: name another composer."
        )
    texts = load_prompts(options.get("prompts"))
    if solvers.allocates and strategy in _NOT_ALLOCATED:
        raise UserError(
            f"solvers are chosen by cost for a whole plan, which {strategy!r} hasn't: use route=, "
            "or strategy dag, sequential, attempt_first or recursive."
        )
    # Self-Ask has one model for both, unless another is named.
    usual = solvers.first if strategy == "dynamic" else "bundled"
    return Roles(
        decomposer=resolve_model(options.get("decomposer", usual)),
        solvers=solvers,
        composer=composer,
        prompts=texts,
        max_subquestions=options.get("max_subquestions", 8),
        limits=Limits(
            _instance(options, "budget", Budget),
            _timeout(options.get("call_timeout")),
            options.get("shared_meter"),
        ),
        retriever=_retriever(options.get("retriever")),
        answer_cache=_instance(options, "answer_cache", AnswerCache),
        review=bool(options.get("review")),
        samples=options.get("samples", 5),
        attempts=options.get("attempts", 3),
        gate=options.get("gate", "model"),
        dup=bool(options.get("dup")),
        verifier=_verifier(options, solvers.first, texts),
        max_depth=options.get("max_depth", 2),
        max_total=options.get("max_total", 64),
        max_concurrency=options.get("max_concurrency"),
        ladder=() if (ladder := options.get("ladder")) is None else read_ladder(ladder),
        examples=_examples(options.get("examples")),
        condense=bool(options.get("condense")),
        context_schema=options.get("context_schema"),
    )


def _verifier(options: Options, solver: ResolvedModel, prompts: Prompts) -> Verifier | None:
    where, given = options.get("verify"), options.get("verifier")
    if where is None:
        judges = options.get("strategy") == "attempt_first" and options.get("attempts") == 1
        if given is not None and not judges:
            raise UserError(
                f"a verifier needs verify=: one of {', '.join(PLACES)}; or attempt_first with "
                "attempts=1."
            )
        return None if given is None else Verifier(resolve_model(given), prompts, None)
    if where not in PLACES:
        raise UserError(f"verify is {', '.join(PLACES)} or None, not {where!r}.")
    model = solver if given is None else resolve_model(given)
    if model.speaks_contract("solver"):
        raise UserError(
            f"a verifier writes in words, and {model.name!r} only writes expressions: "
            "name a --verifier."
        )
    return Verifier(model, prompts, where, options.get("verify_retries", 1))


def _examples(rows: Any) -> tuple[Mapping[str, str], ...]:
    """Solved examples, each a question and its answer."""
    if rows is None:
        return ()
    fields = ("question", "answer")
    good = isinstance(rows, list | tuple) and all(
        isinstance(row, Mapping) and all(isinstance(row.get(f), str) and row[f] for f in fields)
        for row in rows
    )
    if not good or len(rows) > MAX_EXAMPLES:
        raise UserError(f"examples are up to {MAX_EXAMPLES} rows, each a question and its answer.")
    return tuple({field: row[field] for field in fields} for row in rows)


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
