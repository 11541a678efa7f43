"""Strategies that decide on the way: the exact calls that each makes, and why."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph_decompose import Budget, UserError, bundled_model_path, create_decomposition_graph
from langgraph_decompose.graphs.escalate import Rung, read_ladder
from langgraph_decompose.nodes.attempts import Agreement
from langgraph_decompose.testing import LatencyServer, ScriptedChatModel

from .conftest import SEATS, THREAD, always, both

QUESTION = "Who is older, Ann or Bob?"
PLAN = "#1 How old is Ann?\n#2 How old is Bob?\n#3 Who is older? <- #1 #2"
PENS = "Ana buys 4 pens for $3 each. How much does Ana pay?"
CHANGE = (
    "Tom has $200. Tom buys 4 shirts for $25 each and 2 hats for $40 each. "
    "How much does Tom have left?"
)


def kind(prompt: str) -> str:
    """What a prompt asks for, by the words of `prompts/`."""
    words = {
        "tried in one go": "plan after an attempt",
        "You plan how to answer": "plan",
        "You lead somebody": "next",
        "You check one answer": "verify",
        "say what it really asks": "core",
        "List the facts": "facts",
        "Think the question through again": "revise",
        "Think the question through": "cot",
        "answered wrongly before": "solve again",
        "You answer one step": "solve",
        "You write the final answer": "compose",
        "Answer the question briefly": "direct",
    }
    return next(name for text, name in words.items() if text in prompt)


def step(prompt: str) -> str:
    return prompt.rpartition("Step to answer now: ")[2].split("\n")[0]


class Ran:
    """A question that was asked over HTTP: the result, and what was asked, in order."""

    def __init__(
        self, how: str, replies: dict[str, Any], question: str = QUESTION, **options: Any
    ) -> None:
        def reply(prompt: str, body: dict[str, Any]) -> str:
            found = replies[kind(prompt)]
            if isinstance(found, list):
                return str(found.pop(0))
            return str(found(prompt)) if isinstance(found, Callable) else str(found)

        with LatencyServer(reply) as server:
            model = f"openai:m@{server.url}"
            options = {"decomposer": model, **options}
            graph = create_decomposition_graph(model, **options)
            value = {"question": question}
            asked = graph.invoke if how == "sync" else graph.ainvoke
            found = asked(value, THREAD)
            self.result: Any = found if how == "sync" else asyncio.run(found)
        self.prompts = [call.prompt for call in server.calls]
        self.kinds = [kind(prompt) for prompt in self.prompts]


# dynamic: Self-Ask


@both
def test_dynamic_chooses_each_line_after_seeing_the_last_answer(how: str) -> None:
    ran = Ran(
        how,
        {
            "next": ["#1 How old is Ann?", "How old is Bob, if Ann is #1? <- #1", "done"],
            "solve": lambda prompt: "41" if "Ann?" in step(prompt) else "39",
            "compose": "Ann",
        },
        strategy="dynamic",
    )
    assert ran.kinds == ["next", "solve", "next", "solve", "next", "compose"]
    assert "Found so far:\nnothing" in ran.prompts[0]
    same, _, _ = ran.prompts[0].partition("Found so far:")
    assert ran.prompts[2].startswith(same), "else no cache of prompts could serve it"
    assert "#1 How old is Ann? = 41" in ran.prompts[2]
    assert "(that is: How old is Bob, if Ann is 41?)" in ran.prompts[3]
    assert [row["needs"] for row in ran.result["plan"]] == [[], [1]]
    assert (ran.result["answer"], ran.result["status"]) == ("Ann", "ok")


@both
def test_dynamic_ends_at_the_cap_and_answers_undivided_if_nothing_is_asked(how: str) -> None:
    replies = {"next": ["A?", "B?", "C?"], "solve": "x", "compose": "end"}
    capped = Ran(how, replies, strategy="dynamic", max_subquestions=2)
    assert capped.kinds == ["next", "solve", "next", "solve", "compose"]
    single = Ran(how, {"next": "Done.", "direct": "Ann"}, strategy="dynamic")
    assert single.kinds == ["next", "direct"]
    assert (single.result["answer"], single.result["plan"]) == ("Ann", [])


@both
def test_dynamic_asks_once_more_for_a_line_that_it_cannot_use(how: str) -> None:
    replies = {"next": ["A?", "1. A?", "B?", "", "", "done"], "solve": "x", "compose": "end"}
    ran = Ran(how, replies, strategy="dynamic")
    assert ran.kinds == [*["next", "solve"], *["next", "next", "solve"], *["next"] * 2, "compose"]
    assert "asked for no further subquestion" in ran.result["warnings"][0]
    assert ran.result["answer"] == "end"


@pytest.mark.parametrize("verify", [None, "answer"])
@pytest.mark.parametrize("limit", [7, 8, 25])
def test_dynamic_composes_before_the_limit_on_steps_ends_the_run(limit: int, verify: Any) -> None:
    numbers = count(1)
    graph = create_decomposition_graph(
        lambda _: "x",
        decomposer=lambda _: f"What is thing {next(numbers)}?",
        composer=lambda _: "end",
        strategy="dynamic",
        max_subquestions=64,
        **({"verify": verify, "verifier": lambda _: "right"} if verify else {}),
    )
    result = graph.invoke({"question": QUESTION}, {"recursion_limit": limit})
    assert result["answer"] == "end"
    assert len(result["answers"]) == (limit - 5) // 2
    assert "raise it in the config" in result["warnings"][0]


def test_dynamic_needs_a_decomposer_that_sees_answers() -> None:
    whole = f"gguf:{bundled_model_path()}"
    with pytest.raises(UserError, match="only writes whole plans: name another --decomposer"):
        create_decomposition_graph(strategy="dynamic", decomposer=whole)
    with pytest.raises(UserError, match="'bundled' was trained as solver alone"):
        create_decomposition_graph(strategy="dynamic")


# attempt_first: ADaPT and DaSLaM


@both
def test_attempts_that_agree_end_the_question(how: str) -> None:
    ran = Ran(how, {"cot": "Hm.\nAnswer: Ann"}, strategy="attempt_first")
    assert ran.kinds == ["cot"] * 3
    assert (ran.result["answer"], ran.result["plan"]) == ("Ann", [])
    told = {"votes": 3, "samples": 3, "split": False}
    assert ran.result["trace"]["attempt"] == told


@both
def test_attempts_that_disagree_are_shown_to_the_decomposer(how: str) -> None:
    replies = {
        "cot": [f"She was born first, I think.\nAnswer: {name}" for name in ("Ann", "Bob", "Ann")],
        "plan after an attempt": PLAN,
        "solve": "41",
        "compose": "Ann",
    }
    ran = Ran(how, replies, strategy="attempt_first")
    assert Counter(ran.kinds) == {"cot": 3, "plan after an attempt": 1, "solve": 3, "compose": 1}
    attempt, _, rest = ran.prompts[3].rpartition("The attempt:\n")[2].partition("\n\n")
    assert attempt.startswith("She was born first, I think.\nAnswer: "), "the whole of one"
    other = "Bob" if attempt.endswith("Ann") else "Ann"
    assert rest.splitlines() == [f"Answers of other attempts: {other}", "Objection: none"]
    assert ran.result["trace"]["attempt"] == {"votes": 2, "samples": 3, "split": True}
    assert sum(row["calls"] for row in ran.result["usage"]) == 8


@both
@pytest.mark.parametrize("verdict", ["right", "computational: she is 39", "I can't say."])
def test_a_single_attempt_is_judged(how: str, verdict: str) -> None:
    replies = {
        "cot": "Answer: Ann",
        "verify": verdict,
        "plan after an attempt": PLAN,
        "solve": "41",
        "compose": "Bob",
    }
    ran = Ran(how, replies, strategy="attempt_first", attempts=1)
    split = verdict != "right"
    assert ran.kinds[:3] == ["cot", "verify", *(["plan after an attempt"] if split else [])]
    assert ran.result["answer"] == ("Bob" if split else "Ann")


@both
@pytest.mark.parametrize("verdict", ["computational: she is 39", "I can't say."])
def test_an_attempt_that_stays_for_want_of_a_plan_is_doubted(how: str, verdict: str) -> None:
    replies = {"cot": "Answer: Ann", "verify": verdict, "plan after an attempt": "atomic"}
    ran = Ran(how, replies, strategy="attempt_first", attempts=1)
    assert (ran.kinds, ran.result["answer"]) == (["cot", "verify", "plan after an attempt"], "Ann")
    [warning] = ran.result["warnings"]
    assert warning.startswith(
        "the verifier doubts the answer: computational: she is 39"
        if ":" in verdict
        else "the answer isn't verified"
    )


@both
def test_the_doubt_of_an_attempt_is_gone_once_its_answer_is_revised(how: str) -> None:
    replies = {
        "cot": "Answer: Ann",
        "verify": ["misread: no", "misread: no", "right"],
        "plan after an attempt": "atomic",
        "revise": "Answer: Bob",
    }
    ran = Ran(how, replies, strategy="attempt_first", attempts=1, verify="answer")
    assert (ran.result["answer"], ran.result["warnings"]) == ("Bob", [])


def test_a_single_attempt_needs_a_judge_that_writes_words() -> None:
    with pytest.raises(UserError, match="a single attempt is judged by a verifier"):
        create_decomposition_graph(strategy="attempt_first", attempts=1)


# escalate: Adaptive-Solver


def test_the_more_samples_the_fewer_must_agree() -> None:
    cases = {(1, 1): True, (3, 3): True, (2, 3): False, (4, 5): True, (3, 5): False, (6, 10): True}
    for (votes, samples), enough in cases.items():
        assert Agreement("x", votes, samples).enough is enough


@both
def test_the_first_rung_that_agrees_ends_the_climb(how: str) -> None:
    ladder = [Rung("direct", 3), Rung("cot", 5), Rung("dag", 3)]
    replies = {
        "direct": ["Ann", "Bob", "Ann"],
        "cot": ["Answer: Ann", "Answer: ann", "Answer: Bob", "Answer: Ann.", "Answer: **Ann**"],
    }
    ran = Ran(how, replies, strategy="escalate", ladder=ladder)
    assert Counter(ran.kinds) == {"direct": 3, "cot": 5}, "four of five are enough; no plan is made"
    trace = ran.result["trace"]
    assert trace["rung"] == 1
    assert [(r["strategy"], r["votes"], r["agreed"]) for r in trace["rungs"]] == [
        ("direct", 2, False),
        ("cot", 4, True),
    ]
    assert [sum(u["calls"] for u in rung["usage"]) for rung in trace["rungs"]] == [3, 5]


@both
@pytest.mark.parametrize("saved", [False, True])
def test_a_rung_asks_only_for_samples_that_an_earlier_one_has_not(how: str, saved: bool) -> None:
    ladder = [Rung("cot", 3), Rung("cot", 5), Rung("dag", 1), Rung("dag", 3)]
    replies = {
        "cot": [f"Answer: {k}" for k in range(5)],
        "plan": PLAN,
        "solve": [f"{k}" for k in range(9)],
        "compose": ["6", "7", "7"],
    }
    checkpointer = InMemorySaver() if saved else None
    ran = Ran(how, replies, strategy="escalate", ladder=ladder[:2], checkpointer=checkpointer)
    assert ran.kinds == ["cot"] * 5
    assert sum(row["calls"] for row in ran.result["usage"]) == 5
    assert [sum(u["calls"] for u in r["usage"]) for r in ran.result["trace"]["rungs"]] == [3, 2]
    assert len(ran.result["answers"]) == 5
    ladder = [Rung("dag", 2), Rung("dag", 3)]
    ran = Ran(how, replies, strategy="escalate", ladder=ladder, checkpointer=checkpointer)
    assert Counter(ran.kinds) == {"plan": 1, "solve": 9, "compose": 3}


@both
@pytest.mark.parametrize("strategy", ["dag", "static", "recursive"])
def test_where_nobody_splits_what_was_attempted_the_attempts_decide(
    how: str, strategy: str
) -> None:
    replies = {"direct": ["Ann", "Bob", "Ann"], "plan": "atomic"}
    saver = InMemorySaver()
    ran = Ran(how, replies, strategy=strategy, gate="disagreement", checkpointer=saver)
    assert ran.kinds == ["direct"] * 3 + ["plan"], "a fourth would know no better"
    assert sum(row["calls"] for row in ran.result["usage"]) == 4
    assert (ran.result["answer"], ran.result["status"]) == ("Ann", "ok")


@both
def test_attempts_are_the_answer_if_the_budget_ends_before_a_plan_is_solved(how: str) -> None:
    replies = {"cot": ["Answer: Ann", "Answer: Bob", "Answer: Ann"], "plan after an attempt": PLAN}
    for calls in (3, 4):
        options = {"strategy": "attempt_first", "budget": Budget(max_calls=calls)}
        ran = Ran(how, {k: list(v) if k == "cot" else v for k, v in replies.items()}, **options)
        assert (ran.result["answer"], ran.result["status"]) == ("Ann", "budget_exhausted")


@both
def test_a_gap_in_a_nested_plan_is_told(how: str) -> None:
    def solve(prompt: str) -> str:
        return "" if step(prompt) == "How old is Bob?" else "41"

    replies = {"plan": PLAN, "solve": solve, "compose": "Ann"}
    ran = Ran(how, replies, strategy="escalate", ladder=[Rung("dag", 1)])
    assert (ran.result["answer"], ran.result["status"]) == ("Ann", "partial")
    doubted = {**replies, "solve": "41", "verify": "misread: no", "solve again": "42"}
    options = {"strategy": "escalate", "ladder": [Rung("dag", 1)], "verify": "subquestions"}
    ran = Ran(how, doubted, verify_retries=0, **options)
    assert ran.result["warnings"] == [f"the verifier doubts #0.{k}: misread: no" for k in (1, 2, 3)]


@both
def test_a_rung_that_splits_plans_once_and_solves_often(how: str) -> None:
    replies = {
        "cot": ["Answer: Ann", "Answer: Bob", "Answer: Carl"],
        "plan": PLAN,
        "solve": "41",
        "compose": "Ann",
    }
    ran = Ran(how, replies, strategy="escalate")
    assert Counter(ran.kinds) == {"cot": 3, "plan": 1, "solve": 9, "compose": 3}
    assert (ran.result["answer"], len(ran.result["plan"])) == ("Ann", 3)


@both
def test_if_no_rung_agrees_the_answer_of_most_is_taken(how: str) -> None:
    ladder = [{"strategy": "cot", "samples": 3}, {"strategy": "direct", "samples": 3}]
    replies = {
        "cot": ["Answer: Ann", "Answer: Bob", "Answer: Ann"],
        "direct": ["Ann", "Bob", "Carl"],
    }
    ran = Ran(how, replies, strategy="escalate", ladder=ladder)
    assert ran.result["answer"] == "Ann"
    [warning] = ran.result["warnings"]
    assert warning == "no rung agreed; the answer is that of rung 0 (2 of 3 samples)"


@both
def test_a_rung_may_have_a_solver_of_its_own(how: str) -> None:
    def says(text: str) -> ScriptedChatModel:
        return always(text)

    unsure = ScriptedChatModel(replies=["Answer: 1", "Answer: 2", "Answer: 3"])
    ladder = [Rung("cot", 3), Rung("cot", 1, solver=says("Answer: 7"))]
    graph = create_decomposition_graph(unsure, strategy="escalate", ladder=ladder)
    asked = {"question": QUESTION}
    result = graph.invoke(asked) if how == "sync" else asyncio.run(graph.ainvoke(asked))
    assert (result["answer"], result["trace"]["rung"]) == ("7", 1)


@pytest.mark.parametrize(
    ("ladder", "said"),
    [
        ([], "a ladder has 1 to 12 rungs, not 0"),
        ("cot", "a ladder is a list of rungs"),
        ([{"strategy": "fast"}], "a rung's strategy is direct, cot, sequential, dag"),
        ([{"samples": 0}], "a rung has 1 to 64 samples, not 0"),
        ([{"model": "m"}], "a rung has the fields strategy, samples, solver, max_subquestions"),
        ([{"strategy": ["cot"]}], "a rung's strategy is"),
        ([{"max_subquestions": 99}], "cap on subquestions is 1 to 64"),
    ],
)
def test_a_broken_ladder_is_refused_in_one_line(ladder: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        create_decomposition_graph(strategy="escalate", ladder=ladder)
    assert read_ladder([Rung("dag", 5)])[0].samples == 5


# recursive: RDD


@both
def test_recursive_splits_a_line_again_once_its_needs_are_known(how: str) -> None:
    def plan(prompt: str) -> str:
        asked = prompt.rpartition("Question: ")[2]
        if asked == QUESTION:
            return "#1 Who is Ann's mother?\n#2 How old is #1's brother? <- #1"
        if asked == "How old is Eve's brother?":
            return "#1 Who is Eve's brother?\n#2 How old is #1? <- #1"
        return "atomic"

    answers = {"Who is Ann's mother?": "Eve", "Who is Eve's brother?": "Tom", "How old is #1?": "9"}
    ran = Ran(
        how,
        {"plan": plan, "solve": lambda prompt: answers[step(prompt)], "compose": ["9", "Ann"]},
        strategy="recursive",
    )
    assert ran.kinds == [
        *["plan", "plan", "solve"],
        *["plan", "solve", "solve", "compose"],
        "compose",
    ]
    row = ran.result["answers"][1]
    assert [part["answer"] for part in row["parts"]["answers"]] == ["Tom", "9"]
    assert (row["answer"], row["resolved"]) == ("9", "How old is Eve's brother?")
    part = ran.prompts[4]
    assert QUESTION not in part, "a part's solver sees its own question alone"
    assert "How old is Eve's brother?" in part
    assert (ran.result["answer"], ran.result["status"]) == ("Ann", "ok")


def test_a_part_is_told_the_facts_of_the_question_but_not_what_it_asks() -> None:
    story = "Ann has 3 cats. Each has 4 kittens."
    asked = [f"{story} How many animals has she?", "How many kittens?"]

    def plan(prompt: str) -> str:
        last = prompt.rpartition("Question: ")[2]
        return {asked[0]: f"#1 {asked[1]}", f"{story}\n\n{asked[1]}": "#1 A?\n#2 B?"}.get(
            last, "atomic"
        )

    replies = {"plan": plan, "solve": "12", "compose": "12"}
    ran = Ran("sync", replies, question=asked[0], strategy="recursive")
    parts = [p for k, p in zip(ran.kinds, ran.prompts, strict=True) if k == "solve"]
    assert len(parts) == 2
    assert all(story in p and asked[1] in p and asked[0] not in p for p in parts)


@both
def test_a_part_is_told_the_answers_that_its_line_needs_and_does_not_name(how: str) -> None:
    def plan(prompt: str) -> str:
        asked = prompt.rpartition("\n\n")[2].removeprefix("Question: ")
        if asked == QUESTION:
            return "1. Who is Ann's mother?\n2. How old is her brother?"
        return "#1 Who?\n#2 How old is #1? <- #1" if "brother" in asked else "atomic"

    answers = {"Who is Ann's mother?": "Eve", "Who?": "Tom", "How old is #1?": "9"}
    replies = {"plan": plan, "solve": lambda prompt: answers[step(prompt)], "compose": "9"}
    ran = Ran(how, replies, strategy="recursive")
    assert ran.kinds == ["plan", "plan", "solve", "plan", "solve", "solve", "compose", "compose"]
    for prompt in ran.prompts[3:7]:
        assert "Who is Ann's mother? = Eve\n\nHow old is her brother?" in prompt


@both
def test_recursive_is_bounded_in_depth_and_size(how: str) -> None:
    number = count()
    endless = {
        "plan": lambda _: f"#1 A{next(number)}?\n#2 B{next(number)}?",
        "solve": "x",
        "compose": "x",
    }
    for depth, leaves in ((1, 2), (2, 4), (3, 8)):
        ran = Ran(how, endless, strategy="recursive", max_depth=depth, max_subquestions=2)
        assert ran.kinds.count("solve") == leaves
    for total in (2, 5):
        with pytest.raises(UserError, match=f"max_total={total} leaves no room to split"):
            create_decomposition_graph(strategy="recursive", max_subquestions=2, max_total=total)
    ran = Ran(how, endless, strategy="recursive", max_depth=8, max_subquestions=2, max_total=6)
    assert ran.kinds.count("solve") == 4, "two lines, two for each; nothing is left for more"


@both
def test_a_part_that_cannot_be_planned_is_solved_as_a_unit(how: str) -> None:
    plans = [PLAN, *["no plan at all, sorry"] * 6]
    ran = Ran(how, {"plan": plans, "solve": "x", "compose": "Ann"}, strategy="recursive")
    assert (ran.result["status"], ran.kinds.count("solve")) == ("ok", 3)


@both
def test_a_part_without_an_answer_is_a_gap(how: str) -> None:
    def plan(prompt: str) -> str:
        asked = prompt.rpartition("Question: ")[2]
        return {QUESTION: "#1 A?\n#2 B?", "A?": "#1 C?\n#2 D?"}.get(asked, "atomic")

    def solve(prompt: str) -> str:
        return "" if step(prompt) in ("C?", "D?") else "x"

    ran = Ran(how, {"plan": plan, "solve": solve, "compose": "end"}, strategy="recursive")
    assert [row["status"] for row in ran.result["answers"]] == ["failed", "ok"]
    assert ran.result["status"] == "partial"
    assert "no answer" in ran.prompts[-1]


# The bundled models


@pytest.mark.parametrize(
    ("strategy", "question", "answer", "lines"),
    # Undivided answers agree on the pens, so that nothing is split, and not on the change.
    [
        ("attempt_first", PENS, "12", 0),
        ("escalate", PENS, "12", 0),
        ("attempt_first", CHANGE, "20", 3),
        ("escalate", CHANGE, "20", 3),
        ("recursive", SEATS, "180", 2),
    ],
)
@both
def test_they_work_with_the_bundled_models(
    how: str, strategy: Any, question: str, answer: str, lines: int
) -> None:
    graph = create_decomposition_graph(strategy=strategy)
    asked = {"question": question}
    result = graph.invoke(asked) if how == "sync" else asyncio.run(graph.ainvoke(asked))
    assert (result["answer"], result["status"]) == (answer, "ok")
    assert len(result["plan"]) == lines
