"""A bound on the time that one attempt at a call may take."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def wait_within(seconds: float | None, work: Callable[[], T]) -> T:
    """Do blocking work and wait for it no longer than a bound.

    A thread can't be stopped: work past the bound is left to end by itself, unheard.

    Raises:
        TimeoutError: If it took longer.
    """
    if seconds is None:
        return work()
    done: Future[T] = Future()
    context = contextvars.copy_context()

    def work_aside() -> None:
        try:
            done.set_result(context.run(work))
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=work_aside, daemon=True).start()
    try:
        return done.result(seconds)
    except TimeoutError:
        if done.done():
            raise
        raise TimeoutError(f"no reply within {seconds:.3g} s") from None


async def await_within(seconds: float | None, work: Callable[[], Awaitable[T]]) -> T:
    """Await work no longer than a bound; past it, the work is cancelled.

    Raises:
        TimeoutError: If it took longer.
    """
    if seconds is None:
        return await work()
    try:
        async with asyncio.timeout(seconds) as bound:
            return await work()
    except TimeoutError:
        if bound.expired():
            raise TimeoutError(f"no reply within {seconds:.3g} s") from None
        raise
