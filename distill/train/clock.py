"""How long a training run has taken, over all its processes, and how fast it is."""

from __future__ import annotations

import time


class Clock:
    """The time of one process, behind that of the ones before.

    Example:
        >>> Clock(before=60.0, tokens=0).seconds() >= 60.0
        True
    """

    def __init__(self, before: float, tokens: int) -> None:
        self._before = before
        self.restart(tokens)

    def restart(self, tokens: int) -> None:
        """Count this process's time from now on only."""
        self._started = time.monotonic()
        self._mark = (self._started, tokens)

    def seconds(self) -> float:
        """Seconds of training so far."""
        return self._before + time.monotonic() - self._started

    def speed(self, tokens: int) -> float:
        """Tokens a second since the last time this was asked; `tokens` are all so far."""
        now, (then, before) = time.monotonic(), self._mark
        self._mark = (now, tokens)
        return (tokens - before) / max(1e-9, now - then)
