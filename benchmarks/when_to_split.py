"""When does splitting pay: every strategy on solvers of stated strength, by tokens and by money.

    python benchmarks/when_to_split.py [--count 48] [--quick] [--in-process] [--workers 2]
        [--json FILE] [--plot FILE.svg] [--seed 1]

The graphs are the real ones; the models are simulated (`simulated_solver.py`) and answer over
HTTP on loopback, or with `--in-process` without it: the same figures, five times as fast, as
a test holds. docs/results/when_to_split.json is from `--in-process --count 192`. The problems
are counting chains and trees of 1 to 8 steps, a quarter of them of a single one
(`crate_problems.py`); in half of the longer ones a line of the plan takes 2 or 3 steps.

What comes out depends on what is put in, so four worlds are compared:

- *crowded*: a step gets harder the more are asked at once, and errors are scattered.
- *habitual*: the same, but in four of five samples a model repeats what it always says:
  agreement misleads, and more samples help little.
- *coarse*: as *habitual*, but a line of a longer question's plan takes up to three steps: it
  could be split again.
- *even*: a chain asked at once is as good as its steps one by one. Splitting can't gain by
  itself here; only what is spent on checking or on a better solver can.

Samples of one prompt are drawn in the order in which they come, and every model answers one
call at a time, so that two runs give the same figures to the digit. Systems share their draws:
the first answer to a prompt is the same whoever asks, which makes comparisons sharper.

Tokens are words. Money is words by price: the strong solver's errors are a quarter of the weak
one's, for ten times the price; decomposer and composer cost what the weak one does.

A strategy *beats* a baseline where it is more often right for no more tokens or money
(McNemar's test, corrected by Holm for all that the strategy is compared with), or where it is
shown to lose less than 5 points and to spend less. Since a baseline may itself be a waste, a
strategy *pays* only where it is more often right than every undivided way that costs no more.
Both are told for all questions and for those of 4 steps and more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from crate_problems import CrateProblem, crate_problems
from langgraph_decompose import create_decomposition_graph
from langgraph_decompose.graphs.escalate import Rung
from langgraph_decompose.models.limiter import Limiter
from langgraph_decompose.models.references import ResolvedModel, resolve_model
from langgraph_decompose.nodes.budget import Budget
from langgraph_decompose.nodes.solvers import SolverOption
from langgraph_decompose.testing import LatencyServer
from simulated_solver import Simulator, World, words
from when_to_split_plot import draw
from when_to_split_verdicts import Asked, Cell, report, verdict_lines

WORLDS = (
    World("crowded", written=1.3, brief=1.6),
    World("habitual", written=1.3, brief=1.6, habit=0.8),
    World("coarse", written=1.3, brief=1.6, habit=0.8, coarse=True),
    World("even", written=1.0, brief=1.3),
)
STRENGTHS = (0.6, 0.75, 0.85, 0.92, 0.97, 0.99)
PRICES = {"decomposer": (0.15, 0.6), "weak": (0.15, 0.6), "strong": (1.5, 6.0)}
"""Of a million words in and out."""
LINE_WORDS = (260, 3)
"""What the words of a call for a line are taken for by the allocation: rather too many."""
MAX_COST = 0.0008
"""Money for a question under allocation: about a third of what the strong solver would take."""


@dataclass(frozen=True)
class Job:
    """One world at one strength."""

    world: World
    strength: float
    count: int
    seed: int
    in_process: bool

    @property
    def step(self) -> dict[str, float]:
        """The chance of each solver to do one step."""
        return {"weak": self.strength, "strong": 1 - (1 - self.strength) / 4}


def systems(models: Mapping[str, Any], step: Mapping[str, float]) -> dict[str, Any]:
    """A graph of each kind."""
    weak, strong = models["weak"], models["strong"]
    build = partial(
        create_decomposition_graph,
        decomposer=models["decomposer"],
        composer=weak,
        max_concurrency=1,
    )
    options = {
        name: SolverOption(models[name], _line_cost(name), step[name], samples)
        for name, samples in (("weak", (1, 3, 5)), ("strong", (1,)))
    }
    ladder = [Rung("cot", 3), Rung("cot", 1, solver=strong)]
    return {
        "direct": build(weak, strategy="direct"),
        "cot": build(weak, strategy="cot"),
        "self_consistency(5)": build(weak, strategy="self_consistency"),
        "self_consistency(15)": build(weak, strategy="self_consistency", samples=15),
        "always split": build(weak, gate="always"),
        "gate model": build(weak, gate="model"),
        "gate disagreement": build(weak, gate="disagreement"),
        "attempt_first": build(weak, strategy="attempt_first"),
        "escalate": build(weak, strategy="escalate"),
        "recursive": build(weak, strategy="recursive"),
        "cot, strong": build(strong, strategy="cot"),
        "always split, strong": build(strong, gate="always"),
        "escalate, to strong": build(weak, strategy="escalate", ladder=ladder),
        "allocation": build(options, gate="always", budget=Budget(max_cost=MAX_COST)),
    }


def _line_cost(name: str) -> float:
    return sum(n * price for n, price in zip(LINE_WORDS, PRICES[name], strict=True)) / 1e6


def run(job: Job) -> Cell:
    """Ask every system all problems of a world at a strength."""
    problems = crate_problems(job.count, job.seed, coarse=job.world.coarse)
    known = {problem.number: problem for problem in problems}
    found: dict[str, list[Asked]] = {}

    async def ask_all() -> None:
        with ExitStack() as stack:
            simulator = Simulator(job.world, known, job.step, job.seed)
            models = _models(simulator, stack, in_process=job.in_process)
            for name, graph in systems(models, job.step).items():
                # What others asked changes nothing: each begins with the first sample.
                simulator.calls.clear()
                simulator.spent.clear()
                found[name] = [await ask(graph, problem) for problem in problems]
                check(name, simulator, found[name])

    asyncio.run(ask_all())
    return Cell(job.world.name, job.strength, found)


async def ask(graph: Any, problem: CrateProblem) -> Asked:
    """One question of one system."""
    result = await graph.ainvoke({"question": problem.question, "context": problem.context})
    said, usage = result["answer"] or "nothing", result["usage"]
    return Asked(
        right=said.split()[0] == str(problem.answer),
        tokens=sum(row["input_tokens"] + row["output_tokens"] for row in usage),
        money=sum(row["cost"] for row in usage),
        calls=sum(row["calls"] for row in usage),
        steps=len(problem.steps),
    )


def check(name: str, simulator: Simulator, asked: Sequence[Asked]) -> None:
    """What the graphs report must be what the server counted, and every prompt understood.

    Raises:
        RuntimeError: If it isn't so.
    """
    counted = sum(simulator.spent.values()), sum(simulator.calls.values())
    told = sum(row.tokens for row in asked), sum(row.calls for row in asked)
    if simulator.misunderstood or counted != told:
        why = simulator.misunderstood[:1] or f"the server counted {counted}, the results say {told}"
        raise RuntimeError(f"{name}: {why}")


def _models(simulator: Simulator, stack: ExitStack, *, in_process: bool) -> dict[str, Any]:
    """The simulated models, each answering one call at a time."""
    url = "" if in_process else stack.enter_context(LatencyServer(simulator)).url
    found: dict[str, Any] = {}
    for name, (price_in, price_out) in PRICES.items():
        runnable = (
            _without_server(simulator, name)
            if in_process
            else resolve_model(f"openai:{name}@{url}").runnable
        )
        found[name] = ResolvedModel(
            name, runnable, price_in=price_in, price_out=price_out, limiter=Limiter(1)
        )
    return found


def _without_server(simulator: Simulator, name: str) -> Any:
    from langchain_core.messages import AIMessage
    from langchain_core.runnables import RunnableLambda

    async def reply(prompt: str) -> AIMessage:
        text = simulator(prompt, {"model": name})
        asked, said = words(prompt), words(text)
        usage: Any = {"input_tokens": asked, "output_tokens": said, "total_tokens": asked + said}
        return AIMessage(text, usage_metadata=usage)

    return RunnableLambda(reply)


def run_all(args: argparse.Namespace) -> list[Cell]:
    """All worlds at all strengths, in processes of their own."""
    strengths = (0.75, 0.97) if args.quick else STRENGTHS
    worlds = WORLDS[:1] if args.quick else WORLDS
    jobs = [Job(w, s, args.count, args.seed, args.in_process) for w in worlds for s in strengths]
    if args.workers == 1:
        return [run(job) for job in jobs]
    with ProcessPoolExecutor(args.workers, get_context("spawn")) as pool:
        return list(pool.map(run, jobs))


def main() -> None:
    """Ask, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=48, help="problems at each strength")
    parser.add_argument("--quick", action="store_true", help="one world, two strengths")
    parser.add_argument("--in-process", action="store_true", help="without HTTP")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the first world")
    args = parser.parse_args()
    found = report(run_all(args), {"count": args.count, "seed": args.seed})
    print("\n".join(verdict_lines(found)))
    if args.json:
        args.json.write_text(json.dumps(found) + "\n")
    if args.plot:
        args.plot.write_text(draw(found))


if __name__ == "__main__":
    sys.exit(main())
