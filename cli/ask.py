"""`decompose ask`: answer a question; the answer is all that goes to stdout."""

from __future__ import annotations

import asyncio
import json
import sys
from argparse import Namespace
from contextlib import nullcontext
from typing import Any

from ..nodes.problem import Problem
from .arguments import read_problem, settings_from

_EXIT_CODES = {"ok": 0, "partial": 3, "budget_exhausted": 3}


def run(args: Namespace) -> int:
    """Answer and print; returns the exit code."""
    problem = read_problem(args)
    result = asyncio.run(_answer(problem, args))
    for warning in result["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)  # noqa: T201
    if result["answer"] is None:
        print(f"decompose: {_reason(result)}", file=sys.stderr)  # noqa: T201
    if args.json:
        printed = {"question": problem.question, **result}
        printed.pop("messages", None)
        print(json.dumps(printed, ensure_ascii=False, indent=2))  # noqa: T201
    elif result["answer"] is not None:
        print(result["answer"])  # noqa: T201
    return _EXIT_CODES.get(result["status"], 1)


async def _answer(problem: Problem, args: Namespace) -> dict[str, Any]:
    with _loading():
        graph = _graph(args)
    asked: Any = {"question": problem.question, "context": problem.context}
    result: Any = {}
    with _display(problem) as show:
        async for mode, value in graph.astream(asked, stream_mode=["custom", "values"]):
            if mode == "values":
                result = value
            elif show is not None:
                show(value)
    return result


def _graph(args: Namespace) -> Any:
    from ..graphs.factory import create_decomposition_graph

    settings = settings_from(args)
    return create_decomposition_graph(
        settings.solver,
        decomposer=settings.decomposer,
        composer=settings.composer,
        strategy=settings.strategy,  # pyright: ignore[reportArgumentType] -- checked there
        max_subquestions=settings.max_subquestions,
        prompts=settings.prompts,
    )


def _loading() -> Any:
    """A sign of life while the libraries load, which takes longer than the answer."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status("loading")


def _display(problem: Problem) -> Any:
    """A live tree on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        return nullcontext()
    from .tree import LiveTree

    return LiveTree(problem.question)


def _reason(result: dict[str, Any]) -> str:
    errors = [row["error"]["message"] for row in result["answers"] if row["status"] == "failed"]
    return errors[0] if errors else "no answer"
