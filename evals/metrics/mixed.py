"""Answers of several kinds in one file: each gold answer is judged as what it is."""

from __future__ import annotations

from collections.abc import Sequence

from .choice import is_yes_or_no, yes_no
from .numbers import numeric, plain_number
from .spans import squad


def kind_of(answer: str) -> str:
    """The way of scoring that fits a gold answer: a number, yes or no, or words.

    Example:
        >>> kind_of("-8"), kind_of("True"), kind_of("Ulm")
        ('numeric', 'yes_no', 'squad')
    """
    if plain_number(answer) is not None:
        return "numeric"
    return "yes_no" if is_yes_or_no(answer) else "squad"


def mixed(prediction: str, gold: Sequence[str]) -> dict[str, float]:
    """EM and F1, the best over the gold answers: a number or yes or no is right or wrong.

    Example:
        >>> mixed("The answer is: 12", ["1.2"]), mixed("in Ulm", ["Ulm"])["em"]
        ({'f1': 0.0, 'em': 0.0}, 0.0)
    """
    found = [_marks(prediction, answer) for answer in gold]
    return {name: max((marks[name] for marks in found), default=0.0) for name in ("f1", "em")}


def _marks(prediction: str, answer: str) -> dict[str, float]:
    kind = kind_of(answer)
    if kind == "squad":
        return squad(prediction, [answer])
    judged = (numeric if kind == "numeric" else yes_no)(prediction, [answer])
    return dict.fromkeys(("f1", "em"), judged["accuracy"])
