"""Budgets: what a question may take, what is kept for the composer, what happens at the end."""

from __future__ import annotations

import asyncio
import math
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt
from langgraph_decompose import (
    Budget,
    Meter,
    UserError,
    create_decomposition_graph,
    resolve_model,
)
from langgraph_decompose.errors import BudgetExhaustedError
from langgraph_decompose.models.limiter import Limiter
from langgraph_decompose.nodes.calls import Call, aask, ask
from langgraph_decompose.nodes.journal import Journal
from langgraph_decompose.nodes.session import Session
from langgraph_decompose.nodes.usage import no_usage
from langgraph_decompose.testing import LatencyServer, ScriptedChatModel, ServerReply

from .conftest import ASKED, THREAD, always, both, run, soon

PLAN = "#1 A?\n#2 B?\n#3 C?"
STRATEGIES: list[Any] = ["direct", "cot", "self_consistency", "static", "sequential", "dag"]


def dear(text: str) -> ScriptedChatModel:
    """A model that reports a hundred tokens a call."""
    usage: Any = {"input_tokens": 80, "output_tokens": 20, "total_tokens": 100}
    return always(AIMessage(text, usage_metadata=usage))


def graph(solver: Any, budget: Budget, **options: Any) -> Any:
    models = {"decomposer": dear(PLAN), "composer": dear("end")}
    return create_decomposition_graph(solver, budget=budget, **(models | options))


@both
def test_less_than_no_tokens_are_none(how: str) -> None:
    def reports(tokens: int) -> AIMessage:
        usage: Any = {"input_tokens": tokens, "output_tokens": 0, "total_tokens": tokens}
        return AIMessage("x", usage_metadata=usage)

    solver = ScriptedChatModel(replies=[reports(n) for n in (80, -1000, 80, 80)])
    sampled: dict[str, Any] = {"strategy": "self_consistency", "samples": 4}
    one_by_one = create_decomposition_graph(
        solver, budget=Budget(max_tokens=100), max_concurrency=1, **sampled
    )
    result = run(how, one_by_one)
    assert (len(solver.prompts), result["usage"][0]["input_tokens"]) == (3, 160)


def statuses(result: Any) -> list[str]:
    return [row["status"] for row in result["answers"]]


def calls(result: Any) -> int:
    return sum(row["calls"] for row in result["usage"])


@both
@pytest.mark.parametrize("strategy", ["sequential", "dag"])
def test_what_fits_is_answered_and_composed_and_the_rest_is_skipped(
    how: str, strategy: Any
) -> None:
    result = run(how, graph(always("x"), Budget(max_calls=4), strategy=strategy))
    answered = ["ok", "ok", "skipped"]
    # Of lines that are asked at once, any may come last.
    assert (sorted(statuses(result)) if strategy == "dag" else statuses(result)) == answered
    [skipped] = [row for row in result["answers"] if row["status"] == "skipped"]
    assert skipped["error"]["message"] == "the budget's max_calls (4) was reached"
    assert (result["answer"], result["status"]) == ("end", "budget_exhausted")
    assert calls(result) == 4, "the plan, two lines, and the call that was kept for the composer"


@both
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("most", [1, 2, 3, 4, 9])
def test_no_strategy_makes_more_calls_than_it_may(how: str, strategy: Any, most: int) -> None:
    result = run(how, graph(always("x"), Budget(max_calls=most), strategy=strategy, samples=5))
    wanted = {"direct": 1, "cot": 1, "static": 2}.get(strategy, 5)
    assert calls(result) <= most
    assert result["status"] == ("ok" if most >= wanted else "budget_exhausted")


@both
def test_a_plan_that_needs_no_composer_keeps_no_call_for_it(how: str) -> None:
    question = "A train has 6 cars with 40 seats each. 60 seats are taken. How many seats are free?"
    asked = create_decomposition_graph(budget=Budget(max_calls=2))
    result = run(how, asked, {"question": question})
    assert statuses(result) == ["ok", "skipped"]
    assert result["status"] == "budget_exhausted"
    assert re.fullmatch("#1 .*\\? = 240", result["answer"]), "what was found"


@both
def test_retries_are_calls_too(how: str) -> None:
    with LatencyServer(lambda *_: ServerReply("busy", status=503)) as server:
        solver = f"openai:m@{server.url}"
        result = run(how, graph(solver, Budget(max_calls=2), strategy="direct"))
    assert len(server.calls) == calls(result) == 2
    assert (result["answer"], result["status"]) == (None, "budget_exhausted")


