"""Data sets in their original formats, as items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..items import Item
from ..rows import csv_rows, located_rows
from . import arithmetic, drop, multihop
from .break_qdmr import break_qdmr
from .fields import Row, reason
from .own import own

Rows = Iterable[tuple[str, Row]]
"""Rows, each with where it stands, as an error message names it."""
_WORDS = ("bamboogle", "hotpotqa", "squad")
_NUMBERS = ("gsm8k", "numeric", "numeric_close", *_WORDS)


@dataclass(frozen=True)
class Format:
    """How a data set is read.

    Attributes:
        item: The item of a row and its number, from 0; None leaves the row out. What it
            raises says what is wrong with the row.
        rows: The rows of a file.
        scorings: The ways of scoring that its gold answers are made for.
    """

    item: Callable[[Row, int], Item | None]
    rows: Callable[[Path], Iterator[tuple[str, dict[str, Any]]]] = located_rows
    scorings: Sequence[str] = _WORDS


def _break_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((f"{path}:{line}", row) for line, row in csv_rows(path))


FORMATS = {
    "2wiki": Format(multihop.hotpotqa, multihop.two_wiki_rows),
    "aqua": Format(arithmetic.aqua, scorings=("letter",)),
    "bamboogle": Format(multihop.bamboogle),
    "break": Format(break_qdmr, _break_rows, scorings=()),
    "drop": Format(drop.drop, drop.drop_rows, scorings=("drop",)),
    "gsm8k": Format(arithmetic.gsm8k, arithmetic.gsm8k_rows, scorings=_NUMBERS),
    "gsm_hard": Format(arithmetic.gsm_hard, scorings=_NUMBERS),
    "hotpotqa": Format(multihop.hotpotqa),
    "musique": Format(multihop.musique),
    "own": Format(own, scorings=(*_NUMBERS, "letter", "mixed", "yes_no")),
    "strategyqa": Format(multihop.strategyqa, scorings=("yes_no",)),
    "svamp": Format(arithmetic.svamp, scorings=_NUMBERS),
}
"""The formats that can be read, by name; `own` is a user's own rows."""


def read_items(name: str, rows: Rows) -> Iterator[Item]:
    """The items of rows in a format.

    Args:
        name: One of `FORMATS`.
        rows: The rows of a file or of a data set of the hub.

    Raises:
        UserError: If a row is broken, or an item can't be asked; the message says where.
    """
    place = f"the beginning of {name!r}"
    try:
        for number, (here, row) in enumerate(rows):
            place = here
            item = FORMATS[name].item(row, number)
            if item is not None:
                item.check()
                yield item
            place = f"behind {here}"
    except UserError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise UserError(f"{place}: {reason(error)}; check the file.") from None


def read_file(name: str, path: Path) -> Iterator[Item]:
    """The items of a file in a format; see `read_items`."""
    return read_items(name, FORMATS[name].rows(path))
