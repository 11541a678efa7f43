"""Long jobs that don't hang on each other, side by side in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from ..errors import UserError

T = TypeVar("T")


def in_processes(
    work: Callable[..., T], jobs: Mapping[str, tuple[Any, ...]], done: Callable[[str, T], None]
) -> None:
    """Do a job in as many processes as there are cores, the first ones first.

    The processes import the main script, as `multiprocessing` has it: one that calls this keeps
    what it does under `if __name__ == "__main__"`.

    Args:
        work: A function of a module.
        jobs: What it is called with, by name.
        done: Gets each name and result as it comes.

    Raises:
        UserError: If the work raises it, or a process was ended from outside.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    workers = min(len(jobs), len(affinity(0)) if affinity else os.cpu_count() or 1)
    others = {*multiprocessing.active_children()}
    context = multiprocessing.get_context("spawn")  # A fork may copy a lock that is held.
    with ProcessPoolExecutor(workers, context, _follow_parent) as pool:
        names = {pool.submit(work, *job): name for name, job in jobs.items()}
        try:
            for future in as_completed(names):
                done(names[future], future.result())
        except BrokenProcessPool:
            raise UserError(
                "a process was ended from outside, perhaps for its memory: run the same again, "
                "what is done stays done (a script of yours that calls this does so under "
                "`if __name__ == '__main__'`)."
            ) from None
        except BaseException:
            for process in {*multiprocessing.active_children()} - others:
                process.terminate()  # Leaving would wait for what they are at.
            raise


def _follow_parent() -> None:
    """End with the process that started this one, which alone is asked to stop by Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if parent := multiprocessing.parent_process():

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()
