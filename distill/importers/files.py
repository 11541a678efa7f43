"""Reading the rows of foreign files: JSON, JSONL and CSV, with what is broken noted."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..records import MAX_LINE_BYTES, read_rows

_MAX_JSON_BYTES = 2_000_000_000


def file_id(path: Path) -> str:
    """How ids name a file: with its folder, wherever the data lies."""
    return f"{path.parent.name}/{path.name}"


def json_rows(path: Path, broken: list[str] | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects with their row from 0, of a JSONL file or of one JSON list.

    Raises:
        UserError: If the file can't be read, or a line is broken and `broken` is None.
    """
    listed = _starts_with_bracket(path)
    rows = enumerate(_json_list(path)) if listed else _numbered_lines(path, broken)
    for row, value in rows:
        if isinstance(value, dict):
            yield row, value
        else:
            note(path, row, "not a JSON object", broken)


def csv_rows(path: Path, broken: list[str] | None = None) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with a header, numbered from 0."""
    csv.field_size_limit(MAX_LINE_BYTES)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row, value in enumerate(csv.DictReader(file)):
                if None in value or None in value.values():
                    note(path, row, "another number of columns than the header", broken)
                else:
                    yield row, value
    except OSError as error:
        raise UserError(f"{str(path)!r} can't be read: {error.strerror}.") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{str(path)!r} is no CSV file in UTF-8: {error}.") from None


def note(path: Path, row: int, why: object, broken: list[str] | None) -> None:
    """Note a row that can't be used; without a list for that, refuse the file."""
    message = f"{path}, row {row} (from 0): {why}"
    if broken is None:
        raise UserError(f"{message}; mend it, or allow broken rows to be skipped.")
    broken.append(message)


def _numbered_lines(path: Path, broken: list[str] | None) -> Iterator[tuple[int, Any]]:
    return ((number - 1, value) for number, value in read_rows(path, broken))


def _starts_with_bracket(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(200).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    except OSError as error:
        raise UserError(f"{str(path)!r} can't be read: {error.strerror}.") from None


def _json_list(path: Path) -> list[Any]:
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise UserError(f"{str(path)!r} is over 2 GB; turn it into JSONL, a row a line.")
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"{str(path)!r} can't be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{str(path)!r} is no JSON: {error}.") from None
