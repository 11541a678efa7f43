"""Servers that hang or never come to an end, and runs that are cancelled in the middle."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langgraph_decompose import create_decomposition_graph
from langgraph_decompose.testing import LatencyServer, ScriptedChatModel, ServerReply
from pydantic import Field

from .conftest import ASKED, always, both, run, soon, until
from .test_faults import AT_ONCE, Script, asked, assert_only_a_failed, calls, graph, statuses

HANG = ServerReply(hang=True)
SHORT = 1.5  # Long enough for a call that is well.


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Options for a solver that waits so long for a reply, by one of the ways to say so."""

    def options(
        how_said: str, url: str, role: str = "solver", seconds: float = SHORT
    ) -> dict[str, Any]:
        if how_said == "call_timeout":
            return {role: f"openai:{role}@{url}", "call_timeout": seconds}
        config = tmp_path / "config.toml"
        config.write_text(f'[models.desk]\nref = "openai:{role}@{url}"\ntimeout = {seconds}\n')
        monkeypatch.setenv("DECOMPOSE_CONFIG", str(config))
        return {role: "desk"}

    return options


by_either = pytest.mark.parametrize("how_said", ["table", "call_timeout"])


@both
@by_either
def test_a_reply_that_hangs_once_is_asked_again(how: str, how_said: str, impatient: Any) -> None:
    with LatencyServer(Script(A=[HANG])) as server:
        begin = time.monotonic()
        result = run(how, graph(server, **impatient(how_said, server.url)))
        assert result["status"] == "ok"
        assert result["answers"][0]["usage"][0]["calls"] == asked(server).count("A") == 2
        again = [c for c in server.calls if "Step to answer now: A?" in c.prompt][1]
        assert again.received - begin >= SHORT
        assert soon(lambda: server.in_flight == 0)


@pytest.mark.parametrize(("how", "how_said"), [("sync", "table"), ("async", "call_timeout")])
def test_a_reply_that_always_hangs_is_a_gap_in_time(
    how: str, how_said: str, impatient: Any
) -> None:
    with LatencyServer(Script(A=HANG)) as server:
        # By its table, only the model that hangs is impatient.
        options = impatient(how_said, server.url, seconds=0.5 if how_said == "table" else SHORT)
        solvers = {"slow": options["solver"], "quick": f"openai:solver@{server.url}"}
        options |= {"solver": solvers, "route": lambda n: "slow" if n.id == 1 else "quick"}
        begin = time.perf_counter()
        result = run(how, graph(server, **options))
        # Three attempts with two pauses, at most 0.38 and 0.75 s.
        assert time.perf_counter() - begin < 3 * SHORT + 1.2 + 20
        row = assert_only_a_failed(result, server)
        assert "Timeout" in row["error"]["type"]
        assert row["error"]["transient"] is True
        assert soon(lambda: server.in_flight == 0)


@both
def test_a_longer_call_timeout_beats_the_table_s(how: str, impatient: Any) -> None:
    slow: Any = {"latency": lambda prompt: 0.3 if "Step to answer now" in prompt else 0.0}
    with LatencyServer(Script("#1 A?"), **slow) as server:
        options = impatient("table", server.url, seconds=0.1)
        result = run(how, graph(server, **options, call_timeout=30))
        assert result["status"] == "ok"
        assert asked(server) == ["plan", "A", "end"]


class Dripping:
    """A server whose first reply comes a byte now and then, for ever; the next ones are 404."""

    def __init__(self, head: bytes) -> None:
        self.head = b"HTTP/1.1 200 OK\r\n" + head
        self.dripping, self.ended = 0, threading.Event()

    def answer(self, connection: socket.socket, first: bool) -> None:
        with suppress(OSError), connection:
            connection.recv(65536)
            if not first:
                connection.sendall(b"HTTP/1.1 404 \r\ncontent-length: 0\r\n\r\n")
                return
            self.dripping = 1
            connection.sendall(self.head)
            while not self.ended.wait(0.03):
                connection.sendall(b" ")
        self.dripping -= first

    @contextmanager
    def serving(self) -> Iterator[str]:
        def accept() -> None:
            with suppress(OSError):
                for number in itertools.count():
                    connection = listener.accept()[0]
                    threading.Thread(target=self.answer, args=(connection, not number)).start()

        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=accept, daemon=True).start()
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
            finally:
                self.ended.set()
                listener.shutdown(socket.SHUT_RDWR)


DRIPPING_BODY = b"content-type: application/json\r\ncontent-length: 1000000\r\n\r\n"


