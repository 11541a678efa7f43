"""All sources of a recipe: large ones side by side, in processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from .manifest import read_manifest
from .processes import in_processes
from .source_files import source_inputs
from .source_options import GenerateOptions
from .sources import ExampleSource, is_made, make_source

Say = Callable[[str], None]

_BYTES = 1_000_000
"""What a source reads at least to be worth a process, which takes a second to start."""
_QUESTIONS = 3_000
"""What it makes up at least, likewise."""


def make_sources(
    sources: Mapping[str, ExampleSource], data: Path, out: Path, say: Say = lambda _: None
) -> dict[str, Path]:
    """Make the sources that aren't made yet, each in its own folder of `out`; returns their files.

    Those that a teacher is asked for come last: mistakes in the others show before it is paid.

    Raises:
        UserError: If data is missing or broken, or a directory holds another source; what is
            made stays made.
    """
    unmade = {
        name: source for name, source in sources.items() if not is_made(source, data, out / name)
    }
    large = {name: source for name, source in unmade.items() if _is_large(source, data)}
    if len(large) > 1:
        _make_large(large, data, out, say)
    last = sorted(sources, key=lambda name: sources[name].way == "collect")
    files = {name: make_source(sources[name], data, out / name, say, say) for name in last}
    return {name: files[name] for name in sources}


def _is_large(source: ExampleSource, data: Path) -> bool:
    options = source.checked_options()
    if isinstance(options, GenerateOptions):
        return options.count >= _QUESTIONS
    size = sum(path.stat().st_size for path in source_inputs(source, data))
    return source.way != "collect" and size >= _BYTES


def _make_large(sources: Mapping[str, ExampleSource], data: Path, out: Path, say: Say) -> None:
    made: list[str] = []

    def tell(name: str, said: list[str]) -> None:
        made.append(name)
        count = read_manifest(out / name)["counts"]["examples"]
        for line in said:
            say(line)
        say(f"{name} has {count:,} examples; {len(made)} of {len(sources)} sources are made")

    say(f"making {len(sources)} sources side by side")
    in_processes(_make, {name: (s, data, out / name) for name, s in sources.items()}, tell)


def _make(source: ExampleSource, data: Path, directory: Path) -> list[str]:
    """What a process does: make a source; returns what is to be said of it."""
    said: list[str] = []
    make_source(source, data, directory, said.append)
    return said
