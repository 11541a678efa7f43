"""What the framework itself takes, with models in this process: CPU, wall clock, memory."""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableLambda
from langgraph.graph import StateGraph
from langgraph_decompose import create_decomposition_graph
from langgraph_decompose.models.references import resolve_model
from langgraph_decompose.nodes.solvers import limited
from langgraph_decompose.prompts import load_prompts
from langgraph_decompose.testing import ScriptedChatModel
from process_memory import peak, resident
from slow_models import LINES, Case, cases, make_plan, solver_seconds, step_of
from typing_extensions import TypedDict

SIZES = (2, 4, 8, 16)
RUNS = 3  # In one round.
ASKED = {"question": "What comes of it?"}
Ask = Callable[[], Awaitable[Any]]


def function(reply: str) -> Any:
    """The least model there is: an async function in a `RunnableLambda`."""

    async def answer(_: str) -> str:
        return reply

    return RunnableLambda(answer)


def chat(reply: str, chunks: Any = "lines") -> Any:
    """A chat model that answers at once, a line a chunk where it is streamed; most do words."""
    return ScriptedChatModel(replies=[], default=reply, chunks=chunks)


def graph_of(model: Callable[[str], Any], size: int, **options: Any) -> Any:
    """Our graph with models that answer at once."""
    plan = str(make_plan("layered", size, 1))
    return create_decomposition_graph(
        model("42"),
        decomposer=model(plan),
        composer=model("It comes to 42."),
        max_subquestions=max(SIZES),
        **options,
    )


class Empty(TypedDict, total=False):
    """State of `empty_graph`."""

    question: str


def empty_graph(checkpointer: Any = None) -> Any:
    """As many nodes as ours that do nothing: what LangGraph takes for any graph."""

    async def nothing(_: Empty) -> Empty:
        return {}

    graph = StateGraph(Empty).add_sequence([(k, nothing) for k in ("first", "second", "third")])
    return graph.set_entry_point("first").compile(checkpointer=checkpointer)


async def cpu(ask: Ask, times: int) -> float:
    """CPU milliseconds of this process for one time."""
    start = time.process_time()
    for _ in range(times):
        await ask()
    return (time.process_time() - start) / times * 1000


async def least_cpu(asks: Mapping[Any, Ask], times: int, rounds: int) -> dict[Any, float]:
    """The least CPU of each, over rounds in which all take turns."""
    for ask in asks.values():
        await cpu(ask, 2)
    found = [{name: await cpu(ask, times) for name, ask in asks.items()} for _ in range(rounds)]
    return {name: min(round_[name] for round_ in found) for name in asks}


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Memory first, while this process holds nothing but the imports; then what it costs."""
    return {"memory": await memory(options), "cost": await cost(options)}


async def cost(options: argparse.Namespace) -> dict[str, Any]:
    """CPU milliseconds, and wall clock with a checkpointer."""
    empty = empty_graph()
    graph = await least_cpu({"graph": lambda: empty.ainvoke(ASKED)}, RUNS, options.rounds)
    found: dict[str, Any] = graph
    for model in (function, chat):
        found[model.__name__] = await cost_with(model, options.rounds)
    by_words = graph_of(partial(chat, chunks="words"), LINES)
    found |= await least_cpu({"words": lambda: by_words.ainvoke(ASKED)}, RUNS, options.rounds)
    found["sqlite"] = await sqlite_wall(partial(graph_of, function, LINES), options.rounds)
    found["sqlite_graph"] = await sqlite_wall(empty_graph, options.rounds)
    return found


async def cost_with(model: Callable[[str], Any], rounds: int) -> dict[str, Any]:
    """CPU of a run by size of plan, its slope, and what the models' own calls take of it."""
    graphs = {size: graph_of(model, size) for size in SIZES}
    asks: dict[Any, Ask] = {n: lambda g=g: g.ainvoke(ASKED) for n, g in graphs.items()}
    asks["bare"] = bare_calls(model)
    found = await least_cpu(asks, RUNS, rounds)
    slope = statistics.linear_regression(SIZES, [found[size] for size in SIZES]).slope
    return {"bare": found["bare"], "run": found[LINES], "slope": slope}


def bare_calls(model: Callable[[str], Any]) -> Ask:
    """The calls of a run without any graph: a plan, its answers, the composed answer."""
    prompts = load_prompts()["solve"]
    fields = dict.fromkeys(("problem", "answers", "subquestion"), ASKED["question"])
    messages: Any = prompts.messages(fields)
    if model is function:
        messages = messages[-1]["content"]
    solver = model("42")
    streamed = [model(str(make_plan("layered", LINES, 1))), model("It comes to 42.")]

    async def call() -> None:
        for role in streamed:
            if model is function:
                await role.ainvoke(messages)
                continue
            async for _ in role.astream(messages):
                pass
        for _ in range(LINES):
            await solver.ainvoke(messages)

    return call


async def sqlite_wall(make: Callable[..., Any], runs: int) -> float:
    """Milliseconds of a run that is checkpointed in a file: a quarter of the runs took less.

    The checkpointer is opened as the command line does it.
    """
    from langgraph_decompose.storage import open_checkpointer

    with tempfile.TemporaryDirectory() as folder:
        async with open_checkpointer(Path(folder) / "runs.db") as saver:
            graph, took = make(checkpointer=saver), []
            for number in range(runs + 2):
                start = time.perf_counter()
                await graph.ainvoke(ASKED, {"configurable": {"thread_id": str(number)}})
                took.append((time.perf_counter() - start) * 1000)
    return statistics.quantiles(took[2:])[0] if len(took) > 3 else min(took)


async def memory(options: argparse.Namespace) -> dict[str, Any]:
    """Memory of this process with many plans at once, four times."""
    asked = cases(options.at_once, max(SIZES), options.seed)
    graph, at_once = sleeping_graph(asked, options.median / 20, options.seed)
    started, after = resident(), []
    for _ in range(4):
        await asyncio.gather(*(graph.ainvoke({"question": case.question}) for case in asked))
        gc.collect()
        after.append(resident())
    return {"started": started, "after": after, "peak": peak(), "at_once": max(at_once)}


def sleeping_graph(asked: list[Case], median: float, seed: int) -> tuple[Any, list[int]]:
    """A graph whose models sleep, and how many questions were open at once."""
    plans = {case.question: str(case.plan) for case in asked}
    seen: list[int] = []
    open_now = 0

    async def plan(prompt: str) -> str:
        nonlocal open_now
        open_now += 1
        seen.append(open_now)
        await asyncio.sleep(median)
        return plans[prompt.rsplit("Question: ", 1)[1].strip()]

    async def solve(prompt: str) -> str:
        await asyncio.sleep(solver_seconds(step_of(prompt), median, seed))
        return "An answer of some words."

    async def compose(_: str) -> str:
        nonlocal open_now
        await asyncio.sleep(median)
        open_now -= 1
        return "It comes to 42."

    def wide(model: Any) -> Any:
        return limited(resolve_model(RunnableLambda(model)), len(asked) * max(SIZES))

    models = {"decomposer": wide(plan), "composer": wide(compose), "solver": wide(solve)}
    return create_decomposition_graph(**models, max_subquestions=max(SIZES)), seen