@both
def test_a_call_that_waits_for_a_person_is_one_call(how: str) -> None:
    def solver(text: str) -> str:
        return interrupt("Which?")

    asked = graph(solver, Budget(max_calls=5), checkpointer=InMemorySaver())
    waiting = run(how, asked, ASKED, THREAD)["__interrupt__"]
    result = run(how, asked, Command(resume={i.id: "this" for i in waiting}), THREAD)
    assert (result["status"], calls(result)) == ("ok", 5)


@both
def test_tokens_are_capped_and_the_composer_is_still_asked(how: str) -> None:
    result = run(how, graph(dear("x"), Budget(max_tokens=250), strategy="sequential"))
    assert statuses(result) == ["ok", "ok", "skipped"]
    assert "max_tokens (250)" in result["answers"][2]["error"]["message"]
    assert (result["answer"], result["status"], calls(result)) == ("end", "budget_exhausted", 4)


@both
def test_money_is_capped_by_the_model_table_s_prices(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LatencyServer(lambda *_: "x") as server:
        table = f'ref = "openai:m@{server.url}"\nprice_in = 1e6\nprice_out = 1e6'
        (tmp_path / "decompose.toml").write_text(f"[models.desk]\n{table}")
        monkeypatch.setenv("DECOMPOSE_CONFIG", str(tmp_path / "decompose.toml"))
        result = run(how, graph("desk", Budget(max_cost=1), strategy="sequential"))
    assert statuses(result) == ["ok", "skipped", "skipped"], "a word costs a coin"
    [solving] = [row for row in result["usage"] if row["role"] == "solver"]
    assert solving["cost"] == solving["input_tokens"] + solving["output_tokens"] > 1
    assert "max_cost (1)" in result["answers"][1]["error"]["message"]
    assert result["status"] == "budget_exhausted"
    assert "max_cost doesn't count ScriptedChatModel: give it price_in" in result["warnings"][0]


@both
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_cap_that_nobody_can_watch_is_a_warning(how: str, strategy: Any) -> None:
    budget = Budget(max_tokens=10**6, max_cost=10**6)
    models: Any = {"decomposer": lambda _: PLAN, "composer": lambda _: "end"}
    result = run(how, graph(lambda _: "Answer: x", budget, strategy=strategy, **models))
    assert result["status"] == "ok"
    assert len(result["warnings"]) == 2
    assert result["warnings"][0].startswith("max_tokens doesn't count RunnableLambda: it reports")
    assert result["warnings"][1].startswith("max_cost doesn't count RunnableLambda: give it")


@both
@pytest.mark.parametrize("strategy", ["dag", "sequential"])
def test_when_time_is_up_what_runs_is_stopped_and_the_rest_composed(
    how: str, strategy: Any, hurry: threading.Event
) -> None:
    plan = dear("#1 A?\n#2 B? <- #1\n#3 C?")

    def reply(prompt: str, _: Any) -> Any:
        if "now: B?" in prompt:
            return ServerReply(hang=True)
        # A is answered, and so B begun, once all that comes before is under way.
        server.hold()
        if len(server.calls) == (2 if strategy == "dag" else 1):
            hurry.set()
            server.release()
        return "x"

    with LatencyServer(reply) as server:
        solver, budget = f"openai:m@{server.url}", Budget(max_seconds=30)
        limited = graph(solver, budget, strategy=strategy, decomposer=plan)
        begin = time.monotonic()
        result = run(how, limited)
        took = time.monotonic() - begin
        assert soon(lambda: server.in_flight == 0)
    assert 0.5 <= took < 20
    assert calls(result) == len(server.calls) + 2, "the plan, and its end"
    assert statuses(result) == ["ok", "skipped", "ok" if strategy == "dag" else "skipped"]
    assert "max_seconds was reached while this ran" in result["answers"][1]["error"]["message"]
    assert (result["answer"], result["status"]) == ("end", "budget_exhausted")


@both
@pytest.mark.parametrize("strategy", ["direct", "cot", "self_consistency", "static"])
def test_time_ends_undivided_questions_too(how: str, strategy: Any) -> None:
    with LatencyServer(lambda *_: ServerReply(hang=True)) as server:
        solver, budget = f"openai:m@{server.url}", Budget(max_seconds=0.3)
        result = run(how, graph(solver, budget, strategy=strategy, samples=2))
    assert (result["answer"], result["status"]) == (None, "budget_exhausted")
    assert "max_seconds" in result["messages"][-1].content


@both
@pytest.mark.parametrize("strategy", ["static", "sequential", "dag"])
def test_a_budget_that_ends_before_there_is_a_plan_is_a_result(how: str, strategy: Any) -> None:
    slow = always(PLAN, latency=30)
    limited = graph(dear("x"), Budget(max_seconds=1.0), strategy=strategy, decomposer=slow)
    result = run(how, limited)
    assert (result["answer"], result["status"]) == (None, "budget_exhausted")
    assert (result["plan"], calls(result)) == ([], 1)
    assert "max_seconds" in result["messages"][-1].content


@pytest.mark.parametrize("cap", ["max_calls", "max_tokens", "max_seconds", "max_cost"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "5", True, [1]])
def test_a_cap_is_a_positive_number(cap: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"{cap} must be a (whole )?number above 0, or None"):
        Budget(**{cap: value})


@pytest.mark.parametrize("cap", ["max_calls", "max_tokens"])
def test_calls_and_tokens_are_whole(cap: str) -> None:
    with pytest.raises(UserError, match="whole number"):
        Budget(**{cap: 1.5})
    with pytest.raises(UserError, match="max_seconds"):
        Budget(max_seconds=1e12)  # No thread could wait for that.


def test_a_budget_is_a_budget() -> None:
    with pytest.raises(UserError, match=r"budget= takes Budget\(\.\.\.\), not {'max_calls': 3}"):
        create_decomposition_graph(budget={"max_calls": 3})  # type: ignore[typeddict-item]


@pytest.mark.parametrize("wrong", [Budget(max_calls=5), 5, {"max_calls": 5}])
def test_a_meter_is_a_meter_and_counts_against_a_budget(wrong: Any) -> None:
    with pytest.raises(UserError, match=r"shared_meter= takes Meter\(\.\.\.\), not "):
        create_decomposition_graph(shared_meter=wrong)
    with pytest.raises(UserError, match=r"a Meter takes Budget\(\.\.\.\), not 'x'"):
        Meter("x")  # type: ignore[arg-type]


def test_calls_within_a_call_hide_no_other_that_was_stopped() -> None:
    meter = Meter()
    for _ in range(2):  # A nested graph's call, and one that nobody tells of any more.
        meter.before_call("solver")
    meter.add_calls(3)
    meter.paid([no_usage("solver", "m", 4, 1.0)], counted=True)
    assert (meter.calls, meter.stopped) == (5, 1)


@both
def test_nobody_waits_for_a_place_beyond_the_budget_s_time(how: str) -> None:
    asked, end = threading.Event(), threading.Event()

    def slow(prompt: str) -> str:
        asked.set()
        return str(end.wait(30))

    solver = replace(resolve_model(slow), limiter=Limiter(1))
    endless = create_decomposition_graph(solver, strategy="direct")
    limited = graph(solver, Budget(max_seconds=0.3), decomposer=always(PLAN))
    with ThreadPoolExecutor() as pool:
        first = pool.submit(endless.invoke, ASKED)
        assert asked.wait(30)
        result = run(how, limited)
        end.set()
        assert first.result()["answer"] == "True"
    assert (statuses(result), result["status"]) == (["skipped"] * 3, "budget_exhausted")
    assert "while slow was busy" in result["answers"][0]["error"]["message"]
    assert run(how, endless)["status"] == "ok"  # No place was lost.


@both
@pytest.mark.parametrize("strategy", ["direct", "dag"])
def test_after_the_time_that_questions_share_no_call_begins(how: str, strategy: Any) -> None:
    shared, solver = Meter(Budget(max_seconds=0.001)), always("x")
    late = create_decomposition_graph(
        solver, decomposer=dear(PLAN), strategy=strategy, shared_meter=shared
    )
    time.sleep(0.002)
    result = run(how, late)
    assert (result["status"], solver.prompts) == ("budget_exhausted", [])


@both
@pytest.mark.parametrize("busy", [False, True])
def test_what_the_end_of_the_time_stopped_still_counts_later(how: str, busy: bool) -> None:
    failed, limiter, saver = threading.Event(), Limiter(1), InMemorySaver()

    def down(prompt: str) -> str:
        failed.set()
        raise ConnectionError("it is down")

    def take_the_place() -> None:
        assert failed.wait(30)
        with limiter.hold():
            time.sleep(1.2)

    def session() -> Session:
        return Session(Meter(Budget(max_seconds=0.5)), Journal(saver, "1", "run"))

    def begin() -> Any:
        one = Call("solver", replace(resolve_model(down), limiter=limiter), [])
        if how == "sync":
            return ask(one, None, session())
        return asyncio.run(aask(one, None, session()))

    with ThreadPoolExecutor() as pool:
        other = pool.submit(take_the_place) if busy else None
        with pytest.raises(BudgetExhaustedError, match="max_seconds") as caught:
            begin()
        assert other is None or other.result() is None
    taken = caught.value.usage
    assert taken[0]["calls"]
    assert tuple(session().open().failed_before) == taken
