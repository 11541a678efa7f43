"""Two systems on the same items: which is better, by how much, and whether that is chance."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from .statistics import Interval, holm, is_share, mcnemar, needed, paired_difference, sign_flip

Verdict = Literal["better", "worse", "can't tell"]
_SURE = 0.05
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Comparison:
    """A system against another, on the items that both were given.

    Attributes:
        task: What they were asked.
        metric: By which mark they are compared.
        first: The one compared with.
        second: The one that may be better or worse.
        difference: Mean mark of the second less that of the first.
        p: How likely chance alone makes so much difference.
        test: "McNemar", exact, for marks of 0 and 1, else "sign flips".
        wins: Items on which the second has the higher mark.
        losses: Items on which it has the lower one.
        needed: Items that it takes to see two points; None without any item.
        first_failed: Items on which the first failed, of a mixture those on which a part did.
        second_failed: Items on which the second failed.
        mixture: If the first is no system but a toss between some, each one's share.
        p_adjusted: `p`, corrected for all comparisons that are made with it.
    """

    task: str
    metric: str
    first: str
    second: str
    difference: Interval
    p: float
    test: str
    wins: int
    losses: int
    needed: int | None
    first_failed: int = 0
    second_failed: int = 0
    mixture: dict[str, float] | None = None
    p_adjusted: float = 1.0

    @property
    def verdict(self) -> Verdict:
        """Whether the second is better; only the corrected p counts."""
        if self.p_adjusted >= _SURE or not self.difference.value:
            return "can't tell"
        return "better" if self.difference.value > 0 else "worse"

    def to_row(self) -> dict[str, Any]:
        """As in summary.json."""
        return asdict(self) | {"difference": interval_row(self.difference), "verdict": self.verdict}


def interval_row(interval: Interval) -> dict[str, float | None]:
    """An interval as JSON, which has no word for infinity."""
    values = asdict(interval)
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def compare_marks(
    task: str,
    metric: str,
    first: tuple[str, Mapping[str, float]],
    second: tuple[str, Mapping[str, float]],
    failed: tuple[Collection[str], Collection[str]] = ((), ()),
    mixture: dict[str, float] | None = None,
) -> Comparison:
    """Compare two systems by the marks of the items that both have.

    Args:
        task: What they were asked.
        metric: What the marks are.
        first: The name of the one to compare with, and its mark of each item, from 0 to 1.
        second: The other's.
        failed: The items on which the one failed, and those on which the other did.
        mixture: What the first is mixed from, if it isn't a system.

    Example:
        >>> marks = {"a": 0.0, "b": 1.0}
        >>> compare_marks("svamp", "accuracy", ("direct", marks), ("dag", marks)).verdict
        "can't tell"
    """
    items = sorted(first[1].keys() & second[1].keys())  # The order decides what chance draws.
    before = [first[1][item] for item in items]
    # What a mixture's sum is off by makes no item better or worse.
    pairs = ((first[1][item], second[1][item]) for item in items)
    after = [a if math.isclose(a, b, abs_tol=_ROUNDING) else b for a, b in pairs]
    gains = [b - a for a, b in zip(before, after, strict=True)]
    wins, losses = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
    shares = is_share(before) and is_share(after)
    return Comparison(
        task=task,
        metric=metric,
        first=first[0],
        second=second[0],
        difference=paired_difference(before, after),
        p=mcnemar(losses, wins) if shares else sign_flip(gains),
        test="McNemar" if shares else "sign flips",
        wins=wins,
        losses=losses,
        needed=needed(gains),
        first_failed=sum(item in failed[0] for item in items),
        second_failed=sum(item in failed[1] for item in items),
        mixture=mixture,
    )


def corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons with their `p_adjusted`, after Holm: all of them are one family."""
    adjusted = holm([comparison.p for comparison in comparisons])
    return [replace(c, p_adjusted=p) for c, p in zip(comparisons, adjusted, strict=True)]


def sentence(row: Mapping[str, Any], first: str | None = None, second: str | None = None) -> str:
    """A row of summary.json's comparisons in words, with other names for the systems if given.

    Example:
        >>> before, after = dict.fromkeys("abcdefgh", 0.0), dict.fromkeys("abcdefgh", 1.0)
        >>> found = compare_marks("svamp", "accuracy", ("direct", before), ("dag", after))
        >>> sentence(corrected([found])[0].to_row()).partition(";")[0]
        'dag is better than direct by 100.0 points (54.1 to 100.0)'
    """
    first, second = first or row["first"], second or row["second"]
    gain, n = row["difference"], row["difference"]["n"]
    sign = -1 if gain["value"] < 0 else 1
    low, high = sorted((sign * gain["low"], sign * gain["high"]))
    size = f"{points(abs(gain['value']))} points"
    bounds = f"({points(low)} to {points(high)})"
    if row["verdict"] == "can't tell":
        size += " less" if sign < 0 else " more"
        words = f"It can't be told whether {second} is better than {first}: {size} {bounds}"
    else:
        words = f"{second} is {row['verdict']} than {first} by {size} {bounds}"
    failed = [
        f"{name} failed on {count:,} of {n:,} items"
        for name, count in ((first, row["first_failed"]), (second, row["second_failed"]))
        if count
    ]
    return "; ".join([words, _power(row["needed"], n), *failed]) + "."


def items_needed(count: int) -> str:
    """How many items it takes, where it's the fewest possible as a bound.

    Example:
        >>> items_needed(3923), items_needed(391)
        ('3,923', 'at least 391')
    """
    # Where the two hardly differed on the items at hand, more of them may show that they do.
    return f"at least {count:,}" if count == needed([0.0]) else f"{count:,}"


def _power(count: int, n: int) -> str:
    if n < count:
        return f"{items_needed(count)} items would be needed to see 2 points"
    return f"the {n:,} items are enough to see 2 points"


def points(value: float) -> str:
    """A share or a difference of shares in hundredths."""
    return f"{100 * value:.1f}".replace("-", "−")
