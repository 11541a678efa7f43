"""`decompose resume`: go on with a run that was interrupted, or ask again what failed in it."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from dataclasses import fields, replace
from typing import Any

from ..errors import UserError
from ..nodes.answers import with_parts
from ..nodes.journal import RETRY_FAILED
from ..settings import Settings, load_settings
from ..storage import locked
from .arguments import fitted, given_settings
from .ask import answer_saved, graph_input, resumable
from .drive import make_graph, report
from .store import Run, RunStore

_SOLVING = ("gate", "understanding", "attempt", "decomposer", "scheduler", "solver")


def run(args: Namespace) -> int:
    """Resume and print; returns the exit code."""
    store = RunStore()
    run = store.find(args.run)
    busy = f"run {run.id} is being worked on by another process; wait for it to end."
    with locked(store.path, run.id, busy), resumable(run):
        settings, review = _settings(run, args)
        result = _resume(store, run, settings, review, args.retry_failed)
    return report(result, run.problem, args, run.id)


def _settings(run: Run, args: Namespace) -> tuple[Settings, bool]:
    """As the run was asked, with the flags of now over it; tables are the user's of now."""
    kept = {f.name: run.settings[f.name] for f in fields(Settings) if f.name in run.settings}
    settings = Settings(**{**kept, "models": load_settings().models})
    flags = given_settings(args)
    if flags.get("strategy", settings.strategy) != settings.strategy:
        raise UserError(
            f"run {run.id} was asked with the strategy {settings.strategy!r}; go on with that "
            "one, or ask the question anew."
        )
    # Who judged has nothing to do any more, if that is now switched off.
    given = {name: value for name, value in kept.items() if name != "verifier"} | flags
    return fitted(replace(settings, **flags), given), bool(run.settings.get("review"))


def _resume(
    store: RunStore, run: Run, settings: Settings, review: bool, retry_failed: bool
) -> dict[str, Any]:
    place = asyncio.run(_place(store, run, settings, review, retry_failed))
    if place is None:
        asked = graph_input(run.problem)
        return answer_saved(store, run, settings, review=review, given=asked)
    if "result" in place:
        return place["result"]
    if retry_failed:
        place["configurable"][RETRY_FAILED] = True
    return answer_saved(store, run, settings, review=review, given=None, config=place)


async def _place(
    store: RunStore, run: Run, settings: Settings, review: bool, retry_failed: bool
) -> Any:
    """Where to go on: a config, the result if all is done, None if nothing was kept yet."""
    config = {"configurable": {"thread_id": run.id}}
    async with store.checkpointer() as saver:
        graph = make_graph(settings, checkpointer=saver, review=review)
        snapshot = await graph.aget_state(config)
        values = snapshot.values
        if "run_id" not in values:
            return None  # The first node hadn't ended: nothing was paid.
        rows = values["answers"]
        again = [k for k, row in enumerate(rows) if _is_to_be_asked(row, retry_failed)]
        # Killed between a node's update and its checkpoint, a run has no next node, but isn't over.
        if not again and (snapshot.next or values["status"] == "running"):
            return config
        if again or values["status"] == "budget_exhausted" or _not_composed(values):
            return await before_solving(graph, config, min(again, default=len(rows)))
        return {"result": dict(values)}


async def before_solving(graph: Any, config: Any, answers: int = 0) -> Any:
    """The place from which a finished question is solved again; the journal has its answers.

    It lies before what the budget refused: a plan, say, without which all is left undivided.

    Args:
        graph: The graph.
        config: Its thread.
        answers: Most answers that there may be at that place: those before the first to mend.
    """
    async for earlier in graph.aget_state_history(config):
        values = earlier.values
        fits = len(values.get("answers") or ()) <= answers and not values.get("spent")
        if fits and earlier.next and earlier.next[0] in _SOLVING:
            return {"configurable": dict(earlier.config["configurable"])}
    return config


def _not_composed(values: dict[str, Any]) -> bool:
    """Whether there are answers, but the composer failed."""
    return values["answer"] is None and any(row["status"] == "ok" for row in values["answers"])


def _is_to_be_asked(row: Any, retry_failed: bool) -> bool:
    """Whether a part of it failed in passing, or at all where what failed is to be asked again."""
    parts = [part for _, part in with_parts([row])]
    if retry_failed:
        return any(part["status"] != "ok" for part in parts)
    return any((part["error"] or {}).get("transient") for part in parts)