@both
@by_either
def test_a_reply_that_drips_for_ever_is_given_up_in_time(
    how: str, how_said: str, impatient: Any
) -> None:
    slow = Dripping(DRIPPING_BODY)
    with LatencyServer(Script()) as server, slow.serving() as url:
        options = impatient(how_said, url)
        solvers = {"slow": options["solver"], "quick": f"openai:solver@{server.url}"}
        options |= {"solver": solvers, "route": lambda n: "slow" if n.id == 1 else "quick"}
        begin = time.perf_counter()
        result = run(how, graph(server, **options))
        assert SHORT <= time.perf_counter() - begin < SHORT + 20
        assert statuses(result) == ["failed", "ok", "skipped", "ok"]
        [row] = result["answers"][0]["usage"]
        assert row["calls"] == 2
        assert "404" in result["answers"][0]["error"]["message"]
        assert soon(lambda: slow.dripping == 0)


@pytest.mark.parametrize(("how", "how_said"), [("async", "table"), ("sync", "call_timeout")])
def test_a_head_that_drips_for_ever_is_given_up_in_time(
    how: str, how_said: str, impatient: Any
) -> None:
    with LatencyServer(Script("#1 A?")) as server, Dripping(b"x-head: ").serving() as url:
        begin = time.perf_counter()
        result = run(how, graph(server, **impatient(how_said, url)))
        assert SHORT <= time.perf_counter() - begin < SHORT + 20
        assert result["status"] == "failed"
        assert result["answers"][0]["usage"][0]["calls"] == 2


@pytest.mark.parametrize(("how", "how_said"), [("sync", "table"), ("async", "call_timeout")])
def test_an_end_that_streams_for_ever_is_given_up_in_time(
    how: str, how_said: str, impatient: Any
) -> None:
    slow = Script(end=["word\n" * 1000])
    with LatencyServer(slow, line_latency=lambda line: 0.05 if "word" in line else 0.0) as server:
        begin = time.perf_counter()
        result = run(how, graph(server, **impatient(how_said, server.url, "composer")))
        assert SHORT <= time.perf_counter() - begin < SHORT + 20
        assert (result["status"], result["answer"]) == ("ok", "the end")
        assert calls(result) == len(server.calls) == 7
        assert soon(lambda: server.in_flight == 0)


@both
def test_an_end_that_never_comes_loses_no_answers(how: str) -> None:
    down = ServerReply("down", status=503, headers=AT_ONCE)
    with LatencyServer(Script(end=down)) as server:
        result = run(how, graph(server))
        assert (result["status"], result["answer"]) == ("failed", None)
        assert statuses(result) == ["ok"] * 4
        assert result["warnings"][0].startswith("the composer failed: ")
        assert calls(result) == len(server.calls) == 8


def asking(inner: Any) -> Callable[[str], str]:
    """A function that asks a graph."""
    return lambda prompt: str(inner.invoke(ASKED)["answer"])


@pytest.mark.parametrize(
    ("options", "begun", "around"),
    [
        ({"verify": "subquestions"}, 1, None),
        ({"strategy": "escalate", "ladder": [{"strategy": "dag", "samples": 2}]}, 2, None),
        ({"strategy": "sequential"}, 1, lambda inner: inner),
        ({"strategy": "sequential"}, 1, asking),
    ],
    ids=["dag", "escalate", "graph in a graph", "graph in a function"],
)
def test_after_ctrl_c_no_thread_asks_anything_more(options: Any, begun: int, around: Any) -> None:
    interrupted, prompts, number = threading.Event(), list[str](), count(1)

    def solve(prompt: str) -> str:
        prompts.append(prompt)
        if next(number) == begun:  # One thread alone: a second Ctrl-C would end the ending.
            time.sleep(0.2)  # Whoever waits in this moment hears it; a lock just before doesn't.
            os.kill(os.getpid(), signal.SIGINT)
        interrupted.wait(30)
        return "x"

    threads, before = {*threading.enumerate()}, signal.getsignal(signal.SIGINT)
    planner = always("#1 A?\n#2 B? <- #1")
    inner = outer = create_decomposition_graph(solve, decomposer=planner, **options)
    if around:
        outer = create_decomposition_graph(around(inner), decomposer=planner)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            outer.invoke(ASKED)
    finally:
        signal.signal(signal.SIGINT, before)
        interrupted.set()
    assert soon(lambda: {*threading.enumerate()} <= threads)
    assert len(prompts) == begun


async def cancelled(server: LatencyServer, running: Any, when: Callable[[], bool]) -> None:
    """Cancel a run in the middle: it ends at once, and the server is left alone."""
    task = asyncio.create_task(running)
    await until(when)
    begin = time.perf_counter()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.perf_counter() - begin < 20
    await until(lambda: server.in_flight == 0)
    asked_so_far = len(server.calls)
    await asyncio.sleep(0.3)
    assert len(server.calls) == asked_so_far


