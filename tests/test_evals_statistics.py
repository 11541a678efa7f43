"""Intervals and tests against published values, and what must hold of them for any data."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph_decompose.evals.comparing import Comparison, compare_marks, corrected, sentence
from langgraph_decompose.evals.spending import best_within, mixture, pareto
from langgraph_decompose.evals.statistics import (
    bootstrap_mean,
    holm,
    mcnemar,
    mean,
    needed,
    paired_difference,
    paired_shares,
    sign_flip,
    wilson,
)

COUNTS = st.integers(0, 60)
SHARES = st.floats(0, 1)


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    # Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_s_interval_is_the_published_one(
    right: int, count: int, low: float, high: float
) -> None:
    share = wilson(right, count)
    assert (share.low, share.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        # Fagerland et al., "Recommended tests and confidence intervals for paired binomial
        # proportions" (2014): airway hyper-responsiveness before and after a transplantation.
        ((1, 7, 1, 12), -0.507, -0.026),
        # Altman et al., "Statistics with Confidence" (2000), table 6.2.
        ((14, 0, 5, 22), 0.011, 0.226),
    ],
)
def test_newcombe_s_paired_interval_is_the_published_one(
    table: tuple[int, int, int, int], low: float, high: float
) -> None:
    both, only_second, only_first, neither = table
    found = paired_shares(both, only_second, only_first, neither)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-3)


@pytest.mark.parametrize(
    ("losses", "wins", "p"),
    [
        (1, 7, 0.0703),  # Fagerland et al. (2013): exact conditional McNemar.
        (9, 1, 2 * 11 / 1024),  # By hand: (1 + 10) of 2**10 ways, both ends.
        (0, 5, 2 / 32),
        (4, 4, 1.0),
        (0, 0, 1.0),
    ],
)
def test_mcnemar_s_exact_p(losses: int, wins: int, p: float) -> None:
    assert mcnemar(losses, wins) == pytest.approx(p, abs=5e-5)


def test_sign_flips_give_fisher_s_own_p_for_darwin_s_maize() -> None:
    """Fisher, "The Design of Experiments" (1935), section 21: 1,726 of 32,768 ways."""
    eighths = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert sign_flip(eighths) == pytest.approx(1726 / 32768, abs=0.006)


@settings(max_examples=25)
@given(COUNTS, COUNTS)
def test_on_shares_sign_flips_and_mcnemar_agree(wins: int, losses: int) -> None:
    assert sign_flip([1.0] * wins + [-1.0] * losses) == pytest.approx(
        mcnemar(losses, wins), abs=0.02
    )


def test_no_rounding_makes_chance_look_rarer_than_it_is() -> None:
    """Added up one by one these are a little less than their exact sum, which 2 ways of 8 reach."""
    assert sign_flip([0.1, 0.4, 0.2]) == pytest.approx(2 / 8, abs=0.02)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(SHARES, max_size=12))
def test_correcting_only_ever_adds_doubt_and_keeps_the_order(chances: list[float]) -> None:
    adjusted = holm(chances)
    assert all(p <= q <= 1 for p, q in zip(chances, adjusted, strict=True))
    by_chance = sorted(range(len(chances)), key=chances.__getitem__)
    assert [adjusted[k] for k in by_chance] == sorted(adjusted)


def test_items_needed_by_hand() -> None:
    """Connor (1987), a fifth of the items discordant: ((1.96 √.2 + .8416 √.1996) / .02)²."""
    assert needed([1] * 10 + [-1] * 10 + [0] * 80) == 3923
    assert needed([]) is None


def test_two_points_need_items_that_differ_however_alike_the_two_were_here() -> None:
    nothing_differed = needed([0.0] * 50)
    assert nothing_differed == needed([0.0] * 49 + [1.0])
    assert nothing_differed is not None
    assert nothing_differed > 100


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_a_paired_interval_holds_its_value_and_mirrors(a: int, b: int, c: int, d: int) -> None:
    found, mirrored = paired_shares(a, b, c, d), paired_shares(a, c, b, d)
    assert -1 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1
    assert (found.low, found.high) == pytest.approx((-mirrored.high, -mirrored.low))


def test_a_paired_interval_holds_the_truth_95_times_in_100() -> None:
    draw = random.Random(0)
    held = 0
    for _ in range(1000):
        table = [0, 0, 0, 0]
        for kind in draw.choices(range(4), weights=(50, 8, 14, 28), k=100):
            table[kind] += 1
        found = paired_shares(table[0], table[1], table[2], table[3])
        held += found.low <= 0.06 <= found.high
    assert 930 <= held <= 985


@settings(max_examples=25)
@given(st.lists(SHARES, min_size=1, max_size=40))
def test_a_bootstrap_interval_stays_among_the_values_and_comes_again(values: list[float]) -> None:
    found = bootstrap_mean(values)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert found == bootstrap_mean(values)


def test_a_bootstrap_interval_is_one_of_95_per_cent() -> None:
    """Of 101 even steps the mean's standard error is 0.0290, and the normal interval ± 0.0569."""
    found = bootstrap_mean([k / 100 for k in range(101)])
    assert (found.low, found.high) == pytest.approx((0.443, 0.557), abs=0.005)


