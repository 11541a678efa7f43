"""Runs of the command line, kept in a SQLite file so that they can be resumed.

The file holds LangGraph's checkpoints and a table of runs. It contains questions, contexts
and answers, so it is readable by its owner only.
"""

from __future__ import annotations

import asyncio
import json
import math
import secrets
import sqlite3
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..nodes.problem import Problem
from ..settings import state_folder
from ..storage import (
    EMPTY_THE_LOG,
    ERASE_WHAT_IS_DELETED,
    UNUSABLE,
    is_locked,
    lock_path,
    open_checkpointer,
    open_private,
)

_COLUMNS = ("id", "created", "question", "context", "settings", "status", "total", "answered")
_WITHOUT_CONTEXT = ["''" if name == "context" else name for name in _COLUMNS]
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, created REAL, question TEXT, context TEXT, settings TEXT,
    status TEXT, total INTEGER, answered INTEGER
)"""


@dataclass(frozen=True)
class Run:
    """A row of the table; `total` is None until the plan is known."""

    id: str
    created: float
    question: str
    context: str
    settings: dict[str, Any]
    status: str
    total: int | None
    answered: int

    @property
    def problem(self) -> Problem:
        """What was asked."""
        return Problem(self.question, self.context)


class RunStore:
    """The table of runs, and the checkpoints beside it.

    Args:
        path: The SQLite file; the user's own if None.

    Raises:
        UserError: If the file can't be used.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or state_folder() / "runs.sqlite"
        try:
            open_private(self.path)
            self._db = sqlite3.connect(
                self.path, isolation_level=None, timeout=30, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            # As for the checkpoints beside it: else each of many deletions waits for the disk.
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(ERASE_WHAT_IS_DELETED)
            self._db.execute(_SCHEMA)
        except (OSError, *UNUSABLE) as error:
            raise self._unusable(error) from None

    def begin(self, problem: Problem, settings: dict[str, Any]) -> Run:
        """Note a new run."""
        marks = ", ".join("?" for _ in _COLUMNS)
        sql = f"INSERT OR IGNORE INTO runs ({', '.join(_COLUMNS)}) VALUES ({marks})"  # noqa: S608
        while True:
            run = Run(
                secrets.token_hex(4), time.time(), problem.question, problem.context, settings,
                "running", None, 0,
            )  # fmt: skip
            values = {**run.__dict__, "settings": json.dumps(settings)}
            # Ids are short: among 100,000 runs, one in 40,000 is another run's already.
            if self._db.execute(sql, [values[name] for name in _COLUMNS]).rowcount:
                return run

    def update(self, run: Run, **values: Any) -> None:
        """Change columns of a run."""
        sets = ", ".join(f"{name} = ?" for name in values)
        self._db.execute(f"UPDATE runs SET {sets} WHERE id = ?", [*values.values(), run.id])  # noqa: S608

    async def aupdate(self, run: Run, **values: Any) -> None:
        """`update` beside the event loop, in which the checkpointer may hold the file."""
        await asyncio.to_thread(self.update, run, **values)

    def list(self, created_before: float = math.inf) -> Sequence[Run]:
        """Runs, the newest first, without contexts: those of all may be too much to hold."""
        return self._select(_WITHOUT_CONTEXT, "created < ?", created_before)

    def find(self, name: str) -> Run:
        """The run that an id, or the beginning of one, names.

        Raises:
            UserError: If none or several do.
        """
        known = name and name.isascii()  # SQLite takes no bytes that aren't UTF-8.
        found = self._select(_COLUMNS, "substr(id, 1, ?) = ?", len(name), name) if known else []
        if len(found) == 1:
            return found[0]
        if not found:
            raise UserError(f"there is no run {name!r}; `decompose runs` lists them.")
        raise UserError(f"{len(found)} runs begin with {name!r}; give more of the id.")

    def delete(self, runs: Sequence[Run]) -> None:
        """Forget runs with their checkpoints; no text of theirs stays in the file.

        Raises:
            UserError: If one of them is being worked on; nothing is forgotten then.
        """
        for run in runs:
            if is_locked(self.path, run.id):
                raise UserError(f"run {run.id} is being worked on; end it first.")
        for run in runs:
            for table in ("checkpoints", "writes"):
                if self._has(table):
                    self._db.execute(f"DELETE FROM {table} WHERE thread_id = ?", [run.id])  # noqa: S608
            self._db.execute("DELETE FROM runs WHERE id = ?", [run.id])
            lock_path(self.path, run.id).unlink(missing_ok=True)
        if runs:
            self._give_room_back()
            self._db.execute(EMPTY_THE_LOG)

    def _give_room_back(self) -> None:
        """Make the file small again if no run is left; else the next runs fill it."""
        if self._db.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is None:
            with suppress(sqlite3.Error):  # As on a full disk: what was to go is gone.
                self._db.execute("VACUUM")

    def forget_older_than(self, days: float) -> None:
        """Forget what was asked longer ago; runs that are being worked on stay."""
        old = self.list(created_before=time.time() - days * 86_400)
        self.delete([run for run in old if not is_locked(self.path, run.id)])

    def _select(self, columns: Sequence[str], where: str, *values: Any) -> Sequence[Run]:
        sql = f"SELECT {', '.join(columns)} FROM runs WHERE {where} ORDER BY created DESC"  # noqa: S608
        try:
            return [_read(row) for row in self._db.execute(sql, values)]
        except UNUSABLE as error:
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> UserError:
        return UserError(
            f"the runs file {str(self.path)!r} can't be used ({error}); "
            "mend or remove it, or ask with --no-save."
        )

    def _has(self, table: str) -> bool:
        sql = "SELECT 1 FROM sqlite_master WHERE name = ?"
        return self._db.execute(sql, [table]).fetchone() is not None

    def checkpointer(self) -> AbstractAsyncContextManager[Any]:
        """LangGraph's checkpointer on this file."""
        return open_checkpointer(self.path)


def _read(row: tuple[Any, ...]) -> Run:
    values = dict(zip(_COLUMNS, row, strict=True))
    try:
        settings = json.loads(values["settings"])
    except (TypeError, ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        return Run(**{**values, "settings": {}, "status": "damaged"})
    return Run(**{**values, "settings": settings})
