"""Progress events, for `stream(stream_mode="custom")` and for `astream_events`.

LangGraph's stream writer doesn't reach `astream_events`, and LangChain's custom events
don't reach the custom stream; so each event goes to both, once each.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    from langchain_core.callbacks import dispatch_custom_event

    _write(event)
    try:
        dispatch_custom_event(PREFIX + event.kind, dict(event.data), config=config)
    except RuntimeError:
        pass  # Outside any run there are no callbacks to tell.


async def aemit(event: Event, config: Any) -> None:
    """`emit` for the event loop."""
    from langchain_core.callbacks import adispatch_custom_event

    _write(event)
    try:
        await adispatch_custom_event(PREFIX + event.kind, dict(event.data), config=config)
    except RuntimeError:
        pass


def _write(event: Event) -> None:
    from langgraph.config import get_stream_writer

    try:
        writer = get_stream_writer()
    except (RuntimeError, KeyError):
        return  # Not inside a graph.
    writer({"type": PREFIX + event.kind, **event.data})
