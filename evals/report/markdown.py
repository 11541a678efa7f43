"""A page as Markdown, as GitHub shows it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .document import Block, Bullets, Example, Heading, Picture, Side, Table, Text, visible

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|~$#&]")


def to_markdown(blocks: Sequence[Block]) -> str:
    """The page; texts are escaped, so that none can become markup."""
    return "\n\n".join(_block(block) for block in blocks) + "\n"


def escaped(text: str) -> str:
    r"""A text as Markdown that shows it as it is, on one line.

    Example:
        >>> escaped("a|b *c*")
        'a\\|b \\*c\\*'
    """
    return _SPECIAL.sub(lambda match: "\\" + match[0], " ".join(visible(text).split()))


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {escaped(text)}"
        case Text(text):
            return escaped(text)
        case Bullets(items):
            return "\n".join(f"- {escaped(item)}" for item in items)
        case Table(head, rows, figures):
            marks = ["---"] + ["---:" if figures else "---"] * (len(head) - 1)
            return _table(head, marks, rows)
        case Picture(name, _, text):
            return f"![{escaped(text)}]({name})"
        case Example():
            return _example(block)


def _table(head: Sequence[str], marks: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [[escaped(cell) for cell in row] for row in (head, *rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (lines[0], marks, *lines[1:]))


def _example(example: Example) -> str:
    one, two = example.sides
    context = f"Context: {escaped(example.context)}\n\n" if example.context else ""
    rows = [
        ("answer", escaped(one.answer), escaped(two.answer)),
        ("mark", escaped(one.mark), escaped(two.mark)),
        ("plan", _plan(one), _plan(two)),
    ]
    lines = [("", escaped(one.system), escaped(two.system)), ("---",) * 3, *rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return (
        f"**{escaped(example.title)}**: {escaped(example.question)}\n\n{context}"
        f"Gold: {escaped(example.gold)}\n\n{table}"
    )


def _plan(side: Side) -> str:
    return "<br>".join(escaped(line) for line in side.plan) or "not split"
