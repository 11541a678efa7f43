"""Reading what a model, Runnable or graph returned: untrusted, and of many shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import CutOffReplyError, EmptyReplyError, FailedGraphError, ReplyError
from ..plan import without_thinking
from .session import StoppedError
from .usage import UsageRow

_ENDINGS = ("finish_reason", "stop_reason", "stopReason", "done_reason", "status")
"""Where providers write why a reply ended; OpenAI's Responses say it in `incomplete_details`."""
_CUT_OFF = {
    "length", "max_tokens", "max_output_tokens", "model_length",
    "model_context_window_exceeded", "incomplete",
}  # fmt: skip
_FILTERED = {
    "content_filter", "content_filtered", "guardrail_intervened", "safety", "refusal",
    "recitation", "blocklist", "prohibited_content", "spii", "sensitive",
}  # fmt: skip
_BROKEN_OFF = {
    "error", "abort", "insufficient_system_resource", "network_error",
    "other", "language", "malformed_response", "malformed_model_output",
}  # fmt: skip
MAX_REPLY_CHARS = 1_000_000


@dataclass(frozen=True)
class Output:
    """A reply's text and what came with it.

    `nested` is the usage that a decomposition graph, asked as a solver, tells of itself, and
    `gaps` what it says against its own answer; `problem` says why the reply can't be used.
    """

    text: str
    messages: list[Any]
    cut_off: bool = False
    message_id: str | None = None
    sources: tuple[Any, ...] = ()
    nested: tuple[Any, ...] = ()
    gaps: tuple[str, ...] = ()
    problem: ReplyError | None = None


def read_output(output: Any, name: str) -> Output:
    """The text of whatever a Runnable returned, without thinking, and its AI messages.

    Args:
        output: A text, a message, or a state with `answer`, `output`, `text` or messages; of
            these the last AI message is taken, or what a tool returned if that comes last; of
            an agent with a `response_format`, its response as JSON.
        name: The model's name, for messages.

    Raises:
        TypeError: If it is none of these.
    """
    text, messages = _text_of(output, name)
    endings = _endings(messages[-1]) if messages else set[str]()
    problem: ReplyError | None = None
    if tool := _tool_asked_for(output):
        # What it says beside is not the answer, but that it is going to look for it.
        problem = ReplyError(
            f"{name} asked for the tool {tool!r} instead of answering; "
            "make a model with tools an agent: create_agent(model, tools)"
        )
    elif endings & _FILTERED:
        problem = CutOffReplyError(f"{name}'s reply was stopped by a content filter")
    elif broken := endings & _BROKEN_OFF:
        problem = CutOffReplyError(f"{name}'s reply broke off: {min(broken)}")
    elif text is None:
        problem = FailedGraphError(f"{name} found no answer")
    elif len(text) > MAX_REPLY_CHARS:
        problem = CutOffReplyError(f"{name} replied with {len(text):,} characters")
    elif not (text := whole_characters(without_thinking(text)).strip()):
        problem = EmptyReplyError(f"{name} gave an empty reply")
        if endings & _CUT_OFF:  # It was still thinking.
            why = f"{name}'s reply was cut off at its token limit, before any answer"
            problem = CutOffReplyError(why)
    return Output(
        text=text or "",
        messages=messages,
        cut_off=bool(endings & _CUT_OFF),
        message_id=getattr(messages[-1], "id", None) if messages else None,
        sources=_sources_of(output),
        nested=_usage_of(output),
        gaps=_gaps_of(output, name),
        problem=problem,
    )


def _endings(message: Any) -> set[str]:
    """Why a reply ended, in the words of its provider."""
    told = getattr(message, "response_metadata", None) or {}
    words = [told.get(key) for key in _ENDINGS]
    if isinstance(details := told.get("incomplete_details"), Mapping):
        words.append(details.get("reason"))
    return {word.lower() for word in words if isinstance(word, str)}


def _tool_asked_for(output: Any) -> str | None:
    """The name of a tool that a model wants called; a graph calls its own."""
    calls = getattr(output, "tool_calls", None)
    return str(calls[0]["name"]) if calls else None


