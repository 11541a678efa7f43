"""One call to a model, sync or async, whatever kind of model it is.

Here the limits are kept: the model's places, the question's budget, the timeout, retries;
and a reply that an earlier, interrupted run has paid for is not paid for again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from uuid import uuid4

from ..errors import BudgetExhaustedError, ReplyError, is_transient, waits_for_a_person
from ..models.limiter import NoPlaceError
from ..models.references import ResolvedModel
from .journal import PASSING
from .namespaces import apart, is_graph
from .outputs import Heard, read_output
from .replies import (
    Reply,
    failure_value,
    is_final,
    read_value,
    recorded_error,
    reply_value,
)
from .requests import call_config, call_input, naming_who_is_asked, streams
from .retry import pause_before_retry
from .session import Session
from .usage import UsageRow, add_usage, cost, no_usage, tokens_used
from .waiting import await_within, wait_within

SAMPLES_APART = 1000
"""Parts of a run that ask the same, such as the rungs of a ladder, number their samples from
different thousands, so that a resumed run tells them apart; what is drawn depends on the rest."""


@dataclass(frozen=True)
class Call:
    """A request to a model.

    Attributes:
        role: The role on whose behalf it is made, for usage and traces.
        model: Whom to ask.
        messages: Rows `{"role", "content"}`.
        options: Call options for models that take a grammar (`ChatGGUF`); others get none.
        name: The run's name in a trace.
        sample: Number of the sample, where the same is asked several times.
        on_text: Is told the reply so far whenever more of it comes; asks for streaming.
        metadata: More about the call, for traces.
        last: Whether it ends the question: the budget has kept it back, and beyond the caps
            on tokens, seconds and money it is made all the same.
    """

    role: str
    model: ResolvedModel
    messages: Sequence[Mapping[str, str]]
    options: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    sample: int = 0
    on_text: Callable[[str], None] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    last: bool = False

    @cached_property
    def key(self) -> str:
        """A hash of everything that the reply depends on."""
        asked = [self.role, self.model.identity, list(self.messages), self.options, self.sample]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def ask(call: Call, config: Any = None, session: Session | None = None) -> Reply:
    """Make a call, blocking; retry what may pass."""
    session = session or Session()
    runnable: Any = call.model.runnable
    if stored := _stored(call, session):
        return stored
    asked, options = call_input(call), call.options if call.model.accepts_grammar else {}
    config = call_config(call, config)

    def once() -> Any:
        if not streams(call):
            what, how = apart(runnable, config, call.key, again=attempts.made > 1)
            return what.invoke(asked, how, **options)
        heard = Heard(call.on_text)
        for chunk in runnable.stream(asked, config, **options):
            heard.add(chunk)
        return heard.message()

    attempts = _Attempts(call, session)
    while True:
        # Held till the reply is kept: a crash loses no more replies than may be on their way.
        with attempts.place():
            session.check()
            try:
                bound = attempts.begin(session.call_timeout or call.model.timeout)
                with naming_who_is_asked(call):
                    reply = attempts.reply(wait_within(bound, once))
            except Exception as error:
                pause = attempts.pause_after(error)
                if pause is None:
                    session.keep(*_failure(call, error))
                    raise
            else:
                session.keep(call.key, reply_value(reply))
                return reply
        session.stop.wait(pause)


async def aask(call: Call, config: Any = None, session: Session | None = None) -> Reply:
    """`ask` without blocking the event loop."""
    session = session or Session()
    runnable: Any = call.model.runnable
    if stored := _stored(call, session):
        return stored
    asked, options = call_input(call), call.options if call.model.accepts_grammar else {}
    config = call_config(call, config)

    async def once() -> Any:
        if not streams(call):
            what, how = apart(runnable, config, call.key, again=attempts.made > 1)
            return await what.ainvoke(asked, how, **options)
        heard = Heard(call.on_text)
        # Closed at once, whatever ends it: only then is the server free.
        async with aclosing(runnable.astream(asked, config, **options)) as chunks:
            async for chunk in chunks:
                heard.add(chunk)
        return heard.message()

    attempts = _Attempts(call, session)
    while True:
        # Held till the reply is kept: a crash loses no more replies than may be on their way.
        async with attempts.aplace():
            try:
                bound = attempts.begin(session.call_timeout or call.model.timeout)
                with naming_who_is_asked(call):
                    reply = attempts.reply(await await_within(bound, once))
            except Exception as error:
                pause = attempts.pause_after(error)
                if pause is None:
                    await session.akeep(*_failure(call, error))
                    raise
            else:
                await session.akeep(call.key, reply_value(reply))
                return reply
        await asyncio.sleep(pause)


class _Attempts:
    """The attempts at one call: what they may take, what they took, when to try again."""

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
            raise self._came_too_late() from None

    @asynccontextmanager
    async def aplace(self) -> AsyncIterator[None]:
        """`place` for the event loop."""
        try:
            async with self._call.model.limiter.ahold(self._seconds_left()):
                yield
        except NoPlaceError:
            raise self._came_too_late() from None

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
        usage = self._usage(read.messages)
        if read.nested:
            usage = self._usage_of_nested(read.nested)
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

    def pause_after(self, error: Exception) -> float | None:
        """Seconds until the next attempt; None, with the usage attached, if there is none.

        Raises:
            BudgetExhaustedError: If it was the budget's time that ran out.
        """
        if waits_for_a_person(error):
            # It goes on when the run is resumed, and is counted then.
            self.made -= 1
            self._meter.add_calls(-1)
        left = self._seconds_left()
        # A model in this process fails the same way again; a decomposition graph has tried again.
        in_vain = self._call.model.is_local or self._told_by_nested(error)
        pause = None if in_vain else pause_before_retry(error, self.made)
        if pause is not None and (left is None or pause < left):
            return pause
        out_of_time = left is not None and left <= (pause or 0) and is_transient(error)
        if out_of_time:
            error = BudgetExhaustedError("the budget's max_seconds was reached while this ran")
        self._tell_usage(error)
        if out_of_time:
            raise error
        return None

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
            self._session.paid(usage)
            error.usage = (usage,)  # type: ignore[attr-defined]


def _stored(call: Call, session: Session) -> Reply | None:
    """What an earlier, interrupted attempt was answered; a failure is raised."""
    value = session.kept(call.key)
    if value is None:
        return None
    if "error" in value:
        session.taken += value["usage"]
        raise recorded_error(value)
    reply = replace(read_value(value), earlier=session.retries_failed)
    session.taken.append(reply.usage)
    if call.on_text:
        call.on_text(reply.text)
    return reply


def _failure(call: Call, error: Exception) -> tuple[str, dict[str, Any]]:
    """The journal's entry for a failure: under the call's key if it is final."""
    value = failure_value(error)
    if is_final(error, call.role):
        return call.key, value
    # A passing one isn't found again, but what it took counts against the budget.
    return f"{PASSING}{uuid4().hex}", {"usage": value["usage"]}
