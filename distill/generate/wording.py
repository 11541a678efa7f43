"""How a generated question is put into words, and what it is until then."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random

from .relations import Relation


@dataclass
class Draft:
    """A question with its lines, as (text, needs); no lines is atomic.

    Args:
        question: What is asked.
        lines: The plan.
        context: A passage, or "".
        steps: Where answers are known, (expression or "", answer) of each line, or of the
            question itself where there are no lines.
    """

    question: str
    lines: list[tuple[str, list[int]]] = field(default_factory=list)
    context: str = ""
    steps: list[tuple[str, str]] = field(default_factory=list)


def worded(relation: Relation, rng: Random) -> tuple[str, str]:
    """One of a relation's buried forms, and a question that asks for the same."""
    index = rng.randrange(len(relation[2]))
    return relation[2][index], direct_question(relation, rng, index)


def direct_question(relation: Relation, rng: Random, index: int | None = None) -> str:
    """A relation as a question of its own, with `{}` for what it is asked of.

    Args:
        relation: One of `RELATIONS`.
        rng: Draws the wording.
        index: Of the buried form that it is to stand for; without, any of them.
    """
    _, kind, buried, direct = relation
    if direct:
        asked = rng.choice(direct)
        if index is None or _asks_for(asked, buried[index]):
            return asked
        return next(way for way in direct if _asks_for(way, buried[index]))
    form = buried[rng.randrange(len(buried)) if index is None else index]
    return f"{'Who' if kind == 'person' else 'What'} is {form}?"


def _asks_for(question: str, form: str) -> bool:
    """Whether it asks for no city where the form says country, and the like."""
    found = (set(_PLACE.findall(text)) for text in (question, form))
    asked, said = ({"city" if word == "town" else word for word in words} for words in found)
    return asked <= said


_PLACE = re.compile(r"\b(?:country|city|town|county)\b")
_AT_THE_END = re.compile(
    r"^(When|Where|In what year|In which year|In which city|In what city) (was|did|is) \{\} ?(.*)\?$"
)
_PLEASE = [
    "Tell me: {}",
    "Can you tell me {}",
    "I want to know {}",
    "Quick question: {}",
    "Hi, {}",
    "Please answer: {}",
]


def reword(question: str, leaf: str, phrase: str, rng: Random) -> str:
    """The same question as different people would write it."""
    shape = rng.random()
    if shape < 0.16 and (found := _AT_THE_END.match(leaf)) and found[2] in ("was", "is"):
        start = phrase[0].upper() + phrase[1:]
        where = found[1].lower()
        return f"{start} {found[2]} {found[3]} {where}?".replace("  ", " ")
    if shape < 0.22 and leaf.startswith("Which country is {} from"):
        return f"Which country {phrase} is from?"
    return loosen(question, rng)


def loosen(question: str, rng: Random) -> str:
    """Now and then no capital letter, no question mark, or a few words before it."""
    shape = rng.random()
    if shape < 0.04:
        return question[0].lower() + question[1:].rstrip("?")
    if shape < 0.08:
        return question.rstrip("?")
    if shape < 0.11:
        return rng.choice(_PLEASE).format(question[0].lower() + question[1:])
    return question
