"""What came of `when_to_split.py`: shares with intervals, paired comparisons, verdicts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from langgraph_decompose.evals.statistics import Interval, holm, mcnemar, paired_shares, wilson

LENGTHS = ((1, 1), (2, 3), (4, 5), (6, 8))
"""Least and most steps of the groups that problems are told apart by."""
SETS = {"all questions": 1, "4 steps and more": 4}
"""Least steps of the questions that verdicts are about."""
UNDIVIDED = ("direct", "cot", "self_consistency(5)", "self_consistency(15)", "cot, strong")
"""Baselines that never split."""
_ONE = (*UNDIVIDED[:4], "always split")
_TWO = (*UNDIVIDED, "always split", "always split, strong")
BASELINES = {
    "always split": _ONE,
    "gate model": _ONE,
    "gate disagreement": _ONE,
    "attempt_first": _ONE,
    "escalate": _ONE,
    "recursive": _ONE,
    "escalate, to strong": _TWO,
    "allocation": _TWO,
}
"""What every strategy is compared with; those with a second solver by money alone."""
MARGIN, LEVEL = 0.05, 0.05
_BEATS = ("better for no more", "as good for less")
Report = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What became of one question, and of how many steps it was."""

    right: bool
    tokens: int
    money: float
    calls: int
    steps: int


@dataclass(frozen=True)
class Cell:
    """One world at one strength: every system on the same questions."""

    world: str
    strength: float
    asked: Mapping[str, Sequence[Asked]]


@dataclass(frozen=True)
class Compared:
    """A strategy against a baseline on the same questions.

    Attributes:
        where: World, strength and set of questions.
        other: The baseline.
        gain: How much more often the strategy is right.
        spends: What more it spends a question.
        chance: Of such a gain if there is none, by McNemar's test.
    """

    where: tuple[str, float, str]
    other: str
    gain: Interval
    spends: Interval
    chance: float

    @property
    def verdict(self) -> str:
        """Which of the two ways to beat the baseline it is; empty if it doesn't."""
        if self.better and self.spends.value <= 0:
            return _BEATS[0]
        saves = self.spends.high < 0 and self.gain.low > -MARGIN
        return _BEATS[1] if saves else ""

    @property
    def better(self) -> bool:
        """Whether it is more often right, for whatever it spends."""
        return self.chance < LEVEL and self.gain.low > 0


def report(cells: Sequence[Cell], about: Mapping[str, Any]) -> Report:
    """All figures, JSON-native."""
    beats: Report = {}
    pays: Report = {}
    for name, others in BASELINES.items():
        for spent in ("money",) if "cot, strong" in others else ("tokens", "money"):
            found = list(_comparisons(name, others, spent, cells))
            beats[f"{name} by {spent}"] = _beaten(_corrected(found))
            pays[f"{name} by {spent}"] = _paying(found)
    systems = [
        {
            "world": cell.world,
            "strength": cell.strength,
            "systems": {name: _figures(rows) for name, rows in cell.asked.items()},
        }
        for cell in cells
    ]
    return {
        "about": dict(about),
        "beats": beats,
        "beats_nothing": _nowhere(beats),
        "pays": pays,
        "pays_nowhere": _nowhere(pays),
        "cells": systems,
    }


def _nowhere(verdicts: Mapping[str, Any]) -> list[str]:
    return [name for name in BASELINES if not any(verdicts.get(f"{name} by {spent}")
            for spent in ("tokens", "money"))]  # fmt: skip


def _figures(rows: Sequence[Asked]) -> dict[str, Any]:
    right, tokens = _share(rows), _mean([row.tokens for row in rows])
    groups = {
        f"{low}-{high}" if low < high else str(low): _share(
            [row for row in rows if low <= row.steps <= high]
        )
        for low, high in LENGTHS
    }
    return {
        "right": right,
        "tokens": round(tokens, 1),
        "money_of_1000": round(1000 * _mean([row.money for row in rows]), 4),
        "calls": round(_mean([row.calls for row in rows]), 2),
        "right_per_1000_tokens": round(1000 * right["value"] / tokens, 4),
        "right_by_steps": groups,
    }


