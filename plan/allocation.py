"""Where a budget does the most good: one option per subquestion.

Direct Heterogeneous Causal Learning (arXiv 2211.15728) chooses one treatment per user under a
budget, the multiple-choice knapsack; here an option is a solver with a number of samples.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import itemgetter
from typing import NamedTuple, TypeAlias

EXACT_ITEMS = 16
"""Up to this many items the choice is the best; among more it is near the best."""

_MAX_STATES = 300_000  # where the search gives up, after a second or two of a contrived instance
_ROUNDING = 1e-9  # relative difference that counts as none, between costs or total values


@dataclass(frozen=True, slots=True)
class Option:
    """One way to answer: its value, such as the logarithm of a chance, and its cost.

    Raises:
        ValueError: If one isn't finite, or the cost is negative.
    """

    value: float
    cost: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and 0 <= self.cost < math.inf):
            raise ValueError(f"an option has a finite value and a finite cost from 0 up: {self}")


@dataclass(frozen=True, slots=True)
class Allocation:
    """Index of the option for each item, their sums, and a bound on any choice's value."""

    choices: tuple[int, ...]
    value: float
    cost: float
    bound: float

    @property
    def gap(self) -> float:
        """What the value may lack, relative to itself or the bound; 0.0 if it is the best."""
        return (self.bound - self.value) / max(abs(self.bound), abs(self.value), 1e-300)


def majority_chance(chance: float, samples: int) -> float:
    """Chance that most of some independent samples are right (Condorcet); ties count half.

    Raises:
        ValueError: If a sample's chance isn't within 0 and 1, or there is no sample.

    Example:
        >>> [round(majority_chance(0.8, samples), 3) for samples in (1, 2, 3, 5)]
        [0.8, 0.8, 0.896, 0.942]
    """
    if not 0 <= chance <= 1 or samples < 1:
        raise ValueError(f"{samples} samples with the chance {chance} have no majority")
    if chance > 0.5:
        return 1 - majority_chance(1 - chance, samples)
    half = (samples - 1) // 2  # with ties at half, an even number is worth the odd one below
    grown = (chance * (1 - chance) * (4 * k + 2) / (k + 1) for k in range(1, half + 1))
    terms = [chance * math.prod(grown)]  # half + 1 are right; no binomial gets too big for this
    for k in range(half + 1, 2 * half + 1):
        terms.append(terms[-1] * chance / (1 - chance) * (2 * half + 1 - k) / (k + 1))
    return math.fsum(terms)


def allocate(items: Sequence[Sequence[Option]], budget: float | None = None) -> Allocation:
    """Choose one option per item, worth the most together, at a cost within the budget.

    Up to `EXACT_ITEMS` items the choice is the best one. Beyond that it is near the best, and
    `Allocation.gap` bounds what it lacks.

    Raises:
        ValueError: If an item has no options, or the cheapest ones cost more than the budget.

    Example:
        >>> guess, solve = Option(value=0.5, cost=1), Option(value=0.9, cost=4)
        >>> allocate([[guess, solve], [guess, Option(value=0.8, cost=2)]], budget=5).choices
        (1, 0)
    """
    fronts = [_front(options) for options in items]
    limit = math.inf if budget is None else budget * (1 + _ROUNDING)
    least, _ = _total(front[0] for front in fronts)
    if not least <= limit:
        raise ValueError(f"the budget of {budget} is below the least cost, {least}")
    chosen, bound = [front[-1] for front in fronts], -math.inf
    if not _total(chosen)[0] <= limit:
        chosen, bound = _within(fronts, limit)
    cost, value = _total(chosen)
    return Allocation(tuple(point.option for point in chosen), value, cost, max(bound, value))


class _Point(NamedTuple):
    cost: float
    value: float
    option: int


class _Step(NamedTuple):  # from one point of an item's concave hull to the next
    slope: float  # value per cost
    cost: float
    value: float
    item: int
    start: _Point
    end: _Point


_Points: TypeAlias = list[_Point]
_Fronts: TypeAlias = list[_Points]
_Steps: TypeAlias = list[_Step]
_Bound: TypeAlias = Callable[[float], float]  # by the cost of other items
_States: TypeAlias = list[
    tuple[float, float, tuple[_Point, ...]]
]  # cost, value and the points that add up to them


def _total(points: Iterable[_Point]) -> tuple[float, float]:
    points = list(points)
    return math.fsum(map(itemgetter(0), points)), math.fsum(map(itemgetter(1), points))


def _front(options: Sequence[Option]) -> _Points:
    """The options that are worth more than all cheaper ones, cheapest first."""
    if not options:
        raise ValueError("an item has no options")
    front: _Points = []
    for cost, loss, k in sorted((o.cost, -o.value, k) for k, o in enumerate(options)):
        if not front or -loss > front[-1].value:
            front.append(_Point(cost, -loss, k))
    return front


