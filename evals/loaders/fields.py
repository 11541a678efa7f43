"""Reading the fields of a row: what isn't as it should be is a ValueError that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from ...plan import Plan, PlanError, Subquestion

Row = Mapping[str, Any]


def text_of(row: Row, name: str) -> str:
    """A text that must be there and not blank."""
    value = row[name]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name!r} is no text")
    return value.strip()


def texts_of(row: Row, name: str) -> list[str]:
    """A list of texts, or one text as a list; [] if there is none."""
    value = row.get(name)
    if value is None:
        return []
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, Sequence) or not all(isinstance(text, str) for text in found):
        raise ValueError(f"{name!r} is no list of texts")
    return list(found)


def number_of(row: Row, name: str) -> str:
    """A number as text; a whole one without decimals."""
    value = row[name]
    if isinstance(value, str):
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{name!r} is no number")
    return str(int(value)) if value == int(value) else repr(value)


def id_of(row: Row, number: int, *names: str) -> str:
    """The first id that is there, else the row's number."""
    found = (row.get(name) for name in names)
    return next((str(value) for value in found if value not in (None, "")), str(number))


def tidy(text: Any) -> str:
    """A text with single spaces.

    Raises:
        ValueError: If it is none.
    """
    if not isinstance(text, str):
        raise ValueError("a question that is no text")
    return " ".join(text.split())


def relation_question(text: str) -> str:
    """A step of MuSiQue as a question.

    Example:
        >>> relation_question("Green >> performer")
        'What is the performer of Green?'
    """
    if ">>" not in text:
        return text
    subject, _, relation = (part.strip() for part in text.rpartition(">>"))
    return f"What is the {relation} of {subject}?"


def plan_of(texts: Sequence[str], needs: Sequence[Sequence[int]] = ()) -> Plan | None:
    """The plan of some lines, each of which also needs what its text refers to.

    One line alone splits nothing and is atomic; what is no plan for us is None.
    """
    if len(texts) < 2:
        return Plan()
    needed = [*needs, *[()] * (len(texts) - len(needs))]
    lines = enumerate(zip(texts, needed, strict=True), 1)
    try:
        return Plan(tuple(Subquestion(k, text, tuple(need)) for k, (text, need) in lines))
    except PlanError:
        return None


def reason(error: Exception) -> str:
    """What was wrong with a row, in words."""
    words = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return " ".join(words.split())
