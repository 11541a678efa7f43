"""`--engine ray`: the questions of an evaluation spread over the workers of a Ray cluster.

Each worker is a process with its own event loop, models and replies, and always gets the
same questions, so that a later run finds what an earlier one has paid for. A worker that dies
is started again, and asked again what it hadn't answered. Samples are written here, by the
process that was started: they are the same as without Ray.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import MissingDependencyError, UserError, first_line
from ..nodes.waiting import all_or_none
from .reply_log import ReplyLog
from .runner import Asker, Job, Running, Score, failure, sample_of
from .sample_file import Key, SampleFile

_DEATHS = 3
"""A question whose worker died so often is taken to be the cause."""
_START_SECONDS = 300


async def run_on_ray(
    jobs: Iterable[Job],
    file: SampleFile,
    score: Score,
    running: Running,
    workers: int,
    on_sample: Callable[[Mapping[str, Any]], None],
) -> None:
    """Ask what has no sample yet; as `runner.run_jobs`, with so many workers.

    These are processes, each of which asks so many questions at once. With RAY_ADDRESS set
    they are started in that cluster, else in one on this machine that ends with the run.

    Raises:
        MissingDependencyError: If Ray isn't installed.
        UserError: If no worker can be started.
    """
    ray = _ray()
    open_jobs = [job for job in jobs if job.key not in file]
    own = _connect(ray, workers)

    def kept(sample: Mapping[str, Any]) -> None:
        file.add(sample)
        on_sample(sample)

    slots = [
        _Slot(ray, file.path.with_name(f"samples.replies-{k}.jsonl"), score, running, kept)
        for k in range(workers)
    ]
    tasks = [
        asyncio.ensure_future(slot.run([j for j in open_jobs if _worker_of(j, workers) == k]))
        for k, slot in enumerate(slots)
    ]
    try:
        await all_or_none(tasks)
    finally:
        if own:
            ray.shutdown()


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise MissingDependencyError(
            "--engine ray needs Ray: pip install 'langgraph-decompose[ray]'."
        ) from None
    return ray


def _connect(ray: Any, workers: int) -> bool:
    """Join the user's cluster, or start one here; whether it is ours to end."""
    if ray.is_initialized():
        return False
    # Ray's usage reports go to a server on the internet.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quiet)
    else:
        ray.init(num_cpus=workers, include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
    return True


def _worker_of(job: Job, workers: int) -> int:
    return int(job.thread[:8], 16) % workers


class _Slot:
    """One worker and its questions, whichever process stands for it."""

    def __init__(
        self,
        ray: Any,
        replies: Path,
        score: Score,
        running: Running,
        kept: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._ray, self._replies, self._score, self._running = ray, replies, score, running
        self._kept = kept
        self._deaths: Counter[Key] = Counter()
        self._actor: Any = None
        self._starting = asyncio.Lock()

    async def run(self, jobs: list[Job]) -> None:
        """Ask all questions, so many at once."""
        waiting = iter(jobs)

        async def work() -> None:
            for job in waiting:
                sample = await self._answer(job)
                self._kept(sample)
                if self._actor is not None and not sample["transient"]:
                    self._actor.forget.remote(job)

        await asyncio.gather(*(work() for _ in range(min(len(jobs), self._running.concurrency))))

    async def _answer(self, job: Job) -> dict[str, Any]:
        """A question's sample; the worker may die under it now and then."""
        while True:
            actor = await self._started()
            try:
                return await actor.ask.remote(job)
            except self._ray.exceptions.RayActorError as error:
                self._bury(actor)
                self._deaths[job.key] += 1
                if self._deaths[job.key] == _DEATHS:
                    why = RuntimeError(f"its worker died {_DEATHS} times: {first_line(error)}")
                    return sample_of(job, failure(why), self._score, 0.0)
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from None

    async def _started(self) -> Any:
        """The worker's process, once it answers."""
        async with self._starting:
            if self._actor is None:
                # Asking and forgetting go on at once.
                places = 2 * self._running.concurrency
                kind = self._ray.remote(num_cpus=1, max_concurrency=places)(_Worker)
                actor = kind.remote(str(self._replies.absolute()), self._score, self._running)
                try:
                    await asyncio.wait_for(actor.ready.remote(), _START_SECONDS)
                except TimeoutError:
                    raise UserError(
                        f"no worker started within {_START_SECONDS} s; has the cluster a free "
                        "CPU for each of --workers?"
                    ) from None
                self._actor = actor
            return self._actor

    def _bury(self, dead: Any) -> None:
        """Make sure that it is gone, before another one opens its replies."""
        if self._actor is dead:
            self._ray.kill(dead)
            self._actor = None


class _Worker:
    """What runs in a worker's process: graphs, models and checkpoints of its own."""

    def __init__(self, replies: str, score: Score, running: Running) -> None:
        path = Path(replies)
        shared = path.parent.is_dir()
        if not shared:  # Another machine's: what is paid for is kept by this process only.
            path = Path(tempfile.mkdtemp()) / path.name
        self._asker = Asker(ReplyLog(path), score, running)
        if not shared:  # Nobody would read the file again, nor remove it.
            shutil.rmtree(path.parent, ignore_errors=True)

    async def ready(self) -> bool:
        """Whether it runs."""
        return True

    async def ask(self, job: Job) -> dict[str, Any]:
        """The sample of a question."""
        return await self._asker.ask(job)

    async def forget(self, job: Job) -> None:
        """Drop a question's replies, now that its sample is kept."""
        self._asker.forget(job)
