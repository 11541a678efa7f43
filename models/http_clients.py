"""HTTP clients for OpenAI-style servers, which are untrusted: every reply is bounded.

Two more things that LangChain's own clients don't do: they may be used from one event loop
after another, and a server that answers a streaming request with plain JSON is understood.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from ..errors import CutOffReplyError

MAX_BODY_BYTES = 20_000_000
_NO_POOL_LIMIT = httpx.Limits(max_connections=None, max_keepalive_connections=100)


class BoundedClient(httpx.Client):
    """A client that reads no reply longer than `MAX_BODY_BYTES`."""

    def __init__(self, timeout: float) -> None:
        super().__init__(timeout=timeout, follow_redirects=True, limits=_NO_POOL_LIMIT)

    def send(self, request: httpx.Request, *, stream: bool = False, **options: Any) -> Any:
        """Send; a reply that isn't an event stream is read at once, within the bound."""
        response = super().send(request, stream=True, **options)
        if stream and _is_event_stream(response):
            return response
        parts, size = [], 0
        try:
            for part in response.iter_bytes():
                size = _within_bound(size, part)
                parts.append(part)
        finally:
            response.close()
        return _whole(response, b"".join(parts), as_events=stream)


class BoundedClientPerLoop(httpx.AsyncClient):
    """`BoundedClient` for event loops, with open connections of its own in each.

    LangChain shares one client for all, whose open connections belong to the first loop: a
    second `asyncio.run` in the same process then fails with "Event loop is closed".
    """

    def __init__(self, timeout: float) -> None:
        super().__init__(timeout=timeout)
        self._clients: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            for ended in [other for other in self._clients if other.is_closed()]:
                del self._clients[ended]
            self._clients[loop] = httpx.AsyncClient(
                timeout=self.timeout, follow_redirects=True, limits=_NO_POOL_LIMIT
            )
        return self._clients[loop]

    async def send(self, request: httpx.Request, *, stream: bool = False, **options: Any) -> Any:
        """Send; a reply that isn't an event stream is read at once, within the bound."""
        response = await self._client().send(request, stream=True, **options)
        if stream and _is_event_stream(response):
            return response
        parts, size = [], 0
        try:
            async for part in response.aiter_bytes():
                size = _within_bound(size, part)
                parts.append(part)
        finally:
            await response.aclose()
        return _whole(response, b"".join(parts), as_events=stream)


def _is_event_stream(response: httpx.Response) -> bool:
    kind = response.headers.get("content-type", "")
    return response.status_code < 400 and "json" not in kind


def _within_bound(size: int, part: bytes) -> int:
    size += len(part)
    if size > MAX_BODY_BYTES:
        raise CutOffReplyError(f"the server's reply has over {MAX_BODY_BYTES:,} bytes")
    return size


def _whole(response: httpx.Response, body: bytes, *, as_events: bool) -> httpx.Response:
    """The reply with its body read, a completion recast as events if those were asked for."""
    headers = [
        (name, value)
        for name, value in response.headers.multi_items()
        if name not in ("content-encoding", "content-length", "transfer-encoding")
    ]
    if as_events and response.status_code < 400:
        body = _as_events(body)
        headers = [(n, v) for n, v in headers if n != "content-type"]
        headers.append(("content-type", "text/event-stream"))
    return httpx.Response(
        response.status_code, headers=headers, content=body, request=response.request
    )


def _as_events(body: bytes) -> bytes:
    """A chat completion as the one chunk of a stream."""
    try:
        completion = json.loads(body)
        for choice in completion["choices"]:
            choice["delta"] = choice.pop("message")
        completion["object"] = "chat.completion.chunk"
        body = json.dumps(completion).encode()
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # Whatever it is, the client says what it can't read.
    return b"data: " + body.replace(b"\n", b" ") + b"\n\ndata: [DONE]\n\n"
