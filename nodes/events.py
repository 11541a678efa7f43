"""Progress events, for `stream(stream_mode="custom")` and for `astream_events`.

LangGraph's stream writer doesn't reach `astream_events`, and LangChain's custom events
don't reach the custom stream; so each event goes to both, once each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

PREFIX = "decompose."


@dataclass(frozen=True)
class Event:
    """Something that happened: `plan`, `subquestion.started`, `subquestion.answered` ..."""

    kind: str
    data: Mapping[str, Any]


def emit(event: Event, config: Any) -> None:
    """Tell both streams of an event."""
    _write(event)
    if not _heard(config):
        return
    from langchain_core.callbacks import dispatch_custom_event

    try:
        dispatch_custom_event(PREFIX + event.kind, dict(event.data), config=config)
    except RuntimeError:
        pass  # Outside any run there are no callbacks to tell.


async def aemit(event: Event, config: Any) -> None:
    """`emit` for the event loop."""
    _write(event)
    if not _heard(config):
        return
    from langchain_core.callbacks import adispatch_custom_event

    try:
        await adispatch_custom_event(PREFIX + event.kind, dict(event.data), config=config)
    except RuntimeError:
        pass


def _heard(config: Any) -> bool:
    """Whether any callback handler is there to be told; asking LangChain takes longer."""
    callbacks = (config or {}).get("callbacks")
    return bool(getattr(callbacks, "handlers", callbacks))


def _write(event: Event) -> None:
    writer = _writer()
    if writer:
        writer({"type": PREFIX + event.kind, **event.data})


def _writer() -> Callable[[Any], None] | None:
    from langgraph.config import get_stream_writer

    try:
        return get_stream_writer()
    except (RuntimeError, KeyError):
        return None  # Not inside a graph.


def token_writer() -> Callable[[str], None] | None:
    """Writes what is new of a growing text to the custom stream, as `composer.token` events.

    If the text begins anew, because the call was tried again, `composer.restarted` is told.
    `astream_events` isn't told of tokens: there they are LangChain's `on_chat_model_stream`.
    """
    writer = _writer()
    if writer is None:
        return None
    known = ""

    def write(text: str) -> None:
        nonlocal known
        if not text.startswith(known):
            writer({"type": PREFIX + "composer.restarted"})
            known = ""
        if len(text) > len(known):
            writer({"type": PREFIX + "composer.token", "text": text[len(known) :]})
        known = text

    return write


def has_context() -> bool:
    """Whether the run that we are in, or one around it, was given a `context`."""
    from langgraph.runtime import get_runtime

    try:
        return get_runtime().context not in (None, {})
    except (RuntimeError, KeyError, AttributeError):
        return False  # Not inside a graph.