def _share(rows: Sequence[Asked]) -> dict[str, float]:
    found = wilson(sum(row.right for row in rows), len(rows))
    return {name: round(value, 4) for name, value in asdict(found).items()}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(len(values), 1)


def _comparisons(
    name: str, others: Iterable[str], spent: str, cells: Sequence[Cell]
) -> Iterator[Compared]:
    for cell in cells:
        for questions, least in SETS.items():
            rows = [row for row in cell.asked[name] if row.steps >= least]
            for other in others:
                if other != name:
                    against = [row for row in cell.asked[other] if row.steps >= least]
                    where = cell.world, cell.strength, questions
                    yield _compared(where, other, rows, against, spent)


def _compared(
    where: tuple[str, float, str],
    other: str,
    rows: Sequence[Asked],
    against: Sequence[Asked],
    spent: str,
) -> Compared:
    pairs = Counter((b.right, a.right) for a, b in zip(rows, against, strict=True))
    counts = [pairs[pair] for pair in ((True, True), (True, False), (False, True), (False, False))]
    more = [getattr(a, spent) - getattr(b, spent) for a, b in zip(rows, against, strict=True)]
    chance = mcnemar(counts[1], counts[2])
    return Compared(where, other, paired_shares(*counts), _mean_interval(more), chance)


def _mean_interval(values: Sequence[float]) -> Interval:
    """By the normal distribution: what is spent has no long tail, and there is much to compare."""
    middle, count = _mean(values), len(values)
    spread = math.sqrt(sum((v - middle) ** 2 for v in values) / max(count - 1, 1) / max(count, 1))
    return Interval(middle, middle - 1.96 * spread, middle + 1.96 * spread, count)


def _corrected(found: Sequence[Compared]) -> list[Compared]:
    """The same, each chance corrected for all of them together."""
    chances = holm([row.chance for row in found])
    return [replace(row, chance=chance) for row, chance in zip(found, chances, strict=True)]


def _beaten(found: Sequence[Compared]) -> Report:
    """The baselines that are beaten, by the way it is done and by questions and world."""
    beaten: Report = {}
    for row in found:
        if row.verdict:
            world, strength, questions = row.where
            ways = beaten.setdefault(row.other, {}).setdefault(row.verdict, {})
            ways.setdefault(f"{questions}, {world}", []).append(strength)
    return beaten


def _paying(found: Sequence[Compared]) -> dict[str, list[float]]:
    """Where a strategy is better than all that costs no more and doesn't split.

    To beat a baseline that is itself a waste is easy; to pay, a strategy must give what can't
    be had undivided for the same.
    """
    cheaper = [row for row in found if row.other in UNDIVIDED and row.spends.value >= 0]
    better: dict[tuple[str, float, str], bool] = {}
    for row in _corrected(cheaper):
        better[row.where] = better.get(row.where, True) and row.better
    paying: dict[str, list[float]] = {}
    for (world, strength, questions), whether in better.items():
        if whether:
            paying.setdefault(f"{questions}, {world}", []).append(strength)
    return paying


def verdict_lines(found: Report) -> Iterator[str]:
    """The tables and verdicts, for people."""
    for cell in found["cells"]:
        yield f"\n{cell['world']}, a step is right with {cell['strength']:.0%}"
        groups = "  ".join(f"{group:>5}" for group in cell["systems"]["cot"]["right_by_steps"])
        yield f"{'':22} {'right (95 %)':22} {'tokens':>7} {'per 1000':>8} {'money':>6}  {groups}"
        for name, row in cell["systems"].items():
            yield _line(name, row)
    for kind in ("beats", "pays"):
        yield ""
        for name, verdict in found[kind].items():
            yield f"{name}: {kind} {'' if verdict else 'nothing' if kind == 'beats' else 'nowhere'}"
            yield from (f"    {where}: {told}" for where, told in verdict.items())


def _line(name: str, row: Mapping[str, Any]) -> str:
    right = row["right"]
    interval = f"{right['value']:5.1%} ({right['low']:.1%} to {right['high']:.1%})"
    groups = "  ".join(f"{group['value']:5.0%}" for group in row["right_by_steps"].values())
    return (
        f"{name:22} {interval:22} {row['tokens']:7.0f} {row['right_per_1000_tokens']:8.2f} "
        f"{row['money_of_1000']:6.2f}  {groups}"
    )
