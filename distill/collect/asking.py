"""Asking a teacher about many questions at once, until all are done or it must stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from ...errors import (
    BudgetExhaustedError,
    PromptTooLongError,
    describe_error,
    must_be_raised,
    refuses_account,
)
from ...nodes.budget import Budget, Meter
from ...nodes.journal import Journal
from ...nodes.session import Session
from ...nodes.steps import arun
from ...nodes.waiting import all_or_none
from ..records import Example
from .answers import same_answer
from .questions import Question
from .store import ReplyStore
from .teach import NoPlanError, Teaching, teach

if TYPE_CHECKING:
    from .collect import CollectSettings

_REFUSALS = 3
_SHOWN_FAILURES = 5


@dataclass(frozen=True)
class Progress:
    """How far it is; `print` shows it as a line.

    Example:
        >>> print(Progress(done=30, total=90, failed=1, calls=34, cost=0.12, seconds_left=100))
        30/90 questions, 1 failed, 34 calls, 0.12 spent, 1:40 left
    """

    done: int
    total: int
    failed: int
    calls: int
    cost: float
    seconds_left: float | None

    def __str__(self) -> str:
        parts = [f"{self.done}/{self.total} questions"]
        parts += [f"{self.failed} failed"] * bool(self.failed) + [f"{self.calls} calls"]
        parts += [f"{self.cost:.4g} spent"] * bool(self.cost)
        if self.seconds_left is not None:
            minutes, seconds = divmod(round(self.seconds_left), 60)
            parts.append(f"{minutes}:{seconds:02d} left")
        return ", ".join(parts)


OnProgress = Callable[[Progress], None]


class Asking:
    """One run: asks what isn't in the store, and sorts what comes back.

    Attributes:
        stopped: Why it ended before all was asked; empty if it didn't.
        done: Questions of which nothing is missing.
        failures: What was given up for now, as `ID: why`.
        refused: What was given up and would fail again, likewise.
    """

    def __init__(
        self,
        questions: list[Question],
        teaching: Teaching,
        settings: CollectSettings,
        store: ReplyStore,
        progress: OnProgress | None = None,
    ) -> None:
        self._questions, self._teaching, self._settings = questions, teaching, settings
        self._store, self._progress = store, progress
        budget = Budget(max_calls=settings.max_calls, max_cost=settings.max_cost)
        # The store is a journal in all that a call needs of one.
        journal = cast(Journal, store)
        self._session = Session(_NotingMeter(budget, store), journal, settings.call_timeout)
        self._patience = _Patience(store, settings.concurrency)
        self._found: dict[str, list[Example]] = {}
        self._unreadable: list[str] = []
        self._asked = self.done = 0
        self.failures: list[str] = []
        self.refused: list[str] = []
        self.stopped = ""
        self._begin = time.monotonic()

    async def run(self) -> None:
        """Ask; when this returns, all is done or `stopped` says why not."""
        waiting = iter(self._questions)
        count = min(self._settings.concurrency, len(self._questions))
        await all_or_none([asyncio.ensure_future(self._work(waiting)) for _ in range(count)])
        if self._failed and not self._found:
            self.stopped = self.stopped or f"no question could be asked ({self._failed[0]})"
        if self._unreadable and not self._found:
            self.stopped = self.stopped or f"no reply holds a plan ({self._unreadable[0]})"

    async def _work(self, waiting: Iterator[Question]) -> None:
        for question in waiting:
            if self.stopped:
                return
            before = self._store.new
            try:
                finished = await self._ask(question)
            except BudgetExhaustedError as error:
                self.stopped = str(error)
                return
            if finished:
                self.done += 1
                self._patience.found()
            self._asked += self._store.new > before
            self._tell()
            # Stored replies are found without waiting; those on their way must be read in time.
            await asyncio.sleep(0)

    async def _ask(self, question: Question) -> bool:
        """Make the attempts at a question; False if something of it is left for another run."""
        for attempt in range(self._settings.attempts):
            if self.stopped:
                return False
            example = None
            try:
                example = await arun(teach(question, attempt, self._teaching), None, self._session)
            except NoPlanError as error:
                self._unreadable.append(f"{question.id}: {error}")
            except Exception as error:
                if must_be_raised(error) or isinstance(error, BudgetExhaustedError):
                    raise
                self._fail(question, attempt, error)
                return False
            if example:
                self._found.setdefault(question.id, []).append(example)
            self._check_cost()
            if self._is_enough(question, example):
                break
        return True

    def _is_enough(self, question: Question, example: Example | None) -> bool:
        if not self._settings.until_right:
            return False
        right = example is not None and same_answer(example.predicted, question.answer)
        return right or not question.answer

    def _check_cost(self) -> None:
        """A cap on money that can't be watched is as good as none."""
        unknown = any(row["cost"] is None for row in self._store.usage)
        if unknown and self._settings.max_cost is not None:
            name = self._teaching.model.name
            self.stopped = f"{name} reports no tokens, so that max_cost can't be watched"

    def _fail(self, question: Question, attempt: int, error: Exception) -> None:
        described = describe_error(error)
        self._store.note_failure(question.id, attempt, described)
        given_up = self.refused if _is_for_good(error) else self.failures
        given_up.append(f"{question.id}: {described['message']}")
        if self._patience.is_over(error):
            name = self._teaching.model.name
            self.stopped = f"the teacher {name} can't be asked ({described['message']})"

    @property
    def _failed(self) -> list[str]:
        return [*self.failures, *self.refused]

    def _tell(self) -> None:
        if not self._progress:
            return
        meter, total, failed = self._session.meter, len(self._questions), len(self._failed)
        left = total - self.done - failed
        pace = (time.monotonic() - self._begin) / self._asked if self._asked else None
        seconds_left = None if pace is None else pace * left
        self._progress(Progress(self.done, total, failed, meter.calls, meter.cost, seconds_left))

    def examples(self) -> Iterator[Example]:
        """What was found, in the order of the questions."""
        return chain.from_iterable(self._found.get(q.id, ()) for q in self._questions)

    def counts(self) -> dict[str, Any]:
        """What a person wants to know; calls, tokens and cost are those of all runs."""
        examples = list(self.examples())
        return {
            "questions": len(self._questions),
            "plans": len(examples),
            "atomic": sum(not example.plan for example in examples),
            "unreadable": len(self._unreadable),
            "unreadable_replies": self._unreadable,
            "solved": sum(bool(example.predicted) for example in examples),
            "right": sum(same_answer(e.predicted, e.answer) for e in examples),
            "failed": len(self._failed),
            "failures": self._failed[:_SHOWN_FAILURES],
            "refused": self.refused,
            "calls": self._store.calls,
            "replies": self._store.replies,
            **self._store.totals(),
            "damaged": self._store.damaged,
        }


