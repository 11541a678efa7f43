"""The attempts at one call: what they may take, what they took, when to try again."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..errors import BudgetExhaustedError, ReplyError, is_transient, waits_for_a_person
from ..models.limiter import NoPlaceError
from .journal import PASSING
from .namespaces import is_graph
from .outputs import read_output
from .replies import Reply, failure_value, is_final
from .retry import pause_before_retry
from .session import Session
from .usage import UsageRow, add_usage, cost, no_usage, tokens_used

if TYPE_CHECKING:
    from .calls import Call


def failure_entry(call: Call, error: Exception) -> tuple[str, dict[str, Any]]:
    """The journal's entry for a failure: under the call's key if it is final."""
    value = failure_value(error)
    if is_final(error, call.role):
        return call.key, value
    # A passing one isn't found again, but what it took counts against the budget.
    return f"{PASSING}{uuid4().hex}", {"usage": value["usage"]}


class Attempts:
    """The attempts at a call of a question.

    Args:
        call: What is asked of whom.
        session: The question's budget and journal.

    Attributes:
        made: How many were begun.
    """

    def __init__(self, call: Call, session: Session) -> None:
        self._call, self._session, self._meter = call, session, session.meter
        self.made = 0
        self._start = time.perf_counter()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place of the model's, for which nobody waits longer than the budget's time.

        Raises:
            BudgetExhaustedError: If there was none in that time.
        """
        try:
            with self._call.model.limiter.hold(self._seconds_left()):
                yield
        except NoPlaceError:
            error = self._came_too_late()
            self._session.keep(*failure_entry(self._call, error))
            raise error from None

    @asynccontextmanager
    async def aplace(self) -> AsyncIterator[None]:
        """`place` for the event loop."""
        try:
            async with self._call.model.limiter.ahold(self._seconds_left()):
                yield
        except NoPlaceError:
            error = self._came_too_late()
            await self._session.akeep(*failure_entry(self._call, error))
            raise error from None

    def _came_too_late(self) -> BudgetExhaustedError:
        busy = f"{self._call.model.name} was busy"
        error = BudgetExhaustedError(f"the budget's max_seconds was reached while {busy}")
        self._tell_usage(error)
        return error

    def begin(self, timeout: float | None) -> float | None:
        """Count an attempt; returns the seconds that it may take.

        Raises:
            BudgetExhaustedError: If the budget doesn't allow it.
        """
        self._meter.before_call(self._call.role, last=self._call.last)
        if not self.made:  # Waiting for a place isn't the model's time.
            self._start = time.perf_counter()
        self.made += 1
        bounds = (timeout, self._seconds_left())
        return min((bound for bound in bounds if bound is not None), default=None)

    def _seconds_left(self) -> float | None:
        return None if self._call.last else self._meter.seconds_left()

    def reply(self, output: Any) -> Reply:
        """Read the output; an unusable one is raised, with the usage that it took."""
        read = read_output(output, self._call.model.name)
        usage = self._usage_of_nested(read.nested) if read.nested else self._usage(read.messages)
        self._session.paid(usage)
        if read.problem:
            read.problem.usage = (usage,)
            raise read.problem
        return Reply(read.text, read.cut_off, usage, read.message_id, read.sources, read.gaps)

    def _usage(self, messages: list[Any]) -> UsageRow:
        model = self._call.model
        seconds = time.perf_counter() - self._start
        usage = no_usage(self._call.role, model.name, self.made, seconds)
        usage.update(tokens_used(messages))  # pyright: ignore[reportArgumentType, reportCallIssue]
        usage["cost"] = cost(usage, model.price_in, model.price_out)
        return usage

    def _usage_of_nested(self, rows: Sequence[UsageRow]) -> UsageRow:
        """A nested decomposition's whole usage as this call's; its calls count, too."""
        seconds = time.perf_counter() - self._start
        here = {"role": self._call.role, "model": self._call.model.name, "seconds": seconds}
        [usage] = add_usage([{**row, **here} for row in rows])  # type: ignore[misc]
        usage["seconds"] = seconds
        usage["calls"] += self.made - 1
        self._meter.add_calls(usage["calls"] - self.made)
        return usage

    def pause_after(self, error: Exception) -> tuple[float, Exception | None]:
        """Seconds until the next attempt; if there is none, the failure with the usage attached.

        That is the error, or that the budget's time ran out.
        """
        if type(error).__name__ == "ParentCommand":
            # LangGraph's handoff; those around an agent that answers a line are no agents.
            error = ReplyError(f"{self._call.model.name} handed over instead of answering")
        if waits_for_a_person(error):
            # It goes on when the run is resumed, and is counted then.
            self.made -= 1
            self._meter.add_calls(-1)
        left = self._seconds_left()
        # A model in this process fails the same way again; a decomposition graph has tried again.
        in_vain = self._call.model.is_local or self._told_by_nested(error)
        pause = None if in_vain else pause_before_retry(error, self.made)
        if pause is not None and (left is None or pause < left):
            return pause, None
        if left is not None and left <= (pause or 0) and is_transient(error):
            error = BudgetExhaustedError("the budget's max_seconds was reached while this ran")
        self._tell_usage(error)
        return 0.0, error

    def _told_by_nested(self, error: Exception) -> Sequence[UsageRow]:
        """What a decomposition graph that was asked says it took before it failed."""
        told = getattr(error, "usage", ()) if is_graph(self._call.model.runnable) else ()
        if not isinstance(told, tuple):
            return ()  # Something of the user's own.
        # One that is raised another time has what was attached to it here.
        return [row for row in told if row["model"] != self._call.model.name]

    def _tell_usage(self, error: Exception) -> None:
        """Attach what the attempts took, unless it is known."""
        if self.made and not (isinstance(error, ReplyError) and error.usage):
            seconds = time.perf_counter() - self._start
            usage = no_usage(self._call.role, self._call.model.name, self.made, seconds)
            if nested := self._told_by_nested(error):
                usage = self._usage_of_nested(nested)
            elif is_graph(self._call.model.runnable):
                # What an agent has taken before it failed, nobody tells.
                usage = self._usage([])
            self._session.paid(usage)
            error.usage = (usage,)  # type: ignore[attr-defined]