def _within(fronts: _Fronts, limit: float) -> tuple[_Points, float]:
    """Choose where the best options don't fit but the cheapest do; a bound unless it's exact."""
    steps = _steps(fronts)
    chosen = [front[0] for front in fronts]
    room = limit - _total(chosen)[0]
    last = bisect_right(list(accumulate(step.cost for step in steps)), room) - 0.5
    for step in steps:
        if step.cost <= room and chosen[step.item] is step.start:
            chosen[step.item] = step.end
            room -= step.cost
    nearest = sorted(range(len(steps)), key=lambda k: abs(k - last))
    undecided = list(dict.fromkeys(steps[k].item for k in nearest))
    core = undecided[:EXACT_ITEMS]
    spent, _ = _total(point for k, point in enumerate(chosen) if k not in core)
    exact = _search(fronts, steps, core, limit - spent, chosen) and core == undecided
    bound = _relaxation(fronts, steps, range(len(fronts)), limit)
    return chosen, -math.inf if exact else bound(0.0)


def _step(item: int, start: _Point, end: _Point) -> _Step:
    cost, value = end.cost - start.cost, end.value - start.value
    return _Step(value / cost, cost, value, item, start, end)


def _steps(fronts: _Fronts) -> _Steps:
    """The steps of all items' hulls, most value per cost first."""
    steps: _Steps = []
    for item, front in enumerate(fronts):
        hull: _Steps = []
        for start, end in pairwise(front):
            step = _step(item, start, end)
            while hull and hull[-1].slope <= step.slope:
                step = _step(item, hull.pop().start, end)
            hull.append(step)
        steps += hull
    return sorted(steps, key=itemgetter(0), reverse=True)


def _relaxation(fronts: _Fronts, steps: _Steps, items: Sequence[int], limit: float) -> _Bound:
    """What the items are worth, by what is spent elsewhere, if options mix: the dual bound."""
    steps = [step for step in steps if step.item in items]
    cost, value = _total(fronts[k][0] for k in items)
    costs = list(accumulate([*(step.cost for step in steps), math.inf], initial=cost))
    values = list(accumulate([*(step.value for step in steps), 0.0], initial=value))

    def bound(spent: float) -> float:
        k = bisect_right(costs, limit - spent)
        if k == 0:
            return -math.inf
        share = (limit - spent - costs[k - 1]) / (costs[k] - costs[k - 1])
        return values[k - 1] + share * (values[k] - values[k - 1])

    return bound


def _search(fronts: _Fronts, steps: _Steps, core: list[int], limit: float, now: _Points) -> bool:
    """Choose the best for the core's items in `now`; false if that takes too many states.

    Dynamic programming in two lists of states, whose pairs are many and cheap to try. Items in
    neither list yet stay as they are. So good choices come early, and rule most states out.
    """
    members = set(core)
    steps = [step for step in steps if step.item in members]
    bound = _relaxation(fronts, steps, core, limit)(0.0)
    items: list[list[int]] = [[], []]
    states: list[_States] = [[(0.0, 0.0, ())], [(0.0, 0.0, ())]]
    for n, item in enumerate(core, 1):
        value, side = _total(now[k] for k in core)[1], int(len(states[0]) > len(states[1]))
        floor = value + _ROUNDING * min(abs(value), abs(bound))
        if floor >= bound or len(states[side]) * len(fronts[item]) > _MAX_STATES:
            return floor >= bound
        items[side].append(item)
        others = [k for k in core if k not in items[side]]
        rest = _relaxation(fronts, steps, others, limit)
        states[side] = _extended(states[side], fronts[item], rest, floor)
        rest_cost, rest_value = _total(now[k] for k in core[n:])
        points = _best_pair(states, limit - rest_cost, value - rest_value)
        for k, point in zip(items[0] + items[1], points, strict=False):
            now[k] = point
    return True


def _extended(states: _States, front: _Points, rest: _Bound, floor: float) -> _States:
    """States with one more item, without those that the rest can't lift over the floor."""
    grown = [
        (cost + point.cost, value + point.value, (*points, point))
        for point in front
        for cost, value, points in states
    ]
    kept: _States = []
    best = -math.inf
    for cost, value, points in sorted(grown, key=itemgetter(0)):
        if value > best and value + rest(cost) > floor:
            best = value
            kept.append((cost, value, points))
    return kept


def _best_pair(states: list[_States], room: float, best: float) -> tuple[_Point, ...]:
    """Points of the two states, one per list, that are worth the most; none if not over best."""
    found: tuple[_Point, ...] = ()
    left, right = states
    costs = [cost for cost, _, _ in right]
    for cost, value, points in left:
        k = bisect_right(costs, room - cost) - 1
        if k >= 0 and value + right[k][1] > best:
            best, found = value + right[k][1], points + right[k][2]
    return found
