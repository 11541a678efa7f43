"""A question with its optional passage, and how models are shown it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import PromptTooLongError, UserError

MAX_QUESTION_CHARS = 100_000
MAX_CONTEXT_CHARS = 5_000_000


@dataclass(frozen=True)
class Problem:
    """What the user asks.

    Args:
        question: The question; not blank.
        context: A passage that it is asked about, empty if there is none.
        hints: What was understood of it; models trained for this project aren't shown it.
        attempt: An undivided answer that didn't convince, for a decomposer to see: `reply`,
            `others`, `objection`, and the verifier's `verdict`, if there is one.
        fallback: What most undivided attempts said, should nothing better be found.

    Raises:
        UserError: If the question is blank.
        PromptTooLongError: If a text is too long to be meant.
    """

    question: str
    context: str = ""
    hints: str = ""
    attempt: Mapping[str, Any] = field(default_factory=dict, hash=False)
    fallback: str | None = None

    def __post_init__(self) -> None:
        # Halves of surrogate pairs, as broken JSON has them, can't be stored or sent.
        question, context = (
            text.encode("utf-8", "replace").decode("utf-8").strip()
            for text in (self.question, self.context)
        )
        if not any(char.isprintable() and not char.isspace() for char in question):
            raise UserError("the question is empty; ask something.")
        if len(question) > MAX_QUESTION_CHARS:
            raise PromptTooLongError(f"the question has over {MAX_QUESTION_CHARS:,} characters.")
        if len(context) > MAX_CONTEXT_CHARS:
            raise PromptTooLongError(f"the context has over {MAX_CONTEXT_CHARS:,} characters.")
        object.__setattr__(self, "question", question)
        object.__setattr__(self, "context", context)

    @classmethod
    def of(cls, value: str | Mapping[str, Any]) -> Problem:
        """From a question, or from a state with `question` and maybe `context`."""
        if isinstance(value, str):
            return cls(value)
        if not isinstance(value, Mapping):
            raise UserError("ask with a text, or with a state that has a question.")
        # In a state of somebody else's, what was asked may be another question, or no question.
        asked = value["asked"] if isinstance(value.get("asked"), Mapping) else {}
        ours = bool(asked) and ("run_id" in value or "question" not in value)
        texts = asked if ours else value
        question, context = texts.get("question"), texts.get("context") or ""
        if question is None:
            raise UserError("there is no question: it is the text of the field 'question'.")
        if not isinstance(question, str) or not isinstance(context, str):
            raise UserError("a question is a text, and so is its context.")
        problem = cls(question, context)
        about = asked.get("question"), asked.get("context") or ""
        if ours or about == (problem.question, problem.context):
            names = ("hints", "attempt", "fallback")
            problem = replace(problem, **{name: asked[name] for name in names if asked.get(name)})
        return problem

    @property
    def asked(self) -> dict[str, Any]:
        """The problem as JSON-native values, for a graph's state."""
        return {**vars(self), "attempt": dict(self.attempt)}

    @property
    def with_hints(self) -> str:
        """The problem as a general model is shown it."""
        return "\n\n".join(text for text in (self.context, self.hints, self.question) if text)

    def __str__(self) -> str:
        """Context, a blank line, question: the order that models were trained on."""
        return f"{self.context}\n\n{self.question}" if self.context else self.question
