"""The doubles for users' tests: a scripted chat model, and a server with latency and faults."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from langgraph_decompose.testing import LatencyServer, ScriptedChatModel, ServerReply

from .conftest import soon, until


def ask(model: BaseChatModel, how: str, prompt: str = "hi") -> AIMessage | AIMessageChunk:
    """One call; a streamed reply is put together again."""
    if how == "invoke":
        return model.invoke(prompt)
    if how == "ainvoke":
        return asyncio.run(model.ainvoke(prompt))
    if how == "stream":
        chunks = list(model.stream(prompt))
    else:

        async def collect() -> list[AIMessageChunk]:
            return [chunk async for chunk in model.astream(prompt)]

        chunks = asyncio.run(collect())
    return sum(chunks[1:], chunks[0])


EVERY_WAY = pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])


def seconds(action: Callable[[], Any]) -> float:
    begin = time.monotonic()
    action()
    return time.monotonic() - begin


# The scripted chat model


@EVERY_WAY
def test_replies_in_order_until_they_are_used_up(how: str) -> None:
    model = ScriptedChatModel(replies=["one", "two"])
    assert [ask(model, how).text, ask(model, how).text] == ["one", "two"]
    with pytest.raises(LookupError, match=r"no reply to call 3.*`default`.*'and then\?'"):
        ask(model, how, "and then?")
    assert model.prompts == ["hi", "hi", "and then?"]


def test_replies_by_what_the_prompt_contains_the_first_match_counting() -> None:
    model = ScriptedChatModel(replies={"France": "Paris", "capital": "Rome"}, default="?")
    prompts = ["capital of France", "capital of Italy", "6 * 7"]
    assert [model.invoke(prompt).text for prompt in prompts] == ["Paris", "Rome", "?"]


def test_replies_by_a_function_of_the_whole_prompt() -> None:
    model = ScriptedChatModel(replies=lambda prompt: prompt.upper() if "x" in prompt else None)
    assert model.invoke([SystemMessage("be"), HumanMessage("x")]).text == "BE\n\nX"
    with pytest.raises(LookupError, match="'y'"):
        model.invoke("y")


@EVERY_WAY
def test_an_exception_is_raised_after_the_latency(how: str) -> None:
    model = ScriptedChatModel(replies=[TimeoutError("slow"), "fine"], latency=0.05)
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match="slow"):
        ask(model, how)
    assert time.monotonic() - begin >= 0.05
    assert ask(model, how).text == "fine"


@EVERY_WAY
def test_every_reply_reports_usage_in_words_and_why_it_ended(how: str) -> None:
    with get_usage_metadata_callback() as callback:
        message = ask(ScriptedChatModel(replies=["a b c"]), how, "two words")
    assert message.usage_metadata == {"input_tokens": 2, "output_tokens": 3, "total_tokens": 5}
    assert message.response_metadata["finish_reason"] == "stop"
    assert callback.usage_metadata["scripted"]["total_tokens"] == 5


@EVERY_WAY
def test_a_message_of_one_s_own_keeps_what_it_says(how: str) -> None:
    reply = AIMessage(
        "cut",
        tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}],
        usage_metadata={"input_tokens": 7, "output_tokens": 8, "total_tokens": 15},
        response_metadata={"finish_reason": "length"},
    )
    message = ask(ScriptedChatModel(replies=[reply]), how)
    assert (message.text, message.tool_calls) == ("cut", reply.tool_calls)
    assert message.usage_metadata == reply.usage_metadata
    assert message.response_metadata["finish_reason"] == "length"
    assert reply.id is None


@pytest.mark.parametrize(
    ("cut", "parts"), [("words", ["1. ", "one\n", "2. ", "two"]), ("lines", ["1. one\n", "2. two"])]
)
def test_streams_come_in_words_or_lines_with_pauses_between(cut: Any, parts: list[str]) -> None:
    pauses = {parts[-1]: 0.1}
    model = ScriptedChatModel(
        replies=["1. one\n2. two"],
        default="1. one\n2. two",
        latency=lambda prompt: 0.1 if prompt == "hi" else 9,
        chunk_latency=lambda chunk: pauses.get(chunk, 0),
        chunks=cut,
    )
    begin = time.monotonic()
    came = [(chunk.text, time.monotonic() - begin) for chunk in model.stream("hi")]
    assert [text for text, _ in came if text] == parts
    assert came[0][1] >= 0.1
    assert came[len(parts) - 1][1] >= 0.2
    assert seconds(lambda: model.invoke("hi")) >= 0.2


async def test_async_calls_wait_together_and_can_be_cancelled() -> None:
    model = ScriptedChatModel(replies={"long": "late"}, default="soon", latency=0.1)
    begin = time.monotonic()
    await asyncio.gather(*(model.ainvoke(str(number)) for number in range(50)))
    assert time.monotonic() - begin >= 0.1
    model.latency = 600
    calls = [asyncio.create_task(model.ainvoke(str(number))) for number in range(50)]
    await until(lambda: len(model.prompts) == 100)
    assert all(call.cancel() for call in calls), "each still waits"
    await asyncio.wait(calls, timeout=30)
    assert all(call.cancelled() for call in calls)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(model.ainvoke("long"), 0.05)


def test_threads_get_each_reply_once_in_the_order_of_the_prompts() -> None:
    model = ScriptedChatModel(replies=[str(number) for number in range(300)])
    with ThreadPoolExecutor(8) as pool:
        texts = pool.map(lambda _: model.invoke("hi").text, range(300))
    assert sorted(map(int, texts)) == list(range(300))
    assert len(model.prompts) == 300


def test_bound_options_are_accepted() -> None:
    assert ScriptedChatModel(replies=["yes"]).bind(stop=["\n"], seed=1).invoke("hi").text == "yes"


def test_it_drives_an_agent() -> None:
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    call = {"name": "add", "args": {"a": 40, "b": 2}, "id": "c1", "type": "tool_call"}
    model = ScriptedChatModel(replies=[AIMessage("", tool_calls=[call]), "It is 42."])
    messages = create_agent(model, [add]).invoke({"messages": [("user", "40 + 2?")]})["messages"]
    assert [message.text for message in messages] == ["40 + 2?", "", "42", "It is 42."]


# The server


def client(server: LatencyServer, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=server.url, api_key="x", model="m", max_retries=0, stream_usage=True, **options
    )


def post(server: LatencyServer, prompt: str = "hi", **body: Any) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": prompt}], **body}
    return httpx.post(f"{server.url}/chat/completions", json=body, timeout=10)


@pytest.fixture
def upper() -> Iterator[LatencyServer]:
    with LatencyServer(lambda prompt, body: prompt.upper()) as server:
        yield server


@EVERY_WAY
def test_a_real_client_gets_text_usage_and_finish_reason(how: str) -> None:
    with LatencyServer(
        lambda prompt, body: ServerReply("a\nb c", finish_reason="length")
    ) as server:
        message = ask(client(server), how, "one two")
    assert message.text == "a\nb c"
    assert message.response_metadata["finish_reason"] == "length"
    usage = message.usage_metadata
    assert usage is not None
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (2, 3, 5)


def test_it_keeps_what_was_asked(upper: LatencyServer) -> None:
    parts = [{"type": "text", "text": "what"}, {"type": "text", "text": " now"}]
    client(upper, temperature=0.5).invoke([SystemMessage("be brief"), HumanMessage(parts)])
    [call] = upper.calls
    assert call.prompt == "be brief\n\nwhat now"
    assert (call.body["model"], call.body["temperature"]) == ("m", 0.5)
    assert call.headers["authorization"] == "Bearer x"


def test_times_are_those_of_the_monotonic_clock() -> None:
    latency = {"slow": 0.2}
    with LatencyServer(lambda *_: "ok", latency=lambda prompt: latency.get(prompt, 0)) as server:
        before = time.monotonic()
        assert post(server, "slow").is_success
        middle = time.monotonic()
        assert post(server, "fast").is_success
        after = time.monotonic()
    slow, fast = server.calls
    assert slow.answered
    assert fast.answered
    assert (slow.delivered, fast.delivered) == (True, True)
    assert before <= slow.received <= slow.answered <= middle <= fast.received <= after
    assert slow.answered - slow.received >= 0.2


async def test_hundreds_of_calls_are_served_at_once() -> None:
    # Over bare sockets: HTTP clients take longer than the server for so many connections.
    body = b'{"messages": [{"role": "user", "content": "hi"}]}'
    request = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)

    async def call(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request + body)
        status = await reader.readline()
        writer.close()
        return status

    def reply(*_: Any) -> str:
        if server.in_flight == 200:
            server.release()
        return "ok"

    with LatencyServer(reply, latency=0.1) as server:
        server.hold()
        port = httpx.URL(server.url).port
        assert port
        async with asyncio.timeout(60):
            replies = await asyncio.gather(*(call(port) for _ in range(200)))
    assert {status.split()[1] for status in replies} == {b"200"}
    assert len(server.calls) == 200
    assert server.peak == 200
    assert all(call.answered and call.answered - call.received >= 0.1 for call in server.calls)


def test_hold_keeps_replies_back_and_release_lets_them_go(upper: LatencyServer) -> None:
    upper.hold()
    with ThreadPoolExecutor(3) as pool:
        replies = pool.map(lambda text: post(upper, text), "abc")
        assert soon(lambda: upper.in_flight == 3)
        time.sleep(0.05)
        assert [call.answered for call in upper.calls] == [None] * 3
        upper.release()
        assert all(reply.is_success for reply in replies)
    assert (upper.in_flight, upper.peak) == (0, 3)


def test_a_stream_comes_line_by_line() -> None:
    delays = {"two\n": 0.1, "three": 0.2}
    chunks: list[tuple[str, float]] = []

    def hold(line: str) -> float:
        server.hold()
        return delays[line]

    # Each further line is kept back until the one before it has come.
    with LatencyServer(lambda *_: "one\ntwo\nthree", 0.1, line_latency=hold) as server:
        begin = time.monotonic()
        for chunk in client(server, timeout=30).stream("hi"):
            if chunk.text:
                chunks.append((chunk.text, time.monotonic() - begin))
                server.release()
    assert [text for text, _ in chunks] == ["one\n", "two\n", "three"]
    for (_, came), due in zip(chunks, [0.1, 0.2, 0.4], strict=True):
        assert due <= came


def test_the_wire_format_of_a_stream(upper: LatencyServer) -> None:
    response = post(upper, "a\nb", stream=True, stream_options={"include_usage": True})
    assert response.headers["content-type"] == "text/event-stream"
    first, second, finish, usage, done = response.text.strip().split("\n\n")
    assert '"delta": {"role": "assistant", "content": "A\\n"}' in first
    assert '"content": "B"' in second
    assert '"finish_reason": "stop"' in finish
    assert '"choices": [], "usage": {' in usage
    assert done == "data: [DONE]"
    assert '"usage"' not in post(upper, "a", stream=True).text


@EVERY_WAY
def test_an_error_status_with_its_headers(how: str) -> None:
    reply = ServerReply("slow down", status=429, headers=(("Retry-After", "7"),))
    with (
        LatencyServer(lambda *_: reply) as server,
        pytest.raises(openai.RateLimitError, match="slow down") as error,
    ):
        ask(client(server), how)
    assert error.value.response.headers["retry-after"] == "7"


def test_what_the_reply_function_raises_is_a_500() -> None:
    with LatencyServer(lambda *_: str(1 // 0)) as server:
        response = post(server)
    assert response.status_code == 500
    assert "ZeroDivisionError" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("raw", "kind"), [(b"\xff\xfe{", "application/json"), (b"<html>Sorry</html>", "text/html")]
)
def test_a_body_that_is_no_completion(raw: bytes, kind: str) -> None:
    reply = ServerReply(raw=raw, headers=(("Content-Type", kind),))
    with LatencyServer(lambda *_: reply) as server:
        response = post(server)
        assert (response.content, response.headers["content-type"]) == (raw, kind)
        with pytest.raises(Exception, match="."):
            client(server).invoke("hi")


def test_50_mb_count_as_answered_once_they_are_written() -> None:
    with LatencyServer(lambda *_: ServerReply(raw=b"x" * 50_000_000)) as server:
        body = {"messages": []}
        with httpx.stream("POST", f"{server.url}/chat/completions", json=body) as response:
            time.sleep(0.05)
            assert server.calls[0].answered is None
            assert sum(map(len, response.iter_raw())) == 50_000_000
    assert server.calls[0].delivered


@pytest.mark.parametrize(
    ("text", "why"), [("", "without sending a"), ("a reply", "without sending c")]
)
def test_a_dropped_connection(text: str, why: str) -> None:
    with (
        LatencyServer(lambda *_: ServerReply(text, drop=True)) as server,
        pytest.raises(httpx.RemoteProtocolError, match=why),
    ):
        post(server)
    assert (server.calls[0].answered, server.calls[0].delivered) == (None, False)


@pytest.mark.parametrize("fault", ["drop", "hang"])
def test_a_stream_that_breaks_off_half_way(fault: str) -> None:
    came = []

    def read() -> None:
        for chunk in client(server).stream("hi"):
            came.append(chunk.text)  # noqa: PERF401 - seen while the stream hangs

    with ThreadPoolExecutor(1) as pool:
        with LatencyServer(lambda *_: ServerReply("one\ntwo\n", **{fault: True})) as server:
            reading = pool.submit(read)
            assert soon(lambda: len(came) >= 2 and (fault == "hang" or reading.done()))
            assert reading.done() == (fault == "drop")
        with pytest.raises(Exception, match=r"(?i)connection error"):
            reading.result(30)
    assert came[:2] == ["one\n", "two\n"]
    assert server.calls[0].answered is None


def test_a_client_that_leaves_ends_its_call() -> None:
    with LatencyServer(lambda *_: ServerReply(hang=True)) as server:
        with pytest.raises(openai.APITimeoutError):
            client(server, timeout=0.5).invoke("hi")
        assert soon(lambda: bool(server.calls) and server.in_flight == 0)
    assert (server.calls[0].answered, server.calls[0].delivered) == (None, False)


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [("GET", "/models", b""), ("POST", "/responses", b'{"messages": []}'),
     ("POST", "/chat/completions", b"{"), ("POST", "/chat/completions", b"[1]"),
     ("POST", "/chat/completions", b'{"input": "hi"}')],
)  # fmt: skip
def test_anything_else_is_not_found(
    upper: LatencyServer, method: str, path: str, content: bytes
) -> None:
    with httpx.Client() as http:
        assert http.request(method, upper.url + path, content=content).status_code == 404
        body = {"messages": [{"role": "user", "content": "still there"}]}
        assert http.post(f"{upper.url}/chat/completions", json=body).is_success
    assert [call.prompt for call in upper.calls] == ["still there"]


def test_a_connection_is_used_again(upper: LatencyServer) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}]}
    ports = set()
    with httpx.Client() as http:
        for extra in ({}, {"stream": True}, {}):
            sent = http.post(f"{upper.url}/chat/completions", json=body | extra)
            ports.add(sent.extensions["network_stream"].get_extra_info("client_addr"))
    assert len(upper.calls) == 3
    assert len(ports) == 1


def test_leaving_is_quick_and_leaves_nothing_behind() -> None:
    """In development mode, where sockets, loops and tasks that stay open are reported."""
    code = (
        "import gc, threading, time, urllib.request\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from langgraph_decompose.testing import LatencyServer, ServerReply\n"
        "def ask(_):\n"
        "    try:\n"
        "        urllib.request.urlopen(server.url + '/chat/completions', b'{\"messages\": []}')\n"
        "    except OSError:\n"
        "        return 'broken off'\n"
        "with ThreadPoolExecutor(20) as pool:\n"
        "    with LatencyServer(lambda *_: ServerReply(hang=True)) as server:\n"
        "        asked = pool.map(ask, range(20))\n"
        "        while server.in_flight < 20: time.sleep(0.01)\n"
        "        begin = time.monotonic()\n"
        "    assert time.monotonic() - begin < 30\n"
        "    assert list(asked) == ['broken off'] * 20\n"
        "assert threading.active_count() == 1 and server.in_flight == 0\n"
        "gc.collect()\n"
    )
    command = [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_thread_is_left() -> None:
    before = {*threading.enumerate()}
    with LatencyServer(lambda *_: "ok") as server:
        assert post(server).is_success
        assert len({*threading.enumerate()} - before) == 1
    assert {*threading.enumerate()} <= before
    with pytest.raises(httpx.ConnectError):
        post(server)
