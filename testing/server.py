"""An OpenAI-compatible server on loopback, slow and faulty as asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import closing, suppress
from typing import Any, Self

from .wire import (
    Seconds,
    ServedCall,
    ServerReply,
    body_of,
    end_of_stream,
    head_of,
    line_of,
    next_call,
    seconds,
)

_CONNECTION_LOST = (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError)
_TAIL = 4096  # Bytes of a reply that go out after it was noted as answered.


class LatencyServer:
    """An OpenAI-compatible chat completions server on loopback, slow and faulty as asked.

    It runs on a thread of its own while the `with` block lasts. A client that leaves ends its
    call at once.

    Args:
        reply: Function of the prompt (the messages' texts, blank lines between) and the
            request's body; returns the reply's text or a `ServerReply`. What it raises is
            answered as status 500.
        latency: Seconds before the first byte, or a function of the prompt that tells them.
        line_latency: Seconds before each further line of a streamed reply, or a function of
            that line.

    Attributes:
        url: For a client's `base_url`.
        calls: A `ServedCall` for every request so far.
        peak: The most calls that were in flight at once.

    Example:
        >>> import json, urllib.request
        >>> with LatencyServer(lambda prompt, body: prompt.upper(), latency=0.01) as server:
        ...     data = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()
        ...     with urllib.request.urlopen(f"{server.url}/chat/completions", data) as response:
        ...         print(json.load(response)["choices"][0]["message"]["content"])
        HI
        >>> [(call.prompt, call.delivered) for call in server.calls], server.peak
        ([('hi', True)], 1)
    """

    def __init__(
        self,
        reply: Callable[[str, dict[str, Any]], str | ServerReply],
        latency: Seconds = 0.0,
        line_latency: Seconds = 0.0,
    ) -> None:
        self.reply, self.latency, self.line_latency = reply, latency, line_latency
        self.url = ""
        self.calls: list[ServedCall] = []
        self.peak = 0
        self._active: set[ServedCall] = set()
        self._connections: set[_Connection] = set()

    @property
    def in_flight(self) -> int:
        """Calls that are being served now."""
        return len(self._active)

    def hold(self) -> None:
        """Go on taking requests, but keep replies and further lines of streams back."""
        self._gate.clear()

    def release(self) -> None:
        """End `hold`; what is overdue goes out now."""
        self._loop.call_soon_threadsafe(self._gate.set)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _open(self) -> None:
        self._gate = asyncio.Event()
        self._gate.set()
        self._server = await self._loop.create_server(
            lambda: _Connection(self._serve, self._connections), "127.0.0.1", 0, backlog=4096
        )
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def _close(self) -> None:
        self._server.close()
        for connection in self._connections:
            connection.transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, call: ServedCall | None, writer: asyncio.StreamWriter) -> None:
        if call is None:
            writer.write(head_of(ServerReply(status=404), "text/plain", "content-length: 0"))
            return
        self.calls.append(call)
        self._active.add(call)
        self.peak = max(self.peak, len(self._active))
        try:
            await self._answer(call, self._reply_to(call), writer)
        finally:
            self._active.discard(call)

    async def _answer(
        self, call: ServedCall, reply: ServerReply, writer: asyncio.StreamWriter
    ) -> None:
        await self._wait_until(call.received + seconds(self.latency, call.prompt))
        if call.body.get("stream") and reply.status == 200 and reply.raw is None:
            end = await self._send_lines(call, reply, writer)
        else:
            body = body_of(call, reply)
            end = head_of(reply, "application/json", f"content-length: {len(body)}") + body
            if reply.drop and reply.text:
                writer.write(end[: -len(body) // 2])
                await writer.drain()
        if reply.hang:
            await asyncio.Event().wait()
        if reply.drop:
            raise ConnectionAbortedError
        await self._send_end(call, end, writer)

    def _reply_to(self, call: ServedCall) -> ServerReply:
        try:
            reply = self.reply(call.prompt, call.body)
        except Exception as error:
            reply = ServerReply(f"{type(error).__name__}: {error}", status=500)
        return ServerReply(reply) if isinstance(reply, str) else reply

    async def _wait_until(self, due: float) -> None:
        # Up to a point in time: a busy event loop must not add to the latency.
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        await self._gate.wait()

    async def _send_lines(
        self, call: ServedCall, reply: ServerReply, writer: asyncio.StreamWriter
    ) -> bytes:
        """Send a stream's lines one by one; returns what ends the stream."""
        head = head_of(reply, "text/event-stream", "transfer-encoding: chunked")
        due = time.monotonic()
        for number, line in enumerate(reply.text.splitlines(keepends=True)):
            if number:
                due += seconds(self.line_latency, line)
                await self._wait_until(due)
            writer.write(head + line_of(call, line))
            await writer.drain()
            head = b""
        return head + end_of_stream(call, reply)

    async def _send_end(self, call: ServedCall, data: bytes, writer: asyncio.StreamWriter) -> None:
        if len(data) > _TAIL:
            writer.write(data[:-_TAIL])
            await writer.drain()
        # Noted before the last bytes go out, so that whoever has read them finds the note.
        call.answered, call.delivered = time.monotonic(), True
        self._active.discard(call)
        writer.write(data[-_TAIL:])
        call.delivered = not writer.is_closing()
        await writer.drain()


class _Connection(asyncio.StreamReaderProtocol):
    """A client's keep-alive connection; losing it ends the call that is being served."""

    def __init__(
        self,
        serve: Callable[[ServedCall | None, asyncio.StreamWriter], Coroutine[Any, Any, None]],
        connections: set[_Connection],
    ) -> None:
        super().__init__(asyncio.StreamReader(), self._run)
        self.serve, self.connections = serve, connections
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        # Drained then means: handed to the operating system.
        transport.set_write_buffer_limits(0)
        self.connections.add(self)
        super().connection_made(transport)

    def eof_received(self) -> bool:
        super().eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.connections.discard(self)
        if self.task:
            self.task.cancel()

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.task = asyncio.current_task()
        with closing(writer), suppress(*_CONNECTION_LOST):
            while True:
                await self.serve(await next_call(reader), writer)
