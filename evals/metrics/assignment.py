"""The best one-to-one assignment, exactly; what SciPy's `linear_sum_assignment` would find."""

from __future__ import annotations

import math
from collections.abc import Sequence


def best_total(table: Sequence[Sequence[float]]) -> float:
    """The greatest sum of cells, no two in one row or column (Kuhn, 1955).

    Args:
        table: Rows of one length, of numbers from 0; either side may be the longer one.

    Example:
        >>> best_total([[5, 4], [5, 1]])
        9
    """
    if not table or not table[0]:
        return 0.0
    rows = table if len(table) <= len(table[0]) else [*zip(*table, strict=True)]
    width = len(rows[0])
    row_price, column_price = [0.0] * (len(rows) + 1), [0.0] * (width + 1)
    row_of = [0] * (width + 1)  # Of a column, from 1; 0 if it's free. Column 0 is a start.
    for new in range(1, len(rows) + 1):
        row_of[0] = new
        _augment(rows, row_price, column_price, row_of)
    return sum(rows[row - 1][j - 1] for j, row in enumerate(row_of) if j and row)


def _augment(
    rows: Sequence[Sequence[float]],
    row_price: list[float],
    column_price: list[float],
    row_of: list[int],
) -> None:
    """Give the row at column 0 a column by the cheapest path, moving others as it takes."""
    width = len(column_price) - 1
    least, before, reached = [math.inf] * (width + 1), [0] * (width + 1), [False] * (width + 1)
    here = 0
    while row_of[here]:
        reached[here] = True
        row = row_of[here]
        for j in range(1, width + 1):
            cost = -rows[row - 1][j - 1] - row_price[row] - column_price[j]
            if not reached[j] and cost < least[j]:
                least[j], before[j] = cost, here
        nearest = min((j for j in range(1, width + 1) if not reached[j]), key=least.__getitem__)
        step = least[nearest]
        for j in range(width + 1):
            if reached[j]:
                row_price[row_of[j]] += step
                column_price[j] -= step
            else:
                least[j] -= step
        here = nearest
    while here:
        row_of[here] = row_of[before[here]]
        here = before[here]
