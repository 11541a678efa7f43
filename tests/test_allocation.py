"""Allocations: the best options within a budget, and what is known of the best elsewhere."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable, Iterator
from functools import reduce
from operator import add

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph_decompose.plan import allocation
from langgraph_decompose.plan.allocation import (
    EXACT_ITEMS,
    Allocation,
    Option,
    allocate,
    majority_chance,
)

Items = list[list[Option]]
SLACK = 1 + 2e-9
"""A cost over the budget by a billionth is rounding."""

options = st.builds(
    Option,
    value=st.sampled_from([-1.0, 0.0, 0.5, 1.0]) | st.floats(-10, 10),
    cost=st.sampled_from([0.0, 0.1, 1.0, 2.0]) | st.floats(0, 10),
)
problems = st.lists(st.lists(options, min_size=1, max_size=5), max_size=7)
shares = st.floats(0, 1)


def least_cost(items: Items) -> float:
    return math.fsum(min(option.cost for option in item) for item in items)


def most_cost(items: Items) -> float:
    return math.fsum(max(option.cost for option in item) for item in items)


def between(items: Items, share: float) -> float:
    """A budget that fits the cheapest options and this share of what the dearest cost more."""
    return least_cost(items) + share * (most_cost(items) - least_cost(items))


def brute_force(items: Items, budget: float) -> float:
    """The most value within the budget, by trying every choice."""
    sums = [(sum(o.cost for o in c), sum(o.value for o in c)) for c in itertools.product(*items)]
    return max(value for cost, value in sums if cost <= budget * (1 + 1e-9))


def assert_adds_up(found: Allocation, items: Items, budget: float) -> None:
    chosen = [item[k] for item, k in zip(items, found.choices, strict=True)]
    assert found.value == pytest.approx(sum(option.value for option in chosen))
    assert found.cost == pytest.approx(sum(option.cost for option in chosen))
    assert found.cost <= budget * SLACK
    assert found.bound >= found.value


def by_chance(rng: random.Random, count: int, most: int) -> Items:
    """Values 0 to 1 and costs that have nothing to do with each other, often tied or free."""

    def option() -> Option:
        value = rng.choice([0.5, rng.random(), round(rng.random(), 1)])
        return Option(value, rng.choice([0.0, 1.0, rng.random(), float(rng.randint(0, 4))]))

    return [[option() for _ in range(rng.randint(1, most))] for _ in range(count)]


def chances(rng: random.Random, count: int, most: int = 6) -> Items:
    """What a dearer solver promises more: chances that grow with the cost, not evenly."""
    items: Items = []
    for _ in range(count):
        values, costs = (sorted(rng.random() for _ in range(most)) for _ in range(2))
        items.append([Option(value, cost) for value, cost in zip(values, costs, strict=True)])
    return items


def log_chances(rng: random.Random, count: int, most: int = 6) -> Items:
    """Subquestions as they come: a cheap and a dear solver, with 1, 3, 5 ... samples each."""
    items: Items = []
    for _ in range(count):
        tokens, weak = rng.uniform(50, 400), rng.uniform(0.4, 0.9)
        items.append([])
        for chance, price in ((weak, 1), (rng.uniform(weak, 0.99), 7.5)):
            for samples in range(1, most + 1, 2):
                value = math.log(majority_chance(chance, samples))
                items[-1].append(Option(value, samples * price * tokens))
    return items


def alike(rng: random.Random, count: int, most: int = 6) -> Items:
    """The same options for every item, so that choices tie in every order."""
    return [chances(rng, 1, most)[0]] * count


def nearly_proportional(rng: random.Random, count: int, most: int = 6) -> Items:
    """About as worth as dear: hardly an option is plainly better than another."""
    costs = ([rng.random() for _ in range(most)] for _ in range(count))
    return [[Option(cost + rng.uniform(0, 0.2), cost) for cost in row] for row in costs]


def proportional(rng: random.Random, count: int, most: int = 6) -> Items:
    """As worth as dear: to find the best is to hit the budget, a subset sum."""
    costs = ([rng.random() for _ in range(most)] for _ in range(count))
    return [[Option(cost, cost) for cost in row] for row in costs]


def even(rng: random.Random, count: int, most: int = 6) -> Items:
    """As worth as dear, and even: an odd budget is never hit, which no relaxation sees."""
    costs = ([2 * rng.randint(1, 10**6) for _ in range(most)] for _ in range(count))
    return [[Option(cost, cost) for cost in row] for row in costs]


# What an allocation is


def test_the_budget_goes_where_it_does_the_most_good() -> None:
    guess, think = Option(value=0.4, cost=1), Option(value=0.9, cost=3)
    sure = [Option(value=0.9, cost=1), Option(value=0.95, cost=3)]
    assert allocate([[guess, think], sure], budget=4).choices == (1, 0)


def test_without_a_budget_each_item_gets_its_best_option() -> None:
    items = [[Option(0.2, 1), Option(0.7, 50)], [Option(0.9, 2), Option(0.1, 80)]]
    for budget in (None, math.inf, 1e300, 52):
        assert allocate(items, budget) == Allocation((1, 0), value=1.6, cost=52, bound=1.6)


def test_the_cheapest_of_the_best_is_taken() -> None:
    item = [Option(0.5, 3), Option(0.5, 1), Option(0.5, 2), Option(0.4, 0)]
    assert allocate([item]).choices == (1,)


def test_no_items_need_no_options() -> None:
    for budget in (None, 0, 5.0):
        assert allocate([], budget) == Allocation((), value=0, cost=0, bound=0)


def test_an_option_between_two_better_ones_is_taken_if_it_fits() -> None:
    """It's no corner of the hull, so no greedy step leads there."""
    assert allocate([[Option(0, 0), Option(1, 5), Option(9, 9)]], budget=8).choices == (1,)


