"""The replies that a teacher was paid for, kept as they come, so that no crash loses one.

The file is only ever appended to. A line is one of

    {"call": "decomposer"}              a request that is about to be made
    {"key": "...", "value": {...}}      its reply, or why it can't be used, with what it took
    {"failed": {...}}                   a question that was given up for now, and why

`nodes/calls.py` looks into it before it asks, and puts every reply into it, as into the
journal of a graph.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from ...errors import UserError
from ...nodes.journal import PASSING
from ...nodes.replies import read_value, recorded_error
from ...nodes.usage import UsageRow, add_usage, is_usage, known_sum
from ...nodes.waiting import aside
from ...storage import locked, whole_lines
from ..manifest import REPLIES


class ReplyStore:
    """Replies by key, in a directory that one process at a time works in.

    Attributes:
        calls: Requests begun so far, over all runs.
        replies: Replies kept so far, usable or not.
        new: Those of them that came in this run.
        usage: What they took.
        damaged: Lines that can't be read, as after a disk error; they are asked again.

    Raises:
        UserError: If another process holds it, or it can't be read or written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, ReplyStore(Path(folder)) as store:
        ...     store.note_call("decomposer")
        ...     store.calls, store.get("no such key")
        (1, None)
    """

    retry_failed = False
    """As of a journal: no failure is kept here, so that none is asked for again on demand."""

    def __init__(self, directory: Path) -> None:
        self.calls = self.new = self.damaged = 0
        self.usage: list[UsageRow] = []
        self._values: dict[str, Any] = {}
        self._path = directory / REPLIES
        self._synced, self._syncing = 0, asyncio.Lock()
        self._held = ExitStack()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            busy = f"{str(directory)!r} can't be used: another process works in it."
            self._held.enter_context(locked(self._path, "collect", busy))
            # Windows would write two bytes for each line end, and `_size` would be wrong.
            binary = getattr(os, "O_BINARY", 0)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | binary
            self._file = os.open(self._path, flags, 0o600)
            self._size = self._read()
        except OSError as error:
            raise UserError(f"{str(directory)!r} can't be used: {error.strerror}.") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
        self._held.close()

    @property
    def replies(self) -> int:
        """How many replies there are."""
        return len(self._values)

    def totals(self) -> dict[str, float | None]:
        """Tokens and cost of all replies; None where a model didn't report them."""
        columns = ("input_tokens", "output_tokens", "cost")
        return {name: known_sum(*(row[name] for row in self.usage)) for name in columns}

    def get(self, key: str) -> Any:
        """The reply under a key; None if there is none."""
        return self._values.get(key)

    def note_call(self, role: str) -> None:
        """Note a request that is about to be made: it may be charged, whatever comes of it."""
        self._append({"call": role})
        self.calls += 1

    def note_failure(self, question: str, attempt: int, error: Mapping[str, Any]) -> None:
        """Note why a question was given up, for whoever looks into the file."""
        self._append({"failed": {"id": question, "attempt": attempt, **error}})

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep a reply; when this returns, not even a power cut can lose it."""
        self._keep(key, value)
        self._sync()

    async def aput(self, key: str, value: Mapping[str, Any]) -> None:
        """`put` for the event loop; one wait for the disk serves all who wait by then."""
        self._keep(key, value)
        end = self._size
        async with self._syncing:
            if self._synced < end:
                size = self._size
                await aside(self._sync)
                self._synced = size

    def _keep(self, key: str, value: Mapping[str, Any]) -> None:
        self._append({"key": key, "value": value})
        self.new += self._take(key, value)

    def _take(self, key: str, value: Any) -> bool:
        """Count what a value took, and remember it if it is to be found again."""
        final = not key.startswith(PASSING)
        if final:
            # Here, so that a damaged value is found when the file is read.
            recorded_error(value) if "error" in value else read_value(value)
        usage = value["usage"]
        taken = usage if isinstance(usage, list) else [usage]
        if not all(map(is_usage, taken)):  # Summed, it would spoil the lines behind it.
            raise ValueError
        self.usage = add_usage(self.usage, taken)
        if final:
            self._values[key] = value
        return final

    def _append(self, row: Mapping[str, Any]) -> None:
        line = memoryview(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        size = self._size + len(line)
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            # Half a line would spoil the next one.
            os.ftruncate(self._file, self._size)
            raise self._unwritable(error) from None
        self._size = size

    def _sync(self) -> None:
        try:
            os.fsync(self._file)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(
            f"{str(self._path)!r} can't be written: {error.strerror}; what was kept is safe, "
            "mend that and run the same again."
        )

    def _read(self) -> int:
        """Read all whole lines; returns the bytes that they take."""
        size = 0
        for begin, line in whole_lines(self._path):
            size = begin + len(line)
            try:
                self._read_line(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                self.damaged += 1
        return size

    def _read_line(self, row: Any) -> None:
        if "call" in row:
            self.calls += 1
        elif "key" in row:
            self._take(row["key"], row["value"])
