"""From the options that a user gave to the models and settings that a strategy is built from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UserError
from ..models.references import ResolvedModel, resolve_model
from ..nodes.answer_cache import AnswerCache
from ..nodes.attempts import MAX_SAMPLES
from ..nodes.decomposer import check_cap
from ..nodes.retrieval import as_retriever
from ..nodes.session import Limits, of_kind
from ..nodes.solvers import Solvers
from ..nodes.verifier import MAX_RETRIES, PLACES, Verifier
from ..prompts import Prompts, load_prompts
from .escalate import read_ladder
from .options import Options
from .roles import Roles

_ALLOCATED = ("dag", "sequential", "recursive")
"""Strategies that ask nothing before all lines of a plan are known."""
MAX_EXAMPLES = 16
_RANGES = {
    "samples": (1, MAX_SAMPLES),
    "attempts": (1, MAX_SAMPLES),
    "verify_retries": (0, MAX_RETRIES),
    "max_depth": (1, 8),
    "max_total": (1, 4096),
}
"""Least and most of options that are whole numbers."""
_AS_GIVEN = (
    "max_subquestions", "samples", "attempts", "gate", "max_depth", "max_total", "max_concurrency",
    "context_schema",
)  # fmt: skip
"""Options that are fields of `Roles` of the same name, which says what is usual."""


def read_roles(solver: Any, strategy: str, options: Options) -> Roles:
    """Models and settings from what the user gave.

    Raises:
        UserError: If a reference is wrong or a value is out of range.
    """
    _check_ranges(options)
    _check_cached(options)
    solvers = Solvers(solver, options.get("route"), options.get("max_concurrency"))
    given = options.get("composer")
    composer = solvers.writer if given is None else resolve_model(given, "solver")
    if options.get("condense"):
        why = "condense=True needs a composer that writes in words;"
        composer.must_write_words(why, "name another composer")
    texts = load_prompts(options.get("prompts"))
    if solvers.allocates:
        _check_allocated(strategy, options.get("gate", "model"))
    as_given: Any = {name: value for name, value in options.items() if name in _AS_GIVEN}
    # Self-Ask has one model for both, unless another is named.
    usual = solvers.writer if strategy == "dynamic" else "bundled"
    return Roles(
        decomposer=resolve_model(options.get("decomposer", usual), "decomposer"),
        solvers=solvers,
        composer=composer,
        prompts=texts,
        limits=Limits(
            options.get("budget"), options.get("call_timeout"), options.get("shared_meter")
        ),
        retriever=as_retriever(options.get("retriever")),
        answer_cache=of_kind("answer_cache", options.get("answer_cache"), AnswerCache),
        review=bool(options.get("review")),
        dup=bool(options.get("dup")),
        verifier=_verifier(options, solvers.writer, texts),
        ladder=() if (ladder := options.get("ladder")) is None else read_ladder(ladder),
        examples=_examples(options.get("examples")),
        condense=bool(options.get("condense")),
        **as_given,
    )


def _check_cached(options: Options) -> None:
    if options.get("answer_cache") is not None and options.get("context_schema") is not None:
        raise UserError(
            "answer_cache= can't tell apart what is answered under different contexts: leave it "
            "or context_schema= out."
        )


def _check_allocated(strategy: str, gate: str) -> None:
    asking = None if strategy in _ALLOCATED else f"strategy {strategy!r}"
    if asking is None and gate in ("never", "disagreement"):
        asking = f"gate {gate!r}"
    if asking:
        raise UserError(
            f"solvers are chosen by cost for a whole plan, and {asking} asks without one: use "
            "route=, or strategy dag, sequential or recursive with gate 'model' or 'always'."
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
        return None if given is None else Verifier(resolve_model(given, "solver"), prompts, None)
    if where not in PLACES:
        raise UserError(f"verify is {', '.join(PLACES)} or None, not {where!r}.")
    model = solver if given is None else resolve_model(given, "solver")
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


def _check_ranges(options: Options) -> None:
    check_cap(options.get("max_subquestions", 8))
    for name, (least, most) in _RANGES.items():
        value: Any = options.get(name, least)  # What isn't given is in range.
        if type(value) is not int or not least <= value <= most:
            raise UserError(f"{name} is {least} to {most}, not {value!r}.")
