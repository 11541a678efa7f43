"""`decompose ask`: answer a question; the answer is all that goes to stdout."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from ..errors import UserError, is_transient
from ..nodes.problem import Problem
from ..settings import Settings
from ..storage import locked
from .arguments import read_problem, settings_from
from .drive import drive, loading, make_graph, report, to_end
from .review import UnansweredError
from .store import Run, RunStore
from .terminal import say


def run(args: Namespace) -> int:
    """Answer and print; returns the exit code."""
    problem, settings = read_problem(args), settings_from(args)
    if args.no_save:
        if args.cache:
            raise UserError("--no-save stores nothing, but --cache stores answers; leave one out.")
        settings = replace(settings, cache=False)
    if not settings.save_runs or args.no_save:
        result = _answer_unsaved(problem, settings, args.review)
        return report(result, problem, args)
    store = RunStore()
    store.forget_older_than(settings.keep_runs_days)
    make_graph(settings, review=args.review)  # A mistake is told before a run is noted.
    stored = {**asdict(settings), "models": {}, "review": args.review}
    run = store.begin(problem, stored)
    with locked(store.path, run.id, "another process works on this run"), resumable(run):
        asked = graph_input(problem)
        result = answer_saved(store, run, settings, review=args.review, given=asked)
    return report(result, problem, args, run.id)


def _answer_unsaved(problem: Problem, settings: Settings, review: bool) -> dict[str, Any]:
    with loading():
        from langgraph.checkpoint.memory import InMemorySaver

        saver = InMemorySaver() if review else None
        graph = make_graph(settings, checkpointer=saver, review=review)
    config = {"configurable": {"thread_id": "ask"}}
    return to_end(lambda given: drive(graph, given, config, problem), graph_input(problem))


def graph_input(problem: Problem) -> dict[str, str]:
    """A problem as a graph's input."""
    return {"question": problem.question, "context": problem.context}


@contextmanager
def resumable(run: Run) -> Iterator[None]:
    """Say how to go on, if a run ends early: what is done so far is kept."""
    try:
        yield
    except BaseException as error:
        # The user's own mistake would be the same again.
        if not isinstance(error, UserError) or isinstance(error, UnansweredError):
            say(f"to go on: decompose resume {run.id}")
        raise


def answer_saved(
    store: RunStore,
    run: Run,
    settings: Settings,
    *,
    review: bool,
    given: Any,
    config: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run a graph on a run's thread, noting how far it is.

    Without an input it goes on with what it has, from the place that `config` names, if any.
    """
    done: set[int] = set()

    async def watch(event: Mapping[str, Any]) -> None:
        kind = event["type"].removeprefix("decompose.")
        if kind == "plan":
            await store.aupdate(run, total=len(event["plan"]))
        elif kind == "subquestion.answered":
            done.add(event["id"])
            await store.aupdate(run, answered=len(done))

    places = [dict(config)] if config else []

    async def leg(given: Any) -> dict[str, Any]:
        place = places.pop() if places else {"configurable": {"thread_id": run.id}}
        async with store.checkpointer() as saver:
            graph = make_graph(settings, checkpointer=saver, review=review)
            return await drive(graph, given, place, run.problem, watch)

    try:
        result = to_end(leg, given)
    except Exception as error:
        if not isinstance(error, UnansweredError) and not is_transient(error):
            store.update(run, status="failed")  # Not just interrupted.
        raise
    answers = [row for row in result["answers"] if row["status"] == "ok"]
    store.update(run, status=result["status"], answered=len(answers))
    return result
