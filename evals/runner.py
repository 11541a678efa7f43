"""Every system answers every item: so many at once, each sample kept as it comes.

Each question runs on a thread of its own in a SQLite file beside the samples, until its sample
is written: what a killed evaluation has paid for isn't paid again, and no system ever sees
what another was told.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import describe_error, must_be_raised
from ..graphs.state import result_of
from ..storage import open_checkpointer
from .gold import GOLD, gold_decomposer
from .items import Item
from .plans import score_plan
from .sample_file import Key, SampleFile
from .systems import PLAN, PLANNING, System

STATE = "state.sqlite"
Score = Callable[[str, Item, str | None], Mapping[str, float]]
"""From a task's name, an item and an answer to metrics."""


@dataclass(frozen=True)
class Job:
    """One question to one system."""

    system: System
    task: str
    item: Item

    @property
    def key(self) -> Key:
        """What its sample is known by."""
        return self.system.name, self.task, self.item.id

    @property
    def thread(self) -> str:
        """The checkpointer's thread of the question."""
        asked = "\x1f".join([*self.key, self.item.question, self.item.context])
        return hashlib.sha256(asked.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Running:
    """How an evaluation runs; none of it changes an answer.

    Attributes:
        concurrency: Questions at once.
        options: Further options of the graphs, such as `call_timeout`.
        gold: The gold plans, as text by problem, for the decomposer `gold`.
    """

    concurrency: int = 8
    options: Mapping[str, Any] = field(default_factory=dict)
    gold: Mapping[str, str] = field(default_factory=dict)


async def run_jobs(
    jobs: Iterable[Job],
    file: SampleFile,
    score: Score,
    running: Running = Running(),
    on_sample: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> None:
    """Ask what has no sample yet.

    Args:
        jobs: What to ask; drawn from as places become free.
        file: Where samples go.
        score: Metrics of an answer.
        running: How.
        on_sample: Is told each new sample.
    """
    async for sample in answers((job for job in jobs if job.key not in file.done), score,
                                file.path.with_name(STATE), running):  # fmt: skip
        file.add(sample)
        on_sample(sample)


async def answers(
    jobs: Iterable[Job], score: Score, state: Path, running: Running = Running()
) -> Any:
    """Samples in the order in which they come."""
    begun = state.exists()  # noqa: ASYNC240  a matter of microseconds
    async with open_checkpointer(state) as saver:
        asker = Asker(saver, score, running, begun=begun)
        waiting: Iterator[Job] = iter(jobs)
        pending: set[asyncio.Task[dict[str, Any]]] = set()
        jobs_of: dict[asyncio.Task[dict[str, Any]], Job] = {}
        try:
            while True:
                for job in waiting:
                    task = asyncio.create_task(asker.ask(job))
                    pending.add(task)
                    jobs_of[task] = job
                    if len(pending) >= running.concurrency:
                        break
                if not pending:
                    return
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
                    await asker.forget(jobs_of.pop(task))
        finally:
            for task in jobs_of:
                task.cancel()
            await asyncio.gather(*jobs_of, return_exceptions=True)


class Asker:
    """Asks questions, each system by its own graph.

    Args:
        saver: The checkpointer.
        score: Metrics of an answer.
        running: How.
        begun: Whether the checkpointer may hold questions of an earlier run.
    """

    def __init__(self, saver: Any, score: Score, running: Running, *, begun: bool) -> None:
        self._saver, self._score, self._running, self._begun = saver, score, running, begun
        self._graphs: dict[System, Any] = {}

    async def ask(self, job: Job) -> dict[str, Any]:
        """The sample of a question, whatever became of it."""
        if job.system not in self._graphs:
            options = dict(self._running.options)
            if job.system.decomposer == GOLD:
                options["decomposer"] = gold_decomposer(self._running.gold)
            self._graphs[job.system] = job.system.graph(self._saver, **options)
        begin = time.perf_counter()
        try:
            result = await self._result(self._graphs[job.system], job)
        except Exception as error:
            if must_be_raised(error):
                raise
            # The decomposer is down, say, or the text is too long: this sample's failure.
            result = failure(error)
        return sample_of(job, result, self._score, time.perf_counter() - begin)

    async def _result(self, graph: Any, job: Job) -> dict[str, Any]:
        config: Any = {"configurable": {"thread_id": job.thread}}
        asked: Any = {"question": job.item.question}
        if job.item.context:
            asked["context"] = job.item.context
        if self._begun:
            snapshot = await graph.aget_state(config)
            if "run_id" in snapshot.values:
                if not snapshot.next:
                    return result_of(snapshot.values)
                asked = None
        return result_of(await graph.ainvoke(asked, config, durability="sync"))

    async def forget(self, job: Job) -> None:
        """Drop a question's thread, now that its sample is kept."""
        await self._saver.adelete_thread(job.thread)


def failure(error: Exception) -> dict[str, Any]:
    """What a question came to that failed as a whole."""
    return {
        "answer": None,
        "status": "failed",
        "error": describe_error(error)["message"],
        "usage": list(getattr(error, "usage", ())),
    }


def sample_of(job: Job, result: Mapping[str, Any], score: Score, seconds: float) -> dict[str, Any]:
    """A row of samples.jsonl; see docs/evaluation.md."""
    item, system = job.item, job.system
    failed = bool(result.get("error")) or (system.strategy != PLAN and result["answer"] is None)
    usage = result.get("usage", [])
    return {
        "system": system.name,
        "strategy": system.strategy,
        "decomposer": system.decomposer,
        "solver": system.solver,
        "task": job.task,
        "id": item.id,
        "question": item.question,
        "context": item.context,
        "gold": item.gold,
        "answer": result["answer"],
        "status": result["status"],
        "failed": failed,
        "error": _error(result) if failed else None,
        "metrics": {}
        if result["answer"] is None
        else dict(score(job.task, item, result["answer"])),
        "plan": result.get("plan", []),
        "plan_source": result.get("plan_source", "undivided"),
        "plan_score": _plan_score(job, result),
        "answers": result.get("answers", []),
        # Aligned with the lines only if the plan is the gold one.
        "gold_steps": item.gold_steps if system.decomposer == GOLD else {},
        "usage": usage,
        "calls": _sum(usage, "calls") or 0,
        "input_tokens": _sum(usage, "input_tokens") or 0,
        "output_tokens": _sum(usage, "output_tokens") or 0,
        "seconds": round(seconds, 4),
        "cost": _sum(usage, "cost"),
    }


def _error(result: Mapping[str, Any]) -> str:
    """Why there is no answer, in one sentence."""
    if result.get("error"):
        return str(result["error"])
    rows = [row["error"]["message"] for row in result.get("answers", []) if row.get("error")]
    return next(iter([*rows, *result.get("warnings", [])]), "there is no answer")


def _plan_score(job: Job, result: Mapping[str, Any]) -> dict[str, Any] | None:
    """The plan's measures against the item's gold plan, where there are both."""
    from ..plan import Plan

    if job.item.gold_plan is None or job.system.strategy not in (PLAN, *PLANNING):
        return None
    plan = Plan.from_rows(result["plan"]) if result.get("plan") else Plan()
    valid = result.get("plan_source") == "model"
    return asdict(score_plan(job.item.problem, plan, job.item.gold_plan, valid=valid))


def _sum(usage: Iterable[Mapping[str, Any]], name: str) -> Any:
    """The sum of a column; None if a row doesn't know it."""
    values = [row.get(name) for row in usage]
    return None if None in values else sum(values)  # pyright: ignore[reportArgumentType]
