"""The quality table of a recipe's check: a file measured on held-out sets, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from .. import manifest
from ..processes import in_processes
from ..records import Example, read_examples
from .quality import Row, by_metric, measured

_MANY = 300
"""Questions that are worth processes, which take seconds to start."""


def quality_table(
    gguf: Path,
    held_out: dict[str, Path],
    limit: int | None,
    directory: Path,
    say: Callable[[str], None] = lambda _: None,
) -> list[dict[str, str]]:
    """Measure a file on at most `limit` questions from all over each set, or find it measured.

    Returns:
        A mapping a metric, from each set's name to its figure; see `by_metric`; none if the
        file can't be asked.

    Raises:
        UserError: If the directory holds another file's table.
    """
    about, inputs = {"evenly": limit, "sets": list(held_out)}, [gguf, *held_out.values()]
    if manifest.begin(directory, "quality", about, inputs):
        sets = {name: _evenly(read_examples(path), limit) for name, path in held_out.items()}
        rows = by_metric(_on_all(gguf, sets, say))
        if not rows:
            return []
        manifest.finish(directory, "quality", about, inputs, {"rows": rows})
    return manifest.read_manifest(directory)["counts"]["rows"]


def _on_all(gguf: Path, sets: Mapping[str, list[Example]], say: Callable[[str], None]) -> list[Row]:
    """How good a file is on each set; where there are many questions, on all sets at once."""
    if len(sets) < 2 or sum(map(len, sets.values())) < _MANY:
        return measured(gguf, sets, say)
    found: dict[str, list[Row]] = {}

    def tell(name: str, rows: list[Row]) -> None:
        found[name] = rows
        say(f"measuring on {len(sets)} held-out sets: {len(found)} are done")

    say(f"measuring on {len(sets)} held-out sets")
    jobs = {name: (gguf, {name: examples}) for name, examples in sets.items()}
    in_processes(measured, jobs, tell)
    return [row for name in sets for row in found[name]]


def _evenly(examples: Iterable[Example], limit: int | None) -> list[Example]:
    """At most so many, from all over a set, which may be sorted."""
    found = [*examples]
    if limit is None or len(found) <= limit:
        return found
    return [found[k * len(found) // limit] for k in range(limit)]
