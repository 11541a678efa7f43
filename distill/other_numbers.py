"""Other numbers in a question and its expressions, with the answers that follow."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from random import Random

from ..nodes.given_numbers import given_numbers, spoken_numbers
from ..tools.calculator import CalculatorError, calculate, format_number, numbers
from .augment import rewritten
from .collect.answers import same_answer
from .records import Example, Line

_NUMBER = re.compile(r"(?<![\w.,#/:-])\d+(?:\.\d+)?(?![\w/:-]|[.,]\d|\s*(?:[ap]\.?m\b|o['’]clock))")
_IN_EXPRESSION = re.compile(r"(?<![\w.#])\d+(?:\.\d+)?(?![\w.])")
_ATTEMPTS = 12
_MEANT = {
    2: r"half|halves|twice|doubl\w+|pairs?|couples?", 3: r"thirds?|thrice|tripl\w+",
    4: r"quarters?|fourths?", 5: r"fifths?", 6: r"sixths?", 7: r"sevenths?|weeks?|weekly",
    8: r"eighths?", 9: r"ninths?", 10: r"tenths?", 12: r"dozens?|years?|yearly|f(?:oo|ee)t",
    24: r"days?|daily", 30: r"months?|monthly", 52: r"years?|yearly", 60: r"hours?|minutes?",
    365: r"years?|yearly", 1000: r"kilo\w*|k[gm]|lit(?:re|er)s?|tons?",
}  # fmt: skip
"""What a word tells to calculate with, beside a number in figures that happens to be the same."""
_PERCENTAGE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|percent\b|per cent\b)")
_UNITS = ("2", "3", "4", "7", "10", "12", "24", "30", "52", "60", "365", "1000")


def swap_numbers(example: Example, rng: Random) -> Example | None:
    """The arithmetic example with other numbers and the answers that follow; None if none fit.

    Numbers of the question that no expression uses stay, and those that a text has in another
    form as well, such as 5 beside "five", "2/5", "5th" or "a fifth". Answers keep their kind:
    whole stays whole, positive stays positive, and nothing grows beyond three times its digits.
    None fit a plan whose lines name a result, as in "How many of the 12 are left?".
    """
    found = _NUMBER.findall(example.question)
    used = Counter(n for row in example.plan for n in _IN_EXPRESSION.findall(row.get("expr", "")))
    stated = [n for n in dict.fromkeys(found) if n in used and not _is_constant(n, found, used)]
    other_forms = _in_other_forms(example)
    stated = [n for n in stated if Fraction(n) not in other_forms]
    if not stated or not all("expr" in line for line in example.plan):
        return None
    if example.answer and not same_answer(example.answer, example.plan[-1].get("answer", "")):
        return None  # What follows from the last line, such as a yes, nobody calculates.
    for _ in range(_ATTEMPTS):
        swaps = {n: _near(n, rng) for n in stated}
        if len(set(swaps.values())) < len(swaps) or _too_many_percent(swaps, example.question):
            continue
        swapped = rewritten(
            example,
            lambda text, s=swaps: _NUMBER.sub(lambda m: s.get(m[0], m[0]), text),
            lambda text, s=swaps: _IN_EXPRESSION.sub(lambda m: s.get(m[0], m[0]), text),
        )
        if recalculated := _recalculated(swapped, example):
            return None if _names_a_result(example) else recalculated
    return None


def _in_other_forms(example: Example) -> set[Fraction]:
    """Numbers of the texts that a swap wouldn't reach, since they are written otherwise."""
    texts = "\n".join([example.problem, *(line["text"] for line in example.plan)])
    left = _NUMBER.sub(" ", re.sub(r"#\d+", " ", texts))
    words = {n for n, form in _MEANT.items() if re.search(rf"\b(?:{form})\b", left, re.IGNORECASE)}
    return {*numbers(left), *spoken_numbers(texts), *map(Fraction, words)}


def _names_a_result(example: Example) -> bool:
    """Whether a line has an earlier answer in figures, which would be wrong with others."""
    texts = " ".join(re.sub(r"#\d+", " ", line["text"]) for line in example.plan)
    results = {*numbers(" ".join(line.get("answer", "") for line in example.plan))}
    return not results.isdisjoint({*numbers(texts)} - given_numbers([example.problem]))


def _is_constant(number: str, stated: list[str], used: Counter[str]) -> bool:
    """Whether an expression may mean the minutes of an hour and not the question's number."""
    return number in ("1", "100") or (number in _UNITS and used[number] > stated.count(number))


def _too_many_percent(swaps: dict[str, str], question: str) -> bool:
    """Whether a percentage of at most 100 becomes one of more."""
    percentages: list[str] = _PERCENTAGE.findall(question)
    return any(float(n) <= 100 < float(swaps.get(n, n)) for n in percentages)


def _near(number: str, rng: Random) -> str:
    """Another number of about that size and kind."""
    if "." in number:
        value = float(number) * rng.uniform(0.5, 2.0)
        return f"{max(value, 0.01):.{len(number.split('.')[1])}f}"
    n = int(number)
    if n > 20 and n % 10 == 0:
        scale = 10 ** (len(number) - len(number.rstrip("0")))
        return str(scale * rng.randint(max(1, n // scale // 2), 2 * n // scale + 1))
    return str(rng.randint(max(2, n // 2), 2 * n + 3))


def _recalculated(example: Example, before: Example) -> Example | None:
    values: dict[int, str] = {}
    lines: list[Line] = []
    for line, old in zip(example.plan, before.plan, strict=True):
        expression = line.get("expr", "")
        shown = re.sub(r"#(\d+)", lambda m: f"({values.get(int(m[1]), '0/0')})", expression)
        try:
            value = calculate(shown)
            was = calculate(old.get("answer", ""))
        except CalculatorError:
            return None
        if not _alike(value, was):
            return None
        values[line["id"]] = format_number(value)
        lines.append({**line, "answer": values[line["id"]]})
    answer = values[lines[-1]["id"]]
    return replace(example, plan=tuple(lines), answer=answer, predicted="", solution="")


def _alike(value: Fraction, was: Fraction) -> bool:
    whole = value.denominator == 1 or (was.denominator != 1 and 1000 % value.denominator == 0)
    return whole and (value > 0) == (was > 0) and abs(value) < 1000 * max(abs(was), 1)
