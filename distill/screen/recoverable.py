"""Whether a question can be recovered from its plan: a filter against spurious solutions.

A plan may lead to the right answer by luck, with lines that have little to do with the
question. MIMAX-like: keep it if the question can be put together again from the lines. The
scorer needs no model. Every share has a floor of its own, since a mean hides what is missing:

    names     all are in the lines; a problem that is calculated tells its names but needn't
              ask for them
    numbers   three in four are in lines or expressions: all of up to three, while of more one
              may be there to distract. Only those in digits count, and in a problem that is
              calculated no year, time of day or ordinal. A plan in words alone, as a teacher
              writes it, says what to calculate and not with which numbers: they don't count, nor do
              they where only some of its lines have expressions
    asked     two thirds of the words in the sentence that asks are in the lines, or two fifths
              if the plan calculates, since the rest is in its expressions
    grounded  every line: none brings in a name or a number, though what a text lists may be
              counted
    ends      the last line asks for yes or no if and only if the question does, or its last part

A plan that repeats the whole question in its last line holds all of it, whatever comes before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from ...evals.grounding import ungrounded
from ...nodes.given_numbers import asks_for_arithmetic, given_numbers, spoken_numbers, stated_number
from ...plan.choice import asking_sentence, content_stems, ends_alike, held_share, name_stems
from ...tools.calculator import numbers
from ..records import Example, Line

_LEAST_NUMBERS = 3 / 4
_LEAST_ASKED, _LEAST_ASKED_CALCULATED = 2 / 3, 2 / 5
_MOST_COUNTED = 10  # "Lisa, Jessie and Devin" are 3, though no number says so.
# 50 cents are 0.50 dollars, 90 minutes 1.5 hours.
_UNITS = [Fraction(x) for x in ("1", "60", "1/60", "100", "1/100", "1000", "1/1000")]
_NO_QUANTITY = re.compile(
    r"(?<![\d$€£.,])(?:1[5-9]|20)\d\d\b(?![,.]?\d)"  # a year
    r"|\d{1,2}:\d\d|\d+ ?(?:[ap]\.?m\b|o['’]clock)|\d+(?:st|nd|rd|th)\b",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"#\d+")


@dataclass(frozen=True)
class Coverage:
    """Which share of a question its plan holds; 1 where the question has none of a kind.

    Attributes:
        asked: Of the words in the sentence that asks.
        names: Of the question's names.
        numbers: Of its numbers, in expressions too.
        grounded: Of the lines, those without a name or number of their own.
        ends: Whether the last line is a yes/no question if and only if the question is.
        calculated: Whether the plan has expressions, or asks in words for what leads to a number.
    """

    asked: float
    names: float
    numbers: float
    grounded: float
    ends: bool
    calculated: bool

    @property
    def fault(self) -> str:
        """Why the question can't be recovered from the plan, "" if it can."""
        least_asked = _LEAST_ASKED_CALCULATED if self.calculated else _LEAST_ASKED
        held = (
            (self.names, 1, "of the question's names"),
            (self.numbers, _LEAST_NUMBERS, "of the question's numbers"),
            (self.asked, least_asked, "of the words that ask"),
            (self.grounded, 1, "of the lines without a name or number of their own"),
        )
        faults = [f"{share:.0%} {what}" for share, least, what in held if share < least]
        ends = [] if self.ends else ["the last line asks for something else than the question"]
        return (faults + ends + [""])[0]


def coverage(example: Example) -> Coverage:
    """How much of an example's question can be recovered from its plan.

    Example:
        >>> from langgraph_decompose.distill.records import Example
        >>> plan = ({"id": 1, "text": "Who directed Jaws?", "needs": []},
        ...         {"id": 2, "text": "When was #1 born?", "needs": [1]})
        >>> coverage(Example("1", "When was the director of Jaws born?", plan=plan)).fault
        ''
        >>> coverage(Example("2", "Did Jaws earn more than Alien?", plan=plan)).fault
        "50% of the question's names"
    """
    question, plan = example.question, example.plan
    held = " ".join(line["text"] for line in plan)
    expressions = " ".join(line.get("expr", "") for line in plan)
    all_calculated = bool(plan) and all(line.get("expr") for line in plan)
    in_words = not all_calculated and _is_arithmetic(example)
    calculated = in_words or bool(expressions.strip())
    asked, stems = asking_sentence(question), content_stems(held)
    # Without the small words of titles: "The", "Of".
    names = set() if calculated else name_stems(question) & content_stems(question)
    told = _NO_QUANTITY.sub(" ", question) if calculated else question
    known = _in_units([*_numbers(f"{held} {expressions}"), *spoken_numbers(held)])
    given = _in_units(given_numbers([example.problem]))
    return Coverage(
        asked=held_share(content_stems(asked), stems),
        names=held_share(names, stems),
        numbers=1.0 if in_words else held_share({*_numbers(told)} - {Fraction(1)}, known),
        grounded=sum(_is_grounded(line, example, given) for line in plan) / len(plan)
        if plan
        else 1.0,
        ends=not plan or _ends_alike(asked, plan[-1]["text"]),
        calculated=calculated,
    )


def _is_arithmetic(example: Example) -> bool:
    asked = asks_for_arithmetic(example.question, [example.problem])
    return asked and stated_number(example.answer) is not None


def _ends_alike(asked: str, last: str) -> bool:
    """Also for "Which river is it, and is it long?"."""
    return ends_alike(asked, last) or ends_alike(asked.rpartition(", and ")[2], last)


def _is_grounded(line: Line, example: Example, given: set[Fraction]) -> bool:
    used = _numbers(line.get("expr", ""))
    made_up = [x for x in used if x not in given and (x > _MOST_COUNTED or x.denominator > 1)]
    return not made_up and not ungrounded(line["text"], example.problem)


def _numbers(text: str) -> list[Fraction]:
    return numbers(_REFERENCE.sub(" ", text))


def _in_units(values: Iterable[Fraction]) -> set[Fraction]:
    return {value * unit for value in values for unit in _UNITS}
