"""The solver as a LangGraph node: one call a subquestion, each as soon as its needs are met.

`Work` knows what to do next and is told what came of it; `Scheduler.solve` does it with
threads and `Scheduler.asolve` in the event loop. Threads and tasks are the node's own, not
LangGraph's, so that neither `max_concurrency` nor a superstep holds a line back; what has
been paid for survives a crash in the node's journal (`journal.py`).
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig

from ..plan import MAX_SUBQUESTIONS
from ..prompts import Prompts, load_prompts
from .answer_cache import AnswerCache
from .events import aemit, emit
from .lines import LineSettings
from .problem import Problem
from .retrieval import as_retriever
from .role_runnable import RoleRunnable
from .session import Limits, Session, of_kind
from .solvers import Solvers
from .steps import arun, run
from .work import Job, Planner, Work, given_plan

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.runnables import Runnable


def solver_node(
    solver: Any,
    *,
    prompts: str | Path | Prompts | None = None,
    retriever: Any = None,
    answer_cache: AnswerCache | None = None,
    one_at_a_time: bool = False,
    limits: Limits | None = None,
) -> Runnable[Any, dict[str, Any]]:
    """A LangGraph node that reads `question` and `plan` and writes `answers`.

    An empty plan is solved undivided. A subquestion that fails is a row with its error;
    those that need it are skipped.

    Args:
        solver: A model reference, chat model, Runnable or compiled graph; or several as
            `nodes.solvers.Solvers`.
        prompts: Folder whose files replace the package's prompts of the same name.
        retriever: A LangChain retriever, or a function, that is asked for each subquestion.
        answer_cache: Keeps answers between questions.
        one_at_a_time: Solve in plan order, each line with all earlier answers in view.
        limits: Budget for the question and timeout for a call.

    Raises:
        UserError: If a reference, a file or an option is wrong.
    """
    solvers = solver if isinstance(solver, Solvers) else Solvers(solver)
    texts = load_prompts(prompts)
    cache = of_kind("answer_cache", answer_cache, AnswerCache)
    settings = LineSettings(solvers, texts, as_retriever(retriever), cache, one_at_a_time)
    return Scheduler(settings, Limits.of(limits)).as_runnable("solver")


class Scheduler:
    """Runs a plan; `solve` and `asolve` differ only in how they wait.

    Args:
        settings: Who solves, and how.
        limits: Budget for the question and timeout for a call.
        planner: Writes the plan while its first lines are already being solved; None if the
            state has a plan.
    """

    def __init__(
        self, settings: LineSettings, limits: Limits, planner: Planner | None = None
    ) -> None:
        self._settings, self._limits, self._planner = settings, limits, planner

    def as_runnable(self, name: str) -> Runnable[Any, dict[str, Any]]:
        """The scheduler as a node."""
        return RoleRunnable(self.solve, self.asolve, name=name)

    def _begin(self, state: dict[str, Any], session: Session, post: Any) -> Work:
        work = Work(Problem.of(state), self._settings, session, self._planner, post)
        if self._planner is None:
            work.take_plan(given_plan(state))
        return work

    def solve(self, state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        """Run with threads, as many as there are lines ready; no thread is waited for."""
        session = Session.of(state, config, self._limits).open()
        inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        work = self._begin(state, session, inbox.put)

        def do(job: Job[Any]) -> None:
            try:
                result = run(job.steps, config, job.session)
            except BaseException as error:
                failure = error
                inbox.put(lambda: job.failed(failure))
            else:
                inbox.put(lambda: job.done(result))

        pool = ThreadPoolExecutor(max_workers=MAX_SUBQUESTIONS + 1)
        begun: list[Job[Any]] = []
        try:
            while True:
                for event in work.take_events():
                    emit(event, config)
                for job in work.start():
                    begun.append(job)
                    pool.submit(contextvars.copy_context().run, do, job)
                if work.finished:
                    return work.update(state)
                _next(inbox)()
        finally:
            # What still runs was dropped, or the run failed: it ends with the call that it is at.
            for job in begun:
                job.session.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)

    async def asolve(self, state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        """Run in the event loop; when it is cancelled, so is every call."""
        session = await Session.of(state, config, self._limits).aopen()
        inbox: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
        work = self._begin(state, session, inbox.put_nowait)
        tasks: dict[Job[Any], asyncio.Task[None]] = {}

        async def do(job: Job[Any]) -> None:
            inbox.put_nowait(await _outcome(job, config))

        try:
            while True:
                for event in work.take_events():
                    await aemit(event, config)
                for job in work.start():
                    tasks[job] = asyncio.create_task(do(job))
                for job in work.take_dropped():
                    tasks[job].cancel()
                if work.finished:
                    return work.update(state)
                (await inbox.get())()
        finally:
            for job, task in tasks.items():
                job.session.stop.set()  # For a graph that a function asks: its thread goes on.
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)


def _next(inbox: queue.SimpleQueue[Callable[[], None]]) -> Callable[[], None]:
    """What comes next; a Ctrl-C in the moment before it waits is heard a second later."""
    while True:
        with suppress(queue.Empty):
            return inbox.get(timeout=1)


async def _outcome(job: Job[Any], config: Any) -> Callable[[], None]:
    """Do a job; returns what is to be called with what came of it."""
    try:
        result = await arun(job.steps, config, job.session)
    except BaseException as error:
        failure = error
        if isinstance(error, asyncio.CancelledError):
            if job.session.stop.is_set():
                raise  # Nobody waits for it any more.
            # Somebody does: whoever is told nothing would wait for ever.
            failure = RuntimeError("a model or function cancelled the task that it runs in")
        return lambda: job.failed(failure)
    return lambda: job.done(result)
