"""How each strategy asks: one line after another, as soon as possible, or several times at once."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_decompose import Budget, create_decomposition_graph
from langgraph_decompose.nodes.attempts import agreement, voters
from langgraph_decompose.nodes.voting import majority, normalise
from langgraph_decompose.testing import LatencyServer, ScriptedChatModel

from .conftest import ASKED, SEATS, always, both, run, step

PEARS = "Ana has 4 bags with 6 pears each. How many pears does Ana have?"


def planned(solver: Any, plan: str, strategy: Any = "sequential") -> Any:
    return create_decomposition_graph(
        solver, decomposer=always(plan), composer=always("end"), strategy=strategy
    )


def sampled(solver: Any, samples: int) -> Any:
    return create_decomposition_graph(solver, strategy="self_consistency", samples=samples)


def drawn(*replies: Any) -> ScriptedChatModel:
    """A solver whose samples differ."""
    return ScriptedChatModel(replies=list(replies))


@both
@pytest.mark.parametrize(("strategy", "at_once"), [("sequential", 1), ("dag", 3)])
def test_sequential_asks_one_line_at_a_time(how: str, strategy: str, at_once: int) -> None:
    def reply(prompt: str, _: Any) -> str:
        if server.in_flight == at_once:
            server.release()
        return f"answer to {step(prompt)}"

    with LatencyServer(reply, latency=0.1) as server:
        server.hold()
        graph = planned(f"openai:m@{server.url}", "#1 A?\n#2 B?\n#3 C?", strategy)
        assert run(how, graph)["status"] == "ok"
    assert server.peak == at_once
    if strategy == "sequential":
        assert [step(call.prompt) for call in server.calls] == ["A?", "B?", "C?"]


@both
def test_sequential_carries_every_earlier_answer_along(how: str) -> None:
    solver = ScriptedChatModel(replies=lambda prompt: f"answer to {step(prompt)}")
    run(how, planned(solver, "#1 A?\n#2 B?\n#3 C?"))
    assert "Answers already found:\nnone" in solver.prompts[0]
    assert "#1 A? = answer to A?\n#2 B? = answer to B?" in solver.prompts[2], "C needs neither"


@both
def test_a_failed_line_holds_back_only_those_that_need_it(how: str) -> None:
    solver = ScriptedChatModel(
        replies=lambda prompt: ValueError("no") if step(prompt) == "A?" else "fine"
    )
    rows = run(how, planned(solver, "#1 A?\n#2 B? <- #1\n#3 C?\n#4 D? <- #3"))["answers"]
    assert [row["status"] for row in rows] == ["failed", "skipped", "ok", "ok"]
    assert [step(prompt) for prompt in solver.prompts] == ["A?", "C?", "D?"]
    assert "A?" not in solver.prompts[2], "a failure isn't carried along as an answer"


@both
def test_what_a_solver_says_is_unknown_is_a_gap(how: str) -> None:
    solver = ScriptedChatModel(
        replies=lambda prompt: "**Unknown.**" if step(prompt) == "A?" else "fine"
    )
    result = run(how, planned(solver, "#1 A?\n#2 B? <- #1", "dag"))
    assert (result["answer"], result["status"]) == ("end", "partial")
    assert result["warnings"] == ["#1: the solver says that it can't be known"]
    assert "#1 A? = **Unknown.**" in solver.prompts[1], "whoever can find a way around it may"


@both
def test_the_first_line_is_solved_while_the_plan_is_still_being_written(how: str) -> None:
    waited: list[str] = []

    def hold(line: str) -> float:
        waited.append(line.strip())
        server.hold()
        return 0.0

    def reply(prompt: str) -> str:
        server.release()
        return "fine"

    # Each further line of the plan is kept back until the line before it is being solved.
    with LatencyServer(lambda *_: "#1 A?\n#2 B? <- #1\n#3 C?", line_latency=hold) as server:
        solver = ScriptedChatModel(replies=reply)
        graph = create_decomposition_graph(
            solver,
            decomposer=f"openai:m@{server.url}",
            composer=always("end"),
            budget=Budget(max_seconds=30),
        )
        assert run(how, graph)["status"] == "ok"
    assert waited == ["#2 B? <- #1", "#3 C?"]
    assert [step(prompt) for prompt in solver.prompts] == ["A?", "B?", "C?"]


@both
def test_all_samples_are_asked_at_once(how: str) -> None:
    def reply(*_: Any) -> str:
        if server.in_flight == 6:
            server.release()
        return "Answer: 7"

    with LatencyServer(reply) as server:
        server.hold()
        result = run(how, sampled(f"openai:m@{server.url}", 6))
    assert server.peak == len(server.calls) == 6
    assert (result["answer"], result["status"], len(result["answers"])) == ("7", "ok", 6)
    [usage] = result["usage"]
    assert usage["calls"] == 6


@both
def test_the_answer_that_most_samples_agree_on_wins(how: str) -> None:
    solver = drawn("Answer: 18", "So it's much.\nAnswer: $1,800.00", "Answer: **1800**")
    result = run(how, sampled(solver, 3))
    assert result["answer"] in ("$1,800.00", "1800")
    assert (result["status"], result["warnings"]) == ("ok", [])
    assert result["messages"][-1].content == result["answer"]


@pytest.mark.parametrize("reply", [r"\boxed{42}", r"$\boxed{42}$", "$42$", r"\(42\)", "**$42$**"])
def test_an_answer_in_a_formula_is_the_same_answer(reply: str) -> None:
    result = run("sync", sampled(drawn(f"6 * 7.\nAnswer: {reply}", "Answer: 42"), 2))
    assert (result["answer"], result["warnings"]) == ("42", [])


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (r"\boxed{\text{Paris}}", "Paris"),
        (r"$\boxed{1{,}800\text{ apples}}$", "1,800 apples"),
        (r"$\frac{3}{4}$", "3/4"),
        (r"\boxed{3\frac{1}{2}}", "3 1/2"),
        (r"$\$18$", "$18"),
        (r"C:\text{a}", r"C:\text{a}"),
    ],
)
def test_an_answer_in_a_formula_is_told_in_words(reply: str, answer: str) -> None:
    assert run("sync", sampled(drawn(f"Well.\nAnswer: {reply}"), 1))["answer"] == answer


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("6 * 7 = 42. Answer: 42", "42"),
        ("So it is 42. **Final answer: 42**", "42"),
        ("Six by seven.\n✅ **Answer: 42**", "42"),
        ("六乘七。\nAnswer：42", "42"),
        ("Two.\n__Answer:__ 42", "42"),
        ("1. How many? Answer: 144\n2. Sold? Answer: 36\nShe earns $108.", "She earns $108."),
        ("1. How many? Answer: 36\n\n\\boxed{108}", "108"),
        ("6 * 7 = 42. So the answer is 42.", "42."),
        ("It is 6 * 7 = 42. The answer is correct.", "It is 6 * 7 = 42. The answer is correct."),
        ('{"answer": "Ulm"}', '{"answer": "Ulm"}'),
    ],
)
def test_an_answer_is_found_wherever_a_sentence_begins_with_it(reply: str, answer: str) -> None:
    assert run("sync", sampled(drawn(reply), 1))["answer"] == answer


LAST_WORDS = [
    "It is 42.\n\\[\n\\boxed{42}\n\\]",
    "So:\n```\n42\n```",
    "<answer>\n42\n</answer>",
    "Six by seven.\n\n**42**\n\n---",
    "The final answer is 42.\nHope that helps!",
    "Six by seven.\n\n**Answer:**\n42\n\nLet me know if anything is unclear!",
]


@pytest.mark.parametrize("reply", LAST_WORDS)
def test_an_answer_is_found_also_where_it_is_not_the_last_line(reply: str) -> None:
    for strategy in ("cot", "static"):
        graph = create_decomposition_graph(
            always(reply), decomposer=always("#1 A?\n#2 B? <- #1"), strategy=strategy
        )
        assert "42" in graph.invoke(ASKED)["answer"]
    voted = run("async", sampled(drawn(reply, "Answer: 42", "Answer: 7"), 3))
    assert "42" in voted["answer"]


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("Answer: **$24** per day", "$24 per day"),
        ("Answer: 2**10", "2**10"),
        ("Answer: 2**.5", "2**.5"),
        ("Answer: 2**-1", "2**-1"),
        ("Answer: src/**/*.py", "src/**/*.py"),
        ("Answer: **$24**/day", "$24/day"),
        ("Answer: **42**%", "42%"),
        ("The answer is **42**%.", "42%."),
        ("The answer is **5**-**7** km.", "5-7 km."),
        ("So the answer is **2**, or 2**1.", "2, or 2**1."),
    ],
)
def test_bold_print_is_taken_off_and_powers_stay(reply: str, answer: str) -> None:
    assert run("sync", sampled(drawn(f"Well.\n{reply}"), 1))["answer"] == answer


def test_a_reference_that_the_question_itself_holds_is_warned_of() -> None:
    graph = planned(always("Ann"), "#1 Who opened issue #1?\n#2 Who closed issue #1?", "dag")
    result = run("sync", graph, {"question": "Who opened issue #1, and who closed it?"})
    assert result["answers"][1]["resolved"] == "Who closed issue Ann?"
    assert "the question says #1 itself" in result["warnings"][0]
    asked = run("sync", planned(always("Ann"), "#1 Who?\n#2 Who married #1?", "dag"))
    assert asked["warnings"] == []


def test_a_list_below_its_heading_is_the_answer() -> None:
    result = run("sync", sampled(drawn("Two.\nAnswer:\n- Paris\n- Rome\n\nThat's all."), 1))
    assert result["answer"] == "- Paris\n- Rome"
    starred = run("sync", sampled(drawn("Two.\nAnswer:\n**Paris**\n**Rome**"), 1))
    assert starred["answer"] == "**Paris**\n**Rome**"
    headed = run("sync", sampled(drawn("Answer:\nThere are 6 of 7.\n\nSo 42"), 1))
    assert headed["answer"] == "So 42", "it is the heading of the thinking as well"


def test_the_slowest_sample_is_the_critical_path() -> None:
    pauses = iter([0.05, 0.2, 0.0])
    solver = always("Answer: 42", latency=lambda _: next(pauses))
    result = run("sync", sampled(solver, 3))
    slowest = max(row["seconds"] for row in result["answers"])
    assert result["trace"]["critical_path"] == {"ids": [], "seconds": slowest}


@both
def test_without_a_majority_there_is_a_warning(how: str) -> None:
    result = run(how, sampled(drawn("Answer: 1", "Answer: 2", "Answer: 2", "Answer: 3"), 4))
    assert result["answer"] == "2"
    assert result["warnings"] == ["only 2 of 4 samples agree on the answer"]


@both
def test_a_failed_sample_has_no_vote(how: str) -> None:
    broken = ValueError("no idea")
    result = run(how, sampled(drawn(broken, "Answer: 5", broken, "Answer: 5", "Answer: 4"), 5))
    assert result["answer"] == "5"
    assert sorted(row["status"] for row in result["answers"]) == ["failed"] * 2 + ["ok"] * 3
    nothing = run(how, sampled(drawn(broken, broken), 2))
    assert (nothing["answer"], nothing["status"]) == (None, "failed")
    assert "no idea" in nothing["messages"][-1].content


@both
@pytest.mark.parametrize(
    ("strategy", "question", "answer", "rows"),
    [("sequential", SEATS, "180", 2), ("self_consistency", PEARS, "24", 3)],
)
def test_both_work_with_the_bundled_models(
    how: str, strategy: Any, question: str, answer: str, rows: int
) -> None:
    graph = create_decomposition_graph(strategy=strategy, samples=3)
    result = run(how, graph, {"question": question})
    assert (result["answer"], result["status"]) == (answer, "ok")
    assert len(result["answers"]) == rows


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$1,800.00", "1800"),
        ("1,800 clips", "1800.00 Clips."),
        ("The Hague", "the hague."),
        ("**42**", "42.0"),
        ("−5", "-5"),
        ("-$5", "$-5"),
        ("(B)", "b"),
        ("(A)", "a."),
        ("The.", "the"),
        ("0.1", "0.10000000000000001"),
        (".5", "0.50"),
        ("-$.5", "-0.5"),
        ("x+1", "X + 1"),
        ("\u0e3f50", "50"),  # baht
        ("\u09f350", "50"),  # taka
        ("–5", "-5"),
    ],
)
def test_wordings_of_one_answer_are_one_answer(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)
    assert majority(["something else", one, other]) == (one, 2)


def test_a_number_alone_agrees_with_the_one_that_has_a_unit() -> None:
    assert majority(["7", "24 pears", "24.0", "7", "24"]) == ("24 pears", 3)
    assert majority(["5 km", "5 miles", "5 miles", "5"]) == ("5 miles", 3)
    assert majority(["5 km", "5 miles", "50%", "50"])[1] == 1
    assert majority(["24 of 50", "24", "7", "7"]) == ("7", 2)


@pytest.mark.parametrize("worded", ["8 billion", "8 dozen", "8 + x", "8x", "8k", "8 percent", "8π"])
def test_a_number_alone_does_not_agree_with_a_multiple_of_it(worded: str) -> None:
    assert majority([worded, "8"]) == (worded, 1)


def test_those_that_agree_are_the_ones_that_were_counted() -> None:
    rows: Any = [{"answer": answer} for answer in ("24 pears", None, "7", "24", "$24")]
    found = agreement(rows)
    assert (found.answer, found.votes) == ("24 pears", 3)
    assert voters(rows, found.answer) == [rows[0], *rows[3:]]
    assert voters(rows, None) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-5 °C", "5 °C"),
        ("x = -5", "x = 5"),
        ("-$5", "$5"),
        ("50%", "50"),
        ("1.5 km", "15 km"),
        ("1234567890123", "1234567890124"),
        ("$1,234,567.89", "$1,234,567.91"),
        ("9" * 400, "8" * 400),
        ("1914-1918", "19141918"),
        ("+", "-"),
        ("1/2", "1-2"),
        ("A+", "A"),
        ("C++", "C"),
        ("5 > 3", "5 < 3"),
        (".5", "5"),
        ("x+1", "x-1"),
        ("(x) + 1", "(x) - 1"),
        ("2 + 3i", "2 - 3i"),
        ("x^2", "x*2"),
        ("√2", "2"),
        ("-√2", "√2"),
        ("±2", "2"),
        ("-x", "x"),
        ("–5", "5"),
        ("राम", "रीमा"),
        ("หมู", "หมี"),
        ("B♭ major", "B major"),
    ],
)
def test_different_answers_stay_different(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)
