"""A question with its optional passage, and how models are shown it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UserError

MAX_QUESTION_CHARS = 100_000
MAX_CONTEXT_CHARS = 5_000_000


@dataclass(frozen=True)
class Problem:
    """What the user asks.

    Args:
        question: The question; not blank.
        context: A passage that it is asked about, empty if there is none.
        attempt: An undivided answer that wasn't good enough, for a decomposer to see.

    Raises:
        UserError: If the question is blank, or a text is too long to be meant.
    """

    question: str
    context: str = ""
    attempt: str = ""

    def __post_init__(self) -> None:
        # Halves of surrogate pairs, as broken JSON has them, can't be stored or sent.
        question, context = (
            text.encode("utf-8", "replace").decode("utf-8").strip()
            for text in (self.question, self.context)
        )
        if not any(char.isprintable() and not char.isspace() for char in question):
            raise UserError("the question is empty; ask something.")
        if len(question) > MAX_QUESTION_CHARS:
            raise UserError(f"the question has over {MAX_QUESTION_CHARS:,} characters.")
        if len(context) > MAX_CONTEXT_CHARS:
            raise UserError(f"the context has over {MAX_CONTEXT_CHARS:,} characters.")
        object.__setattr__(self, "question", question)
        object.__setattr__(self, "context", context)

    @classmethod
    def of(cls, value: str | Mapping[str, Any]) -> Problem:
        """From a question, or from a state with `question` and maybe `context`."""
        if isinstance(value, str):
            return cls(value)
        if not isinstance(value, Mapping):
            raise UserError("ask with a text, or with a state that has a question.")
        asked = value.get("asked") or value
        question, context = asked.get("question"), asked.get("context")
        if not isinstance(question, str) or not isinstance(context or "", str):
            raise UserError("a question is a text, and so is its context.")
        return cls(question, context or "", str(value.get("attempt") or ""))

    def __str__(self) -> str:
        """Context, a blank line, question: the order that models were trained on."""
        return f"{self.context}\n\n{self.question}" if self.context else self.question
