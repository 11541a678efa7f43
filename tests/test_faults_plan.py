"""Plans that break off, can't be read or can't be run."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from langgraph_decompose import UserError, solver_node
from langgraph_decompose.graphs.state import DecompositionState
from langgraph_decompose.models.http_clients import _Bound, _Events
from langgraph_decompose.testing import LatencyServer, ServerReply

from .conftest import ASKED, THREAD, both, run
from .test_faults import PLAN, Script, asked, calls, graph

EVENTS = (("Content-Type", "text/event-stream"), ("Connection", "close"))


def event(text: str) -> bytes:
    """A part of a streamed reply."""
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    completion = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    return b"data: " + json.dumps({**completion, "choices": [choice]}).encode() + b"\n\n"


TWO_LINES = event("#1 A?\n") + event("#2 B?\n")
TROUBLE = b'data: {"error": {"message": "The engine is overloaded", "code": 503}}\n\n'

BROKEN_OFF = {
    "connection lost": ServerReply("#1 A?\n#2 B?\n", drop=True),
    # Where a reply ends with its connection, a lost one looks like the end.
    "end missing": ServerReply(raw=TWO_LINES, headers=EVENTS),
    "error in the stream": ServerReply(raw=TWO_LINES + TROUBLE, headers=EVENTS),
}


@both
@pytest.mark.parametrize("fault", BROKEN_OFF)
def test_a_plan_that_breaks_off_is_asked_for_again_but_not_its_lines(how: str, fault: str) -> None:
    with LatencyServer(Script([BROKEN_OFF[fault], PLAN])) as server:
        result = run(how, graph(server))
        assert result["status"] == "ok"
        assert len(result["plan"]) == 4
        assert sorted(asked(server)) == ["A", "B", "C", "D", "end", "plan", "plan"]
        assert calls(result) == len(server.calls)


@both
def test_a_stream_of_too_many_small_events_is_given_up(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langgraph_decompose.models.http_clients.MAX_BODY_BYTES", 10_000)
    endless = ServerReply(raw=event("#1 A?") + event(" ") * 200, headers=EVENTS)
    with LatencyServer(Script([endless, PLAN])) as server:
        result = run(how, graph(server))
        assert (result["status"], result["plan_source"]) == ("ok", "repaired")
        assert "over 10,000 bytes" in result["warnings"][0]


def test_the_end_of_a_stream_is_found_however_it_is_cut_into_parts() -> None:
    """What is taken for a broken reply is asked for, and paid for, again."""
    parts = [event("#1 A?"), b"data: [DO", b"NE]\n\n"]
    request = httpx.Request("POST", "http://127.0.0.1/v1")
    response = httpx.Response(200, content=iter(parts), request=request)
    assert [*_Events(response, _Bound(request))] == parts


@both
def test_an_event_that_is_too_long_is_given_up(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langgraph_decompose.models.http_clients.MAX_EVENT_BYTES", 100_000)
    long = ServerReply(raw=event("#1 A?" + "x" * 900_000), headers=EVENTS)
    with LatencyServer(Script([long, PLAN])) as server:
        result = run(how, graph(server))
        assert (result["status"], result["plan_source"]) == ("ok", "repaired")
        assert "an event of the server's has over 100,000 bytes" in result["warnings"][0]


@both
def test_a_redirect_s_own_body_is_not_read(how: str) -> None:
    where = (("Location", "/v1/chat/completions"),)
    away = ServerReply(status=307, headers=where, raw=b"x" * 30_000_000)
    with LatencyServer(Script([away, PLAN])) as server:
        result = run(how, graph(server))
        assert (result["status"], result["plan_source"]) == ("ok", "model")
        assert [call.delivered for call in server.calls[:2]] == [False, True]


@both
@pytest.mark.parametrize("packing", ["gzip, gzip", "zstd"])
def test_what_may_unpack_to_anything_stays_packed(how: str, packing: str) -> None:
    bomb = gzip.compress(gzip.compress(b"0" * 30_000_000))
    packed = ServerReply(raw=bomb, headers=(("Content-Encoding", packing),))
    with LatencyServer(Script([packed, PLAN])) as server:
        result = run(how, graph(server))
        assert "isn't a completion" in result["warnings"][0]
        assert {call.headers["accept-encoding"] for call in server.calls} == {"gzip, deflate"}


@both
@pytest.mark.parametrize("packing", ["none", "utf-8"])
def test_a_stream_with_a_packing_that_is_none_is_read_as_it_comes(how: str, packing: str) -> None:
    headers = (*EVENTS, ("Content-Encoding", packing))
    said = ServerReply(raw=TWO_LINES + b"data: [DONE]\n\n", headers=headers)
    with LatencyServer(Script([said])) as server:
        result = run(how, graph(server))
        assert (len(result["plan"]), result["warnings"]) == (2, [])


@both
def test_lines_of_a_broken_off_plan_that_now_read_differently_are_asked_anew(how: str) -> None:
    again = ServerReply("#1 A?\n#2 X? <- #1\n")
    with LatencyServer(Script([BROKEN_OFF["connection lost"], again])) as server:
        result = run(how, graph(server))
        assert result["status"] == "ok"
        assert [row["answer"] for row in result["answers"]] == ["answer to A", "answer to X"]
        assert sorted(asked(server)) == ["A", "B", "X", "end", "plan", "plan"]


@both
def test_a_server_that_does_not_stream_is_understood(how: str) -> None:
    message = {"role": "assistant", "content": PLAN}
    plain = {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
    }
    with LatencyServer(Script(ServerReply(raw=json.dumps(plain).encode()))) as server:
        result = run(how, graph(server))
        assert server.calls[0].body["stream"] is True
        assert result["status"] == "ok"
        assert [row["answer"] for row in result["answers"]][3] == "answer to D"
        [planning] = [row for row in result["usage"] if row["role"] == "decomposer"]
        assert (planning["input_tokens"], planning["output_tokens"]) == (7, 5)


CANNOT_BE_READ = {
    "prose": "I can't split this",
    "nothing": " \n",
    "cut off": ServerReply("#1 A?\n#2 B", finish_reason="length"),
    "a line that needs a later one": "#1 A? <- #2\n#2 B?",
    "too long": "\n".join(f"#{n} A{n}?" for n in range(1, 10)),
}


@both
@pytest.mark.parametrize("plan", CANNOT_BE_READ)
def test_a_plan_that_cannot_be_read_is_repaired(how: str, plan: str) -> None:
    with LatencyServer(Script([CANNOT_BE_READ[plan], PLAN])) as server:
        result = run(how, graph(server))
        assert (result["status"], result["plan_source"]) == ("ok", "repaired")
        assert [row["text"] for row in result["plan"]] == ["A?", "B?", "C?", "D?"]
        assert len(result["warnings"]) == 1
        assert [row["answer"][-1] for row in result["answers"]] == ["A", "B", "C", "D"]
        _, again = [call.prompt for call in server.calls if call.body["model"] == "planner"]
        assert "could not be used" in again


@both
@pytest.mark.parametrize("plan", ["prose", "cut off", "too long"])
def test_a_plan_that_cannot_be_repaired_leaves_the_question_whole(how: str, plan: str) -> None:
    with LatencyServer(Script(CANNOT_BE_READ[plan])) as server:
        result = run(how, graph(server))
        assert (result["status"], result["plan_source"]) == ("ok", "undivided")
        assert result["answer"] == "answer to whole"
        assert (result["plan"], [row["id"] for row in result["answers"]]) == ([], [0])
        assert result["warnings"][-1] == "the question is answered undivided"
        assert asked(server).count("plan") == 2
        assert "end" not in asked(server)


NO_COMPLETION = {
    "a page": ServerReply(raw=b"<html>Welcome", headers=(("Content-Type", "text/html"),)),
    "50 MB": ServerReply(raw=b"x" * 50_000_000),
    "50 MB in one event": ServerReply(raw=b"data: " + b"x" * 50_000_000, headers=EVENTS),
}


@both
@pytest.mark.parametrize("reply", NO_COMPLETION)
def test_a_planner_that_is_no_model_leaves_the_question_whole(how: str, reply: str) -> None:
    with LatencyServer(Script(NO_COMPLETION[reply])) as server:
        result = run(how, graph(server))
        assert (result["status"], result["plan_source"]) == ("ok", "undivided")
        assert calls(result) == len(server.calls)


@both
@pytest.mark.parametrize("needs", [[[2], [1]], [[2], []]], ids=str)
def test_an_edited_plan_that_goes_round_in_circles_is_refused_unasked(how: str, needs: Any) -> None:
    plan = [{"id": n, "text": f"{n}?", "needs": list(k)} for n, k in enumerate(needs, 1)]
    with LatencyServer(Script()) as server:
        builder = StateGraph(DecompositionState)
        builder.add_node("solver", solver_node(f"openai:solver@{server.url}"))
        builder.add_edge(START, "solver")
        with pytest.raises(
            UserError, match="the plan can't be run: .*#1 needs #2, which isn't an earlier line"
        ):
            run(how, builder.compile(), {"question": "All?", "plan": plan})
        assert server.calls == []


CIRCLE = [{"id": 1, "text": "A?", "needs": [2]}, {"id": 2, "text": "B?", "needs": [1]}]


@both
@pytest.mark.parametrize("edited", ["#1 A? <- #2\n#2 B?", CIRCLE, "#1 A? <- #1", ""], ids=str)
def test_in_review_a_plan_that_cannot_run_is_asked_for_again(how: str, edited: Any) -> None:
    with LatencyServer(Script()) as server:
        reviewed = graph(server, review=True, checkpointer=InMemorySaver())
        first = run(how, reviewed, ASKED, THREAD)["__interrupt__"][0].value
        assert "error" not in first
        again = run(how, reviewed, Command(resume=edited), THREAD)["__interrupt__"][0].value
        assert again["error"]
        assert again["plan"] == first["plan"]
        assert asked(server) == ["plan"]
        result = run(how, reviewed, Command(resume="#1 A?\n#2 X? <- #1"), THREAD)
        assert (result["status"], result["plan_source"]) == ("ok", "edited")
        assert [row["answer"] for row in result["answers"]] == ["answer to A", "answer to X"]
        assert asked(server) == ["plan", "A", "X", "end"]
