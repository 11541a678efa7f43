"""Read the one next subquestion that a model wrote, or that there is none."""

from __future__ import annotations

import re
from itertools import zip_longest

from .parse import MAX_REPLY_CHARS, needed_ids, without_thinking
from .types import QUESTION_MARKS, PlanError, Subquestion

_DONE = re.compile(
    r"[\W_]{0,10}(?:\d{1,4}[\W_]{1,5})?(?:done|none|n/a|finished|atomic"
    r"|no (?:(?:more|further|follow[- ]?up|sub-?) ?){0,3}(?:questions?)?"
    r"(?: ?(?:are |is )?(?:needed|required|necessary))?"
    r"|.{0,80}\bneeded(?: here)?: no|(?:so )?(?:the )?final answer(?: is|:).{0,2000})[\W_]{0,10}",
    re.I,
)
_LABEL = re.compile(
    r"(?:\*\*)?(?:(?:#(?P<bare>\d{1,4})|(?P<ordinal>\d{1,4})\.|#\d{1,4}[.:)]|q?\d{1,4}[.:)]|[-*•–]"
    r"|(?:next|follow[- ]?up)(?: question| subquestion)?:)(?:\*\*)? "
    r"|#\d{1,4}[.:)．：）](?=(?-i:[^\W\da-z])))",
    re.I,
)
_TOLD = re.compile(r"\W{0,10}(?:intermediate )?answer\b", re.I)


def parse_next(text: str, number: int) -> Subquestion | None:
    """The next line of a plan; None if the model wants no more.

    Args:
        text: The model's reply: a line `#3 TEXT <- #1`, in whatever list style, or `done`.
        number: The line's id; what the model calls it doesn't matter.

    Raises:
        PlanError: If it is neither, or needs a line that isn't there.

    Example:
        >>> print(parse_next("Follow up: Who married #1?", 2))
        #2 Who married #1? <- #1
        >>> print(parse_next("#1 was born in which year?", 2))
        #2 #1 was born in which year? <- #1
        >>> parse_next("Done.", 2) is None
        True
    """
    if len(text) > MAX_REPLY_CHARS:
        raise PlanError(f"the reply has {len(text):,} characters, over {MAX_REPLY_CHARS:,}")
    rows = [" ".join(row.split()) for row in without_thinking(text).splitlines()]
    rows = [row for row in rows if row and not row.startswith("```")]
    if not rows:
        raise PlanError("the reply is empty")
    done = next((n for n, row in enumerate(rows) if _DONE.fullmatch(row)), None)
    # Some write all the lines that are left, and then that they are done.
    left = _unanswered(rows[:done], number)
    if done is not None and not any(map(_asks, left)):
        return None
    # Some say first what they are about to do.
    asking = left or [row for row in rows if _is_new(row, number)]
    asking = asking or [row for row in rows if _label(row, number)]
    asking = asking or [row for row in rows if _asks(row)]
    if not asking:
        raise PlanError("the reply holds no subquestion")
    line = asking[0]
    line = line[_label(line, number) :]
    head, arrow, listed = line.rpartition("<-")
    needs = needed_ids(listed) if arrow else None
    return Subquestion(number, line) if needs is None else Subquestion(number, head, tuple(needs))


def _asks(row: str) -> bool:
    return any(mark in row for mark in QUESTION_MARKS)


def _unanswered(rows: list[str], number: int) -> list[str]:
    """New lines, but for follow-ups that the reply itself answers: it tells earlier ones again."""
    new: list[str] = []
    for row, after in zip_longest(rows, rows[1:], fillvalue=""):
        numbered = re.search(r"\d", row[: _label(row, number)])
        told = number > 1 and not numbered and _TOLD.match(after)
        if _is_new(row, number) and not told:
            new.append(row)
    return new


def _is_new(row: str, number: int) -> bool:
    """Whether a row is labelled as the next line; an earlier one may only be told again."""
    label = row[: _label(row, number)]
    named = re.search(r"\d+", label)
    earlier = named and int(named[0]) < number
    return bool(re.search(r"\w", label)) and not earlier


def _label(row: str, number: int) -> int:
    """How long the label before a line is; 0 if there is none.

    A `#1` in the middle of a sentence stands for the answer of line 1, also at its beginning. A
    number that no line has yet belongs to the line, as in "12. March".
    """
    label = _LABEL.match(row)
    if not label or int(label["ordinal"] or 0) > number:
        return 0
    first = row[label.end() :][:1]  # Of a script without capitals, any letter may go on.
    goes_on = first.isalpha() and first == first.lower()
    is_answer = label["bare"] and int(label["bare"]) < number and goes_on
    return 0 if is_answer else label.end()
