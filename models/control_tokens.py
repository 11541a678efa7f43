"""Keeping the text of messages from turning into control tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable

SPLIT = "\ufdd0"
"""A noncharacter: put inside a control token's text, it keeps a tokeniser from seeing one."""


def control_pattern(tokens: Iterable[str]) -> re.Pattern[str] | None:
    """Matches any of the tokens, the longest first; None if there is none to match.

    A token of one character can't be split and is left out; one with a `SPLIT` of its own never
    comes about in a text that is split, and splitting it would go on for ever.
    """
    ordered = sorted({t for t in tokens if len(t) > 1 and SPLIT not in t}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


def split_control_tokens(text: str, pattern: re.Pattern[str] | None) -> str:
    """The text with a `SPLIT` inside every control token, until none is left whole.

    Example:
        >>> split_control_tokens("a<|end|>", control_pattern(["<|end|>"])).split(SPLIT)
        ['a<', '|end|>']
    """
    text = text.replace(SPLIT, "\ufffd")
    count = 1 if pattern else 0
    while pattern and count:
        text, count = pattern.subn(lambda match: match[0][0] + SPLIT + match[0][1:], text)
    return text
