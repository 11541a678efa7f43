"""`decompose distill`: each step of the pipeline as a command, and `run` for all of them.

The flags of a step are the fields of its settings, with the help that their docstring gives.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
import types
import typing
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from ..errors import UserError
from .parser import Parser
from .terminal import progress_shown

_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n        .*)*)", re.MULTILINE)


def run(args: Namespace) -> int:
    """Run `decompose distill ...`; returns the exit code."""
    parser = _parser()
    found = parser.parse_args(args.rest)
    if not getattr(found, "do", None):
        parser.print_help(sys.stderr)
        return 2
    with progress_shown() as found.say:
        counts = found.do(found)
    if found.json:
        print(json.dumps(counts, indent=2, default=str))  # noqa: T201
    else:
        for name, value in counts.items():
            label = name if name.endswith(".gguf") else name.replace("_", " ")
            print(f"{label}: {_short(value)}")  # noqa: T201
    failures = counts.get("failures") or counts.get("check", {}).get("failures")
    return 3 if failures else 0


def _parser() -> Parser:
    parser = Parser(prog="decompose distill", description="Make a small decomposer.")
    steps = parser.add_subparsers(metavar="STEP")

    whole = _step(steps, "run", "a recipe from its data to a checked GGUF", _run)
    recipes = "a YAML file, or a recipe of the package: cpu, cpu-solver, gpu"
    whole.add_argument("recipe", help=recipes)
    whole.add_argument("--data", metavar="DIR", default=".", help="folder with the data sets (.)")
    until = "stop after this step: sources, train, export or check (check)"
    whole.add_argument("--until", metavar="STEP", default="check", help=until)
    _add_data_steps(steps)
    _add_model_steps(steps)
    return parser


def _add_data_steps(steps: Any) -> None:
    """Those that make examples."""
    from ..distill.collect.collect import CollectSettings
    from ..distill.generate import KINDS
    from ..distill.screen.screen import ScreenSettings

    ask = _step(steps, "collect", "ask a teacher for plans and solutions", _collect)
    _add_settings(ask, CollectSettings)

    made = _step(steps, "generate", "procedural questions with plans", _generate)
    made.add_argument("--count", metavar="N", type=int, required=True, help="how many")
    made.add_argument("--seed", metavar="S", type=int, default=0, help="chooses them (0)")
    made.add_argument(
        "--kinds", metavar="KIND", nargs="+", help=f"only these of {', '.join(KINDS)}"
    )

    for name, what, kinds in (
        ("import", "decompositions that exist", "strategyqa, break, musique, teacher"),
        ("from-solutions", "plans from worked solutions, by rule", "gsm8k"),
    ):
        step = _step(steps, name, what, _read)
        step.set_defaults(way=name.replace("-", "_"))
        step.add_argument("kind", help=f"the format, such as {kinds}")
        step.add_argument("path", help="the file")
        step.add_argument("--data", metavar="DIR", help="where a teacher file's originals lie")
        step.add_argument("--split", choices=["train", "dev", "eval"], help="only this part")
        step.add_argument(
            "--refuse-broken", action="store_true", help="refuse a file with a broken line"
        )

    kept = _step(steps, "screen", "leave out what shouldn't be learned", _screen)
    kept.add_argument("files", nargs="+", type=Path, help="JSONL files of examples")
    _add_settings(kept, ScreenSettings)


def _add_model_steps(steps: Any) -> None:
    """Those that make a model of them."""
    from ..distill.check.settings import CheckSettings
    from ..distill.export.settings import ExportSettings
    from ..distill.train.settings import TrainSettings

    fit = _step(steps, "train", "train a student", _train)
    fit.add_argument("settings", help="YAML with the settings of the training")
    fit.formatter_class = argparse.RawDescriptionHelpFormatter
    fit.epilog = inspect.getdoc(TrainSettings)

    out = _step(steps, "export", "write GGUF files", _export)
    out.add_argument("model", type=Path, help="folder of a Hugging Face model or adapter")
    _add_settings(out, ExportSettings)

    gate = _step(steps, "check", "compare GGUF files with their checkpoint", _check)
    gate.add_argument("model", type=Path, help="folder of the checkpoint")
    gate.add_argument(
        "--gguf", metavar="FILE", nargs="+", type=Path, required=True, help="the files to check"
    )
    gate.add_argument("--examples", metavar="FILE", type=Path, required=True, help="held out")
    _add_settings(gate, CheckSettings)

    where = "where to copy it: a directory, or the file if it ends in .gguf"
    public = _step(
        steps, "publish", "copy a file that passed its check, with its card", _publish, where
    )
    public.add_argument("gguf", type=Path, help="the file")
    public.add_argument("--check", metavar="DIR", type=Path, required=True, help="of the check")
    public.add_argument(
        "--evaluation", metavar="FILE", type=Path, help="figures of evaluation sets, for the card"
    )
    public.add_argument(
        "--loosened", action="store_true", help="even if the check asked for less than it does"
    )


def _step(
    steps: Any,
    name: str,
    what: str,
    do: Callable[[Namespace], Any],
    out: str = "folder for the results",
) -> ArgumentParser:
    parser: ArgumentParser = steps.add_parser(
        name, help=what, description=what[0].upper() + what[1:] + "."
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help=out)
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    parser.set_defaults(do=do)
    return parser


def _add_settings(parser: ArgumentParser, settings: type) -> None:
    """A flag for each field of a settings class."""
    hints = typing.get_type_hints(settings)
    described = dict(_ATTRIBUTE.findall(inspect.getdoc(settings) or ""))
    for item in fields(settings):
        kind, many = _plain(hints[item.name])
        flag = f"--{item.name.replace('_', '-')}"
        text = " ".join(described.get(item.name, "").split()).replace("%", "%%")
        if kind is bool:
            switch = argparse.BooleanOptionalAction
            parser.add_argument(flag, action=switch, default=item.default, help=text)
            continue
        if item.default not in (MISSING, None, "", ()):
            usual = " ".join(item.default) if many else item.default
            text = f"{text.removesuffix('.')} ({usual})"
        parser.add_argument(
            flag, type=kind, required=item.default is MISSING, default=argparse.SUPPRESS,
            help=text, metavar=kind.__name__.upper(), **({"nargs": "+"} if many else {}),
        )  # fmt: skip
    parser.set_defaults(settings_class=settings)


def _plain(hint: Any) -> tuple[type, bool]:
    """The type that one value of a hint has, and whether there are several."""
    origin = typing.get_origin(hint)
    if origin is types.UnionType:
        return _plain(next(a for a in typing.get_args(hint) if a is not type(None)))
    if origin is tuple:
        return _plain(typing.get_args(hint)[0])[0], True
    return (str if origin is typing.Literal else hint), False


def _settings(args: Namespace) -> Any:
    kind = args.settings_class
    given = {f.name: getattr(args, f.name) for f in fields(kind) if hasattr(args, f.name)}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})


def _run(args: Namespace) -> Any:
    from ..distill.recipe import load_recipe, run_recipe

    return run_recipe(load_recipe(args.recipe), args.out, Path(args.data), args.say, args.until)


def _collect(args: Namespace) -> Any:
    from ..distill.collect.collect import collect

    return collect(_settings(args), args.out, args.say)


def _source(args: Namespace, way: str, options: dict[str, Any], split: str = "") -> Any:
    from ..distill.manifest import read_manifest
    from ..distill.sources import ExampleSource, make_source

    source = ExampleSource.of(way, {way: options, "split": split})
    data = Path(getattr(args, "data", None) or ".")
    make_source(source, data, args.out, args.say, args.say)
    return read_manifest(args.out)["counts"]


def _generate(args: Namespace) -> Any:
    kinds = dict.fromkeys(args.kinds, 1.0) if args.kinds else None
    return _source(args, "generate", {"count": args.count, "seed": args.seed, "kinds": kinds})


def _read(args: Namespace) -> Any:
    own = args.path.startswith("teacher:")
    path = args.path if own else str(Path(args.path).absolute())
    options = {"kind": args.kind, "path": path, "refuse_broken": args.refuse_broken}
    return _source(args, args.way, options, args.split or "")


def _screen(args: Namespace) -> Any:
    from ..distill.screen.screen import screen

    return screen(_settings(args), args.files, args.out)


def _train(args: Namespace) -> Any:
    from ..distill.train.train import TrainSettings, train
    from ..distill.yaml_settings import checked, read_yaml

    try:
        row = read_yaml(Path(args.settings), repr(args.settings))
    except OSError as error:
        raise UserError(f"{args.settings!r} can't be read: {error.strerror}.") from None
    return train(checked(TrainSettings, row, repr(args.settings)), args.out, args.say)


def _export(args: Namespace) -> Any:
    from ..distill.export.export import export

    return export(_settings(args), args.model, args.out, args.say)


def _check(args: Namespace) -> Any:
    from ..distill.check.check import check, ready
    from ..distill.check.quality import by_metric, measured
    from ..distill.manifest import read_manifest
    from ..distill.records import read_examples, set_name
    from ..models.gguf_file import read_contract

    settings = _settings(args)
    ready(args.model, args.gguf, args.out)
    examples = list(read_examples(args.examples))
    smallest = min(args.gguf, key=lambda path: path.stat().st_size)
    sets = {set_name(args.examples): examples}
    before = read_manifest(args.out)
    if before.get("finished"):  # Measured again it would be the same, or be refused.
        rows = before["settings"].get("quality", [])
    else:
        # A file without a role is for the check to tell.
        rows = by_metric(measured(smallest, sets, args.say)) if read_contract(smallest) else []
    name = smallest.name
    return check(settings, args.model, args.gguf, examples, args.out, args.say, rows, name)


def _publish(args: Namespace) -> Any:
    from ..distill.check.check import publish
    from ..distill.check.quality import by_metric, read_figures

    file = args.out.suffix == ".gguf" and not args.out.is_dir()
    target = args.out if file else args.out / args.gguf.name
    rows = by_metric(read_figures(args.evaluation)) if args.evaluation else []
    publish(args.gguf, target, args.check, evaluation=rows, loosened=args.loosened)
    return {"published": str(target)}


def _short(value: Any) -> str:
    text = json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)
    return text if len(text) < 200 else f"{text[:200]}…"
