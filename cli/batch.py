"""`decompose batch`: many questions at once, under one set of limits and one budget.

Each question is a thread in a SQLite file beside the results, until its result is written; so
a batch that is killed goes on where it was when the same command is given again.
"""

from __future__ import annotations

import asyncio
import sqlite3
from argparse import Namespace
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import UserError, must_be_raised
from ..nodes.journal import RETRY_FAILED, Journal
from ..nodes.replies import failure_value
from ..nodes.usage import UsageRow, add_usage
from ..nodes.waiting import all_or_none
from ..settings import Settings, expanded
from ..storage import lock_path, locked, open_checkpointer
from .arguments import settings_from
from .ask import graph_input
from .batch_files import Results, Row, good_results, read_rows
from .drive import budget_of, graph_options, loading, make_graph, reason
from .progress import QuestionsProgress
from .resume import before_solving
from .terminal import print_json, say

_NOT_RESULTS = (
    "models", "save_runs", "keep_runs_days", "cache", "max_calls", "max_tokens", "max_seconds",
    "max_cost", "call_timeout",
)  # fmt: skip


def run(args: Namespace) -> int:
    """Ask all rows and write the results in their order; returns the exit code."""
    rows, settings = read_rows(args.file), settings_from(args)
    out = expanded(args.out)
    _check(args, out)
    with ExitStack() as stack:
        busy = f"{str(out)!r} is being written by another process."
        stack.enter_context(locked(out, "batch", busy))
        stack.callback(_remove_lock, lock_path(out, "batch"))
        good = _earlier(out, args.retry_failed)
        with loading():  # Not in the event loop, where Ctrl-C would find things half open.
            make_graph(settings)  # A mistake is told before a file is made.
        results = _results(out, rows, settings, good)
        if not (results.begun or args.retry_failed):
            results.forget_state()  # Of a batch whose results were removed.
        for row in rows:
            if row.problem is None:
                say(f"row {row.number} is skipped: {row.error}")
        batch = _Batch(rows, settings, results, args.concurrency, args.retry_failed)
        spent = asyncio.run(batch.run())
        left = [row for row in rows if row.problem and row.key not in results.done]
        if not left:
            results.finish(rows)
    return _summary(args, rows, results, left, spent)


def _remove_lock(file: Path) -> None:
    """Remove a lock's file while it is held: later, another process may hold it."""
    with suppress(PermissionError):  # Windows lets nobody remove what is open: there it stays.
        file.unlink(missing_ok=True)


def _check(args: Namespace, out: Path) -> None:
    if args.concurrency < 1:
        raise UserError(f"--concurrency is a number from 1, not {args.concurrency}.")
    if not out.name or out.is_dir():  # As from a script's variable that isn't set.
        raise UserError(f"--out is the file for the results, not {args.out!r}.")
    if not out.parent.is_dir():
        raise UserError(f"there is no folder {str(out.parent)!r} to write to.")


def _earlier(out: Path, retry_failed: bool) -> dict[str, dict[str, Any]]:
    """The results of an earlier batch that are to be kept, by key; none without one."""
    if out.exists() and not retry_failed:
        raise UserError(
            f"{str(out)!r} is there already; name another, or use --retry-failed to ask again "
            "what isn't ok in it."
        )
    return good_results(out) if out.exists() else {}


def _results(
    out: Path, rows: list[Row], settings: Settings, good: dict[str, dict[str, Any]]
) -> Results:
    kept = {k: v for k, v in asdict(settings).items() if k not in _NOT_RESULTS}
    roles = (settings.decomposer, settings.solver, settings.composer, settings.verifier)
    roles += tuple(r.get("solver") for r in settings.ladder or () if isinstance(r, dict))
    kept["refs"] = {n: settings.models[n].ref for n in roles if n and n in settings.models}
    results = Results(out, kept)
    if others := results.leave_out_others(rows, good):
        say(f"warning: {others} results are left out: the input has their questions no more")
    about = ("row", "id", "question")
    for row in rows:
        if row.key not in results.done and row.problem and row.key in good:
            results.add(row, {k: v for k, v in good[row.key].items() if k not in about})
    return results


