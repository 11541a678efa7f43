"""Answers that are one of a few: yes or no, and the letter of an option."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .text import MAX_CHARS, after_mark, final_answer

_YES_NO = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
# "No information is given." is no answer.
_BEGINS = re.compile(
    r"\W{0,10}(yes|true|no(?! (?:[\w-]+ )?(?:answers?|clue|idea|info|information)\b)|false)\b"
    r"(\W{1,3}(?:and|or) (?:yes|true|no|false)\b)?",
    re.IGNORECASE,
)
# A word of its own at the end of something said: "no" before a noun is none.
_SAID = re.compile(
    r"(?<!not )\b(yes|true|no|false)\b(?=[*_\"'’)]{0,3}(?:[.,;:!?]|\s*$))", re.IGNORECASE
)
_LETTERS = "ABCDE"
_LETTER = re.compile(
    r"\W{0,10}(?:(?:option|choice)\W{1,3})?([A-E])"
    r"(?=[).:,;\]}*_\"]|\s*$|\s*\n|\s+[-–—]|\s+(?:is|because|since)\b)(?!\.g)",
    re.IGNORECASE,
)
# Behind a mark alone: "A 36 km ride" begins a sentence.
_WITH_VALUE = re.compile(r"\W{0,10}([A-E])(?:\s*=\s*|\s+)\(?[$€£]?\d")
_SEVERAL = re.compile(r"\W{0,10}[A-E](?:\W{1,4}(?:(?:and|or)\W{1,3})?[A-E]){1,4}\W{0,10}")
_NAMED, _NAMED_SMALL = (
    re.compile(
        rf"(?<!\w)\(({a})\)|(?<![\w'’(])({a})\)"
        rf"|\b(?:[Oo]ption|[Cc]hoice|[Ll]etter(?= is|:))(?: is)?:? [*_\"']{{0,3}}({b})(?![^\W_])"
    )
    for a, b in (("[A-E]", "[A-E]"), ("[a-e]", "[b-e]"))  # "Option a" begins a sentence.
)


def yes_no(prediction: str, gold: Sequence[str]) -> dict[str, float]:
    """StrategyQA's accuracy.

    The answer is the yes or no (or true or false) with which the text, or what follows its
    last answer mark, begins; else the only one of the two that it says at the end of a clause.
    Anything else is wrong, also "No information", with which a model says that it can't tell.

    Example:
        >>> yes_no("No, she died in 1901.", ["no"]), yes_no("Yes and no.", ["no"])
        ({'accuracy': 1.0}, {'accuracy': 0.0})

    Raises:
        ValueError: If a gold answer is neither yes nor no.
    """
    for answer in gold:
        if not is_yes_or_no(answer):
            raise ValueError(f"{answer!r} is none of yes, no")
    meant = [_YES_NO[answer.lower()] for answer in gold]
    return {"accuracy": float(_said(final_answer(prediction)) in meant)}


def is_yes_or_no(answer: str) -> bool:
    """Whether a gold answer is yes or no, or true or false, capital or not."""
    return answer.lower() in _YES_NO


def letter(prediction: str, gold: Sequence[str]) -> dict[str, float]:
    """AQuA's accuracy: the letter of the chosen option.

    That is the letter with which the text, or what follows its last answer mark, begins; else
    the only one that is named as (B), B) or option B. It may be a small one; but where capitals
    are named, only they count. A value alone is no choice.

    Example:
        >>> letter("The answer is (b) 36.", ["B"]), letter("36", ["B"])
        ({'accuracy': 1.0}, {'accuracy': 0.0})

    Raises:
        ValueError: If a gold answer is no letter from A to E.
    """
    if odd := [answer for answer in gold if answer not in [*_LETTERS]]:
        raise ValueError(f"{odd[0]!r} is none of {', '.join(_LETTERS)}")
    marked = after_mark(prediction)
    text = prediction[-MAX_CHARS:].strip() if marked is None else marked
    if _SEVERAL.fullmatch(text) and len({*re.findall("[A-E]", text)}) > 1:
        return {"accuracy": 0.0}
    if begins := _LETTER.match(text) or (marked and _WITH_VALUE.match(text)):
        return {"accuracy": float(begins[1].upper() in gold)}
    found = _NAMED.findall(text) or _NAMED_SMALL.findall(text)
    named = {"".join(groups).upper() for groups in found}
    return {"accuracy": float(len(named) == 1 and named <= {*gold})}


def _said(text: str) -> str | None:
    if begins := _BEGINS.match(text):
        return None if begins[2] else _YES_NO[begins[1].lower()]
    found = {_YES_NO[word.lower()] for word in _SAID.findall(text)}
    return found.pop() if len(found) == 1 else None
