"""An evaluation from its settings to its report: what `decompose eval` does.

OUT/evaluation.json   what was asked of whom
OUT/samples.jsonl     a line for each system and item
OUT/summary.json      every figure
OUT/report.md, OUT/report.html
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from .. import __version__
from ..errors import UserError
from ..models.hosted import without_credentials
from ..models.references import resolve_model
from ..nodes.outputs import whole_characters
from ..storage import locked, write_private
from .about import about, hash_of, identity_of, prompt_texts
from .gold import GOLD, gold_plans
from .items import Item
from .metrics import score
from .report.write import write_report
from .runner import Job, Running, run_jobs
from .sample_file import SAMPLES, SampleFile
from .summary import read_samples, summarise
from .systems import PLANNING, System
from .task_files import Task, load_items, load_task, source_of

SUMMARY = "summary.json"
Engine = Literal["local", "ray"]


@dataclass(frozen=True)
class EvalSettings:
    """What is compared on what.

    Attributes:
        systems: By name or file of each task: what is compared on it, the baseline first.
        limit: Most items of a task; all if None.
        seed: Another seed chooses other items.
        data: The folder that holds the data sets.
        concurrency: Questions at once.
        deterministic: One question after another, so that the same machine and build give the
            same figures to the digit.
        call_timeout: Seconds for one call.
        engine: `ray` spreads the questions over a Ray cluster.
        workers: Processes of `ray`.

    Raises:
        UserError: If a number can't be right.
    """

    systems: Mapping[str, Sequence[System]]
    limit: int | None = None
    seed: int = 0
    data: str | None = None
    concurrency: int = 8
    deterministic: bool = False
    call_timeout: float | None = None
    engine: Engine = "local"
    workers: int = 2

    def __post_init__(self) -> None:
        for name in ("concurrency", "workers", "call_timeout"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UserError(f"{name!r} is a number above 0, not {value}.")


@dataclass(frozen=True)
class Scoring:
    """Judges an answer by its task's rules; plain data, so that it can be sent to workers."""

    by_task: Mapping[str, str]

    def __call__(self, task: str, item: Item, answer: str | None) -> Mapping[str, float]:
        """The metrics of an answer."""
        return score(self.by_task[task], answer, item.gold)


@dataclass(frozen=True)
class _Loaded:
    task: Task
    items: list[Item]
    source: str
    systems: list[System]


