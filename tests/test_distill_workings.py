"""Expressions for a solver, read from a teacher's solutions: checked, or left out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph_decompose.distill.collect.collect import CollectSettings, collect
from langgraph_decompose.distill.collect.workings import (
    Working,
    expression,
    with_workings,
    workings,
)
from langgraph_decompose.distill.records import Example, Line, read_examples
from langgraph_decompose.distill.screen.checks import plan_fault
from langgraph_decompose.distill.screen.recoverable import coverage
from langgraph_decompose.distill.train.samples import samples
from langgraph_decompose.testing import LatencyServer
from langgraph_decompose.tools.calculator import calculate

PROBLEM = "A shop has 6 crates with 24 jars each. 10 jars break, 20% of the rest are sold in 2019."


def test_a_line_s_working_ends_at_its_result() -> None:
    solution = "#1 6 * 24 = 144 => 144\nthen\n**#2** a quarter,\nwhich is => **36**\nAnswer: 36"
    assert workings(solution) == {
        1: Working("6 * 24 = 144", "144"),
        2: Working("** a quarter, which is", "36"),
    }


@pytest.mark.parametrize(
    ("text", "result", "needed", "expected"),
    [
        ("6 crates with 24 jars each are 6 * 24 = 144 jars", "144", {}, "6*24"),
        (r"\(6 \times 24 = 144\)", "144 jars", {}, "6*24"),
        ("(6 × 24 = 144)", "144", {}, "6*24"),
        ("$6 x $24 = $144.00", "$144", {}, "6*24"),
        ("6 × €24 = €144.00", "€144", {}, "6*24"),
        ("£6 * 24 = £144", "£144", {}, "6*24"),
        ("10 − 24 = −14", "-14", {}, "10-24"),
        ("In 2019, 6 * 24 + 10 = 144 + 10 = 154", "154", {}, "6*24+10"),
        ("6 * 24 = 144, and 144 - 10 = 134", "134", {}, "6*24-10"),
        ("134 * 0.2 = 26.8", "26.8", {3: "134 jars"}, "#3*20/100"),
        ("134 * 20% = 26.8", "26.8", {3: "134"}, "#3*20%"),
        ("(144 - 10) / 26 = 5.1538, about 5", "5", {1: "144"}, ""),
        ("144 / 12 - 10 = 2", "2", {2: "144", 5: "12"}, "#2/#5-10"),
    ],
)
def test_a_working_s_calculation(
    text: str, result: str, needed: dict[int, str], expected: str
) -> None:
    assert expression(Working(text, result), needed, PROBLEM) == expected


@pytest.mark.parametrize(
    ("text", "result", "needed"),
    [
        ("6 * 24 = 145", "145", {}),  # wrong
        ("6 * 24 = 144", "10", {}),  # not what the result says
        ("17 * 24 = 408", "408", {}),  # a number from nowhere
        ("6 * 24 = 144", "144", {1: "10"}),  # without the answer that it needs
        ("10 + 24 = 34", "34", {1: "Paris"}),  # needs an answer that is no number
        ("134 - 134 = 0", "0", {1: "134", 2: "134"}),  # which from which?
        ("134 / 134 = 1", "1", {1: "134", 2: "134 jars"}),
        ("the question says it", "24", {}),
        ("= = =", "1", {}),
    ],
)
def test_what_isn_t_clear_is_left_out(text: str, result: str, needed: dict[int, str]) -> None:
    assert expression(Working(text, result), needed, PROBLEM) == ""


@given(st.text("0123456789+-*/().,=%$# \nx×>Aa", max_size=200), st.text("0123456789.", max_size=5))
def test_whatever_a_teacher_writes_is_read_or_left_out(text: str, result: str) -> None:
    expression(Working(text, result), {1: "24"}, PROBLEM)


@given(st.lists(st.tuples(st.sampled_from("+-*"), st.sampled_from(["6", "24", "10"])), min_size=1))
def test_an_expression_has_the_value_of_the_result(more: list[tuple[str, str]]) -> None:
    words = " ".join(["134", *(f"{sign} {number}" for sign, number in more[:6])])
    result = str(calculate(words))
    written = expression(Working(f"{words} = {result}", result), {1: "134"}, PROBLEM)
    assert written.startswith("#1")
    assert calculate(written.replace("#1", "134")) == int(result)


QUESTIONS = {
    "A shop has 6 crates with 24 jars each. 10 jars break. How many are left?": (
        "#1 How many jars are in the crates?\n#2 How many jars are left? <- #1",
        "#1 6 * 24 = 144 => 144\n#2 144 - 10 = 134 => 134\nAnswer: 134",
    ),
    "Ana has 3 pens and buys 4 more. How many pens does Ana have?": (
        "atomic",
        "She has 3 + 4 = 7 pens.\nAnswer: 7",
    ),
}


def teacher(prompt: str, body: dict[str, object]) -> str:
    plan, solution = next(both for question, both in QUESTIONS.items() if question in prompt)
    return solution if re.search("Plan:|step by step", prompt) else plan


def test_a_solver_learns_from_what_was_collected(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps({"question": question}) + "\n" for question in QUESTIONS))
    with LatencyServer(teacher, 0.001) as server:
        reference = f"openai:teacher@{server.url}"
        collect(CollectSettings(reference, str(file), solve=True), tmp_path / "out")
    divided, whole = read_examples(tmp_path / "out" / "examples.jsonl")
    shop = next(iter(QUESTIONS))
    assert [
        (sample.messages[1]["content"], sample.completion) for sample in samples(divided, "solver")
    ] == [
        (f"{shop}\n#1 How many jars are in the crates?", "6*24"),
        (
            f"{shop}\n#1 How many jars are in the crates? = 144\n#2 How many jars are left?",
            "#1-10",
        ),
    ]
    assert [sample.completion for sample in samples(whole, "solver")] == ["3+4"]


PLAN = (
    Line(id=1, text="How many jars are in a crate?", needs=[]),
    Line(id=2, text="How many jars are in the crates?", needs=[1]),
    Line(id=3, text="How many jars are left after 10 jars break?", needs=[2]),
)
SHOP = "A shop has 6 crates with 24 jars each. 10 jars break. How many jars are left?"


def test_results_with_units_pass_the_screen_and_are_numbers_to_a_solver() -> None:
    solution = (
        "#1 as the problem says => 24 jars\n#2 6 * 24 = 144 => 144 jars\n#3 144 - 10 = 134 => 134"
    )
    lines = with_workings(PLAN, workings(solution), SHOP)
    assert [line.get("expr") for line in lines] == [None, "6*#1", "#2-10"]
    assert [line.get("answer") for line in lines] == ["24 jars", "144", "134"]
    assert plan_fault(Example("1", SHOP, plan=lines)) == ""


def test_a_share_in_per_cent_is_the_number_that_its_expression_has() -> None:
    plan = (Line(id=1, text="What percentage is ill?", needs=[]),)
    asked = "Of 50 pupils 20 are ill. What percentage is ill?"
    [line] = with_workings(plan, workings("#1 20 / 50 * 100 = 40% => 40%"), asked)
    assert (line.get("expr"), line.get("answer")) == ("20/50*100", "40")


def test_a_plan_of_which_some_lines_are_calculated_is_recoverable_as_one_in_words_is() -> None:
    solution = "#1 it is given => 24\n#2 6 * 24 = 144 => 144\n#3 without the broken ones => 134"
    lines = with_workings(PLAN, workings(solution), SHOP)
    assert [line.get("expr") for line in lines] == [None, "6*#1", None]
    asked = "A shop has 6 crates with 24 jars each. 10 break, 90 are sold. How many jars are left?"
    for plan in (lines, with_workings(PLAN, {}, asked)):
        assert coverage(Example("1", asked, plan=plan, answer="44")).numbers == 1


def test_what_doubles_at_each_step_stays_in_bounds() -> None:
    sums = (f"{13 * 2**k} + {13 * 2**k} = {13 * 2 ** (k + 1)}" for k in range(40))
    working = Working("; ".join(sums), str(13 * 2**40))
    assert expression(working, {}, "There are 13 cells, and each splits. How many are there?") == ""
