"""`decompose runs`: the runs that are kept, and how far each is."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from typing import Any

from ..storage import is_locked
from .store import Run, RunStore
from .terminal import harmless


def run(args: Namespace) -> int:
    """List, or forget; returns the exit code."""
    store = RunStore()
    if args.delete:
        chosen = store.list() if args.delete == ["all"] else [store.find(n) for n in args.delete]
        store.delete(chosen)
        if args.json:
            print(json.dumps({"forgot": [run.id for run in chosen]}))  # noqa: T201
        print(f"forgot {len(chosen)} runs", file=sys.stderr)  # noqa: T201
        return 0
    rows = [_row(store, run) for run in store.list()]
    if args.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))  # noqa: T201
        return 0
    if not rows:
        print(f"no runs in {store.path}", file=sys.stderr)  # noqa: T201
    for row in rows:
        asked = time.strftime("%Y-%m-%d %H:%M", time.localtime(row["created"]))
        question = harmless(" ".join(str(row["question"]).split())[:60])
        print(f"{row['id']}  {asked}  {row['state']:24}  {question}")  # noqa: T201
    return 0


def _row(store: RunStore, run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "created": run.created,
        "question": run.question,
        "status": run.status,
        "total": run.total,
        "answered": run.answered,
        "state": _state(store, run),
    }


def _state(store: RunStore, run: Run) -> str:
    """How far a run is, in words."""
    if run.status == "ok":
        return "answered"
    far = "not planned yet" if run.total is None else f"{run.answered} of {run.total} answered"
    if run.status != "running":
        return f"{run.status.replace('_', ' ')}, {far}"
    return f"running, {far}" if is_locked(store.path, run.id) else f"interrupted, {far}"
