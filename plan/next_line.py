"""Read the one next subquestion that a model wrote, or that there is none."""

from __future__ import annotations

import re

from .parse import MAX_REPLY_CHARS, without_thinking
from .types import PlanError, Subquestion

_DONE = re.compile(
    r"\W*(?:done|none|no(?: (?:more|further|follow[- ]?up).*)?|n/a|finished|atomic)\W*", re.I
)
_LABEL = re.compile(
    r"^[ \t]*(?:\*\*)?(?:#\d{1,4}[.:)]?|\d{1,4}[.:)]|[-*•–]|(?:next|follow[- ]?up)"
    r"(?: question| subquestion)?:)(?:\*\*)?\s+",
    re.I,
)
_NEEDS = re.compile(r"\s*<-\s*((?:#\d{1,4}[ ,]*)+)$")


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
        >>> parse_next("Done.", 2) is None
        True
    """
    if len(text) > MAX_REPLY_CHARS:
        raise PlanError(f"the reply has {len(text):,} characters, over {MAX_REPLY_CHARS:,}")
    rows = [row.strip() for row in without_thinking(text).splitlines() if row.strip()]
    rows = [row for row in rows if not row.startswith("```")]
    if not rows:
        raise PlanError("the reply is empty")
    if _DONE.fullmatch(rows[0]):
        return None
    line = _LABEL.sub("", rows[0])
    marked = _NEEDS.search(line)
    needs = [int(k) for k in re.findall(r"\d+", marked[1])] if marked else []
    return Subquestion(number, line[: marked.start()] if marked else line, tuple(needs))