@pytest.mark.parametrize("strategy", ["dag", "direct"])
async def test_cancelling_ends_a_graph_that_a_function_asks(strategy: Any) -> None:
    given_up, ended, prompts = threading.Event(), threading.Event(), list[str]()

    def solve(prompt: str) -> str:
        prompts.append(prompt)
        given_up.wait(30)
        return "x"

    def ask(prompt: str) -> str:
        try:
            return asking(inner)(prompt)
        finally:
            ended.set()

    planner = always("#1 A?\n#2 B? <- #1")
    inner = create_decomposition_graph(solve, decomposer=planner)
    outer = create_decomposition_graph(ask, decomposer=planner, strategy=strategy)
    task = asyncio.create_task(outer.ainvoke(ASKED))
    await until(lambda: bool(prompts))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    given_up.set()
    await until(ended.is_set)
    assert len(prompts) == 1


async def test_cancelling_in_the_middle_of_a_plan_ends_every_call() -> None:
    with LatencyServer(Script(A=HANG, B=HANG)) as server:
        running = graph(server).ainvoke(ASKED)
        await cancelled(server, running, lambda: server.in_flight == 2)
        assert sorted(asked(server)) == ["A", "B", "plan"]


async def test_cancelling_while_the_plan_streams_ends_the_stream_too() -> None:
    half = ServerReply("#1 A?\n#2 B?\n", hang=True)
    with LatencyServer(Script(half, A=HANG, B=HANG)) as server:
        running = graph(server).ainvoke(ASKED)
        await cancelled(server, running, lambda: server.in_flight == 3)


async def test_cancelling_in_a_pause_before_a_retry_ends_it() -> None:
    busy = ServerReply("slow down", status=429, headers=(("Retry-After", "30"),))
    with LatencyServer(Script(A=busy, B=busy)) as server:
        running = graph(server).ainvoke(ASKED)
        await cancelled(server, running, lambda: len(server.calls) == 3 and not server.in_flight)


async def test_a_cancelled_run_gives_its_places_back() -> None:
    with LatencyServer(Script(A=[HANG])) as server:
        asking = graph(server, max_concurrency=1)
        # B waits for the one place, which A has.
        await cancelled(server, asking.ainvoke(ASKED), lambda: asked(server) == ["plan", "A"])
        result = await asyncio.wait_for(asking.ainvoke(ASKED), 30)
        assert result["status"] == "ok"


async def test_a_run_that_is_waited_for_with_a_timeout_ends_then() -> None:
    with LatencyServer(Script(A=HANG)) as server:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(graph(server).ainvoke(ASKED), 0.5)
        await until(lambda: server.in_flight == 0)


class Streamed(ScriptedChatModel):
    """Tells a first reply so slowly that it is given up, and then another at once."""

    slow: list[str]
    quick: list[str]
    begun: list[int] = Field(default_factory=list)

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        self.begun.append(1)
        first = len(self.begun) == 1
        for text in self.slow if first else self.quick:
            yield ChatGenerationChunk(message=AIMessageChunk(text))
            time.sleep(0.25 if first else 0.1)


def test_a_plan_that_nobody_waits_for_any_more_is_not_solved() -> None:
    slow = [f"#{n} Old {n}?\n" for n in range(1, 9)]
    planner = Streamed(replies=[], slow=slow, quick=[f"#{n} New {n}?\n" for n in range(1, 5)])
    asked: list[str] = []

    def solve(prompt: str) -> str:
        asked.append(prompt.rpartition("now: ")[2])
        return "x"

    result = create_decomposition_graph(
        solve, decomposer=planner, composer=lambda _: "end", call_timeout=1
    ).invoke({"question": "All?"})
    assert [line["text"] for line in result["plan"]] == [f"New {n}?" for n in range(1, 5)]
    assert len(set(asked)) == len(asked), "no line is paid for twice"
    assert "Old 8?" not in asked


def test_an_answer_that_nobody_waits_for_any_more_is_not_told() -> None:
    said = ["old "] * 12
    composer = Streamed(replies=[], slow=said, quick=["new ", "one ", "and ", "answer"])
    asking = create_decomposition_graph(
        lambda _: "x", decomposer=lambda _: "#1 A?\n#2 B?", composer=composer, call_timeout=1
    )
    events = list(asking.stream({"question": "All?"}, stream_mode="custom"))
    told = [event for event in events if event["type"].startswith("decompose.composer")]
    begins = [event["type"] for event in told].index("decompose.composer.restarted")
    assert begins <= 6
    assert "".join(event["text"] for event in told[begins + 1 :]) == "new one and answer"


class CancelsItself(ScriptedChatModel):
    """A client that cancels the task that it runs in."""

    async def _astream(self, *_: Any, **__: Any) -> Any:
        task = asyncio.current_task()
        assert task
        task.cancel()
        await asyncio.sleep(0)
        yield ChatGenerationChunk(message=AIMessageChunk("atomic"))


async def test_a_model_that_cancels_its_own_task_is_not_waited_for() -> None:
    asking = create_decomposition_graph(lambda _: "x", decomposer=CancelsItself(replies=[]))
    with pytest.raises(RuntimeError, match="cancelled the task that it runs in"):
        await asyncio.wait_for(asking.ainvoke({"question": "All?"}), 30)
