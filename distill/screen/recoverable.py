"""Whether a question can be recovered from its plan: a filter against spurious solutions.

A plan may lead to the right answer by luck, with lines that have little to do with the
question. MIMAX-like: keep it if the question can be put together again from the lines. The
scorer needs no model: which of the question's names and numbers, and of the words of the
sentence that asks, do lines and passage hold, and does the plan bring in names and numbers
of its own?
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from ...evals.grounding import ungrounded_lines
from ...nodes.given_numbers import spoken_numbers
from ...plan.choice import asking_sentence, content_stems, ends_alike, held_share, name_stems
from ...tools.calculator import numbers
from ..records import Example


@dataclass(frozen=True)
class Coverage:
    """Which share of a question its plan holds; 1 where the question has none of a kind.

    Attributes:
        asked: Of the words in the sentence that asks.
        names: Of the question's names.
        numbers: Of its numbers, in expressions too.
        grounded: Of the lines, those without a name or number of their own.
        ends: Whether the last line is a yes/no question if and only if the question is.
    """

    asked: float
    names: float
    numbers: float
    grounded: float
    ends: bool

    @property
    def score(self) -> float:
        """The mean of the shares, since one alone proves little; 0 if the end doesn't fit."""
        return self.ends * (self.asked + self.names + self.numbers + self.grounded) / 4


def coverage(example: Example) -> Coverage:
    """How much of an example's question can be recovered from its plan.

    Example:
        >>> from langgraph_decompose.distill.records import Example
        >>> plan = ({"id": 1, "text": "Who directed Jaws?", "needs": []},
        ...         {"id": 2, "text": "When was #1 born?", "needs": [1]})
        >>> coverage(Example("1", "When was the director of Jaws born?", plan=plan)).score
        1.0
    """
    lines = [line["text"] for line in example.plan]
    expressions = [line.get("expr", "") for line in example.plan]
    held = " ".join(lines)
    asked = asking_sentence(example.question)
    stems = content_stems(held)
    # What a problem in arithmetic tells is in the expressions, else in the lines.
    known = _numbers(" ".join([held, *expressions]))
    return Coverage(
        asked=held_share(content_stems(asked), stems),
        names=held_share(name_stems(example.question) if not any(expressions) else set(), stems),
        numbers=held_share(_numbers(example.question), known),
        grounded=1 - len(ungrounded_lines(example.to_plan(), example.problem)) / len(lines)
        if lines
        else 1.0,
        ends=not lines or ends_alike(asked, lines[-1]),
    )


def _numbers(text: str) -> set[Fraction]:
    return {*numbers(re.sub(r"#\d+", " ", text)), *spoken_numbers(text)} - {Fraction(1)}
