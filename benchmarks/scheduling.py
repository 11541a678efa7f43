"""How close a plan comes to the least time that it can take, and what the framework itself takes.

    python benchmarks/scheduling.py [--llama-index-python PYTHON] [--quick] [--json] [--seed 1]

1. Wall clock of `ainvoke` next to the plan's critical path, as the servers' clock has it, on
   plans of 2 to 16 subquestions. Beside it, on the same plans with the same latencies: LangGraph
   `Send` supersteps, a plain loop, and LlamaIndex's `SubQuestionQueryEngine`, in turns.
2. CPU milliseconds a subquestion with models that answer at once, the least of many rounds,
   since a busy neighbour only adds to it: of one more, and of an 8-line plan by 8, all included.
   Chat models take some CPU themselves: the whole plan with them is shown as it is, and has its
   target less the same calls made bare. And wall clock with `AsyncSqliteSaver` on a file.
3. Memory of a process with 500 plans at once on one event loop.

LlamaIndex runs in a process of its own, since it needn't be installed beside this package:
`--llama-index-python` names the Python that has `llama-index-core`. Exits with 1 if a target is
missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from peers import (
    IN_TURN,
    LLAMA_INDEX,
    OURS,
    SUPERSTEPS,
    LlamaIndexProcess,
    one_by_one,
    ours,
    send_supersteps,
)
from slow_models import LINES, Case, SlowModels, cases, make_plan, slow_models

LARGEST, QUICK_LARGEST = 16, 4
Figures = dict[str, list[tuple[float, float]]]
"""Seconds and critical path of every plan, by contestant."""


@dataclass(frozen=True)
class Row:
    """One figure and its target, if it has one; None stands for what couldn't be measured."""

    name: str
    figure: float | None
    unit: str
    target: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the figure keeps to its target; None without one."""
        if self.target is None or self.figure is None:
            return None
        return self.figure <= self.target


async def race(
    asked: list[Case], models: SlowModels, python: str, seed: int
) -> tuple[Figures, str]:
    """Every contestant runs every plan, in turns; returns also why LlamaIndex doesn't, if so."""
    llama = LlamaIndexProcess(python, models.urls)
    ways: dict[str, Any] = {
        OURS: ours(models.urls),
        SUPERSTEPS: send_supersteps(models.urls),
        IN_TURN: one_by_one(models.urls),
    } | ({} if llama.missing else {LLAMA_INDEX: llama.ask})
    figures: Figures = {name: [] for name in ways}
    chance = random.Random(seed)
    for case in asked:
        for name in chance.sample(list(ways), len(ways)):
            start = time.perf_counter()
            measured = await ways[name](case.question)
            seconds = measured if name == LLAMA_INDEX else time.perf_counter() - start
            figures[name].append((seconds, models.take_log().critical_path(case.plan)))
    llama.close()
    # The first plan is for imports and connections.
    return {name: found[1:] for name, found in figures.items()}, llama.missing


def measure_race(options: argparse.Namespace, plans: list[dict[str, Any]]) -> Iterator[Row]:
    """Wall clock by critical path, and by ours; adds what each plan took to `plans`."""
    asked = cases(options.plans, options.largest, options.seed)
    warming = Case(0, "chain", make_plan("chain", 2, 0))
    python = options.llama_index_python
    with slow_models([warming, *asked], options.median, options.seed) as models:
        figures, missing = asyncio.run(race([warming, *asked], models, python, options.seed))
    for number, case in enumerate(asked):
        about = {"shape": case.shape, "lines": len(case.plan.subquestions)}
        took = {name: found[number][0] for name, found in figures.items()}
        plans.append({**about, "critical_path": figures[OURS][number][1], "seconds": took})
    yield from by_critical_path(figures)
    if missing:
        yield Row(f"{LLAMA_INDEX}: wall clock / critical path", None, "ratio", note=missing)
    yield from by_ours(figures)


def by_critical_path(figures: Figures) -> Iterator[Row]:
    """Seconds of all plans by the least that they could take; the target is ours."""
    for name, found in figures.items():
        ratios = [seconds / path for seconds, path in found]
        whole = sum(seconds for seconds, _ in found) / sum(path for _, path in found)
        target = 1.05 if name == OURS else None
        note = f"median plan {median(ratios):.3f}, worst {max(ratios):.3f}"
        yield Row(f"{name}: wall clock / critical path", whole, "ratio", target, note)


def by_ours(figures: Figures) -> Iterator[Row]:
    """How many times as long as ours the others take."""
    for name in [name for name in figures if name != OURS]:
        ratios = [a[0] / b[0] for a, b in zip(figures[name], figures[OURS], strict=True)]
        note = f"median plan; worst for us {min(ratios):.2f}, best {max(ratios):.2f}"
        yield Row(f"{name} / {OURS}: wall clock", median(ratios), "ratio", note=note)


