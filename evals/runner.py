"""Every system answers every item: so many at once, each sample kept as it comes.

Each question runs on a thread of its own, whose replies are in a file beside the samples until
its sample is written: what a killed evaluation has paid for isn't paid again, nor what a
question has paid of which a call failed in passing; and no system ever sees what another was told.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

from ..errors import is_from_outside, must_be_raised
from ..graphs.state import result_of
from ..models.hosted import without_credentials
from ..nodes.answers import with_parts
from ..nodes.replies import failure_value
from ..nodes.usage import known_sum
from ..plan import Plan
from .gold import GOLD
from .items import Item
from .plans import score_plan
from .reply_log import ReplyLog
from .sample_file import Key, SampleFile
from .systems import PLAN, PLANNING, System

REPLIES = "samples.replies.jsonl"
Score = Callable[[str, Item, str | None], Mapping[str, float]]
"""From a task's name, an item and an answer to metrics."""


@dataclass(frozen=True)
class Job:
    """One question to one system."""

    system: System
    task: str
    item: Item

    @cached_property
    def key(self) -> Key:
        """What its sample is known by."""
        return self.system.name, self.task, self.item.id

    @cached_property
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
        gold: The gold plans by task, as text by problem, for the decomposer `gold`.
    """

    concurrency: int = 8
    options: Mapping[str, Any] = field(default_factory=dict)
    gold: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


async def run_jobs(
    jobs: Iterable[Job],
    file: SampleFile,
    score: Score,
    running: Running,
    on_sample: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> None:
    """Ask what has no sample yet; jobs are drawn as places become free."""
    log = ReplyLog(file.path.with_name(REPLIES))
    asker = Asker(log, score, running)
    waiting = (job for job in jobs if job.key not in file)
    asked: dict[asyncio.Task[dict[str, Any]], Job] = {}
    try:
        while True:
            for job in islice(waiting, running.concurrency - len(asked)):
                asked[asyncio.create_task(asker.ask(job))] = job
            if not asked:
                return
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                sample, job = task.result(), asked.pop(task)
                file.add(sample)
                on_sample(sample)
                if not sample["transient"]:
                    asker.forget(job)
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        log.close()


class Asker:
    """Asks questions, each system by its own graph."""

    def __init__(self, log: ReplyLog, score: Score, running: Running) -> None:
        self._log, self._score, self._running = log, score, running
        self._graphs: dict[tuple[System, str], Any] = {}

    async def ask(self, job: Job) -> dict[str, Any]:
        """The sample of a question, whatever became of it."""
        begin = time.perf_counter()
        try:
            result = await self._result(self._graph(job), job)
        except Exception as error:
            if must_be_raised(error):
                raise
            # The decomposer is down, say, or the text is too long: this sample's failure.
            result = failure(error)
        # Neither an error nor a resumed run's result tells all that was paid.
        result = {**result, "usage": self._log.usage(job.thread)}
        return sample_of(job, result, self._score, time.perf_counter() - begin)

    def _graph(self, job: Job) -> Any:
        """The system's graph; gold plans are those of one task."""
        system, gold = job.system, job.system.decomposer == GOLD
        known = system, job.task if gold else ""
        if known not in self._graphs:
            plans = self._running.gold[job.task] if gold else None
            self._graphs[known] = system.graph(self._log, plans, **self._running.options)
        return self._graphs[known]

    async def _result(self, graph: Any, job: Job) -> dict[str, Any]:
        asked = {"question": job.item.question, "context": job.item.context}
        config: Any = {"configurable": {"thread_id": job.thread}}
        values = await graph.ainvoke(asked, config, durability="exit")
        return {**result_of(values), "replies": _replies(self._log.replies(job.thread))}

    def forget(self, job: Job) -> None:
        """Drop a question's replies, now that its sample is kept."""
        self._log.delete_thread(job.thread)


def failure(error: Exception) -> dict[str, Any]:
    """What a question came to that failed as a whole."""
    return {"answer": None, "status": "failed", **failure_value(error)}


def _replies(kept: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What models wrote, or why they didn't, in an order that doesn't hang on who was quicker."""
    rows = [{k: v for k, v in reply.items() if k != "message_id"} for reply in kept]
    return sorted(rows, key=lambda row: str(row.get("text", "")))


def sample_of(job: Job, result: Mapping[str, Any], score: Score, seconds: float) -> dict[str, Any]:
    """A row of samples.jsonl; docs/evaluation.md has its fields."""
    item, system, usage = job.item, job.system, result.get("usage", [])
    lines = [row["error"] for _, row in with_parts(result.get("answers", []))]
    errors = [error for error in (result.get("error"), *lines) if error]
    unanswered = result["answer"] is None
    failed = bool(result.get("error")) or (unanswered and system.strategy != PLAN)
    about = {
        "system": system.name,
        "strategy": system.strategy,
        "decomposer": without_credentials(system.decomposer),
        "solver": without_credentials(system.solver),
        "task": job.task,
        "id": item.id,
        "question": item.question,
        "context": item.context,
        "gold": item.gold,
        "gold_steps": item.gold_steps if system.decomposer == GOLD else {},
    }
    reached = {
        "answer": result["answer"],
        "status": result["status"],
        "failed": failed,
        "error": _why(errors, result) if failed else None,
        "transient": any(map(is_from_outside, errors)),
        "metrics": {} if unanswered else dict(score(job.task, item, result["answer"])),
        "plan": result.get("plan", []),
        "plan_source": result.get("plan_source", "undivided"),
        "plan_score": None if failed else _plan_score(job, result),
        "answers": result.get("answers", []),
        "replies": result.get("replies", []),
    }
    columns = ("calls", "input_tokens", "output_tokens", "cost")
    taken = {name: known_sum(*(row.get(name) for row in usage)) for name in columns}
    return {**about, **reached, "usage": usage, **taken, "seconds": round(seconds, 4)}


def _why(errors: list[Any], result: Mapping[str, Any]) -> str:
    """Why there is no answer, in one sentence."""
    messages = [error["message"] for error in errors]
    return next(iter([*messages, *result.get("warnings", [])]), "there is no answer")


def _plan_score(job: Job, result: Mapping[str, Any]) -> dict[str, Any] | None:
    """The plan's measures against the item's gold plan, where there are both."""
    if job.item.gold_plan is None or job.system.strategy not in (PLAN, *PLANNING):
        return None
    source = result.get("plan_source")
    plan = Plan.from_rows(result["plan"]) if result.get("plan") else Plan()
    # Where answers are asked for, too, a gate or an attempt may have left the question whole.
    unread = source == "undivided" and job.system.strategy == PLAN
    valid = source == "model"
    gold = job.item.gold_plan
    return asdict(score_plan(job.item.problem, None if unread else plan, gold, valid=valid))
