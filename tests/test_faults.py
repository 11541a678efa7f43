"""One line of a plan goes wrong: the others are answered, nothing is lost, the status says so.

A real server on loopback plays all three roles. What else can go wrong is in the files
`test_faults_*.py`, which use the helpers of this one.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from email.utils import formatdate
from typing import Any

import pytest
from langgraph_decompose import create_decomposition_graph
from langgraph_decompose.testing import LatencyServer, ServerReply

from .conftest import both, run

PLAN = "#1 A?\n#2 B?\n#3 C? <- #1\n#4 D? <- #2"
AT_ONCE = (("Retry-After", "0"),)


class Script:
    """What a server says: the plan, an answer to each line by its letter, the end.

    A list is a reply for each call in turn; after its last one all is well.
    """

    def __init__(self, plan: Any = PLAN, end: Any = "the end", **lines: Any) -> None:
        self._said: dict[str, Any] = {"plan": plan, "end": end, **lines}
        self._lock = threading.Lock()

    def __call__(self, prompt: str, body: dict[str, Any]) -> Any:
        asked = topic(prompt, body)
        well = {"plan": PLAN, "end": "the end"}.get(asked, f"answer to {asked}")
        said = self._said.get(asked, well)
        if not isinstance(said, list):
            return said
        with self._lock:
            return said.pop(0) if said else well


def topic(prompt: str, body: dict[str, Any]) -> str:
    """What a request is about: `plan`, `end`, a line's letter, or `whole` for the question."""
    role = {"planner": "plan", "composer": "end"}.get(body["model"])
    line = prompt.rpartition("Step to answer now: ")
    return role or (line[2][0] if line[1] else "whole")


def asked(server: LatencyServer) -> list[str]:
    """What the server was asked, in order."""
    return [topic(call.prompt, call.body) for call in server.calls]


def graph(server: LatencyServer, **options: Any) -> Any:
    """A graph whose three roles are one server's models, unless options say otherwise."""
    named = {role: f"openai:{role}@{server.url}" for role in ("planner", "composer", "solver")}
    options = {"decomposer": named["planner"], "composer": named["composer"], **options}
    return create_decomposition_graph(options.pop("solver", named["solver"]), **options)


def calls(result: Any) -> int:
    """The calls that the result's usage counts."""
    return sum(row["calls"] for row in result["usage"])


def statuses(result: Any) -> list[str]:
    return [row["status"] for row in result["answers"]]


def assert_only_a_failed(result: Any, server: LatencyServer) -> dict[str, Any]:
    """All but A and C, which needs it, are in the result with what they took; returns A's row."""
    assert result["status"] == "partial"
    assert result["answer"] == "the end"
    assert statuses(result) == ["failed", "ok", "skipped", "ok"]
    failed, b, skipped, d = result["answers"]
    assert (b["answer"], d["answer"]) == ("answer to B", "answer to D")
    assert all(row["usage"][0]["output_tokens"] == 3 for row in (b, d))
    assert skipped["error"]["message"] == "it needs #1, which has no answer"
    assert calls(result) == len(server.calls)
    return failed


@both
def test_a_dropped_line_is_a_gap_that_may_pass(how: str) -> None:
    with LatencyServer(Script(A=ServerReply(drop=True))) as server:
        result = run(how, graph(server))
        row = assert_only_a_failed(result, server)
        assert "Server disconnected" in row["error"]["message"]
        assert row["error"]["transient"] is True
        assert row["usage"][0]["calls"] == asked(server).count("A") == 3
        told = server.calls[-1].prompt
        assert "#1 A?: no answer (can't connect" in told


