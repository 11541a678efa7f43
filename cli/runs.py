"""`decompose runs`: the runs that are kept, and how far each is."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import Any

from ..storage import is_locked
from .store import Run, RunStore
from .terminal import harmless, print_json, say


def run(args: Namespace) -> int:
    """List, or forget; returns the exit code."""
    store = RunStore()
    if args.delete:
        chosen = store.list() if args.delete == ["all"] else [store.find(n) for n in args.delete]
        store.delete(chosen)
        if args.json:
            print_json({"forgot": [run.id for run in chosen]}, indent=None)
        say(f"forgot {len(chosen)} runs")
        return 0
    rows = [_row(store, run) for run in store.list()]
    if args.json:
        print_json(rows)
        return 0
    if not rows:
        say(f"no runs in {store.path}")
    for row in rows:
        asked = time.strftime("%Y-%m-%d %H:%M", time.localtime(row["created"]))
        question = harmless(" ".join(str(row["question"]).split())[:60])
        print(f"{row['id']}  {asked}  {row['state']:24}  {question}")  # noqa: T201
    return 0


def _row(store: RunStore, run: Run) -> dict[str, Any]:
    shown = ("id", "created", "question", "status", "total", "answered")
    return {**{name: getattr(run, name) for name in shown}, "state": _state(store, run)}


def _state(store: RunStore, run: Run) -> str:
    """How far a run is, in words."""
    if run.status == "ok":
        return "answered"
    far = "not planned yet" if run.total is None else f"{run.answered} of {run.total} answered"
    if run.status != "running":
        return f"{run.status.replace('_', ' ')}, {far}"
    return f"running, {far}" if is_locked(store.path, run.id) else f"interrupted, {far}"
