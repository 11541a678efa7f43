"""Forked processes: none waits for a thread that isn't there, or reads another's replies."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from langgraph_decompose import ChatGGUF, bundled_model_path, resolve_model
from langgraph_decompose.models.forks import ForkedLock
from langgraph_decompose.models.limiter import Limiter, limiter_for
from langgraph_decompose.models.llama import quiet
from langgraph_decompose.testing import LatencyServer

from .conftest import both, soon

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork"),
    pytest.mark.filterwarnings("ignore:.*fork"),
]


def fork(work: Callable[[], bool]) -> int:
    """Do something in a forked process, which is killed after 30 s; returns its id."""
    pid = os.fork()
    if pid == 0:
        try:
            # The handler of pytest-timeout would wait for Python, which may be what hangs.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(30)
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return pid


def ended_well(pid: int) -> bool:
    return os.waitpid(pid, 0)[1] == 0


@contextmanager
def held_by_a_thread(held: AbstractContextManager[Any]) -> Iterator[None]:
    """Another thread, which no forked process has, is inside `held` meanwhile."""
    inside, over = threading.Event(), threading.Event()

    def hold() -> None:
        with held:
            inside.set()
            over.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(60)
    try:
        yield
    finally:
        over.set()
        thread.join()


@both
def test_each_process_talks_on_connections_of_its_own(how: str) -> None:
    with LatencyServer(lambda prompt, _: f"echo {prompt}") as server:
        model: Any = resolve_model(f"openai:m@{server.url}").runnable

        def echoes(text: str) -> bool:
            reply = model.invoke(text) if how == "sync" else asyncio.run(model.ainvoke(text))
            return bool(reply.text == f"echo {text}")

        assert echoes("parent")
        server.hold()
        children = [fork(lambda text=text: echoes(text)) for text in ("one", "other")]
        assert soon(lambda: server.in_flight == 2), "on one connection the second one waits"
        server.release()
        assert [ended_well(child) for child in children] == [True, True]
        assert echoes("parent again")


@both
def test_places_that_threads_of_the_parent_hold_are_free(how: str) -> None:
    limiter = limiter_for(f"forked {how}", 1)

    async def take() -> bool:
        async with limiter.ahold():
            return True

    def taken() -> bool:
        if how == "async":
            return asyncio.run(take())
        with limiter.hold():
            return True

    with held_by_a_thread(limiter.hold()):
        assert ended_well(fork(taken))
    assert taken()


def test_a_place_that_the_forking_thread_holds_is_not_given_back_twice() -> None:
    limiter = Limiter(1)

    def give_back() -> bool:
        place.__exit__(None, None, None)
        with limiter.hold():
            return limiter._queue() is not None

    place = limiter.hold()
    with place:
        assert ended_well(fork(give_back))


def test_a_model_can_be_asked_while_the_parent_loads_one() -> None:
    model = ChatGGUF(model_path=bundled_model_path(), max_tokens=3)
    text = model.invoke("hi").text
    with held_by_a_thread(quiet()):
        assert ended_well(fork(lambda: model.invoke("hi").text == text))


def test_a_lock_of_a_module_is_free() -> None:
    def taken() -> bool:
        with lock:
            return True

    lock = ForkedLock()
    with held_by_a_thread(lock):
        assert ended_well(fork(taken))
    assert taken()
