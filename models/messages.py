"""LangChain messages as the role-and-text rows that chat templates take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage, ChatMessage

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


def to_template_messages(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Rows `{"role", "content"}` for a chat template, without the thinking of earlier replies.

    Templates that leave it out themselves would look in vain for its end, a control token that
    is split before they are rendered.

    Raises:
        UserError: If there is no message, or one holds something other than text.
    """
    if not messages:
        raise UserError("there is no message to answer.")
    return [_row(_role(message), _text(message)) for message in messages]


def _row(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": without_thinking(text) if role == "assistant" else text}


def _role(message: BaseMessage) -> str:
    role = message.role if isinstance(message, ChatMessage) else _ROLES.get(message.type)
    if role is None or not re.fullmatch(r"[A-Za-z_]{1,32}", role):
        raise UserError(f"a GGUF model has no role for a message of type {message.type!r}.")
    return role


def _text(message: BaseMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    parts: list[str] = []
    for block in message.content:
        if isinstance(block, str):
            parts.append(block)
        elif block.get("type") == "text":
            parts.append(str(block.get("text", "")))
        elif block.get("type") not in ("tool_use", "tool_call", "thinking", "reasoning"):
            raise UserError(f"a GGUF model reads text only, not {block.get('type')!r} content.")
    return "".join(parts)
