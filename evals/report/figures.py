"""Figures and names as a report writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...nodes.usage import known_sum
from ..comparing import points

UNKNOWN = "?"


def short_names(systems: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What to call each system: its strategy alone, where that tells all of them apart.

    Example:
        >>> short_names([{"system": "direct · bundled"}, {"system": "dag · bundled · bundled"}])
        {'direct · bundled': 'direct', 'dag · bundled · bundled': 'dag'}
    """
    names = list(dict.fromkeys(row["system"] for row in systems))
    short = [name.partition(" · ")[0] for name in names]
    return dict(zip(names, short if len({*short}) == len(names) else names, strict=True))


def first_name(comparison: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """What to call the first of a comparison, which may be mixed from two systems."""
    if mixture := comparison["mixture"]:
        return " + ".join(f"{100 * share:.0f} % {names[s]}" for s, share in mixture.items())
    return names[comparison["first"]]


def percent(figure: Mapping[str, Any] | None) -> str:
    """A share with its interval.

    Example:
        >>> percent({"value": 0.5, "low": 0.4, "high": 0.6, "n": 90})
        '50.0 % (40.0 to 60.0)'
    """
    if figure is None or not figure["n"]:
        return UNKNOWN
    low, high = (points(figure[bound]) for bound in ("low", "high"))
    return f"{points(figure['value'])} % ({low} to {high})"


def decimal(figure: Mapping[str, Any] | None) -> str:
    """A mean with its interval, not as a share."""
    if figure is None or not figure["n"]:
        return ""
    value, low, high = (f"{figure[k]:.2f}" for k in ("value", "low", "high"))
    return f"{value} ({low} to {high})".replace("-", "−")


def each(row: Mapping[str, Any], name: str, digits: int, times: int = 1) -> str:
    """A total by question (or by so many)."""
    if row[name] is None:
        return UNKNOWN
    return f"{times * row[name] / row['n']:,.{digits}f}"


def chance(p: float) -> str:
    """A p, as far as it matters.

    Example:
        >>> chance(0.00001), chance(0.04567)
        ('< 0.001', '0.046')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def tokens(row: Mapping[str, Any]) -> float | None:
    """Mean tokens of a question, read and written; None if somebody didn't count them."""
    both = known_sum(row["input_tokens"], row["output_tokens"])
    return None if both is None else both / row["n"]
