"""What all calls of one node run have in common: the budget, what is already paid, timeouts."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ..errors import BudgetExhaustedError, UserError
from .budget import Budget, Meter
from .journal import PASSING, Journal
from .usage import UsageRow
from .waiting import to_its_end

T = TypeVar("T")


def of_kind(name: str, value: Any, kind: type[T]) -> T | None:
    """What was given for an option; None if nothing.

    Raises:
        UserError: If it is of another kind.
    """
    if value is not None and not isinstance(value, kind):
        raise UserError(f"{name}= takes {kind.__name__}(...), not {value!r}.")
    return value


@dataclass(frozen=True)
class Limits:
    """Bounds that a user sets for every question; the nodes of one graph are given the same.

    Attributes:
        budget: Caps for one question.
        call_timeout: Seconds for one call; the model's own timeout if None.
        shared_meter: Counts all questions together against one budget.

    Raises:
        UserError: If one of them is something else.

    Example:
        >>> Limits(Budget(max_calls=6)).call_timeout is None
        True
    """

    budget: Budget | None = None
    call_timeout: float | None = None
    shared_meter: Meter | None = None

    def __post_init__(self) -> None:
        of_kind("budget", self.budget, Budget)
        of_kind("shared_meter", self.shared_meter, Meter)
        seconds = self.call_timeout
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        # No thread can wait for longer than TIMEOUT_MAX.
        if seconds is not None and not (number and 0 < seconds < threading.TIMEOUT_MAX):
            raise UserError(f"call_timeout is a number of seconds above 0, not {seconds!r}.")

    @classmethod
    def of(cls, limits: Limits | None) -> Limits:
        """What a node was given as limits; none if None."""
        return of_kind("limits", limits, cls) or cls()


_around: ContextVar[tuple[threading.Event, ...]] = ContextVar("around", default=())
"""The `stop` of each run that we are in, the outermost first."""


class StoppedError(BaseException):
    """Nobody waits for this work any more; no exception of which a role may make a result."""


@dataclass
class Session:
    """The run of one node, or of a role alone."""

    meter: Meter = field(default_factory=Meter)
    journal: Journal | None = None
    call_timeout: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when nobody waits any more: a thread can't be stopped, but it begins nothing new."""
    around: tuple[threading.Event, ...] = field(default_factory=_around.get)
    """The same of the runs that this one is in: a graph that a solver asks ends with them."""
    taken: list[UsageRow] = field(default_factory=list)
    """What its calls have taken so far."""

    @classmethod
    def of(cls, state: Any, config: Any, limits: Limits) -> Session:
        """The session of a node that reads `state`; what the state has spent counts."""
        read = state if isinstance(state, Mapping) else {}
        journal = Journal.of(config, read.get("run_id"), len(read.get("answers") or ()))
        seconds = read.get("elapsed") or 0.0
        meter = Meter(limits.budget, _spent(read, journal), seconds, limits.shared_meter)
        return cls(meter, journal, limits.call_timeout)

    def of_job(self) -> Session:
        """The same for one of a node's jobs, which is stopped and counted by itself."""
        return replace(self, stop=threading.Event(), taken=[])

    @contextmanager
    def around_what_is_asked(self) -> Iterator[None]:
        """Let graphs that are asked within know when this one is stopped."""
        before = _around.get()
        _around.set((*self.around, self.stop))
        try:
            yield
        finally:
            _around.set(before)

    def check(self) -> None:
        """End the work of a thread that nobody waits for.

        Raises:
            StoppedError: If that is so.
        """
        if any(stop.is_set() for stop in (self.stop, *self.around)):
            raise StoppedError

    def paid(self, usage: UsageRow) -> None:
        """Count what a call took that `Meter.before_call` has counted already."""
        self.taken.append(usage)
        self.meter.paid([usage], counted=True)

    @contextmanager
    def in_time(self, *, bounded: bool) -> Iterator[float | None]:
        """The seconds that something other than a call may take; None for no bound.

        Raises:
            BudgetExhaustedError: In place of a time-out, if it was the budget's time.
        """
        left = self.meter.seconds_left()
        bounds = [bound for bound in (self.call_timeout, left) if bound is not None and bounded]
        try:
            yield max(min(bounds), 0.001) if bounds else None
        except TimeoutError:
            if bounded and left is not None and (self.meter.seconds_left() or 0) <= 0:
                raise BudgetExhaustedError("the budget's max_seconds was reached") from None
            raise

    def open(self) -> Session:
        """Read the journal of an earlier attempt."""
        if self.journal:
            self.journal.open()
            self.meter.paid(self.journal.usage, counted=False)
        return self

    async def aopen(self) -> Session:
        """`open` for the event loop."""
        if self.journal:
            await self.journal.aopen()
            self.meter.paid(self.journal.usage, counted=False)
        return self

    def kept(self, key: str) -> Any:
        """What an earlier attempt kept under a key; None if there is nothing, or no key."""
        return self.journal.get(key) if self.journal and key else None

    def keep(self, key: str, reply: Any) -> None:
        """Write a reply or failure into the journal, if there is one."""
        if self.journal and _counts(key, reply):
            self.journal.put(key, reply)

    async def akeep(self, key: str, reply: Any) -> None:
        """`keep` for the event loop; whoever cancels it waits until what is paid is kept."""
        if self.journal and _counts(key, reply):
            await to_its_end(self.journal.aput(key, reply))

    @property
    def retries_failed(self) -> bool:
        """Whether this attempt asks again what failed for good in an earlier one."""
        return bool(self.journal and self.journal.retry_failed)

    @property
    def failed_before(self) -> list[UsageRow]:
        """What failures took that an earlier attempt met and this one asks again."""
        return self.journal.failed if self.journal else []


def _counts(key: str, reply: Any) -> bool:
    """Whether an entry tells anything: of a failure that may pass, only what it took does."""
    return not key.startswith(PASSING) or bool(reply["usage"])


def _spent(state: Mapping[str, Any], journal: Journal | None) -> list[UsageRow]:
    """What the state says was taken; a question's journal knows all but the condenser's part."""
    usage: list[UsageRow] = list(state.get("usage") or ())
    if journal and state.get("run_id"):
        return [row for row in usage if row["role"] == "condenser"]
    if state.get("status", "running") != "running":
        return usage
    # The solver's usage joins the state's sum only when the composer ends the question.
    return [*usage, *(u for row in state.get("answers") or () for u in row.get("usage") or ())]
