"""samples.jsonl: a line for each answered question, kept as it comes, in order at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..storage import open_private, whole_lines, write_private, writing

SAMPLES = "samples.jsonl"
SETTINGS = "evaluation.json"
Key = tuple[str, str, str]
"""System, task and item of a sample."""
GOES_ON = "; mend that and go on with --resume"
"""What to do about a file of an evaluation that can't be written, as on a full disk."""


class SampleFile:
    """The samples of one evaluation; in memory is only where each lies in the file.

    Args:
        directory: Of the evaluation.
        settings: What the samples depend on.
        resume: Go on with what is there; what failed in passing is asked again.

    Attributes:
        passing: How many were added that failed in passing, as a whole or in part.

    Raises:
        UserError: If samples are there and `resume` is False, or if they were begun with other
            settings, or the directory can't be written.
    """

    def __init__(
        self, directory: Path, settings: Mapping[str, Any], *, resume: bool = False
    ) -> None:
        self.path = directory / SAMPLES
        self.passing = 0
        self._places: dict[Key, int] = {}
        self._took: dict[Key, float] = {}
        with writing(directory):
            self._begin(directory / SETTINGS, dict(settings), resume)
            open_private(self.path)
            for at, line in whole_lines(self.path):
                self._note(line, at)
            self._file = self.path.open("ab")

    def __contains__(self, key: Key) -> bool:
        """Whether a sample is there."""
        return key in self._places

    def __len__(self) -> int:
        """How many samples are there."""
        return len(self._places)

    def _begin(self, file: Path, settings: dict[str, Any], resume: bool) -> None:
        text = json.dumps(settings, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            if self.path.exists():
                raise UserError(f"{str(self.path)!r} is no evaluation's; name another --out.")
            write_private(file, text)
        elif not resume:
            raise UserError(
                f"{str(file.parent)!r} holds an evaluation; go on with --resume, or name "
                "another --out."
            )
        elif file.read_bytes() != text.encode():
            raise UserError(
                f"{str(file.parent)!r} was begun with other systems, tasks or settings; use the "
                "same, or name another --out."
            )

    def _note(self, line: bytes, at: int) -> None:
        """Remember where a sample is, unless what kept it from an answer may have passed."""
        try:
            row = json.loads(line)
            if row["transient"]:
                self._took[_key(row)] = float(row.get("seconds", 0.0))
            else:
                self._places[_key(row)] = at
        except (ValueError, KeyError, TypeError, RecursionError):
            raise UserError(
                f"{str(self.path)!r} has a line that is no sample, {at:,} bytes from its start; "
                "remove the folder, or name another --out."
            ) from None

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep a sample; when this returns, a crash of the process can't lose it.

        What asking took before it failed in passing is part of its seconds, as of its calls.

        Raises:
            UserError: If it can't be written, as on a full disk.
        """
        if before := self._took.get(_key(row)):
            row = {**row, "seconds": round(before + row["seconds"], 4)}
        with writing(self.path, GOES_ON):
            at = self._file.tell()
            self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            self._file.flush()
        self._places[_key(row)] = at
        self.passing += bool(row["transient"])

    def _lines(self, keys: Iterable[Key]) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            for key in keys:
                file.seek(self._places[key])
                yield file.readline()

    def finish(self, keys: Iterable[Key]) -> None:
        """Put the samples into the order of the keys, at once or not at all.

        Raises:
            UserError: As `add`.
        """
        new = self.path.with_name(f".{SAMPLES}.new")
        with writing(new, GOES_ON):
            new.unlink(missing_ok=True)
            open_private(new)
            with new.open("wb") as file:
                file.writelines(self._lines(keys))
                file.flush()
                os.fsync(file.fileno())
            self._file.close()
            os.replace(new, self.path)


def _key(row: Mapping[str, Any]) -> Key:
    return row["system"], row["task"], row["id"]
