"""Names and numbers in a plan that are in no question: what a small model makes up.

Rules of thumb for English: a name is a word with a capital that doesn't begin a sentence.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from ..nodes.given_numbers import given_numbers
from ..plan import Plan
from ..tools.calculator import numbers

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SENTENCE = re.compile(r"[.?!:;\"“”()]\s*$")
_REFERENCE = re.compile(r"#\d+")
_INNER_DOT = re.compile(r"(?<=\b[^\W\d_])\.(?=[^\W\d_]\b)")
# Words that have a capital wherever they stand, and that anybody may bring in.
_COMMON = re.compile(
    r"i|i['’](?:d|ll|m|ve)|who|what|when|where|which|why|how|whose|whom|is|are|was|were|do|does|did"
    r"|yes|no|english|(?:mon|tues|wednes|thurs|fri|satur|sun)day|january|february|march|april|may"
    r"|june|july|august|september|october|november|december",
    re.IGNORECASE,
)
_MIN_STEM = 4
_ENDINGS = ("a", "an", "ean", "ese", "i", "ian", "ic", "ish", "n")


def ungrounded(text: str, problem: str) -> list[str]:
    """Names and numbers of a subquestion that the problem doesn't give, as written.

    Case, plural and possessive don't matter, nor whether a number is in digits or words;
    `#k` is an earlier answer and never ungrounded.

    Example:
        >>> ungrounded("How many of Ann's 12 pens are Bob's?", "Ann has a dozen pens.")
        ['Bob']
        >>> ungrounded("How much do 7 pens cost?", "Ann buys five pens at $2.")
        ['7']
    """
    stems, given = _given(problem)
    text = _REFERENCE.sub(" ", _INNER_DOT.sub("", text))
    return _unknown_names(text, stems) + _unknown_numbers(text, given)


@lru_cache(maxsize=8)
def _given(problem: str) -> tuple[frozenset[str], frozenset[Fraction]]:
    """The words of a problem, as `_stem` has them, and its numbers: for all lines of a plan."""
    problem = _INNER_DOT.sub("", problem)
    return frozenset(map(_stem, _WORD.findall(problem))), frozenset(given_numbers([problem]))


def ungrounded_lines(plan: Plan, problem: str) -> list[str]:
    """The lines of a plan that bring in a name or a number of their own."""
    return [line.text for line in plan.subquestions if ungrounded(line.text, problem)]


def _unknown_names(text: str, given: frozenset[str]) -> list[str]:
    unknown: list[str] = []
    for match in _WORD.finditer(text):
        word = match[0]
        begins = match.start() == 0 or _SENTENCE.search(text[: match.start()])
        if not word[0].isupper() or begins or _COMMON.fullmatch(word):
            continue
        if not _is_given(_stem(word), given):
            unknown.append(re.sub(r"['’]s$", "", word))
    return unknown


def _is_given(stem: str, given: frozenset[str]) -> bool:
    """Also "Italian" by "Italy" and "Canadian" by "Canada"."""
    return stem in given or any(_is_adjective(stem, noun) for noun in given)


def _is_adjective(word: str, noun: str) -> bool:
    pairs = zip(word, noun, strict=False)
    common = next((k for k, (a, b) in enumerate(pairs) if a != b), min(len(word), len(noun)))
    return common >= max(_MIN_STEM, len(noun) - 2) and word[common:] in _ENDINGS


def _unknown_numbers(text: str, given: frozenset[Fraction]) -> list[str]:
    years = {value for value in given if value > 100}
    return [
        str(value) if value.denominator == 1 else str(float(value))
        for value in numbers(text)
        if value not in given and not any(_is_part(value, year) for year in years)
    ]


def _is_part(value: Fraction, year: Fraction) -> bool:
    """The decade or the century's years of a given year: "the 1980s", "'84"."""
    return year.denominator == 1 and value in (year // 10 * 10, year % 100)


def _stem(word: str) -> str:
    word = re.sub(r"['’]s?$", "", word.lower().replace("’", "'"))
    for ending in ("ies", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= _MIN_STEM - 1:
            return word.removesuffix(ending)
    return word.removesuffix("y") if len(word) > _MIN_STEM else word
