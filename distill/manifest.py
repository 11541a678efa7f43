"""A step's directory and its manifest: what was done, from what, and whether it is finished."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import UserError
from ..storage import locked, reading
from .whole_files import write_text

REPLIES = "replies.jsonl"
"""The file of a teacher's replies: paid for, so that nobody is told to remove it."""

_NAME = "manifest.json"
_NOT_RESULTS = {
    *("call_timeout", "concurrency", "max_calls", "max_cost", "identity"),
    *("compile", "gradient_checkpointing", "log_every", "micro_tokens", "save_every", "threads"),
}
"""Settings that say how a step is done and not what comes of it: they may change on the way.
What a teacher's name stands for, `identity`, is compared by `collect` itself."""


def fingerprint(settings: Mapping[str, Any], inputs: Iterable[Path]) -> str:
    """A hash of what decides a step's results: its settings, and the bytes of what it reads.

    A setting that names an input, or the folder of inputs, counts by what is in there: the same
    file may be named in another way.
    """
    return _fingerprint(settings, {path: file_hash(path) for path in inputs})


def _fingerprint(settings: Mapping[str, Any], hashes: Mapping[Path, str]) -> str:
    contents = {path.parent: "" for path in hashes}
    for path, found in hashes.items():
        contents[path.parent] += found
    what = json.dumps(_deciding(settings, {**contents, **hashes}), sort_keys=True, default=str)
    return hashlib.sha256("".join([what, *hashes.values()]).encode()).hexdigest()


def _deciding(value: Any, contents: Mapping[Path, str]) -> Any:
    if isinstance(value, Mapping):
        kept = {k: v for k, v in value.items() if k not in _NOT_RESULTS}
        return {k: _deciding(v, contents) for k, v in kept.items()}
    if isinstance(value, list | tuple):
        return [_deciding(item, contents) for item in value]
    if isinstance(value, str) and value:
        return contents.get(Path(os.path.expanduser(value.removeprefix("gguf:"))), value)
    return value


