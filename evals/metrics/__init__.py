"""Metrics of answers, each as the data set's official script defines it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .choice import letter, yes_no
from .drop import drop
from .mixed import mixed
from .numbers import PAL_TOLERANCE, gsm8k, numeric
from .spans import bamboogle, hotpotqa, squad

_SCORERS = {
    "bamboogle": bamboogle,
    "drop": drop,
    "gsm8k": gsm8k,
    "hotpotqa": hotpotqa,
    "letter": letter,
    "mixed": mixed,
    "numeric": numeric,
    "numeric_close": partial(numeric, tolerance=PAL_TOLERANCE),
    "squad": squad,
    "yes_no": yes_no,
}
METRICS = {
    "bamboogle": ("substring", "f1", "em"),
    "drop": ("f1", "em"),
    "gsm8k": ("flexible", "strict"),
    "hotpotqa": ("f1", "em"),
    "letter": ("accuracy",),
    "mixed": ("f1", "em"),
    "numeric": ("accuracy",),
    "numeric_close": ("accuracy",),
    "squad": ("f1", "em"),
    "yes_no": ("accuracy",),
}
"""What each way of scoring gives, from 0 to 1; the first is the one that systems are
compared by."""


def score(scoring: str, prediction: str | None, gold: Sequence[Any]) -> dict[str, float]:
    """Judge an answer.

    Args:
        scoring: One of `METRICS`, or "" for tasks of plans only.
        prediction: What a model wrote; None, for no answer, is wrong.
        gold: Of an `Item`.

    Returns:
        Each metric's value, from 0 to 1; nothing if `scoring` is "".

    Example:
        >>> score("numeric", "**18**", ["18"]), score("squad", None, ["Ulm"])
        ({'accuracy': 1.0}, {'f1': 0.0, 'em': 0.0})
    """
    if not scoring:
        return {}
    if prediction is None:
        return dict.fromkeys(METRICS[scoring], 0.0)
    return _SCORERS[scoring](prediction, gold)
