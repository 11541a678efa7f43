"""The tables of a task: marks, cost, comparisons, plans and steps, a row a system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..comparing import items_needed, points
from .document import Table
from .figures import UNKNOWN, chance, decimal, each, first_name, percent

Row = Mapping[str, Any]
_KINDS = ("right", "local", "propagated", "restored")
_FIRST_WRONG = {"none": "no wrong step", "unknown": "first wrong not known"}


def marks(systems: Sequence[Row], names: Mapping[str, str]) -> Table:
    """How right each system was."""
    metrics = list(systems[0]["metrics"])
    head = ["system", *metrics, "items", "failed", "partial"]
    rows = [
        [
            names[row["system"]],
            *(percent(row["metrics"].get(metric)) for metric in metrics),
            str(row["n"]),
            str(row["failures"]),
            str(row["partial"]),
        ]
        for row in systems
    ]
    return Table(head, rows)


def cost(systems: Sequence[Row], names: Mapping[str, str]) -> Table:
    """What a question took; money of a thousand, since one costs next to nothing."""
    head = ["per question", "calls", "tokens read", "tokens written", "seconds", "money per 1,000"]
    rows = [
        [
            names[row["system"]],
            each(row, "calls", 1),
            each(row, "input_tokens", 0),
            each(row, "output_tokens", 0),
            each(row, "seconds", 2),
            each(row, "cost", 2, times=1000),
        ]
        for row in systems
    ]
    return Table(head, rows)


def roles(systems: Sequence[Row], names: Mapping[str, str]) -> Table:
    """What each role and model took of it, in all."""
    head = ["system", "role", "model", "calls", "tokens read", "tokens written", "seconds", "money"]
    rows = [
        [
            names[row["system"]],
            part["role"],
            part["model"],
            _total(part["calls"], 0),
            _total(part["input_tokens"], 0),
            _total(part["output_tokens"], 0),
            _total(part["seconds"], 1),
            _total(part["cost"], 4),
        ]
        for row in systems
        for part in row["by_role"]
    ]
    return Table(head, rows)


def _total(value: float | None, digits: int) -> str:
    return UNKNOWN if value is None else f"{value:,.{digits}f}"


def comparisons(found: Sequence[Row], names: Mapping[str, str]) -> Table:
    """Every comparison with the figures behind its verdict."""
    head = ["compared", "verdict", "points", "items better", "items worse", "p", "corrected p",
            "items to see 2 points"]  # fmt: skip
    rows = [
        [
            f"{names[row['second']]} against {first_name(row, names)}",
            row["verdict"],
            _gain(row["difference"]),
            str(row["wins"]),
            str(row["losses"]),
            chance(row["p"]),
            chance(row["p_adjusted"]),
            items_needed(row["needed"]),
        ]
        for row in found
    ]
    return Table(head, rows)


def _gain(figure: Row) -> str:
    value, low, high = (points(figure[k]) for k in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def plans(systems: Sequence[Row], names: Mapping[str, str]) -> Table | None:
    """Shape and quality of the plans, a row a figure; None where nobody planned."""
    planned = [row for row in systems if row["plans"]]
    figures = dict.fromkeys(figure for row in planned for figure in row["plans"])
    rows = [[figure, *(decimal(row["plans"].get(figure)) for row in planned)] for figure in figures]
    return Table(["plans", *(names[row["system"]] for row in planned)], rows) if rows else None


def steps(systems: Sequence[Row], names: Mapping[str, str]) -> Table | None:
    """Kinds of steps, and how deep the first wrong one was; None where that isn't known."""
    known = [row for row in systems if row.get("steps")]
    depths = sorted({d for row in known for d in row["first_wrong"]}, key=lambda d: (len(d), d))
    rows = [
        [
            names[row["system"]],
            *(_of(row["steps"], kind) for kind in _KINDS),
            *(_of(row["first_wrong"], depth) for depth in depths),
        ]
        for row in known
    ]
    heads = [_FIRST_WRONG.get(d, f"first wrong at depth {d}") for d in depths]
    return Table(["system", *(f"steps {k}" for k in _KINDS), *heads], rows) if rows else None


def _of(counts: Mapping[str, int], kind: str) -> str:
    total = sum(counts.values())
    return f"{counts.get(kind, 0)} ({points(counts.get(kind, 0) / total)} %)" if total else "0"


def by_lines(counts: Mapping[int, Sequence[int]]) -> Table:
    """Items done better, worse and alike, by the lines of the plan that they were split into."""
    rows = [
        [str(lines) if lines else "not split", *map(str, three)] for lines, three in counts.items()
    ]
    return Table(["lines of the plan", "better", "worse", "alike"], rows)
