"""The schemas of tools' arguments, in the form that llama-cpp-python makes grammars of.

What its converter can't do is left out: then a call may have an argument that its tool refuses,
where otherwise no tool could be called at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_ANYTHING = {"type": ["object", "array", "string", "number", "boolean", "null"]}
_TYPES = (*_ANYTHING["type"], "integer")
_SAYS_WHAT = ("type", "enum", "const", "oneOf", "anyOf", "allOf", "properties", "pattern")
_LISTS = ("oneOf", "anyOf", "allOf", "prefixItems")
_BOUNDS = ("minLength", "maxLength", "minItems", "maxItems")
_MOST = 500
"""The converter nests a level for each further item; llama.cpp reads no thousand of them."""
_HALF = re.compile(r"[\ud800-\udfff]")
_BEYOND = re.compile(
    r'[\\."^$\x00-\x1f]|\(\?|\(\)|\[\]|[*+?}][*+?]|\{(?!\d{1,3}(?:,\d{0,3})?\})', re.DOTALL
)


def simplified(schema: Any) -> dict[str, Any]:
    """A schema without references as one that the converter takes.

    Example:
        >>> simplified({"type": "array", "items": {"type": "string", "pattern": "(?=a)"}})
        {'type': 'array', 'items': {'type': 'string'}}
    """
    if not isinstance(schema, Mapping):
        return dict(_ANYTHING)
    parts = {name: _part(name, value) for name, value in schema.items()}
    plain = {name: value for name, value in parts.items() if value is not None}
    if "properties" in plain:  # Alternatives beside them say which of them go together.
        plain = {name: value for name, value in plain.items() if name not in _LISTS}
    if plain.get("prefixItems"):
        plain.pop("items", None)
    if len(plain.get("allOf", ())) == 1:
        return {**plain.pop("allOf")[0], **plain}
    named = plain.get("type", "object")
    if not plain.keys() & {*_SAYS_WHAT} or (isinstance(named, str) and named not in _TYPES):
        return dict(_ANYTHING)
    return plain


def _part(name: str, value: Any) -> Any:
    """The value of one keyword, simplified; None leaves it out."""
    if name == "properties":
        return {key: simplified(part) for key, part in value.items() if part is not False}
    if name in _LISTS or (name == "items" and isinstance(value, list)):
        return [simplified(part) for part in value] or None
    if name == "items":
        return None if value is False else simplified(value)
    if name == "additionalProperties":
        return value if value is False else simplified(value)
    if name == "pattern":
        return _pattern(value)
    return None if name in _BOUNDS and value > _MOST else value


def _pattern(text: str) -> str | None:
    """A regular expression that the converter reads as it is meant; None if it wouldn't."""
    for short, long in ((r"\d", "0-9"), (r"\w", "A-Za-z0-9_")):
        text = re.sub(r"\[[^\]]*\]", lambda found, s=short, n=long: found[0].replace(s, n), text)
        text = text.replace(short, f"[{long}]")
    body = text[1:-1]
    if text[:1] != "^" or text[-1:] != "$" or not body or _BEYOND.search(body):
        return None
    try:
        re.compile(body)
    except re.error:
        return None
    return f"^({body})$"


def grammar_of(schema: Mapping[str, Any]) -> str:
    """The GBNF of the JSON that a simplified schema describes."""
    from llama_cpp.llama_grammar import SchemaConverter

    class Converter(SchemaConverter):
        def _format_literal(self, literal: str) -> str:
            """With backslashes doubled, which JSON has before quotes and for line breaks.

            Letters of other alphabets stay as they are: a model knows them, not their numbers.
            Halves of characters have nothing but a number.
            """
            if "\\u" in literal:
                readable = json.dumps(json.loads(literal), ensure_ascii=False)
                literal = literal if _HALF.search(readable) else readable
            return str(super()._format_literal(literal.replace("\\", "\\\\")))

    converter = Converter(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False)
    converter.visit(schema, "")
    return str(converter.format_grammar())
