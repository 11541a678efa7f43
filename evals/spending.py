"""What accuracy costs: the Pareto front, and baselines that spend as much as a system does."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

Points = Mapping[str, tuple[float, float]]
"""System to what it spends a question, and its mean mark."""


def pareto(points: Points) -> list[str]:
    """The systems that none beats by spending no more, the cheapest first.

    Example:
        >>> pareto({"direct": (10, 0.4), "dag": (90, 0.6), "cot": (95, 0.5)})
        ['direct', 'dag']
    """
    front: list[str] = []
    best = float("-inf")
    for name, (_, mark) in sorted(points.items(), key=lambda p: (p[1][0], -p[1][1])):
        if mark > best:
            front.append(name)
            best = mark
    return front


def best_within(points: Points, spend: float) -> str | None:
    """The system with the highest mark among those that spend no more, the cheapest of equals."""
    affordable = {name: point for name, point in points.items() if point[0] <= spend}
    return pareto(affordable)[-1] if affordable else None


def mixture(baselines: Points, spend: float) -> dict[str, float]:
    """Baselines by the shares of questions that each should answer, for the highest mark.

    Who may spend what lies between two systems can toss a coin for each question, and has on
    average a mark that lies between theirs: what a system at that price has to beat. Tested on
    the items that it was chosen by, it looks a little too good.

    Returns:
        One system, or two whose shares add up to 1; none if each spends more.

    Example:
        >>> mixture({"direct": (10, 0.4), "self_consistency": (110, 0.6)}, 60)
        {'direct': 0.5, 'self_consistency': 0.5}
    """
    best: dict[str, float] = {}
    single = best_within(baselines, spend)
    highest = float("-inf")
    if single is not None:
        best, highest = {single: 1.0}, baselines[single][1]
    for cheap, dear in permutations(baselines, 2):
        (low, mark), (high, other) = baselines[cheap], baselines[dear]
        if low <= spend < high:
            share = (spend - low) / (high - low)
            if (mixed := (1 - share) * mark + share * other) > highest and share:
                best, highest = {cheap: 1 - share, dear: share}, mixed
    return best
