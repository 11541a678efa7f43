"""`symbolic`: a model states the puzzle, Z3 solves it, and mistakes are repaired."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph_decompose import Budget, UserError, create_decomposition_graph
from langgraph_decompose.errors import MissingDependencyError
from langgraph_decompose.graphs import symbolic
from langgraph_decompose.graphs.symbolic import REPAIRS
from langgraph_decompose.testing import LatencyServer, ServerReply
from langgraph_decompose.tools import smt
from langgraph_decompose.tools.formalisation import (
    FormalisationError,
    read_formalisation,
    word_answer,
)

from .conftest import THREAD, both
from .symbolic_puzzles import PUZZLES, Puzzle, formalised

pytest.importorskip("z3")
DOUBLE = "A number doubled is 84. Which number?"
RIGHT = formalised("(declare-const x Int)", "(assert (= (* 2 x) 84))", "{x}")
CUBES = (
    "(declare-const x Int)(declare-const y Int)(declare-const z Int)"
    "(assert (= 42 (+ (* x x x) (* y y y) (* z z z))))"
)


class Asked:
    """A finished question: its result, and the prompts that the model was asked with."""

    def __init__(
        self,
        how: str,
        replies: list[Any],
        question: str = DOUBLE,
        **options: Any,
    ) -> None:
        left = list(replies)
        with LatencyServer(lambda *_: left.pop(0)) as server:
            graph = graph_of(f"openai:m@{server.url}", **options)
            value = {"question": question}
            begin = time.monotonic()
            if how == "sync":
                self.result = graph.invoke(value, THREAD)
            else:
                self.result = asyncio.run(graph.ainvoke(value, THREAD))
            self.seconds = time.monotonic() - begin
            self.prompts = [call.prompt for call in server.calls]
        [self.row] = self.result["answers"]
        self.answer, self.status = self.result["answer"], self.result["status"]


def graph_of(solver: Any, **options: Any) -> Any:
    saver = InMemorySaver()
    return create_decomposition_graph(solver, strategy="symbolic", checkpointer=saver, **options)


@both
@pytest.mark.parametrize("puzzle", PUZZLES, ids=lambda puzzle: puzzle.name)
def test_puzzles_are_solved_in_one_call(how: str, puzzle: Puzzle) -> None:
    asked = Asked(how, [puzzle.reply], puzzle.question)
    assert (asked.answer, asked.status) == (puzzle.answer, "ok")
    [prompt] = asked.prompts
    assert puzzle.question in prompt
    assert "Solved examples:\nnone" in prompt
    assert asked.result["warnings"] == []
    assert asked.result["usage"][0]["calls"] == 1
    assert asked.result["messages"][-1].content == puzzle.answer
    assert "(assert" in asked.result["trace"]["symbolic"]["script"]


@both
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("I think it's 42.", "no section '=== question'"),
        (RIGHT.replace("84))", "84)"), "parentheses to be closed at the end: 1"),
        (RIGHT.replace("* 2 x", "* 2 w"), "in (assert (= (* 2 w) 84)): unknown constant w"),
        (RIGHT.replace("* 2 x", "* 4 x").replace("84", "85"), "contradict each other"),
        (RIGHT.replace("{x}", "{w}"), "shows 'w', but the solution has no value"),
        (RIGHT.replace("{x}", "{x:yes|no}"), "given words for true and false"),
        (RIGHT.replace("(declare", '(set-option :trace_file_name "t") (declare'), "'set-option'"),
        (formalised("", "(echo 1)", "1"), "the command 'echo' isn't allowed"),
        (formalised("", "(assert true)", "42"), "no constant that has a value"),
        (RIGHT.replace("{x}", "42"), "shows no constant in braces"),
        (RIGHT.replace("(= (* 2 x) 84))", "(> x 3))(maximize x)"), "the objective has no optimum"),
        (ServerReply(RIGHT[:60], finish_reason="length"), "cut off at the token limit"),
        (ServerReply(""), "gave an empty reply"),
    ],
)
def test_what_is_wrong_is_repaired(how: str, wrong: Any, told: str) -> None:
    asked = Asked(how, [wrong, RIGHT])
    assert (asked.answer, asked.status) == ("42", "ok")
    first, repair = asked.prompts
    assert told not in first
    assert told in repair
    assert DOUBLE in repair
    shown = wrong.text if isinstance(wrong, ServerReply) else wrong
    assert shown.strip() in repair
    assert asked.row["usage"][0]["calls"] == 2


EXAMPLES = (
    {"question": "A number doubled is 10. Which?", "answer": "5"},
    {"question": "A number doubled is 3. Which?", "answer": "1.5"},
)


def with_examples(kind: str) -> str:
    case = "=== example {}\n(assert (= (* 2 x) {}))\n"
    rules = f"=== rules\n(declare-const x {kind})\n"
    return rules + case.format(1, 10) + case.format(2, 3) + "=== question\n(assert (= (* 2 x) 84))"


@both
def test_a_formalisation_that_gets_an_example_wrong_is_repaired(how: str) -> None:
    wrong = with_examples("Real").replace("(* 2 x) 10)", "(* 3 x) 12)") + "\n=== answer\n{x}"
    missing = RIGHT
    no_solution = with_examples("Int") + "\n=== answer\n{x}"
    right = with_examples("Real") + "\n=== answer\n**{x}**"
    asked = Asked(how, [missing, wrong, no_solution, right], examples=EXAMPLES)
    assert (asked.answer, asked.status) == ("**42**", "ok")
    first, *repairs = asked.prompts
    assert "Example 2\nA number doubled is 3. Which?\nAnswer: 1.5" in first
    for repair, told in zip(
        repairs,
        [
            "no section '=== example 1'",
            "answers example 1 with '4', but the right answer is '5'",
            "example 2: Z3 finds that the assertions contradict each other",
        ],
        strict=True,
    ):
        assert told in repair


@both
def test_after_four_repairs_it_fails_and_makes_nothing_up(how: str) -> None:
    asked = Asked(how, ["The answer is 42."] * 9)
    assert len(asked.prompts) == 1 + REPAIRS == 5
    assert (asked.answer, asked.status, asked.row["status"]) == (None, "failed", "failed")
    assert asked.row["error"] == {
        "type": "FormalisationError",
        "message": "no formalisation worked; at the last, the reply has no section '=== question'",
        "transient": False,
    }
    assert asked.row["usage"][0]["calls"] == asked.result["usage"][0]["calls"] == 5
    assert asked.row["usage"][0]["output_tokens"] == 5 * 4


@both
def test_what_z3_cannot_decide_ends_in_time(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What Z3 can decide may take as long as a busy machine needs.
    start = smt._Run.__init__

    def patient(run: Any, script: str, seconds: float, *options: Any) -> None:
        start(run, script, seconds if "x x x" in script else 60, *options)

    monkeypatch.setattr(smt._Run, "__init__", patient)
    endless = formalised(CUBES, "", "{x}")
    monkeypatch.setattr(symbolic, "SECONDS", 1.0)
    asked = Asked(how, [endless, RIGHT])
    assert (asked.answer, asked.status) == ("42", "ok")
    assert "Z3 took over 1 seconds" in asked.prompts[1]
    assert asked.seconds < 30


@both
def test_a_script_that_eats_memory_is_a_clear_error(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hungry = formalised(
        "(declare-const a (_ BitVec 4000))(declare-const b (_ BitVec 4000))",
        "(assert (= (bvmul a b) (_ bv12345678912345677 4000)))(assert (bvugt a b))",
        "{a}",
    )
    monkeypatch.setattr(symbolic, "MEGABYTES", 150)
    monkeypatch.setattr(symbolic, "SECONDS", 60.0)
    asked = Asked(how, [hungry, RIGHT])
    assert (asked.answer, asked.status) == ("42", "ok")
    assert "question: Z3 needed over 150 MB" in asked.prompts[1]


@both
def test_the_budget_ends_repairs_and_z3(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []
    start = smt._Run.__init__

    def noted(run: Any, script: str, seconds: float, *options: Any) -> None:
        given.append(seconds)
        start(run, script, seconds, *options)

    monkeypatch.setattr(smt._Run, "__init__", noted)
    calls = Asked(how, ["no"] * 9, budget=Budget(max_calls=2))
    assert (calls.status, calls.row["status"], len(calls.prompts)) == (
        "budget_exhausted",
        "skipped",
        2,
    )
    assert calls.result["usage"][0]["calls"] == 2
    time_up = Asked(how, [formalised(CUBES, "", "{x}")] * 9, budget=Budget(max_seconds=1.5))
    assert (time_up.status, time_up.answer, len(time_up.prompts)) == ("budget_exhausted", None, 1)
    assert all(seconds <= 1.5 for seconds in given), "not Z3's own ten"
    assert time_up.seconds < 30


@both
def test_a_service_that_refuses_fails_the_question_at_once(how: str) -> None:
    asked = Asked(how, ["no", ServerReply("no such model", status=404)])
    assert asked.status == "failed"
    assert "NotFound" in asked.row["error"]["type"]
    assert asked.row["usage"][0]["calls"] == 2


@pytest.mark.parametrize(
    ("question", "answer", "shown"),
    [
        ("(assert (< 2 |a b| 5))", "{a b}", ("3", "4")),
        ("(assert (< 2 |a b| 5))", "{ |a b| }", ("3", "4")),
        ("(assert (< 2 |a b| 5))", "", ("a b = 3", "a b = 4")),
        ("(assert (< 2 |a b| 5))(minimize (* 0 |a b|))", "{|a b|}", ("3", "4")),
    ],
)
def test_an_answer_among_several_carries_a_warning(
    question: str, answer: str, shown: tuple[str, ...]
) -> None:
    loose = formalised("(declare-const |a b| Int)", question, answer)
    asked = Asked("sync", [loose])
    assert asked.answer in shown
    assert asked.status == "ok"
    assert asked.result["warnings"] == ["the formalisation allows other answers, too"]


@pytest.mark.parametrize("section", ["", "=== answer\n{|x|}"])
def test_the_only_answer_carries_no_warning(section: str) -> None:
    asked = Asked("sync", [RIGHT.partition("=== answer")[0] + section])
    assert (asked.answer, asked.result["warnings"]) == ("42" if section else "x = 42", [])


def test_each_attempt_is_told() -> None:
    replies = ["no", RIGHT]
    with LatencyServer(lambda *_: replies.pop(0)) as server:
        graph = graph_of(f"openai:m@{server.url}")
        told = [
            (event["attempt"], event["answer"], event["error"])
            for event in graph.stream({"question": DOUBLE}, THREAD, stream_mode="custom")
            if event["type"] == "decompose.symbolic"
        ]
    assert told == [(1, None, "the reply has no section '=== question'"), (2, "42", "")]


def test_cancelling_ends_z3_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    start = smt._start
    begun = threading.Event()

    def noted() -> Any:
        started.append(start())
        begun.set()
        return started[-1]

    monkeypatch.setattr(smt, "_start", noted)
    monkeypatch.setattr(symbolic, "SECONDS", 600.0)

    async def main() -> None:
        with LatencyServer(lambda *_: formalised(CUBES, "", "{x}")) as server:
            graph = graph_of(f"openai:m@{server.url}")
            running = asyncio.create_task(graph.ainvoke({"question": DOUBLE}, THREAD))
            assert await asyncio.to_thread(begun.wait, 30)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    asyncio.run(main())
    assert [process.wait(30) for process in started] == [-9]


@both
def test_what_was_never_formalised_is_repaired_further_on_demand(how: str) -> None:
    replies = ["bad"] * (2 + 2 * REPAIRS) + [ServerReply("")] * (1 + REPAIRS) + [RIGHT]
    with LatencyServer(lambda *_: replies.pop(0)) as server:
        graph = graph_of(f"openai:m@{server.url}")

        def turn(value: Any, config: Any) -> Any:
            before = len(server.calls)
            if how == "sync":
                result = graph.invoke(value, config)
            else:
                result = asyncio.run(graph.ainvoke(value, config))
            assert sum(row["calls"] for row in result["usage"]) == len(server.calls)
            return result["answer"], len(server.calls) - before

        assert turn({"question": DOUBLE}, THREAD) == (None, 1 + REPAIRS)
        states = graph.get_state_history(THREAD)
        [config] = [state.config for state in states if state.next == ("solver",)]
        assert turn(None, config) == (None, 0)
        config["configurable"]["decompose_retry_failed"] = True
        assert turn(None, config) == (None, 1 + REPAIRS)
        assert turn(None, config) == (None, 1 + REPAIRS)
        assert turn(None, config) == ("42", 1)


def test_what_was_understood_is_shown_to_whoever_formalises() -> None:
    asked = Asked("sync", ["the core of it", "the facts of it", RIGHT], dup=True)
    assert asked.answer == "42"
    assert "the core of it" in asked.prompts[2]
    assert "the facts of it" in asked.prompts[2]


def test_a_solver_of_expressions_and_a_missing_z3_are_refused_when_building(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UserError, match="'bundled' only writes expressions: name another"):
        graph_of("bundled")
    monkeypatch.setitem(sys.modules, "z3", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'langgraph-decompose\[symb"):
        graph_of(lambda question: "x")


@pytest.mark.parametrize(
    "reply",
    [
        "=== rules\nR\n=== question\nQ\n=== answer\nA",
        "Sure.\n```\n=== rules\nR\n=== question\nQ\n=== answer\nA\n```\nDone!",
        "### === Rules ===\n```smt2\nR\n```\nNow:\n**=== Question**\n```\nQ\n```\n==== answer:\nA",
        "=== rules\nR\n=== question\nold\n=== question\nQ\n=== answer\nA\n=== notes\nnothing",
    ],
)
def test_sections_are_read_however_they_are_wrapped(reply: str) -> None:
    found = read_formalisation(reply)
    assert (found.script("question"), found.answer) == ("R\nQ", "A")


def test_an_answer_is_worded_from_values_alone() -> None:
    values = {"a b": "3", "c": "{c}", "t": "true"}
    assert word_answer("{ |a b| } {c} {t:A |B}.", values) == "3 {c} A ."
    assert word_answer("", values) == "a b = 3\nc = {c}\nt = true"
    assert read_formalisation("=== question\n=== answer\n{ |a b| } {t:A |B}").wanted == ["a b", "t"]
    assert read_formalisation("=== question").wanted is None
    for template in ("{}", "{__class__}", "{0}", "{t:}", "{t:a}", "{c:a|b}", "{t:|}"):
        with pytest.raises(FormalisationError):
            word_answer(template, values)
    with pytest.raises(FormalisationError, match="over 200,000"):
        read_formalisation("x" * 200_001)
