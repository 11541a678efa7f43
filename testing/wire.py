"""What goes over the wire between `LatencyServer` and its clients: HTTP/1.1, chat completions."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Seconds = float | Callable[[str], float]
"""Seconds, or a function of a text that tells them."""


def seconds(value: Seconds, text: str) -> float:
    """The seconds that are meant for a text."""
    return value(text) if callable(value) else value


def words(text: str) -> int:
    """Words, which count as tokens here."""
    return len(text.split())


@dataclass(frozen=True)
class ServerReply:
    """What `LatencyServer` answers a request with, faults included.

    Example:
        >>> ServerReply("slow down", status=429, headers=(("Retry-After", "1"),)).status
        429
    """

    text: str = ""
    """The reply; with another status than 200 the error's message."""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    finish_reason: str = "stop"
    raw: bytes | None = None
    """Sent as the body as it stands: HTML, broken JSON, 50 MB of anything."""
    hang: bool = False
    """Never answer; a stream sends its text first, if any, and then stalls."""
    drop: bool = False
    """Close the connection without an answer; with a text a stream sends that first, and any other
    reply breaks off in the middle of its body."""


@dataclass(eq=False)
class ServedCall:
    """One request that `LatencyServer` got, with times from `time.monotonic()`."""

    prompt: str
    body: dict[str, Any]
    headers: dict[str, str]
    """By name in lower case."""
    received: float
    answered: float | None = None
    """When the end of the reply was written; None before, and if the client left early."""
    delivered: bool = False
    """Whether the client was still there then."""


async def next_call(reader: asyncio.StreamReader) -> ServedCall | None:
    """The next request; None if it isn't one for a chat completion."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = head.rstrip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    data = await reader.readexactly(int(headers.get("content-length", 0)))
    if not start.startswith("POST /v1/chat/completions "):
        return None
    try:
        body = json.loads(data)
        prompt = "\n\n".join(_text(message.get("content")) for message in body["messages"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return ServedCall(prompt, body, headers, time.monotonic())


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or ())


def body_of(call: ServedCall, reply: ServerReply) -> bytes:
    """The body of an unstreamed answer."""
    if reply.raw is not None:
        return reply.raw
    if reply.status != 200:
        return json.dumps({"error": {"message": reply.text, "type": "error"}}).encode()
    message = {"role": "assistant", "content": reply.text}
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    usage = _usage(call, reply)
    return json.dumps(_completion(call, "chat.completion", [choice], usage=usage)).encode()


def _completion(
    call: ServedCall, kind: str, choices: list[dict[str, Any]], **more: Any
) -> dict[str, Any]:
    about = {"id": f"chatcmpl-{id(call):x}", "object": kind, "created": 0}
    return {**about, "model": call.body.get("model", ""), "choices": choices, **more}


def _usage(call: ServedCall, reply: ServerReply) -> dict[str, int]:
    asked, answered = words(call.prompt), words(reply.text)
    total = asked + answered
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": total}


def line_of(call: ServedCall, line: str) -> bytes:
    """A line of a streamed answer."""
    delta = {"role": "assistant", "content": line}
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return _event(_completion(call, "chat.completion.chunk", [choice]))


def end_of_stream(call: ServedCall, reply: ServerReply) -> bytes:
    """What ends a streamed answer: why it ended, and the usage if it was asked for."""
    kind = "chat.completion.chunk"
    choice = {"index": 0, "delta": {}, "finish_reason": reply.finish_reason}
    end = _event(_completion(call, kind, [choice]))
    if (call.body.get("stream_options") or {}).get("include_usage"):
        end += _event(_completion(call, kind, [], usage=_usage(call, reply)))
    return end + _event("[DONE]") + b"0\r\n\r\n"


def _event(data: dict[str, Any] | str) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    event = f"data: {text}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(event), event)


def head_of(reply: ServerReply, kind: str, length: str) -> bytes:
    """Status line and headers."""
    headers = {"content-type": kind, **{name.lower(): value for name, value in reply.headers}}
    lines = [f"HTTP/1.1 {reply.status} ", length, *(f"{n}: {v}" for n, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
