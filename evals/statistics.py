"""Shares and means with their 95 % intervals, and the difference of two systems."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

_Z = 1.959964
_RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A figure of `n` items with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float
    n: int


def wilson(right: int, count: int) -> Interval:
    """A share with its interval after Wilson (1927); of no items, all is possible.

    Example:
        >>> share = wilson(5, 10)
        >>> round(share.low, 3), share.value, round(share.high, 3)
        (0.237, 0.5, 0.763)
    """
    if not count:
        return Interval(0.0, 0.0, 1.0, 0)
    share, extra = right / count, _Z * _Z / count
    spread = _Z * math.sqrt(share * (1 - share) / count + extra / (4 * count))
    low, high = ((share + extra / 2 + sign * spread) / (1 + extra) for sign in (-1, 1))
    return Interval(share, max(0.0, low), min(1.0, high), count)


def bootstrap_mean(values: Sequence[float], seed: int = 0) -> Interval:
    """A mean with its percentile bootstrap interval (Efron, 1979), the same for one seed."""
    count = len(values)
    if not count:
        return Interval(0.0, -math.inf, math.inf, 0)
    draw = random.Random(seed)  # noqa: S311
    means = sorted(sum(draw.choices(values, k=count)) / count for _ in range(_RESAMPLES))
    low, high = means[int(0.025 * _RESAMPLES)], means[int(0.975 * _RESAMPLES) - 1]
    return Interval(sum(values) / count, low, high, count)


def paired_difference(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Interval:
    """How much better `second` did than `first` on the same items; pairs are drawn together.

    Raises:
        ValueError: If they aren't of one length.

    Example:
        >>> paired_difference([0, 0, 1, 0], [1, 1, 1, 1]).value
        0.75
    """
    return bootstrap_mean([b - a for a, b in zip(first, second, strict=True)], seed)