def test_a_budget_that_equals_the_cost_up_to_rounding_fits() -> None:
    items = [[Option(0, 0.0), Option(1, 0.1)] for _ in range(10)]
    one_by_one = reduce(add, [0.1] * 10)  # Unlike Python's own sum since 3.12.
    assert one_by_one != 1.0
    for budget in (1.0, one_by_one, 1 - 1e-10):
        assert allocate(items, budget).choices == (1,) * 10
    assert sum(allocate(items, 1 - 1e-8).choices) == 9


def test_no_budget_is_enough_for_what_is_free() -> None:
    assert allocate([[Option(1, 0), Option(0, 0), Option(2, 1)]] * 3, budget=0).choices == (0,) * 3


# How good it is


def instances(count: int) -> Iterator[tuple[Items, float]]:
    """Small random problems with budgets from barely enough to nearly everything."""
    rng = random.Random(2211)
    for n in range(count):
        many = rng.randint(1, 8)
        items = by_chance(rng, many, 5 if many <= 5 else 3)
        yield items, between(items, (0, 0.05, 0.3, 0.5, 0.8, 1)[n % 6])


def test_up_to_8_items_it_is_what_trying_every_choice_finds() -> None:
    for items, budget in instances(1000):
        found = allocate(items, budget)
        assert_adds_up(found, items, budget)
        assert found.value == pytest.approx(brute_force(items, budget), rel=1e-9)
        assert found.gap == 0


@given(problems, shares)
def test_so_it_is_for_any_options(items: Items, share: float) -> None:
    budget = between(items, share)
    found = allocate(items, budget)
    assert_adds_up(found, items, budget)
    assert found.value == pytest.approx(brute_force(items, budget), rel=2e-9, abs=1e-12)


@given(problems, shares, shares)
def test_more_budget_is_never_worth_less(items: Items, share: float, other: float) -> None:
    less, more = (allocate(items, between(items, s)) for s in sorted((share, other)))
    assert more.value >= less.value - 2e-9 * abs(less.value)


