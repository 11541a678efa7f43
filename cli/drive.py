"""Running a graph for a person: its events as a tree, the review of its plan at the prompt."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import nullcontext
from typing import Any

from ..nodes.answers import with_parts
from ..nodes.problem import Problem
from ..settings import Settings, cache_folder
from .review import ask_person
from .terminal import harmless, print_json, say

_EXIT_CODES = {"ok": 0, "partial": 3, "budget_exhausted": 3}
Watcher = Callable[[Mapping[str, Any]], Awaitable[None]]
_AS_SET = (
    "composer", "strategy", "max_subquestions", "samples", "gate", "attempts", "dup", "verify",
    "verifier", "max_depth", "verify_retries", "max_total", "ladder", "examples", "prompts",
    "call_timeout",
)  # fmt: skip
"""Settings that are options of the graph of the same name."""


def make_graph(settings: Settings, *, checkpointer: Any = None, review: bool = False) -> Any:
    """The graph that the settings describe."""
    from ..graphs.factory import create_decomposition_graph

    return create_decomposition_graph(
        settings.solver, checkpointer=checkpointer, **graph_options(settings, review=review)
    )


def graph_options(settings: Settings, *, review: bool = False) -> dict[str, Any]:
    """Options of `create_decomposition_graph`."""
    from ..nodes.answer_cache import AnswerCache

    # For dynamic, the solver asks, unless another than the default is named: that one can't.
    usual = settings.strategy == "dynamic" and settings.decomposer == "bundled"
    return {
        **({} if usual else {"decomposer": settings.decomposer}),
        **{name: getattr(settings, name) for name in _AS_SET},
        "budget": budget_of(settings),
        "answer_cache": AnswerCache(cache_folder() / "answers.sqlite") if settings.cache else None,
        "review": review,
    }


def budget_of(settings: Settings) -> Any:
    """The budget that the settings set; None if they set no cap."""
    from ..nodes.budget import Budget

    caps = ("max_calls", "max_tokens", "max_seconds", "max_cost")
    given = {cap: getattr(settings, cap) for cap in caps if getattr(settings, cap) is not None}
    return Budget(**given) if given else None


def to_end(leg: Callable[[Any], Coroutine[Any, Any, dict[str, Any]]], given: Any) -> dict[str, Any]:
    """Run a graph to its end, asking the person where it waits for one; returns its result.

    `leg` runs it with an input until it ends or waits; without one it resumes. The person is
    asked outside the event loop, so that Ctrl-C works at the prompt.

    Raises:
        UserError: If the graph waits for a review and nobody answers.
    """
    from langgraph.types import Command

    draft: str | None = None
    while True:
        result = asyncio.run(leg(given))
        if not result.get("__interrupt__"):
            return result
        answer = ask_person(result["__interrupt__"][0].value, draft)
        given, draft = Command(resume=answer), answer.get("plan")


async def drive(
    graph: Any, given: Any, config: Any, problem: Problem, watch: Watcher | None = None
) -> dict[str, Any]:
    """Run a graph until it ends or waits for a person; returns its last values.

    Without an input it is resumed; `watch` is told each event.
    """
    result: dict[str, Any] = {}
    modes = ["custom", "values"]
    with _display(problem) as show:
        # A step is on disk before the next begins; without a checkpointer there's no such choice.
        durability = "sync" if graph.checkpointer else None
        parts = graph.astream(given, config, stream_mode=modes, durability=durability)
        async for mode, value in parts:
            if mode == "values":
                result = value
                if show is not None and value.get("plan"):
                    show({"type": "decompose.plan", "plan": value["plan"]})
                continue
            if show is not None:
                show(value)
            if watch is not None:
                await watch(value)
    return result


def _display(problem: Problem) -> Any:
    """A live tree on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        return nullcontext()
    from .tree import LiveTree

    return LiveTree(problem.question)


def loading() -> Any:
    """A sign of life while the libraries load, which takes longer than the answer."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status("loading")


def report(result: dict[str, Any], problem: Problem, args: Namespace, run_id: str = "") -> int:
    """Print a result: the answer to stdout, the rest to stderr; returns the exit code."""
    for warning in result["warnings"]:
        say(f"warning: {warning}")
    why = reason(result) or "no answer"
    if result["answer"] is None:
        say(f"decompose: {why}")
    elif result["status"] == "budget_exhausted":
        say(f"warning: {why}; the answer is incomplete")
    if run_id and (hint := _how_to_go_on(result)):
        say(hint.format(run_id))
    if args.json:
        from ..graphs.state import result_of

        about = {"question": problem.question, **({"run": run_id} if run_id else {})}
        print_json({**about, **result_of(result)})
    elif result["answer"] is not None:
        print(harmless(result["answer"]))  # noqa: T201
        _print_sources(result)
    return _EXIT_CODES.get(result["status"], 1)


def _how_to_go_on(result: dict[str, Any]) -> str:
    if result["status"] == "budget_exhausted":
        return "with a larger budget: decompose resume {} --max-calls N (or whichever cap it was)"
    rows = result["answers"]
    failed = result["answer"] is None or any(row["status"] != "ok" for _, row in with_parts(rows))
    # Where nothing was answered, nothing is saved by going on; what is unknown would stay so.
    if result["status"] != "ok" and failed and any(row["status"] == "ok" for row in rows):
        return "ask again what failed: decompose resume {} --retry-failed"
    return ""


def _print_sources(result: dict[str, Any]) -> None:
    for row in result["answers"]:
        for source in row["sources"]:
            text = " ".join(str(source.get("text", "")).split())[:100]
            where = source.get("metadata", {}).get("source") or text
            say(f"#{row['id']} source: {where}")


def reason(result: dict[str, Any]) -> str:
    """Why a question has no answer: its own error, or the first of its parts'; else ""."""
    rows = [result, *result.get("answers", ())]
    return next((row["error"]["message"] for row in rows if row.get("error")), "")
