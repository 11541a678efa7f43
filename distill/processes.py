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

K = TypeVar("K")
T = TypeVar("T")


def rank_and_world() -> tuple[int, int]:
    """Which of the processes that `torchrun` started this one is, and how many there are.

    A rank alone, as clusters leave it in the environment, means nothing.
    """
    world = int(os.environ.get("WORLD_SIZE") or 1)
    return (int(os.environ.get("RANK") or 0) if world > 1 else 0), world


def in_processes(
    work: Callable[..., T], jobs: Mapping[K, tuple[Any, ...]], done: Callable[[K, T], None]
) -> None:
    """Do a job in as many processes as there are cores, the first ones first.

    The processes import the main script, as `multiprocessing` has it: one that calls this keeps
    what it does under `if __name__ == "__main__"`. Where they can't start, or one is ended from
    outside, perhaps for its memory, the rest is done here, one after another.

    Args:
        work: A function of a module.
        jobs: What it is called with, by name.
        done: Gets each name and result as it comes.

    Raises:
        Exception: Whatever the work raises; the other processes are ended then.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    workers = min(len(jobs), len(affinity(0)) if affinity else os.cpu_count() or 1)
    others = {*multiprocessing.active_children()}
    context = multiprocessing.get_context("spawn")  # A fork may copy a lock that is held.
    left = dict(jobs)
    pool = ProcessPoolExecutor(workers, context, _follow_parent)
    try:
        names = {pool.submit(work, *job): name for name, job in jobs.items()}
        for future in as_completed(names):
            result = future.result()
            del left[names[future]]
            done(names[future], result)
    except BrokenProcessPool:
        pass
    except BaseException:
        for process in {*multiprocessing.active_children()} - others:
            process.terminate()  # Leaving would wait for what they are at.
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    for name, job in left.items():
        done(name, work(*job))


def _follow_parent() -> None:
    """End with the process that started this one, which alone is asked to stop by Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if parent := multiprocessing.parent_process():

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()
