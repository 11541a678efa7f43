"""Who runs a line: the task that was started for it, or, if no thread is free, the waiter.

Tasks run on LangGraph's thread pool (or under its semaphore), and the node that waits for
them may hold the last place there: with a small `max_concurrency`, or with many such nodes
at once, waiting would last for ever. So a line that nobody has begun is, after a moment, run
by whoever waits for it; the task then finds the result and passes it on to the checkpoint.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")
_GRACE = 0.5


class Claims(Generic[T]):
    """Results by line, each worked out once, by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: dict[int, Future[T]] = {}
        self._begun: dict[int, threading.Event] = {}
        self._grace = _GRACE

    def run(self, k: int, work: Callable[[], T]) -> T:
        """The result of line k, by doing the work or by waiting for whoever does it."""
        with self._lock:
            mine = k not in self._results
            result = self._results.setdefault(k, Future())
            self._begun.setdefault(k, threading.Event()).set()
        if mine:
            try:
                result.set_result(work())
            except BaseException as error:
                result.set_exception(error)
        return result.result()

    def wait(self, k: int, task: Future[T], work: Callable[[], T]) -> T:
        """The result of line k's task, which may be stored, running or stuck in a queue."""
        with self._lock:
            begun = self._begun.setdefault(k, threading.Event())
        task.add_done_callback(lambda _: begun.set())
        if not begun.wait(self._grace):
            self._grace = 0.0  # The pool is full; there is no point in waiting each time.
        return task.result() if task.done() else self.run(k, work)


class AsyncClaims(Generic[T]):
    """`Claims` in an event loop."""

    def __init__(self) -> None:
        self._results: dict[int, asyncio.Future[T]] = {}
        self._begun: dict[int, asyncio.Event] = {}
        self._grace = _GRACE

    async def run(self, k: int, work: Callable[[], Awaitable[T]]) -> T:
        """The result of line k, by doing the work or by waiting for whoever does it."""
        self._begun.setdefault(k, asyncio.Event()).set()
        if k in self._results:
            return await asyncio.shield(self._results[k])
        result = self._results[k] = asyncio.get_running_loop().create_future()
        try:
            result.set_result(await work())
        except asyncio.CancelledError:
            result.cancel()
            raise
        except BaseException as error:
            result.set_exception(error)
        return await result

    async def wait(self, k: int, task: asyncio.Future[T], work: Callable[[], Awaitable[T]]) -> T:
        """The result of line k's task, which may be stored, running or stuck in a queue."""
        begun = self._begun.setdefault(k, asyncio.Event())

        def ended(task: asyncio.Future[T]) -> None:
            begun.set()
            if not task.cancelled():
                task.exception()  # Seen; otherwise asyncio prints it when the run is over.

        task.add_done_callback(ended)
        try:
            await asyncio.wait_for(begun.wait(), self._grace)
        except TimeoutError:
            self._grace = 0.0
        return task.result() if task.done() else await self.run(k, work)