def measure_framework(options: argparse.Namespace) -> Iterator[Row]:
    """Memory, CPU and wall clock of the framework, in a process of its own."""
    command = [sys.executable, os.path.abspath(__file__), "--child"]
    for name in ("rounds", "at-once", "median", "seed"):
        command += [f"--{name}", str(getattr(options, name.replace("-", "_")))]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    yield from memory_rows(found["memory"], options)
    yield from all_cost_rows(found["cost"])


def all_cost_rows(found: dict[str, Any]) -> Iterator[Row]:
    """CPU of the framework, and wall clock with a checkpointer."""
    empty = f"an empty LangGraph graph of three nodes takes {found['graph']:.1f} ms a run"
    yield from cost_rows("async functions", found["function"], empty, target=1.0)
    yield from cost_rows("chat models", found["chat"], empty, target=None)
    chat = found["chat"]
    net = (chat["run"] - chat["bare"]) / LINES
    note = "what LangChain and the model itself take isn't the framework's"
    yield Row("chat models: the same less their own calls", net, "ms CPU", 1.0, note)
    name = "chat models, a word a chunk: an 8-line plan, each"
    yield Row(name, found["words"] / LINES, "ms CPU", note=f"{found['words']:.1f} ms the run")
    note = (
        f"lower quartile; an empty graph of three nodes takes {found['sqlite_graph']:.1f} ms a run"
    )
    yield Row("AsyncSqliteSaver: an 8-line plan", found["sqlite"] / LINES, "ms wall", 6.0, note)


def cost_rows(models: str, found: Any, empty: str, target: float | None) -> Iterator[Row]:
    """Milliseconds for a subquestion, without and with its share of the rest of a run."""
    yield Row(f"{models}: one more subquestion", found["slope"], "ms CPU", 1.0, empty)
    whole, bare = found["run"], found["bare"]
    note = f"{whole:.1f} ms the run, planning and composing included; bare calls {bare:.1f} ms"
    yield Row(f"{models}: an 8-line plan, each", whole / LINES, "ms CPU", target, note)


def memory_rows(found: dict[str, Any], options: argparse.Namespace) -> Iterator[Row]:
    """Peak with many plans at once, and what later repeats add."""
    first, *repeats = (size / 1e6 for size in found["after"])
    note = f"{found['started'] / 1e6:.0f} MB before the first; {found['at_once']} plans at once"
    yield Row(f"peak memory, {options.at_once} plans at once", found["peak"] / 1e6, "MB", 400, note)
    note = "after each: " + ", ".join(f"{size:.0f} MB" for size in (first, *repeats))
    growth = max(repeats) / first
    yield Row("memory after repeats / after the first", growth, "ratio", 1.05, note)


def show(rows: list[Row], options: argparse.Namespace) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("what", "figure", "target", "", "note", caption=about(options))
    for row in rows:
        figure = "not measured" if row.figure is None else f"{row.figure:.3f} {row.unit}"
        target = "" if row.target is None else f"<= {row.target:g}"
        verdict = {None: "", True: "met", False: "[red]MISSED[/red]"}[row.met]
        table.add_row(row.name, figure, target, verdict, row.note)
    Console(width=None if sys.stdout.isatty() else 170).print(table)


def about(options: argparse.Namespace) -> str:
    """How to measure again, and what the machine was doing."""
    command = shlex.join(["python", *sys.argv])
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    return f"{command} (seed {options.seed}, {options.plans} plans, {machine})"


def read_arguments() -> argparse.Namespace:
    """The command line; `--quick` takes fewer and smaller plans."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--llama-index-python",
        default=sys.executable,
        metavar="PYTHON",
        help="a Python that has llama-index-core; this one if not given",
    )
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--plans", type=int, help="plans in the race")
    parser.add_argument("--median", type=float, default=0.5, help="solver's median latency")
    parser.add_argument("--rounds", type=int, help="rounds of the CPU figures")
    parser.add_argument("--at-once", type=int, help="plans for the memory figure")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.plans = options.plans or (2 if options.quick else 10)
    options.rounds = options.rounds or (6 if options.quick else 40)
    options.at_once = options.at_once or (100 if options.quick else 500)
    options.largest = QUICK_LARGEST if options.quick else LARGEST
    return options


def main() -> int:
    """Measure and print; 1 if a target is missed."""
    options = read_arguments()
    if options.child:
        from framework_cost import measure

        print(json.dumps(asyncio.run(measure(options))))
        return 0
    plans: list[dict[str, Any]] = []
    rows: list[Row] = []
    for part in (measure_framework(options), measure_race(options, plans)):
        print(f"{part.__name__} ...", file=sys.stderr)
        rows += part
    if options.json:
        found = [{**asdict(row), "met": row.met} for row in rows]
        print(json.dumps({"about": about(options), "rows": found, "plans": plans}, indent=2))
    else:
        show(rows, options)
    missed = [row.name for row in rows if row.met is False]
    if missed:
        print(f"missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
