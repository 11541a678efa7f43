"""`Item`: a question of a data set with what is known of its answer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import UserError
from ..nodes.problem import Problem
from ..plan import Plan


@dataclass(frozen=True)
class Item:
    """A question to be asked, with its gold answers.

    Attributes:
        id: Names the item within its task.
        question: The question.
        context: A passage that it is asked about, or "".
        gold: The acceptable answers, as JSON: texts, or for DROP lists of spans. Empty if
            only the plan is known.
        gold_plan: The plan that people or a rule wrote; None if there is none.
        gold_steps: The right answers of the gold plan's lines by id, as text; those known.
    """

    id: str
    question: str
    context: str = ""
    gold: list[Any] = field(default_factory=list)
    gold_plan: Plan | None = None
    gold_steps: dict[str, str] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """Context, a blank line, question: what plans are judged against."""
        return f"{self.context}\n\n{self.question}" if self.context else self.question

    def check(self) -> None:
        """Find out before a run whether the item can be asked and kept.

        Raises:
            ValueError: If the question is empty or far too long, or a text can't be stored.
        """
        try:
            Problem(self.question, self.context)
        except UserError as error:
            raise ValueError(str(error).partition(";")[0].rstrip(".")) from None
        try:
            json.dumps(asdict(self), ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = error.object[error.start]
            raise ValueError(f"{half!r} is half a character, which can't be stored") from None
