"""Items on which a system did better or worse than the first one, both answers side by side."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from ...plan import Plan, PlanError
from ..cells import UNDIVIDED, has_gaps
from ..steps import label_steps
from ..summary import read_samples
from .document import Example, Side, shown

_EACH = 3
_LINE = 300
Key = tuple[str, str, str]
"""Task, system and item of a sample."""
Counts = tuple[int, int, int]


@dataclass(frozen=True)
class Against:
    """A system against the first one of a task.

    Attributes:
        task: The task.
        first: The first system.
        second: The other.
        wins: Some items that the second did better.
        losses: Some that it did worse.
        counts: How many items it did better, worse, and alike.
        by_lines: The same by the number of lines of its plan, 0 where it didn't split, without
            what it failed on; empty for a system that never splits.
    """

    task: str
    first: str
    second: str
    wins: Sequence[Example]
    losses: Sequence[Example]
    counts: Counts
    by_lines: Mapping[int, Counts]


def compare_examples(
    samples: Path, summary: Mapping[str, Any], names: Mapping[str, str]
) -> list[Against]:
    """Every system against the first of its task, with the texts of a few items.

    The file is read twice: once for marks alone, once for the texts of what was chosen.

    Raises:
        UserError: If the file can't be read.
    """
    metric = {name: task["metric"] for name, task in summary["tasks"].items()}
    marks, lines = _marks(samples, metric)
    pairs = [
        (task, first, second)
        for task, of_task in marks.items()
        for first, *others in [[*of_task]]
        for second in others
    ]
    gains = {pair: _gains(marks[pair[0]][pair[1]], marks[pair[0]][pair[2]]) for pair in pairs}
    chosen = {pair: (_choose(gains[pair], 1), _choose(gains[pair], -1)) for pair in pairs}
    rows = _rows(samples, chosen)
    found: list[Against] = []
    for pair in pairs:
        task, first, second = pair
        wins, losses = (
            [
                _example(rows[task, first, item], rows[task, second, item], metric[task], names)
                for item in items
            ]
            for items in chosen[pair]
        )
        counts = _counts(gains[pair].values())
        by_lines = _by_lines(gains[pair], lines.get((task, second), {}))
        found.append(Against(task, first, second, wins, losses, counts, by_lines))
    return found


def _marks(
    samples: Path, metric: Mapping[str, str]
) -> tuple[dict[str, dict[str, dict[str, float]]], dict[tuple[str, str], dict[str, int]]]:
    """Marks by task, system and item, 0 for what failed; lines of plans by task and system."""
    marks: dict[str, dict[str, dict[str, float]]] = {}
    lines: dict[tuple[str, str], dict[str, int]] = {}
    for row in read_samples(samples):
        task, system, item = row["task"], row["system"], row["id"]
        mark = row["metrics"].get(metric[task], 0.0 if row["failed"] else None)
        if metric[task] and mark is not None:
            marks.setdefault(task, {}).setdefault(system, {})[item] = mark
        if not (row["strategy"] in UNDIVIDED or row["failed"]):
            lines.setdefault((task, system), {})[item] = len(row.get("plan") or [])
    return marks, lines


def _gains(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    return {item: second[item] - mark for item, mark in first.items() if item in second}


def _choose(gains: Mapping[str, float], sign: int) -> list[str]:
    """The largest gains (or losses); among equal ones by chance, but always the same."""
    items = [item for item, gain in gains.items() if gain * sign > 0]
    return sorted(items, key=lambda k: (-abs(gains[k]), crc32(k.encode(errors="replace")), k))[
        :_EACH
    ]


def _counts(gains: Iterable[float]) -> Counts:
    signs = [(gain > 0) - (gain < 0) for gain in gains]
    return signs.count(1), signs.count(-1), signs.count(0)


def _by_lines(gains: Mapping[str, float], lines: Mapping[str, int]) -> dict[int, Counts]:
    grouped: dict[int, list[float]] = {}
    for item, gain in gains.items():
        if item in lines:
            grouped.setdefault(lines[item], []).append(gain)
    return {count: _counts(grouped[count]) for count in sorted(grouped)}


def _rows(
    samples: Path, chosen: Mapping[Key, tuple[Sequence[str], Sequence[str]]]
) -> dict[Key, dict[str, Any]]:
    wanted = {
        (task, system, item)
        for (task, *systems), parts in chosen.items()
        for system in systems
        for items in parts
        for item in items
    }
    rows: dict[Key, dict[str, Any]] = {}
    for row in read_samples(samples):
        key = row["task"], row["system"], row["id"]
        if key in wanted:
            rows[key] = row
    return rows


def _example(
    first: Mapping[str, Any], second: Mapping[str, Any], metric: str, names: Mapping[str, str]
) -> Example:
    return Example(
        title=shown(first["id"], 80),
        question=shown(first["question"]),
        context=shown(first.get("context") or ""),
        gold=_gold(first["gold"]),
        sides=(_side(first, metric, names), _side(second, metric, names)),
    )


def _gold(gold: Any) -> str:
    if isinstance(gold, list) and all(isinstance(one, str) for one in gold):
        return shown(" | ".join(gold))
    return shown(gold if isinstance(gold, str) else json.dumps(gold, ensure_ascii=False))


def _side(row: Mapping[str, Any], metric: str, names: Mapping[str, str]) -> Side:
    if row["failed"]:
        answer, mark = f"failed: {row.get('error') or 'no reason given'}", "failed"
    else:
        gaps = ", answered with gaps" if has_gaps(row) else ""
        answer, mark = row["answer"] or "", f"{metric} {row['metrics'][metric]:g}{gaps}"
    return Side(names[row["system"]], shown(answer), mark, _plan_lines(row))


def _plan_lines(row: Mapping[str, Any]) -> list[str]:
    """Each subquestion, what it needs, what was answered, and what kind of wrong that is."""
    try:
        plan = Plan.from_rows(row.get("plan") or [])
    except PlanError:
        return ["(a plan that can't be read)"]
    answers = {answer["id"]: answer for answer in row.get("answers") or []}
    gold = row.get("gold_steps") or {}
    known = set(answers) >= {line.id for line in plan.subquestions}
    labels = label_steps(plan, [*answers.values()], gold) if known else {}
    lines: list[str] = []
    for line in plan.subquestions:
        needs = " ← " + " ".join(f"#{k}" for k in line.needs) if line.needs else ""
        answer = answers.get(line.id, {})
        said = answer.get("answer") or answer.get("status") or "no answer"
        kind = f" ({label})" if (label := labels.get(line.id, "right")) != "right" else ""
        lines.append(f"#{line.id} {shown(line.text, _LINE)}{needs} = {shown(said, _LINE)}{kind}")
    return lines
