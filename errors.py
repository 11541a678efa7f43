"""What can go wrong, sorted by whose move it is.

`UserError` is the caller's to mend: its message is one sentence that says what is wrong and
what to do (the CLI prints it and exits with 2). Everything else that a model or a service
raises is described by `describe_error`, which also says whether trying again may help.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


class UserError(ValueError):
    """A mistake in what the user gave; the message says what to do about it."""


class ModelFileError(UserError):
    """A model file that is missing, incomplete, no GGUF, or not usable here."""


class ModelReferenceError(UserError):
    """A model reference that names nothing that exists."""


class PromptTooLongError(UserError):
    """A prompt that doesn't fit the model's context; the message names the limit."""

    names_role = False
    """Whether the message says already which role's model it was."""


class MissingDependencyError(UserError):
    """An optional package that isn't installed; the message says how to install it."""


class ReplyError(RuntimeError):
    """A reply that came but can't be used; `usage` holds what it took all the same."""

    usage: tuple[Any, ...] = ()


class UnsupportedQuestionError(ReplyError):
    """A question that this solver isn't made for, such as a fact asked of the bundled one."""


class EmptyReplyError(ReplyError):
    """A model that answered with nothing."""


class UnreadableReplyError(ReplyError):
    """A server that answered with something else than a completion, such as a web page."""


class CutOffReplyError(ReplyError):
    """A model whose answer ended at its token limit."""


class FailedGraphError(ReplyError):
    """A graph, asked as a solver, that found no answer."""


class RecordedError(ReplyError):
    """A failure of an earlier attempt at the same run; it is described as it was then."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class BudgetExhaustedError(ReplyError):
    """A call that wasn't made, or was stopped, since the question's budget was spent."""


def must_be_raised(error: BaseException) -> bool:
    """Whether an error isn't one subquestion's failure but the whole run's affair.

    These are the user's own mistakes, which every line would repeat, and LangGraph's control
    flow (an `interrupt` inside a solver graph), which isn't an error at all.
    """
    if waits_for_a_person(error):
        return True
    return isinstance(error, UserError) and not isinstance(error, PromptTooLongError)


def waits_for_a_person(error: BaseException) -> bool:
    """Whether it is LangGraph's control flow, as an `interrupt` is."""
    return any(cls.__name__ == "GraphBubbleUp" for cls in type(error).__mro__)


