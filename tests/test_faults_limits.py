"""Budgets that run out in the middle of a plan, and how many calls a model gets at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose import Budget, create_decomposition_graph, resolve_model
from langgraph_decompose.models.limiter import Limiter
from langgraph_decompose.testing import LatencyServer, ServerReply

from .conftest import ASKED, both, run, soon
from .test_faults import AT_ONCE, Script, asked, calls, graph, statuses
from .test_faults_time import HANG

WIDE = "\n".join(f"#{n} {letter}?" for n, letter in enumerate("ABCDEFGH", 1))
DOWN = ServerReply("down", status=503, headers=AT_ONCE)

EXHAUSTED = {
    # What max_calls leaves of a plan with two lines, two that need them, and the composer.
    2: (["plan"], None, 0),
    3: (["A", "end", "plan"], "the end", 1),
    5: (["A", "B", "C", "end", "plan"], "the end", 3),
}


@both
@pytest.mark.parametrize("most", EXHAUSTED)
def test_max_calls_leaves_one_for_the_composer(how: str, most: int) -> None:
    order = Script("#1 A?\n#2 B? <- #1\n#3 C? <- #2\n#4 D? <- #3")
    with LatencyServer(order) as server:
        result = run(how, graph(server, budget=Budget(max_calls=most)))
        log, answer, answered = EXHAUSTED[most]
        assert result["status"] == "budget_exhausted"
        assert result["answer"] == answer
        assert sorted(asked(server)) == log
        assert statuses(result) == ["ok"] * answered + ["skipped"] * (4 - answered)
        assert calls(result) == len(server.calls)


@both
def test_a_budget_that_is_just_enough_is_not_exhausted(how: str) -> None:
    with LatencyServer(Script()) as server:
        assert run(how, graph(server, budget=Budget(max_calls=6)))["status"] == "ok"
        assert len(server.calls) == 6


@both
@pytest.mark.parametrize(
    ("failing", "most"),
    [("", 4), ("A", 4), ("A", 7), ("plan", 7), ("end", 7)],
)
def test_max_calls_holds_for_lines_at_once_and_for_retries(
    how: str, failing: str, most: int
) -> None:
    faults = {failing: [DOWN, DOWN]} if failing else {}
    with LatencyServer(Script(**{"plan": WIDE, **faults}), latency=0.02) as server:
        result = run(how, graph(server, budget=Budget(max_calls=most)))
        assert len(server.calls) <= most
        assert result["status"] == "budget_exhausted"
        assert calls(result) == len(server.calls)


@both
def test_without_a_call_left_the_answer_is_what_was_found(how: str) -> None:
    with LatencyServer(Script("#1 A?\n#2 B?", end=DOWN)) as server:
        result = run(how, graph(server, budget=Budget(max_calls=5)))
        assert asked(server)[3:] == ["end", "end"]
        assert result["status"] == "budget_exhausted"
        assert result["answer"] == "#1 A? = answer to A\n#2 B? = answer to B"
        assert calls(result) == len(server.calls) == 5


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Options for a graph whose roles are tables in a TOML file with the same settings."""

    def options(server: LatencyServer, **settings: Any) -> dict[str, str]:
        lines = [f"{name} = {value}\n" for name, value in settings.items()]
        config = tmp_path / "config.toml"
        config.write_text(
            "".join(
                f'[models.my-{role}]\nref = "openai:{role}@{server.url}"\n{"".join(lines)}'
                for role in ("planner", "solver", "composer")
            )
        )
        monkeypatch.setenv("DECOMPOSE_CONFIG", str(config))
        return {"decomposer": "my-planner", "solver": "my-solver", "composer": "my-composer"}

    return options


def release_at(server: LatencyServer, calls: int) -> None:
    """Release a server that is held when so many calls have come."""
    reply = server.reply

    def counted(prompt: str, body: dict[str, Any]) -> Any:
        if len(server.calls) == calls:
            server.release()
        return reply(prompt, body)

    server.reply = counted


def hold_back(server: LatencyServer, mark: str, until: int) -> None:
    """Hold a plan back from the line `mark` on until so many calls have come."""

    def line_latency(line: str) -> float:
        if line.startswith(mark) and len(server.calls) < until:
            server.hold()
        return 0.0

    server.line_latency = line_latency
    release_at(server, until)


# A and B are begun before the plan is paid for, C and D when A and B are paid for.
TWO_AND_TWO = "#1 A?\n#2 B?\n#3 C? <- #1 #2\n#4 D? <- #1 #2"


