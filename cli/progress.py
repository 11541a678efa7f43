"""How far many questions are: a bar with the time left and the spend, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Self

from ..nodes.budget import Meter


class QuestionsProgress:
    """A progress bar on stderr; nothing if that is no terminal.

    Args:
        total: Questions in all.
        done: Those that have a result already.
        meter: What has been spent.
    """

    def __init__(self, total: int, done: int, meter: Meter | None = None) -> None:
        self._total, self._done, self.meter = total, done, meter or Meter()
        self._bad = 0
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _bar()
            self._task = self._bar.add_task("", total=self._total, completed=self._done, spend="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def begin_at(self, done: int) -> None:
        """Say how many have a result already."""
        if self._bar and done != self._done:
            self._bar.update(self._task, completed=done)
        self._done = done

    def question_done(self, result: Mapping[str, Any]) -> None:
        """Count a question, by its status."""
        self._bad += result["status"] != "ok"
        if self._bar:
            self._bar.update(self._task, advance=1, spend=self._spend())

    def _spend(self) -> str:
        meter = self.meter
        money = f", {meter.cost:.4g} spent" if meter.cost else ""
        bad = f", {self._bad} not ok" if self._bad else ""
        return f"{meter.calls} calls, {meter.tokens} tokens{money}{bad}"


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[spend]}"),
        console=Console(stderr=True),
    )
