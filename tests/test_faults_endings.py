"""A reply that didn't end by itself is no answer, in whatever words a provider says so."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langgraph_decompose import create_decomposition_graph
from langgraph_decompose.testing import ScriptedChatModel

from .conftest import always, both

PLAN = "#1 Who directed Jaws?\n#2 Who is the spouse of #1? <- #1"
QUESTION = "Who is the spouse of the director of Jaws?"
CUT_OFF: dict[str, dict[str, Any]] = {
    "OpenAI": {"finish_reason": "length"},
    "OpenAI's Responses": {
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
    },
    "Anthropic": {"stop_reason": "max_tokens"},
    "Anthropic, a full context": {"stop_reason": "model_context_window_exceeded"},
    "Bedrock": {"stopReason": "max_tokens"},
    "Google": {"finish_reason": "MAX_TOKENS"},
    "Mistral": {"finish_reason": "model_length"},
    "Ollama": {"done_reason": "length"},
}
FILTERED: dict[str, dict[str, Any]] = {
    "OpenAI": {"finish_reason": "content_filter"},
    "OpenAI's Responses": {
        "status": "incomplete",
        "incomplete_details": {"reason": "content_filter"},
    },
    "Bedrock": {"stopReason": "content_filtered"},
    "Google": {"finish_reason": "SAFETY"},
    "Google, of a text that it knows": {"finish_reason": "RECITATION"},
    "Google, of a word": {"finish_reason": "PROHIBITED_CONTENT"},
    "Bedrock's guardrail": {"stopReason": "guardrail_intervened"},
    "Z.ai": {"finish_reason": "sensitive"},
}


def says(reply: Any, **metadata: Any) -> ScriptedChatModel:
    message = AIMessage(reply, response_metadata=metadata) if metadata else reply
    return always(message)


def run(how: str, solver: Any, **models: Any) -> Any:
    roles = {"decomposer": says(PLAN), "composer": says("the end"), **models}
    graph = create_decomposition_graph(solver, **roles)
    asked = {"question": QUESTION}
    return graph.invoke(asked) if how == "sync" else asyncio.run(graph.ainvoke(asked))


@both
@pytest.mark.parametrize("provider", CUT_OFF)
def test_what_was_cut_off_is_used_by_no_role(how: str, provider: str) -> None:
    ending = CUT_OFF[provider]
    first, _ = run(how, says("Steven Spi", **ending))["answers"]
    assert (first["answer"], first["status"]) == (None, "failed")
    assert first["error"]["message"] == "the solver's reply was cut off at its token limit"
    planned = run(how, says("x"), decomposer=says(PLAN[:30], **ending))
    assert planned["plan_source"] == "undivided"
    assert "it was cut off at the token limit" in planned["warnings"][0]
    composed = run(how, says("x"), composer=says("the e", **ending))
    assert composed["answer"] is None
    assert "the composer's reply was cut off at its token limit" in composed["warnings"][0]


@both
@pytest.mark.parametrize("provider", FILTERED)
def test_what_a_filter_stopped_says_that(how: str, provider: str) -> None:
    first, _ = run(how, says("Steven Spi", **FILTERED[provider]))["answers"]
    assert first["error"]["message"] == "ScriptedChatModel's reply was stopped by a content filter"
    assert first["usage"][0]["calls"] == 1, "it was paid for"


@both
@pytest.mark.parametrize(
    "reason", ["error", "abort", "insufficient_system_resource", "network_error", "other"]
)
def test_what_a_server_broke_off_is_no_answer(how: str, reason: str) -> None:
    first, _ = run(how, says("Steven Spi", finish_reason=reason))["answers"]
    assert (first["answer"], first["status"]) == (None, "failed")
    assert first["error"]["message"] == f"ScriptedChatModel's reply broke off: {reason}"
    assert first["usage"][0]["calls"] == 1, "it was paid for"


@both
def test_a_model_that_thought_up_to_its_limit_is_said_to_be_cut_off(how: str) -> None:
    first, _ = run(how, says("<think>Well, ", finish_reason="length"))["answers"]
    assert first["error"]["type"] == "CutOffReplyError"
    assert "was cut off at its token limit, before any answer" in first["error"]["message"]


@both
def test_an_ending_of_another_shape_is_no_error(how: str) -> None:
    assert run(how, says("x", finish_reason=["stop"], incomplete_details=[]))["status"] == "ok"


CALLING = AIMessage(
    "Let me look that up.", tool_calls=[{"name": "search", "args": {"q": "Jaws"}, "id": "1"}]
)
ASKED_FOR = "ScriptedChatModel asked for the tool 'search' instead of answering; make a model"


@both
@pytest.mark.parametrize("beside", ["Let me look that up.", ""])
def test_what_a_model_says_while_it_calls_a_tool_is_no_answer(how: str, beside: str) -> None:
    calling = says(CALLING.model_copy(update={"content": beside}))
    first, _ = run(how, calling)["answers"]
    assert (first["answer"], first["status"]) == (None, "failed")
    assert first["error"]["message"].startswith(ASKED_FOR)
    streamed = run(how, says("x"), composer=calling)
    assert streamed["answer"] is None
    assert ASKED_FOR in streamed["warnings"][0]


class Responses(BaseHTTPRequestHandler):
    """OpenAI's Responses API: it ends every reply in the middle."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = {"type": "output_text", "text": PLAN[:30], "annotations": []}
        message = {"type": "message", "id": "1", "role": "assistant", "status": "incomplete"}
        response: dict[str, Any] = {
            "id": "1",
            "object": "response",
            "created_at": 0,
            "model": asked["model"],
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
            "output": [{**message, "content": [text]}],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }
        if asked.get("stream"):
            events = [
                {"type": "response.output_text.delta", "delta": PLAN[:30], "logprobs": []}
                | {"item_id": "1", "output_index": 0, "content_index": 0, "sequence_number": 0},
                {"type": "response.incomplete", "response": response, "sequence_number": 1},
            ]
            self._send("text/event-stream", "".join(f"data: {json.dumps(e)}\n\n" for e in events))
        else:
            self._send("application/json", json.dumps(response))

    def _send(self, kind: str, body: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def responses() -> Iterator[ChatOpenAI]:
    """A model that is asked through the Responses API, as langchain_openai does for some."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Responses)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    yield ChatOpenAI(model="m", base_url=url, api_key="none", use_responses_api=True)  # type: ignore[arg-type]
    server.shutdown()
    server.server_close()


@both
def test_the_responses_api_of_openai_is_understood(how: str, responses: ChatOpenAI) -> None:
    result = run(how, responses, decomposer=responses)
    assert (result["status"], result["plan_source"]) == ("failed", "undivided")
    assert [row["error"]["type"] for row in result["answers"]] == ["CutOffReplyError"]
