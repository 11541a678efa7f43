"""A chat model that replays written replies; words count as tokens."""

from __future__ import annotations

import asyncio
import itertools
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, InstanceOf, PrivateAttr

from .wire import Seconds, seconds, words

Reply = str | InstanceOf[AIMessage] | Exception


class ScriptedChatModel(BaseChatModel):
    """A chat model that replays written replies and keeps the prompts it was asked.

    A reply is a text, an `AIMessage` or an exception, which is raised. Calls may come from
    any number of threads and tasks; async ones can be cancelled.

    Raises:
        LookupError: From a call that the script has no reply to, unless `default` is set.

    Example:
        >>> model = ScriptedChatModel(replies={"France": "Paris", "6 * 7": "42"})
        >>> model.invoke("What is the capital of France?").text
        'Paris'
        >>> model.prompts
        ['What is the capital of France?']
    """

    replies: Sequence[Reply] | Mapping[str, Reply] | Callable[[str], Reply | None]
    """Replies in order; or by a text that the prompt contains, the first match counting; or a
    function of the prompt."""
    default: Reply | None = None
    """The reply where the script has none."""
    latency: Seconds = 0.0
    """Seconds before the first word, or a function of the prompt that tells them."""
    chunk_latency: Seconds = 0.0
    """Seconds before each further chunk, or a function of the chunk; whole replies take the sum."""
    chunks: Literal["words", "lines"] = "words"
    """What a streamed reply is cut into."""
    prompts: list[str] = Field(default_factory=list, exclude=True)
    """All prompts so far, as they came: the messages' texts with blank lines between."""

    _count: Iterator[int] = PrivateAttr(default_factory=itertools.count)
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Accept tools; which of them are called is up to the script's `AIMessage`s."""
        shaped = [convert_to_openai_tool(tool) for tool in tools]
        return self.bind(tools=shaped, tool_choice=tool_choice, **kwargs)

    def _generate(self, messages: list[BaseMessage], *_: Any, **kwargs: Any) -> ChatResult:
        prompt, reply = self._take(messages)
        time.sleep(sum(pause for pause, _ in self._parts(prompt, reply)))
        return ChatResult(generations=[ChatGeneration(message=_message(prompt, reply))])

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **kwargs: Any) -> ChatResult:
        prompt, reply = self._take(messages)
        await asyncio.sleep(sum(pause for pause, _ in self._parts(prompt, reply)))
        return ChatResult(generations=[ChatGeneration(message=_message(prompt, reply))])

    def _stream(
        self, messages: list[BaseMessage], *_: Any, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        prompt, reply = self._take(messages)
        for pause, part in self._parts(prompt, reply):
            time.sleep(pause)
            yield ChatGenerationChunk(message=_chunk(part))
        yield ChatGenerationChunk(message=_last_chunk(_message(prompt, reply)))

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        prompt, reply = self._take(messages)
        for pause, part in self._parts(prompt, reply):
            await asyncio.sleep(pause)
            yield ChatGenerationChunk(message=_chunk(part))
        yield ChatGenerationChunk(message=_last_chunk(_message(prompt, reply)))

    def _take(self, messages: list[BaseMessage]) -> tuple[str, Reply]:
        prompt = "\n\n".join(message.text for message in messages)
        with self._lock:
            index = next(self._count)
            self.prompts.append(prompt)
        if callable(self.replies):
            reply = self.replies(prompt)
        elif isinstance(self.replies, Mapping):
            reply = next((r for part, r in self.replies.items() if part in prompt), None)
        else:
            reply = self.replies[index] if index < len(self.replies) else None
        reply = self.default if reply is None else reply
        if reply is None:
            raise LookupError(
                f"the script has no reply to call {index + 1}: write one, or set `default`. "
                f"The prompt was {prompt[:500]!r}"
            )
        return prompt, reply

    def _parts(self, prompt: str, reply: Reply) -> Iterator[tuple[float, Any]]:
        """What is streamed, each part with the seconds before it."""
        whole = reply.content if isinstance(reply, AIMessage) else reply
        parts: list[Any] = [whole]
        if isinstance(whole, str) and whole:
            cut = r"\S+\s*|\s+" if self.chunks == "words" else r".*\n|.+"
            parts = re.findall(cut, whole)
        yield seconds(self.latency, prompt), parts[0]
        for part in parts[1:]:
            yield seconds(self.chunk_latency, part), part


def _message(prompt: str, reply: Reply) -> AIMessage:
    if isinstance(reply, Exception):
        raise reply
    message = AIMessage(reply) if isinstance(reply, str) else reply
    asked, answered = words(prompt), words(message.text)
    usage = UsageMetadata(input_tokens=asked, output_tokens=answered, total_tokens=asked + answered)
    about = {"finish_reason": "stop", "model_name": "scripted", **message.response_metadata}
    update = {"usage_metadata": message.usage_metadata or usage, "response_metadata": about}
    return message.model_copy(update=update)


def _chunk(part: Any) -> AIMessageChunk:
    if isinstance(part, Exception):
        raise part
    return AIMessageChunk(content=part)


def _last_chunk(message: AIMessage) -> AIMessageChunk:
    return AIMessageChunk(
        content="",
        tool_calls=message.tool_calls,
        additional_kwargs=message.additional_kwargs,
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
        chunk_position="last",
    )
