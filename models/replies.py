"""Generations as LangChain results: text or tool calls, usage, why the reply ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from ..errors import PromptTooLongError
from .tool_calls import allows_calls, read_call

if TYPE_CHECKING:
    from .engine import Generation


class GGUFContextOverflowError(PromptTooLongError, ContextOverflowError):
    """`PromptTooLongError` in the form that LangChain's middleware recognises."""


@contextmanager
def overflow_as_langchain_knows_it() -> Iterator[None]:
    """Raise a prompt that is too long as LangChain does."""
    try:
        yield
    except PromptTooLongError as error:
        raise GGUFContextOverflowError(str(error)) from None


def chat_result(generation: Generation, model: str, options: Mapping[str, Any]) -> ChatResult:
    """A whole reply, read as a tool call if the call's options allow one."""
    message = AIMessage(
        content=generation.text,
        usage_metadata=_usage(generation),
        response_metadata=_metadata(generation, model),
    )
    tools = options.get("tools")
    if allows_calls(tools, options.get("tool_choice")):
        message = read_call(message, tools or [])
    return ChatResult(generations=[ChatGeneration(message=message)])


def text_chunk(piece: str) -> ChatGenerationChunk:
    """A piece of a streamed reply."""
    return ChatGenerationChunk(message=AIMessageChunk(content=piece))


def last_chunk(generation: Generation, model: str) -> ChatGenerationChunk:
    """The end of a streamed reply: no text, but what it took and why it ended."""
    message = AIMessageChunk(
        content="",
        usage_metadata=_usage(generation),
        response_metadata=_metadata(generation, model),
        chunk_position="last",
    )
    return ChatGenerationChunk(message=message)


def as_chunk(result: ChatResult) -> ChatGenerationChunk:
    """A whole result as the only chunk of a stream."""
    message: Any = result.generations[0].message
    chunks = [
        tool_call_chunk(name=c["name"], args=json.dumps(c["args"]), id=c["id"], index=i)
        for i, c in enumerate(message.tool_calls)
    ]
    # Chunks are read anew when they are added up: inside a JSON text no broken call becomes one.
    chunks += [
        tool_call_chunk(name=c["name"], args=json.dumps(c["args"]), id=c["id"])
        for c in message.invalid_tool_calls
    ]
    whole = AIMessageChunk(
        content=message.content,
        tool_call_chunks=chunks,
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
        chunk_position="last",
    )
    return ChatGenerationChunk(message=whole)


def _metadata(generation: Generation, model: str) -> dict[str, Any]:
    return {
        "model_name": model,
        "model_provider": "gguf",
        "finish_reason": generation.finish_reason,
    }


def _usage(generation: Generation) -> UsageMetadata:
    return UsageMetadata(
        input_tokens=generation.input_tokens,
        output_tokens=generation.output_tokens,
        total_tokens=generation.input_tokens + generation.output_tokens,
        input_token_details=InputTokenDetails(cache_read=generation.cached_tokens),
    )
