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
from ...nodes.given_numbers import asking_sentence, spoken_numbers
from ...tools.calculator import numbers
from ..records import Example

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_NAME = re.compile(r"(?<![.?!:;\"“”] )(?<!^)\b[A-Z][^\W\d_]+")
_YES_NO = re.compile(
    r"(?i)\W*(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|should|must|may"
    r"|might)\b"
)
_OPEN = re.compile(r"(?i)(?:\w+ )?(?:what|which|who|whose|whom|when|where|why|how)\b")
_COMMON = {
    "a", "about", "after", "all", "also", "altogether", "an", "and", "any", "are", "as", "at",
    "be", "been", "before", "between", "by", "can", "could", "did", "do", "does", "during",
    "each", "for", "from", "had", "has", "have", "he", "her", "his", "how", "i", "if", "in",
    "into", "is", "it", "its", "many", "may", "me", "more", "most", "much", "of", "on", "one",
    "or", "other", "s", "she", "so", "some", "such", "than", "that", "the", "their", "them",
    "then", "there", "these", "they", "this", "those", "to", "total", "two", "was", "were",
    "what", "when", "where", "which", "who", "whom", "whose", "why", "will", "with", "would",
    "you", "your",
}  # fmt: skip
_STEM = 5


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
    stems = {_stem(word) for word in _WORD.findall(held)}
    names = {_stem(name) for name in _NAME.findall(example.question)}
    # What a problem in arithmetic tells is in the expressions, else in the lines.
    known = _numbers(" ".join([held, *expressions]))
    return Coverage(
        asked=_share(_content(asked), stems),
        names=_share(names if not any(expressions) else set(), stems),
        numbers=_share(_numbers(example.question), known),
        grounded=1 - len(ungrounded_lines(example.to_plan(), example.problem)) / len(lines)
        if lines
        else 1.0,
        ends=not lines or _ends(asked, lines[-1]),
    )


def _ends(asked: str, last: str) -> bool:
    """Whether the last line asks for yes or no if the question does, and only then."""
    wanted = _is_yes_no(asked)
    return wanted is None or wanted == _is_yes_no(last)


def _is_yes_no(text: str) -> bool | None:
    """Whether a sentence asks for yes or no; None if its beginning doesn't tell."""
    if _YES_NO.match(text):
        return not re.search(r"\bor\b", text)  # "Is it A or B?" asks for a choice.
    return False if _OPEN.match(text) else None


def _content(text: str) -> set[str]:
    return {_stem(word) for word in _WORD.findall(text) if word.casefold() not in _COMMON}


def _numbers(text: str) -> set[Fraction]:
    return {*numbers(re.sub(r"#\d+", " ", text)), *spoken_numbers(text)} - {Fraction(1)}


def _share(wanted: set[str] | set[Fraction], held: set[str] | set[Fraction]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 1.0


def _stem(word: str) -> str:
    """The beginning of a word: "director", "directed" and "directs" are one."""
    return re.sub(r"['’]s?$", "", word.casefold())[:_STEM]
