"""`Example`: a question with its plan, as every step of the pipeline reads and writes it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from ..evals.annotated import Step
from ..evals.rows import read_rows, refuse
from ..plan import Plan, PlanError
from ..storage import private
from ..tools.calculator import format_number
from .whole_files import written_whole

_TEXTS = (
    "id", "question", "context", "answer", "predicted", "solution", "source", "licence", "teacher",
)  # fmt: skip
_FORM = 'it is a list of lines like {"id": 1, "text": "...", "needs": []}'


class Line(TypedDict):
    """A subquestion; `expr` is arithmetic with `#k` for earlier answers, `answer` its result."""

    id: int
    text: str
    needs: list[int]
    expr: NotRequired[str]
    answer: NotRequired[str]


@dataclass(frozen=True)
class Example:
    """A question, its plan, and what is known of its answer.

    Args:
        id: Names the question within its source; attempts at one question share it.
        question: The question.
        context: A passage that it is asked about, or "".
        plan: The lines; empty means atomic.
        answer: The reference answer, or "".
        predicted: The final answer that the plan led to, or "" if it wasn't solved.
        solution: A worked solution in words, or "".
        source: The data set.
        licence: Its licence.
        teacher: Who wrote the plan, or "" for people and rules.
        attempt: From 0; which attempt of the teacher this is.
        meta: What else is known: `expr` of an atomic problem, `kind`, `role`.

    Raises:
        ValueError: If a field is of another type, the question is blank, or the lines are no
            plan.
    """

    id: str
    question: str
    context: str = ""
    plan: tuple[Line, ...] = ()
    answer: str = ""
    predicted: str = ""
    solution: str = ""
    source: str = ""
    licence: str = ""
    teacher: str = ""
    attempt: int = 0
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _TEXTS:
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name!r} is no text")
        if type(self.attempt) is not int:
            raise ValueError("'attempt' is no whole number")
        if not isinstance(self.meta, dict):
            raise ValueError("'meta' is no object")
        if not self.question.strip():
            raise ValueError("the question is empty")
        try:
            self.to_plan()
        except (PlanError, KeyError, TypeError) as error:
            why = error if isinstance(error, PlanError) else _FORM
            raise ValueError(f"the plan can't be read: {why}") from None
        for row in self.plan:
            for name in ("expr", "answer"):
                if not isinstance(row.get(name, ""), str):
                    raise ValueError(f"{name!r} of line {row['id']} is no text")
        object.__setattr__(self, "plan", tuple(self.plan))
        self._replace_halves()

    def _replace_halves(self) -> None:
        """Put `?` for halves of surrogate pairs, as broken JSON has them: no file takes one."""
        text = json.dumps(vars(self), ensure_ascii=False)
        try:
            text.encode()
        except UnicodeEncodeError:
            for name, value in json.loads(text.encode("utf-8", "replace")).items():
                object.__setattr__(self, name, tuple(value) if name == "plan" else value)

    def to_plan(self) -> Plan:
        """The plan alone, validated."""
        return Plan.from_rows(
            [
                {"id": row["id"], "text": row["text"], "needs": list(row["needs"])}
                for row in self.plan
            ]
        )

    @property
    def problem(self) -> str:
        """Context, a blank line, question: what models are shown."""
        return f"{self.context}\n\n{self.question}" if self.context else self.question

    def to_json(self) -> str:
        """One line of JSONL; fields at their default are left out."""
        row = {k: v for k, v in vars(self).items() if v not in ("", 0, {}, ()) or k == "plan"}
        return json.dumps(row, ensure_ascii=False)

    @classmethod
    def from_row(cls, row: Any) -> Example:
        """From a parsed line of JSONL; unknown fields are left out.

        Raises:
            ValueError: If it is no example; the message says why.
        """
        if not isinstance(row, dict):
            raise ValueError("not a JSON object")
        known = {f.name for f in fields(cls)}
        kept = {k: v for k, v in row.items() if k in known}
        if not {"id", "question"} <= kept.keys():
            raise ValueError("'id' or 'question' is missing")
        if kept.get("plan") is None:  # Taken for atomic, it would teach never to split.
            raise ValueError("'plan' is missing; it is [] where nothing is to be split")
        kept["plan"] = tuple(kept["plan"])
        return cls(**kept)


def calculated_lines(texts: Sequence[str], steps: Sequence[Step]) -> tuple[Line, ...]:
    """Lines with the expressions and results of a solution's steps."""
    return tuple(
        Line(id=k, text=text, needs=step.needs, expr=step.expr, answer=format_number(step.value))
        for k, (text, step) in enumerate(zip(texts, steps, strict=True), 1)
    )


def set_name(path: Path) -> str:
    """What a file of examples is called: by its directory, if its own name says nothing.

    Example:
        >>> set_name(Path("sources/fresh_dev/examples.jsonl")), set_name(Path("mine.jsonl"))
        ('fresh_dev', 'mine')
    """
    return path.parent.name if path.stem == "examples" and path.parent.name else path.stem


def read_examples(path: Path, broken: list[str] | None = None) -> Iterator[Example]:
    """The examples of a JSONL file, one at a time; see `read_rows` for broken lines."""
    for number, row in read_rows(path, broken):
        try:
            example = Example.from_row(row)
        except (ValueError, TypeError) as error:
            refuse(f"{path}:{number}", error, broken)
        else:
            yield example


def write_examples(path: Path, examples: Iterable[Example]) -> int:
    """Write a JSONL file, its owner's alone, whole or not at all; returns how many rows it has."""
    count = 0
    whole = written_whole(path)
    with whole as new, open(new, "w", encoding="utf-8", opener=private) as file:
        for example in examples:
            file.write(example.to_json() + "\n")
            count += 1
    return count