@both
def test_max_tokens_stops_what_has_not_begun(how: str) -> None:
    with LatencyServer(Script(TWO_AND_TWO)) as server:
        hold_back(server, "#3", until=3)
        result = run(how, graph(server, budget=Budget(max_tokens=100)))
        assert result["status"] == "budget_exhausted"
        assert statuses(result) == ["ok", "ok", "skipped", "skipped"]
        assert (
            result["answers"][2]["error"]["message"] == "the budget's max_tokens (100) was reached"
        )
        # The one composing call is still made.
        assert result["answer"] == "the end"
        assert sorted(asked(server)) == ["A", "B", "end", "plan"]


@both
def test_max_cost_stops_what_has_not_begun(how: str, tables: Any) -> None:
    with LatencyServer(Script(TWO_AND_TWO)) as server:
        hold_back(server, "#3", until=3)
        options = tables(server, price_in=1000.0, price_out=2000.0)
        result = run(how, graph(server, **options, budget=Budget(max_cost=0.1)))
        assert result["status"] == "budget_exhausted"
        assert statuses(result) == ["ok", "ok", "skipped", "skipped"]
        assert "max_cost (0.1)" in result["answers"][2]["error"]["message"]
        assert sorted(asked(server)) == ["A", "B", "end", "plan"]
        for row in result["usage"]:
            price = (row["input_tokens"] * 1000 + row["output_tokens"] * 2000) / 1e6
            assert row["cost"] == pytest.approx(price)
        assert result["warnings"] == []


@both
def test_max_cost_says_which_models_it_cannot_count(how: str) -> None:
    with LatencyServer(Script()) as server:
        result = run(how, graph(server, budget=Budget(max_cost=1)))
        assert result["status"] == "ok"
        assert "max_cost doesn't count openai:composer" in result["warnings"][0]


@both
def test_a_budget_that_ends_while_the_plan_is_written_keeps_what_was_found(how: str) -> None:
    half = ServerReply("#1 A?\n#2 B?\n", hang=True)
    with LatencyServer(Script(half)) as server:
        result = run(how, graph(server, budget=Budget(max_seconds=1.5)))
        assert result["status"] == "budget_exhausted"
        assert result["answer"] == "the end"
        assert [row["answer"] for row in result["answers"]] == ["answer to A", "answer to B"]
        assert calls(result) == len(server.calls) == 4


@both
@pytest.mark.parametrize("most", [1, 2])
def test_a_budget_too_small_for_a_plan_is_exhausted_not_an_error(how: str, most: int) -> None:
    with LatencyServer(Script("I can't split this")) as server:
        result = run(how, graph(server, budget=Budget(max_calls=most)))
        assert result["status"] == "budget_exhausted"
        assert calls(result) == len(server.calls) <= most


@both
def test_lines_that_a_repaired_plan_drops_stay_in_the_budget(how: str) -> None:
    too_long = "#1 A?\n#2 B?\n#3 C?\n#4 D?"

    def once_three_are_answered(line: str) -> float:
        three = line.startswith("#4") and soon(
            lambda: sum(call.answered is not None for call in solving.calls) == 3
        )
        return 0.0 * three

    script = Script([too_long, "#1 X?"], end=DOWN)
    with (
        LatencyServer(Script()) as solving,
        LatencyServer(script, line_latency=once_three_are_answered) as planning,
    ):
        options: dict[str, Any] = {"budget": Budget(max_calls=7), "max_subquestions": 3}
        result = run(how, solving_elsewhere(solving, planning, **options))
        assert sorted(asked(solving)) == ["A", "B", "C", "X"]
        assert asked(planning) == ["plan", "plan", "end"]
        assert result["status"] == "budget_exhausted"
        assert calls(result) == 7


@both
def test_lines_that_a_repaired_plan_stops_stay_in_the_budget(how: str) -> None:
    too_long = "#1 A?\n#2 B?\n#3 C?\n#4 D?"
    hanging = dict.fromkeys("ABC", HANG)
    with LatencyServer(Script([too_long, "#1 X?"], end=DOWN, **hanging)) as server:
        hold_back(server, "#4", until=4)
        run(how, graph(server, budget=Budget(max_calls=7), max_subquestions=3))
        assert sorted(asked(server)[:6]) == ["A", "B", "C", "X", "plan", "plan"]
        assert len(server.calls) <= 7


