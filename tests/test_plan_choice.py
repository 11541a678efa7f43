"""Choosing among plans by what can be seen of them, and plans that can't go on for ever."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph_decompose import ChatGGUF, Plan, UserError
from langgraph_decompose.plan import parse_plan, plan_grammar
from langgraph_decompose.plan.choice import plan_value

BORN = "Was the director of Jaws born before the director of Alien?"
GOOD = """#1 Who directed Jaws?
#2 Who directed Alien?
#3 When was #1 born? <- #1
#4 When was #2 born? <- #2
#5 Was #3 before #4, i.e. was the director of Jaws born first? <- #3 #4"""


def value(text: str, question: str = BORN) -> float:
    return plan_value(question, parse_plan(text))


def test_a_plan_that_holds_the_whole_question_is_worth_one() -> None:
    assert value(GOOD) == 1


@pytest.mark.parametrize(
    ("worse", "fault"),
    [
        (GOOD.replace("#2 Who directed Alien?", "#2 Who directed Jaws?"), "a line comes twice"),
        (GOOD.replace("Who directed Alien?", "Who was it?"), "a name is missing"),
        (GOOD.replace("#5 Was", "#5 How long was"), "the end doesn't ask for yes or no"),
        (
            GOOD.replace("#3 before #4", "#3 early").replace(" <- #3 #4", " <- #3"),
            "an answer isn't used",
        ),
        (GOOD.replace("Who directed Jaws?", "Who of the crew of the crew of Jaws?"), "loops"),
    ],
)
def test_each_visible_fault_costs(worse: str, fault: str) -> None:
    assert value(worse) < value(GOOD), fault


def test_a_number_of_the_question_should_be_asked_about() -> None:
    question = "A box holds 12 eggs and a crate 30 boxes. How many eggs are in a crate?"
    with_both = "#1 How many eggs do 30 boxes of 12 eggs hold?\n#2 How many eggs is a crate? <- #1"
    assert value(with_both, question) > value(with_both.replace("30 boxes of 12", "the"), question)


@given(st.text(max_size=200), st.lists(st.text("abc #1?", min_size=1, max_size=30), max_size=8))
def test_any_question_and_plan_have_a_value_of_at_most_one(question: str, texts: Any) -> None:
    rows = [{"id": k, "text": t} for k, t in enumerate((t for t in texts if t.strip()), 1)]
    try:
        plan = Plan.from_rows(rows)
    except ValueError:
        return
    assert plan_value(question, plan) <= 1


def ask(question: str) -> list[tuple[str, str]]:
    return [("system", "decompose"), ("user", question)]


def test_of_several_plans_the_best_is_taken_and_all_their_tokens_are_counted(
    bundled: ChatGGUF,
) -> None:
    options: dict[str, Any] = {"grammar": plan_grammar(8), "no_repeat": 8}
    question = "How many more legs than wings have the 14 spiders and 9 crows of Ottilie's barn?"
    one = bundled.invoke(ask(question), **options)
    eight = bundled.invoke(ask(question), plans=8, **options)
    assert eight.text == bundled.invoke(ask(question), plans=8, **options).text
    assert value(eight.text, question) >= value(one.text, question)
    assert eight.usage_metadata
    assert one.usage_metadata
    assert eight.usage_metadata["output_tokens"] >= one.usage_metadata["output_tokens"]
    streamed = list(bundled.stream(ask(question), plans=8, **options))
    assert "".join(piece.text for piece in streamed) == eight.text


def test_a_question_that_needs_no_split_is_written_once(bundled: ChatGGUF) -> None:
    once = bundled.invoke(ask("Who wrote Emma?"))
    chosen = bundled.invoke(ask("Who wrote Emma?"), plans=8)
    assert once.text == chosen.text == "atomic"
    assert once.usage_metadata
    assert chosen.usage_metadata
    assert once.usage_metadata["output_tokens"] == chosen.usage_metadata["output_tokens"]


def test_no_run_of_tokens_comes_twice_in_a_line(bundled: ChatGGUF) -> None:
    options: dict[str, Any] = {"grammar": "root ::= [0-9]{60}"}  # A digit is a token.
    assert repeats(bundled.invoke(ask("a"), **options).text)
    assert not repeats(bundled.invoke(ask("a"), **options, no_repeat=4).text)


def test_where_the_grammar_leaves_nothing_else_a_run_is_repeated(bundled: ChatGGUF) -> None:
    assert bundled.invoke(ask("a"), grammar="root ::= [7]{9}", no_repeat=2).text == "7" * 9


def repeats(text: str) -> list[str]:
    """Runs of four characters that occur again."""
    return re.findall(r"(?=(.{4})(?=.*\1))", text)


@pytest.mark.parametrize("wrong", [1, -3, "two", True])
def test_a_length_of_runs_that_makes_no_sense_is_refused(bundled: ChatGGUF, wrong: Any) -> None:
    with pytest.raises(UserError, match="no_repeat"):
        bundled.invoke(ask("Who wrote Emma?"), no_repeat=wrong)
