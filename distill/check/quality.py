"""How good a model file is: plans against gold plans, single steps, whole answers.

    python -m langgraph_decompose.distill.check.quality MODEL.gguf EXAMPLES.jsonl [--show 50]

Used by the release gate, and by people who choose between data and settings: by these
figures, and by reading plans beside the gold ones, on the part of the data held out for it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import indent

from ...errors import MissingDependencyError, UserError
from ...evals.end_to_end import Item, compare, read_numeric
from ...evals.plans import measure_plans
from ...evals.statistics import Interval, wilson
from ...nodes.given_numbers import stated_number
from ...storage import reading
from ..manifest import names
from ..records import Example, read_examples, set_name
from ..whole_files import write_text
from .model_card import table
from .predict import Predicted, Step, open_file, predict, solve_steps

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """A figure of the quality table."""

    dataset: str
    metric: str
    figure: Interval


def quality(
    gguf: Path,
    plans: Mapping[str, Sequence[Example]],
    problems: Mapping[str, Sequence[Item]],
    limit: int | None = None,
    *,
    solver: Path | None = None,
    progress: Progress = lambda _: None,
) -> list[Row]:
    """Measure a model file in every role that it has.

    Args:
        gguf: The file: decomposer, solver or both.
        plans: Named sets of gold examples, for plans and, where lines have `expr`, steps.
        problems: Named sets of questions to answer end to end.
        limit: Most items of a set; all if None.
        solver: The file that solves, if that is another one.
        progress: Is told a line now and then.

    Raises:
        UserError: If a file is no GGUF trained for this project.
    """
    rows: list[Row] = []
    with ExitStack() as stack:
        planner = stack.enter_context(open_file(gguf))
        solving = stack.enter_context(open_file(solver)) if solver else planner
        for name, examples in plans.items():
            progress(f"{name}: {len(examples[:limit])} examples")
            if planner.has("decomposer"):
                rows += plan_rows(name, list(predict(planner, examples[:limit])))
            if solving.has("solver"):
                rows += step_rows(name, list(solve_steps(solving, examples[:limit])))
    if planner.has("decomposer") and solving.has("solver"):
        for name, items in problems.items():
            rows += _answer_rows(name, items[:limit], gguf, solver or gguf, progress)
    return rows


def measured(
    gguf: Path, plans: Mapping[str, Sequence[Example]], progress: Progress = lambda _: None
) -> list[Row]:
    """The rows of a file's card; none if it can't be asked, which the gate finds too."""
    try:
        return quality(gguf, plans, {}, progress=progress)
    except MissingDependencyError:
        raise
    except (UserError, RuntimeError) as error:
        progress(f"the quality of {gguf.name} can't be measured: {error}")
        return []


def numeric_items(examples: Sequence[Example]) -> list[Item]:
    """The examples whose answer is a number, as questions to answer end to end."""
    found: list[Item] = []
    for example in examples:
        value = stated_number(example.answer)
        if value is not None and not example.context:
            found.append(Item(example.id, example.question, value))
    return found


def plan_rows(name: str, predicted: Sequence[Predicted]) -> list[Row]:
    """The plan metrics of a set."""
    measured = measure_plans([p.score for p in predicted])
    return [Row(name, metric, figure) for metric, figure in measured.items()]


def step_rows(name: str, steps: Sequence[Step]) -> list[Row]:
    """Right and refused single steps of a set; nothing where no line has an expression."""
    if not steps:
        return []
    return [
        Row(name, "step right", wilson(sum(s.right for s in steps), len(steps))),
        Row(name, "step refused", wilson(sum(s.refused for s in steps), len(steps))),
    ]


def _answer_rows(
    name: str, items: Sequence[Item], gguf: Path, solver: Path, progress: Progress
) -> list[Row]:
    found = compare(
        items,
        decomposer=f"gguf:{gguf}",
        solver=f"gguf:{solver}",
        progress=lambda text: progress(f"{name}: {text}"),
    )
    rows = [Row(name, f"{strategy} right", share) for strategy, share in found.accuracy.items()]
    return [*rows, Row(name, "dag - direct", found.difference)]


def by_metric(rows: Sequence[Row]) -> list[dict[str, str]]:
    """A mapping a metric, from each set's name to its figure with its interval."""
    sets = list(dict.fromkeys(row.dataset for row in rows))
    cells = {(row.metric, row.dataset): _cell(row.figure) for row in rows}
    metrics = dict.fromkeys(row.metric for row in rows)
    return [
        {"metric": metric, **{name: cells.get((metric, name), "") for name in sets}}
        for metric in metrics
    ]


def read_figures(path: Path) -> list[Row]:
    """Figures that were written with `--json`.

    Raises:
        UserError: If the file holds something else.
    """
    with reading(path):
        data = path.read_bytes()
    try:
        rows = json.loads(data)
        found = [Row(r["dataset"], r["metric"], Interval(**r["figure"])) for r in rows]
        by_metric(found)  # Numbers that are none show when they are written.
        return found
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(
            f"{str(path)!r} holds no figures ({error}); write them with "
            "`python -m langgraph_decompose.distill.check.quality ... --json FILE`."
        ) from None


def _cell(figure: Interval) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f}; {figure.n})"


def side_by_side(predicted: Sequence[Predicted]) -> str:
    """Questions with gold and predicted plans, for reading."""
    parts = []
    for p in predicted:
        verdict = "good" if p.score.good else "not good"
        gold = indent(str(p.example.to_plan()), "    ")
        plan = indent("no plan" if p.plan is None else str(p.plan), "    ")
        head = f"--- {p.example.id} ({verdict})\n{p.example.problem}"
        parts.append(f"{head}\n  gold:\n{gold}\n  predicted:\n{plan}")
    return "\n\n".join(parts)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="quality", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path, metavar="MODEL.gguf")
    parser.add_argument("examples", type=Path, nargs="+", metavar="EXAMPLES.jsonl")
    parser.add_argument("--solver", type=Path, help="another file that solves")
    parser.add_argument("--answer", action="store_true", help="answer the examples end to end")
    parser.add_argument("--gsm8k", type=Path, help="and this set, for a release")
    parser.add_argument("--svamp", type=Path, help="and this set, for a release")
    parser.add_argument("--limit", type=int, help="most items of a set")
    parser.add_argument("--show", type=int, default=0, help="plans of each set to print")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    args = parser.parse_args(argv)
    if args.limit is not None and args.limit < 1:
        parser.error("--limit is a whole number from 1")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table, and with --show plans to read."""
    args = _arguments(argv)
    called = names(args.examples, set_name)
    plans = {name: list(read_examples(path)) for path, name in called.items()}
    problems = {name: numeric_items(rows) for name, rows in plans.items()} if args.answer else {}
    for name, path in (("gsm8k", args.gsm8k), ("svamp", args.svamp)):
        if path:
            problems[name.upper()] = read_numeric(name, path, args.limit)
    rows = quality(
        args.model,
        plans,
        problems,
        args.limit,
        solver=args.solver,
        progress=lambda text: print(text, file=sys.stderr),  # noqa: T201
    )
    if args.json:
        write_text(args.json, json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    if args.show:
        with open_file(args.model) as asked:
            for examples in plans.values():
                print(side_by_side(list(predict(asked, examples[: args.show]))), "\n")  # noqa: T201
    print(table(by_metric(rows)))  # noqa: T201


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"quality: {error}")
