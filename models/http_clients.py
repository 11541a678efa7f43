"""HTTP clients for OpenAI-style servers, which are untrusted: every reply is bounded.

A reply may take the call's timeout as a whole (httpx bounds only the wait for the next byte,
so that a server which sends one now and then is waited for without end) and so many bytes. It
must be a JSON object, or a stream of events that doesn't stop in the middle. Of a reply that
redirects only the head is read, and none is unpacked that may become any size.

Two more things that LangChain's own clients don't do: they may be used from one event loop
after another, and a server that answers a streaming request with plain JSON is understood.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any

import httpx

from ..errors import CutOffReplyError, UnreadableReplyError
from .deadline import call_deadline
from .hosted import DIRECTLY

MAX_BODY_BYTES = 20_000_000
MAX_EVENT_BYTES = 2_000_000
_NO_POOL_LIMIT = httpx.Limits(max_connections=None, max_keepalive_connections=100)
_SHOWN_OF_A_BAD_REPLY = 80
_ENDS_OF_EVENTS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_END_OF_REPLY = re.compile(rb'\[DONE\]|"finish_reason"\s*:\s*"')
_LONGEST_MARK = 64
_MOST_REDIRECTS = 20
_ASKED_FOR = ("gzip", "deflate")
"""Of these, what has come unpacks to at most a thousand times as much; of zstd, or of one within
another, to anything."""
_PACKINGS = (*_ASKED_FOR, "br", "zstd")
"""What httpx knows; it passes over others, such as the "none" with which some servers stream."""


@cache
def _trusted() -> ssl.SSLContext:
    """One for all clients: reading the certificates takes longer than a short call."""
    return httpx.create_ssl_context()


def _options(timeout: Any, proxy: str | None) -> dict[str, Any]:
    return {
        "proxy": proxy,  # None takes the environment's, such as HTTPS_PROXY.
        "mounts": None if proxy else DIRECTLY,
        "timeout": timeout,
        "headers": {"accept-encoding": "gzip, deflate"},
        "limits": _NO_POOL_LIMIT,
        "verify": _trusted(),
    }


class BoundedClient(httpx.Client):
    """A client that reads no reply for longer than the timeout or past `MAX_BODY_BYTES`."""

    def __init__(self, timeout: float, proxy: str | None = None) -> None:
        super().__init__(**_options(timeout, proxy))
        self._proxy, self._process = proxy, os.getpid()
        self._forked: httpx.Client | None = None

    def _of_a_fork(self) -> httpx.Client | None:
        """In a forked process a client of its own: on one connection both get the same replies."""
        if self._process != os.getpid():
            self._forked = httpx.Client(**_options(self.timeout, self._proxy))
            self._process = os.getpid()
        return self._forked

    def send(self, request: httpx.Request, *, stream: bool = False, **options: Any) -> Any:
        """Send; a reply that isn't an event stream is read at once, within the bounds."""
        bound = _Bound(request)
        client: Any = self._of_a_fork() or super()
        response = client.send(request, stream=True, **options)
        while redirected := response.next_request:
            response.close()
            response = client.send(bound.follow(redirected), stream=True, **options)
        if not _left_packed(response) and stream and _is_event_stream(response):
            return _rebuilt(response, stream=_Events(response, bound))
        parts: list[bytes] = []
        try:
            for part in response.iter_bytes():
                bound.take(part)
                parts.append(part)
        finally:
            response.close()
        return _whole(response, b"".join(parts), as_events=stream)


class BoundedClientPerLoop(httpx.AsyncClient):
    """`BoundedClient` for event loops, with open connections of its own in each.

    LangChain shares one client for all, whose open connections belong to the first loop: a
    second `asyncio.run` in the same process then fails with "Event loop is closed".
    """

    def __init__(self, timeout: float, proxy: str | None = None) -> None:
        super().__init__(**_options(timeout, proxy))
        self._proxy = proxy
        self._clients: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            # A copy: loops in other threads may come for the first time in this moment.
            for ended in [other for other in list(self._clients) if other.is_closed()]:
                self._clients.pop(ended, None)
            self._clients[loop] = httpx.AsyncClient(**_options(self.timeout, self._proxy))
        return self._clients[loop]

    async def send(self, request: httpx.Request, *, stream: bool = False, **options: Any) -> Any:
        """Send; a reply that isn't an event stream is read at once, within the bounds."""
        bound = _Bound(request)
        response = await self._client().send(request, stream=True, **options)
        while redirected := response.next_request:
            await response.aclose()
            request = bound.follow(redirected)
            response = await self._client().send(request, stream=True, **options)
        if not _left_packed(response) and stream and _is_event_stream(response):
            return _rebuilt(response, stream=_AsyncEvents(response, bound))
        parts: list[bytes] = []
        try:
            async for part in response.aiter_bytes():
                bound.take(part)
                parts.append(part)
        finally:
            await response.aclose()
        return _whole(response, b"".join(parts), as_events=stream)


