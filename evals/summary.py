"""summary.json from samples: every figure of a run, made in one pass over its lines.

Of a sample only numbers are kept: with 20,000 of them this takes some megabytes, however
long their texts are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..nodes.usage import is_usage
from ..storage import reading
from .cells import NAMES, Cell
from .comparing import Comparison, compare_marks, corrected
from .spending import mixture

_MAX_LINE = 20_000_000
Tasks = Mapping[str, Mapping[str, Any]]


def summarise(
    rows: Iterable[Mapping[str, Any]],
    *,
    tasks: Tasks,
    about: Mapping[str, Any],
    command: str,
    seed: int,
) -> dict[str, Any]:
    """The content of summary.json.

    A row may have two things more than its answer and marks: `plan_score`, the fields of a
    `PlanScore` against a gold plan, and `gold_steps`, the right answer of each line of its plan.

    Args:
        rows: The samples, those of the first system first.
        tasks: By name: version, prompt version, source, `metric` (by which systems are
            compared; "" if only plans are judged) and number of items.
        about: Date, machine and versions of the run.
        command: What was typed.
        seed: Of the choice of items.
    """
    cells: dict[str, dict[str, Cell]] = {}
    for row in rows:
        of_task = cells.setdefault(row["task"], {})
        if row["system"] not in of_task:
            of_task[row["system"]] = Cell(**{name: row[name] for name in NAMES})
        of_task[row["system"]].add(row)
    compared = (
        comparison
        for task, of_task in cells.items()
        for comparison in _comparisons([*of_task.values()], tasks[task]["metric"])
        if comparison.difference.n  # What can't be told anyway makes the others no less sure.
    )
    return {
        "version": 1,
        "command": command,
        "about": dict(about),
        "seed": seed,
        "tasks": {name: dict(task) for name, task in tasks.items()},
        "systems": [
            cell.to_row(_metrics([*of_task.values()], tasks[task]["metric"]))
            for task, of_task in cells.items()
            for cell in of_task.values()
        ],
        "comparisons": [comparison.to_row() for comparison in corrected([*compared])],
    }


def read_samples(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a samples.jsonl, one at a time.

    Raises:
        UserError: If the file can't be read or a line is no sample.
    """
    with reading(path), path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE), b""), 1):
            yield _sample(line, f"{str(path)!r}, line {number},")


def _sample(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
        texts = [row[name] for name in (*NAMES, "id")]
        counted = all(map(is_usage, row["usage"]))
        good = all(isinstance(text, str) for text in texts) and isinstance(row["metrics"], dict)
        if good and counted and row["seconds"] >= 0:
            return row
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise UserError(f"{where} is no sample; run the evaluation again.")


def _metrics(cells: Sequence[Cell], main: str) -> list[str]:
    """Every metric of a task, the one by which systems are compared first."""
    found = dict.fromkeys([main, *(metric for cell in cells for metric in cell.marks)])
    return [metric for metric in found if metric]


def _comparisons(cells: Sequence[Cell], metric: str) -> Iterator[Comparison]:
    """By one metric only: what is to be compared was settled before the run."""
    if not metric:
        return
    task = cells[0].task
    for first, second in _pairs(cells):
        marks = (first.system, first.of(metric)), (second.system, second.of(metric))
        yield compare_marks(task, metric, *marks, failed=(first.failed, second.failed))
    for cell in cells:
        baselines = [c for c in cells if c.undivided and c.solver == cell.solver]
        if not cell.undivided and (found := _at_equal_tokens(cell, baselines, metric)):
            yield found


def _pairs(cells: Sequence[Cell]) -> Iterator[tuple[Cell, Cell]]:
    """The first system with each other, and every splitting one with its solver's baselines.

    Not each with each: the more comparisons, the less can be told from any.
    """
    for k, one in enumerate(cells):
        for other in cells[k + 1 :]:
            if k == 0:
                yield one, other
            elif one.solver == other.solver and one.undivided != other.undivided:
                yield (one, other) if one.undivided else (other, one)


def _at_equal_tokens(cell: Cell, baselines: Sequence[Cell], metric: str) -> Comparison | None:
    """A splitting system with the best that its solver does undivided for as many tokens.

    None where that is a single baseline: those are compared anyway.
    """
    tokens = cell.tokens()
    points = {
        other.system: (spend, sum(marks.values()) / len(marks))
        for other in baselines
        if (spend := other.tokens()) is not None and (marks := other.of(metric))
    }
    if tokens is None or len(mix := mixture(points, tokens)) < 2:
        return None
    (one, share), (two, rest) = mix.items()
    cheap, dear = ({c.system: c for c in baselines}[name] for name in (one, two))
    marks, others = cheap.of(metric), dear.of(metric)
    mixed = {k: share * marks[k] + rest * others[k] for k in marks.keys() & others.keys()}
    name = f"{100 * share:.0f} % {one} + {100 * rest:.0f} % {two}"
    failed = cheap.failed | dear.failed, cell.failed
    compared = (name, mixed), (cell.system, cell.of(metric))
    return compare_marks(cell.task, metric, *compared, failed=failed, mixture=mix)
