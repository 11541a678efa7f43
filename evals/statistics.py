"""Shares and means with their 95 % intervals, and whether two systems differ.

Two systems are compared on the same items, pair by pair. Marks of 0 and 1 have closed forms;
for other marks chance is simulated, always from the same seed, so that a report can be had
again to the digit.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

_Z = 1.959964
_Z_POWER = 0.841621
_WANTED = 0.02
"""The difference that `needed` is to see."""
_RESAMPLES = 1000
_FLIPS = 9999
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Interval:
    """A figure of `n` items with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float
    n: int


def wilson(right: float, count: int) -> Interval:
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


def bootstrap_mean(values: Sequence[float]) -> Interval:
    """A mean with its percentile bootstrap interval (Efron, 1979), always the same."""
    count = len(values)
    if not count:
        return Interval(0.0, -math.inf, math.inf, 0)
    draw = random.Random(0)  # noqa: S311
    means = sorted(sum(draw.choices(values, k=count)) / count for _ in range(_RESAMPLES))
    low, high = means[int(0.025 * _RESAMPLES)], means[int(0.975 * _RESAMPLES) - 1]
    return Interval(sum(values) / count, low, high, count)


def mean(values: Sequence[float]) -> Interval:
    """A mean with its interval, by bootstrap or Wilson's.

    Wilson's if all are 0 or 1, and if all are the same mark from 0 to 1: that tells a bootstrap
    nothing of chance, and no marks of this mean vary more than those of 0 and 1.

    Example:
        >>> same = mean([0.5] * 10)
        >>> round(same.low, 3), same.value, round(same.high, 3)
        (0.237, 0.5, 0.763)
    """
    if is_share(values) or (_all_the_same(values) and 0 < values[0] < 1):
        return wilson(sum(values), len(values))
    return bootstrap_mean(values)


def is_share(values: Collection[float]) -> bool:
    """Whether every value is 0 or 1, so that their mean is a share."""
    return all(value in (0, 1) for value in values)


def _all_the_same(values: Sequence[float]) -> bool:
    return max(values) - min(values) <= _ROUNDING


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Interval:
    """How much better `second` did than `first` on the same items, each marked from 0 to 1.

    Marks of 0 and 1 are shares; of others, pairs are drawn together. If all pairs differ by the
    same, which tells a bootstrap nothing of chance, the two are taken for unrelated shares.

    Raises:
        ValueError: If they aren't of one length.

    Example:
        >>> paired_difference([0, 0, 1, 0], [1, 1, 1, 1]).value
        0.75
        >>> paired_difference([0.6] * 10, [0.6] * 10).high > 0.2
        True
    """
    gains = [b - a for a, b in zip(first, second, strict=True)]
    if is_share(first) and is_share(second):
        wins, losses = gains.count(1), gains.count(-1)
        both = round(sum(first)) - losses
        return paired_shares(both, losses, wins, len(gains) - both - losses - wins)
    if not _all_the_same(gains):
        return bootstrap_mean(gains)
    before, after = wilson(sum(first), len(gains)), wilson(sum(second), len(gains))
    return _newcombe(before, after, gains[0], correlation=0)


def paired_shares(both: int, only_first: int, only_second: int, neither: int) -> Interval:
    """How much more often `second` was right than `first`, after Newcombe (1998).

    Unlike a bootstrap it stays honest where hardly an item tells the two apart: of ten items
    on which both were right, a difference of zero isn't certain.

    Example:
        >>> paired_shares(10, 0, 0, 0).high > 0.2
        True
    """
    count = both + only_first + only_second + neither
    if not count:
        return Interval(0.0, -1.0, 1.0, 0)
    first, second = wilson(both + only_first, count), wilson(both + only_second, count)
    correlation = _correlation(both, only_first, only_second, neither)
    return _newcombe(first, second, (only_second - only_first) / count, correlation)


def _newcombe(first: Interval, second: Interval, value: float, correlation: float) -> Interval:
    """The difference of two shares with its interval."""
    low = _square_and_add(second.value - second.low, first.high - first.value, correlation)
    high = _square_and_add(second.high - second.value, first.value - first.low, correlation)
    return Interval(value, max(-1.0, value - low), min(1.0, value + high), first.n)


def _correlation(both: int, only_first: int, only_second: int, neither: int) -> float:
    """Of the two systems' marks; a small one is taken for none, as Newcombe's method 10 does."""
    first = (both + only_first) * (only_second + neither)
    second = (both + only_second) * (only_first + neither)
    product = both * neither - only_first * only_second
    if product > 0:
        product = max(0.0, product - (both + only_first + only_second + neither) / 2)
    return product / math.sqrt(first * second) if first and second else 0.0


def _square_and_add(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p of McNemar's test (1947): a fair coin for every item that differs.

    Example:
        >>> mcnemar(1, 7), mcnemar(0, 0)
        (0.0703125, 1.0)
    """
    count, fewer = only_first + only_second, min(only_first, only_second)
    ways = total = 1
    for k in range(fewer):
        ways = ways * (count - k) // (k + 1)
        total += ways
    return min(1.0, 2 * total / 2**count)


def sign_flip(differences: Sequence[float]) -> float:
    """The two-sided p of a paired permutation test: which of the two had which mark is chance.

    Example:
        >>> sign_flip([0.0, 0.0]), sign_flip([0.5] * 30)
        (1.0, 0.0001)
    """
    # Items with the same difference flip together: how many of them come out positive is
    # the number of ones among as many random bits.
    sizes = Counter(abs(difference) for difference in differences if difference)
    if not sizes:
        return 1.0
    observed = abs(math.fsum(differences)) - _ROUNDING
    bits = random.Random(0).getrandbits  # noqa: S311
    hits = sum(
        abs(sum(size * (2 * bits(count).bit_count() - count) for size, count in sizes.items()))
        >= observed
        for _ in range(_FLIPS)
    )
    return (1 + hits) / (1 + _FLIPS)


def holm(chances: Sequence[float]) -> list[float]:
    """Every p corrected for all of them together, after Holm (1979), in the given order.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(chances)
    least = 0.0
    for rank, place in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        least = max(least, min(1.0, (len(chances) - rank) * chances[place]))
        adjusted[place] = least
    return adjusted


def needed(differences: Sequence[float]) -> int | None:
    """Items that a paired comparison needs to see two points with a power of 80 %.

    After Connor (1987), at a two-sided p of 0.05 of a single comparison, from how far apart
    the two systems were on the items at hand.

    Args:
        differences: Of the marks of each item; marks go from 0 to 1.

    Returns:
        A number of items; None if there was none to learn from.

    Example:
        >>> needed([1] * 10 + [-1] * 10 + [0] * 80)
        3923
    """
    if not differences:
        return None
    apart = math.fsum(d * d for d in differences) / len(differences)
    apart = max(apart, _WANTED)  # Two points can't come from fewer items than two in a hundred.
    spread = _Z * math.sqrt(apart) + _Z_POWER * math.sqrt(apart - _WANTED * _WANTED)
    return math.ceil((spread / _WANTED) ** 2)
