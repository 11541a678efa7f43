"""`decompose eval`: whether splitting pays, on one's own models and data."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..models.hosted import without_credentials
from ..settings import Settings, expanded, load_settings
from ..storage import write_private
from .arguments import read_json_file
from .drive import loading
from .progress import QuestionsProgress
from .terminal import print_json, say

_WAYS = ("gate", "attempts", "dup", "verify", "verifier", "ladder")
"""The flags that hold for strategies that split."""


def run(args: Namespace) -> int:
    """Ask, judge, report; returns the exit code."""
    with loading():
        from ..evals.evaluation import Evaluation
        from ..evals.experiments import experiment_names

    mine = load_settings()
    _say_unused(mine)
    args.decomposer = args.decomposer or [mine.decomposer]
    args.solver = args.solver or [mine.solver]
    if args.fit_ladder:
        return _fit_ladder(args)
    table = args.tasks[0] if args.tasks[0] in experiment_names() else ""
    settings = _settings(args, _of_table(table, args) if table else _matrix(args))
    out = expanded(args.out)
    summary = _run(Evaluation(settings), out, resume=args.resume)
    shown = _beside_published(table, args, summary, out) if table else _lines(summary)
    _show(summary, shown, as_json=args.json)
    for row in summary["systems"]:
        if _all_failed(row):
            where = out / "samples.jsonl"
            say(f"warning: every item of {row['system']} failed; {where} says why")
    say(f"the report is in {out / 'report.md'} and {out / 'report.html'}")
    return 1 if all(map(_all_failed, summary["systems"])) else 0


def _show(found: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(found, indent=1)
    else:
        print(text)  # noqa: T201


def _all_failed(row: Mapping[str, Any]) -> bool:
    return bool(row["n"]) and row["failures"] == row["n"]


def _say_unused(mine: Settings) -> None:
    """A comparison goes by its flags alone; who has set something else is to know."""
    heeded = ("decomposer", "solver", "models", "save_runs", "keep_runs_days")
    names = [field.name for field in fields(Settings) if field.name not in heeded]
    usual = Settings()
    if unused := [name for name in names if getattr(mine, name) != getattr(usual, name)]:
        say(f"warning: your settings of {', '.join(unused)} don't hold here, only flags do")


def _settings(args: Namespace, systems: Mapping[str, Any]) -> Any:
    """How the flags say that systems are to be compared."""
    from ..evals.evaluation import EvalSettings

    flags = [field.name for field in fields(EvalSettings) if field.name != "systems"]
    return EvalSettings(systems, **{name: getattr(args, name) for name in flags})


def _fit_ladder(args: Namespace) -> int:
    """Draw samples, search a ladder, show it; returns the exit code."""
    from ..evals import ladder_samples
    from ..evals.evaluation import Evaluation
    from ..evals.fit_ladder import fit_ladder, ladder_text
    from ..evals.sample_file import SAMPLES

    choice, out = _ladder_choice(args), expanded(args.out)
    compared = list(choice.systems.values())
    evaluation = Evaluation(_settings(args, {choice.task: compared}))
    for doubt in ladder_samples.warnings_about(choice, len(evaluation.keys) // len(compared)):
        say(f"warning: {doubt}")
    summary = _run(evaluation, out, resume=args.resume)
    found = fit_ladder(ladder_samples.read_drawn(out / SAMPLES, choice), choice, out)
    _show(found, ladder_text(found), as_json=args.json)
    return 1 if all(map(_all_failed, summary["systems"])) else 0


def _ladder_choice(args: Namespace) -> Any:
    """What the ladder may be made of.

    Raises:
        UserError: If a flag says something that a ladder hasn't.
    """
    from ..evals.experiments import experiment_names
    from ..evals.ladder_samples import LadderChoice

    if len(args.tasks) > 1 or args.tasks[0] in experiment_names():
        raise UserError("--fit-ladder chooses by one task or file, not by several or a table.")
    if len(args.decomposer) > 1:
        raise UserError("a ladder has one decomposer; name one.")
    _refuse_beside("--fit-ladder", args, (*_WAYS, "model"))
    caps = [args.max_subquestions]
    return LadderChoice(args.tasks[0], args.strategy, args.solver, args.decomposer[0], caps)


def _refuse_beside(what: str, args: Namespace, flags: Sequence[str]) -> None:
    """Refuse flags that would have no effect."""
    if given := [name for name in flags if getattr(args, name) not in (None, False, [], "none")]:
        raise UserError(f"{what} can't be combined with --{given[0]}.")


def _matrix(args: Namespace) -> dict[str, Any]:
    """Every strategy with every model, the same on each task."""
    from ..evals.systems import systems

    models = args.decomposer, args.solver
    compared = systems(args.strategy, *models, args.samples, args.max_subquestions, _ways(args))
    if args.model:
        raise UserError("--model is for a table of the paper; name systems with --solver.")
    return dict.fromkeys(args.tasks, compared)


def _ways(args: Namespace) -> dict[str, Any]:
    """What the flags say beyond strategy and models."""
    from ..graphs.escalate import read_ladder

    found = {name: getattr(args, name) for name in _WAYS}
    ladder = None if args.ladder == "none" else read_json_file(args.ladder, "ladder")
    found["ladder"] = None if ladder is None else read_ladder(ladder)
    # A number of 0 is refused later; it isn't the same as not said.
    return {n: v for n, v in found.items() if not (v is None or v is False or v == "none")}


def _of_table(name: str, args: Namespace) -> dict[str, Any]:
    """The systems of a table of the paper, for those of its sets that are there."""
    from ..evals.experiments import load_experiment
    from ..evals.task_files import load_task, source_of

    if len(args.tasks) > 1:
        raise UserError(f"{name} is run alone; name no further task.")
    _refuse_beside(name, args, _WAYS)
    found = load_experiment(name).systems(_models(args.model))
    missing: list[UserError] = []
    for task in list(found):
        try:
            source_of(load_task(task), args.data)
        except UserError as error:
            missing.append(error)
            del found[task]
            say(f"{task} is left out: {error}")
    if not found:
        raise missing[0]
    return found


def _run(evaluation: Any, out: Path, *, resume: bool) -> Any:
    """Run it with a bar on the terminal; returns the summary."""
    with QuestionsProgress(len(evaluation.keys), 0) as progress:

        def sample_done(sample: Mapping[str, Any], before: int) -> None:
            progress.begin_at(before)
            progress.meter.paid(sample["usage"], counted=False)
            progress.question_done(sample)

        # A server's address may hold a password.
        command = shlex.join(["decompose", *map(without_credentials, sys.argv[1:])])
        found = evaluation.run(out, resume=resume, command=command, on_sample=sample_done)
    if passing := evaluation.passing:
        say(
            f"warning: {passing} questions met a failing service or a refused key; "
            "--resume asks them again"
        )
    return found


def _beside_published(name: str, args: Namespace, summary: Any, out: Path) -> str:
    from ..evals.experiments import beside_published, load_experiment

    text = beside_published(load_experiment(name), _models(args.model), summary)
    write_private(out / f"{name}.md", text)
    return text.rstrip()


def _models(given: Sequence[str]) -> dict[str, str]:
    """References by role."""
    pairs = [text.partition("=") for text in given]
    found = {role: ref for role, _, ref in pairs}
    if bad := [role for role, ref in found.items() if not ref.strip()]:
        raise UserError(f"--model takes ROLE=REF, not {bad[0]!r}.")
    return found


def _lines(summary: Mapping[str, Any]) -> str:
    """The main metric of each system and task, and what can be told from it."""
    from ..evals.comparing import sentence

    figures = [
        f"{row['task']}  {row['system']}  {_figure(row, summary['tasks'][row['task']]['metric'])}"
        for row in summary["systems"]
    ]
    told = [f"{row['task']}: {sentence(row)}" for row in summary["comparisons"]]
    return "\n".join([*figures, *told])


def _figure(row: Mapping[str, Any], metric: str) -> str:
    name = metric or "same needs"
    found = row["metrics"].get(metric) if metric else row["plans"].get(name)
    if not found:
        return "not judged"
    failed = f", {row['failures']} failed" if row["failures"] else ""
    bounds = f"{100 * found['low']:.1f} to {100 * found['high']:.1f}"
    return f"{name} {100 * found['value']:.1f} ({bounds}; {found['n']} items{failed})"
