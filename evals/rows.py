"""Rows of JSONL, JSON and CSV files; what is broken is noted or refused."""

from __future__ import annotations

import csv
import json
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import UserError
from ..storage import reading

MAX_LINE_BYTES = 4_000_000
"""A longer line of JSONL is refused: nobody's question is that long."""

_MAX_JSON_BYTES = 2_000_000_000


def read_rows(path: Path, broken: list[str] | None = None) -> Iterator[tuple[int, Any]]:
    """Parsed lines of a JSONL file with their numbers, from 1; blank lines are passed over.

    Args:
        path: The file.
        broken: Where to note lines that are no JSON, as `FILE:LINE: why`. Without it such
            a line is refused.

    Raises:
        UserError: If the file can't be read, or a line is broken and `broken` is None.
    """
    with _opened(path) as file:
        for number, line in enumerate(_lines(file), 1):
            if not line.strip():
                continue
            try:
                if len(line) > MAX_LINE_BYTES:
                    raise ValueError(f"over {MAX_LINE_BYTES:,} bytes")
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                refuse(f"{path}:{number}", error, broken)


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    """A file, to be read from behind its byte order mark."""
    with reading(path), path.open("rb") as file:
        head = file.peek(len(BOM_UTF8))
        refuse_utf16(head, repr(str(path)))
        if head.startswith(BOM_UTF8):
            file.read(len(BOM_UTF8))
        yield file


def refuse_utf16(data: bytes, name: str) -> None:
    """Refuse text as programs on Windows may save it: each line of it would seem broken.

    Raises:
        UserError: If data begins with its mark, or with one ASCII character in two bytes.
    """
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or data[:2].count(b"\0") == 1:
        raise UserError(f"{name} is in UTF-16; save it as UTF-8.")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines, of one that is too long only the beginning: whatever its length, it isn't held."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        yield line
        while line and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_BYTES + 1)


def json_rows(path: Path, broken: list[str] | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects with their row from 0, of a JSONL file or of one JSON list.

    Raises:
        UserError: If the file can't be read, or a line is broken and `broken` is None.
    """
    listed = is_json_list(path)
    lines = ((number - 1, value) for number, value in read_rows(path, broken))
    rows = enumerate(read_json(path)) if listed else lines
    for row, value in rows:
        if isinstance(value, dict):
            yield row, value
        else:
            note(path, row, "not a JSON object", broken)


def csv_rows(path: Path, broken: list[str] | None = None) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with a header, each with the line, from 1, on which it ends."""
    csv.field_size_limit(MAX_LINE_BYTES)
    try:
        with _opened(path) as file:
            rows = csv.DictReader(TextIOWrapper(file, encoding="utf-8", newline=""))
            for value in rows:
                line = rows.line_num
                if None in value or None in value.values():
                    why = "another number of columns than the header"
                    refuse(f"{path}:{line}", why, broken)
                else:
                    yield line, value
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{str(path)!r} is no CSV file in UTF-8: {error}.") from None


def located_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Objects of a JSONL file or of one JSON list, each with where it stands, to be named."""
    listed = is_json_list(path)
    for row, value in json_rows(path):
        yield _place(path, row, listed=listed), value


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        UserError: If it can't be read, is over 2 GB, or is no JSON.
    """
    with _opened(path) as file:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise UserError(f"{str(path)!r} is over 2 GB; turn it into JSONL, a row a line.")
        try:
            return json.loads(file.read().decode())
        except (ValueError, RecursionError) as error:
            raise UserError(f"{str(path)!r} is no JSON: {error}.") from None


def note(path: Path, row: int, why: object, broken: list[str] | None) -> None:
    """Note a row of `json_rows` that can't be used; without a list for that, refuse it."""
    refuse(_place(path, row, listed=is_json_list(path)), why, broken)


def refuse(place: str, why: object, broken: list[str] | None) -> None:
    """Note what can't be used; without a list for that, say so.

    Raises:
        UserError: If `broken` is None.
    """
    message = f"{place}: {why}"
    if broken is None:
        raise UserError(f"{message}; mend it.")
    broken.append(message)


def _place(path: Path, row: int, *, listed: bool) -> str:
    """Where a row, numbered from 0, stands: its line, or its place in a list, both from 1."""
    return f"{path}, row {row + 1}" if listed else f"{path}:{row + 1}"


def is_json_list(path: Path) -> bool:
    """Whether a file begins as one JSON list, and not as lines of JSONL."""
    with _opened(path) as file:
        return file.read(200).lstrip(b" \t\r\n").startswith(b"[")
