"""Replies, and how they and final failures are written into a run's journal and read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import errors
from ..errors import (
    BudgetExhaustedError,
    ReplyError,
    describe_error,
    is_from_outside,
    must_be_raised,
    refuses_account,
)
from .usage import UsageRow


@dataclass(frozen=True)
class Reply:
    """What came back: the text without any thinking, and what it took."""

    text: str
    cut_off: bool
    usage: UsageRow
    message_id: str | None = None
    sources: tuple[Any, ...] = ()
    gaps: tuple[str, ...] = ()
    """What a decomposition graph, asked as a solver, says against its own answer."""
    earlier: bool = False
    """Whether an earlier attempt has kept it, of which this one asks again what failed."""
    exact: str | None = None
    """The fraction, such as `100/3`, that was calculated from the text, if the answer rounds it;
    the journal doesn't keep it, since it is calculated again."""


def reply_value(reply: Reply) -> dict[str, Any]:
    """A reply as a JSON-native value."""
    return {
        "text": reply.text,
        "cut_off": reply.cut_off,
        "usage": reply.usage,
        "message_id": reply.message_id,
        "sources": list(reply.sources),
        "gaps": list(reply.gaps),
    }


def read_value(value: Mapping[str, Any]) -> Reply:
    """The reply that `reply_value` wrote."""
    read = {name: value[name] for name in ("text", "cut_off", "usage", "message_id")}
    gaps = tuple(value.get("gaps", ()))  # Journals of before had none.
    return Reply(**read, sources=tuple(value["sources"]), gaps=gaps)


def whole_text(reply: Reply, what: str) -> str:
    """A reply's text.

    Args:
        reply: The reply.
        what: What an error calls it.

    Raises:
        CutOffReplyError: If it was cut off; with what it took.
    """
    if reply.cut_off:
        error = errors.CutOffReplyError(f"{what} was cut off at its token limit")
        error.usage = (reply.usage,)
        raise error
    return reply.text


def is_final(error: BaseException, role: str) -> bool:
    """Whether a failure is kept: it would be the same on resuming, and isn't the run's end.

    A service that refuses the decomposer ends the run; after the key was mended, resuming it
    asks again, and so with a solver whose key was refused. A reply that came and can't be used
    was paid for, whoever asked; what isn't even a completion, such as a gateway's page, was not.
    """
    if isinstance(error, errors.UnreadableReplyError):
        return False
    if role != "solver" and not isinstance(error, ReplyError):
        return False
    if isinstance(error, BudgetExhaustedError | errors.UserError) or must_be_raised(error):
        return False
    return not (refuses_account(error) or is_from_outside(describe_error(error)))


def failure_value(error: BaseException) -> dict[str, Any]:
    """A failure as a JSON-native value, with what it took."""
    return {"error": describe_error(error), "usage": list(getattr(error, "usage", ()))}


def recorded_error(value: Mapping[str, Any]) -> ReplyError:
    """The failure that `failure_value` wrote: of its own class if it is one of ours."""
    name, message = value["error"]["type"], value["error"]["message"]
    cls: Any = getattr(errors, name, None)
    ours = isinstance(cls, type) and issubclass(cls, ReplyError)
    error: ReplyError = cls(message) if ours else errors.RecordedError(name, message)
    error.usage = tuple(value["usage"])
    return error
