"""Tool calling for any GGUF: the tools go into the system prompt, a grammar shapes the call.

Chat templates differ in how a tool call is written, and many know none. So the call is
always one JSON object, which the grammar of the tools' own schemas keeps well-formed; small
models then can't misspell a name or leave a parenthesis open.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import uuid4

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.utils.json_schema import dereference_refs

from ..errors import UserError
from ..plan import without_thinking
from ..prompts import load_prompts
from .messages import calls_in_words, text_of
from .tool_schemas import grammar_of, simplified

# As `read_call` strips a reply: what comes after white space is a call or a text all the same.
_CALL_OR_TEXT = r"""root ::= [ \t\n\r]* (call | text)
text ::= [^{\x00-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000] [^\x00]*"""
_NO_ARGUMENTS = {"type": "object", "properties": {}}
ALWAYS = ("any", "required", "true")


def with_tools(messages: Sequence[BaseMessage], tools: Sequence[Any]) -> list[BaseMessage]:
    """The messages with the tools described, and earlier calls and results in words."""
    functions = functions_of(tools)
    described = "\n".join(json.dumps(function, ensure_ascii=False) for function in functions)
    text = load_prompts()["tools"].messages({"tools": described})[0]["content"]
    rest = [_in_words(message) for message in messages]
    if rest and isinstance(rest[0], SystemMessage):
        text = f"{text_of(rest[0])}\n\n{text}"
        rest = rest[1:]
    return [SystemMessage(text), *rest]


def _in_words(message: BaseMessage) -> BaseMessage:
    if calls := calls_in_words(message):
        return AIMessage("\n".join(calls))
    if isinstance(message, ToolMessage):
        return HumanMessage(f"Result of {message.name or 'the tool'}: {text_of(message)}")
    return message


def functions_of(tools: Sequence[Any]) -> list[Mapping[str, Any]]:
    """What OpenAI's form of tools says about each function.

    Raises:
        UserError: If one is no function, such as a search that a provider makes itself.
    """
    functions = [tool.get("function") if isinstance(tool, Mapping) else None for tool in tools]
    for tool, function in zip(tools, functions, strict=True):
        if not isinstance(function, Mapping) or not function.get("name"):
            raise UserError(f"a GGUF model can call functions only, not the tool {tool!r}.")
    return cast("list[Mapping[str, Any]]", functions)


def tool_grammar(tools: Sequence[Any], tool_choice: Any) -> str:
    """The GBNF of a call of one of the tools; with `auto`, of a call or a text.

    Args:
        tools: Tools in OpenAI's form.
        tool_choice: `any`, `required` or True for some call, a name or OpenAI's object for
            that one, `auto` or None to leave it to the model.

    Raises:
        UserError: If the choice names no tool, or a schema can't be made a grammar.
    """
    choice, functions = _chosen(tool_choice), functions_of(tools)
    names = [function["name"] for function in functions]
    forced = choice in ALWAYS or choice in names
    if not forced and choice not in ("auto", None):
        raise UserError(f"tool_choice {choice!r} is none of the tools ({', '.join(names)}).")
    wanted = [one for one in functions if choice not in names or one["name"] == choice]
    grammar = _grammar_of([_call_schema(function) for function in wanted])
    if forced:
        return grammar
    call = re.sub(r"^root ::=", "call ::=", grammar, flags=re.MULTILINE)
    return f"{_CALL_OR_TEXT}\n{call}"


def _chosen(tool_choice: Any) -> str | None:
    if isinstance(tool_choice, Mapping):
        function = tool_choice.get("function", {})
        name = function.get("name") or tool_choice.get("name") or tool_choice.get("type")
        return None if name is None else str(name)
    if isinstance(tool_choice, bool):
        return "any" if tool_choice else "none"
    return tool_choice


def allows_calls(tools: Any, tool_choice: Any) -> bool:
    """Whether the model may call a tool at all."""
    return bool(tools) and _chosen(tool_choice) != "none"


def _call_schema(function: Mapping[str, Any]) -> dict[str, Any]:
    arguments = dereference_refs(function.get("parameters") or _NO_ARGUMENTS)
    return {
        "type": "object",
        "properties": {"name": {"const": function["name"]}, "arguments": arguments},
        "required": ["name", "arguments"],
    }


def _grammar_of(schemas: list[dict[str, Any]]) -> str:
    schema = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
    try:
        return grammar_of(simplified(schema))
    except Exception as error:
        raise UserError(f"a tool's schema can't be made a grammar: {error}.") from None


def read_call(message: AIMessage, tools: Sequence[Any]) -> AIMessage:
    """The message with its text read as a tool call, if it is one, also after thinking."""
    text = without_thinking(message.text).strip()
    if not text.startswith("{"):
        return message
    names = {tool["function"]["name"] for tool in tools}
    try:
        call = json.loads(text, strict=False)  # The grammar of a text allows a line break.
        name, arguments = call["name"], call["arguments"]
        if name not in names or not isinstance(arguments, dict):
            raise ValueError("no such tool")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        invalid = {"name": None, "args": text, "id": None, "error": f"not a tool call: {error}"}
        return message.model_copy(update={"invalid_tool_calls": [invalid]})
    made = {"name": name, "args": arguments, "id": f"call_{uuid4().hex[:12]}", "type": "tool_call"}
    return message.model_copy(update={"content": "", "tool_calls": [made]})
