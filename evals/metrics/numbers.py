"""Answers that are numbers: GSM8K, GSM-Hard, SVAMP."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from .text import MAX_CHARS, after_mark

_STRICT = re.compile(r"#### (\-?[0-9\.\,]+)")
_NUMBER = re.compile(
    # Digits that end a word or are an exponent are passed over: CO2, m^2.
    r"[A-Za-z^]\w*(?:[.,][0-9]+)*"
    # A minus is one unless it stands between two things: 10-15, (a)-3, $9 - $5. With a space
    # behind it, it is one before money alone, and in later lines of a list it is a bullet.
    r"|((?<![\w)\]%.])(?:[-−–]|(?<![\w)\]%.]\s)(?<!\n)[-−–]\s(?=[$€£])))?(?:[$€£]\s?)?"
    r"((?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
    r"((?:[eE][-+]?[0-9]{1,2})?)(?![0-9])"
)
_STATED = re.compile(r"[^\w.+−-]{0,5}[-−–]?[$€£\s]{0,3}\.?[0-9]")
_WORKED_OUT = re.compile(r"[\d\s.,$€£()%e]{1,100}[-+*/×·÷x−^][\d\s.,$€£()%e+\-*/×·÷x−^]{1,200}=")
# Also with words: "12 pens - 3 pens = 9 pens", but not in "18, since 20 - 2 = 18", nor in
# "18 after giving away 20 - 4 = 16", where it isn't the first number that is calculated with.
_WORKED = re.compile(
    r"\D{0,9}[\d.,]{1,100}(?:\D{0,60}\s(?:[-−–+*/×·÷x]|plus|minus|times|(?:divided|multiplied) by)"
    r"\s[$€£(]{0,2}\.?\d|(?:%|/\d{1,9})\s+of\b)"
)
_ASIDE = re.compile(
    r"[;:([]|[.,](?!\d)|\b(?:and|as|because|but|for|if|or|since|so|when|where|which|while)\b",
    re.IGNORECASE,
)
_LATEX = (
    (r"{,}", ","), (r"\,", ""), (r"\$", "$"), (r"\!", ""), (r"\(", " "), (r"\[", " "),
    ("½", " 1/2"), ("¼", " 1/4"), ("¾", " 3/4"),
)  # fmt: skip
_PLAINER = (
    (re.compile(r"(?<!\d)\\[dt]?frac\{(\d{1,9})\}\{(\d{1,9})\}"), r"\1/\2"),
    (re.compile(r"(?<=\d)\s?\\[dt]?frac\{(\d{1,9})\}\{(\d{1,9})\}"), r" \1/\2"),
    (
        re.compile(
            r"(?<=\d)\s?(?:[×·*x]|\\times|\\cdot)\s?10\s?(?:\^|\*\*)\{?(-?\d{1,2})\}?(?!\d)"
        ),
        r"e\1",
    ),
    (re.compile(r"\\(?:times|cdot|div)(?![A-Za-z])"), "×"),  # Only that it is an operator counts.
    (re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))"), ""),  # spaces of thousands
    (re.compile(r"(?<![\w-])negative (?=[$€£]?\d)", re.IGNORECASE), "-"),
    (re.compile(r"(?:^|(?<=\bis )|(?<=[:*] ))minus (?=[$€£]?\d)", re.IGNORECASE), "-"),
)
_BRACKETS = re.compile(r"(?<=\S)\s\((?:[^()]|\([^()]{0,200}\)){1,200}\)[\s.*_]{0,9}$")
_UNDER = re.compile(r"/([1-9][0-9]{0,8})(?![\w/]|[.,][0-9])")  # but not in 24/12/1999
_MIXED = re.compile(
    r"(?<![\w.,/])([0-9]{1,3}(?:,[0-9]{3}){1,3}|[0-9]{1,9})[ \u00a0]{1,2}"
    r"([1-9][0-9]?)/([1-9][0-9]?)(?![\w/]|[.,][0-9])"
)
_MAX_DIGITS = 400
PAL_TOLERANCE = Fraction(1, 1000)
"""How far off an answer may be for GSM-Hard, by the script of its authors."""


def gsm8k(prediction: str, gold: Sequence[str]) -> dict[str, float]:
    """GSM8K in its two readings, side by side.

    `strict` is the rule of openai/grade-school-math: the first `#### NUMBER` without its
    commas equals the gold result letter by letter, and a text without one is wrong.
    `flexible` is what is usual for language models: `answer_number` equals the gold result
    as a number.

    Example:
        >>> gsm8k("She earns $18.00 a day.", ["18"])
        {'flexible': 1.0, 'strict': 0.0}
    """
    return {
        "flexible": numeric(prediction, gold)["accuracy"],
        "strict": float(strict_answer(prediction) in gold),
    }


def numeric(
    prediction: str, gold: Sequence[str], tolerance: Fraction = Fraction(0)
) -> dict[str, float]:
    """Whether the answer's number is the gold one: exactly, or within `tolerance`.

    Example:
        >>> numeric("about 12.75", ["12"]), numeric("1,800 in all", ["1800"])
        ({'accuracy': 0.0}, {'accuracy': 1.0})

    Raises:
        ValueError: If a gold answer is no number.
    """
    found = answer_number(prediction)
    if found is None:
        return {"accuracy": 0.0}
    off = [abs(found - _gold(number)) for number in gold]
    return {"accuracy": float(any(o < tolerance or o == 0 for o in off))}


def strict_answer(text: str) -> str | None:
    """The result by GSM8K's own rule; None if there is none.

    Example:
        >>> strict_answer("That makes 1,800. #### 1,800"), strict_answer("1800")
        ('1800', None)
    """
    match = _STRICT.search(text)
    return match[1].strip().replace(",", "") if match else None


def answer_number(text: str) -> Fraction | None:
    """The number that a text gives as its answer; None if it gives none.

    With an answer mark: the number right behind it (of "5 + 3 = 8" or "5 pens + 3 pens = 8 pens",
    also in LaTeX, the last), else the last in that line, else the last behind the mark. Without
    a mark: the last in the text. To find the last, brackets at the end that hold several numbers
    are left out: "18 dollars (9 eggs at $2)", but not "(5 - 3 = 2)". Currency, thousands commas,
    markdown and a percent sign are read over, and so are words behind the number: "5 million" is
    5. 3/4, 7 1/2 and 2 × 10^9 are one number each, and so is their LaTeX.

    Example:
        >>> answer_number("The answer is: **$1,800** for 20 days")
        Fraction(1800, 1)
        >>> answer_number("18 eggs less 5 is 13."), answer_number("No idea.")
        (Fraction(13, 1), None)
    """
    for latex, plain in _LATEX:
        text = text.replace(latex, plain)
    for pattern, plain in _PLAINER:
        text = pattern.sub(plain, text)
    text = _MIXED.sub(_improper, text)
    marked = after_mark(text)
    if marked is None:
        return _last(text[-MAX_CHARS:])
    line = marked.partition("\n")[0]
    if not _STATED.match(line):
        found = _last(line)
        return _last(marked) if found is None else found
    while _works_out(line):
        line = line.partition("=")[2]
    return next(iter(numbers_in(line)), None)


def _improper(mixed: re.Match[str]) -> str:
    whole, upper, lower = (int(digits.replace(",", "")) for digits in mixed.groups())
    return f"{whole * lower + upper}/{lower}" if upper < lower else mixed[0]


def _works_out(line: str) -> bool:
    """Whether what stands before the first equals sign is a calculation."""
    before, equals, _ = line.partition("=")
    in_words = bool(equals) and bool(_WORKED.match(before)) and not _ASIDE.search(before)
    return in_words or bool(_WORKED_OUT.match(line))


def numbers_in(text: str) -> list[Fraction]:
    """The numbers of a text with their signs, in order; a fraction is one.

    Example:
        >>> numbers_in("from -3 to 10-15, or 1.2e3")
        [Fraction(-3, 1), Fraction(10, 1), Fraction(15, 1), Fraction(1200, 1)]
    """
    found: list[Fraction] = []
    end = 0
    for match in _NUMBER.finditer(text):
        sign, digits, exponent = match.groups()
        if not digits or len(digits) > _MAX_DIGITS or match.start() < end:
            continue
        value = Fraction(digits.replace(",", "") + exponent)
        begins = match.start()
        is_under = begins > 0 and text[begins - 1] == "/"
        if not is_under and (under := _UNDER.match(text, match.end())):
            value, end = value / int(under[1]), under.end()
        found.append(-value if sign else value)
    return found


def plain_number(text: str) -> str | None:
    """A text that is nothing but a number or a fraction, plainly written; None for any other.

    Example:
        >>> plain_number("$1,800.00"), plain_number("-3/4"), plain_number("3 pens")
        ('1800.00', '-3/4', None)
    """
    match = _NUMBER.match(text := text.strip())
    if not match or not match[2]:
        return None
    sign, digits, exponent = match.groups()
    number, under = digits.replace(",", "") + exponent, text[match.end() :]
    if under and not (number.isdigit() and _UNDER.fullmatch(under)):
        return None
    return ("-" if sign else "") + number + under


def _gold(text: str) -> Fraction:
    plain = plain_number(text.rstrip("."))
    if plain is None:
        raise ValueError(f"{text!r} is no number")
    return Fraction(plain)


def _last(text: str) -> Fraction | None:
    found, aside = numbers_in(text), _BRACKETS.search(text)
    inside = len(numbers_in(aside[0])) if aside else 0
    # "18 dollars (9 eggs at $2)": how it came about; "2 dozen (24 eggs)" says it again, and in
    # "two more (5 - 3 = 2)" it is what comes out.
    if aside and 1 < inside < len(found) and not _comes_to_one(aside[0]):
        found = found[:-inside]
    return next(reversed(found), None)


def _comes_to_one(aside: str) -> bool:
    """Whether brackets end with a result: a number behind an equals sign, and numbers before."""
    before, _, after = aside.rpartition("=")
    return bool(numbers_in(before)) and len(numbers_in(after)) == 1