class _NotingMeter(Meter):
    """Counts against one budget for all runs, and notes each request before it is made."""

    def __init__(self, budget: Budget, store: ReplyStore) -> None:
        super().__init__(budget, store.usage)
        # What was on its way when a process died has no usage, but was asked.
        self.calls, self._store = store.calls, store

    def before_call(self, role: str, *, last: bool = False) -> None:
        super().before_call(role, last=last)
        self._store.note_call(role)


class _Patience:
    """Tells when failures with nothing found between them mean that the teacher is gone."""

    def __init__(self, store: ReplyStore, concurrency: int) -> None:
        self._store, self._most = store, max(10, 2 * concurrency)
        self._failures: list[BaseException] = []
        self._seen = 0

    def found(self) -> None:
        """All of a question is there, asked for now or in an earlier run.

        When a run is resumed, what failed comes first and what was answered isn't asked: the
        failures between those answers are about their questions. Not so a wrong key or a server
        that is gone, whatever was answered in an earlier run.
        """
        self._failures = [e for e in self._failures if _is_refusal(e) and not _is_forbidden(e)]

    def is_over(self, error: BaseException) -> bool:
        """Count a failure; whether to give up."""
        if self._store.new > self._seen:
            self._failures.clear()
            self._seen = self._store.new
        self._failures.append(error)
        refused = sum(map(_is_refusal, self._failures))
        return refused >= _REFUSALS or len(self._failures) >= self._most


def _is_for_good(error: BaseException) -> bool:
    """Whether it is the question that fails, and would again, and not the teacher or its server."""
    refused = getattr(error, "status_code", None) in (400, 413, 422)
    return isinstance(error, PromptTooLongError) or (refused and not _is_refusal(error))


def _is_forbidden(error: BaseException) -> bool:
    """Whether it may be the question that isn't allowed, and not the account."""
    return getattr(error, "status_code", None) == 403


def _is_refusal(error: BaseException) -> bool:
    """Whether nothing else can be expected soon: no key, no money, no such model, no server."""
    if refuses_account(error) or getattr(error, "status_code", None) == 404:
        return True
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and len(causes) < 20:
        causes.append(cause)
    names = {type(cause).__name__ for cause in causes}
    return bool(names & {"ConnectError", "ConnectionRefusedError"})