class Evaluation:
    """An evaluation whose tasks are loaded and whose models are found, ready to run.

    Attributes:
        keys: What is asked of whom.
        passing: How many questions failed in passing when it was run, as a whole or in part.

    Raises:
        UserError: If a task, its data or a model isn't there, or gold plans that are asked for,
            or if two systems have one name.
    """

    def __init__(self, settings: EvalSettings) -> None:
        self.settings = settings
        self._loaded: dict[str, _Loaded] = {}
        for name, compared in settings.systems.items():
            task = load_task(name)
            if task.name in self._loaded:
                raise UserError(f"two tasks are called {task.name!r}; rename a file.")
            self._loaded[task.name] = self._load(task, compared)
        self.keys = [job.key for job in self.jobs()]
        self.passing = 0
        systems = {s: None for loaded in self._loaded.values() for s in loaded.systems}
        for system in systems:
            system.graph()  # What is wrong with it is told before anything is asked.
        self._header = self._described(list(systems))

    def _load(self, task: Task, compared: Sequence[System]) -> _Loaded:
        settings = self.settings
        items = load_items(task, settings.data, settings.limit, settings.seed)
        if any(s.decomposer == GOLD for s in compared) and not gold_plans(items):
            raise UserError(f"the task {task.name!r} has no gold plans; name a decomposer.")
        fitting = _fitting(task, compared)
        _check_names(fitting)
        return _Loaded(task, items, source_of(task, settings.data), fitting)

    def jobs(self) -> Iterator[Job]:
        """Every question to every system, system by system."""
        for name, loaded in self._loaded.items():
            for system in loaded.systems:
                for item in loaded.items:
                    yield Job(system, name, item)

    def run(
        self,
        out: Path,
        *,
        resume: bool = False,
        command: str = "",
        on_sample: Callable[[Mapping[str, Any], int], None] = lambda _sample, _done: None,
    ) -> dict[str, Any]:
        """Ask whatever has no sample yet, and write summary and report; returns the summary.

        Args:
            out: The directory.
            resume: Go on with what is there.
            command: What was typed, for the report.
            on_sample: Is told each new sample, and how many there were before.

        Raises:
            UserError: If the directory is another evaluation's, or is being written.
        """
        _make(out)
        # The lock's file stays: who removed it could let two others hold "the" lock.
        with locked(out / SAMPLES, "run", f"{str(out)!r} is being written by another process."):
            file = SampleFile(out, self._header, resume=resume)
            before = len(file)
            asyncio.run(self._ask(file, lambda sample: on_sample(sample, before)))
            file.finish(self.keys)
            self.passing = file.passing
            # What other calls of a question said isn't paid for again when it is asked again.
            for replies in () if file.passing else out.glob("samples.replies*.jsonl"):
                replies.unlink()
            return self._summary(out, command)

    async def _ask(self, file: SampleFile, on_sample: Callable[[Any], None]) -> None:
        running = Running(
            concurrency=self._concurrency(),
            options={"call_timeout": self.settings.call_timeout},
            gold={name: gold_plans(loaded.items) for name, loaded in self._loaded.items()},
        )
        scoring = Scoring({name: loaded.task.scoring for name, loaded in self._loaded.items()})
        if self.settings.engine == "ray":
            from .ray_engine import run_on_ray

            workers = self.settings.workers
            await run_on_ray(self.jobs(), file, scoring, running, workers, on_sample)
        else:
            await run_jobs(self.jobs(), file, scoring, running, on_sample)

    def _concurrency(self) -> int:
        """Questions at once: one where all models run here, since others would only queue."""
        models = {
            ref for loaded in self._loaded.values() for s in loaded.systems for ref in s.models
        }
        local = all(ref == GOLD or resolve_model(ref).is_local for ref in models)
        return 1 if self.settings.deterministic or local else self.settings.concurrency

    def _described(self, systems: Sequence[System]) -> dict[str, Any]:
        """What samples depend on: answers of others mustn't be mixed in."""
        tasks = {
            name: {
                "version": loaded.task.version,
                "prompt_version": loaded.task.prompt_version,
                "scoring": loaded.task.scoring,
                "items": hash_of([asdict(item) for item in loaded.items]),
                "systems": [system.name for system in loaded.systems],
            }
            for name, loaded in self._loaded.items()
        }
        folders = {system.prompts for system in systems}
        return {
            "version": __version__,
            "tasks": tasks,
            "models": {
                without_credentials(ref): identity_of(ref)
                for s in systems
                for ref in s.models
                if ref != GOLD
            },
            "prompts": hash_of([prompt_texts(folder) for folder in sorted(folders)]),
            "limit": self.settings.limit,
            "seed": self.settings.seed,
            "deterministic": self.settings.deterministic,
        }

    def _summary(self, out: Path, command: str) -> dict[str, Any]:
        tasks = {
            name: {
                "version": loaded.task.version,
                "prompt_version": loaded.task.prompt_version,
                "source": whole_characters(loaded.source),
                "metric": loaded.task.metric,
                "items": len(loaded.items),
            }
            for name, loaded in self._loaded.items()
        }
        samples = out / SAMPLES
        summary = summarise(
            read_samples(samples),
            tasks=tasks,
            about=about() | {"models": self._header["models"]},
            command=whole_characters(command),
            seed=self.settings.seed,
        )
        write_private(out / SUMMARY, json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
        write_report(samples, summary, out)
        return summary


def _fitting(task: Task, compared: Sequence[System]) -> list[System]:
    """The systems as they are, or their decomposers alone where only plans are judged."""
    if task.scoring:
        return list(compared)
    found = [system.plan_only for system in compared if system.strategy in PLANNING]
    if not found:
        raise UserError(
            f"the task {task.name!r} judges plans only; add a strategy that makes them: "
            f"{', '.join(PLANNING)}."
        )
    return list(dict.fromkeys(found))


def _check_names(systems: Sequence[System]) -> None:
    """Refuse systems that samples couldn't tell apart."""
    names = Counter(system.name for system in systems)
    if alike := [name for name, count in names.items() if count > 1]:
        raise UserError(
            f"two systems are called {alike[0]!r}; what differs in passwords or in where prompts "
            "lie alone is compared in two evaluations."
        )


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UserError(f"{str(out)!r} can't be made: {error.strerror}.") from None
