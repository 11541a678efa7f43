"""`decompose cache`: answers that `ask --cache` has kept."""

from __future__ import annotations

from argparse import Namespace

from ..nodes.answer_cache import AnswerCache
from ..settings import cache_folder
from .terminal import harmless, print_json, say


def run(args: Namespace) -> int:
    """List the newest, or clear; returns the exit code."""
    path = cache_folder() / "answers.sqlite"
    cache = AnswerCache(path)
    if args.clear:
        forgot = cache.clear()
        if args.json:
            print_json({"forgot": forgot}, indent=None)
        say(f"forgot {forgot} answers")
        return 0
    entries = cache.entries()
    if args.json:
        print_json(entries)
        return 0
    for entry in entries:
        line = f"{entry['question']} = {entry['answer']}  ({entry['solver']})"
        print(harmless(line))  # noqa: T201
    say(f"{len(cache)} answers in {path}")
    return 0
