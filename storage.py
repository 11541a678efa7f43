"""Private files, locks and checkpoints on disk, shared by whatever keeps long work."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

from .errors import UserError

ERASE_WHAT_IS_DELETED = "PRAGMA secure_delete = ON"
"""Else SQLite, as many systems build it, leaves deleted texts in the file until it needs room."""
EMPTY_THE_LOG = "PRAGMA wal_checkpoint(TRUNCATE)"
"""Else they stay in the file's `-wal` for as long as a process has it open."""

UNUSABLE = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises at a file; the latter where its message quotes a name that is damaged."""


class BusyError(UserError):
    """A run that another process works on."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Tell of a file that can't be read.

    Raises:
        UserError: If that is so.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{str(path)!r} can't be read: {error.strerror}.") from None


@contextmanager
def writing(path: Path, advice: str = "") -> Iterator[None]:
    """Tell of a file that can't be written, as on a full disk.

    Raises:
        UserError: If that is so; `advice` says what to do.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{str(path)!r} can't be written: {error.strerror}{advice}.") from None


def private(path: str, flags: int) -> int:
    """Opener for `open`: a file that it makes is its owner's alone."""
    return os.open(path, flags, 0o600)


def open_private(path: Path) -> None:
    """Make a file that only its owner can read, if it isn't there.

    One that is there isn't even opened: closing it would drop this process's SQLite locks.

    Raises:
        UserError: If it can't be made.
    """
    with writing(path):
        if not path.exists():
            os.close(private(str(path), os.O_CREAT | os.O_RDWR))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, at once or not at all.

    Raises:
        UserError: If it can't be written.
    """
    new = path.with_name(f".{path.name}.new")
    with writing(path):
        new.unlink(missing_ok=True)
        open_private(new)
        new.write_text(text, encoding="utf-8", newline="\n")
        os.replace(new, path)


def whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines of a file that is only added to, each with the byte that it begins at.

    A last one that a crash has cut short was never counted as kept, and is removed.
    """
    with path.open("r+b") as file:
        begin = 0
        for line in file:
            if not line.endswith(b"\n"):
                file.truncate(begin)
                break
            yield begin, line
            begin += len(line)


@asynccontextmanager
async def open_checkpointer(path: Path) -> AsyncIterator[Any]:
    """LangGraph's SQLite checkpointer, which waits if another process is writing."""
    import aiosqlite
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    open_private(path)
    async with aiosqlite.connect(path, timeout=30) as db:
        # Safe against a killed process; a power cut may lose the last moments, no more.
        await db.execute("PRAGMA synchronous = NORMAL")
        await db.execute(ERASE_WHAT_IS_DELETED)
        yield AsyncSqliteSaver(db)


def lock_path(path: Path, name: str) -> Path:
    """The file whose lock says that somebody works on a run."""
    return path.with_name(f"{path.name}.{name}.lock")


@contextmanager
def locked(path: Path, name: str, busy: str) -> Iterator[None]:
    """Hold a run's lock; the operating system releases it however the process ends.

    It is a SQLite lock on an empty file: that works on every system, without a library.

    Raises:
        BusyError: With the message `busy`, if another process holds it.
        UserError: If it can't be taken for another reason, such as a full disk.
    """
    file = lock_path(path, name)
    open_private(file)
    with closing(_taken(file, busy)):
        yield


def _taken(file: Path, busy: str) -> sqlite3.Connection:
    db: sqlite3.Connection | None = None
    try:
        # `is_locked` holds it for a moment; whoever works on a run holds it for long.
        db = sqlite3.connect(file, isolation_level=None, timeout=0.5)
        db.execute("BEGIN EXCLUSIVE")
        return db
    except sqlite3.Error as error:
        if db is not None:
            db.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise BusyError(busy) from None
        raise UserError(f"the lock {str(file)!r} can't be taken: {error}.") from None


def is_locked(path: Path, name: str) -> bool:
    """Whether another process holds a run's lock."""
    if not lock_path(path, name).exists():
        return False
    try:
        with locked(path, name, "busy"):
            return False
    except BusyError:
        return True
