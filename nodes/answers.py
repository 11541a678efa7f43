"""Results of subquestions: one JSON-native row each, whatever became of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from ..errors import BudgetExhaustedError, UserError, describe_error
from ..models.references import ResolvedModel
from ..plan import Subquestion
from ..tools.calculator import format_number
from .replies import Reply
from .usage import UsageRow, add_usage

MISSING_ANSWER = "MissingAnswer"
"""Type of the error of a row that was skipped, since it needs another's answer."""
_READ = ("id", "text", "answer", "status", "error", "usage", "seconds")
"""What is read of a row once it is in a state."""


class AnswerRow(TypedDict):
    """The result of a subquestion; id 0 is the question itself, solved undivided."""

    id: int
    text: str
    resolved: str
    answer: str | None
    status: Literal["ok", "failed", "skipped"]
    cached: bool
    solver: str
    error: dict[str, Any] | None
    usage: list[UsageRow]
    seconds: float
    sources: list[Any]
    verdict: NotRequired[dict[str, Any]]
    """What the verifier said of the answer, if one was asked: `right`, `kind`, `reason`."""
    exact: NotRequired[str]
    """The calculated number as a fraction, where `answer` rounds it: what is solved with it
    is solved with this."""
    reply: NotRequired[str]
    """The whole reply, where `answer` is only its end."""
    parts: NotRequired[dict[str, Any]]
    """`plan`, `answers` and `warnings` of what was solved by a plan of its own."""
    gaps: NotRequired[list[str]]
    """What is said against the answer: by the decomposition graph that gave it, or that it is
    but "unknown"."""


def answered(
    subquestion: Subquestion,
    resolved: str,
    answer: str,
    replies: Sequence[Reply],
    model: ResolvedModel,
    sources: Sequence[Any] = (),
) -> AnswerRow:
    """A row for an answer; `seconds` is the slowest reply's, since samples run at once."""
    row: AnswerRow = {
        **_row(subquestion, "ok", None, model),
        "resolved": resolved,
        "answer": answer,
        "usage": add_usage([reply.usage for reply in replies]),
        "seconds": max((reply.usage["seconds"] for reply in replies), default=0.0),
        "sources": [*sources, *(source for reply in replies for source in reply.sources)],
    }
    if gaps := dict.fromkeys(gap for reply in replies for gap in reply.gaps):
        row["gaps"] = list(gaps)
    fractions = [reply.exact for reply in replies if reply.exact]
    # Of several samples, those of the majority.
    if exact := next((f for f in fractions if format_number(Fraction(f)) == answer), None):
        row["exact"] = exact
    return row


def failed(subquestion: Subquestion, error: BaseException, model: ResolvedModel) -> AnswerRow:
    """A row for a subquestion whose solver failed: a value, never an answer.

    One that the budget left no call for is skipped.
    """
    status = "skipped" if isinstance(error, BudgetExhaustedError) else "failed"
    row = _row(subquestion, status, describe_error(error), model)
    row["usage"] = list(getattr(error, "usage", ()))
    row["seconds"] = getattr(error, "seconds", row["seconds"])
    if parts := getattr(error, "parts", None):
        row["parts"] = parts
    return row


def skipped(subquestion: Subquestion, missing: Iterable[int], model: ResolvedModel) -> AnswerRow:
    """A row for a subquestion that can't be asked, since it needs answers that don't exist."""
    names = ", ".join(f"#{k}" for k in missing)
    message = f"it needs {names}, which has no answer"
    error = {"type": MISSING_ANSWER, "message": message, "transient": False}
    return _row(subquestion, "skipped", error, model)


def _row(
    subquestion: Subquestion, status: Any, error: dict[str, Any] | None, model: ResolvedModel
) -> AnswerRow:
    """A row of a subquestion that nothing was asked for."""
    return AnswerRow(
        id=subquestion.id,
        text=subquestion.text,
        resolved=subquestion.text,
        answer=None,
        status=status,
        cached=False,
        solver=model.name,
        error=error,
        usage=[],
        seconds=0.0,
        sources=[],
    )


def written(state: Mapping[str, Any], name: str, by: str) -> Any:
    """What a node of a graph reads that another has written.

    Args:
        state: The graph's state.
        name: The field.
        by: The node that writes it.

    Raises:
        UserError: If it isn't there.
    """
    if state.get(name) is None:
        raise UserError(
            f"the state has no {name!r}: run {by} before this node, and give the graph's state "
            "a field of that name."
        )
    return state[name]


def given_answers(state: Mapping[str, Any]) -> list[AnswerRow]:
    """The rows in a state.

    Raises:
        UserError: If there are none, or some aren't whole.
    """
    rows = written(state, "answers", "solver_node")
    for row in rows:
        missing = [name for name in _READ if not isinstance(row, Mapping) or name not in row]
        if missing:
            raise UserError(
                f"a row of answers has no {', '.join(missing)}: give it all the fields that "
                "solver_node writes."
            )
    return rows


def with_parts(rows: Iterable[AnswerRow]) -> Iterator[tuple[str, AnswerRow]]:
    """Rows and, after each, those that it was made of, named `#2`, `#2.1` and so on."""
    for row in rows:
        name = f"#{row['id']}" if row["id"] else ""
        yield name, row
        for part, inner in with_parts(row.get("parts", {}).get("answers", ())):
            yield f"{name or '#0'}.{part.removeprefix('#')}", inner


def is_whole(rows: Iterable[AnswerRow]) -> bool:
    """Whether all rows have answers without gaps, down to the parts of parts."""
    return all(row["status"] == "ok" and not row.get("gaps") for _, row in with_parts(rows))


def answer_lines(rows: Iterable[AnswerRow]) -> str:
    """Questions with their answers, a line each, gaps named as gaps."""
    return "\n".join(
        f"#{row['id']} {row['text']} = {row['answer']}"
        if row["status"] == "ok"
        else f"#{row['id']} {row['text']}: no answer ({(row['error'] or {}).get('message', '')})"
        for row in rows
    )
