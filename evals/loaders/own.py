"""A user's own questions: rows with `question`, `context` and `answer`."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from ...errors import UserError
from ...plan import Plan, PlanError
from ..items import Item
from ..metrics.mixed import kind_of
from ..metrics.numbers import plain_number
from .fields import Row, id_of, text_of


def own(row: Row, number: int) -> Item:
    """A question with its answer, answers or plan.

    `answer` (or `answers`) is a text, a number, true or false, or a list of such: all are
    acceptable. `plan` is a list of `{"id", "text", "needs"}`, empty for a question that isn't
    to be split, each maybe with its `answer`. Without an answer, plans alone are judged.
    """
    gold = _gold(row.get("answer") if row.get("answers") is None else row["answers"])
    plan, steps = _plan(row["plan"]) if row.get("plan") is not None else (None, {})
    if not gold and plan is None:
        raise ValueError('it has no "answer"')
    context = row.get("context") or ""
    if not isinstance(context, str):
        raise ValueError("'context' is no text")
    name = id_of(row, number, "id")
    return Item(name, text_of(row, "question"), context, gold, plan, steps)


def own_scoring(items: Sequence[Item], name: str) -> str:
    """How own items are judged: as numbers, or as yes or no, if all gold answers are such.

    Else each gold answer is judged as what it is.

    Raises:
        UserError: If some have an answer and some don't.

    Example:
        >>> own_scoring([Item("1", "2 + 2?", gold=["4"])], "mine.jsonl")
        'numeric'
    """
    golds = [answer for item in items for answer in item.gold]
    without = next((item.id for item in items if not item.gold), None)
    if not golds:
        return ""
    if without is not None:
        raise UserError(
            f"{name}: question {without!r} has no answer while others have; answer it too."
        )
    kinds = {kind_of(text) for text in golds}
    return kinds.pop() if len(kinds) == 1 and kinds != {"squad"} else "mixed"


def _gold(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    found = [_text(v) for v in values if v is not None]
    # As a number is written plainly, whatever commas, currency or percent sign it came with.
    return [plain_number(text.removesuffix("%")) or text for text in found if text]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str | int | float):
        raise ValueError("an answer is a text, a number, true or false")
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"{value} is no answer")
    return str(value).strip()


def _plan(rows: Any) -> tuple[Plan, dict[str, str]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("'plan' is no list of lines")
    try:
        plan = Plan.from_rows(
            [{"id": r["id"], "text": r["text"], "needs": list(r.get("needs", []))} for r in rows]
        )
    except PlanError as error:
        raise ValueError(f"the plan can't be read: {error}") from None
    return plan, {
        str(r["id"]): _text(r["answer"]) for r in rows if r.get("answer") not in (None, "")
    }
