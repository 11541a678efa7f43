"""Procedural questions with known plans, so that a student learns to copy and to split.

The answers are known, too, of arithmetic and of what a passage tells.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator

from ...errors import UserError
from ..records import Example, Line
from . import arithmetic, atomic, comparison, multi_hop, passage, practical, told
from .wording import Draft

KINDS: dict[str, Callable[[random.Random], Draft]] = {
    "chain": multi_hop.chain,
    "at_that_time": multi_hop.at_that_time,
    "group": multi_hop.group,
    "compare": comparison.compare,
    "compare_related": comparison.compare_related,
    "overlap": comparison.overlap,
    "lifetime": comparison.lifetime,
    "choice": practical.choice,
    "by_two_measures": practical.by_two_measures,
    "two_in_one": practical.two_in_one,
    "cause_and_effect": practical.cause_and_effect,
    "at_work": practical.at_work,
    "single_fact": atomic.single_fact,
    "wish": atomic.wish,
    "passage": passage.over_a_passage,
    "told": told.told,
    "arithmetic": arithmetic.problem,
}
"""What can be generated, by name."""


def generate(count: int, seed: int = 0, kinds: dict[str, float] | None = None) -> Iterator[Example]:
    """Questions with plans, the same for the same seed.

    Args:
        count: How many.
        seed: Another seed gives other questions.
        kinds: How often each kind of `KINDS` comes, relative to the others; if None all
            alike, but for `told`.

    Raises:
        UserError: If a kind isn't known.

    Example:
        >>> first, again = ([*generate(2, seed=3)] for _ in range(2))
        >>> len(first), first == again
        (2, True)
    """
    kinds = kinds or {kind: 1.0 for kind in KINDS if kind != "told"}
    if type(count) is not int or count < 1 or type(seed) is not int:
        raise UserError("'count' is a whole number from 1, and 'seed' a whole number.")
    if (
        not isinstance(kinds, dict)
        or not all(isinstance(often, int | float) and often >= 0 for often in kinds.values())
        or not 0 < sum(kinds.values()) < math.inf
    ):
        raise UserError(
            "'kinds' is a mapping from kinds to how often each comes: numbers, not all of them 0."
        )
    if unknown := kinds.keys() - KINDS.keys():
        raise UserError(
            f"nothing called {min(unknown)!r} can be generated; use one of {', '.join(KINDS)}."
        )
    rng = random.Random(seed)
    for number in range(count):
        (kind,) = rng.choices(list(kinds), list(kinds.values()))
        yield to_example(KINDS[kind](rng), f"generated:{seed}:{number}", kind)


def to_example(draft: Draft, name: str, kind: str) -> Example:
    """A draft as the other steps read it."""
    plan: list[Line] = [
        {"id": i, "text": text, "needs": sorted(needs)}
        for i, (text, needs) in enumerate(draft.lines, 1)
    ]
    for line, (expression, answer) in zip(plan, draft.steps, strict=False):
        if expression:
            line["expr"] = expression
        line["answer"] = answer
    answer = draft.steps[-1][1] if draft.steps else ""
    meta = {"kind": kind}
    if draft.steps and not plan:
        meta["expr"] = draft.steps[0][0]
    return Example(
        name, draft.question, draft.context, tuple(plan), answer,
        source="generated", licence="MIT", meta=meta,
    )  # fmt: skip