class _Batch:
    """Asks what has no result yet, so many rows at a time."""

    def __init__(
        self,
        rows: list[Row],
        settings: Settings,
        results: Results,
        concurrency: int,
        retry_failed: bool,
    ) -> None:
        from ..nodes.budget import Meter

        self._open = [row for row in rows if row.problem and row.key not in results.done]
        self._settings, self._results, self._concurrency = settings, results, concurrency
        self._retry_failed = retry_failed
        # What the budget ends is asked again: an answer with gaps would be paid for in vain.
        self._meter = Meter(budget_of(settings), strict=True)
        for result in results.done.values():
            self._meter.paid(result["usage"], counted=False)
        self._progress = QuestionsProgress(len(rows), len(rows) - len(self._open), self._meter)

    async def run(self) -> Any:
        """Ask; returns the meter of all that was spent.

        Raises:
            UserError: If the state can't be used, as on a full disk or where it is damaged.
        """
        if not self._open:
            return self._meter
        try:
            return await self._ask_all()
        except sqlite3.Error as error:
            damaged = type(error) is sqlite3.DatabaseError
            advice = "remove it" if damaged else "mend that"
            raise UserError(
                f"{str(self._results.state)!r} can't be used: {error}; {advice}, and run the same "
                "again."
            ) from None

    async def _ask_all(self) -> Any:
        from ..graphs.factory import create_decomposition_graph

        waiting = iter(self._open)
        async with open_checkpointer(self._results.state) as saver:
            options = {**graph_options(self._settings), "budget": None}
            graph = create_decomposition_graph(
                self._settings.solver, checkpointer=saver, shared_meter=self._meter, **options
            )

            self._results.begin()

            async def work() -> None:
                for row in waiting:
                    if not await self._ask(graph, saver, row):
                        return

            with self._progress:
                workers = min(self._concurrency, len(self._open))
                await all_or_none([asyncio.ensure_future(work()) for _ in range(workers)])
        return self._meter

    async def _ask(self, graph: Any, saver: Any, row: Row) -> bool:
        """Ask one row and keep the result; False if the budget ended it."""
        thread = self._results.thread(row)
        config: Any = {"configurable": {"thread_id": thread}}
        try:
            result = await self._answer(graph, row, config)
        except Exception as error:
            if must_be_raised(error) or isinstance(error, sqlite3.Error):
                raise
            # The decomposer is down, say, or the text is too long: this row's failure.
            paid = await self._paid(graph, await graph.aget_state(config))
            result = {"answer": None, "status": "failed", **failure_value(error)}
            result["usage"] = add_usage(paid) or result["usage"]
        if result["status"] == "budget_exhausted":
            return False
        self._results.add(row, result)
        if result["status"] == "ok":
            # What isn't may be asked again: its answers are kept till then.
            await saver.adelete_thread(thread)
        self._progress.question_done(result)
        return True

    async def _answer(self, graph: Any, row: Row, config: Any) -> dict[str, Any]:
        from ..graphs.state import result_of

        snapshot = await graph.aget_state(config)
        # Without a run_id, the first node hadn't ended and nothing was paid.
        values = snapshot.values if "run_id" in snapshot.values else {}
        if not values:
            asked = graph_input(row.problem)  # pyright: ignore[reportArgumentType]
            return result_of(await graph.ainvoke(asked, config, durability="sync"))
        # What an interrupted question has taken counts against the budget of the batch.
        self._meter.paid(await self._paid(graph, snapshot), counted=False)
        # Killed between a node's update and its checkpoint, a run has no next node, but isn't over.
        over = not snapshot.next and values["status"] != "running"
        again = self._retry_failed and values["status"] != "ok"
        if over and values["status"] != "budget_exhausted" and not again:
            return result_of(values)
        if over or again:
            config = await before_solving(graph, config)
            config["configurable"][RETRY_FAILED] = again
        return result_of(await graph.ainvoke(None, config, durability="sync"))

    async def _paid(self, graph: Any, snapshot: Any) -> list[UsageRow]:
        """What each call of a question has taken so far, in whichever process."""
        if "run_id" not in snapshot.values:
            return []
        thread = snapshot.config["configurable"]["thread_id"]
        journal = Journal(graph.checkpointer, thread, snapshot.values["run_id"])
        await journal.aopen()
        return journal.usage


def _summary(
    args: Namespace, rows: list[Row], results: Results, left: list[Row], meter: Any
) -> int:
    from ..nodes.budget import budget_warnings

    done = Counter(result["status"] for result in results.done.values())
    done += Counter(invalid=sum(row.problem is None for row in rows))  # Keeps no 0.
    summary = {
        "rows": len(rows),
        **done,
        "left": len(left),
        "calls": meter.calls,
        "tokens": meter.tokens,
        "cost": None if any(row["cost"] is None for row in meter.usage) else meter.cost,
    }
    for warning in budget_warnings(meter.budget, meter.usage):
        say(f"warning: {warning}")
    if args.json:
        print_json(summary)
    counted = ", ".join(f"{count} {status}" for status, count in done.items())
    say(f"{counted or 'nothing answered'}; {meter.calls} calls, {meter.tokens} tokens")
    _say_failures(results, retried=args.retry_failed)
    if left:
        say(
            f"the budget is spent: {len(left)} rows are left; give the same command with a "
            "larger one to go on"
        )
    if done.keys() <= {"ok"} and not left:
        return 0
    return 3 if left or done.keys() & {"ok", "partial"} else 1


def _say_failures(results: Results, *, retried: bool) -> None:
    failed = [result for result in results.done.values() if result["status"] == "failed"]
    failures = Counter(filter(None, map(reason, failed)))
    if failures:
        [(why, count)] = failures.most_common(1)
        more = "" if retried else "; --retry-failed asks what failed again"
        say(f"{count} failed with: {why}{more}")
