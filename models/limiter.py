"""Bounds how many calls one model gets at once, over all threads and event loops."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from weakref import WeakSet

from .forks import in_forks

_shared: dict[tuple[str, int], Limiter] = {}
_all: WeakSet[Limiter] = WeakSet()
_inner: ContextVar[Mapping[Limiter, Limiter]] = ContextVar("inner", default=MappingProxyType({}))
"""Of each limiter that has given a place to the call that we are in: the limiter for what is
called from there. A solver that asks its own graph would otherwise wait for itself."""


def limiter_for(ref: str, most: int) -> Limiter:
    """The limiter of a model in this process, whoever resolves its reference.

    Example:
        >>> limiter_for("openai:m", 4) is limiter_for("openai:m", 4)
        True
    """
    return _shared.setdefault((ref, most), Limiter(most))


class NoPlaceError(TimeoutError):
    """The time that one would wait for a place is over."""


class Limiter:
    """A semaphore that threads and event loops share; first come, first served.

    LangGraph ignores `max_concurrency` under `configurable`, so the bound is kept here,
    with the model that it protects.

    Example:
        >>> with Limiter(2).hold():
        ...     pass
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._free = self.most
        self._below: Limiter | None = None
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Future[None], asyncio.AbstractEventLoop | None]] = deque()

    @contextmanager
    def hold(self, seconds: float | None = None) -> Iterator[None]:
        """Wait for a place, blocking the thread.

        Args:
            seconds: How long at most; None for however long it takes.

        Raises:
            NoPlaceError: If there was none in that time.
        """
        places = _inner.get().get(self, self)
        if turn := places._queue():
            with places._leaving_on_error(turn):
                turn.result(seconds)
        with self._giving_back(places):
            yield

    @asynccontextmanager
    async def ahold(self, seconds: float | None = None) -> AsyncIterator[None]:
        """`hold` without blocking the event loop."""
        places = _inner.get().get(self, self)
        if turn := places._queue(asyncio.get_running_loop()):
            with places._leaving_on_error(turn):
                async with asyncio.timeout(seconds):
                    await asyncio.wrap_future(turn)
        with self._giving_back(places):
            yield

    @contextmanager
    def _giving_back(self, places: Limiter) -> Iterator[None]:
        """Give a place back at the end; what is called till then asks the limiter below."""
        outer = _inner.get()
        _inner.set({**outer, self: places._within()})
        try:
            yield
        finally:
            places._release()
            _inner.set(outer)

    def _within(self) -> Limiter:
        """For what is called by those who have a place here: as many places, for all together."""
        with self._lock:
            if self._below is None:
                self._below = Limiter(self.most)
            return self._below

    def _queue(self, loop: asyncio.AbstractEventLoop | None = None) -> Future[None] | None:
        """A place at once (None), or a future that is done when it is our turn."""
        with self._lock:
            if self._free:
                self._free -= 1
                return None
            turn: Future[None] = Future()
            self._waiting.append((turn, loop))
            return turn

    @contextmanager
    def _leaving_on_error(self, turn: Future[None]) -> Iterator[None]:
        """Leave the queue if the wait fails: time is up, Ctrl-C, cancelled, the loop is closed."""
        try:
            yield
        except BaseException as error:
            if not turn.cancel():  # A place that was given in the same moment goes to the next.
                self._release()
            if isinstance(error, TimeoutError):
                raise NoPlaceError from None
            raise

    def _release(self) -> None:
        with self._lock:
            while self._waiting:
                turn, loop = self._waiting.popleft()
                # Whoever waits in a loop that was closed would never give its place back.
                if loop is not None and loop.is_closed():
                    continue
                if turn.set_running_or_notify_cancel():
                    turn.set_result(None)
                    return
            # Not more than there are, where a fork has freed the place of the thread that forked.
            self._free = min(self._free + 1, self.most)


def _begin_again() -> None:
    """In a forked process: the threads that hold places or wait for one aren't there."""
    for limiter in list(_all):
        limiter._begin()  # pyright: ignore[reportPrivateUsage]


in_forks(_begin_again)
