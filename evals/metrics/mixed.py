"""Answers of several kinds in one file: each gold answer is judged as what it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .choice import is_yes_or_no, yes_no
from .numbers import numeric, plain_number
from .spans import squad

# SQuAD's rule drops all punctuation, and with it what tells 3.5 km from 35 km, and -5 °C from 5 °C.
_SIGN = re.compile(r"(?<![\w)\]%.])[-−–](?=[$€£]?\.?\d)")
# One alone: dates and thousands are written with other marks as well, "24/12/1999", "1,800,000".
_POINT = re.compile(r"(?<!\d)(?<!\d[.:])(\d+)[.:](?=\d)(?!\d+[.:]\d)")


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

    Numbers among words keep their signs and points.

    Example:
        >>> mixed("The answer is: 12", ["1.2"]), mixed("in Ulm", ["Ulm"])["em"]
        ({'f1': 0.0, 'em': 0.0}, 0.0)
        >>> mixed("35 km", ["3.5 km"])["em"], mixed("3.5 km.", ["3.5 km"])["em"]
        (0.0, 1.0)
    """
    found = [_marks(prediction, answer) for answer in gold]
    return {name: max((marks[name] for marks in found), default=0.0) for name in ("f1", "em")}


def _marks(prediction: str, answer: str) -> dict[str, float]:
    kind = kind_of(answer)
    if kind == "squad":
        return squad(_kept(prediction), [_kept(answer)])
    judged = (numeric if kind == "numeric" else yes_no)(prediction, [answer])
    return dict.fromkeys(("f1", "em"), judged["accuracy"])


def _kept(text: str) -> str:
    """A text whose numbers keep their signs and points when punctuation is dropped."""
    return _POINT.sub(r"\1·", _SIGN.sub("−", text))
