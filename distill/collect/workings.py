"""What a teacher's solution says about each line of its plan: the result, and how it is calculated.

From the calculations a solver is distilled that writes expressions; a teacher needn't write any
itself. Like everything that a model wrote they are checked: what isn't clear is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ...evals.annotated import MAX_EXPR_CHARS, Step, checked_step, fold, trace
from ...nodes.given_numbers import stated_number
from ...tools.calculator import format_number
from ..records import Line

_STEP = re.compile(r"[\s*_>-]*#(\d{1,2})\b")
_RESULT = "=>"
_MAX_RESULT_CHARS = 500
_MAX_WORKING_CHARS = 2000
_TIMES = re.compile(r"(?<=[\d)%])\s*(?:[x×·]|\\times|\\cdot)\s*(?=[$€£(\d])", re.IGNORECASE)
_ARITHMETIC = r"[\d.,$€£%()+*/÷−\s-]"
_APART = re.compile(r"[.,]\s+|(?<=[\d)%])\s+(?=[\d($€£])")  # "In 2019, 3 boxes" are two numbers.
_NUMBER = re.compile(r"[$€£\s]*[-−]?[$€£]?(?:\d[\d,]*)?\.?\d+%?")
_CALCULATION = re.compile(rf"({_ARITHMETIC}{{3,200}}(?:={_ARITHMETIC}{{1,200}})+)")


class Working(NamedTuple):
    """How a line was worked out, in the teacher's words, and its result."""

    text: str
    result: str


def workings(solution: str) -> dict[int, Working]:
    r"""What a solution says for each line of the plan; lines without a result are left out.

    Example:
        >>> found = workings("#1 6 * 24 = 144 => 144\n#2 a quarter of them => **36**\nAnswer: 36")
        >>> found[1].text, found[1].result, found[2].result
        ('6 * 24 = 144', '144', '36')
    """
    found: dict[int, Working] = {}
    current, said = 0, ""
    for line in solution.splitlines():
        start = _STEP.match(line)
        if start and int(start[1]) > current:
            current, said, line = int(start[1]), "", line[start.end() :]
        before, arrow, after = line.rpartition(_RESULT)
        said = f"{said} {before if arrow else line}".strip()[:_MAX_WORKING_CHARS]
        result = after.strip(" *_`") if arrow else ""
        if current and 0 < len(result) <= _MAX_RESULT_CHARS:
            found[current] = Working(said, result)
    return found


def with_workings(
    plan: Sequence[Line], found: dict[int, Working], problem: str
) -> tuple[Line, ...]:
    """The lines of a plan with their answers, and expressions where the working shows them.

    The answer of a line with an expression is a number alone, as the calculator gives it and as
    a solver sees it before later lines; any other stays in the teacher's words ("24 jars").
    """
    lines: list[Line] = []
    for row in plan:
        if working := found.get(row["id"]):
            row = Line(**{**row, "answer": working.result})
            needed = {k: lines[k - 1].get("answer", "") for k in row["needs"]}
            if written := expression(working, needed, problem):
                value = stated_number(working.result)
                assert value is not None  # It is the expression's.
                row = Line(**{**row, "expr": written, "answer": format_number(value)})
        lines.append(row)
    return tuple(lines)


def expression(working: Working, needed: dict[int, str], problem: str) -> str:
    """The calculation in a working, with `#k` for the answers that the line needs.

    Several calculations of one line become one expression.

    Args:
        working: Words with calculations, and the result that the last of them has.
        needed: The answers of needed lines, by id.
        problem: Context and question, which state the other numbers.

    Returns:
        An expression that has exactly that value, or "" if there is none, if it takes a number
        from nowhere, if it does without an answer that the line is said to need, or if two of
        these are equal: which of them is meant where doesn't show.

    Example:
        >>> working = Working("4 of 6 crates: 4 * 24 = 96, and 96 - 10 = 86", "86 jars")
        >>> expression(working, {1: "24 jars"}, "Of 6 crates 4 are sold. 10 jars break.")
        '4*#1-10'
    """
    values = [stated_number(answer) for answer in needed.values()]
    steps = _calculations(working.text)
    if not steps or None in values or len({*values}) < len(values):
        return ""
    if stated_number(working.result) != steps[-1].value:
        return ""
    known = [Step("", value) for value in values if value is not None]
    traced = trace([*known, *steps], problem)
    if traced is None or any(step.unsure for step in traced):
        return ""
    kept = [True] * len(known) + [False] * (len(steps) - 1) + [True]
    step = fold(traced, kept)[-1]
    if step.needs != list(range(1, len(known) + 1)) or len(step.expr) > MAX_EXPR_CHARS:
        return ""
    ids = list(needed)
    return re.sub(r"#(\d+)", lambda match: f"#{ids[int(match[1]) - 1]}", step.expr)


def _calculations(text: str) -> list[Step]:
    """The calculations of a text that come out as it says, in order."""
    found: list[Step] = []
    for written in _CALCULATION.findall(_TIMES.sub(" * ", text)):
        first, *_, last = written.split("=")
        first = _APART.split(first.strip())[-1]
        for _ in range(first.count("(") - first.count(")")):
            first = first.partition("(")[2]  # It was opened before the calculation.
        stated = _NUMBER.match(last)
        step = checked_step(first, stated[0]) if stated else None
        found += [step] if step else []
    return found
