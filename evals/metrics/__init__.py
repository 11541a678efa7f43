"""Metrics of answers, each as the data set's official script defines it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .choice import letter, yes_no
from .drop import drop
from .mixed import mixed
from .numbers import PAL_TOLERANCE, gsm8k, numeric
from .spans import bamboogle, hotpotqa, squad

_SCORERS: dict[str, tuple[Callable[..., dict[str, float]], tuple[str, ...]]] = {
    "bamboogle": (bamboogle, ("substring", "f1", "em")),
    "drop": (drop, ("f1", "em")),
    "gsm8k": (gsm8k, ("flexible", "strict")),
    "hotpotqa": (hotpotqa, ("f1", "em")),
    "letter": (letter, ("accuracy",)),
    "mixed": (mixed, ("f1", "em")),
    "numeric": (numeric, ("accuracy",)),
    "numeric_close": (partial(numeric, tolerance=PAL_TOLERANCE), ("accuracy",)),
    "squad": (squad, ("f1", "em")),
    "yes_no": (yes_no, ("accuracy",)),
}
METRICS = {name: metrics for name, (_, metrics) in _SCORERS.items()}
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
    scorer, _ = _SCORERS[scoring]
    return scorer(prediction, gold)
