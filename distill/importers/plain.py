"""Questions without plans: to ask a teacher, to be atomic examples, to check contamination."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...evals.annotated import final_result
from ...evals.rows import json_rows, note
from ...evals.splits import file_id
from ..records import Example

_QUESTION = ("question", "Question", "qText", "input", "problem")
_ANSWER = ("answer", "Answer", "answers", "target", "gold", "correct")


def questions(path: Path, broken: list[str] | None = None, licence: str = "") -> Iterator[Example]:
    """Any JSON or JSONL rows with a question, such as HotpotQA, AQuA or Bamboogle."""
    for row, value in json_rows(path, broken):
        if "file_metadata" in value:
            continue  # Files of gsm-procedural begin with this.
        question, answer = _first(value, _QUESTION), _first(value, _ANSWER)
        if not question:
            note(path, row, "no question", broken)
            continue
        yield Example(
            f"{file_id(path)}:{row}", question, _passage(value), answer=answer,
            source=file_id(path), licence=licence,
        )  # fmt: skip


def gsm8k(path: Path, broken: list[str] | None = None) -> Iterator[Example]:
    """GSM8K: problems with annotated solutions; plans come from `from_solution`."""
    for row, value in json_rows(path, broken):
        question, solution = _text(value.get("question")), _text(value.get("answer"))
        if not question or not solution:
            note(path, row, "no question or no answer", broken)
            continue
        yield Example(
            f"{file_id(path)}:{row}", question, answer=final_result(solution), solution=solution,
            source=file_id(path), licence="MIT",
        )  # fmt: skip


def svamp(path: Path, broken: list[str] | None = None) -> Iterator[Example]:
    """SVAMP: a body and a question, for evaluation."""
    for row, value in json_rows(path, broken):
        body, question = _text(value.get("Body")), _text(value.get("Question"))
        if not question:
            note(path, row, "no Question", broken)
            continue
        end = "" if body.endswith((".", "?", "!", ",")) or not body else ","
        answer = value.get("Answer")
        yield Example(
            f"{file_id(path)}:{row}", f"{body}{end} {question}".strip(),
            answer=f"{answer:g}" if isinstance(answer, int | float) else _text(answer),
            source=file_id(path), licence="MIT",
        )  # fmt: skip


def _first(value: dict[str, Any], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := _text(value.get(name)))), "")


def _passage(value: dict[str, Any]) -> str:
    """What the question is asked about; HotpotQA's lists of paragraphs are none of it."""
    context = value.get("context")
    return context.strip() if isinstance(context, str) else ""


def _text(value: object) -> str:
    """A field as text: numbers written out, the first of several answers."""
    if isinstance(value, list):
        return _text(value[0]) if value else ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value).strip()
    return ""
