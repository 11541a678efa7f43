"""Questions to ask a teacher: from a JSONL file, or from a data set of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...evals.hub import HUB, dataset_rows
from ...evals.rows import is_json_list
from ...nodes.problem import Problem
from ...settings import expanded
from ..records import read_rows

_GSM8K_MARK = "####"


@dataclass(frozen=True)
class Question:
    """A question to be planned, with its reference answer and solution if they are known."""

    id: str
    problem: Problem
    answer: str = ""
    solution: str = ""
    source: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Questions:
    """What was read; `repeated` counts rows that ask what an earlier one has asked."""

    rows: list[Question]
    repeated: int = 0


def read_questions(
    reference: str, *, limit: int | None = None, broken: list[str] | None = None
) -> Questions:
    """Read questions.

    A row has `question` and maybe `id`, `context`, `answer`, `solution`, `source` and
    `licence`. The id is else the row's number. An answer in the form of GSM8K is a solution,
    and what follows its `####` the answer.

    Args:
        reference: A JSONL file, or `hf:OWNER/NAME[/CONFIG][:SPLIT]`; the split is else "train".
        limit: Most questions.
        broken: Where to note rows that can't be used; without it they are refused.

    Raises:
        UserError: If the file or data set can't be read, holds no question, or has a broken
            row and `broken` is None.
        MissingDependencyError: If a data set is named and `datasets` isn't installed.
    """
    found: dict[str, Question] = {}
    asked: set[Problem] = set()
    repeated = 0
    for number, question in question_rows(reference, broken):
        if question.problem in asked:
            repeated += 1
            continue
        if question.id in found:
            why = f"an earlier row has the id {question.id!r}, too"
            _refuse(f"{reference}:{number}: {why}", broken)
            continue
        asked.add(question.problem)
        found[question.id] = question
        if len(found) == limit:
            break
    if not found:
        left = f" ({len(broken):,} left out, first {broken[0]})" if broken else ""
        raise UserError(
            f"{reference!r} holds no questions{left}; "
            'a line is {"question": "...", "answer": "..."}.'
        )
    return Questions(list(found.values()), repeated)


def question_rows(
    reference: str, broken: list[str] | None = None
) -> Iterator[tuple[int, Question]]:
    """Every row's number and question, whatever rows repeat; otherwise as `read_questions`."""
    for number, row in _rows(reference, broken):
        try:
            yield number, _question(number, row, _source(reference))
        except ValueError as error:
            _refuse(f"{reference}:{number}: {str(error).removesuffix('.')}", broken)


def dataset_file(reference: str) -> Path | None:
    """The file that a reference names; None if it is a data set of the hub."""
    return None if reference.startswith(HUB) else expanded(reference)


def _rows(reference: str, broken: list[str] | None) -> Iterator[tuple[int, Any]]:
    file = dataset_file(reference)
    if file and (file.suffix in (".csv", ".tsv") or (file.is_file() and is_json_list(file))):
        raise UserError(
            f"{reference!r} is no JSONL; write its questions as JSON objects, one a line."
        )
    if not file:
        return dataset_rows(reference)
    return _refusing(file) if broken is None else read_rows(file, broken)


def _refusing(file: Path) -> Iterator[tuple[int, Any]]:
    """The rows of a file; a line that is no JSON is refused in the words of other broken rows."""
    noted: list[str] = []
    for row in read_rows(file, noted):
        if noted:
            break
        yield row
    if noted:
        _refuse(noted[0], None)


def _source(reference: str) -> str:
    file = dataset_file(reference)
    return file.stem if file else reference.removeprefix(HUB)


def _refuse(message: str, broken: list[str] | None) -> None:
    if broken is None:
        raise UserError(f"{message}; mend the row or remove it.")
    broken.append(message)


def _question(number: int, row: Any, source: str) -> Question:
    if not isinstance(row, Mapping):
        raise ValueError("it is no JSON object")
    if not isinstance(row.get("question"), str):
        raise ValueError('it has no "question"')
    name = row.get("id")
    if name is None or name == "":
        name = number
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise ValueError(f"the id is a text or a number, not {name!r}")
    problem = Problem.of({key: row.get(key) for key in ("question", "context")})
    answer = _answer(row.get("answer"))
    worked, mark, after = answer.rpartition(_GSM8K_MARK)
    return Question(
        str(name).encode("utf-8", "replace").decode(),  # Halves of surrogate pairs, as in texts.
        problem,
        after.strip() if mark else answer,
        str(row.get("solution") or worked).strip(),
        str(row.get("source") or source),
        str(row.get("licence") or ""),
    )


def _answer(value: Any) -> str:
    """The reference answer as text; data sets have numbers and truth values, too."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str | int | float):
        raise ValueError(f"the answer is a text or a number, not {type(value).__name__}")
    return str(value).strip()