def whole_characters(text: str) -> str:
    """The text without halves of surrogate pairs, which no file or terminal takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _text_of(output: Any, name: str) -> tuple[str | None, list[Any]]:
    """None is the text of a graph that says itself that it has no answer."""
    from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
    from pydantic_core import to_json

    if isinstance(output, str):
        return output, []
    if isinstance(output, BaseMessage):
        return str(output.text), [output]
    if isinstance(output, Mapping):
        every = [_as_message(message) for message in output.get("messages") or ()]
        messages = [m for m in every if isinstance(m, AIMessage)]
        for key in ("answer", "output", "text"):
            if key in output and isinstance(output[key], str | None):
                return output[key], messages
        if messages:
            # An agent ends with the reply of a tool that has `return_direct`.
            direct = isinstance(every[-1], ToolMessage) and every[-1].status != "error"
            if direct and (structured := output.get("structured_response")) is not None:
                # One with a `response_format` ends with a note of it, meant for its own model.
                return to_json(structured, serialize_unknown=True).decode(), messages
            return str((every if direct else messages)[-1].text), messages
    raise TypeError(
        f"{name} returned {type(output).__name__}, not a text, a message or a state with messages"
    )


def _as_message(message: Any) -> Any:
    """A message; one of a graph on a server, or of a state without a reducer, is JSON."""
    from langchain_core.messages import AIMessage, ToolMessage

    if not isinstance(message, Mapping):
        return message
    kinds: dict[str, Any] = {"ai": AIMessage, "assistant": AIMessage, "tool": ToolMessage}
    kind = kinds.get(str(message.get("type") or message.get("role")))
    if kind is None:
        return message
    fields = {name: value for name, value in message.items() if name not in ("type", "role")}
    try:
        return kind.model_validate(fields)
    except (TypeError, ValueError):
        return message


def _sources_of(output: Any) -> tuple[Any, ...]:
    """Sources that a nested decomposition graph names for its own subquestions."""
    rows = output.get("answers") if isinstance(output, Mapping) else None
    if not isinstance(rows, list):
        return ()
    found = [row.get("sources") or [] for row in rows if isinstance(row, Mapping)]
    return tuple(source for sources in found if isinstance(sources, list) for source in sources)


def _gaps_of(output: Any, name: str) -> tuple[str, ...]:
    """What a nested decomposition graph says of an answer that isn't whole."""
    if not isinstance(output, Mapping) or "result_version" not in output:
        return ()
    status, warnings = output.get("status"), output.get("warnings")
    if status not in ("partial", "budget_exhausted"):
        return ()
    told = warnings if isinstance(warnings, list) else []
    return f"{name} answered with status {status!r}", *map(str, told)


def _usage_of(output: Any) -> tuple[Any, ...]:
    rows = output.get("usage") if isinstance(output, Mapping) else None
    columns = UsageRow.__annotations__.keys()
    whole = isinstance(rows, list) and all(
        isinstance(r, Mapping) and columns <= r.keys() for r in rows
    )
    return tuple(rows or ()) if whole else ()


class Heard:
    """A streamed reply, put together again without adding up chunk objects."""

    def __init__(self, on_text: Callable[[str], None] | None) -> None:
        self._on_text = on_text
        self._text = ""
        self._usage: Any = None
        self._metadata: dict[str, Any] = {}
        self._id: str | None = None
        self._tool_calls: list[Any] = []
        self._left = False

    def leave(self) -> None:
        """Hear no more: of a thread that nobody waits for, the next chunk is the end."""
        self._left = True

    def add(self, chunk: Any) -> None:
        """Take in a chunk; the listener is told the whole text so far.

        Raises:
            StoppedError: If nobody waits for it any more.
        """
        if self._left:
            raise StoppedError
        if isinstance(chunk, str):  # Of what a chat model falls back on.
            self._add_text(str(chunk))
            return
        if not hasattr(chunk, "response_metadata"):
            raise TypeError(f"a model's reply is a text or a message, not {type(chunk).__name__}")
        self._id = self._id or chunk.id
        self._metadata.update(chunk.response_metadata)
        if took := chunk.usage_metadata:
            from langchain_core.messages.ai import add_usage

            before = (self._usage or {}).get("input_tokens") or 0
            # Some servers tell with each chunk what all has taken so far: Gemini's, xAI's, vLLM.
            tells_all = 0 < before <= (took.get("input_tokens") or 0)
            self._usage = took if tells_all else add_usage(self._usage, took)
        parts = getattr(chunk, "tool_call_chunks", None) or chunk.tool_calls
        # Who was called is told once; how, in pieces that nobody needs.
        names = [part["name"] for part in parts if part["name"]]
        self._tool_calls += [{"name": name, "args": {}, "id": None} for name in names]
        content = chunk.content
        self._add_text(content if isinstance(content, str) else str(chunk.text))

    def _add_text(self, more: str) -> None:
        if not more:
            return
        self._text += more
        if len(self._text) > MAX_REPLY_CHARS:
            raise CutOffReplyError(f"the reply has over {MAX_REPLY_CHARS:,} characters")
        if self._on_text:
            self._on_text(self._text)

    def message(self) -> Any:
        """The whole reply as one AI message."""
        from langchain_core.messages import AIMessage

        return AIMessage(
            self._text,
            id=self._id,
            usage_metadata=self._usage,
            response_metadata=self._metadata,
            tool_calls=self._tool_calls,
        )
