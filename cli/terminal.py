"""Text from models and files as a terminal may be shown it, and where progress goes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SECONDS_BETWEEN_LINES = 10


def harmless(text: str) -> str:
    r"""The text without control characters, which could clear a screen or rename a window.

    Example:
        >>> harmless("42\x1b[2J")
        '42[2J'
    """
    return _CONTROLS.sub("", text)


@contextmanager
def progress_shown() -> Iterator[Callable[[Any], None]]:
    """Where progress goes: on a terminal one line that changes, elsewhere a line now and then."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield now_and_then(lambda line: console.print(line, markup=False))
        return
    with console.status("") as status:
        yield lambda progress: status.update(escape(harmless(str(progress))))


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
        words = re.sub(r"[\d.,:]+", "", line)
        if words != last or time.monotonic() >= due:
            last, due = words, time.monotonic() + _SECONDS_BETWEEN_LINES
            write(line)

    return say
