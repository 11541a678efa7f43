"""One line of a plan, from its first event to its last: skipped, cached, solved or failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import BudgetExhaustedError, UserError, must_be_raised
from ..models.references import ResolvedModel
from ..plan import Subquestion
from ..prompts import Prompts
from .answer_cache import AnswerCache, from_cache
from .answers import AnswerRow, failed, is_whole, skipped
from .events import Event, has_context
from .namespaces import is_language_model
from .problem import Problem
from .solver import solve_subquestion
from .solvers import Choice, Solvers
from .steps import Do, Steps
from .usage import UsageRow
from .verifier import Verdict, Verifier, until_right, verify

_RETRY_STRIDE = 100
Answerer = Callable[..., Steps[AnswerRow]]
"""Answers a line, or raises; takes what `ask_solver` takes."""


@dataclass(frozen=True)
class LineSettings:
    """Who solves, and how."""

    solvers: Solvers
    prompts: Prompts
    retriever: Any = None
    cache: AnswerCache | None = None
    one_at_a_time: bool = False
    verifier: Verifier | None = None
    answer: Answerer | None = None
    """Answers a line in place of the solver alone; skipping, cache and verifier stay around it."""
    composer: ResolvedModel | None = None
    """Who merges the answers, if that is known here."""

    def __post_init__(self) -> None:
        found = next((model.name for model in self._asked if model.configurable), None)
        if self.cache and found:
            raise UserError(
                f"answer_cache= can't tell apart what {found!r} answers under different configs: "
                "leave the cache out, or name a model that no config changes."
            )

    @property
    def _asked(self) -> list[ResolvedModel]:
        judges = [self.verifier.model] if self.verifier else []
        return [*self.solvers.models.values(), *getattr(self.answer, "models", ()), *judges]

    @property
    def may_read_context(self) -> bool:
        """Whether answers may hang on a run's `context`, which functions and graphs can read."""
        models = [model.runnable for model in self._asked]
        return self.retriever is not None or not all(map(is_language_model, models))


def solve_line(
    problem: Problem,
    line: Subquestion,
    known: Mapping[int, AnswerRow],
    choice: Choice,
    settings: LineSettings,
    refused: BudgetExhaustedError | None = None,
) -> Steps[AnswerRow]:
    """Solve a line and tell its events; what isn't its own failure is raised.

    Args:
        problem: The question.
        line: The line.
        known: Results that it is solved with; those that it needs are among them.
        choice: Who answers it.
        settings: Prompts, retriever, cache.
        refused: Why nothing may be asked any more, if that is so.
    """
    missing = [k for k in line.needs if known[k]["status"] != "ok"]
    if refused or missing:
        stopped = failed(line, refused, choice.model) if refused else None
        row = stopped or skipped(line, missing, choice.model)
        yield Event("subquestion.skipped", row)
        return row
    yield Event("subquestion.started", {"id": line.id, "text": line.text})
    try:
        row = yield from _answer(problem, line, known, choice, settings)
    except Exception as error:
        if must_be_raised(error):
            raise
        row = failed(line, error, choice.model)
        yield Event(f"subquestion.{row['status']}", row)
        return row
    yield Event("subquestion.answered", row)
    return row


def _answer(
    problem: Problem,
    line: Subquestion,
    known: Mapping[int, AnswerRow],
    choice: Choice,
    settings: LineSettings,
) -> Steps[AnswerRow]:
    """The answer from the cache, or from the solver and then into the cache."""
    cache, prompts = settings.cache, settings.prompts
    if cache and settings.may_read_context and has_context():
        cache = None  # One user's answers aren't another's.
    key = place = ""
    if cache:
        more = [getattr(settings.answer, "key", None)]
        if judge := settings.verifier:
            texts = [prompts[name].parts for name in ("verify", "solve_again")]
            more.append([judge.model.identity, judge.retries, texts])
        key = cache.key(problem, line, known, choice, prompts, settings.retriever, more=more)
        place = f"looked-up-{key}-{line.id}"
        found = yield _look_up(cache, key, place)
        if found and found["row"]:
            return from_cache(found["row"], line)
    row = yield from (settings.answer or ask_solver)(problem, line, known, choice, settings)
    if settings.verifier:
        row = yield from _verified(row, problem, line, known, choice, settings)
    # What nobody could judge, or has gaps, is asked for another time.
    if cache and is_whole([row]) and not row.get("verdict", {}).get("kind"):
        # When the run is resumed, the line's own answer, which it has paid for, isn't found.
        own = {"row": None, "usage": []}
        yield Do(lambda _: own, lambda _: asyncio.sleep(0, own), key=place)
        yield Do(lambda _: cache.put(key, row), lambda _: cache.aput(key, row))
    return row


def _look_up(cache: AnswerCache, key: str, place: str) -> Do:
    """Look for an answer; a line of a resumed run finds what it found before."""

    def found(row: AnswerRow | None) -> dict[str, Any] | None:
        return {"row": row, "usage": []} if row else None

    async def awaitable(_: Any) -> dict[str, Any] | None:
        return found(await cache.aget(key))

    return Do(lambda _: found(cache.get(key)), awaitable, key=place)


def ask_solver(
    problem: Problem,
    line: Subquestion,
    known: Mapping[int, AnswerRow],
    choice: Choice,
    settings: LineSettings,
    objection: Mapping[str, str] | None = None,
) -> Steps[AnswerRow]:
    """The solver's answer to a line; errors are raised."""
    return solve_subquestion(
        problem,
        line,
        known,
        choice=choice,
        prompts=settings.prompts,
        retriever=settings.retriever,
        objection=objection,
    )


def _verified(
    row: AnswerRow,
    problem: Problem,
    line: Subquestion,
    known: Mapping[int, AnswerRow],
    choice: Choice,
    settings: LineSettings,
) -> Steps[AnswerRow]:
    """The answer once the verifier has nothing against it, or no retry is left."""
    verifier = settings.verifier
    assert verifier

    def judge(answer: str, retry: int) -> Steps[tuple[Verdict, list[UsageRow]]]:
        return verify(problem, row["resolved"], list(known.values()), answer, verifier, retry)

    def again(answer: str, verdict: Verdict, retry: int) -> Steps[AnswerRow]:
        # Further on than any sample that is drawn at first.
        drawn = replace(choice, sample=choice.sample + retry * _RETRY_STRIDE)
        objection = {"answer": answer, "kind": verdict.kind, "reason": verdict.reason}
        return ask_solver(problem, line, known, drawn, settings, objection)

    return (yield from until_right(row, judge, again, verifier.retries))