class _Bound:
    """How long one reply may take and be; made when the request is sent."""

    def __init__(self, request: httpx.Request) -> None:
        self._request = request
        limits = request.extensions.get("timeout") or {}
        now, end = time.monotonic(), call_deadline.get()
        # Whoever waits for the call knows better how long than the client's own timeout.
        seconds = limits.get("read") or math.inf if end == math.inf else max(end - now, 0.001)
        self._end, self._size, self._redirects = now + seconds, 0, 0
        if seconds < math.inf:
            same = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
            request.extensions = {**request.extensions, "timeout": same}

    def follow(self, request: httpx.Request) -> httpx.Request:
        """Count a redirect, within the time of the whole reply; httpx itself would read its body.

        Raises:
            httpx.TooManyRedirects: If the server goes on redirecting.
        """
        self.take(b"")
        self._redirects += 1
        if self._redirects > _MOST_REDIRECTS:
            raise httpx.TooManyRedirects("the server redirects without end", request=request)
        return request

    def take(self, part: bytes) -> None:
        """Count a part of a reply; when its time is over, refuse to read on."""
        if time.monotonic() > self._end:
            raise httpx.ReadTimeout("the reply had begun but took too long", request=self._request)
        self._size += len(part)
        if self._size > MAX_BODY_BYTES:
            raise CutOffReplyError(f"the server's reply has over {MAX_BODY_BYTES:,} bytes")


class _EventCheck:
    """Watches a stream of events go by: none is too long, and the last one isn't missing."""

    def __init__(self, response: httpx.Response, bound: _Bound) -> None:
        self._response, self._bound = response, bound
        self._size, self._tail = 0, b""
        self._began = self._ended = False

    def _take(self, part: bytes) -> bytes:
        self._bound.take(part)
        seen = self._tail + part
        self._began = self._began or b'"choices"' in seen
        self._ended = self._ended or bool(_END_OF_REPLY.search(seen))
        end = max(seen.rfind(mark) for mark in _ENDS_OF_EVENTS)
        self._size = len(seen) - end if end >= 0 else self._size + len(part)
        self._tail = seen[-_LONGEST_MARK:]
        if self._size > MAX_EVENT_BYTES:
            raise CutOffReplyError(f"an event of the server's has over {MAX_EVENT_BYTES:,} bytes")
        return part

    def _finish(self) -> None:
        # Behind a gateway, a lost connection may look like the end of the reply.
        if self._began and not self._ended:
            request = self._response.request
            raise httpx.RemoteProtocolError("the stream ended before the reply", request=request)


class _Events(_EventCheck, httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        for part in self._response.iter_bytes():
            yield self._take(part)
        self._finish()

    def close(self) -> None:
        self._response.close()


class _AsyncEvents(_EventCheck, httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._response.aiter_bytes():
            yield self._take(part)
        self._finish()

    async def aclose(self) -> None:
        await self._response.aclose()


def _left_packed(response: httpx.Response) -> bool:
    """Whether a reply is packed as nobody asked for; it then stays so, and can't be read."""
    said = response.headers.get("content-encoding", "").lower().split(",")
    packings = [name for name in map(str.strip, said) if name in _PACKINGS]
    unpacks = len(packings) == 1 and packings[0] in _ASKED_FOR
    response.headers["content-encoding"] = packings[0] if unpacks else "identity"
    return bool(packings) and not unpacks


def _is_event_stream(response: httpx.Response) -> bool:
    kind = response.headers.get("content-type", "")
    return response.status_code < 400 and "json" not in kind and "html" not in kind


def _whole(response: httpx.Response, body: bytes, *, as_events: bool) -> httpx.Response:
    """The reply with its body read, a completion recast as events if those were asked for."""
    if response.status_code < 400:
        completion = _completion(body)
        if status := _status_within(completion):
            return _rebuilt(response, status=status, content=body)
        if as_events:
            return _rebuilt(response, kind="text/event-stream", content=_as_events(completion))
    return _rebuilt(response, content=body)


def _status_within(reply: dict[str, Any]) -> int:
    """The status of an error that a gateway sends with status 200, as OpenRouter does; else 0."""
    error = reply.get("error")
    code = error.get("code") if isinstance(error, dict) and not reply.get("choices") else None
    return code if isinstance(code, int) and 400 <= code < 600 else 0


def _rebuilt(
    response: httpx.Response, *, kind: str = "", status: int = 0, **body: Any
) -> httpx.Response:
    """The reply with another body, which is neither packed nor of the length that was said."""
    changed = {"content-encoding", "content-length", "transfer-encoding"}
    changed |= {"content-type"} if kind else set()
    headers = [(n, v) for n, v in response.headers.multi_items() if n not in changed]
    headers += [("content-type", kind)] if kind else []
    status = status or response.status_code
    return httpx.Response(status, headers=headers, request=response.request, **body)


def _completion(body: bytes) -> dict[str, Any]:
    """The JSON object that a model's server answers with.

    Raises:
        UnreadableReplyError: If it is something else, such as a gateway's page.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or value.get("choices") == []:
        beginning = body[:_SHOWN_OF_A_BAD_REPLY].decode(errors="replace")
        raise UnreadableReplyError(f"the server's reply isn't a completion: {beginning!r}")
    return value


def _as_events(completion: dict[str, Any]) -> bytes:
    """A chat completion as the one chunk of a stream."""
    try:
        for choice in completion["choices"]:
            choice["delta"] = choice.pop("message")
        completion["object"] = "chat.completion.chunk"
    except (KeyError, TypeError, AttributeError):
        pass  # Whatever it is, the client says what it can't read.
    return b"data: " + json.dumps(completion).encode() + b"\n\ndata: [DONE]\n\n"
