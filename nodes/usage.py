"""What calls took: tokens, seconds and money, by role and model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict


class UsageRow(TypedDict):
    """Usage of one model in one role; JSON-native. None means that nobody reported it."""

    role: str
    model: str
    calls: int
    input_tokens: int | None
    output_tokens: int | None
    seconds: float
    cost: float | None


def is_usage(row: Any) -> bool:
    """Whether what was read from a file is such a row, so that it can be summed.

    Example:
        >>> is_usage({"role": "solver", "calls": 1})
        False
    """
    if not isinstance(row, dict) or not row.keys() >= UsageRow.__annotations__.keys():
        return False
    named = all(isinstance(row[name], str) for name in ("role", "model"))
    told = all(isinstance(row[name], int | float) for name in ("calls", "seconds"))
    more = (row[name] for name in ("input_tokens", "output_tokens", "cost"))
    return named and told and all(value is None or isinstance(value, int | float) for value in more)


def no_usage(role: str, model: str, calls: int, seconds: float) -> UsageRow:
    """Usage of calls that brought no reply, or of a question that needed no call."""
    return UsageRow(
        role=role,
        model=model,
        calls=calls,
        input_tokens=0,
        output_tokens=0,
        seconds=seconds,
        cost=0.0,
    )


def add_usage(*groups: Iterable[UsageRow]) -> list[UsageRow]:
    """Sum rows of the same role and model; an unknown part makes the sum unknown.

    Example:
        >>> row = UsageRow(role="solver", model="m", calls=1, input_tokens=5, output_tokens=2,
        ...                seconds=0.1, cost=0.0)
        >>> add_usage([row], [row])[0]["input_tokens"]
        10
    """
    totals: dict[tuple[str, str], UsageRow] = {}
    for row in (row for group in groups for row in group):
        key = row["role"], row["model"]
        total = totals.get(key)
        if total is None:
            totals[key] = row.copy()
            continue
        total["calls"] += row["calls"]
        total["seconds"] += row["seconds"]
        total["input_tokens"] = known_sum(total["input_tokens"], row["input_tokens"])
        total["output_tokens"] = known_sum(total["output_tokens"], row["output_tokens"])
        total["cost"] = known_sum(total["cost"], row["cost"])
    return list(totals.values())


def known_sum(*values: Any) -> Any:
    """The sum of numbers; None if one of them isn't known.

    Example:
        >>> known_sum(1, 2), known_sum(1, None)
        (3, None)
    """
    return None if None in values else sum(values)


def tokens_used(messages: Sequence[Any]) -> dict[str, int | None]:
    """Tokens that AI messages report, None if any of them reports none."""
    found = [_with_thinking(getattr(message, "usage_metadata", None) or {}) for message in messages]
    return {key: _sum_told(found, key) for key in ("input_tokens", "output_tokens")}


def _with_thinking(usage: Mapping[str, Any]) -> Mapping[str, Any]:
    """Usage whose output counts the thinking, which Gemini and Grok tell only in the total."""
    read, written, total = (usage.get(f"{name}_tokens") for name in ("input", "output", "total"))
    if read is None or written is None or total is None:
        return usage
    return {**usage, "output_tokens": max(written, total - max(read, 0))}


def _sum_told(found: Sequence[Mapping[str, Any]], key: str) -> int | None:
    # LangChain marks so, and by nothing else, what its cache (`set_llm_cache`) gave for nothing.
    counts = [0 if usage.get("total_cost") == 0 else usage.get(key) for usage in found]
    if not counts or None in counts:
        return None
    # A server that reports fewer than none would raise the budget.
    return sum(max(count or 0, 0) for count in counts)


def cost(usage: UsageRow, price_in: float | None, price_out: float | None) -> float | None:
    """Money for a call at prices per million tokens; None if a price or count is unknown."""
    if price_in == 0 and price_out == 0:
        return 0.0
    if price_in is None or price_out is None:
        return None
    if usage["input_tokens"] is None or usage["output_tokens"] is None:
        return None
    return (usage["input_tokens"] * price_in + usage["output_tokens"] * price_out) / 1e6
