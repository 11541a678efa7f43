"""`decompose eval`: whether splitting pays, on one's own models and data."""

from __future__ import annotations

import json
import shlex
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .drive import loading
from .progress import QuestionsProgress


def run(args: Namespace) -> int:
    """Ask, judge, report; returns the exit code."""
    with loading():
        from ..evals.evaluation import EvalSettings, Evaluation

    settings = EvalSettings(
        tasks=tuple(args.tasks),
        strategies=tuple(args.strategy),
        decomposers=tuple(args.decomposer),
        solvers=tuple(args.solver),
        samples=args.samples,
        limit=args.limit,
        seed=args.seed,
        data=args.data,
        max_subquestions=args.max_subquestions,
        concurrency=args.concurrency,
        deterministic=args.deterministic,
        call_timeout=args.call_timeout,
        engine=args.engine,
        workers=args.workers,
    )
    evaluation = Evaluation(settings)
    out = Path(args.out).expanduser()
    with QuestionsProgress(len(evaluation.keys), 0) as progress:

        def sample_done(sample: Mapping[str, Any], before: int) -> None:
            progress.begin_at(before)
            progress.meter.paid(sample["usage"], counted=False)
            progress.question_done(sample)

        summary = evaluation.run(out, resume=args.resume, command=_command(), on_sample=sample_done)
    if args.json:
        print(json.dumps(summary, ensure_ascii=False, indent=1))  # noqa: T201
    else:
        _print(summary)
    print(f"the report is in {out / 'report.md'} and {out / 'report.html'}", file=sys.stderr)  # noqa: T201
    return 0


def _print(summary: Mapping[str, Any]) -> None:
    """The main metric of each system and task, and what can be told from it."""
    from ..evals.comparing import sentence

    for row in summary["systems"]:
        metric = summary["tasks"][row["task"]]["metric"]
        print(f"{row['task']}  {row['system']}  {_figure(row, metric)}")  # noqa: T201
    for row in summary["comparisons"]:
        print(f"{row['task']}: {sentence(row)}")  # noqa: T201


def _figure(row: Mapping[str, Any], metric: str) -> str:
    name = metric or "same_needs"
    found = row["metrics"].get(metric) if metric else row["plans"].get(name)
    if not found:
        return "not judged"
    failed = f", {row['failures']} failed" if row["failures"] else ""
    bounds = f"{100 * found['low']:.1f} to {100 * found['high']:.1f}"
    return f"{name} {100 * found['value']:.1f} ({bounds}; {found['n']} items{failed})"


def _command() -> str:
    return shlex.join(["decompose", *sys.argv[1:]])
