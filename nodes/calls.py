"""Asking a model: one call, sync or async, whatever kind of model it is.

A role (decomposer, solver, composer) is written once, as a generator that yields `Call`s
(and `Event`s) and gets `Reply`s back. `run` drives it with blocking calls, `arun` with
awaited ones; so no role exists in two versions, and none knows how its calls are made.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import CutOffReplyError, EmptyReplyError, FailedGraphError
from ..models.references import ResolvedModel, innermost
from ..plan import without_thinking
from .events import Event, aemit, emit
from .retry import pause_before_retry
from .usage import UsageRow, cost, tokens_used

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

T = TypeVar("T")
_CUT_OFF = {"length", "max_tokens", "MAX_TOKENS"}
_MAX_REPLY_CHARS = 1_000_000


@dataclass(frozen=True)
class Call:
    """A request to a model.

    Attributes:
        role: The role on whose behalf it is made, for usage and traces.
        model: Whom to ask.
        messages: Rows `{"role", "content"}`.
        options: Call options for models that take a grammar (`ChatGGUF`); others get none.
        name: The run's name in a trace.
    """

    role: str
    model: ResolvedModel
    messages: Sequence[Mapping[str, str]]
    options: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class Reply:
    """What came back: the text without any thinking, and what it took."""

    text: str
    cut_off: bool
    usage: UsageRow


Steps = Generator["Call | Event", Any, T]


def run(
    steps: Steps[T], config: Any = None, *, asking: Callable[[Call, Any], Reply] | None = None
) -> T:
    """Drive a role to its result with blocking calls; errors are thrown into the role.

    Args:
        steps: The role.
        config: LangChain's config, for callbacks and traces.
        asking: Makes the calls in place of `ask`.
    """
    asking = asking or ask
    try:
        step = next(steps)
        while True:
            try:
                done = emit(step, config) if isinstance(step, Event) else asking(step, config)
            except Exception as error:
                step = steps.throw(error)
            else:
                step = steps.send(done)
    except StopIteration as stop:
        return stop.value


async def arun(steps: Steps[T], config: Any = None) -> T:
    """`run` for the event loop."""
    try:
        step = next(steps)
        while True:
            try:
                making = aemit(step, config) if isinstance(step, Event) else aask(step, config)
                done = await making
            except Exception as error:
                step = steps.throw(error)
            else:
                step = steps.send(done)
    except StopIteration as stop:
        return stop.value


def as_runnable(name: str, steps: Callable[..., Steps[T]]) -> Runnable[Any, T]:
    """A Runnable, and so a LangGraph node, from a role: input in, result out."""
    from langchain_core.runnables import RunnableLambda

    def call(value: Any, config: Any) -> T:
        return run(steps(value), config)

    async def acall(value: Any, config: Any) -> T:
        return await arun(steps(value), config)

    return RunnableLambda(call, acall, name=name)


def ask(call: Call, config: Any = None) -> Reply:
    """Make a call, blocking, within the model's concurrency limit; retry what may pass."""
    runnable: Any = call.model.runnable
    begin = time.perf_counter()
    for attempt in count(1):
        try:
            with call.model.limiter.hold():
                output = runnable.invoke(_input(call), _config(call, config), **_options(call))
            return _reply(call, output, attempt, time.perf_counter() - begin)
        except Exception as error:
            # A model in this process fails the same way again.
            pause = None if call.model.is_local else pause_before_retry(error, attempt)
            if pause is None:
                raise
        time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


async def aask(call: Call, config: Any = None) -> Reply:
    """`ask` without blocking the event loop."""
    runnable: Any = call.model.runnable
    begin = time.perf_counter()
    for attempt in count(1):
        try:
            async with call.model.limiter.ahold():
                making = runnable.ainvoke(_input(call), _config(call, config), **_options(call))
                output = await making
            return _reply(call, output, attempt, time.perf_counter() - begin)
        except Exception as error:
            # A model in this process fails the same way again.
            pause = None if call.model.is_local else pause_before_retry(error, attempt)
            if pause is None:
                raise
        await asyncio.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _options(call: Call) -> Mapping[str, Any]:
    return call.options if call.model.accepts_grammar else {}


def _config(call: Call, config: Any) -> Any:
    from langchain_core.runnables.config import merge_configs

    # Only the composer's tokens belong on a user's screen.
    tags = [f"decompose:{call.role}"] + ([] if call.role == "composer" else ["nostream"])
    extra: Any = {"run_name": call.name or call.role, "tags": tags}
    return merge_configs(config, extra)


def _input(call: Call) -> Any:
    """Messages for a chat model, a messages state for a graph, one text for the rest."""
    from langchain_core.language_models import BaseLanguageModel
    from langgraph.pregel.protocol import PregelProtocol

    rows = [dict(row) for row in call.messages]
    model = innermost(call.model.runnable)
    if isinstance(model, BaseLanguageModel):
        return rows
    text = "\n\n".join(row["content"] for row in rows)
    if isinstance(model, PregelProtocol):
        return {"messages": [{"role": "user", "content": text}]}
    return text


def _reply(call: Call, output: Any, calls: int, seconds: float) -> Reply:
    text, messages = _read(output)
    usage = UsageRow(
        role=call.role,
        model=call.model.name,
        calls=calls,
        **tokens_used(messages),
        seconds=seconds,
        cost=None,
    )
    usage["cost"] = cost(usage, call.model.price_in, call.model.price_out)
    problem: Exception | None = None
    if text is None:
        problem = FailedGraphError(f"{call.model.name} found no answer")
    elif len(text) > _MAX_REPLY_CHARS:
        problem = CutOffReplyError(f"{call.model.name} replied with {len(text):,} characters")
    elif not (text := without_thinking(text).strip()):
        problem = EmptyReplyError(f"{call.model.name} gave an empty reply")
    if problem:
        problem.usage = (usage,)  # type: ignore[attr-defined]
        raise problem
    finish = getattr(messages[-1], "response_metadata", {}) if messages else {}
    reasons = {finish.get(key) for key in ("finish_reason", "stop_reason", "done_reason")}
    return Reply(text or "", bool(reasons & _CUT_OFF), usage)


def _read(output: Any) -> tuple[str | None, list[Any]]:
    """The text of whatever a Runnable returned, and the AI messages that tell its usage.

    None is the text of a graph that says itself that it has no answer.
    """
    from langchain_core.messages import AIMessage, BaseMessage

    if isinstance(output, str):
        return output, []
    if isinstance(output, BaseMessage):
        return str(output.text), [output]
    if isinstance(output, Mapping):
        messages = [m for m in output.get("messages") or [] if isinstance(m, AIMessage)]
        for key in ("answer", "output", "text"):
            if key in output and isinstance(output[key], str | None):
                return output[key], messages
        if messages:
            return str(messages[-1].text), messages
    raise TypeError(
        f"a solver returns a text, a message or a state with messages, not {type(output).__name__}"
    )
