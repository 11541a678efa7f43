"""Accuracy against cost as an SVG drawing, the Pareto front marked.

Every system has its label in a column at the right, tied to its point by a thin line: labels
beside the points would lie on each other as soon as two systems are alike.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ..spending import pareto
from .document import visible

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 56, 470, 34, 52
_ROW = 20
_LOG_FROM = 10
_LEAST = 1e-9
_NAME = 38

_RULES = """
.plot{font:13px system-ui,sans-serif;max-width:100%;height:auto}
.plot .lead,.plot .front{fill:none}.plot .mark{stroke-width:2}.plot .front{stroke-dasharray:5 4}
.plot .lead{stroke-dasharray:1 3}
"""
# Colours are written out twice, since not every program that shows SVG knows CSS variables.
_COLOURS = """
.plot .ink{fill:INK}.plot .soft{fill:SOFT}.plot .paper,.plot .mark{fill:PAPER}
.plot .grid{stroke:LINE}.plot .lead,.plot .bar,.plot .mark{stroke:SOFT}
.plot .front,.plot .best{stroke:FRONT}.plot .best{fill:FRONT}
"""
_LIGHT = {"INK": "#1f2328", "SOFT": "#6e7781", "PAPER": "#fff", "LINE": "#d8dee4",
          "FRONT": "#0969da"}  # fmt: skip
_DARK = {"INK": "#e6edf3", "SOFT": "#8b949e", "PAPER": "#0d1117", "LINE": "#30363d",
         "FRONT": "#58a6ff"}  # fmt: skip


@dataclass(frozen=True)
class Point:
    """A system in the plot.

    Attributes:
        name: Its label.
        spend: What it spends a question.
        value: Its mark, from 0 to 1.
        low: Where the mark's interval begins.
        high: Where it ends.
        undivided: Whether it is a baseline: a circle, not a square.
    """

    name: str
    spend: float
    value: float
    low: float
    high: float
    undivided: bool


def draw(points: Sequence[Point], spend: str, mark: str) -> str:
    """The plot of at least one point as a whole SVG document, which needs nothing beside it."""
    height = _TOP + _BOTTOM + max(260, _ROW * len(points))
    floor = height - _BOTTOM
    x_ticks, x = _spend_axis([p.spend for p in points])
    y_ticks, y = _mark_axis(points, floor)
    places = {p.name: (p.spend, p.value) for p in points}
    front = {places[name] for name in pareto(places)}  # Whoever equals one of it is on it.
    corners = [(x(spend), y(value)) for spend, value in sorted(front)]
    parts = [
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
        *(_grid_line(y(tick), f"{100 * tick:g} %") for tick in y_ticks),
        *(_tick(x(tick), floor, _plain(tick)) for tick in x_ticks),
        label(12, 18, mark),
        label((_LEFT + _RIGHT) / 2, height - 12, spend, "middle"),
        f'<path class="front" d="{_path(corners)}"/>',
        *_labels(points, x, y, floor),
        *(_point(p, x, y, (p.spend, p.value) in front) for p in points),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img" '
        f'aria-label="{escape(visible(mark))} against {escape(spend)}">'
        f"<style>{_style()}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _plain(tick: float) -> str:
    """A round number as people write it, however large or small."""
    text = f"{tick:,.12f}".rstrip("0").rstrip(".")
    return text if text.strip("0.") or not tick else f"{tick:g}"


def _style() -> str:
    dark = f"@media (prefers-color-scheme:dark){{{_coloured(_DARK)}}}"
    return f"{_RULES}{_coloured(_LIGHT)}{dark}\n"


def _coloured(palette: Mapping[str, str]) -> str:
    return re.sub("[A-Z]+", lambda match: palette[match[0]], _COLOURS)


def _spend_axis(spends: Sequence[float]) -> tuple[list[float], Callable[[float], float]]:
    """From nothing, evenly; if one spends ten times another, by powers of ten."""
    low, high = min(spends), max(spends)
    span = _RIGHT - _LEFT
    if low >= _LEAST and high / low >= _LOG_FROM:
        ticks = [t for t in _powers(low, high) if low / 1.5 <= t <= high * 1.5]
        start, end = math.log(low / 1.5), math.log(high * 1.5)
        return ticks, lambda v: _LEFT + span * (math.log(v) - start) / (end - start)
    end = max(high, _LEAST) * 1.08
    return _even(0.0, end), lambda v: _LEFT + span * v / end


def _mark_axis(
    points: Sequence[Point], floor: float
) -> tuple[list[float], Callable[[float], float]]:
    low, high = min(p.low for p in points), max(p.high for p in points)
    room = max(0.02, 0.06 * (high - low))
    start, end = max(min(0.0, low), low - room), min(max(1.0, high), high + room)
    return _even(start, end), lambda v: floor - (floor - _TOP) * (v - start) / (end - start)


def _even(start: float, end: float) -> list[float]:
    """About five round numbers within bounds."""
    rough = (end - start) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= rough)
    first = math.ceil(start / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(end / step + 1e-9) + 1)]


def _powers(low: float, high: float) -> list[float]:
    exponents = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 200 else (1,)
    return [k * 10.0**e for e in exponents for k in steps]


def _grid_line(y: float, text: str) -> str:
    line = f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return line + label(_LEFT - 6, y + 4, text, "end", "soft")


def _tick(x: float, floor: float, text: str) -> str:
    line = f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{floor}"/>'
    return line + label(x, floor + 16, text, "middle", "soft")


def label(x: float, y: float, text: str, anchor: str = "start", kind: str = "ink") -> str:
    """A text in the drawing."""
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _path(corners: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in corners)


def _point(
    point: Point, x: Callable[[float], float], y: Callable[[float], float], best: bool
) -> str:
    h, v = x(point.spend), y(point.value)
    kind = "mark best" if best else "mark"
    bar = (
        f'<line class="bar" x1="{h:.1f}" x2="{h:.1f}" y1="{y(point.low):.1f}" '
        f'y2="{y(point.high):.1f}"/>'
    )
    if point.undivided:
        return f'{bar}<circle class="{kind}" cx="{h:.1f}" cy="{v:.1f}" r="5"/>'
    return f'{bar}<rect class="{kind}" x="{h - 5:.1f}" y="{v - 5:.1f}" width="10" height="10"/>'


def _labels(
    points: Sequence[Point],
    x: Callable[[float], float],
    y: Callable[[float], float],
    floor: float,
) -> list[str]:
    """Names from top to bottom as the points lie, each as near its point as there is room."""
    ordered = sorted(points, key=lambda p: (-p.value, p.spend))
    heights = spread([y(p.value) for p in ordered], _TOP + 6, floor - 4, _ROW)
    parts: list[str] = []
    for point, height in zip(ordered, heights, strict=True):
        start = (x(point.spend), y(point.value))
        lead = _path([start, (_RIGHT + 6, height), (_RIGHT + 14, height)])
        parts.append(f'<path class="lead" d="{lead}"/>')
        parts.append(label(_RIGHT + 18, height + 4, _cut(point.name)))
    return parts


def _cut(name: str) -> str:
    """A name that fits: its beginning is the strategy, its end the model, which both tell."""
    if len(name) <= _NAME:
        return name
    return f"{name[: _NAME // 2]}…{name[1 - _NAME // 2 :]}"


def spread(wanted: Sequence[float], first: float, last: float, row: float) -> list[float]:
    """The wanted heights, ascending, moved apart by a row and kept within bounds."""
    heights: list[float] = []
    for height in wanted:
        heights.append(max(height, heights[-1] + row if heights else first))
    for k in reversed(range(len(heights))):
        heights[k] = min(heights[k], last)
        last = heights[k] - row
    return heights
