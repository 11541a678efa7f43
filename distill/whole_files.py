"""Files and folders that are written whole or not at all, whenever the process dies."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import UserError
from ..storage import private


def write_text(path: Path, text: str, *, for_owner: bool = False) -> None:
    """Write a file, whole or not at all; what shows questions is for its owner alone.

    Raises:
        UserError: If it can't be written, as on a full disk.
    """
    whole, opener = written_whole(path), private if for_owner else None
    with whole as new, open(new, "w", encoding="utf-8", opener=opener) as file:
        file.write(text)


@contextmanager
def written_whole(path: Path, mark: str = "") -> Iterator[Path]:
    """A path to write to that becomes `path` at the end, or never.

    Args:
        path: The file.
        mark: Ends the other path, so that what a kill left is overwritten; by default the
            process's number does, so that two may write at once.

    Raises:
        UserError: If writing fails, as on a full disk.
    """
    temporary = path.with_name(f".{path.name}.{mark or os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        # NumPy's error for a full disk has no number: "1024 requested and 0 written".
        reason = error.strerror or "the disk is full"
        raise UserError(f"{str(path)!r} can't be written: {reason}.") from None
    finally:
        with suppress(OSError):  # As on a read-only disk, which is told already.
            temporary.unlink(missing_ok=True)


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """A path of a folder to write that becomes `path` at the end, or never."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
