"""Dependency order of a plan: what needs what, and what bounds the running time."""

from __future__ import annotations

from collections.abc import Mapping

from .types import Plan


def ancestors(plan: Plan, subquestion_id: int) -> tuple[int, ...]:
    """Ids of everything that a line needs, directly or through others, ascending."""
    found: set[int] = set()
    for k in range(subquestion_id, 0, -1):
        if k == subquestion_id or k in found:
            found.update(plan.subquestions[k - 1].needs)
    return tuple(sorted(found))


def levels(plan: Plan) -> list[list[int]]:
    """Ids grouped by the longest chain of needs before them; `levels[0]` needs nothing."""
    level: dict[int, int] = {}
    for s in plan.subquestions:
        level[s.id] = 1 + max((level[k] for k in s.needs), default=-1)
    grouped: list[list[int]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for k, n in level.items():
        grouped[n].append(k)
    return grouped


def depth(plan: Plan) -> int:
    """Number of subquestions on the longest chain of needs (Faith and Fate's depth)."""
    return len(levels(plan))


def width(plan: Plan) -> int:
    """Most subquestions on one level: how many can run at once."""
    return max(map(len, levels(plan)), default=0)


def critical_path(plan: Plan, seconds: Mapping[int, float]) -> float:
    r"""The least time in which the plan can run, given each subquestion's seconds.

    Example:
        >>> from langgraph_decompose import parse_plan
        >>> plan = parse_plan("#1 A?\n#2 B?\n#3 C? <- #1")
        >>> critical_path(plan, {1: 1.0, 2: 2.5, 3: 1.0})
        2.5
    """
    return sum(seconds[k] for k in critical_path_ids(plan, seconds))


def critical_path_ids(plan: Plan, seconds: Mapping[int, float]) -> tuple[int, ...]:
    r"""Ids of the chain of needs that takes longest, ascending.

    Example:
        >>> from langgraph_decompose import parse_plan
        >>> plan = parse_plan("#1 A?\n#2 B?\n#3 C? <- #1")
        >>> critical_path_ids(plan, {1: 1.0, 2: 1.5, 3: 1.0})
        (1, 3)
    """
    taken: dict[int, float] = {}
    chain: dict[int, tuple[int, ...]] = {}
    for s in plan.subquestions:
        before = max(s.needs, key=lambda k: taken[k], default=0)
        taken[s.id] = taken.get(before, 0.0) + seconds[s.id]
        chain[s.id] = (*chain.get(before, ()), s.id)
    return chain[max(taken, key=lambda k: taken[k])] if taken else ()
