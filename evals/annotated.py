"""Reading solutions with annotated steps, such as GSM8K's `2+3 = <<2+3=5>>5 apples`.

Each step becomes an expression with a value; which earlier result each of its numbers is
gets traced. Everything is checked with the calculator, and what isn't clear is no step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ..nodes.given_numbers import given_numbers, spoken_numbers
from ..tools.calculator import CalculatorError, calculate, numbers

_ANNOTATION = re.compile(r"<<([^<>=]{1,200})=([^<>]{1,40})>>")
_RESULT = re.compile(
    r"(?P<before>[\d\s.,+\-*/x×÷()%$=]*?)(?P<dollar>\$?)\s*<<[^<>]+>>\s*\$?-?[\d,]*\.?\d+%?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![#\d.])(?:\d+(?:\.\d+)?|\.\d+)(?!\d)")
_ARITHMETIC = re.compile(r"[\d.+\-*/()%]+")
_MAX_FOLDED_CHARS = 1000
MAX_EXPR_CHARS = 80
"""Of an expression that a solver is to learn."""
_SIGNS = str.maketrans("×÷−", "*/-")
_FINAL = re.compile(r"^####\s*(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """One calculation of a solution.

    Args:
        expr: The expression; once traced, with `#k` for the result of step k, from 1.
        value: Its exact value.
        sentence: What the solution says, with `@` for calculation and result; "" if it
            says no such thing in one sentence.
        money: Whether the result is an amount of dollars.
        unsure: Whether a number that was taken from the question may be an earlier result.
    """

    expr: str
    value: Fraction
    sentence: str = ""
    money: bool = False
    unsure: bool = False

    @property
    def needs(self) -> list[int]:
        """The steps whose results the expression uses."""
        return sorted({int(k) for k in re.findall(r"#(\d+)", self.expr)})


def final_result(solution: str) -> str:
    r"""What stands after `####`, or "".

    Example:
        >>> final_result("She has 2+3 = <<2+3=5>>5 pens.\n#### 5")
        '5'
    """
    found = _FINAL.findall(solution)
    return found[-1].strip().replace(",", "") if found else ""


def read_steps(solution: str) -> list[Step] | None:
    """The annotated calculations of a solution; None if one of them isn't clear."""
    steps: list[Step] = []
    for line in _FINAL.sub("", solution).splitlines():
        found = _ANNOTATION.findall(line)
        for number, (left, right) in enumerate(found, 1):
            step = checked_step(left, right)
            if step is None:
                return None
            if number == len(found):
                sentence, money = _sentence(line)
                step = replace(step, sentence=sentence, money=money)
            steps.append(step)
    return steps


def checked_step(left: str, right: str) -> Step | None:
    """A calculation that comes out as stated (a share also in per cent); None for any other.

    Example:
        >>> checked_step("$1,200 x 2", "2,400").expr, checked_step("2 + 2", "5")
        ('1200*2', None)
    """
    expr = re.sub(r"[$€£\s]|(?<=\d),(?=\d{3})", "", left).translate(_SIGNS)
    expr = re.sub(r"(?<![\d.])\.(?=\d)", "0.", re.sub(r"(?<=\d|\))[xX](?=\d|\(|\.)", "*", expr))
    expr = re.sub(r"(?<=\d)(\.\d*?)0+(?!\d)", lambda m: m[1].rstrip("."), expr)
    try:
        value, stated = calculate(expr), calculate(right.strip().rstrip("%"))
    except CalculatorError:
        return None
    if not _ARITHMETIC.fullmatch(expr) or value not in (stated, stated / 100):
        return None
    return Step(expr, value) if re.search(r"[\d)][-+*/]", expr) else None


