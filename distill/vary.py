"""Copies of examples in which names, things, words and numbers are others."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import UserError
from ..nodes.given_numbers import given_numbers
from ..tools.calculator import numbers
from .augment import swap_names, swap_things
from .made_up_words import swap_words
from .other_numbers import swap_numbers
from .records import Example


@dataclass(frozen=True)
class Vary:
    """Copies with other names, things, words and numbers.

    Args:
        copies: How many of each example; none of them needs to differ.
        names: Share of the copies in which names are swapped.
        things: Share of the copies in which the things that are counted are swapped.
        words: Share of the copies in which some words become made-up ones.
        numbers: Share of the arithmetic copies in which numbers are swapped.
        seed: Another seed gives other copies.
    """

    copies: int = 1
    names: float = 0.0
    things: float = 0.0
    words: float = 0.0
    numbers: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        shares = self.names, self.things, self.words, self.numbers
        if not 1 <= self.copies <= 1000 or not all(0 <= share <= 1 for share in shares):
            raise UserError(
                "'vary' needs 'copies' from 1 to 1000, 'names', 'things', 'words' and 'numbers' "
                "up to 1."
            )


_DRAWS = 3


def varied(examples: Iterable[Example], vary: Vary) -> Iterator[Example]:
    """Copies of examples, some with other names and numbers, the same for the same seed.

    A copy whose expressions would need a number that its text no longer gives, as when
    "quarters" have become "posters", is drawn again, or else left as the example is.
    """
    rng = random.Random(vary.seed)
    for example in examples:
        for _ in range(vary.copies):
            drawn = (_copy(example, vary, rng) for _ in range(_DRAWS))
            yield next((one for one in drawn if not _lost_a_number(one, example)), example)


def _copy(example: Example, vary: Vary, rng: random.Random) -> Example:
    changed = swap_names(example, rng) if rng.random() < vary.names else example
    if rng.random() < vary.things:
        changed = swap_things(changed, rng)
    # Without them nothing is drawn, so that a recipe's other copies stay as they were.
    if vary.words and rng.random() < vary.words:
        changed = swap_words(changed, rng)
    if rng.random() < vary.numbers:
        changed = swap_numbers(changed, rng) or changed
    return changed


def _lost_a_number(copy: Example, example: Example) -> bool:
    missing = _missing_numbers(copy)
    return missing > 0 and missing > _missing_numbers(example)


def _missing_numbers(example: Example) -> int:
    """How many numbers of its expressions an example doesn't give."""
    expressions = [line.get("expr", "") for line in example.plan]
    used = re.sub(r"#\d+", " ", " ".join([*expressions, str(example.meta.get("expr", ""))]))
    return len({*numbers(used)} - given_numbers([example.problem])) if used.strip() else 0
