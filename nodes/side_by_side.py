"""Several things done at once, in threads or in the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

from ..errors import waits_for_a_person


def together(work: Sequence[Callable[[], Any]]) -> list[Any]:
    """Do all at once; returns their results or exceptions.

    Raises:
        GraphInterrupt: If some wait for a person.
    """

    def one(do: Callable[[], Any]) -> Any:
        try:
            return do()
        except Exception as error:
            return error

    with ThreadPoolExecutor(max_workers=len(work) or 1) as pool:
        futures = [pool.submit(contextvars.copy_context().run, one, do) for do in work]
    return _or_interrupt([future.result() for future in futures])


async def atogether(work: Sequence[Awaitable[Any]]) -> list[Any]:
    """As `together`, in the event loop."""
    return _or_interrupt(await asyncio.gather(*work, return_exceptions=True))


def in_order(do: Callable[[int], Any], needs: Sequence[Sequence[int]]) -> list[Any]:
    """Do each as soon as those that it needs have ended; returns their results.

    Args:
        do: Does what has a place.
        needs: For each place, the earlier ones that it waits for.

    Raises:
        GraphInterrupt: If some wait for a person.
        BaseException: The first that one raised; those that haven't begun then never do.
    """
    futures: list[Future[Any]] = []
    stop = threading.Event()

    def one(place: int) -> Any:
        for earlier in needs[place]:
            futures[earlier].result()
        if stop.is_set():
            raise CancelledError
        try:
            return do(place)
        except BaseException as error:
            if not waits_for_a_person(error):
                stop.set()
            raise

    # A thread for each, so that those who wait never keep out those they wait for.
    with ThreadPoolExecutor(max_workers=len(needs) or 1) as pool:
        for place in range(len(needs)):
            # One by one: those that run already look for the earlier ones.
            futures.append(pool.submit(contextvars.copy_context().run, one, place))  # noqa: PERF401
    return _results([future.exception() or future.result() for future in futures])


async def ain_order(
    do: Callable[[int], Coroutine[Any, Any, Any]], needs: Sequence[Sequence[int]]
) -> list[Any]:
    """As `in_order`, in the event loop; those that have begun are cancelled."""
    tasks: list[asyncio.Task[Any]] = []

    async def one(place: int) -> Any:
        for earlier in needs[place]:
            await asyncio.shield(tasks[earlier])
        return await do(place)

    for place in range(len(needs)):
        tasks.append(asyncio.create_task(one(place)))  # noqa: PERF401
    try:
        left = set(tasks)
        while left:
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_EXCEPTION)
            # Those beside one that waits for a person go on: their replies are being paid for.
            if any((error := t.exception()) and not waits_for_a_person(error) for t in done):
                break
        return _results([t.exception() or t.result() for t in tasks if t.done()])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _results(found: list[Any]) -> list[Any]:
    """The results, unless one is an exception; those that it stopped aren't the cause."""
    errors = [result for result in found if isinstance(result, BaseException)]
    causes = [error for error in errors if not isinstance(error, CancelledError)]
    for error in [e for e in causes if not waits_for_a_person(e)]:
        raise error
    for error in [*_or_interrupt(causes), *errors]:
        raise error
    return found


def _or_interrupt(found: list[Any]) -> list[Any]:
    """Results, unless some wait for a person: all of these are raised as one.

    LangGraph then wants to be told which reply is whose; of one alone, it isn't told, and who
    asks first when the run is resumed would take the reply.
    """
    from langgraph.errors import GraphInterrupt

    # Whoever waited for one of them raises it once more.
    waiting = {id(error): error for error in found if isinstance(error, GraphInterrupt)}
    if waiting:
        raise GraphInterrupt([each for error in waiting.values() for each in error.args[0]])
    return found
