"""The search of a ladder for `escalate`, as Adaptive-Solver does it (arXiv 2310.01446).

The ladder grows rung by rung: strategies first, then sample sizes, then solvers. Of the
published search are the order, at most three strategies, the sizes 3, 5 and 10, the choice of
the next strategy, the least gain, and when the rung before is dropped. Where it is silent, or
its code does what its authors can't have meant, this was chosen:

- Solvers come in the order in which they were named, the cheapest first. Each begins anew with
  the smallest size and three strategies; theirs gives every later solver a single rung.
- The last of several solvers begins with one sample, as theirs gives GPT-4. Nothing behind a
  single sample is ever reached, so the next rung takes its place if that is better.
- A vote solves an item if its answer is right; theirs counts it only if enough agree. As there,
  an item is still wrong if no rung of the ladder solves it. Marks between 0 and 1 count by how
  much they add to the best so far.
- Of strategies that solve equally many the more accurate is next, then the cheaper, then the
  one named first. Theirs is a matter of chance.
- A rung that gains too little leaves the ladder as it was, also if the one before was dropped
  for it; theirs then loses both.
- Each rung takes the first of its samples, where theirs averages over ten draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..graphs.escalate import MAX_RUNGS, Rung
from .ladder import Figures, LadderSamples

SIZES = (3, 5, 10)
MOST_STRATEGIES = 3
LEAST_GAIN = 0.002
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Step:
    """One rung that was tried.

    Attributes:
        rung: The rung.
        figures: What the ladder with it, without what was dropped, makes of the items.
        gain: How much more accurate it is than the ladder before.
        kept: Whether the search went on with it.
        dropped: The rung before, if its place was taken.
    """

    rung: Rung
    figures: Figures
    gain: float
    kept: bool
    dropped: Rung | None


@dataclass(frozen=True)
class FittedLadder:
    """The ladder that was found; `steps` tells how. Both are empty of what gained nothing."""

    ladder: tuple[Rung, ...]
    steps: list[Step]


def search_ladder(samples: LadderSamples) -> FittedLadder:
    """Search a ladder; the same samples always give the same one.

    Args:
        samples: What the cells drew; their order is that of solvers and strategies.

    Returns:
        The ladder, and every rung that was tried. It has no rung if none is ever right.

    Example:
        >>> from .ladder import MOST_SAMPLES, Drawn, Spend
        >>> def drawn(*texts):
        ...     return [Drawn(text.split(), [Spend(1)] * 10) for text in texts]
        >>> samples = LadderSamples(
        ...     {
        ...         Rung("cot", MOST_SAMPLES): drawn("7 7 7 7 7 7 7 7 7 7", "1 2 3 1 2 3 1 2 3 1"),
        ...         Rung("dag", MOST_SAMPLES): drawn("1 2 3 1 2 3 1 2 3 1", "8 8 8 8 8 8 8 8 8 8"),
        ...     },
        ...     lambda item, answer: answer == ["7", "8"][item],
        ... )
        >>> [(rung.strategy, rung.samples) for rung in search_ladder(samples).ladder]
        [('cot', 3), ('dag', 3)]
    """
    search = _Search(samples)
    solvers = list(dict.fromkeys(cell.solver for cell in samples.cells))
    for solver in solvers:
        single = solver == solvers[-1] and len(solvers) > 1
        search.grow(solver, (1, *SIZES) if single else SIZES)
    return FittedLadder(search.ladder, search.steps)


class _Search:
    """The ladder so far, and how it came to be."""

    def __init__(self, samples: LadderSamples) -> None:
        self._samples = samples
        self.ladder: tuple[Rung, ...] = ()
        self._accuracy = 0.0
        self.steps: list[Step] = []

    def grow(self, solver: object, sizes: Sequence[int]) -> None:
        """Try a solver's strategies at each size; only the first of a later size is free."""
        strategies = 1
        cells = [cell for cell in self._samples.cells if cell.solver == solver]
        for size in sizes:
            left = [replace(cell, samples=size) for cell in cells]
            self._try(self._take(left))
            while strategies < MOST_STRATEGIES and any(self._solves(r) > _ROUNDING for r in left):
                strategies += 1
                self._try(self._take(left))

    def _take(self, left: list[Rung]) -> Rung:
        """Take out the rung that solves most of what is still wrong."""
        best = max(left, key=self._promise)
        left.remove(best)
        return best

    def _promise(self, rung: Rung) -> tuple[float, float, float]:
        alone = self._samples.run([rung])
        return self._solves(rung), alone.accuracy, -self._samples.price(alone)

    def _solves(self, rung: Rung) -> float:
        """How much a rung's own vote adds to the best of the ladder's votes."""
        own = [vote.mark for vote in self._samples.votes(rung)]
        ladder = [[vote.mark for vote in self._samples.votes(there)] for there in self.ladder]
        best = [max(marks) for marks in zip(*ladder, strict=True)] or [0.0] * len(own)
        return sum(max(0.0, mark - had) for mark, had in zip(own, best, strict=True))

    def _try(self, rung: Rung) -> None:
        ladder, figures, dropped = self._grown(rung)
        gain = figures.accuracy - self._accuracy
        kept = gain >= LEAST_GAIN - _ROUNDING and len(ladder) <= MAX_RUNGS
        self.steps.append(Step(rung, figures, gain, kept, dropped))
        if kept:
            self.ladder, self._accuracy = ladder, figures.accuracy

    def _grown(self, rung: Rung) -> tuple[tuple[Rung, ...], Figures, Rung | None]:
        """The ladder with a rung more, or in the last one's place if that isn't worse or dearer."""
        run, price = self._samples.run, self._samples.price
        longer = (*self.ladder, rung)
        found = run(longer)
        if not self.ladder:
            return longer, found, None
        last = self.ladder[-1]
        shorter = (*self.ladder[:-1], rung)
        other = run(shorter)
        as_good = other.accuracy >= found.accuracy and price(other) <= price(found)
        if as_good or last.samples == 1:
            return shorter, other, last
        return longer, found, None
