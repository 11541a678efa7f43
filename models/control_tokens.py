"""Keeping the text of messages from turning into control tokens, or ending the process."""

from __future__ import annotations

import re
from collections.abc import Iterable

SPLIT = "\ufdd0"
"""A noncharacter: put inside a control token's text, it keeps a tokeniser from seeing one."""

_LONGEST_RUN = 4_000
_RUN = re.compile(rf"(?<!\S)\S{{{_LONGEST_RUN + 1},}}|(?<!\s)\s{{{_LONGEST_RUN + 1},}}")


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
    count = 1
    while pattern and count:
        text, count = pattern.subn(lambda match: match[0][0] + SPLIT + match[0][1:], text)
    return text


def split_long_runs(text: str) -> str:
    """The text with a `SPLIT` after every 4,000 characters without a blank, or of blanks alone.

    Many of llama.cpp's tokenisers match a run by C++'s `std::regex`, which goes one call deeper at
    each character: some 26,000 of one kind ended the process (llama.cpp, issue 27783).

    Example:
        >>> [len(part) for part in split_long_runs("a" * 5_000 + " b").split(SPLIT)]
        [4000, 1002]
    """
    if len(text) <= _LONGEST_RUN:
        return text
    return _RUN.sub(lambda run: SPLIT.join(_parts(run[0])), text)


def _parts(run: str) -> list[str]:
    return [run[begin : begin + _LONGEST_RUN] for begin in range(0, len(run), _LONGEST_RUN)]
