"""`Item`: a question of a data set with what is known of its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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
        kind: What the data set says the question is, such as "bridge", or "".
    """

    id: str
    question: str
    context: str = ""
    gold: list[Any] = field(default_factory=list)
    gold_plan: Plan | None = None
    gold_steps: dict[str, str] = field(default_factory=dict)
    kind: str = ""

    @property
    def problem(self) -> str:
        """Context, a blank line, question: what plans are judged against."""
        return f"{self.context}\n\n{self.question}" if self.context else self.question
