"""Answers kept between questions and runs, in a SQLite file of the user's choosing."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..plan import Subquestion
from ..prompts import Prompts
from ..settings import expanded
from ..storage import EMPTY_THE_LOG, ERASE_WHAT_IS_DELETED, UNUSABLE
from .answers import AnswerRow
from .outputs import whole_characters
from .problem import Problem
from .solver import resolve
from .solvers import Choice
from .waiting import aside

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, question TEXT, answer TEXT, solver TEXT, added REAL, result TEXT
)"""
_COLUMNS = "key, question, answer, solver, added, result"


class AnswerCache:
    """Answers to subquestions, reused if subquestion, problem, solver and prompt are the same.

    The problem counts since a solver sees all of it: "How many did she sell?" has another
    answer in another story. If your subquestions are self-contained lookups, such as "Who
    directed Jaws?", `across_questions=True` leaves the question out, so that other questions
    about the same context find the answer, too.

    Solvers are recognised by name and, where LangChain tells them, settings; retrievers by name.
    Two functions without a name, such as two lambdas, look the same: name them, as in
    `RunnableLambda(function, name="search")`.

    Args:
        path: The SQLite file, made if missing; `":memory:"` keeps nothing on disk.
        across_questions: Share answers between questions about the same context.

    Raises:
        UserError: If the file can't be opened or isn't a cache.

    Example:
        >>> cache = AnswerCache(":memory:")
        >>> len(cache), cache.entries()
        (0, [])
    """

    def __init__(self, path: str | Path = ":memory:", *, across_questions: bool = False) -> None:
        if not isinstance(path, str | os.PathLike):
            raise UserError(f"an answer cache is the path of a file or ':memory:', not {path!r}.")
        self.across_questions = across_questions
        self._lock = threading.Lock()
        self._name = name = str(path) if str(path) == ":memory:" else str(expanded(path))
        try:
            if name != ":memory:" and not os.path.exists(name):
                # Answers may be private: nobody else may read them.
                os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600))
            self._db = sqlite3.connect(name, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA busy_timeout = 10000")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(ERASE_WHAT_IS_DELETED)
            self._db.execute(_SCHEMA)
            self._db.execute(f"SELECT {_COLUMNS} FROM answers LIMIT 1")  # noqa: S608
        except (OSError, *UNUSABLE) as error:
            raise self._unusable(error) from None

    def __bool__(self) -> bool:
        # An empty cache is one too: `if cache` asks whether there is any.
        return True

    def __len__(self) -> int:
        return int(self._run("SELECT count(*) FROM answers")[0][0])

    def entries(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest entries: `key, question, answer, solver, added` (seconds since 1970)."""
        names = ("key", "question", "answer", "solver", "added")
        sql = f"SELECT {', '.join(names)} FROM answers ORDER BY added DESC LIMIT ?"  # noqa: S608
        return [dict(zip(names, row, strict=True)) for row in self._run(sql, limit)]

    def clear(self) -> int:
        """Forget everything; returns how many answers there were."""
        count = len(self)
        self._run("DELETE FROM answers")
        with suppress(sqlite3.Error):  # As on a full disk: then the file stays large.
            self._execute("VACUUM")
        self._run(EMPTY_THE_LOG)
        return count

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def get(self, key: str) -> AnswerRow | None:
        """The result under a key; None if there is none, or one that can't be read."""
        found = self._run("SELECT result FROM answers WHERE key = ?", key)
        with suppress(ValueError, IndexError):
            row = json.loads(found[0][0])
            if isinstance(row, dict) and isinstance(row.get("answer"), str):
                return row  # type: ignore[return-value]
        return None

    async def aget(self, key: str) -> AnswerRow | None:
        """`get` without blocking the event loop."""
        return await aside(lambda: self.get(key))

    def put(self, key: str, row: AnswerRow) -> None:
        """Keep a result; one that can't be kept is asked again another time."""
        sql = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)"
        shown = (row["resolved"], row["answer"], row["solver"])
        # SQLite takes no half of a surrogate pair, which JSON replies may hold.
        texts = [whole_characters(str(text)) for text in shown]
        # The answer has been paid for: a full disk or a busy file must not lose it.
        with suppress(sqlite3.Error, TypeError, ValueError):
            self._execute(sql, key, *texts, time.time(), json.dumps(row))

    async def aput(self, key: str, row: AnswerRow) -> None:
        """`put` without blocking the event loop."""
        await aside(lambda: self.put(key, row))

    def _run(self, sql: str, *values: Any) -> list[Any]:
        try:
            return self._execute(sql, *values)
        except UNUSABLE as error:
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> UserError:
        reason = str(getattr(error, "strerror", None) or error).rstrip(".")
        return UserError(f"the answer cache {self._name!r} can't be used: {reason}.")

    def _execute(self, sql: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def key(
        self,
        problem: Problem,
        line: Subquestion,
        known: Mapping[int, AnswerRow],
        choice: Choice,
        prompts: Prompts,
        retriever: Any,
        *,
        more: Sequence[Any],
    ) -> str:
        """The key of a subquestion's answer; `more` is what else it depends on, JSON-native."""
        asked = [
            resolve(line, known),
            "" if self.across_questions else problem.question,
            problem.context,
            [[row["text"], row["answer"]] for row in known.values()],
            choice.model.identity,
            choice.samples,
            None if retriever is None else retriever.get_name(),
            [prompts["solve"].version, prompts["solve"].parts],
        ]
        asked += [extra for extra in (problem.hints, *more) if extra]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def from_cache(row: AnswerRow, line: Subquestion) -> AnswerRow:
    """A kept result as the result of a line: it took nothing this time."""
    return {**row, "id": line.id, "text": line.text, "cached": True, "usage": [], "seconds": 0.0}