@pytest.mark.parametrize("kind", [chances, log_chances, alike, by_chance, nearly_proportional])
@pytest.mark.parametrize("share", [0.1, 0.4, 0.7])
def test_16_items_are_exact_fast_and_no_worse_than_greedy(
    kind: Callable[..., Items], share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        items = kind(random.Random(seed), EXACT_ITEMS, 8)
        budget = between(items, share)
        start = time.process_time()
        found = allocate(items, budget)
        assert time.process_time() - start < 0.5
        assert_adds_up(found, items, budget)
        assert found.gap == 0
        with monkeypatch.context() as patch:
            patch.setattr(allocation, "EXACT_ITEMS", 0)
            greedy = allocate(items, budget)
        assert greedy.value <= found.value * (1 + 1e-9 * math.copysign(1, found.value))
        assert found.value <= greedy.bound + 1e-9 * abs(greedy.bound)


def test_a_subset_sum_is_found_among_280_trillion_choices() -> None:
    items = proportional(random.Random(1), EXACT_ITEMS, 8)
    found = allocate(items, between(items, 0.7))
    assert found.value == pytest.approx(between(items, 0.7), rel=2e-9)
    assert found.gap == 0


def test_a_tight_budget_rules_most_choices_out() -> None:
    """Without the relaxation, this search would give up."""
    items = proportional(random.Random(1), EXACT_ITEMS, 8)
    assert allocate(items, between(items, 0.05)).gap == 0


def test_a_problem_made_to_be_hard_ends_with_the_gap_that_is_left() -> None:
    items = even(random.Random(1), EXACT_ITEMS, 8)
    start = time.process_time()
    found = allocate(items, between(items, 0.5) // 2 * 2 + 1)
    assert time.process_time() - start < 30
    assert 0 < found.gap < 1e-5


@pytest.mark.parametrize("kind", [chances, log_chances, by_chance])
@pytest.mark.parametrize("count", [200, 1000])
def test_many_items_are_within_a_percent_of_the_dual_bound(
    kind: Callable[..., Items], count: int
) -> None:
    for seed, share in itertools.product(range(3), (0.05, 0.3, 0.6, 0.9)):
        items = kind(random.Random(seed), count, 6)
        found = allocate(items, between(items, share))
        assert_adds_up(found, items, between(items, share))
        assert found.gap <= 0.01


@given(
    st.lists(st.lists(options, min_size=1, max_size=4), min_size=17, max_size=24),
    shares,
)
@settings(max_examples=30)
def test_above_16_items_the_bound_is_one_too(items: Items, share: float) -> None:
    budget = between(items, share)
    found = allocate(items, budget)
    assert_adds_up(found, items, budget)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(allocation, "EXACT_ITEMS", len(items))
        best = allocate(items, budget)
    assert found.value - 1e-8 <= best.value <= found.bound + 1e-8


@pytest.mark.parametrize("kind", [chances, log_chances])
def test_ten_thousand_items_take_a_second_or_so(kind: Callable[..., Items]) -> None:
    items = kind(random.Random(0), 10_000, 6)
    budget = between(items, 0.3)
    start = time.process_time()
    found = allocate(items, budget)
    assert time.process_time() - start < 15
    assert_adds_up(found, items, budget)
    assert found.gap < 1e-4


@pytest.mark.parametrize(
    ("value", "bound", "gap"),
    [(3, 4, 0.25), (-4, -3, 0.25), (-1, 0, 1), (0, 2, 1), (-1, 1, 2), (0, 0, 0), (-2, -2, 0)],
)
def test_the_gap_is_relative_to_the_larger_side(value: float, bound: float, gap: float) -> None:
    assert Allocation((), value, 0, bound).gap == gap


# What is refused


@pytest.mark.parametrize(
    ("value", "cost"),
    [(math.nan, 1), (1, math.nan), (1, -0.1), (1, math.inf), (math.inf, 1), (-math.inf, 1)],
)
def test_an_option_has_a_finite_value_and_cost(value: float, cost: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Option(value, cost)


def test_an_item_without_options_is_refused() -> None:
    with pytest.raises(ValueError, match="no options"):
        allocate([[Option(1, 1)], []])


@pytest.mark.parametrize("budget", [2.9, 0, -1, math.nan, -math.inf])
def test_a_budget_below_the_cheapest_options_is_refused(budget: float) -> None:
    items = [[Option(9, 5), Option(0, 1)], [Option(0, 2)]]
    with pytest.raises(ValueError, match=r"below the least cost, 3\.0$"):
        allocate(items, budget)


# What samples are worth


@given(st.floats(0, 1), st.integers(1, 40))
def test_a_majority_is_right_as_the_binomial_says(chance: float, samples: int) -> None:
    terms = [
        math.comb(samples, k) * chance**k * (1 - chance) ** (samples - k)
        for k in range(samples + 1)
    ]
    ties = terms[samples // 2] / 2 if samples % 2 == 0 else 0
    expected = sum(terms[samples // 2 + 1 :]) + ties
    assert majority_chance(chance, samples) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_more_samples_help_only_those_who_are_mostly_right() -> None:
    assert majority_chance(0.6, 1) == 0.6
    assert majority_chance(0.6, 3) < majority_chance(0.6, 9) < majority_chance(0.6, 10_001) <= 1
    assert majority_chance(0.4, 3) > majority_chance(0.4, 9) > majority_chance(0.4, 1001) > 0
    assert majority_chance(0.5, 7) == pytest.approx(0.5)
    assert [majority_chance(p, 5) for p in (0, 1)] == [0, 1]


@pytest.mark.parametrize(("chance", "samples"), [(-0.1, 1), (1.1, 1), (math.nan, 1), (0.5, 0)])
def test_a_majority_needs_a_chance_and_a_sample(chance: float, samples: int) -> None:
    with pytest.raises(ValueError, match="no majority"):
        majority_chance(chance, samples)
