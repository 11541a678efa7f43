"""Plan files of this project: plans that a teacher wrote, for rows of other files or its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...evals.loaders.fields import reason
from ...evals.rows import json_rows, note
from ...tools.calculator import CalculatorError, calculate, format_number
from ..records import Example, Line

Originals = Callable[[str], dict[int, Example]]
"""The examples of an original file by row, given its path below the data folder."""


def teacher(path: Path, originals: Originals, broken: list[str] | None = None) -> Iterator[Example]:
    """Rows with a question of their own, or with the file and row that hold it.

    A row joined with an original has the original's id, so that both fall into one split. Its
    `question_hash` says which question is meant: a file with its rows in another order is
    joined all the same, and one without the question isn't.
    """
    rows_of = cache(originals)
    by_hash = cache(lambda name: {question_hash(e.question): e for e in rows_of(name).values()})
    for row, value in json_rows(path, broken):
        try:
            yield _joined(value, rows_of, by_hash) if "source" in value else _own(value, path, row)
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, UserError):
                raise
            note(path, row, reason(error), broken)


def question_hash(question: str) -> str:
    """What a question is known by, whatever its spaces and capitals."""
    return hashlib.sha256(" ".join(question.lower().split()).encode()).hexdigest()[:12]


def _own(value: dict[str, Any], path: Path, row: int) -> Example:
    example = Example(
        f"{path.stem}:{value.get('id', row)}", value["question"], context=value.get("context", ""),
        source=f"teacher/{path.name}", licence="MIT",
    )  # fmt: skip
    return _planned(example, value)


def _joined(
    value: dict[str, Any], rows_of: Originals, by_hash: Callable[[str], dict[str, Example]]
) -> Example:
    original, meant = rows_of(value["source"]).get(value["row"]), value.get("question_hash")
    if meant and (original is None or question_hash(original.question) != meant):
        original = by_hash(value["source"]).get(meant)
    if original is None:
        raise ValueError(f"{value['source']} doesn't have the question of row {value['row']}")
    return _planned(original, value)


def _planned(example: Example, value: dict[str, Any]) -> Example:
    """The example with a row's plan, or its expression, and what these give as the answer."""
    plan, expr = tuple(map(_line, value["plan"])), value.get("expr", "")
    answer = _answer(plan, expr) or example.answer
    meta = {**example.meta, **({"expr": expr} if expr else {})}
    return replace(example, plan=plan, answer=answer, teacher="project", meta=meta)


def _line(row: dict[str, Any]) -> Line:
    line: Line = {"id": row["id"], "text": row["text"], "needs": list(row["needs"])}
    if row.get("expr"):
        line["expr"] = row["expr"]
    if row.get("value"):
        line["answer"] = row["value"]
    return line


def _answer(plan: tuple[Line, ...], expr: str) -> str:
    if plan:
        return plan[-1].get("answer", "")
    try:
        return format_number(calculate(expr)) if expr else ""
    except CalculatorError as error:
        raise ValueError(f"the expression {expr!r} can't be calculated: {error}") from None
