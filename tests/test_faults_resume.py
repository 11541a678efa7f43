"""A run that ended with gaps is run again from its checkpoint: only the gaps are asked again.

Every turn opens the SQLite file and builds the graph anew, as another process would.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph_decompose import Budget
from langgraph_decompose.testing import LatencyServer, ServerReply

from .conftest import ASKED, THREAD, both
from .test_faults import AT_ONCE, PLAN, Script, asked, calls, graph, statuses

DOWN = ServerReply("down", status=503, headers=AT_ONCE)
REFUSED = ServerReply("never", status=400)


class Runs:
    """Turns of one thread in a SQLite file, and what the server was asked in the last one."""

    def __init__(self, how: str, server: LatencyServer, path: Path) -> None:
        self.how, self.server, self.file = how, server, str(path / "runs.sqlite")
        self.asked: list[str] = []

    def turn(self, value: Any, config: Any, **options: Any) -> Any:
        before = len(self.server.calls)
        try:
            if self.how == "async":
                return asyncio.run(self._aturn(value, config, options))
            with SqliteSaver.from_conn_string(self.file) as saver:
                return graph(self.server, checkpointer=saver, **options).invoke(value, config)
        finally:
            self.asked = sorted(asked(self.server)[before:])

    async def _aturn(self, value: Any, config: Any, options: Any) -> Any:
        async with AsyncSqliteSaver.from_conn_string(self.file) as saver:
            running = graph(self.server, checkpointer=saver, **options)
            return await running.ainvoke(value, config)

    def ask(self, **options: Any) -> Any:
        return self.turn(ASKED, THREAD, **options)

    def again(self, *, retry_failed: bool = False, **options: Any) -> Any:
        """Go back to where nothing was solved yet, and go on from there."""
        with SqliteSaver.from_conn_string(self.file) as saver:
            history = graph(self.server, checkpointer=saver).get_state_history(THREAD)
            [*_, config] = [s.config for s in history if s.next == ("scheduler",)]
        if retry_failed:
            config["configurable"]["decompose_retry_failed"] = True
        return self.turn(None, config, **options)


@both
def test_lines_that_failed_in_passing_are_asked_again_and_no_others(
    how: str, tmp_path: Path
) -> None:
    with LatencyServer(Script(A=[DOWN] * 3)) as server:
        runs = Runs(how, server, tmp_path)
        first = runs.ask()
        assert (first["status"], statuses(first)) == ("partial", ["failed", "ok", "skipped", "ok"])
        again = runs.again()
        assert (again["status"], statuses(again)) == ("ok", ["ok"] * 4)
        assert runs.asked == ["A", "C", "end"]
        # What the first run has paid still counts, its three failed attempts as well.
        assert calls(again) == 9
        assert again["answers"][1] == first["answers"][1]


@both
def test_what_an_end_took_that_failed_in_passing_is_in_the_trace_too(
    how: str, tmp_path: Path
) -> None:
    with LatencyServer(Script(end=[DOWN] * 3)) as server:
        runs = Runs(how, server, tmp_path)
        assert runs.ask()["status"] == "failed"
        again = runs.again()
        assert again["status"] == "ok"
        nodes = again["trace"]["nodes"]
        assert sum(node["calls"] for node in nodes) == calls(again) == len(server.calls)


@both
def test_a_line_that_still_fails_can_be_asked_again_later(how: str, tmp_path: Path) -> None:
    with LatencyServer(Script(A=[DOWN] * 6)) as server:
        runs = Runs(how, server, tmp_path)
        runs.ask()
        assert runs.again()["status"] == "partial"
        assert runs.asked.count("A") == 3
        assert {"B", "D", "plan"}.isdisjoint(runs.asked)
        assert runs.again()["status"] == "ok"
        assert runs.asked == ["A", "C", "end"]


@both
def test_lines_that_failed_for_good_are_asked_again_only_on_demand(
    how: str, tmp_path: Path
) -> None:
    with LatencyServer(Script(A=[REFUSED])) as server:
        runs = Runs(how, server, tmp_path)
        first = runs.ask()
        again = runs.again()
        assert {"A", "B", "C", "D", "plan"}.isdisjoint(runs.asked)
        assert statuses(again) == statuses(first) == ["failed", "ok", "skipped", "ok"]
        assert again["answers"][0]["error"] == first["answers"][0]["error"]
        mended = runs.again(retry_failed=True)
        assert mended["status"] == "ok"
        assert runs.asked == ["A", "C", "end"]


@both
@pytest.mark.parametrize("who", ["A", "end"])
def test_an_answer_that_was_cut_off_is_asked_for_again_only_on_demand(
    how: str, who: str, tmp_path: Path
) -> None:
    cut_off = ServerReply("half an ans", finish_reason="length")
    with LatencyServer(Script(**{who: [cut_off, cut_off]})) as server:
        runs = Runs(how, server, tmp_path)
        status = runs.ask()["status"]
        assert status == ("partial" if who == "A" else "failed")
        assert runs.again()["status"] == status
        assert runs.asked == []
        assert runs.again(retry_failed=True)["status"] == status
        mended = runs.again(retry_failed=True)
        assert mended["status"] == "ok"
        assert {"B", "D", "plan"}.isdisjoint(runs.asked)
        # The first end was made with a gap, and nothing is made of it any more.
        assert calls(mended) == len(server.calls) - (who == "A")
        assert runs.again()["answer"] == mended["answer"]
        assert runs.asked == []


@both
def test_a_plan_that_was_cut_off_and_repaired_is_not_asked_for_again(
    how: str, tmp_path: Path
) -> None:
    cut_off = ServerReply("#1 A?\n#2 B", finish_reason="length")
    with LatencyServer(Script([cut_off, PLAN], A=[REFUSED])) as server:
        runs = Runs(how, server, tmp_path)
        assert runs.ask()["status"] == "partial"
        assert runs.again(retry_failed=True)["status"] == "ok"
        assert runs.asked == ["A", "C", "end"]


@both
@pytest.mark.parametrize("options", [{}, {"verify": "answer"}])
def test_what_failed_for_good_is_counted_once_and_by_one_node(
    how: str, options: Any, tmp_path: Path
) -> None:
    with LatencyServer(Script("#1 A?\n#2 B? <- #1", A=[REFUSED], whole="RIGHT")) as server:
        runs = Runs(how, server, tmp_path)
        runs.ask(**options)
        mended = runs.again(retry_failed=True, **options)
        assert mended["status"] == "ok"
        # Nothing was found at first, so nobody composed or verified.
        assert calls(mended) == len(server.calls)


@both
def test_what_was_mended_in_the_end_stays_mended(how: str, tmp_path: Path) -> None:
    with LatencyServer(Script(A=[REFUSED, REFUSED])) as server:
        runs = Runs(how, server, tmp_path)
        runs.ask()
        assert runs.again(retry_failed=True)["status"] == "partial"
        assert runs.again(retry_failed=True)["status"] == "ok"
        assert runs.again()["status"] == "ok"
        assert {"A", "B", "C", "D", "plan"}.isdisjoint(runs.asked)


@both
def test_lines_that_the_budget_skipped_are_asked_with_a_larger_one(
    how: str, tmp_path: Path
) -> None:
    with LatencyServer(Script("#1 A?\n#2 B? <- #1\n#3 C? <- #2")) as server:
        runs = Runs(how, server, tmp_path)
        assert runs.ask(budget=Budget(max_calls=3))["status"] == "budget_exhausted"
        assert runs.asked == ["A", "end", "plan"]
        assert runs.again(budget=Budget(max_calls=9))["status"] == "ok"
        assert runs.asked == ["B", "C", "end"]


@both
def test_a_planner_that_stays_down_is_asked_again_without_the_lines_it_had_written(
    how: str, tmp_path: Path
) -> None:
    half = ServerReply("#1 A?\n#2 B?\n", drop=True)
    with LatencyServer(Script([half, half, DOWN])) as server:
        runs = Runs(how, server, tmp_path)
        with pytest.raises(Exception, match="down"):
            runs.ask()
        assert runs.asked == ["A", "B", "plan", "plan", "plan"]
        result = runs.turn(None, THREAD)
        assert result["status"] == "ok"
        assert runs.asked == ["C", "D", "end", "plan"]
