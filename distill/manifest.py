"""A step's directory and its manifest: what was done, from what, and whether it is finished."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import UserError

_NAME = "manifest.json"


def fingerprint(settings: Mapping[str, Any], inputs: Iterable[Path]) -> str:
    """A hash of a step's settings and of the bytes of the files it reads."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for path in inputs:
        digest.update(file_hash(path).encode())
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        UserError: If it can't be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{str(path)!r} can't be read: {error.strerror}.") from None


def is_finished(
    directory: Path, step: str, settings: Mapping[str, Any], inputs: Iterable[Path] = ()
) -> bool:
    """Whether the step was done before with the same settings and inputs.

    Raises:
        UserError: If the directory holds another step, or this one with other settings:
            its results would be mixed.
    """
    found = read_manifest(directory)
    if not found:
        return False
    if (found["step"], found["fingerprint"]) != (step, fingerprint(settings, inputs)):
        raise UserError(
            f"{str(directory)!r} holds the step {found['step']} with other settings or data; "
            "name another --out, or remove it."
        )
    return bool(found["finished"])


def begin(
    directory: Path, step: str, settings: Mapping[str, Any], inputs: Iterable[Path] = ()
) -> bool:
    """Open a step's directory; True if there is something left to do.

    Raises:
        UserError: As `is_finished`, or if the directory can't be written.
    """
    if is_finished(directory, step, settings, inputs := list(inputs)):
        return False
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{str(directory)!r} can't be made: {error.strerror}.") from None
    _write(directory, step, settings, inputs, finished=False, counts={})
    return True


def finish(
    directory: Path,
    step: str,
    settings: Mapping[str, Any],
    inputs: Iterable[Path] = (),
    counts: Mapping[str, Any] | None = None,
) -> None:
    """Mark a step as done; `counts` is what a person wants to know of it."""
    _write(directory, step, settings, list(inputs), finished=True, counts=counts or {})


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of a directory, {} if there is none.

    Raises:
        UserError: If it is damaged.
    """
    path = directory / _NAME
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{str(path)!r} can't be read: {error}.") from None
    if not isinstance(found, dict) or not {"step", "fingerprint", "finished"} <= found.keys():
        raise UserError(f"{str(path)!r} is no manifest.")
    return found


def _write(
    directory: Path,
    step: str,
    settings: Mapping[str, Any],
    inputs: list[Path],
    finished: bool,
    counts: Mapping[str, Any],
) -> None:
    row = {
        "step": step,
        "version": __version__,
        "finished": finished,
        "settings": settings,
        "inputs": {path.name: file_hash(path) for path in inputs},
        "fingerprint": fingerprint(settings, inputs),
        "counts": counts,
    }
    write_text(directory / _NAME, json.dumps(row, indent=2, default=str) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file, whole or not at all.

    Raises:
        UserError: If it can't be written, as on a full disk.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{str(path)!r} can't be written: {error.strerror}.") from None
    finally:
        temporary.unlink(missing_ok=True)
