"""A ladder of `escalate` on samples that were drawn before: what it would answer, and spend.

Many ladders are compared on the same samples, so nothing is asked here. A rung of n samples
takes the first n that its cell drew (a cell is a strategy with a solver and a cap on the plan),
two rungs of one cell share them, and what a rung spends is what just these took, with their
plan once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ..graphs.escalate import Rung
from ..nodes.attempts import Agreement, agreement
from ..nodes.usage import known_sum

MOST_SAMPLES = 10
"""How often a cell is asked about an item: the largest rung's samples."""


@dataclass(frozen=True)
class Spend:
    """Calls, tokens and money; None where somebody didn't count.

    Example:
        >>> Spend(1, 10, 0.5) + Spend(2, 20, None)
        Spend(calls=3, tokens=30, cost=None)
    """

    calls: float = 0
    tokens: float | None = 0
    cost: float | None = 0

    def __add__(self, other: Spend) -> Spend:
        return Spend(
            self.calls + other.calls,
            known_sum(self.tokens, other.tokens),
            known_sum(self.cost, other.cost),
        )


@dataclass(frozen=True)
class Drawn:
    """What a cell drew for one item.

    Attributes:
        answers: A sample's answer each; None if it failed. There are none if nothing could be
            sampled, as where the decomposer is down.
        spent: What each sample took.
        plan: What the plan took that all of them follow.
    """

    answers: Sequence[str | None]
    spent: Sequence[Spend]
    plan: Spend = Spend()


@dataclass(frozen=True)
class Vote:
    """What a rung alone makes of an item."""

    agreed: Agreement
    mark: float
    spent: Spend


@dataclass(frozen=True)
class Climb:
    """What a ladder makes of an item.

    Attributes:
        answer: The answer; None if there is none.
        mark: What it is worth, from 0 to 1.
        rung: The place of the rung that it is from.
        reached: How many rungs were asked.
        spent: What they took.
    """

    answer: str | None
    mark: float
    rung: int
    reached: int
    spent: Spend


@dataclass(frozen=True)
class Figures:
    """What a ladder makes of all items.

    Attributes:
        marks: An item's mark each.
        spent: What all items took together.
        reached: How many items reached each rung.
    """

    marks: Sequence[float]
    spent: Spend
    reached: Sequence[int]

    @property
    def accuracy(self) -> float:
        """The mean mark."""
        return sum(self.marks) / len(self.marks)


class LadderSamples:
    """Samples of several cells on the same items.

    Args:
        drawn: By cell, as a rung of `MOST_SAMPLES`: what it drew for each item.
        mark: What an answer to an item is worth, from 0 to 1; items go by their place.

    Example:
        >>> def agreed(answer):
        ...     return Drawn([answer] * 3, [Spend(calls=1)] * 3)
        >>> split = Drawn(["1", "2", "3"], [Spend(calls=1)] * 3)
        >>> cot, dag = Rung("cot", MOST_SAMPLES), Rung("dag", MOST_SAMPLES)
        >>> samples = LadderSamples(
        ...     {cot: [agreed("7"), split], dag: [agreed("7"), agreed("8")]},
        ...     lambda item, answer: answer == ["7", "8"][item],
        ... )
        >>> found = samples.run([Rung("cot", 3), Rung("dag", 3)])
        >>> found.accuracy, found.reached, found.spent.calls
        (1.0, (2, 1), 9)
    """

    def __init__(
        self,
        drawn: Mapping[Rung, Sequence[Drawn]],
        mark: Callable[[int, str | None], float],
    ) -> None:
        self.cells = list(drawn)
        self._drawn, self._mark = drawn, mark
        self._votes: dict[Rung, list[Vote]] = {}

    def __len__(self) -> int:
        """How many items there are."""
        return len(self._drawn[self.cells[0]])

    @cached_property
    def unit(self) -> str:
        """What ladders are compared by: money if it is known and paid, else tokens, else calls.

        A token of every solver counts the same, so where there are several a price each, in
        the models' tables, makes the better ladder.
        """
        rungs = [self.votes(cell) for cell in self.cells]
        total = sum((vote.spent for votes in rungs for vote in votes), Spend())
        return "cost" if total.cost else "tokens" if total.tokens is not None else "calls"

    def price(self, figures: Figures) -> float:
        """What an item takes, in that unit."""
        return getattr(figures.spent, self.unit) / len(self)

    def votes(self, rung: Rung) -> list[Vote]:
        """What a rung alone makes of each item."""
        if rung not in self._votes:
            drawn = self._drawn[replace(rung, samples=MOST_SAMPLES)]
            self._votes[rung] = [self._vote(rung, *pair) for pair in enumerate(drawn)]
        return self._votes[rung]

    def _vote(self, rung: Rung, item: int, drawn: Drawn) -> Vote:
        rows: Any = [{"answer": answer} for answer in drawn.answers[: rung.samples] or [None]]
        agreed = agreement(rows)
        spent = sum(drawn.spent[: rung.samples], drawn.plan)
        return Vote(agreed, float(self._mark(item, agreed.answer)), spent)

    def climb(self, ladder: Sequence[Rung], item: int) -> Climb:
        """What `escalate` does with an item: up to the first rung that agrees.

        If none does, the rung that agreed most is taken, the later of equals.
        """
        votes: list[Vote] = []
        asked: dict[Rung, int] = {}
        spent = Spend()
        for rung in ladder:
            votes.append(self.votes(rung)[item])
            spent += self._more(rung, item, asked)
            if votes[-1].agreed.enough:
                break
        places = reversed(range(len(votes)))
        best = max(places, key=lambda k: (votes[k].agreed.enough, votes[k].agreed.share))
        taken = votes[best]
        return Climb(taken.agreed.answer, taken.mark, best, len(votes), spent)

    def _more(self, rung: Rung, item: int, asked: dict[Rung, int]) -> Spend:
        """What a rung takes beyond the samples that earlier ones of its cell have asked for."""
        cell = replace(rung, samples=MOST_SAMPLES)
        drawn, had = self._drawn[cell][item], asked.get(cell, 0)
        asked[cell] = max(had, rung.samples)
        return sum(drawn.spent[had : rung.samples], Spend() if had else drawn.plan)

    def run(self, ladder: Sequence[Rung]) -> Figures:
        """What a ladder makes of all items."""
        climbs = [self.climb(ladder, item) for item in range(len(self))]
        reached = tuple(sum(c.reached > place for c in climbs) for place in range(len(ladder)))
        spent = sum((climb.spent for climb in climbs), Spend())
        return Figures(tuple(climb.mark for climb in climbs), spent, reached)
