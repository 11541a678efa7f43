"""How many plans of a field of one's own the bundled decomposer needs to write good ones there.

    python benchmarks/adapt.py [--plans 100 350] [--steps 60] [--out runs/adapt]

The field is a bicycle shop's help desk: 510 questions in `help_desk.jsonl` with plans that a
strong language model wrote, as a teacher would; the bundled weights have seen none of it. A
hundred and fifty are held out. The decomposer as it is stands beside it, and a student from
scratch that learns from the same plans for as many steps. "good" is an automatic measure that
is strict about wording (docs/models.md).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from langgraph_decompose import bundled_model_path
from langgraph_decompose.distill.check.quality import quality
from langgraph_decompose.distill.recipe import Recipe, run_recipe
from langgraph_decompose.distill.records import Example, read_examples, write_examples
from langgraph_decompose.distill.sources import ExampleSource, make_source

FIELD = Path(__file__).with_name("help_desk.jsonl")
HELD_OUT, ELSEWHERE = 150, 200
TEACHER = {"kind": "teacher", "path": "teacher:fresh.jsonl"}
SHOWN = ("split right", "same needs", "good")


def main() -> None:
    """Train on each number of plans; print how good the plans are there, and elsewhere."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--plans", type=int, nargs="+", default=[100, 350], metavar="N")
    parser.add_argument("--steps", type=int, default=60, help="updates of 4,096 tokens")
    parser.add_argument("--out", type=Path, default=Path("runs/adapt"), metavar="DIR")
    args = parser.parse_args()
    rows = list(read_examples(FIELD))
    Random(0).shuffle(rows)
    rest = rows[HELD_OUT:]
    if not all(0 < count <= len(rest) for count in args.plans):
        parser.error(f"--plans are from 1 to {len(rest)}: the others are held out")
    sets = {"help desk": rows[:HELD_OUT], "other fresh questions": elsewhere(args.out)}
    tell("bundled, as it is", Path(bundled_model_path()), sets)
    for student, count in [*(("bundled", n) for n in args.plans), ("scratch", max(args.plans))]:
        folder = args.out / f"{student}-{count}-{args.steps}"
        taught = args.out / f"{count}.jsonl"
        write_examples(taught, rest[:count])
        recipe = Recipe.of(recipe_for(student, taught, args.steps))
        done = run_recipe(recipe, folder, args.out, until="export")
        minutes = done["train"]["seconds"] / 60  # Also where it was trained before.
        file = folder / "export" / "model-q8_0.gguf"
        tell(f"{student}, {count} plans ({minutes:.1f} min)", file, sets)


def elsewhere(out: Path) -> list[Example]:
    """Held-out questions of all kinds, to see what is forgotten."""
    source = ExampleSource.of("elsewhere", {"import": TEACHER, "split": "dev"})
    rows = list(read_examples(make_source(source, out, out / "elsewhere")))
    return Random(0).sample(rows, ELSEWHERE)


def recipe_for(student: str, taught: Path, steps: int) -> Mapping[str, Any]:
    """As docs/distillation.md shows it, with plans in place of a teacher."""
    return {
        "name": "help-desk",
        "sources": {
            "taught": {
                "examples": {"path": str(taught.resolve())},
                "vary": {"copies": 4, "names": 0.6, "things": 0.3, "words": 0.1},
            },
            "before": {"import": TEACHER, "split": "train"},
            "made_up": {"generate": {"count": 2000, "seed": 1}},
        },
        "train": {
            "student": student,
            "scratch": {"qk_norm": True, "layers": 6, "kv_heads": 4},
            "grounded": True,
            "stages": [
                {
                    "data": [
                        {"source": "taught", "weight": 4},
                        {"source": "before", "weight": 0.05},
                        {"source": "made_up", "weight": 0.5},
                    ]
                }
            ],
            "max_steps": steps,
            "batch_tokens": 4096,
        },
    }


def tell(name: str, file: Path, sets: Mapping[str, Sequence[Example]]) -> None:
    """A line for each set."""
    rows = [row for row in quality(file, sets, {}) if row.metric in SHOWN]
    for dataset in sets:
        figures = [
            f"{row.metric} {row.figure.value:.2f} ({row.figure.low:.2f} to {row.figure.high:.2f})"
            for row in rows
            if row.dataset == dataset
        ]
        print(f"{name:32} {dataset:22} {', '.join(figures)}", flush=True)


if __name__ == "__main__":
    main()
