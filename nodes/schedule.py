"""Which subquestion may start: the pure part of the scheduler, without threads or clocks.

A subquestion is ready once what it waits for has a result; the plan may still be growing, and
a repaired plan may replace lines that have been begun.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..plan import Plan, Subquestion, ancestors
from .answers import AnswerRow


class Schedule:
    """Lines, what runs, and results.

    Args:
        one_at_a_time: Each line waits for all earlier ones (Least-to-Most, arXiv 2205.10625).

    Example:
        >>> schedule = Schedule()
        >>> schedule.see((Subquestion(1, "A?"), Subquestion(2, "B?", (1,))), complete=True)
        []
        >>> [line.id for line in schedule.start()]
        [1]
    """

    def __init__(self, *, one_at_a_time: bool = False) -> None:
        self.lines: tuple[Subquestion, ...] = ()
        self.rows: dict[int, AnswerRow] = {}
        self.discarded: list[AnswerRow] = []
        """Results of lines that a repaired plan has no more; they were paid for all the same."""
        self.complete = False
        self._running: dict[int, Subquestion] = {}
        self._one_at_a_time = one_at_a_time

    def see(self, lines: Sequence[Subquestion], *, complete: bool) -> list[Subquestion]:
        """Take in the plan as it stands.

        Returns:
            Running lines that are no longer part of it, for the caller to stop.
        """
        pairs = list(zip(self.lines, lines, strict=False))
        # A call that is tried again begins anew: fewer lines don't mean other ones.
        end = len(pairs) if complete else max(len(pairs), len(self.lines))
        kept = next((n for n, (old, new) in enumerate(pairs) if old != new), end)
        self.lines, self.complete = (*self.lines[:kept], *lines[kept:]), complete
        self.discarded += [row for k, row in self.rows.items() if k > kept]
        self.rows = {k: row for k, row in self.rows.items() if k <= kept}
        dropped = [line for k, line in self._running.items() if k > kept]
        self._running = {k: line for k, line in self._running.items() if k <= kept}
        return dropped

    def start(self) -> list[Subquestion]:
        """Lines that may start now; they count as running from here on."""
        ready = [line for line in self.lines if self._is_ready(line)]
        self._running.update({line.id: line for line in ready})
        return ready

    def _is_ready(self, line: Subquestion) -> bool:
        if line.id in self._running or line.id in self.rows:
            return False
        before = range(1, line.id) if self._one_at_a_time else line.needs
        return all(k in self.rows for k in before)

    def done(self, line: Subquestion, row: AnswerRow) -> None:
        """Take in a result; a line that is no longer part of the plan has none."""
        if self._running.get(line.id) is not line:
            return
        del self._running[line.id]
        self.rows[line.id] = row

    def known_to(self, line: Subquestion, *, carry_all: bool) -> dict[int, AnswerRow]:
        """The results that a line is solved with: those it needs, directly or through others.

        Args:
            line: A line of the plan.
            carry_all: Give it every earlier answer, if lines are solved one at a time.
        """
        plan, carry = Plan(self.lines[: line.id]), self._one_at_a_time and carry_all
        return known_to(line, plan, self.rows, carry_all=carry)

    @property
    def running(self) -> int:
        """How many lines have begun and have no result."""
        return len(self._running)

    @property
    def results(self) -> list[AnswerRow]:
        """Results in plan order."""
        return [self.rows[k] for k in sorted(self.rows)]


def known_to(
    line: Subquestion, plan: Plan, rows: Mapping[int, AnswerRow], *, carry_all: bool
) -> dict[int, AnswerRow]:
    """Of the results so far those that a line is solved with; see `Schedule.known_to`."""
    known = {*ancestors(plan, line.id)}
    if carry_all:
        known |= {k for k, row in rows.items() if row["status"] == "ok" and k < line.id}
    return {k: rows[k] for k in sorted(known)}
