"""LangChain messages as the role-and-text rows that chat templates take."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ChatMessage

from ..errors import UserError
from ..plan import without_thinking

_ROLES = {
    "human": "user",
    "HumanMessageChunk": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "system": "system",
    "SystemMessageChunk": "system",
    "tool": "tool",
    "function": "tool",
}
_CALLS = ("tool_use", "tool_call", "function_call")  # They are in `tool_calls` as well.
_THINKING = ("thinking", "redacted_thinking", "reasoning")


def to_template_messages(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Rows `{"role", "content"}` for a chat template, without the thinking of earlier replies.

    Templates that leave it out themselves would look in vain for its end, a control token that
    is split before they are rendered. Calls of tools are told in words, since templates differ in
    how they write them.

    Raises:
        UserError: If there is no message, or one holds something other than text.
    """
    if not messages:
        raise UserError("there is no message to answer.")
    return [_row(_role(message), message) for message in messages]


def _row(role: str, message: BaseMessage) -> dict[str, Any]:
    text = text_of(message)
    if role == "assistant":
        text = "\n".join(filter(None, [without_thinking(text), *calls_in_words(message)]))
    return {"role": role, "content": text}


def calls_in_words(message: BaseMessage) -> list[str]:
    """The tool calls of a message, in the form in which a GGUF model makes one."""
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    made = [{"name": call["name"], "arguments": call["args"]} for call in calls]
    return [json.dumps(call, ensure_ascii=False) for call in made]


def _role(message: BaseMessage) -> str:
    role = message.role if isinstance(message, ChatMessage) else _ROLES.get(message.type)
    if role is None or not re.fullmatch(r"[A-Za-z_]{1,32}", role):
        raise UserError(f"a GGUF model has no role for a message of type {message.type!r}.")
    return role


def text_of(message: BaseMessage) -> str:
    """The text of a message.

    Raises:
        UserError: If it holds something other than text.
    """
    if isinstance(message.content, str):
        return message.content
    parts: list[str] = []
    for block in message.content:
        if isinstance(block, str):
            parts.append(block)
        elif block.get("type") == "text":
            parts.append(str(block.get("text") or ""))
        elif block.get("type") not in (*_CALLS, *_THINKING):
            raise UserError(f"a GGUF model reads text only, not {block.get('type')!r} content.")
    return "".join(parts)
