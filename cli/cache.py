"""`decompose cache`: answers that `ask --cache` has kept."""

from __future__ import annotations

import json
import sys
from argparse import Namespace

from ..nodes.answer_cache import AnswerCache
from ..settings import cache_folder
from .terminal import harmless


def run(args: Namespace) -> int:
    """List the newest, or clear; returns the exit code."""
    path = cache_folder() / "answers.sqlite"
    cache = AnswerCache(path)
    if args.clear:
        forgot = cache.clear()
        if args.json:
            print(json.dumps({"forgot": forgot}))  # noqa: T201
        print(f"forgot {forgot} answers", file=sys.stderr)  # noqa: T201
        return 0
    entries = cache.entries()
    if args.json:
        print(json.dumps(entries, ensure_ascii=False, indent=2))  # noqa: T201
        return 0
    for entry in entries:
        line = f"{entry['question']} = {entry['answer']}  ({entry['solver']})"
        print(harmless(line))  # noqa: T201
    print(f"{len(cache)} answers in {path}", file=sys.stderr)  # noqa: T201
    return 0