def solving_elsewhere(solving: LatencyServer, planning: LatencyServer, **options: Any) -> Any:
    """A graph whose solver has a server to itself, so that its `peak` is the solver's."""
    return graph(planning, **{"solver": f"openai:solver@{solving.url}", **options})


@both
@pytest.mark.parametrize("config", [{}, {"max_concurrency": 50}], ids=str)
@pytest.mark.parametrize("by", ["table", "option"])
def test_a_model_s_places_are_kept_whatever_the_caller_s_config(
    how: str, config: Any, by: str, tables: Any
) -> None:
    with LatencyServer(Script(WIDE)) as planning, LatencyServer(Script(), 0.03) as solving:
        options = {"max_concurrency": 3}
        if by == "table":
            options = {"solver": tables(solving, max_concurrency=3)["solver"]}
        solving.hold()
        release_at(solving, calls=3)
        result = run(how, solving_elsewhere(solving, planning, **options), ASKED, config)
        assert statuses(result) == ["ok"] * 8
        assert solving.peak == 3


@pytest.mark.parametrize("by", ["table", "option"])
def test_places_are_shared_by_event_loops_and_threads(by: str, tables: Any) -> None:
    with LatencyServer(Script(WIDE)) as planning, LatencyServer(Script(), 0.02) as solving:
        options = {"max_concurrency": 2}
        if by == "table":
            options = {"solver": tables(solving, max_concurrency=2)["solver"]}
        shared = solving_elsewhere(solving, planning, **options)
        # Graphs of the same table share its places; with `max_concurrency=` each has its own.
        other = solving_elsewhere(solving, planning, **options) if by == "table" else shared
        results: list[Any] = []
        solving.hold()
        release_at(solving, calls=2)

        def one(how: str, asking: Any) -> None:
            results.append(run(how, asking))

        kinds = [("async", shared), ("async", other), ("sync", shared), ("sync", other)]
        threads = [threading.Thread(target=one, args=kind) for kind in kinds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [row["status"] for row in results] == ["ok"] * 4
        assert len(solving.calls) == 32
        assert solving.peak == 2


@both
def test_a_call_that_is_given_up_has_its_place_until_it_has_ended(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine may take long to end it.
    monkeypatch.setattr("langgraph_decompose.nodes.waiting._GRACE", 30)
    given_up = [HANG, ServerReply("never", status=400), ServerReply("never", status=400)]
    with (
        LatencyServer(Script(WIDE)) as planning,
        LatencyServer(Script(A=list(given_up), B=list(given_up))) as solving,
    ):
        model = resolve_model(f"openai:solver@{solving.url}")
        patient = replace(model, limiter=Limiter(1))
        solvers = {"hasty": replace(patient, timeout=0.2), "patient": patient}
        options: dict[str, Any] = {"solver": solvers}
        options["route"] = lambda line: "hasty" if line.id < 3 else "patient"
        result = run(how, solving_elsewhere(solving, planning, **options))
        assert statuses(result) == ["failed"] * 2 + ["ok"] * 6
        assert solving.peak == 1


@both
def test_a_solver_that_asks_its_own_graph_does_not_wait_for_its_own_place(how: str) -> None:
    running: list[str] = []
    at_once: list[int] = []

    def solver(prompt: str) -> str:
        if "Outer?" in prompt:
            return str(own.invoke({"question": "Inner?"})["answer"])
        running.append(prompt)
        at_once.append(len(running))
        time.sleep(0.01)
        running.remove(prompt)
        return "7"

    options: Any = {"strategy": "self_consistency", "samples": 3, "max_concurrency": 1}
    own = create_decomposition_graph(solver, budget=Budget(max_seconds=20), **options)
    assert run(how, own, {"question": "Outer?"})["answer"] == "7"
    assert at_once == [1] * 9


@both
def test_a_solver_has_no_more_places_the_deeper_it_asks_its_own_graph(how: str) -> None:
    running: list[str] = []
    at_once: list[int] = []

    def solver(prompt: str) -> str:
        for outer, inner in (("First?", "Second?"), ("Second?", "Third?")):
            if outer in prompt:
                return str(own.invoke({"question": inner})["answer"])
        running.append(prompt)
        at_once.append(len(running))
        time.sleep(0.01)
        running.remove(prompt)
        return "7"

    options: Any = {"strategy": "self_consistency", "samples": 3, "max_concurrency": 2}
    own = create_decomposition_graph(solver, **options)
    assert run(how, own, {"question": "First?"})["answer"] == "7"
    assert len(at_once) == 27
    assert max(at_once) == 2
