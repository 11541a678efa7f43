"""LangChain messages as the role-and-text rows that chat templates take."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, ChatMessage

from ..errors import UserError

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
    """Rows `{"role", "content"}` for a chat template.

    Raises:
        UserError: If there is no message, or one holds something other than text.
    """
    if not messages:
        raise UserError("there is no message to answer.")
    return [{"role": _role(message), "content": _text(message)} for message in messages]


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


# Settings that LangChain passes to any chat model and that mean nothing here.
_IGNORED = {"api_key", "base_url", "streaming", "stream_usage"}


def reject_unknown_settings(cls: type[Any], values: Any) -> Any:
    """Refuse a misspelt setting, which pydantic would silently drop.

    Raises:
        TypeError: Naming the setting and the nearest known one.
    """
    if not isinstance(values, Mapping):
        return values
    known = set(cls.model_fields) | {f.alias for f in cls.model_fields.values() if f.alias}
    for name in values:
        if name not in known and name not in _IGNORED:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            # Not a ValueError, which pydantic would wrap in a page of its own.
            raise TypeError(f"{cls.__name__} has no setting {name!r}{hint}")
    return values