@both
def test_a_solver_that_is_not_there_is_a_gap_that_may_pass(how: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as port:
        nowhere = f"openai:m@http://127.0.0.1:{port.getsockname()[1]}/v1"
    with LatencyServer(Script()) as server:
        solvers = {"up": f"openai:solver@{server.url}", "down": nowhere}
        result = run(
            how, graph(server, solver=solvers, route=lambda n: "down" if n.id == 1 else "up")
        )
        assert statuses(result) == ["failed", "ok", "skipped", "ok"]
        assert result["status"] == "partial"
        error = result["answers"][0]["error"]
        assert error["transient"] is True
        assert error["message"].startswith("can't connect to http://127.0.0.1:")
        assert asked(server) == ["plan", "B", "D", "end"]


@both
def test_with_every_line_down_there_is_no_answer_and_no_composer_call(how: str) -> None:
    down = ServerReply("down", status=503, headers=AT_ONCE)
    with LatencyServer(Script(A=down, B=down)) as server:
        result = run(how, graph(server))
        assert (result["status"], result["answer"]) == ("failed", None)
        assert statuses(result) == ["failed", "failed", "skipped", "skipped"]
        assert sorted(asked(server)) == ["A"] * 3 + ["B"] * 3 + ["plan"]
        assert calls(result) == 7
        assert result["answers"][0]["error"]["transient"] is True
        said = result["messages"][-1].text
        assert said.startswith("No answer; ")
        assert "down" in said


@pytest.mark.parametrize(("how", "form"), [("sync", "seconds"), ("async", "date")])
def test_a_server_s_retry_after_is_waited_for(how: str, form: str) -> None:
    promised: list[float] = []

    def busy(prompt: str, body: Any) -> Any:
        if topic(prompt, body) != "A" or promised:
            return Script()(prompt, body)
        # Dates have whole seconds; the monotonic clock is the server log's.
        due = int(time.time()) + 1.4 if form == "seconds" else int(time.time()) + 2
        pause = due - time.time()
        promised.append(time.monotonic() + pause)
        when = f"{pause:.3f}" if form == "seconds" else formatdate(due, usegmt=True)
        return ServerReply("slow down", status=429, headers=(("Retry-After", when),))

    with LatencyServer(busy) as server:
        result = run(how, graph(server))
        again = [call for call in server.calls if topic(call.prompt, call.body) == "A"][1]
        assert -0.01 < again.received - promised[0] < 20
        assert result["status"] == "ok"
        assert result["answers"][0]["usage"][0]["calls"] == 2
        assert calls(result) == len(server.calls) == 7


def told_with_status_200(status: int) -> ServerReply:
    """An error as OpenRouter sends it."""
    raw = json.dumps({"error": {"message": "not now", "code": status}}).encode()
    return ServerReply(raw=raw, headers=AT_ONCE)


@both
@pytest.mark.parametrize(
    "error",
    [
        ServerReply("not now", status=429, headers=AT_ONCE),
        ServerReply("not now", status=500, headers=AT_ONCE),
        told_with_status_200(429),
        told_with_status_200(502),
    ],
    ids=["429", "500", "429 within", "502 within"],
)
def test_what_passes_is_asked_again(how: str, error: ServerReply) -> None:
    with LatencyServer(Script(A=[error], end=[error])) as server:
        result = run(how, graph(server))
        assert result["status"] == "ok"
        assert asked(server).count("A") == asked(server).count("end") == 2
        assert calls(result) == len(server.calls) == 8


@both
def test_an_error_within_a_reply_that_does_not_pass_is_told(how: str) -> None:
    never = ServerReply(raw=b'{"error": {"message": "never", "code": 402}}')
    with LatencyServer(Script(A=never)) as server:
        row = assert_only_a_failed(run(how, graph(server)), server)
        assert row["error"]["message"].startswith("Error code: 402 - never")
        assert asked(server).count("A") == 1


@both
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_does_not_pass_is_asked_once(how: str, status: int) -> None:
    with LatencyServer(Script(A=ServerReply("never", status=status))) as server:
        row = assert_only_a_failed(run(how, graph(server)), server)
        assert row["error"]["transient"] is False
        assert "never" in row["error"]["message"]
        assert asked(server).count("A") == 1


LATIN1 = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "caf\xe9"}}]}'
HTML = (("Content-Type", "text/html"),)

UNUSABLE = {
    "cut off": (ServerReply("half an ans", finish_reason="length"), "cut off at its token limit"),
    "empty": (ServerReply(" \n"), "gave an empty reply"),
    "latin-1": (ServerReply(raw=LATIN1), "isn't a completion"),
    "a page": (ServerReply(raw=b"<html>Welcome", headers=HTML), "isn't a completion: '<html>"),
    "half": (ServerReply(raw=b'{"choices": ['), "isn't a completion"),
    "nothing": (ServerReply(raw=b""), "isn't a completion: ''"),
    "no choice": (ServerReply(raw=b'{"choices": []}'), "isn't a completion"),
    "50 MB": (ServerReply(raw=b"x" * 50_000_000), "over 20,000,000 bytes"),
    "5 MB": (ServerReply("long " * 1_000_000), "replied with 5,000,000 characters"),
}


@both
@pytest.mark.parametrize("reply", UNUSABLE)
def test_an_unusable_reply_is_a_gap_and_says_why(how: str, reply: str) -> None:
    said, why = UNUSABLE[reply]
    with LatencyServer(Script(A=said)) as server:
        begin = time.perf_counter()
        row = assert_only_a_failed(run(how, graph(server)), server)
        assert why in row["error"]["message"]
        assert row["error"]["transient"] is False
        assert time.perf_counter() - begin < 30
        [call] = [c for c in server.calls if topic(c.prompt, c.body) == "A"]
        assert call.delivered is (reply != "50 MB")
        # A reply that came in full was paid for, usable or not.
        assert row["usage"][0]["calls"] == 1
        if reply in ("cut off", "empty", "5 MB"):
            assert row["usage"][0]["input_tokens"] > 0