def trace(steps: Sequence[Step], question: str) -> list[Step] | None:
    """The steps with `#k` where a number is an earlier result; None if one is from nowhere.

    A number that is both an earlier result and in the question is taken as the result only
    if nothing else uses that: solutions seldom work out what they don't need.
    """
    given = given_numbers([question])
    stated = {*numbers(question), *spoken_numbers(question)}
    values = [step.value for step in steps]
    found = [(k, match) for k, step in enumerate(steps) for match in _NUMBER.finditer(step.expr)]
    chosen: dict[tuple[int, int], str] = {}
    used: set[int] = set()
    unsure: set[int] = set()
    for certain in (True, False):  # What can't be anything but a result goes first.
        for k, match in found:
            value, key = Fraction(match[0]), (k, match.start())
            is_percentage = steps[k].expr[match.end() :].startswith("%")
            equal = [j for j in range(k) if values[j] == value and not is_percentage]
            ambiguous = bool(equal) and value in given
            if key in chosen or ambiguous == certain:
                continue
            unused = [j for j in equal if j not in used]
            # Conversions such as 60 minutes aren't stated, but small and common.
            literal = value in stated or (value in given and value <= 100)
            if equal and (unused or not literal):
                used.add(j := (unused or equal)[-1])
                chosen[key] = f"#{j + 1}"
            elif value not in stated and (written := _as_given(value, given, question)):
                chosen[key] = written
            elif value in given:
                chosen[key] = match[0]
                unsure |= {k} if equal else set()
            else:
                return None
    return [
        replace(_rewritten(step, k, chosen), unsure=k in unsure) for k, step in enumerate(steps)
    ]


def one_each(lines: Sequence[str], question: str) -> list[Step]:
    """A traced calculation for each line, [] if not all have exactly one."""
    if any(line.count("<<") != 1 for line in lines):
        return []
    steps = read_steps("\n".join(lines))
    return (trace(steps, question) or []) if steps and len(steps) == len(lines) else []


def fold(steps: Sequence[Step], kept: Iterable[bool]) -> list[Step]:
    """The kept steps alone, renumbered; the others' expressions are put in where needed."""
    expr: dict[int, str] = {}
    result: list[Step] = []
    for k, (step, keep) in enumerate(zip(steps, kept, strict=True), 1):
        # What doubles at each step would soon fill the memory; so long, nobody takes it.
        written = re.sub(r"#(\d+)", lambda m: _inserted(m, expr), step.expr)[:_MAX_FOLDED_CHARS]
        expr[k] = written
        if keep:
            result.append(replace(step, expr=written))
            expr[k] = f"#{len(result)}"
    return result


def _sentence(line: str) -> tuple[str, bool]:
    """The line with `@` for its one calculation, "" if that leaves more arithmetic in it."""
    matches = list(_RESULT.finditer(line))
    if len(matches) != 1:
        return "", False
    match = matches[0]
    if match[0].endswith("%"):
        return "", False
    # The white space that began the calculation is a word's end.
    text = f"{line[: match.start()]} @{line[match.end() :]}"
    money = bool(match["dollar"]) or line[match.end() :].lstrip().startswith("dollars")
    text = re.sub(r"\s+([,.])", r"\1", " ".join(text.split())).rstrip(". ")
    if re.search(r"[=+*/<>×$]|\d", text) or len(text) > 200:
        return "", money
    return text, money


def _as_given(value: Fraction, given: set[Fraction], question: str) -> str:
    """A factor such as 0.2 or 1.2, written with the percentage or fraction in the question."""
    if value.denominator == 1:
        return ""
    if "%" in question or "percent" in question:
        for pattern, percent in (
            ("{}/100", value * 100),
            ("(1+{}/100)", value * 100 - 100),
            ("(1-{}/100)", 100 - value * 100),
        ):
            if percent in given and percent.denominator == 1 and percent > 0:
                return pattern.format(percent)
    if value and value.numerator == 1 and {Fraction(1), 1 / value} <= given:
        return f"1/{1 / value}"
    return ""


def _rewritten(step: Step, k: int, chosen: dict[tuple[int, int], str]) -> Step:
    def write(match: re.Match[str]) -> str:
        text = chosen[k, match.start()]
        divided = "/" in text and step.expr[: match.start()].endswith("/")
        return f"({text})" if divided and not text.startswith("(") else text

    return replace(step, expr=_NUMBER.sub(write, step.expr))


def _inserted(match: re.Match[str], expr: dict[int, str]) -> str:
    """An expression in place of `#k`, in parentheses where it needs them."""
    text = expr[int(match[1])]
    before = match.string[: match.start()][-1:]
    if re.search(r"[-+]", text) and match[0] != match.string:
        return f"({text})"
    return f"({text})" if before == "/" and re.search(r"[*/]", text) else text
