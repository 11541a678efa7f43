"""Plans of many shapes, and slow models that serve them from a process of their own.

The models are three `LatencyServer`s, one a role, so that the CPU they take isn't that of
the schedulers under test. A solver's latency is drawn from the text of the step it is asked:
whoever asks the same step waits equally long.
"""

from __future__ import annotations

import math
import multiprocessing
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from langgraph_decompose.plan import Plan, Subquestion

LINES = 8  # Of the plan that the framework's cost is measured with.
STEP = "Step to answer now: "
SIGMA, CAP = 1.0, 10.0  # Of the solver's log-normal latency; the cap in medians.
FIRST_LINE, NEXT_LINE, COMPOSING = 0.6, 0.06, 0.6  # What the other two models take, in medians.


@dataclass(frozen=True)
class Case:
    """A question and the plan that the decomposer answers it with."""

    number: int
    shape: str
    plan: Plan

    @property
    def question(self) -> str:
        """The question, by whose number the decomposer knows it."""
        return f"What comes of case {self.number}?"


def cases(count: int, largest: int, seed: int) -> list[Case]:
    """Cases of all shapes in turn, with 2 to `largest` subquestions."""
    chance, found = random.Random(f"plans {seed}"), []
    for number in range(1, count + 1):
        shape = list(SHAPES)[(number - 1) % len(SHAPES)]
        found.append(Case(number, shape, make_plan(shape, chance.randint(2, largest), number)))
    return found


def make_plan(shape: str, size: int, number: int) -> Plan:
    """A plan of a shape, its texts unlike those of all other cases."""
    needs = SHAPES[shape](size, random.Random(f"{shape} {size} {number}"))
    lines = [
        Subquestion(k, f"What is part {k} of case {number}?", tuple(needed))
        for k, needed in enumerate(needs, 1)
    ]
    return Plan(tuple(lines))


Needs = list[list[int]]
"""What each line needs, in plan order."""


def _independent(size: int, _: random.Random) -> Needs:
    return [[] for _ in range(size)]


def _chain(size: int, _: random.Random) -> Needs:
    return [[k] if k else [] for k in range(size)]


def _diamond(size: int, _: random.Random) -> Needs:
    """One line, then all but the last at once, then the last from them."""
    inner = list(range(2, size))
    return [[], *([1] for _ in inner), inner or [1]]


def _tree(size: int, _: random.Random) -> Needs:
    """The two oldest results that nothing has used yet are put together."""
    leaves = size // 2 + 1
    return [[] for _ in range(leaves)] + [[2 * k + 1, 2 * k + 2] for k in range(size - leaves)]


def _layered(size: int, chance: random.Random) -> Needs:
    """Layers of one to four lines; each line needs one or two of the layer before."""
    needs: Needs = []
    before: list[int] = []
    while len(needs) < size:
        layer = range(len(needs) + 1, 1 + min(size, len(needs) + chance.randint(1, 4)))
        some = [min(len(before), chance.randint(1, 2)) for _ in layer]
        needs += [chance.sample(before, n) for n in some]
        before = list(layer)
    return needs


SHAPES: dict[str, Callable[[int, random.Random], Needs]] = {
    "independent": _independent,
    "chain": _chain,
    "diamond": _diamond,
    "tree": _tree,
    "layered": _layered,
}


def solver_seconds(step: str, median: float, seed: int) -> float:
    """The latency of a step: log-normal, the same whoever asks."""
    spread = random.Random(f"{seed} {step}").gauss(0, SIGMA)
    return min(CAP * median, median * math.exp(spread))


def step_of(prompt: str) -> str:
    """The step that a solver's prompt asks for."""
    return prompt.rsplit(STEP, 1)[1].split("\n")[0]


@dataclass(frozen=True)
class Log:
    """What the servers saw since the last log, by their own clock."""

    lines: dict[str, float]
    """When a line of the plan had been sent, by the line; the last one isn't in it."""
    planning: tuple[float, float]
    """When the decomposer's call came and when it was answered."""
    solving: dict[str, tuple[float, float]]
    """The same of the solver's calls, by step."""
    composing: tuple[float, float]

    def critical_path(self, plan: Plan) -> float:
        """The least seconds that the plan could take with calls as slow as these were.

        A line can begin when it has been sent and what it needs is answered; the composer
        when the plan is whole and every line is answered.
        """
        begin, planned = self.planning
        ends: dict[int, float] = {}
        for line in plan.subquestions:
            start, end = self.solving[line.text]
            seen = self.lines.get(str(line), planned)
            ends[line.id] = max([seen, *(ends[k] for k in line.needs)]) + end - start
        start, end = self.composing
        return max(planned, *ends.values()) + end - start - begin


class SlowModels:
    """The three models; `urls` names each one's server by role."""

    def __init__(self, urls: dict[str, str], pipe: Any) -> None:
        self.urls, self._pipe = urls, pipe

    def take_log(self) -> Log:
        """The log of the one question that was asked since the last time."""
        self._pipe.send("log")
        return self._pipe.recv()


@contextmanager
def slow_models(asked: list[Case], median: float, seed: int) -> Iterator[SlowModels]:
    """Run the models in a process of their own while the block lasts."""
    with served(_serve, asked, median, seed) as (urls, pipe):
        yield SlowModels(urls, pipe)


@contextmanager
def served(serve: Callable[..., None], *args: Any) -> Iterator[tuple[Any, Any]]:
    """Run `serve(pipe, *args)` in a process of its own; gives what it sends first, and the pipe.

    After the block, "end" is sent through it.
    """
    # Spawned, since a fork would carry this process's threads' locks along.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, *args), daemon=True)
    process.start()
    try:
        yield ours.recv(), ours
    finally:
        ours.send("end")
        process.join(10)
        if process.is_alive():
            process.terminate()


def _serve(pipe: Any, asked: list[Case], median: float, seed: int) -> None:
    from langgraph_decompose.testing import LatencyServer

    plans = {str(case.number): str(case.plan) for case in asked}
    begun: list[tuple[str, float]] = []

    def next_line(line: str) -> float:
        # Asked when the line before has just been sent.
        begun.append((line.rstrip("\n"), time.monotonic()))
        return NEXT_LINE * median

    def plan(prompt: str, _: Any) -> str:
        return plans[re.findall(r"of case (\d+)\?", prompt)[-1]]

    servers = {
        "decomposer": LatencyServer(plan, FIRST_LINE * median, next_line),
        "solver": LatencyServer(
            lambda prompt, _: f"The answer to: {step_of(prompt)}",
            lambda prompt: solver_seconds(step_of(prompt), median, seed),
        ),
        "composer": LatencyServer(lambda *_: "It comes to 42.", COMPOSING * median),
    }
    with ExitStack() as stack:
        for server in servers.values():
            stack.enter_context(server)
        pipe.send({role: server.url for role, server in servers.items()})
        while pipe.recv() == "log":
            pipe.send(_log(servers, begun))


def _log(servers: dict[str, Any], begun: list[tuple[str, float]]) -> Log:
    def times(call: Any) -> tuple[float, float]:
        return call.received, call.answered

    [planning] = servers["decomposer"].calls
    [composing] = servers["composer"].calls
    # That a line begins tells when the one before it had been sent.
    first = servers["decomposer"].reply(planning.prompt, {}).split("\n")[0]
    lines = [first, *(line for line, _ in begun)]
    log = Log(
        dict(zip(lines, [at for _, at in begun], strict=False)),
        times(planning),
        {step_of(call.prompt): times(call) for call in servers["solver"].calls},
        times(composing),
    )
    begun.clear()
    for server in servers.values():
        server.calls.clear()
    return log