def test_a_mean_of_zeros_and_ones_is_a_share() -> None:
    assert mean([1, 0, 1, 1]) == wilson(3, 4)
    assert mean([0.5, 1.0]) == bootstrap_mean([0.5, 1.0])
    assert mean([]) == wilson(0, 0)


def test_differences_are_of_the_same_items() -> None:
    assert paired_difference([0, 0, 1], [1, 1, 1]).value == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        paired_difference([0, 1], [1])


def test_marks_that_differ_by_rounding_alone_are_the_same() -> None:
    """A bootstrap has both bounds at the value then, as if two items were certainty."""
    for found in (paired_difference([2 / 3, 1 / 3], [1, 2 / 3]), mean([2 / 3, 1 - 1 / 3])):
        assert found.low < found.value - 0.2 < found.value + 0.2 < found.high


def marks(values: list[float]) -> dict[str, float]:
    return {f"item-{k}": value for k, value in enumerate(values)}


def compared(first: list[float], second: list[float]) -> Comparison:
    found = compare_marks("t", "m", ("direct", marks(first)), ("dag", marks(second)))
    return corrected([found])[0]


@pytest.mark.parametrize(
    ("wins", "losses", "verdict"), [(30, 8, "better"), (8, 30, "worse"), (12, 9, "can't tell")]
)
def test_the_verdict_and_its_sentence(wins: int, losses: int, verdict: str) -> None:
    same = [1.0, 0.0] * 50
    found = compared([0.0] * wins + [1.0] * losses + same, [1.0] * wins + [0.0] * losses + same)
    assert (found.verdict, found.wins, found.losses, found.test) == (
        verdict,
        wins,
        losses,
        "McNemar",
    )
    expected = {
        "better": "dag is better than direct by 15.9 points (7.4 to 24.1); 5,401 items would be "
        "needed to see 2 points.",
        "worse": "dag is worse than direct by 15.9 points (7.4 to 24.1); 5,401 items would be "
        "needed to see 2 points.",
        "can't tell": "It can't be told whether dag is better than direct: 2.5 points more "
        "(−5.0 to 9.9); 3,404 items would be needed to see 2 points.",
    }
    assert sentence(found.to_row()) == expected[verdict]


def test_enough_items_are_said_to_be_enough() -> None:
    found = compared([0.0] * 2000, [0.0] * 1960 + [1.0] * 40)
    assert sentence(found.to_row()).endswith("the 2,000 items are enough to see 2 points.")
    alike = compare_marks("t", "accuracy", ("a", {"1": 1.0}), ("b", {"1": 1.0}))
    assert sentence(alike.to_row()).endswith(
        "; at least 391 items would be needed to see 2 points."
    )


def test_a_difference_that_was_one_of_many_chances_is_not_told() -> None:
    lucky = compare_marks("t", "m", ("a", marks([0.0] * 7)), ("b", marks([1.0] * 7)))
    dull = [compare_marks("t", "m", ("a", marks([0.0])), ("b", marks([0.0])))] * 9
    assert corrected([lucky])[0].verdict == "better"
    assert corrected([lucky, *dull])[0].verdict == "can't tell"


def test_equal_systems_are_hardly_ever_told_apart() -> None:
    draw = random.Random(0)
    told = 0
    for _ in range(300):
        first, second = ([float(draw.random() < 0.6) for _ in range(60)] for _ in range(2))
        told += compared(first, second).verdict != "can't tell"
    assert told <= 15


def test_graded_marks_are_compared_by_sign_flips() -> None:
    found = compared([0.25, 0.5] * 20, [0.5, 1.0] * 20)
    assert (found.test, found.verdict) == ("sign flips", "better")
    assert found.difference.value == pytest.approx(0.375)


def test_only_items_that_both_were_given_count() -> None:
    found = compare_marks("t", "m", ("a", {"x": 0.0, "y": 1.0}), ("b", {"y": 1.0, "z": 1.0}))
    assert found.difference.n == 1


POINTS = st.dictionaries(
    st.sampled_from("abcdef"), st.tuples(st.integers(1, 9), SHARES), min_size=1
)


@given(POINTS)
def test_no_system_beats_one_of_the_front(points: dict[str, tuple[int, float]]) -> None:
    front = pareto(points)
    for name, (spend, mark) in points.items():
        beaten = [k for k in front if points[k][0] <= spend and points[k][1] >= mark]
        assert beaten, f"{name} is neither on the front nor behind it"
    assert [points[k] for k in front] == sorted({points[k] for k in front})


@given(POINTS, st.floats(0, 10))
def test_a_mix_spends_no_more_and_does_no_worse_than_any_one(
    points: dict[str, tuple[int, float]], spend: float
) -> None:
    mix = mixture(points, spend)
    best = best_within(points, spend)
    assert bool(mix) == (best is not None)
    if best is not None:
        assert sum(mix.values()) == pytest.approx(1)
        assert sum(share * points[k][0] for k, share in mix.items()) <= spend + 1e-9
        assert sum(share * points[k][1] for k, share in mix.items()) >= points[best][1] - 1e-9
