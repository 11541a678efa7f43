"""Which numbers a text gives, in digits or words, and whether it asks for arithmetic."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

from ..tools.calculator import CalculatorError, calculate, numbers

_ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_VALUE = {word: n for n, word in enumerate(_ONES)} | {w: 20 + 10 * n for n, w in enumerate(_TENS)}
_SCALE = {"hundred": 100, "thousand": 1000, "million": 1_000_000}

# Words that say what to do with a number: the number that an expression then needs.
_FACTORS = {
    "half": 2, "halves": 2, "twice": 2, "double": 2, "doubles": 2, "thrice": 3, "triple": 3,
    "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourth": 4, "fourths": 4, "fifth": 5,
    "fifths": 5, "sixth": 6, "eighth": 8, "tenth": 10, "dozen": 12, "dozens": 12, "pair": 2,
    "pairs": 2,
}  # fmt: skip
_UNITS = {
    "minute": (60,), "hour": (60, 3600), "day": (24,), "daily": (7,), "week": (7, 52),
    "weekly": (7, 52), "month": (12, 30), "year": (12, 52, 365), "foot": (12, 3), "feet": (12, 3),
    "yard": (3,), "inch": (12,), "inche": (12,), "dollar": (100,), "cent": (100,), "km": (1000,),
    "kg": (1000,), "meter": (100, 1000), "gram": (1000,),
}  # fmt: skip
_HOW_MANY = re.compile(
    r"\bhow (?:many|much|old|long|far|tall|high|wide|deep|big|large|heavy|fast)\b", re.IGNORECASE
)
_FACT = re.compile(
    r"^\W*(?:who|whom|whose|where|when|why|which|is|are|was|were|do|does|did|can|could|has|have"
    r"|what (?:year|colou?r|happened|did|do|does|kind|country|city|name|language)"
    r"|what (?:is|was) the (?:name|capital|nationality|title|meaning|colou?r))\b",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"\b(?:what|calculate|compute|find|total|sum|average|cost|price|number|amount|by how)\b",
    re.IGNORECASE,
)
_SPOKEN = (
    (r"%\s+of\b", "% *"), (r"\bper ?cent\b", "%"), (r"\bplus\b", "+"), (r"\bminus\b", "-"),
    (r"\btimes\b|\bmultiplied by\b", "*"), (r"\bdivided by\b", "/"),
)  # fmt: skip
_BEFORE = re.compile(
    r"^\W*(?:what(?: is|'s)|how much is|calculate|compute|find|please)\s+", re.IGNORECASE
)


def stated_value(question: str) -> Fraction | None:
    """The value of a question that is nothing but an expression, None for any other.

    Example:
        >>> stated_value("What is 1,200 + 300?"), stated_value("15% of 80?")
        (Fraction(1500, 1), Fraction(12, 1))
    """
    text = _BEFORE.sub("", question.strip()).rstrip("?.! =")
    for spoken, sign in (*_SPOKEN, _SPOKEN[0]):
        text = re.sub(spoken, sign, text, flags=re.IGNORECASE)
    if not re.search(r"[-+*/×÷^]", text.lstrip("-+")):
        return None
    if re.fullmatch(r"\d{4}(?:-\d{1,4}){1,2}", text.strip()):
        return None  # A date or a range of years.
    try:
        return calculate(text)
    except CalculatorError:
        return None


def asking_sentence(text: str) -> str:
    """The sentence that asks: the last with a question mark, else the last.

    Example:
        >>> asking_sentence("Ana has 5 pens. How many is that in U.S. dozens? Show your work.")
        'How many is that in U.S. dozens?'
    """
    sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(#])", text.strip())
    asking = [sentence for sentence in sentences if sentence.rstrip(" \"')").endswith("?")]
    return (asking or sentences)[-1]


def asks_for_arithmetic(asked: str, texts: Iterable[str]) -> bool:
    """Whether a question is one of quantity, with enough given to work it out.

    One number alone ("in 1905") makes no calculation: it takes two, or one and a word such
    as "half", or one and two units between which to convert.
    """
    sentence = asking_sentence(asked)
    of_quantity = _QUANTITY.search(sentence) and not _FACT.search(sentence)
    if not _HOW_MANY.search(sentence) and not of_quantity:
        return False
    text = " ".join(texts)
    words = _words(text)
    written = len(numbers(text)) + len(_spoken_numbers(text))
    factors = sum(word in _FACTORS for word in words) + text.count("%")
    units = {_unit(word) for word in words} - {None}
    return written + factors >= 2 or (written >= 1 and len(units) >= 2)


def given_numbers(texts: Iterable[str]) -> set[Fraction]:
    """Numbers that an expression may use: written, spoken, or meant by a word such as "half"."""
    text = " ".join(texts)
    found = {*numbers(text), *_spoken_numbers(text)}
    for word in _words(text):
        if word in _FACTORS:
            found |= {Fraction(1), Fraction(_FACTORS[word])}
        found.update(map(Fraction, _UNITS.get(_unit(word) or "", ())))
    if "%" in text or re.search(r"per ?cent", text, re.IGNORECASE):
        found |= {Fraction(1), Fraction(100)}
    return found


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def _unit(word: str) -> str | None:
    singular = word if word in _UNITS else word.removesuffix("s")
    return singular if singular in _UNITS else None


def _spoken_numbers(text: str) -> list[Fraction]:
    """Numbers in words: "twenty-five", "three hundred" and so on, each once."""
    found: list[Fraction] = []
    total, open_number = 0, False
    for word in [*_words(text), ""]:
        if word in _VALUE:
            total, open_number = total + _VALUE[word], True
        elif word in _SCALE and open_number:
            total *= _SCALE[word]
        elif word != "and" or not open_number:
            if open_number:
                found.append(Fraction(total))
            total, open_number = 0, False
    return found