def file_hash(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        UserError: If it can't be read.
    """
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_finished(
    directory: Path,
    step: str,
    settings: Mapping[str, Any],
    inputs: Iterable[Path] = (),
    anew: bool = False,
    outputs: Iterable[str] = (),
) -> bool:
    """Whether the step was done before with the same settings and inputs.

    Args:
        directory: The step's.
        step: Its name.
        settings: What it is done with.
        inputs: Files that it reads.
        anew: Whether what it left with other settings may be overwritten.
        outputs: Names of what it leaves there; if one was taken away since, it is made again.

    Raises:
        UserError: If the directory holds another step, or this one with other settings:
            its results would be mixed.
    """
    found = read_manifest(directory)
    if not found:
        return False
    same = found["fingerprint"] == fingerprint(settings, inputs)
    if found["step"] == step and (same or anew or _nothing_came(directory, found)):
        there = all((directory / name).exists() for name in outputs)
        return same and there and bool(found["finished"])
    remove = "" if holds_replies(directory) else "remove that directory, or "
    raise UserError(
        f"{str(directory)!r} holds the step {found['step']} with other settings or data; "
        f"{remove}name another --out."
    )


def begin(
    directory: Path,
    step: str,
    settings: Mapping[str, Any],
    inputs: Iterable[Path] = (),
    anew: bool = False,
    outputs: Iterable[str] = (),
) -> bool:
    """Open a step's directory; True if there is something left to do.

    Raises:
        UserError: As `is_finished`, or if the directory can't be written or has files of these
            names that no step wrote.
    """
    if is_finished(directory, step, settings, inputs := list(inputs), anew, outputs):
        return False
    refuse_what_was_there(directory, outputs)
    make(directory)
    _write(directory, step, settings, inputs, finished=False, counts={})
    return True


@contextmanager
def alone(directory: Path, step: str, outputs: Iterable[str]) -> Iterator[None]:
    """Keep other processes from doing a step in its directory; a finished one is left alone by all.

    Raises:
        UserError: If one does, or the directory can't be made or has files of the names of the
            outputs that no step wrote.
    """
    if read_manifest(directory).get("finished"):
        yield
        return
    refuse_what_was_there(directory, outputs)
    make(directory)
    busy = f"another process {step}s in {str(directory)!r}; wait for it, or name another --out."
    with locked(directory / f".{step}", "run", busy):
        yield


def make(directory: Path) -> None:
    """Make a step's directory.

    Raises:
        UserError: If it can't be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{str(directory)!r} can't be made: {error.strerror}.") from None


def refuse_own_input(output: Path, inputs: Iterable[Path]) -> None:
    """Keep a step from writing its results over what it reads.

    Raises:
        UserError: If one of its inputs is the file that it writes.
    """
    if output.resolve() in {path.resolve() for path in inputs}:
        raise UserError(f"{str(output)!r} would be written over itself; name another --out.")


def refuse_own_folder(directory: Path, folders: Iterable[Path]) -> None:
    """Keep a step's directory apart from folders that it reads: it may have to be removed.

    Raises:
        UserError: If it is one of them.
    """
    if directory.resolve() in {folder.resolve() for folder in folders}:
        raise UserError(f"{str(directory)!r} is a folder that is read here; name another --out.")


def refuse_what_was_there(directory: Path, names: Iterable[str]) -> None:
    """Keep files in a directory that no step has written to: they would be replaced.

    Raises:
        UserError: If there is one.
    """
    there = [path for path in (directory / name for name in names) if path.exists()]
    if there and not read_manifest(directory):
        raise UserError(
            f"{str(there[0])!r} was there before, not made here; move it away, or name another "
            "--out."
        )


def holds_replies(directory: Path) -> bool:
    """Whether replies that were paid for lie in a directory or below it."""
    return any(directory.rglob(REPLIES))


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
    except OSError as error:
        raise UserError(f"{str(path)!r} can't be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{str(path)!r} can't be read: {error}.") from None
    known = isinstance(found, dict) and {"step", "fingerprint", "finished"} <= found.keys()
    if not known or not isinstance(found.get("counts"), dict):
        raise UserError(f"{str(path)!r} is no manifest.")
    return found


def _nothing_came(directory: Path, found: Mapping[str, Any]) -> bool:
    """Whether a step failed before it wrote anything, as for a mistake in what it was given."""
    kept = (path for path in directory.iterdir() if not path.suffix.startswith(".lock"))
    return not found["finished"] and all(path.name == _NAME for path in kept)


def _write(
    directory: Path,
    step: str,
    settings: Mapping[str, Any],
    inputs: list[Path],
    finished: bool,
    counts: Mapping[str, Any],
) -> None:
    hashes = {path: file_hash(path) for path in inputs}
    row = {
        "step": step,
        "version": __version__,
        "finished": finished,
        "settings": settings,
        "inputs": {name: hashes[path] for path, name in names(inputs).items()},
        "fingerprint": _fingerprint(settings, hashes),
        "counts": counts,
    }
    write_text(directory / _NAME, json.dumps(row, indent=2, default=str) + "\n")


def _folder_and_name(path: Path) -> str:
    return "/".join(path.parts[-2:])


def names(
    paths: Iterable[Path], short: Callable[[Path], str] = _folder_and_name
) -> dict[Path, str]:
    """What each file is called: briefly, or by its whole path where that isn't unique.

    Example:
        >>> [*names([Path("a/x/1.txt"), Path("b/x/1.txt"), Path("a/x/2.txt")]).values()]
        ['a/x/1.txt', 'b/x/1.txt', 'x/2.txt']
    """
    called = {path: short(path) for path in paths}
    taken = Counter(called.values())
    return {path: name if taken[name] == 1 else str(path) for path, name in called.items()}
