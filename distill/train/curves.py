"""The course of a training run as a picture."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..whole_files import written_whole


def draw_curves(log: Iterable[dict[str, Any]], path: Path) -> None:
    """Draw losses, learning rate and speed over the steps, as a PNG.

    Raises:
        UserError: If it can't be written.
    """
    from matplotlib.figure import Figure

    rows = list(log)
    steps = [row for row in rows if "loss" in row]
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    losses, rates, speeds = figure.subplots(1, 3)
    losses.plot([r["step"] for r in steps], [r["loss"] for r in steps], label="train", alpha=0.6)
    evaluated = [row for row in rows if "eval" in row]
    for name in dict.fromkeys(name for row in evaluated for name in row["eval"]):
        known = [row for row in evaluated if name in row["eval"]]
        losses.plot([r["step"] for r in known], [r["eval"][name] for r in known], ".-", label=name)
    losses.legend(fontsize=7)
    rates.plot([r["step"] for r in steps], [r["rate"] for r in steps])
    speeds.plot([r["step"] for r in steps], [r["tokens_per_second"] for r in steps])
    speeds.set_ylim(bottom=0)
    titles = ("loss on the completion", "learning rate, share of the highest", "tokens a second")
    for axes, title in zip((losses, rates, speeds), titles, strict=True):
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("step", fontsize=8)
        axes.grid(alpha=0.3)
    with written_whole(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
