"""Entry point of `decompose`: arguments, and what a failure looks like.

Nothing heavy is imported here, so that `--help` is instant.

Exit codes: 0 answered, 1 failed or a service's error, 2 the user's mistake, 3 partial or
budget spent, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

from .. import __version__
from ..errors import UserError, describe_error
from .parser import Parser
from .streams import prepare_streams, reader_gone
from .terminal import say

_EPILOG = """\
Models: bundled, gguf:PATH, gguf:hf:REPO/FILE.gguf, transformers:PATH, PROVIDER:MODEL
(openai:gpt-5-mini, ollama:qwen3), PROVIDER:MODEL@URL for a server of your own, or the
name of a [models.NAME] table in ~/.config/langgraph-decompose/config.toml.
"""


_STRATEGIES = (
    "direct", "cot", "self_consistency", "static", "sequential", "dag", "dynamic", "attempt_first",
    "dup", "escalate", "recursive", "symbolic",
)  # fmt: skip
_GO_ON = {
    "batch": "; the same command goes on",
    "distill": "; the same command goes on",
    "eval": "; the same command with --resume goes on",
}
_GATES = ("never", "always", "model", "disagreement")
_VERIFY = ("none", "subquestions", "answer", "both")


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    prepare_streams()
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    finally:  # Help and mistakes in arguments end by SystemExit; nobody may read them, either.
        with suppress(OSError):
            reader_gone(sys.stdout)
            reader_gone(sys.stderr)


def _run(argv: list[str]) -> int:
    parser = _parser()
    if argv[:1] == ["distill"]:  # Its flags come from modules that nobody else imports.
        args = argparse.Namespace(command="distill", rest=argv[1:])
    else:
        args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        code: int = import_module(f".{args.command}", __package__).run(args)
        reader_gone(sys.stdout)
        return code
    except UserError as error:
        return _say(str(error), 2)
    except KeyboardInterrupt:
        return _say(f"interrupted{_GO_ON.get(args.command, '')}", 130)
    except Exception as error:
        unread = isinstance(error, BrokenPipeError) and reader_gone(sys.stdout)
        if unread and not reader_gone(sys.stderr):  # What broke may have been an error's message.
            return 0
        if os.environ.get("DECOMPOSE_DEBUG"):
            raise
        described = describe_error(error)
        return _say(f"{described['message']} ({described['type']})", 1)


def _say(message: str, code: int) -> int:
    with suppress(BrokenPipeError):
        say(f"decompose: {message}")
    return code


def _parser() -> Parser:
    parser = Parser(
        prog="decompose",
        description="Split a hard question with a small local model, solve the parts, compose.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"decompose {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    ask = commands.add_parser("ask", help="answer a question", epilog=_EPILOG)
    _add_question(ask)
    _add_solving(ask)
    ask.add_argument("--review", action="store_true", help="approve, edit or reject the plan first")
    ask.add_argument("--no-save", action="store_true", help="store nothing of this run")

    _add_batch(commands.add_parser("batch", help="answer a file of questions", epilog=_EPILOG))
    _add_stored(commands)

    plan = commands.add_parser("plan", help="split a question, solve nothing", epilog=_EPILOG)
    _add_question(plan)
    plan.add_argument("--prompts", metavar="DIR", help="folder whose files replace prompts")

    models = commands.add_parser("models", help="list models here, or show what a file says")
    models.add_argument("file", nargs="?", help="a .gguf file or model reference to describe")
    models.add_argument("--json", action="store_true", help="print JSON")

    _add_eval(
        commands.add_parser(
            "eval", help="measure whether splitting pays", epilog=_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )  # fmt: skip
    commands.add_parser("distill", help="make a decomposer of your own")  # Reads its own flags.

    doctor = commands.add_parser("doctor", help="say what works here, and how to fix the rest")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_batch(parser: Parser) -> None:
    add = parser.add_argument
    add("file", help='JSONL: {"question": ..., "context": ...} a line; - is stdin')
    add("--out", metavar="FILE", required=True, help="JSONL with the results")
    add("--concurrency", metavar="N", type=int, default=16, help="questions at once (16)")
    add("--retry-failed", action="store_true", help="ask again what isn't ok in --out")
    add("--json", action="store_true", help="print the summary as JSON")
    _add_planning(parser)
    _add_solving(parser, limits="limits of all questions together (the timeout: of one call)")


def _add_stored(commands: Any) -> None:
    """What works on stored runs and answers."""
    add = commands.add_parser("runs", help="list the stored runs").add_argument
    add("--delete", metavar="ID", nargs="+", help="delete these runs; all: every one")
    add("--json", action="store_true", help="print JSON")

    resume = commands.add_parser("resume", help="continue a run")
    add = resume.add_argument
    add("run", metavar="ID", help="as `decompose runs` lists it; its beginning will do")
    add("--retry-failed", action="store_true", help="ask again what failed")
    add("--json", action="store_true", help="print the whole result as JSON")
    _add_solving(resume)

    add = commands.add_parser("cache", help="list the answers that --cache stored").add_argument
    add("--clear", action="store_true", help="delete them")
    add("--json", action="store_true", help="print JSON")


def _add_eval(parser: Parser) -> None:
    add = parser.add_argument
    many: Any = {"nargs": "+", "metavar": "REF"}
    add("tasks", nargs="+", metavar="TASK_OR_FILE",
        help="gsm8k, my.jsonl, ...; or a table of the paper, table1")  # fmt: skip
    add("--strategy", nargs="+", metavar="NAME", default=["direct", "dag"],
        help=f"{', '.join(_STRATEGIES)} (direct dag); the first is the baseline")  # fmt: skip
    add("--decomposer", help="yours (bundled); or gold, for the task's own plans", **many)
    add("--solver", help="yours (bundled); several are compared", **many)
    add("--model", nargs="+", default=[], metavar="ROLE=REF",
        help="for a table of the paper: the models in its rows")  # fmt: skip
    add("--samples", metavar="N", type=int, default=5, help="samples of self_consistency (5)")
    _add_ways(add)
    add("--fit-ladder", action="store_true",
        help="search a ladder for escalate on the task's items instead, into --out/ladder.json",
    )  # fmt: skip
    add("--limit", metavar="N", type=int, help="most items of a task")
    add("--seed", metavar="S", type=int, default=0, help="chooses the items (0)")
    add("--data", metavar="DIR", help="folder with data sets, or hf: (./data)")
    add("--max-subquestions", metavar="N", type=int, default=8, help="cap on the plan (8)")
    add("--concurrency", metavar="N", type=int, default=8, help="questions at once (8)")
    add("--deterministic", action="store_true",
        help="one question at a time, so that figures are equal to the digit")  # fmt: skip
    add("--call-timeout", metavar="SECONDS", type=float, help="for one call")
    add("--engine", choices=("local", "ray"), default="local",
        help="in this process, or over Ray")  # fmt: skip
    add("--workers", metavar="N", type=int, default=2, help="of --engine ray (2)")
    add("--out", metavar="DIR", required=True, help="samples, summary, report")
    add("--resume", action="store_true", help="continue what is in --out")
    add("--json", action="store_true", help="print the summary as JSON")


def _add_question(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("question", help="the question, or - to read it from stdin")
    parser.add_argument("--context", metavar="FILE", help="text file that the question is about")
    parser.add_argument("--json", action="store_true", help="print the whole result as JSON")
    _add_planning(parser)


def _add_planning(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--decomposer", metavar="MODEL", help="writes the plan (bundled; for dynamic the solver)"
    )
    parser.add_argument("--max-subquestions", metavar="N", type=int, help="cap on the plan (8)")


def _add_solving(parser: argparse.ArgumentParser, limits: str = "limits of one question") -> None:
    add = parser.add_argument
    add("--solver", metavar="MODEL", help="answers the subquestions (bundled: arithmetic only)")
    add("--composer", metavar="MODEL", help="merges the answers (the solver)")
    add("--strategy", metavar="NAME", help=f"{', '.join(_STRATEGIES)} (dag)")
    add("--samples", metavar="N", type=int, help="samples of self_consistency (5)")
    add("--prompts", metavar="DIR", help="folder whose files replace prompts")
    add("--cache", action="store_true", default=None,
        help="reuse answers to subquestions, and store them")  # fmt: skip
    add = parser.add_argument_group("around a strategy").add_argument
    _add_ways(add)
    add("--verify-retries", metavar="N", type=int,
        help="how often a wrong answer is asked again (1)")  # fmt: skip
    add("--max-depth", metavar="N", type=int, help="levels of plans of recursive (2)")
    add("--max-total", metavar="N", type=int, help="subquestions of recursive on all levels (64)")
    add("--examples", metavar="FILE", help="JSON list of solved puzzles, for symbolic")
    add = parser.add_argument_group(limits).add_argument
    add("--call-timeout", metavar="S", type=float, help="seconds for one call")
    add("--max-calls", metavar="N", type=int, help="budget: model calls")
    add("--max-tokens", metavar="N", type=int, help="budget: tokens in and out")
    add("--max-seconds", metavar="S", type=float, help="budget: seconds")
    add("--max-cost", metavar="X", type=float, help="budget: money, by your model tables' prices")


def _add_ways(add: Any) -> None:
    """What stands in front of a strategy or behind it."""
    add("--gate", choices=_GATES, help="who decides whether to split (model)")
    add("--attempts", metavar="N", type=int,
        help="undivided answers of gate disagreement and attempt_first (3)")  # fmt: skip
    add("--dup", action=argparse.BooleanOptionalAction, help="find core question and facts first")
    add("--verify", choices=_VERIFY, help="have answers judged, and asked again if wrong")
    add("--verifier", metavar="MODEL", help="judges them (the solver)")
    add("--ladder", metavar="FILE", help="JSON list of rungs, for escalate")


if __name__ == "__main__":
    sys.exit(main())
