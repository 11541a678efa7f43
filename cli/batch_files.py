"""The files of a batch: rows to ask, results as they come, and the finished file in order."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import UserError, describe_error
from ..evals.rows import refuse_utf16
from ..nodes.problem import Problem
from ..nodes.usage import is_usage
from ..settings import expanded
from ..storage import open_private, reading, writing

_MAX_LINE = 40_000_000
_MODELS = ("decomposer", "solver", "composer", "verifier", "refs")
"""Settings that may be others when what failed is asked again: its graph stays the same."""
_DAMAGED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What a line of results raises that isn't as it was written."""


@dataclass(frozen=True)
class Row:
    """A line of the input; `problem` is None, and `error` says why, if it can't be asked.

    `earlier` is how many rows before it ask the same.
    """

    number: int
    name: Any
    problem: Problem | None
    error: str = ""
    earlier: int = 0

    @cached_property
    def key(self) -> str:
        """What the row's result is found by: what is asked, wherever the row stands."""
        asked = [self.earlier, self.problem.question, self.problem.context] if self.problem else []
        return _hash(asked)[:24]


def read_rows(name: str) -> list[Row]:
    """The rows of a JSONL file; `-` is stdin. Empty lines are left out.

    Raises:
        UserError: If the file can't be read, is a JSON list, or holds no row at all.
    """
    try:
        data = sys.stdin.buffer.read() if name == "-" else expanded(name).read_bytes()
    except OSError as error:
        raise UserError(f"the questions {name!r} can't be read: {error.strerror}.") from None
    refuse_utf16(data, f"the file of questions {name!r}")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if _is_list(data):
        raise UserError(f"{name!r} is one JSON list; put each of its rows on a line of its own.")
    lines = data.splitlines()
    rows = [_row(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise UserError(f'{name!r} holds no questions; a line is {{"question": "..."}}.')
    return _numbered(rows)


def _is_list(data: bytes) -> bool:
    """Whether it is JSON as a whole: by line, only what happens to stand on one would be asked."""
    try:
        return data.lstrip().startswith(b"[") and isinstance(json.loads(data), list)
    except (ValueError, RecursionError):
        return False


def _numbered(rows: list[Row]) -> list[Row]:
    """The rows, those that ask the same told apart."""
    seen: Counter[str] = Counter()
    found: list[Row] = []
    for row in rows:
        found.append(replace(row, earlier=seen[row.key]))
        seen[row.key] += 1
    return found


def _row(number: int, line: bytes) -> Row:
    name: Any = None
    try:
        if len(line) > _MAX_LINE:
            raise ValueError("it is too long")
        value = json.loads(line)
        if isinstance(value, str):
            value = {"question": value}
        if not isinstance(value, dict) or "question" not in value:
            raise ValueError('it has no "question"')
        name = _written(value.get("id"))
        asked = {"question": value["question"], "context": value.get("context")}
        return Row(number, name, Problem.of(asked))
    except UnicodeError:
        return Row(number, None, None, "it isn't UTF-8")
    except (ValueError, RecursionError) as error:
        reason = "it isn't JSON" if isinstance(error, json.JSONDecodeError) else str(error)
        return Row(number, name, None, reason)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _written(name: Any) -> Any:
    """An id, if it can be written as JSON."""
    try:
        json.dumps(name, allow_nan=False)
    except ValueError:
        raise ValueError('its "id" is a number that JSON has no word for') from None
    json.dumps(name, ensure_ascii=False).encode()
    return name


class Results:
    """Results of a batch, one line each as they come, beside the file they will end in.

    Args:
        out: The finished file.
        settings: What the results depend on; a batch that was begun with others isn't mixed.

    Attributes:
        begun: Whether there was a batch to go on with, or this one has begun.

    Raises:
        UserError: If a batch with other settings was begun, or a file can't be read or written.
    """

    def __init__(self, out: Path, settings: dict[str, Any]) -> None:
        self.out = out
        self.part = out.with_name(f"{out.name}.part")
        self.state = out.with_name(f"{out.name}.state.sqlite")
        self.done: dict[str, dict[str, Any]] = {}
        self._header = json.dumps({"batch": 1, "settings": settings}, sort_keys=True)
        self._shape = _hash({n: value for n, value in settings.items() if n not in _MODELS})[:8]
        self.begun = False
        if self.part.exists():
            self._read()
        else:
            open_private(self.part)
        with writing(self.part):
            # Also on Windows: `_read` compares the header to the byte.
            self._file = self.part.open("a", encoding="utf-8", newline="\n")

    def leave_out_others(self, rows: list[Row], good: Iterable[str]) -> int:
        """Drop results of questions that the input has no more; returns how many.

        Args:
            rows: The input.
            good: Keys of further results, those of an earlier batch.

        Raises:
            UserError: If none is left: it's another input, whose results would replace these.
        """
        found = {*self.done, *good}
        others = found - {row.key for row in rows if row.problem}
        if others and others == found:
            if not self.begun:
                self._file.close()  # Windows removes no open file.
                self.part.unlink(missing_ok=True)
            raise UserError(
                f"{str(self.out)!r} was begun with other questions; use the same, or name "
                "another --out."
            )
        self.done = {key: result for key, result in self.done.items() if key not in others}
        return len(others)

    def thread(self, row: Row) -> str:
        """Names the row's state: of a graph of this shape, since no other can go on with it."""
        return f"{row.key}-{self._shape}"

    def begin(self) -> None:
        """Say with which settings; before that, they may still turn out to be wrong."""
        if not self.begun:
            self._write(self._header)
            self.begun = True

    def _read(self) -> None:
        with reading(self.part):
            data = self.part.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            # The last line was cut short by a crash.
            with self.part.open("r+b") as file:
                file.truncate(len(whole))
        # Only a newline ends a line here: JSON may hold other separators as they are.
        lines = whole.decode(errors="replace").split("\n")[:-1]
        if lines and lines[0] != self._header:
            raise UserError(
                f"{str(self.out)!r} was begun with other models or settings; use the same, "
                f"or remove {self.part.name!r} to begin anew."
            )
        self.begun = bool(lines)
        for line in lines[1:]:
            try:
                entry = json.loads(line)
                self.done[entry["key"]] = _whole(entry["result"])
            except _DAMAGED:
                raise UserError(
                    f"{str(self.part)!r} is damaged; remove it to ask its rows again."
                ) from None

    def add(self, row: Row, result: dict[str, Any]) -> None:
        """Keep a row's result; when this returns, a crash can't lose it."""
        self.begin()
        self.done[row.key] = result
        self._write(json.dumps({"key": row.key, "result": result}, ensure_ascii=False))

    def _write(self, line: str) -> None:
        with writing(self.part):
            self._file.write(line + "\n")
            self._file.flush()

    def finish(self, rows: list[Row]) -> None:
        """Write the finished file, in the order of the rows, at once or not at all.

        Raises:
            UserError: If it can't be written.
        """
        self._file.close()
        with writing(self.out):
            self._write_all(rows)
        self.part.unlink(missing_ok=True)
        if all(result["status"] == "ok" for result in self.done.values()):
            self.forget_state()

    def _write_all(self, rows: list[Row]) -> None:
        new = self.out.with_name(f"{self.out.name}.new")
        new.unlink(missing_ok=True)
        open_private(new)
        with new.open("w", encoding="utf-8") as file:
            for line in self._lines(rows):
                file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.out)

    def forget_state(self) -> None:
        """Remove what a batch keeps beside its results."""
        for suffix in ("", "-wal", "-shm"):
            self.state.with_name(self.state.name + suffix).unlink(missing_ok=True)

    def _lines(self, rows: list[Row]) -> Iterator[str]:
        for row in rows:
            about = {"row": row.number, **({"id": row.name} if row.name is not None else {})}
            if row.problem is None:
                error = describe_error(UserError(row.error))
                result: dict[str, Any] = {"status": "invalid", "error": error, "answer": None}
            else:
                asked = {"key": row.key, "question": row.problem.question}
                result = {**asked, **self.done[row.key]}
            yield json.dumps({**about, **result}, ensure_ascii=False)


def _whole(result: dict[str, Any]) -> dict[str, Any]:
    """A result that was read, if what is counted of it is there; else one of `_DAMAGED`."""
    if not (all(map(is_usage, result["usage"])) and isinstance(result["status"], str)):
        raise ValueError
    return result


def good_results(out: Path) -> dict[str, dict[str, Any]]:
    """Results with status ok of a finished file, by the key of their row.

    Raises:
        UserError: If it isn't the result of a batch.
    """
    try:
        # The last line may have lost its end in an editor.
        lines = out.read_text(encoding="utf-8").split("\n")
        entries = [json.loads(line) for line in lines if line.strip()]
        return {e.pop("key"): _whole(e) for e in entries if e["status"] == "ok"}
    except (OSError, *_DAMAGED):
        raise UserError(f"{str(out)!r} isn't the result of a batch.") from None
