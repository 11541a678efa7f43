"""Retries: for what may pass, a few times, at the pace the server asks for, and counted."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from langgraph_decompose import create_decomposition_graph
from langgraph_decompose.errors import UserError, is_transient
from langgraph_decompose.nodes.replies import is_final
from langgraph_decompose.nodes.retry import pause_before_retry

from .conftest import RecordingServer, both


def ask(server: RecordingServer, how: str = "async") -> dict[str, Any]:
    graph = create_decomposition_graph(f"openai:m@{server.url}", strategy="direct")
    if how == "sync":
        return graph.invoke({"question": "6 * 7?"})
    return asyncio.run(graph.ainvoke({"question": "6 * 7?"}))


@both
@pytest.mark.parametrize("status", [408, 429, 498, 500, 503, 520, 524])
def test_what_may_pass_is_asked_again_and_counted(
    openai_server: RecordingServer, status: int, how: str
) -> None:
    openai_server.replies = [(status, "not now")]
    result = ask(openai_server, how)
    assert result["answer"] == "42"
    assert result["usage"][0]["calls"] == len(openai_server.requests) == 2


def test_a_server_that_loads_its_model_is_given_half_a_minute(
    openai_server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As llama-server answers for its first seconds."""
    error = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
    openai_server.replies = [(503, json.dumps(error))] * 2
    pauses: list[float | None] = []

    def noted(error: BaseException, attempt: int) -> float:
        pauses.append(pause_before_retry(error, attempt))
        return 0.0

    monkeypatch.setattr("langgraph_decompose.nodes.call_attempts.pause_before_retry", noted)
    assert ask(openai_server)["answer"] == "42"
    assert pauses == [5.0, 25.0]


@pytest.mark.parametrize("when", ["Mon, 01 Jan 2026 00:00:00 +9999999999999", "soon"])
def test_a_retry_after_that_is_no_time_is_passed_over(
    openai_server: RecordingServer, when: str
) -> None:
    openai_server.replies = [(429, "slow down", {"Retry-After": when})]
    assert ask(openai_server)["answer"] == "42"


class Refused(Exception):
    """An error with the response that caused it, as HTTP clients raise it."""

    def __init__(self, status: int, retry_after: str = "") -> None:
        from types import SimpleNamespace

        self.status_code = status
        self.response = SimpleNamespace(headers={"retry-after": retry_after})


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [("0", 0, 0), ("7", 7, 7), ("99999", 60, 60), ("soon", 0.2, 0.4), ("-5", 0, 0),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0), ("Wed, 21 Oct 2065 07:28:00 GMT", 60, 60)],
)  # fmt: skip
def test_a_server_s_word_is_bounded(retry_after: str, least: float, most: float) -> None:
    pause = pause_before_retry(Refused(429, retry_after), attempt=1)
    assert pause is not None
    assert least <= pause <= most


@pytest.mark.parametrize(
    ("words", "pause"),
    [("Please retry in 34.074824224s.", 34.07), ("Please try again in 86ms.", 0.086),
     ("Please try again in 1m2.5s.", 60), ("Please retry after 20 seconds.", 20)],
)  # fmt: skip
def test_a_pause_that_is_asked_for_in_words_is_kept_to(words: str, pause: float) -> None:
    error: Any = RuntimeError(words)
    error.status_code = 429
    assert pause_before_retry(error, attempt=1) == pytest.approx(pause, abs=0.01)


def test_the_pause_that_google_asks_for_is_kept_to(openai_server: RecordingServer) -> None:
    """Its interface of OpenAI's shape sends no Retry-After, and in place of an object a list."""
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.9s"}
    openai_server.replies = [(429, [{"error": {"code": 429, "details": [info]}}])]
    begin = time.perf_counter()
    assert ask(openai_server)["answer"] == "42"
    assert 0.9 <= time.perf_counter() - begin < 20


def of_aws(code: str, status: int) -> Exception:
    """An error as botocore raises it: its response is a dict."""
    error: Any = type(code, (Exception,), {})(code)
    error.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return error


def of_google(code: int) -> Exception:
    """An error as `ChatGoogleGenerativeAI` raises it: only its cause says what it was."""
    error: Any = RuntimeError(f"Error calling model: {code}")
    error.__cause__ = cause = type("ClientError", (Exception,), {"code": code})()
    assert cause.code == code
    return error


def of_anthropic(kind: str) -> Exception:
    """An error as Anthropic's client raises it in the middle of a stream, whose status was 200."""
    error: Any = type("APIStatusError", (Exception,), {"status_code": 200})(kind)
    error.body = {"type": "error", "error": {"type": kind, "message": "sorry"}}
    return error


def refused_with_400(message: str) -> Exception:
    return type("BadRequestError", (Exception,), {"status_code": 400})(message)


@pytest.mark.parametrize(
    ("error", "transient"),
    [(of_aws("ThrottlingException", 429), True), (of_aws("ModelNotReadyException", 429), True),
     (of_aws("ValidationException", 400), False), (of_google(429), True), (of_google(404), False),
     (type("Busy", (Exception,), {"status_code": 503, "response": {"detail": "busy"}})(), True),
     (type("ServerDisconnectedError", (Exception,), {})(), True),
     (of_anthropic("overloaded_error"), True), (of_anthropic("invalid_request_error"), False)],
)  # fmt: skip
def test_which_errors_of_other_clients_may_pass(error: Exception, transient: bool) -> None:
    assert is_transient(error) is transient


@pytest.mark.parametrize(
    ("error", "transient"),
    [(TimeoutError(), True), (ConnectionResetError(), True), (Refused(429), True),
     (Refused(401), False), (ValueError("x"), False), (ValueError("code: 7"), False),
     (ValueError({"message": "x", "code": 502}), True), (ValueError({"code": 400}), False),
     (ValueError("code='server_error' message='x'"), True), (ValueError("bio_policy: x"), False),
     (ValueError("server_error: x"), True), (ValueError("an error: x (code: 429)"), True),
     (UserError("x"), False), (OSError(), False),
     (ExceptionGroup("2 tasks", [ExceptionGroup("1", [TimeoutError()]), OSError()]), True)],
)  # fmt: skip
def test_which_errors_may_pass(error: Exception, transient: bool) -> None:
    assert is_transient(error) is transient


@pytest.mark.parametrize(
    ("error", "final"),
    [(Refused(401), False), (Refused(402), False), (of_aws("AccessDeniedException", 403), False),
     (of_aws("ValidationException", 400), True), (ValueError("x"), True),
     (refused_with_400("API key not valid. Please pass a valid API key."), False),
     (refused_with_400("Incorrect API key provided: sk***k1."), False),
     (refused_with_400("no such parameter"), True)],
)  # fmt: skip
def test_a_refused_key_is_not_kept_as_an_answer_whatever_its_error_is_called(
    error: Exception, final: bool
) -> None:
    assert is_final(error, "solver") is final
