"""What holds for every strategy: streaming, budget, cancelling, resuming after kill -9, review."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from langgraph_decompose import Budget, UserError, create_decomposition_graph
from langgraph_decompose.graphs.factory import ABOUT, STRATEGIES
from langgraph_decompose.testing import LatencyServer

from .conftest import THREAD, Forks, both, until
from .strategy_script import CALLS, CASES, LINES, QUESTION, Script

pytest.importorskip("z3")
ASKED = {"question": QUESTION}
every = pytest.mark.parametrize("case", CASES)


def graph_of(case: str, url: str, **options: Any) -> Any:
    strategy, more = CASES[case]
    return create_decomposition_graph(
        f"openai:solver@{url}",
        decomposer=f"openai:decomposer@{url}",
        strategy=strategy,
        **more,
        **options,
    )


def ask(how: str, graph: Any, value: Any = ASKED) -> Any:
    if how == "sync":
        return graph.invoke(value, THREAD)
    return asyncio.run(graph.ainvoke(value, THREAD))


def events(how: str, graph: Any) -> list[Any]:
    if how == "sync":
        return list(graph.stream(ASKED, THREAD, stream_mode="custom"))

    async def heard() -> list[Any]:
        return [part async for part in graph.astream(ASKED, THREAD, stream_mode="custom")]

    return asyncio.run(heard())


def test_the_cases_hold_every_strategy() -> None:
    assert {strategy for strategy, _ in CASES.values()} == set(STRATEGIES)


@both
@every
@pytest.mark.parametrize("checkpointer", [None, True])
def test_a_result_is_whole_and_counts_every_call(how: str, case: str, checkpointer: Any) -> None:
    saver = InMemorySaver() if checkpointer else None
    with LatencyServer(Script()) as server:
        result = ask(how, graph_of(case, server.url, checkpointer=saver))
    assert (result["status"], result["warnings"]) == ("ok", expected_warnings(case))
    assert sum(row["calls"] for row in result["usage"]) == len(server.calls) == CALLS[case]
    assert [m.content for m in result["messages"]] == [result["answer"]]
    trace = result["trace"]
    assert {"depth", "width", "parallelism", "critical_path", "nodes"} <= set(trace)
    assert sum(node["calls"] for node in trace["nodes"]) == len(server.calls)
    plain = {key: value for key, value in result.items() if key != "messages"}
    assert json.loads(json.dumps(plain)) == plain, "JSON-native, all of it"


def expected_warnings(case: str) -> list[str]:
    if case == "self_consistency":
        return ["only 1 of 5 samples agree on the answer"]
    return []


@both
@every
def test_events_are_streamed_as_they_come(how: str, case: str) -> None:
    with LatencyServer(Script()) as server:
        heard = events(how, graph_of(case, server.url))
    kinds = [event["type"] for event in heard]
    assert all(kind.startswith("decompose.") for kind in kinds)
    if len(server.calls) > 1:
        assert kinds, "whoever waits for several calls is told of them"
    answered = [e["id"] for e in heard if e["type"] == "decompose.subquestion.answered"]
    if "decompose.plan" in kinds and case not in ("static", "escalate"):
        assert sorted(answered) == [1, 2, 3]


@both
@every
@pytest.mark.parametrize("cap", [1, 2, 3, 4])
def test_a_budget_is_kept(how: str, case: str, cap: int) -> None:
    with LatencyServer(Script()) as server:
        ask(how, graph_of(case, server.url))
        needed = len(server.calls)
        server.reply = Script()
        result = ask(how, graph_of(case, server.url, budget=Budget(max_calls=cap)))
        assert len(server.calls) - needed <= cap
    assert sum(row["calls"] for row in result["usage"]) == len(server.calls) - needed
    if needed > cap:
        assert result["status"] in ("budget_exhausted", "ok"), "ok, if only an extra was left out"
        assert result["status"] == "budget_exhausted" or result["warnings"]
    else:
        assert result["status"] == "ok"


@pytest.mark.parametrize(
    ("case", "after"), [(c, k) for c in CASES for k in (0, 1, 2, 3, 5, 8) if k < CALLS[c]]
)
async def test_cancelling_ends_every_call_at_once(case: str, after: int) -> None:
    with LatencyServer(Script()) as server:
        replies = Script()

        def reply(prompt: str, body: Any) -> str:
            if len(server.calls) > after:
                server.hold()  # From here on nothing is answered.
            return replies(prompt, body)

        server.reply = reply
        task = asyncio.create_task(graph_of(case, server.url).ainvoke(ASKED))
        await until(lambda: server.in_flight and len(server.calls) > after)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not server.in_flight)
        asked = len(server.calls)
        server.release()
        await asyncio.sleep(0.05)
        assert len(server.calls) == asked, "nothing goes on behind the caller's back"


@both
@every
def test_killed_after_every_event_in_turn_it_pays_nothing_twice(
    how: str, case: str, forks: Forks, tmp_path: Path
) -> None:
    strategy, options = CASES[case]
    with LatencyServer(Script()) as server:
        ask(how, graph_of(case, server.url))
        needed = len(server.calls)
        server.reply = Script()
        told = {"url": server.url, "how": how, "strategy": strategy, "options": options}
        result, kills = None, 0
        while result is None:
            assert kills < 40, "each process gets one event further than the last"
            killing = {"kill_at": kills + 1, "file": str(tmp_path / "run.sqlite")}
            given = ASKED if not kills else None
            for line in forks.run(**told, **killing, input=given, one_at_a_time=True):
                result = line if line["type"] == "result" else result
            kills += result is None
        assert result["status"] == "ok"
        # A reply that was on its way when the process died is lost; nothing else is.
        assert len(server.calls) - needed <= needed + kills


@every
def test_a_plan_is_reviewed_where_there_is_one_before_anything_is_solved(case: str) -> None:
    strategy, options = CASES[case]
    with LatencyServer(Script()) as server:
        if not ABOUT[strategy].reviewed:
            with pytest.raises(UserError, match="review needs a plan before anything is solved"):
                graph_of(case, server.url, review=True, checkpointer=InMemorySaver())
            return
        graph = graph_of(case, server.url, review=True, checkpointer=InMemorySaver())
        shown = graph.invoke(ASKED, THREAD)
        if options.get("gate") == "never":
            assert (shown["status"], shown["plan"]) == ("ok", [])
            return
        [waiting] = shown["__interrupt__"]
        assert [row["text"] for row in waiting.value["plan"]] == list(LINES)
        asked = len(server.calls)
        result = graph.invoke(Command(resume="#1 Only this?"), THREAD)
        assert (result["status"], result["plan_source"]) == ("ok", "edited")
        assert "Only this?" in server.calls[asked].prompt
