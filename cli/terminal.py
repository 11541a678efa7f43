"""What commands say on stdout and stderr, safe for a terminal, and where progress goes."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NUMBER = re.compile(r"(?<!\w)[\d.,:]+(?:e[-+]?\d+)?(?!\w)")
_SECONDS_BETWEEN_LINES = 10
_MAX_SHOWN = 200


def harmless(text: str) -> str:
    r"""The text without control characters, which could clear a screen or rename a window.

    Example:
        >>> harmless("42\x1b[2J")
        '42[2J'
    """
    return _CONTROLS.sub("", text)


def shortened(text: str) -> str:
    """The text on one line, not too long to be looked over."""
    line = harmless(" ".join(text.split()))
    return line if len(line) <= _MAX_SHOWN else line[: _MAX_SHOWN - 1] + "…"


def say(text: str) -> None:
    """Tell the person something on stderr."""
    print(harmless(text), file=sys.stderr)  # noqa: T201


def print_json(value: Any, indent: int | None = 2) -> None:
    """Print JSON to stdout; what it can't hold, as text."""
    print(json.dumps(value, ensure_ascii=False, indent=indent, default=str))  # noqa: T201


@contextmanager
def progress_shown() -> Iterator[Callable[[Any], None]]:
    """Where progress goes: on a terminal one line that changes, below what else was said.

    Elsewhere it is a line now and then.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)

    def write(line: str) -> None:
        # Whole, for logs and for whoever copies a path; in a str, Rich makes an emoji of `:b:`.
        console.print(Text(line), soft_wrap=True)

    # Not `console.is_terminal`: FORCE_COLOR, as services for tests set it, makes it true for files.
    if not sys.stderr.isatty() or console.is_dumb_terminal:
        yield now_and_then(write)
        return
    status = console.status("")
    with status, one_line(lambda line: status.update(Text(line)), write) as say:
        yield say


@contextmanager
def one_line(
    show: Callable[[str], None], write: Callable[[str], None]
) -> Iterator[Callable[[Any], None]]:
    """Show what is said in one line; where the next isn't the same with other numbers, it stays.

    Args:
        show: Puts a text in the place of the last one.
        write: Writes a line that stays.

    Example:
        >>> with one_line(lambda line: None, print) as say:
        ...     for progress in ("no compiler was found", "step 10", "step 20"):
        ...         say(progress)
        no compiler was found
        step 20
    """
    last = ""

    def say(progress: Any) -> None:
        nonlocal last
        line = harmless(str(progress))
        if last and _words(line) != _words(last):
            write(last)
        last = line
        show(line)

    try:
        yield say
    finally:
        if last:
            write(last)


def now_and_then(write: Callable[[str], None]) -> Callable[[Any], None]:
    """Write what is said; what differs from the last line in numbers alone, every ten seconds.

    Example:
        >>> say = now_and_then(print)
        >>> for progress in ("1/90 questions", "2/90 questions", "writing plans.jsonl"):
        ...     say(progress)
        1/90 questions
        writing plans.jsonl
    """
    last, due = "", 0.0

    def say(progress: Any) -> None:
        nonlocal last, due
        line = harmless(str(progress))
        words = _words(line)
        if words != last or time.monotonic() >= due:
            last, due = words, time.monotonic() + _SECONDS_BETWEEN_LINES
            write(line)

    return say


def _words(line: str) -> str:
    """A line without its numbers; one that is part of a name, as of `q8_0`, stays."""
    return _NUMBER.sub("", line)
