"""What a page is made of, whichever way it is written. All texts are plain, not yet escaped."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN = 1200
_HIDDEN = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffe\uffff")


@dataclass(frozen=True)
class Heading:
    """A title; level 1 is the page's own."""

    level: int
    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """Short sentences, one below the other."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Rows of cells.

    Attributes:
        head: A name a column.
        rows: The cells.
        figures: Whether all columns but the first hold figures.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    figures: bool = True


@dataclass(frozen=True)
class Picture:
    """A drawing.

    Attributes:
        name: What its file is called, without folder.
        svg: The drawing.
        text: What it shows, for those who can't see it.
    """

    name: str
    svg: str
    text: str


@dataclass(frozen=True)
class Side:
    """What one system made of an item: its answer, its mark, its plan line by line."""

    system: str
    answer: str
    mark: str
    plan: Sequence[str]


@dataclass(frozen=True)
class Example:
    """One item, and what two systems made of it."""

    title: str
    question: str
    context: str
    gold: str
    sides: tuple[Side, Side]


Block = Heading | Text | Bullets | Table | Picture | Example


def shown(text: str, most: int = _SHOWN) -> str:
    """A model's text, bounded.

    Example:
        >>> shown("abcdef", 3)
        'abc …'
    """
    return text if len(text) <= most else text[:most].rstrip() + " …"


def visible(text: str) -> str:
    r"""A text without what draws nothing and may garble what stands around it.

    That are control characters, halves of surrogate pairs, marks that turn the direction of
    text, and the two code points that no XML file may hold.

    Example:
        >>> visible("42\x1b[0m\ud800")
        '42[0m'
    """
    return "".join(c for c in text if c in "\n\t" or not _is_hidden(c))


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") or character in _HIDDEN
