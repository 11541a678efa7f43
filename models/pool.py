"""One loaded copy of a model per file and settings, each with a thread of its own.

A `llama.cpp` context must never be used by two threads at once, and a call may take
seconds: so every call is queued on the engine's one thread, and callers wait on a future,
blocking (sync) or not (async). Waiting callers hold no thread of any other pool.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .forks import ForkedLock, in_forks

if TYPE_CHECKING:
    from .engine import Engine

T = TypeVar("T")
_THREADS = "gguf"


@dataclass(frozen=True)
class EngineSettings:
    """What makes one loaded copy of a file differ from another.

    Attributes:
        path: The file.
        n_ctx: Context in tokens; None takes the trained length, at most 8,192.
        n_gpu_layers: Layers on the GPU; None takes all if the build has GPU support.
        n_threads: CPU threads; None chooses by cores and model size.
        version: What `file_version` says of the file: another file in its place is loaded anew.
    """

    path: str
    n_ctx: int | None = None
    n_gpu_layers: int | None = None
    n_threads: int | None = None
    version: tuple[int, int] | None = None


def file_version(path: str) -> tuple[int, int] | None:
    """Size and time of change of a file; None if there is none, which its loading will tell."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns


_lock = ForkedLock()
_loaded: dict[EngineSettings, _Worker] = {}


class _Worker:
    """An engine, loaded on first use, and the thread that it lives on."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self.holders: weakref.WeakSet[EngineHandle] = weakref.WeakSet()
        self._engine: Engine | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=_THREADS)

    def submit(self, job: Callable[[Engine], T]) -> Future[T]:
        return self._thread.submit(lambda: job(self._ready()))

    def _ready(self) -> Engine:
        if self._engine is None:
            from .engine import Engine

            self._engine = Engine(self.settings)
        return self._engine

    def close(self, *, wait: bool = True) -> None:
        self._thread.submit(self.free)
        self._thread.shutdown(wait=wait)

    def free(self) -> None:
        """Free the memory, on the engine's thread or after its end."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None


class EngineHandle:
    """A share in a loaded engine; the last `close` frees the memory.

    Shares that were dropped without it keep the file loaded until another one is: whoever
    makes the same model again and again doesn't load it each time.

    Example:
        >>> handle = EngineHandle(EngineSettings("model.gguf"))  # doctest: +SKIP
        >>> handle.submit(lambda engine: engine.n_ctx).result()  # doctest: +SKIP
        >>> handle.close()  # doctest: +SKIP
    """

    def __init__(self, settings: EngineSettings) -> None:
        self._open = True
        self._process = os.getpid()
        with _lock:
            unused = [] if settings in _loaded else [w for w in _loaded.values() if not w.holders]
            for worker in unused:
                _loaded.pop(worker.settings).close(wait=False)
            self._worker = _loaded.setdefault(settings, _Worker(settings))
            self._worker.holders.add(self)

    @property
    def usable(self) -> bool:
        """False in a forked process, which has the model's memory but not its thread."""
        return self._process == os.getpid()

    def submit(self, job: Callable[[Engine], T]) -> Future[T]:
        """Queue a job on the engine's thread; loads the model first if need be."""
        return self._worker.submit(job)

    def close(self) -> None:
        """Give up the share, waiting for running jobs if it is the last; may be repeated."""
        with _lock:
            if not self._open or not self.usable:
                return
            self._open = False
            self._worker.holders.discard(self)
            last = not self._worker.holders
            if last:
                _loaded.pop(self._worker.settings, None)
        if last:
            self._worker.close()


def _free_all() -> None:
    """Free what is still loaded when the interpreter ends, after its threads have.

    On a Mac's GPU llama.cpp aborts a process that exits with a model loaded: the answer would
    be followed by a crash report.
    """
    if any(thread.name.startswith(_THREADS) for thread in threading.enumerate()):
        return  # A second Ctrl-C has left one at work.
    for worker in [*_loaded.values()]:
        worker.free()


atexit.register(_free_all)
in_forks(_loaded.clear)
