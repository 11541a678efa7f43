"""Whether two final answers are the same: what decides which of a teacher's plans are kept."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

from ...nodes.voting import normalise

_MAX_CHARS = 2000
_MAX_NUMBER_CHARS = 200
_MARKUP = re.compile(r"\\boxed\{([^{}]*)\}|\\[()\[\]]|\*\*|__|`|^\s*\$(?=[^$]*\$\s*$)|\$(?=\s*$)")
_CURRENCY = r"(?:us\s?(?=\$))?(?P<money>usd|eur|gbp|[$€£¥₹])?"
_CLOSE_UNIT = r"(?:[kcm]m|k?g|mg|ml|lbs?|oz|ft|km/h|mph|hrs?|mins?)"
"""What people write without a space; `m` isn't there, which may be metres, minutes or millions."""
_NUMBER = re.compile(
    rf"(?P<sign>[-+]?)\s*{_CURRENCY}\s*(?P<inner>[-+]?)"
    r"(?:(?P<ones>\d+)\s+(?=\d+\s*/))?"
    r"(?P<whole>\d{1,3}(?:,\d{3})+|\d+)?(?P<part>\.\d+)?(?:\s*/\s*(?P<below>\d+))?"
    rf"(?P<unit>%|(?:\s+|(?=[°€£¥]|{_CLOSE_UNIT}\b))\D*)?"
)
_FRACTION = re.compile(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}")
_FRACTION_SIGN = re.compile("([¼-¾⅐-⅞])")
_UNIT_WORDS = re.compile(r"[^\W\d_]+|[$€£¥₹%]")
_TIMES = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_NAMES = {
    "$": "dollar", "usd": "dollar", "€": "euro", "eur": "euro", "£": "pound", "gbp": "pound",
    "¥": "yen", "₹": "rupee", "%": "percent",
}  # fmt: skip
_MONEY = {"dollar", "euro", "pound", "yen", "rupee", "cent"}
_NO_UNITS = {"per", "each", "in", "of", "a"}
_TRUTH = re.compile(r"(yes|no|true|false)(?=[,;:!]|\.(?!\s*\d)|$)")
"""Not "No. 5"."""
_NO_UNIT = re.compile(
    r"[+*^=]|(?<!\w)-"
    r"|\b(?:plus|minus|below|squared|cubed|half|halves|thirds|fourths|fifths|tenths)\b"
)
"""What makes another number of the one before it, as "2 and a half" and "5 below zero"."""
_SAME_TRUTH = {"true": "yes", "false": "no"}


def same_answer(one: str, other: str) -> bool:
    """Whether two final answers mean the same.

    Numbers are compared by value, whatever markup stands around them, and a number alone may
    have any unit; two units that have no word in common, or two currencies, make two answers.
    Anything else is compared by its words. A number inside a longer text is never searched for:
    a reply that mentions the right number somewhere isn't an answer.

    Example:
        >>> same_answer("**$1,800.00**", "1800"), same_answer("18 eggs", "18")
        (True, True)
        >>> same_answer("12.75", "12"), same_answer("12 of the 18 eggs", "12")
        (False, False)
    """
    if not all(text.strip() and len(text) <= _MAX_CHARS for text in (one, other)):
        return False
    first, second = _quantity(one), _quantity(other)
    if first and second:
        return first[0] == second[0] and _units_agree(first[1], second[1])
    if first or second:
        return False
    return _truth(one) == _truth(other)


def _quantity(text: str) -> tuple[Fraction, frozenset[str]] | None:
    """Value and unit of a text that is one number with at most a unit; None for others."""
    plain = _plain(text)
    match = _NUMBER.fullmatch(plain) if len(plain) <= _MAX_NUMBER_CHARS else None
    if not match or not (match["whole"] or match["part"]) or (match["sign"] and match["inner"]):
        return None
    value = Fraction((match["whole"] or "0").replace(",", "") + (match["part"] or ""))
    if match["below"]:
        if not int(match["below"]):
            return None
        value = value / int(match["below"]) + int(match["ones"] or 0)
    if "-" in (match["sign"], match["inner"]):
        value = -value
    unit = match["unit"] or ""
    if _NO_UNIT.search(unit):
        return None
    words = [_singular(word) for word in _UNIT_WORDS.findall(unit)]
    while words and words[0] in _TIMES:
        value *= _TIMES[words.pop(0)]
    if match["money"]:
        words.append(match["money"])
    return value, frozenset(_NAMES.get(word, word) for word in words) - _NO_UNITS


def _units_agree(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two units may be of the same amount; "per apple" doesn't turn cents into dollars."""
    if one & _MONEY and other & _MONEY:
        return bool(one & other & _MONEY)
    first, second = _without_e(one - _MONEY), _without_e(other - _MONEY)
    return not (first and second) or bool(first & second)


def _without_e(words: frozenset[str]) -> set[str]:
    """Of "inches" an "inche" is left, and of "miles" a "mile": so that "inch" is the same."""
    return {word.removesuffix("e") for word in words}


def _plain(text: str) -> str:
    """The text in lower case without markup, and without the full stop at its end."""
    text = _FRACTION_SIGN.sub(r" \1", text)  # 3½ isn't 31/2.
    text = unicodedata.normalize("NFKC", text).replace("⁄", "/").replace("−", "-").casefold()
    text = _FRACTION.sub(r" \1/\2", text)
    text = _MARKUP.sub(lambda m: m[1] or "", text).replace("\\$", "$").replace("\\%", "%")
    return text.strip().removesuffix(".").strip()


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 2 and word.endswith("s") else word


def _truth(text: str) -> str:
    """The words of a text; of "Yes, since ..." only the yes."""
    match = _TRUTH.match(_plain(text))
    words = match[1] if match else normalise(text)
    return _SAME_TRUTH.get(words, words)