_TRANSIENT_STATUS = {408, 409, 425, 429, 498, 500, 502, 503, 504, *range(520, 531)}
"""Groq's 498 and Anthropic's 529 tell of no capacity; the other 52x are Cloudflare's, which stands
before many services."""
_REFUSED_STATUS = {401, 402, 403}
_TRANSIENT_NAMES = (
    "Timeout", "RateLimit", "Throttl", "Connect", "Disconnect", "ServiceUnavailable",
    "InternalServer", "ReadError", "WriteError", "CloseError", "RemoteProtocolError",
)  # fmt: skip
_TRANSIENT_CODES = {
    "server_error", "rate_limit_exceeded", "rate_limit_error", "overloaded_error", "api_error",
    "timeout_error",
    *map(str, _TRANSIENT_STATUS),
}  # fmt: skip
_REFUSED = ("AuthenticationError", "PermissionDeniedError", "RateLimitError")
"""How clients' names for 401, 403 and 429 end; what may pass of the last is told apart before."""
_NO_MONEY_CODES = {"insufficient_quota", "billing_not_active", "billing_hard_limit_reached"}
_TOLD_CODE = re.compile(r"\bcode['\"]?[:=] ?['\"]?(\w+)|\A(\w+):")
"""In the `ValueError` that LangChain makes of an error that came with status 200."""
_NO_ACCOUNT = re.compile(
    r"credit balance is too low|Error code: 402\b|API key not valid|Incorrect API key"
    r"|\binsufficient_quota\b|\bbilling_not_active\b|\bbilling_hard_limit_reached\b",
    re.IGNORECASE,
)
"""In the message of what is refused with 400: an empty account by Anthropic, a wrong key by Google
and xAI; and what means nothing else."""
_MAX_MESSAGE = 500
_VERSIONED = re.compile(r"/(?:v\d|openai/)")
"""Of the paths below which services are found: `/v1/`, `/api/paas/v4/`, `/v1beta/openai/`."""


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed later: time-outs, 429, 5xx, lost connections.

    LangGraph's own default also retries 400 and 401 and misses `TimeoutError`.

    Example:
        >>> is_transient(TimeoutError()), is_transient(ValueError("bad"))
        (True, False)
    """
    error = _first_of_group(error)
    # Google's 429 is the cause of an error that says nothing by itself.
    told = [error, error.__cause__] if isinstance(error.__cause__, Exception) else [error]
    if any(isinstance(each, UserError | ReplyError) for each in told):
        return False
    return next((may for each in told if (may := _may_pass(each)) is not None), False)


def _may_pass(error: BaseException) -> bool | None:
    """Whether it may pass by what the error says itself; None if it says nothing."""
    codes = _codes(error)
    if codes & _NO_MONEY_CODES:
        return False  # OpenAI's 429 for an empty account: waiting doesn't fill it.
    status = _status(error)
    if isinstance(status, int) and status >= 400:
        return status in _TRANSIENT_STATUS
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    # An error told in the middle of a stream has no status, or that of the stream: 200.
    if codes & _TRANSIENT_CODES:
        return True
    return any(name in type(error).__name__ for name in _TRANSIENT_NAMES) or None


def _codes(error: BaseException) -> set[str]:
    """The codes that an error tells of, wherever its client puts them."""
    told = {str(getattr(error, name, None)) for name in ("code", "type")}
    body = getattr(error, "body", None)
    if isinstance(body, Mapping) and isinstance(inner := body.get("error"), Mapping):
        told.add(str(inner.get("type")))  # Anthropic's, in the middle of a stream.
    if type(error) is ValueError:
        told.update(code for found in _TOLD_CODE.findall(str(error)) for code in found if code)
    return told


def _status(error: BaseException) -> Any:
    """The HTTP status that an error tells of, if it does."""
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
    if status is None and isinstance(response, Mapping):  # AWS's.
        status = (response.get("ResponseMetadata") or {}).get("HTTPStatusCode")
    return status


def describe_error(error: BaseException) -> dict[str, Any]:
    """An error as the JSON-native value that results carry: type, message, transient."""
    error = _first_of_group(error)
    message = first_line(error)
    chain = _causes(error)
    if message.lower().startswith("connection error") and len(chain) > 1:
        # The client's own words are as good as none; the socket's say what happened.
        message = f"can't connect{_to_where(chain)}: {first_line(chain[-1])}"
    elif body := re.fullmatch(r"Error code: \d+", message) and getattr(error, "body", None):
        # What a server says in a form of its own, the client leaves out: FastAPI's `detail`.
        message += f" - {_said(body)}"
    if getattr(error, "status_code", None) == 404 and not _VERSIONED.search(_path(error)):
        message += f": no {_path(error)} at{_to_where(chain)[3:]}; most addresses end in /v1"
    # A server may have cut its words within a character, whose half no file takes.
    message = message[:_MAX_MESSAGE].encode("utf-8", "replace").decode("utf-8")
    return {
        "type": error.name if isinstance(error, RecordedError) else type(error).__name__,
        "message": message,
        "transient": is_transient(error),
    }


def is_from_outside(failure: Mapping[str, Any]) -> bool:
    """Whether a failure, as `describe_error` tells it, says nothing about what was asked.

    It may pass, or the service refused the account: a wrong or expired key, no money left.

    Example:
        >>> is_from_outside({"type": "AuthenticationError", "message": "", "transient": False})
        True
    """
    refused = failure["type"].endswith(_REFUSED) or bool(_NO_ACCOUNT.search(failure["message"]))
    return failure["transient"] or refused


def refuses_account(error: BaseException) -> bool:
    """Whether a service refused the account, whatever its client calls the error.

    Example:
        >>> refuses_account(ValueError("bad"))
        False
    """
    error = _first_of_group(error)
    # A spent quota looks like a rate limit, or like a question that can't be asked, but for this.
    if _codes(error) & _NO_MONEY_CODES or _NO_ACCOUNT.search(describe_error(error)["message"]):
        return True
    return any(_status(each) in _REFUSED_STATUS for each in (error, error.__cause__) if each)


def _first_of_group(error: BaseException) -> BaseException:
    """What happened, where tasks that ran together only say that something did."""
    while isinstance(error, BaseExceptionGroup):
        group: BaseExceptionGroup[BaseException] = error
        error = group.exceptions[0]
    return error


def _causes(error: BaseException) -> list[BaseException]:
    chain = [error]
    while chain[-1].__cause__ is not None and len(chain) < 20:
        chain.append(chain[-1].__cause__)
    return chain


def _to_where(chain: list[BaseException]) -> str:
    """The server that a failed HTTP request was for, without path and credentials."""
    for error in chain:
        try:
            url: Any = error.request.url  # type: ignore[attr-defined]
        except (AttributeError, RuntimeError):
            continue
        return f" to {url.scheme}://{url.netloc.decode().rpartition('@')[2]}"
    return ""


def _said(body: Any) -> str:
    """The words of an error's body, in one line."""
    if isinstance(body, Mapping):
        body = body.get("message") or body.get("detail") or body
    return " ".join(str(body).split())


def _path(error: BaseException) -> str:
    """The path that a failed HTTP request was for."""
    try:
        return str(error.request.url.path)  # type: ignore[attr-defined]
    except (AttributeError, RuntimeError):
        return "/v1/"


def first_line(error: BaseException) -> str:
    """The first line of what an error says; its class if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
