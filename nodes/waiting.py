"""Waiting: a bound on the time of one attempt at a call, and for many tasks at once."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from ..models.deadline import call_deadline

T = TypeVar("T")
_GRACE = 0.1


def wait_within(seconds: float | None, work: Callable[[], T]) -> T:
    """Do blocking work and wait for it no longer than a bound.

    A thread can't be stopped: work past the bound is left to end by itself, unheard. The
    clients of hosted models are told the bound and keep to it.

    Raises:
        TimeoutError: If it took longer.
    """
    if seconds is None:
        return work()
    context = contextvars.copy_context()
    context.run(call_deadline.set, _end_after(seconds))
    done = _begun_aside(lambda: context.run(work), daemon=True)
    wait([done], seconds)
    if not done.done():
        # Whoever keeps to the bound is ending now, and has the model's place until then.
        wait([done], _GRACE)
        if not done.done() or done.exception():
            raise TimeoutError(f"no reply within {seconds:.3g} s")
    return done.result()


async def aside(work: Callable[[], T]) -> T:
    """Await short blocking work in a thread of its own.

    `asyncio.to_thread` has few threads, and the user's functions run in the same ones: where such
    hang, what comes after them would never begin. As there, the process ends after it: what is
    being written was paid for.
    """
    return await asyncio.wrap_future(_begun_aside(work, daemon=False))


def _begun_aside(work: Callable[[], T], *, daemon: bool) -> Future[T]:
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()  # Who is cancelled while waiting lets it end by itself.

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=daemon).start()
    return done


async def await_within(seconds: float | None, work: Callable[[], Awaitable[T]]) -> T:
    """Await work no longer than a bound; past it, the work is cancelled.

    Raises:
        TimeoutError: If it took longer.
    """
    if seconds is None:
        return await not_cancelled_within(work)
    bound = asyncio.timeout(seconds)
    before = call_deadline.set(_end_after(seconds))
    try:
        async with bound:
            return await not_cancelled_within(work)
    except TimeoutError:
        if bound.expired():
            raise TimeoutError(f"no reply within {seconds:.3g} s") from None
        raise
    finally:
        call_deadline.reset(before)


async def to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await what must not be left half done: who is cancelled meanwhile ends after it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:  # On Ctrl-C more than one comes.
            cancelled = error
    if failed := task.exception():  # Asked for, or it would be told as never retrieved.
        raise failed
    if cancelled is not None:
        raise cancelled


async def not_cancelled_within(work: Callable[[], Awaitable[T]]) -> T:
    """A library that cancels itself isn't somebody who cancels us."""
    try:
        return await work()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise RuntimeError("the model cancelled its own call") from None


def _end_after(seconds: float) -> float:
    """The end of a wait; one inside another, of a graph that is asked, ends with it."""
    return min(call_deadline.get(), time.monotonic() + seconds)


async def all_or_none(tasks: Sequence[asyncio.Future[None]]) -> None:
    """Wait for all tasks; if one fails, the others are stopped first."""
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
