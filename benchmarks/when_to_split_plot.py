"""The figure of `when_to_split.py`: a small panel a strength, names in a column beside the points.

Names beside the points would lie on each other where systems are alike; each is tied to its
point by a thin line instead. Undivided ways are circles, those that may split are squares.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from langgraph_decompose.evals.report.plot import label, spread
from when_to_split_verdicts import UNDIVIDED

BY_TOKENS = (*UNDIVIDED[:4], "always split", "gate model", "gate disagreement", "attempt_first",
             "escalate", "recursive")  # fmt: skip
BY_MONEY = (*UNDIVIDED[1:], "always split", "always split, strong", "escalate, to strong",
            "allocation")  # fmt: skip
MONEY_AT = (0.75, 0.85, 0.92, 0.97)
_COLUMNS, _WIDTH, _HEIGHT = 2, 500, 246
_LEFT, _RIGHT, _TOP, _FLOOR = 36, 340, 30, 204
_ROW, _HEAD = 14, 46
_STYLE = """
text{font:12px system-ui,sans-serif;fill:#1f2328}.soft{fill:#57606a}.big{font-size:15px}
.grid{stroke:#d8dee4}.lead{stroke:#8c959f;stroke-dasharray:2 3;fill:none}.bar{stroke:#8c959f}
.whole{fill:#fff;stroke:#57606a;stroke-width:2}.split{fill:#0969da;stroke:#fff}
"""


@dataclass(frozen=True)
class Axis:
    """What is spent: its name, the figure, its ticks, where it ends, who is shown."""

    title: str
    figure: str
    ticks: Sequence[float]
    end: float
    systems: Sequence[str]

    def place(self, value: float) -> float:
        """How far to the right a value is."""
        return _LEFT + (_RIGHT - _LEFT) * value / self.end


TOKENS = Axis("tokens a question", "tokens", (0, 1000, 2000, 3000), 3400, BY_TOKENS)
MONEY = Axis("money for 1,000 questions", "money_of_1000", (0, 0.5, 1), 1.4, BY_MONEY)


def draw(found: Mapping[str, Any]) -> str:
    """The first world's figure as an SVG document: by tokens, and for two solvers by money."""
    world = found["cells"][0]["world"]
    cells = [cell for cell in found["cells"] if cell["world"] == world]
    dear = [cell for cell in cells if cell["strength"] in MONEY_AT]
    parts, top = list(_block(cells, TOKENS, "One solver", 0)), _height(cells)
    if dear:
        parts += _block(dear, MONEY, "A weak and a strong solver", top)
        top += _height(dear)
    width = _COLUMNS * _WIDTH
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" width="{width}" '
        f'height="{top}" role="img" aria-label="Right answers against what they cost">'
        f'<style>{_STYLE}</style>\n<rect width="{width}" height="{top}" fill="#fff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _height(cells: Sequence[Any]) -> int:
    return _HEAD + _HEIGHT * math.ceil(len(cells) / _COLUMNS)


def _block(cells: Sequence[Mapping[str, Any]], axis: Axis, title: str, top: float) -> Iterator[str]:
    told = f"{title}: right answers against {axis.title}"
    yield f'<text class="big" x="12" y="{top + 26}">{escape(told)}</text>'
    for place, cell in enumerate(cells):
        x, y = _WIDTH * (place % _COLUMNS), top + _HEAD + _HEIGHT * (place // _COLUMNS)
        yield f'<g transform="translate({x} {y})">'
        yield from _panel(cell, axis)
        yield "</g>"


def _panel(cell: Mapping[str, Any], axis: Axis) -> Iterator[str]:
    weak = "a step" if axis is TOKENS else "a step of the weak solver"
    yield label(_LEFT, 18, f"{weak} is right with {100 * cell['strength']:g} %")
    for share in (0, 0.25, 0.5, 0.75, 1):
        yield _line("grid", _LEFT, _up(share), _RIGHT, _up(share))
        yield label(_LEFT - 5, _up(share) + 4, f"{100 * share:g}", "end", "soft")
    for tick in axis.ticks:
        yield _line("grid", axis.place(tick), _TOP, axis.place(tick), _FLOOR)
        yield label(axis.place(tick), _FLOOR + 16, f"{tick:,g}", "middle", "soft")
    points = {name: cell["systems"][name] for name in axis.systems}
    yield from _names(points, axis.place, axis.figure)
    for name, row in points.items():
        yield from _point(name, row, axis.place(row[axis.figure]))


def _up(share: float) -> float:
    return _FLOOR - (_FLOOR - _TOP) * share


def _point(name: str, row: Mapping[str, Any], x: float) -> Iterator[str]:
    right = row["right"]
    yield _line("bar", x, _up(right["low"]), x, _up(right["high"]))
    y = _up(right["value"])
    if name in UNDIVIDED:
        yield f'<circle class="whole" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    else:
        yield f'<rect class="split" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'


def _names(
    points: Mapping[str, Mapping[str, Any]], place: Callable[[float], float], figure: str
) -> Iterator[str]:
    """The names from top to bottom as the points lie, moved apart and kept above the floor."""
    ordered = sorted(points, key=lambda n: (-points[n]["right"]["value"], -points[n][figure]))
    wanted = [_up(points[name]["right"]["value"]) for name in ordered]
    heights = spread(wanted, _TOP + 2, _FLOOR, _ROW)
    for name, y, height in zip(ordered, wanted, heights, strict=True):
        x = place(points[name][figure])
        path = f"M{x:.1f} {y:.1f} L{_RIGHT + 6} {height:.1f} h8"
        yield f'<path class="lead" d="{path}"/>'
        yield label(_RIGHT + 17, height + 4, name)


def _line(kind: str, x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"/>'
