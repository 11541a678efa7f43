"""All sources of a recipe: large ones side by side, in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from ..errors import UserError
from .manifest import read_manifest
from .source_options import GenerateOptions
from .sources import ExampleSource, is_made, make_source, source_inputs

Say = Callable[[str], None]

_BYTES = 1_000_000
"""What a source reads at least to be worth a process, which takes a second to start."""
_QUESTIONS = 3_000
"""What it makes up at least, likewise."""


def make_sources(
    sources: Mapping[str, ExampleSource], data: Path, out: Path, say: Say = lambda _: None
) -> dict[str, Path]:
    """Make the sources that aren't made yet; returns each one's file.

    Those that a teacher is asked for come last: mistakes in the others show before it is paid.

    Args:
        sources: What to make, by name.
        data: The folder that relative paths of data sets start from.
        out: Where; each source has the directory of its name below it.
        say: Gets a line now and then.

    Raises:
        UserError: If data is missing or broken, or a directory holds another source; what is
            made stays made.
    """
    unmade = {
        name: source for name, source in sources.items() if not is_made(source, data, out / name)
    }
    large = {name: source for name, source in unmade.items() if _is_large(source, data)}
    if len(large) > 1:
        _side_by_side(large, data, out, say)
    last = sorted(sources, key=lambda name: sources[name].way == "collect")
    files = {name: make_source(sources[name], data, out / name, say, say) for name in last}
    return {name: files[name] for name in sources}


def _is_large(source: ExampleSource, data: Path) -> bool:
    options = source.checked_options()
    if isinstance(options, GenerateOptions):
        return options.count >= _QUESTIONS
    size = sum(path.stat().st_size for path in source_inputs(source, data))
    return source.way != "collect" and size >= _BYTES


def _side_by_side(sources: Mapping[str, ExampleSource], data: Path, out: Path, say: Say) -> None:
    """Make sources in as many processes as there are cores, the first ones first."""
    affinity = getattr(os, "sched_getaffinity", None)
    workers = min(len(sources), len(affinity(0)) if affinity else os.cpu_count() or 1)
    say(f"making {len(sources)} sources in {workers} processes")
    context = multiprocessing.get_context("spawn")  # A fork may copy a lock that is held.
    with ProcessPoolExecutor(workers, context, _follow_parent) as pool:
        names = {
            pool.submit(_make, source, data, out / name): name for name, source in sources.items()
        }
        try:
            for done, future in enumerate(as_completed(names), 1):
                for line in future.result():
                    say(line)
                name = names[future]
                count = read_manifest(out / name)["counts"]["examples"]
                say(f"{name} has {count:,} examples; {done} of {len(names)} sources are made")
        except BrokenProcessPool:
            raise UserError(
                "a process that made a source was ended from outside, perhaps for its memory; "
                "run the same again, the sources that are made stay made."
            ) from None
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()  # Leaving would wait for what they are at.
            raise


def _make(source: ExampleSource, data: Path, directory: Path) -> list[str]:
    """What a process does: make a source; returns what is to be said of it."""
    said: list[str] = []
    make_source(source, data, directory, said.append)
    return said


def _follow_parent() -> None:
    """End with the process that started this one, which alone is asked to stop by Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if parent := multiprocessing.parent_process():

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()
