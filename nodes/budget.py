"""A budget for one question: caps on calls, tokens, seconds and money, checked before each call."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from ..errors import BudgetExhaustedError, UserError
from .usage import UsageRow, add_usage


@dataclass(frozen=True)
class Budget:
    """The most that one question may take; None is no limit.

    When a limit is reached, calls that are running are finished (`max_seconds` stops them too),
    others are skipped, and the answer is composed from what there is, with the status
    `budget_exhausted`. If the plan needs a composer, one call is kept for it: it is made even
    if another limit has been reached, `max_calls` never.

    Attributes:
        max_calls: Model calls, retries included. An agent or another graph that is asked counts
            as one call, whatever it calls itself; the calls of a decomposition graph count once
            it has answered, so that they may go beyond the limit.
        max_tokens: Input and output tokens together, as far as models report them.
        max_seconds: Seconds since the question was asked; of a resumed run those count that its
            finished nodes took.
        max_cost: Money, counted by `price_in` and `price_out` of your `[models.NAME]` tables;
            a model without prices isn't counted, and a warning says so.

    Raises:
        UserError: If a cap isn't a positive number.

    Example:
        >>> Budget(max_calls=6, max_seconds=30).max_cost is None
        True
    """

    max_calls: int | None = None
    max_tokens: int | None = None
    max_seconds: float | None = None
    max_cost: float | None = None

    def __post_init__(self) -> None:
        for cap in fields(self):
            value = getattr(self, cap.name)
            whole = cap.name in ("max_calls", "max_tokens")
            if value is None:
                continue
            right_type = isinstance(value, int if whole else int | float)
            most = threading.TIMEOUT_MAX if cap.name == "max_seconds" else math.inf
            if not right_type or isinstance(value, bool) or not 0 < value < most:
                number = "whole number" if whole else "number"
                raise UserError(
                    f"{cap.name} must be a {number} above 0, or None for no cap, not {value!r}."
                )


class Meter:
    """Counts what has been used of a budget; threads may share it.

    For one budget over all questions of a graph, pass it as `shared_meter=`.

    Args:
        budget: The limits; none if None.
        spent: Usage of before, which counts as well: the question's earlier nodes, or an
            earlier process's `usage` of a shared meter.
        seconds: Seconds that they took; those from now on count, too.
        shared: The meter of many questions, which counts this one, too.
        strict: Whether the limits on tokens, seconds and money also stop a question's last,
            composing call, where an answer with gaps is of no use.

    Attributes:
        usage: What was paid for, by role and model.

    Raises:
        UserError: If the budget isn't one.

    Example:
        >>> Meter(Budget(max_calls=2)).seconds_left() is None
        True
    """

    def __init__(
        self,
        budget: Budget | None = None,
        spent: Iterable[UsageRow] = (),
        seconds: float = 0.0,
        shared: Meter | None = None,
        *,
        strict: bool = False,
    ) -> None:
        if not isinstance(budget, Budget | None):
            raise UserError(f"a Meter takes Budget(...), not {budget!r}.")
        self.budget, self._strict = budget or Budget(), strict
        self.calls, self.tokens, self.cost = 0, 0, 0.0
        self.usage: list[UsageRow] = []
        self.kept_for_composer = 0
        self._lock = threading.Lock()
        self._begin = time.monotonic() - seconds
        self._shared = shared
        self._begun = self._told = 0
        self.paid(spent, counted=False)

    @property
    def stopped(self) -> int:
        """Calls that were begun and of which nothing was told afterwards."""
        return self._begun - self._told

    def before_call(self, role: str, *, last: bool = False) -> None:
        """Count a call that is about to be made.

        Args:
            role: On whose behalf it is made.
            last: Whether it is the one that was kept back for the end.

        Raises:
            BudgetExhaustedError: If the budget doesn't allow it.
        """
        with self._lock:
            reached = self._reached(0 if last else self.kept_for_composer, last=last)
            if reached:
                raise BudgetExhaustedError(f"the budget's {reached} was reached")
            if self._shared:
                self._shared.before_call(role, last=last)
            self.calls += 1
            self._begun += 1

    def _reached(self, kept: int, *, last: bool) -> str | None:
        budget = self.budget
        if budget.max_calls is not None and self.calls + kept >= budget.max_calls:
            return f"max_calls ({budget.max_calls})"
        if last and not self._strict:
            return None
        if budget.max_tokens is not None and self.tokens >= budget.max_tokens:
            return f"max_tokens ({budget.max_tokens})"
        if budget.max_cost is not None and self.cost >= budget.max_cost:
            return f"max_cost ({budget.max_cost:g})"
        # Of its own time alone: the shared meter tells of the end of its.
        if budget.max_seconds is not None and self.seconds >= budget.max_seconds:
            return f"max_seconds ({budget.max_seconds:g})"
        return None

    @property
    def seconds(self) -> float:
        """Seconds that the question has taken so far."""
        return time.monotonic() - self._begin

    def seconds_left(self) -> float | None:
        """Seconds until the budget's end; None without one."""
        shared = self._shared.seconds_left() if self._shared else None
        if self.budget.max_seconds is None:
            return shared
        left = self.budget.max_seconds - self.seconds
        return left if shared is None else min(left, shared)

    def add_calls(self, count: int) -> None:
        """Count calls that were made within one that `before_call` has counted."""
        with self._lock:
            self.calls += count
            self._begun += count
        if self._shared:
            self._shared.add_calls(count)

    def paid(self, usage: Iterable[UsageRow], *, counted: bool) -> None:
        """Add usage.

        Args:
            usage: What was taken.
            counted: Whether `before_call` has counted its calls already; if not, it was taken
                before this meter began, and the shared meter knows it.
        """
        rows = list(usage)
        if self._shared and counted:
            self._shared.paid(rows, counted=True)
        with self._lock:
            self.usage = add_usage(self.usage, rows)
            for row in rows:
                if counted:
                    self._told += row["calls"]
                else:
                    self.calls += row["calls"]
                self.tokens += (row["input_tokens"] or 0) + (row["output_tokens"] or 0)
                self.cost += row["cost"] or 0.0


def budget_warnings(budget: Budget | None, usage: Sequence[UsageRow]) -> list[str]:
    """Say which caps couldn't be watched, since a model didn't report what they count."""
    if budget is None:
        return []
    found: list[str] = []
    for cap, column, cure in (
        ("max_tokens", "input_tokens", "it reports no tokens, or failed before it did"),
        ("max_cost", "cost", "give it price_in and price_out in a [models.NAME] table"),
    ):
        blind = sorted({row["model"] for row in usage if row["calls"] and row[column] is None})
        if getattr(budget, cap) is not None and blind:
            found.append(f"{cap} doesn't count {', '.join(blind)}: {cure}")
    return found
