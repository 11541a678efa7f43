"""`decompose eval --fit-ladder`: the ladder that a search finds, kept, and how it compares.

The search asks nobody: `--resume` on a finished directory costs nothing.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..graphs.escalate import Rung
from ..models.hosted import without_credentials
from ..models.references import resolve_model
from ..storage import write_private
from .comparing import interval_row
from .ladder import Figures, LadderSamples
from .ladder_samples import LadderChoice
from .ladder_search import SIZES, FittedLadder, Step, search_ladder
from .statistics import mean

LADDER = "ladder.json"


def fit_ladder(samples: LadderSamples, choice: LadderChoice, out: Path) -> dict[str, Any]:
    """Search a ladder, keep it as ladder.json, and say how it compares.

    Returns:
        JSON-native: `ladder`, `items`, `unit` (what ladders were compared by), `figures` of
        the ladder and of each rung alone, `search` with a row a rung that was tried, `note`,
        and `measure`, the command that measures the ladder on other items.

    Raises:
        UserError: If no rung is ever right.
    """
    fitted = search_ladder(samples)
    if not fitted.ladder:
        raise UserError(
            "no strategy was right on any item, so there is nothing to choose; look into "
            f"{str(out / 'report.md')!r}."
        )
    rows = [rung_row(rung) for rung in fitted.ladder]
    write_private(out / LADDER, json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    return {
        "ladder": rows,
        "items": len(samples),
        "unit": samples.unit,
        "figures": _figures(fitted, samples),
        "search": [_step_row(step, samples) for step in fitted.steps],
        "note": "these figures are optimistic: the ladder was chosen on the same items.",
        "measure": _command(choice, out),
    }


def rung_row(rung: Rung) -> dict[str, Any]:
    """A rung as `--ladder` reads it; what isn't set is left out.

    Example:
        >>> rung_row(Rung("cot", 3, "openai:gpt-5-mini"))
        {'strategy': 'cot', 'samples': 3, 'solver': 'openai:gpt-5-mini'}
    """
    return {name: value for name, value in asdict(rung).items() if value is not None}


def rung_name(row: Mapping[str, Any]) -> str:
    """A row of a ladder in a few words.

    Example:
        >>> rung_name({"strategy": "dag", "samples": 3, "solver": "m", "max_subquestions": 4})
        'dag×3 ≤4 · m'
    """
    cap = f" ≤{row['max_subquestions']}" if "max_subquestions" in row else ""
    return f"{row['strategy']}×{row['samples']}{cap} · {row['solver']}"


def _figures(fitted: FittedLadder, samples: LadderSamples) -> list[dict[str, Any]]:
    """The ladder's figures, then those of each strategy alone at each size."""
    alone = [replace(cell, samples=size) for cell in samples.cells for size in (1, *SIZES)]
    found = {rung_name(rung_row(rung)): samples.run([rung]) for rung in alone}
    ladder = samples.run(fitted.ladder)
    rows = [_figures_row(name, figures) for name, figures in found.items()]
    return [{**_figures_row("the ladder", ladder), "reached": list(ladder.reached)}, *rows]


def _figures_row(name: str, figures: Figures) -> dict[str, Any]:
    count = len(figures.marks)
    spent = {k: None if v is None else v / count for k, v in asdict(figures.spent).items()}
    return {"name": name, "accuracy": interval_row(mean(figures.marks)), **spent}


def _step_row(step: Step, samples: LadderSamples) -> dict[str, Any]:
    return {
        "rung": rung_row(step.rung),
        "accuracy": step.figures.accuracy,
        "gain": step.gain,
        "price": samples.price(step.figures),
        "kept": step.kept,
        "dropped": None if step.dropped is None else rung_row(step.dropped),
    }


def _command(choice: LadderChoice, out: Path) -> str:
    """Measures the ladder beside its own strategies; the task is to be put in."""
    words = ["decompose", "eval", "OTHER_ITEMS", "--strategy", *_compared(choice)]
    words += ["--ladder", str(out / LADDER), "--solver", choice.solvers[0]]
    words += ["--decomposer", without_credentials(choice.decomposer)]
    if len(choice.caps) == 1:
        words += ["--max-subquestions", str(choice.caps[0])]
    return shlex.join([*words, "--out", f"{out}-measured"])


def _compared(choice: LadderChoice) -> list[str]:
    voting = ["self_consistency"] if "cot" in choice.strategies else []
    found = dict.fromkeys([*choice.strategies, *voting, "escalate"])
    # On a ladder, who only writes expressions is asked for those in place of `cot`.
    if resolve_model(choice.solvers[0], "solver").speaks_contract("solver"):
        found.pop("cot", None)
    return list(found)


def ladder_text(found: Mapping[str, Any]) -> str:
    """The result of `fit_ladder` for a person."""
    ladder, *alone = found["figures"]
    rungs = [
        f"  {place}. {rung_name(row)}, reached by {reached} of {found['items']} items"
        for place, (row, reached) in enumerate(
            zip(found["ladder"], ladder["reached"], strict=True), 1
        )
    ]
    width = max(len(row["name"]) for row in found["figures"])
    unit = {"cost": "money"}.get(found["unit"], found["unit"])
    return "\n".join([
        "ladder",
        *rungs,
        "figures, of a question each",
        *(f"  {_figures_line(row, width)}" for row in [ladder, *alone]),
        f"search, by accuracy and {unit}",
        *(f"  {_step_line(row)}" for row in found["search"]),
        f"note: {found['note']}",
        f"measure it on other items: {found['measure']}",
    ])  # fmt: skip


def _figures_line(row: Mapping[str, Any], width: int) -> str:
    share = row["accuracy"]
    bounds = f"{100 * share['low']:.1f} to {100 * share['high']:.1f}"
    tokens = "" if row["tokens"] is None else f", {row['tokens']:.0f} tokens"
    cost = f", {row['cost']:.4g} spent" if row["cost"] else ""
    figure = f"{100 * share['value']:5.1f} ({bounds})"
    return f"{row['name']:{width}}  {figure}, {row['calls']:.1f} calls{tokens}{cost}"


def _step_line(row: Mapping[str, Any]) -> str:
    figures = f"{100 * row['accuracy']:.1f}, {100 * row['gain']:+.1f}, at {row['price']:.4g}"
    dropped = f", in place of {rung_name(row['dropped'])}" if row["dropped"] else ""
    return f"{'kept' if row['kept'] else 'not kept'}: {rung_name(row['rung'])} ({figures}){dropped}"
