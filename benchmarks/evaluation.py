"""What `decompose eval` costs beyond the graphs themselves, in time and memory.

    python benchmarks/evaluation.py                   # overhead of the runner
    python benchmarks/evaluation.py --memory 20000    # memory over so many samples
    python benchmarks/evaluation.py --ray             # two workers against one (needs ray)

The solver is a server on loopback in a process of its own. Overhead is measured with instant
replies, in turns with the peer: the same graphs in a plain asyncio loop, without any
checkpointer, so that a kill would lose all. Ray is measured with replies that take a second, as
a hosted model's may.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from langgraph_decompose.evals.evaluation import Scoring
from langgraph_decompose.evals.items import Item
from langgraph_decompose.evals.ray_engine import run_on_ray
from langgraph_decompose.evals.runner import Job, Running, run_jobs
from langgraph_decompose.evals.sample_file import SampleFile
from langgraph_decompose.evals.systems import NO_MODEL, System
from process_memory import resident
from slow_models import served

CONCURRENCY = 8
SCORING = Scoring({"sums": "numeric"})


def main() -> None:
    """Measure what the flags name and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--questions", type=int, default=300, help="in each turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=int, default=0, metavar="SAMPLES")
    parser.add_argument("--ray", action="store_true")
    args = parser.parse_args()
    with served(_serve, 1.0 if args.ray else 0.0) as (url, _):
        if args.ray:
            measure_ray(url, 160)
        elif args.memory:
            measure_memory(url, args.memory)
        else:
            measure_overhead(url, args.questions, args.rounds)


def _serve(pipe: Any, latency: float) -> None:
    from langgraph_decompose.testing import LatencyServer

    with LatencyServer(lambda _prompt, _body: "4", latency) as server:
        pipe.send(server.url)
        while not pipe.poll(1):
            server.calls.clear()


def jobs(url: str, count: int) -> list[Job]:
    """Questions to one undivided system."""
    system = System("direct", NO_MODEL, f"openai:solver@{url}")
    items = [Item(str(n), f"What is {n} plus {4 - n}?", gold=["4"]) for n in range(count)]
    return [Job(system, "sums", item) for item in items]


def measure_overhead(url: str, count: int, rounds: int) -> None:
    """The runner against a plain loop, in turns."""
    asked = jobs(url, count)
    asyncio.run(_plain(asked[:50]))
    asyncio.run(_ours(asked[:50]))
    ratios: list[float] = []
    for turn in range(1, rounds + 1):
        plain, ours = asyncio.run(_plain(asked)), asyncio.run(_ours(asked))
        ratios.append(ours / plain)
        print(f"round {turn}: plain loop {plain:.2f} s, runner {ours:.2f} s, {ours / plain:.3f}")
    print(f"runner / plain loop: {statistics.median(ratios):.3f} (median of {rounds})")


async def _plain(asked: list[Job]) -> float:
    """The same graph, as anyone would call it from a loop of their own."""
    graph = asked[0].system.graph()
    places = asyncio.Semaphore(CONCURRENCY)
    begin = time.perf_counter()

    async def ask(job: Job) -> None:
        async with places:
            await graph.ainvoke({"question": job.item.question})

    await asyncio.gather(*(ask(job) for job in asked))
    return time.perf_counter() - begin


async def _ours(asked: list[Job]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = SampleFile(Path(folder), {})
        begin = time.perf_counter()
        await run_jobs(asked, file, SCORING, Running(CONCURRENCY))
        file.finish([job.key for job in asked])
        return time.perf_counter() - begin


def measure_memory(url: str, count: int) -> None:
    """Resident memory every tenth of the way."""

    def told(_: Any) -> None:
        seen.append(1)
        if len(seen) % max(1, count // 10) == 0:
            gc.collect()
            print(f"{len(seen):6} samples: {resident() / 2**20:.0f} MB")

    seen: list[int] = []
    asked = jobs(url, count)
    with tempfile.TemporaryDirectory() as folder:
        file = SampleFile(Path(folder), {})
        asyncio.run(run_jobs(asked, file, SCORING, Running(CONCURRENCY), told))


def measure_ray(url: str, count: int) -> None:
    """Two workers against one, each with eight questions at once; starting them isn't counted."""
    asked = jobs(url, count + 16)
    seconds = {workers: _on_ray(asked, workers) for workers in (1, 2)}
    for workers, took in seconds.items():
        print(f"{workers} workers: {count} questions in {took:.1f} s")
    print(f"two workers / one: {seconds[1] / seconds[2]:.2f} times as fast")


def _on_ray(asked: list[Job], workers: int) -> float:
    """Seconds from the sixteenth answer on: the first ones wait for processes and imports."""
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        file, running = SampleFile(Path(folder), {}), Running(CONCURRENCY)
        told = lambda _: times.append(time.perf_counter())  # noqa: E731
        asyncio.run(run_on_ray(asked, file, SCORING, running, workers, told))
    return times[-1] - times[15]


if __name__ == "__main__":
    main()
