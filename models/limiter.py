"""Bounds how many calls one model gets at once, in threads and in event loops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from weakref import WeakKeyDictionary

_shared: dict[tuple[str, int], Limiter] = {}


def limiter_for(ref: str, most: int) -> Limiter:
    """The limiter of a model in this process, whoever resolves its reference.

    Example:
        >>> limiter_for("openai:m", 4) is limiter_for("openai:m", 4)
        True
    """
    return _shared.setdefault((ref, most), Limiter(most))


class Limiter:
    """A semaphore per event loop, and one for all threads that call without a loop.

    LangGraph ignores `max_concurrency` under `configurable`, so the bound is kept here,
    with the model that it protects. It holds within one event loop: programs with several
    loops at once get as many places in each.

    Example:
        >>> with Limiter(2).hold():
        ...     pass
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._threads = threading.BoundedSemaphore(most)
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]
        self._loops = WeakKeyDictionary()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for a place, blocking the thread."""
        with self._threads:
            yield

    @asynccontextmanager
    async def ahold(self) -> AsyncIterator[None]:
        """Wait for a place without blocking the event loop."""
        loop = asyncio.get_running_loop()
        semaphore = self._loops.setdefault(loop, asyncio.Semaphore(self.most))
        async with semaphore:
            yield
