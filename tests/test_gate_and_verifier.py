"""What stands before and behind any strategy: the gate, understanding first, the verifier."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from langgraph_decompose import (
    AnswerCache,
    Budget,
    UserError,
    create_decomposition_graph,
    gate_node,
)
from langgraph_decompose.nodes.verifier import Verdict
from langgraph_decompose.plan import PlanError, parse_next
from langgraph_decompose.testing import LatencyServer, ScriptedChatModel, ServerReply

from .conftest import THREAD, always, both
from .test_adaptive_strategies import PLAN, QUESTION, Ran

DIVIDED = {"plan": PLAN, "solve": "41", "compose": "Ann", "cot": "Answer: Ann"}


# The gate


@both
@pytest.mark.parametrize("strategy", ["dag", "static", "escalate", "dynamic"])
def test_gate_never_answers_undivided_whatever_the_strategy(how: str, strategy: str) -> None:
    ran = Ran(how, {"direct": "Ann"}, strategy=strategy, gate="never")
    assert ran.kinds == ["direct"]
    assert (ran.result["answer"], ran.result["plan"]) == ("Ann", [])
    assert ran.result["strategy"] == strategy
    assert ran.result["trace"]["gate"] == {"gate": "never", "split": False}


@both
def test_gate_disagreement_splits_only_what_direct_samples_disagree_on(how: str) -> None:
    agreed = Ran(how, {"direct": "Ann"}, gate="disagreement")
    assert agreed.kinds == ["direct"] * 3
    assert agreed.result["answer"] == "Ann"
    replies = {**DIVIDED, "direct": ["Ann", "Bob", "Ann"]}
    split = Ran(how, replies, gate="disagreement")
    assert Counter(split.kinds) == {"direct": 3, "plan": 1, "solve": 3, "compose": 1}
    told = {"gate": "disagreement", "split": True, "votes": 2, "samples": 3}
    assert split.result["trace"]["gate"] == told
    assert sum(row["calls"] for row in split.result["usage"]) == 8, "the samples are counted, too"
    more = Ran(how, {"direct": ["Ann", *["Bob"] * 4]}, gate="disagreement", attempts=5)
    assert more.result["answer"] == "Bob", "four of five are enough"


@both
def test_gate_model_lets_the_decomposer_say_atomic_and_always_does_not(how: str) -> None:
    assert Ran(how, {"plan": "atomic", "direct": "Ann"}).kinds == ["plan", "direct"]
    replies = {**DIVIDED, "plan": ["atomic", PLAN], "repair": PLAN}
    ran = Ran(how, replies, gate="always")
    assert ran.kinds[:2] == ["plan", "plan"]
    assert "atomic" not in ran.prompts[0], "the word isn't offered"
    assert "must be split into at least one subquestion" in ran.prompts[1]
    offered, _, _ = ran.prompts[1].partition("An earlier attempt")
    assert "atomic" not in offered, "nor is it when the plan is asked for again"
    assert ran.result["plan_source"] == "repaired"


def test_gate_always_takes_the_word_away_from_a_model_with_a_grammar() -> None:
    question = {"question": "What is 12 * 11?"}
    assert create_decomposition_graph().invoke(question)["plan"] == []
    assert create_decomposition_graph(gate="always").invoke(question)["plan"]


@both
def test_gate_disagreement_with_the_bundled_models(how: str) -> None:
    graph = create_decomposition_graph(gate="disagreement")
    asked = {"question": "What is 12 * 11?"}
    result = graph.invoke(asked) if how == "sync" else asyncio.run(graph.ainvoke(asked))
    assert (result["answer"], result["trace"]["gate"]["split"]) == ("132", False)


# Understanding first


@both
def test_dup_finds_the_core_and_the_facts_before_it_solves(how: str) -> None:
    replies = {"core": "Which is older?", "facts": "- Ann is 41\n- Bob is 39", "cot": "Answer: Ann"}
    ran = Ran(how, replies, strategy="dup")
    assert ran.kinds == ["core", "facts", "cot"]
    assert "Core question: Which is older?" in ran.prompts[1]
    assert "- Ann is 41" in ran.prompts[2]
    assert ran.prompts[2].endswith(QUESTION)
    assert ran.result["answer"] == "Ann"


@both
def test_dup_stands_before_any_strategy(how: str) -> None:
    replies = {**DIVIDED, "core": "Which is older?", "facts": "- Ann is 41"}
    ran = Ran(how, replies, strategy="dag", dup=True)
    assert ran.kinds == ["core", "facts", "plan", "solve", "solve", "solve", "compose"]
    assert all("- Ann is 41" in prompt for prompt in ran.prompts[2:])
    bundled = Ran(how, {**replies, "direct": "Ann"}, dup=True, decomposer="bundled")
    assert bundled.result["status"] == "ok", "its prompt has no place for facts"


@both
def test_a_question_that_is_not_understood_is_asked_as_it_stands(how: str) -> None:
    ran = Ran(how, {"core": "", "cot": "Answer: Ann"}, strategy="dup")
    assert (ran.result["answer"], ran.result["status"]) == ("Ann", "ok")
    assert "asked without its core and facts" in ran.result["warnings"][0]


# The verifier


@both
def test_a_wrong_answer_is_asked_again_with_the_objection_shown(how: str) -> None:
    replies = {
        **DIVIDED,
        "solve": ["41", "39", "Bob"],
        "verify": ["right", "right", "conceptual: 41 is more than 39", "right"],
        "solve again": "Ann",
    }
    ran = Ran(how, replies, strategy="sequential", verify="subquestions")
    assert ran.kinds == [
        *["plan", "solve", "verify", "solve", "verify", "solve", "verify"],
        *["solve again", "verify", "compose"],
    ]
    again = ran.prompts[7]
    assert "The answer before: Bob" in again
    assert "The objection (conceptual): 41 is more than 39" in again
    rows = ran.result["answers"]
    assert rows[2]["answer"] == "Ann"
    assert rows[2]["verdict"] == {"right": True, "kind": "", "reason": ""}
    assert (ran.result["status"], ran.result["warnings"]) == ("ok", [])
    roles = {row["role"]: row["calls"] for row in ran.result["usage"]}
    assert roles == {"decomposer": 1, "solver": 4, "verifier": 4, "composer": 1}


@both
@pytest.mark.parametrize(("retries", "asked"), [(0, 1), (1, 2), (3, 4)])
def test_retries_are_bounded_and_the_doubt_is_told(how: str, retries: int, asked: int) -> None:
    replies = {**DIVIDED, "plan": "#1 A?\n", "verify": "misread: no", "solve again": "42"}
    ran = Ran(how, replies, verify="subquestions", verify_retries=retries)
    assert ran.kinds.count("verify") == asked
    assert ran.result["status"] == "ok"
    assert ran.result["warnings"] == ["the verifier doubts #1: misread: no"]


@both
def test_a_step_out_of_place_is_not_asked_again(how: str) -> None:
    replies = {**DIVIDED, "plan": "#1 A?", "verify": "position: nothing says so"}
    ran = Ran(how, replies, verify="subquestions")
    assert ran.kinds == ["plan", "solve", "verify", "compose"]
    assert ran.result["warnings"] == ["the verifier doubts #1: position: nothing says so"]


@both
def test_the_final_answer_is_revised(how: str) -> None:
    replies = {**DIVIDED, "verify": ["computational: no", "right"], "revise": "So.\nAnswer: Bob"}
    ran = Ran(how, replies, verify="answer")
    assert ran.kinds[-3:] == ["verify", "revise", "verify"]
    assert (ran.result["answer"], ran.result["warnings"]) == ("Bob", [])
    assert [m.content for m in ran.result["messages"]] == ["Bob"], "one message, the last answer"
    assert sum(row["calls"] for row in ran.result["usage"]) == len(ran.kinds)
    shown = ran.prompts[-2]
    assert "#1 How old is Ann? = 41" in shown
    assert "The objection (computational): no" in shown


@both
def test_a_verifier_that_fails_or_says_nothing_has_no_say(how: str) -> None:
    for reply in ("", "Well, who knows?"):
        ran = Ran(how, {**DIVIDED, "verify": reply}, verify="both")
        assert (ran.result["answer"], ran.result["status"]) == ("Ann", "ok")
        assert all("isn't verified" in warning for warning in ran.result["warnings"])
        assert len(ran.result["warnings"]) == 4


def test_only_answers_that_stood_are_cached() -> None:
    cache = AnswerCache(":memory:")
    solver = always("41")
    for verdict, kept in (("misread: no", 0), ("right", 1)):
        judge = always(verdict)
        create_decomposition_graph(
            solver,
            decomposer=always("#1 A?"),
            answer_cache=cache,
            verify="subquestions",
            verifier=judge,
        ).invoke({"question": QUESTION})
        assert len(cache) == kept


@pytest.mark.parametrize(
    ("reply", "right", "kind"),
    [
        ("right", True, ""),
        ("**Right.**", True, ""),
        ("Right, let me work it out.\ncomputational: 6*7 is 42", False, "computational"),
        ("Correct me if I'm wrong.\nmisread: it says Bob", False, "misread"),
        ("right? No, it's wrong", True, "unknown"),
        ("Right answer would be 42, not 48", True, "unknown"),
        ("**Verdict:** conceptual: adds", False, "conceptual"),
        ("Verdict - position", False, "position"),
        ("incorrect: it is 42", False, "untyped"),
        ("wrong. It is 42.", False, "untyped"),
        ("computational: 6*7 is 42, not 48.\nCorrect: 42", False, "computational"),
        ("Conceptual error: it adds", False, "conceptual"),
        ("1. computational, a slip", False, "computational"),
        ("Correct - 6 * 7 is 42, but the answer says 48", True, "unknown"),
        ("<think>misread: no</think>right", True, ""),
        ("right: 6 * 7 is 42", True, ""),
        ("Correct. 6*7=42.", True, ""),
        ("**Right** \u2013 it adds up", True, ""),
        ("The answer is right.", True, ""),
        ("The answer is wrong: it's 43", False, "untyped"),
        ("It is not correct.", False, "untyped"),
        ("The answer is incorrect because 6 * 7 is 42.", False, "untyped"),
        ("That's wrong since it says Bob.", False, "untyped"),
        ("It\u2019s right.", True, ""),
        ("Right, because 6 * 7 is 42.", True, ""),
        ("correct because of 42, but it isn't 48", True, "unknown"),
        ("Correct: 42", True, "unknown"),
        ("misread: it says Bob\nright: for Bob", False, "misread"),
        ("Right: step 1 is fine.\nThe total is wrong: 6 * 7 is 42, not 48.", True, "unknown"),
        ("Right: 6 * 7 is 42.\nSo is the total.", True, ""),
        ("x" + "\n" * 100_000 + "x", True, "unknown"),
    ],
)
def test_what_a_verifier_says_is_read_as_it_is_meant(reply: str, right: bool, kind: str) -> None:
    begin = time.process_time()
    verdict = Verdict.read(reply)
    assert (verdict.right, verdict.kind) == (right, kind)
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        ("Here is the next subquestion:\n#1 Who directed Jaws?", "Who directed Jaws?"),
        ("We know the director.\nWho married him?", "Who married him?"),
        ("The question can be answered.\ndone", None),
        ("No further questions needed.", None),
        ("Are follow up questions needed here: No.", None),
        ("So the final answer is: Ann.", None),
        ("#2 Who married #1?\n#3 Where was #2 born? <- #2\ndone", "Who married #1?"),
        ("#1 Who directed Jaws?\n#2 Who married #1?\ndone", "Who married #1?"),
        ("Follow up: Who married #1?\nSo the final answer is: Kate.", "Who married #1?"),
        ("#1 Who directed Jaws? Steven Spielberg\n#2 done", None),
        ("- Is anything left? No.\n- done", None),
        ("Follow up: Who is it?\nIntermediate answer: Ann.\nSo the final answer is: Ann.", None),
        ("Follow up: Who is it?\nIntermediate answer: Ann.\nFollow up: Why #1?\ndone", "Why #1?"),
        ("Final answer: 42", None),
        ("#2 done", None),
        ("**#2** Done.", None),
        ("Q2: Who is it?", "Who is it?"),
        ("#2 who is it?", "who is it?"),
        ("#2 Who is it? <- none", "Who is it?"),
        ("#2 Who married #1? <- #1.", "Who married #1?"),
        ("#2:Who is it?", "Who is it?"),
        ("#2：谁是#1的妻子？\ndone", "谁是#1的妻子？"),
        ("#1 was born in which year?", "#1 was born in which year?"),
        ("#2 #1 was born in which year?", "#1 was born in which year?"),
        ("#1 的妻子是谁？", "#1 的妻子是谁？"),
        ("#2 谁是#1的妻子？\ndone", "谁是#1的妻子？"),
        ("no more info about Jaws?", "no more info about Jaws?"),
        ("2. March brought how much rain?", "March brought how much rain?"),
        ("12. March 1990 was which day?", "12. March 1990 was which day?"),
        ("#2 12. March 1990 was which day?", "12. March 1990 was which day?"),
        ("A?" + " " * 40_000 + "<- #x", "A? < - #x"),
    ],
)
def test_the_next_line_is_found_among_other_words(reply: str, line: str | None) -> None:
    begin = time.process_time()
    found = parse_next(reply, 2)
    assert (found and found.text) == line
    assert time.process_time() - begin < 1


@given(st.text(max_size=300))
def test_any_reply_is_a_verdict_and_never_an_error(text: str) -> None:
    verdict = Verdict.read(text)
    assert verdict.right == (verdict.kind in ("", "unknown"))
    assert len(verdict.reason) <= 400


@given(st.text(max_size=300), st.integers(1, 64))
def test_any_reply_is_a_next_line_the_end_or_a_plan_error(text: str, number: int) -> None:
    try:
        line = parse_next(text, number)
    except PlanError:
        return
    assert line is None or (line.id == number and all(k < number for k in line.needs))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gate": "sometimes"}, "unknown gate 'sometimes'; use one of never, always, model"),
        ({"gate": "always", "strategy": "cot"}, "gate 'always' needs a strategy that always"),
        ({"gate": "disagreement", "attempts": 1}, "a single attempt agrees with itself"),
        ({"verify": "subquestions", "strategy": "static"}, "needs a strategy that asks them"),
        ({"attempts": 0}, "attempts is 1 to 64, not 0"),
        ({"verify": "all"}, "verify is subquestions, answer, both or None, not 'all'"),
        ({"verifier": "bundled"}, "a verifier needs verify="),
        ({"verify": "both"}, "a verifier writes in words, and 'bundled' only writes expressions"),
        ({"verify_retries": 9}, "verify_retries is 0 to 8, not 9"),
        ({"max_depth": 0}, "max_depth is 1 to 8, not 0"),
        ({"dup": True}, "dup needs a solver that writes in words"),
        ({"strategy": "dup"}, "the strategy 'dup' needs a solver that reasons in words"),
        ({"examples": [{"question": "?"}]}, "examples are up to 16 rows, each a question and its"),
    ],
)
def test_a_mistake_is_told_when_the_graph_is_made(options: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        create_decomposition_graph(**options)


@pytest.mark.parametrize("gate", ["sometimes", "always", "model", None])
def test_a_gate_node_is_one_that_may_answer(gate: Any) -> None:
    with pytest.raises(UserError, match="a gate node's gate is 'never' or 'disagreement', not"):
        gate_node(gate, "bundled")


@pytest.mark.parametrize("reply", ["The question can be answered now.", "", "```\n```"])
def test_a_reply_that_asks_nothing_is_no_line(reply: str) -> None:
    with pytest.raises(PlanError):
        parse_next(reply, 2)


def test_a_reply_as_long_as_a_book_is_no_line() -> None:
    with pytest.raises(PlanError, match="over 50,000"):
        parse_next("A?\n" * 20_000, 2)


def test_a_rejected_plan_is_not_answered_by_the_attempts_before_it() -> None:
    graph = create_decomposition_graph(
        ScriptedChatModel(replies=["1", "2", "1"]),
        decomposer=always(PLAN),
        gate="disagreement",
        review=True,
        checkpointer=InMemorySaver(),
    )
    graph.invoke({"question": QUESTION}, THREAD)
    result = graph.invoke(Command(resume="reject"), THREAD)
    assert (result["answer"], result["status"]) == (None, "failed")


@both
def test_the_gate_s_votes_survive_an_attempt_that_the_budget_ended(how: str) -> None:
    options = {"strategy": "attempt_first", "gate": "disagreement", "budget": Budget(max_calls=3)}
    ran = Ran(how, {"direct": ["Ann", "Bob", "Ann"], "cot": "Answer: x"}, **options)
    assert (ran.result["answer"], ran.result["status"]) == ("Ann", "budget_exhausted")


@pytest.mark.parametrize("strategy", ["static", "dag", "dynamic"])
@both
def test_a_budget_that_ends_in_planning_is_told_whatever_the_gate_knows(
    how: str, strategy: str
) -> None:
    options = {"strategy": strategy, "gate": "disagreement", "budget": Budget(max_calls=3)}
    ran = Ran(how, {"direct": ["Ann", "Bob", "Ann"]}, **options)
    assert (ran.result["answer"], ran.result["status"]) == ("Ann", "budget_exhausted")


BUSY = ServerReply("busy", status=503, headers=(("Retry-After", "0"),))


@pytest.mark.parametrize("case", [{"gate": "disagreement"}, {"strategy": "attempt_first"}])
@pytest.mark.parametrize("saved", [False, True])
def test_calls_that_failed_in_passing_are_counted_once(case: Any, saved: bool) -> None:
    def reply(prompt: str, body: Any) -> ServerReply | str:
        if "You plan" in prompt:
            return PLAN
        return "x" if "to answer now" in prompt else BUSY

    with LatencyServer(reply) as server:
        model = f"openai:m@{server.url}"
        saver = InMemorySaver() if saved else None
        graph = create_decomposition_graph(model, decomposer=model, checkpointer=saver, **case)
        result = graph.invoke({"question": QUESTION}, THREAD)
    assert sum(row["calls"] for row in result["usage"]) == len(server.calls)
