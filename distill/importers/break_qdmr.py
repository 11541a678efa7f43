"""Break: questions with their steps in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...evals.loaders.break_qdmr import question_and_plan
from ...evals.rows import csv_rows, refuse
from ...evals.splits import split_of
from ..records import Example, Line


def break_qdmr(path: Path, broken: list[str] | None = None, split: str = "") -> Iterator[Example]:
    """Break's questions on text, with those plans of which every step can be worded.

    The others are left out and, if they are of the split, counted; they are never refused, since
    nothing is wrong with them.
    """
    for line, value in csv_rows(path, broken):
        try:
            found, name = question_and_plan(value), f"break:{value['question_id']}"
        except KeyError as error:
            refuse(f"{path}:{line}", f"no column {error}", broken)
            continue
        if found:
            question, plan = found
            yield Example(
                name, question,
                plan=tuple(Line(**row) for row in plan.to_rows()),
                source=f"break/{path.name}", licence="MIT",
            )  # fmt: skip
        elif broken is not None and split in ("", split_of(name)):
            refuse(f"{path}:{line}", "it isn't about a text, or a step can't be worded", broken)
