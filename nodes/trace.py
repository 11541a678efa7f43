"""What shape a run had: depth, width, parallelism, the critical path, and what each node took.

Depth, width and average parallelism of the graph of subquestions are those of "Faith and
Fate" (Dziri et al., arXiv 2305.18654), where the chance that all is right falls with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..plan import Plan, PlanError, critical_path_ids, depth, width
from .answers import AnswerRow
from .usage import UsageRow, add_usage, known_sum


def analyse(state: Mapping[str, Any], usage: Sequence[UsageRow]) -> dict[str, Any]:
    """The trace of a run, JSON-native, from its plan, its answers and all that it took.

    Args:
        state: The graph's state, with `plan` and `answers`; what strategies told under
            `trace` is kept.
        usage: Usage of the whole run.

    Returns:
        `depth`, `width`, `parallelism` (lines per level), `critical_path` (`ids`, `seconds`:
        the least time in which the plan could be solved), and `nodes` with tokens and seconds
        of each line and each other role.
    """
    rows: list[AnswerRow] = state["answers"]
    plan = _plan(state.get("plan"))
    seconds = {row["id"]: row["seconds"] for row in rows}
    path = critical_path_ids(plan, {s.id: seconds.get(s.id, 0.0) for s in plan.subquestions})
    deep = depth(plan)
    # Where the lines weren't solved one by one, nobody knows what each took.
    lines = deep and all(s.id in seconds for s in plan.subquestions)
    slowest = max((row["seconds"] for row in rows), default=0.0)  # Samples share an id.
    return {
        **(state.get("trace") or {}),
        "depth": deep,
        "width": width(plan),
        "parallelism": round(len(plan.subquestions) / deep, 3) if deep else 0.0,
        "critical_path": {
            "ids": list(path) if lines else [],
            "seconds": sum(seconds[k] for k in path) if lines else slowest,
        },
        "nodes": [*map(_line, rows), *_others(rows, usage)],
    }


def _plan(rows: Any) -> Plan:
    try:
        return Plan.from_rows(rows or [])
    except PlanError:
        return Plan()  # A state that was edited by hand; whoever runs the plan says so.


def _line(row: AnswerRow) -> dict[str, Any]:
    return _node(f"#{row['id']}" if row["id"] else "question", row["seconds"], row["usage"])


def _others(rows: Sequence[AnswerRow], usage: Sequence[UsageRow]) -> Iterable[dict[str, Any]]:
    """Roles that belong to no line; of a line's roles, what is left beyond the lines."""
    in_lines = add_usage(*(row["usage"] for row in rows))
    for role in dict.fromkeys(row["role"] for row in usage):
        mine = [row for row in usage if row["role"] == role]
        theirs = [row for row in in_lines if row["role"] == role]
        if sum(row["calls"] for row in mine) > sum(row["calls"] for row in theirs):
            yield _node(role, sum(row["seconds"] for row in mine), mine, theirs)


def _node(
    name: str, seconds: float, usage: Sequence[UsageRow], minus: Sequence[UsageRow] = ()
) -> dict[str, Any]:
    own = max(0.0, seconds - sum(row["seconds"] for row in minus))
    node: dict[str, Any] = {"node": name, "calls": 0, "seconds": own}
    for column in ("calls", "input_tokens", "output_tokens"):
        mine, theirs = (known_sum(*(row[column] for row in rows)) for rows in (usage, minus))
        node[column] = None if None in (mine, theirs) else mine - theirs
    return node
