"""One call to a model, sync or async, whatever kind of model it is.

Here the limits are kept: the model's places, the question's budget, the timeout, retries;
and a reply that an earlier, interrupted run has paid for is not paid for again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from ..models.references import ResolvedModel
from .call_attempts import Attempts, failure_entry
from .namespaces import apart
from .outputs import Heard
from .replies import Reply, read_value, recorded_error, reply_value
from .requests import call_config, call_input, is_invoked_for_tokens, naming_who_is_asked, streams
from .session import Session
from .waiting import await_within, wait_within

SAMPLES_APART = 1000
"""Parts of a run that ask the same, such as the rungs of a ladder, number their samples from
different thousands, so that a resumed run tells them apart; what is drawn depends on the rest."""


def drawn(sample: int) -> dict[str, Any]:
    """Options by which models in this process draw a later sample; hosted ones have their own."""
    seed = sample % SAMPLES_APART
    return {"temperature": 0.7, "seed": seed} if seed else {}


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


def ask(call: Call, config: Any, session: Session) -> Reply:
    """Make a call, blocking; retry what may pass."""
    runnable: Any = call.model.runnable
    if stored := _stored(call, session):
        return stored
    asked, options = call_input(call), call.options if call.model.accepts_grammar else {}
    config = call_config(call, config)

    def once(heard: Heard) -> Any:
        if not streams(call):
            what, how = apart(runnable, config, call.key, again=attempts.made > 1)
            return what.invoke(asked, how, **options)
        if is_invoked_for_tokens(call, config):
            heard.add(runnable.invoke(asked, config, **options))
            return heard.message()
        for chunk in runnable.stream(asked, config, **options):
            heard.add(chunk)
        return heard.message()

    attempts = Attempts(call, session)
    while True:
        # Held till the reply is kept: a crash loses no more replies than may be on their way.
        with attempts.place():
            session.check()
            heard = Heard(call.on_text)
            try:
                bound = attempts.begin(session.call_timeout or call.model.timeout)
                with naming_who_is_asked(call):
                    reply = attempts.reply(wait_within(bound, partial(once, heard)))
            except Exception as error:
                pause, failure = attempts.pause_after(error)
            else:
                session.keep(call.key, reply_value(reply))
                return reply
            finally:
                heard.leave()
            if failure:
                session.keep(*failure_entry(call, failure))
                raise failure
        session.stop.wait(pause)


async def aask(call: Call, config: Any, session: Session) -> Reply:
    """`ask` without blocking the event loop."""
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
        if is_invoked_for_tokens(call, config):
            heard.add(await runnable.ainvoke(asked, config, **options))
            return heard.message()
        # Closed at once, whatever ends it: only then is the server free.
        async with aclosing(runnable.astream(asked, config, **options)) as chunks:
            async for chunk in chunks:
                heard.add(chunk)
        return heard.message()

    attempts = Attempts(call, session)
    while True:
        # Held till the reply is kept: a crash loses no more replies than may be on their way.
        async with attempts.aplace():
            try:
                bound = attempts.begin(session.call_timeout or call.model.timeout)
                with naming_who_is_asked(call):
                    reply = attempts.reply(await await_within(bound, once))
            except Exception as error:
                pause, failure = attempts.pause_after(error)
            else:
                await session.akeep(call.key, reply_value(reply))
                return reply
            if failure:
                await session.akeep(*failure_entry(call, failure))
                raise failure
        await asyncio.sleep(pause)


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
