"""Which names and numbers of a subquestion are made up."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langgraph_decompose.evals import grounding
from langgraph_decompose.evals.grounding import ungrounded, ungrounded_lines
from langgraph_decompose.nodes.given_numbers import given_numbers
from langgraph_decompose.plan import parse_plan

from .conftest import shared


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Who directed Jaws?", "Who is the wife of the director of jaws?"),
        ("How many apples do the Millers have?", "Mr. Miller has 3 apples."),
        ("How much does Ana's dog weigh?", "Ana has a dog."),
        ("What is the capital of the US?", "What is the U.S. capital?"),
        ("How many Italian films won?", "Which films of Italy won?"),
        ("What is 12 times #1?", "A dozen of them."),
        ("How many are 25 boxes?", "There are twenty-five boxes."),
        ("What was it in the 1980s?", "What was it in 1984?"),
        ("How much is 1,200 at $3.50?", "It is 1200 at 3.50 dollars."),
        ("Was #12 before #3?", "Which was first?"),
        ("Is it in May or in June?", "In which month is it?"),
        ("First sentence. Then another: Who wins?", "who wins"),
    ],
)
def test_what_the_question_gives_in_other_words_is_grounded(text: str, problem: str) -> None:
    assert ungrounded(text, problem) == []


@pytest.mark.parametrize(
    ("text", "problem", "made_up"),
    [
        ("Who directed Alien?", "Who directed Jaws?", ["Alien"]),
        ("Is Ann's cat older than Bob's?", "Ann has a cat.", ["Bob"]),
        ("How much do 7 pens cost?", "Ann buys 5 pens.", ["7"]),
        ("How much is 3.75 of it?", "It costs 3.5.", ["3.75"]),
        ("When did New York grow by 8%?", "When did york grow?", ["New", "8"]),
    ],
)
def test_what_the_question_doesn_t_give_is_named(
    text: str, problem: str, made_up: list[str]
) -> None:
    assert ungrounded(text, problem) == made_up


def test_lines_are_counted_not_names() -> None:
    plan = parse_plan("#1 Who are Ann and Bob?\n#2 When was #1 born? <- #1")
    assert ungrounded_lines(plan, "When were they born?") == ["Who are Ann and Bob?"]


def test_a_context_is_read_once_for_all_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[list[str]] = []

    def given(texts: list[str]) -> Any:
        read.append(texts)
        return given_numbers(texts)

    monkeypatch.setattr(grounding, "given_numbers", given)
    plan = parse_plan("#1 Who are Ann and Bob?\n#2 When was #1 born?\n#3 Was #2 before 1900?")
    problem = "Ann and Bob are of 1900, as only this test says.\n\nWho are they, and when?"
    assert ungrounded_lines(plan, problem) == []
    assert read == [[problem]]


def test_a_person_s_plans_are_almost_all_grounded() -> None:
    """Plans of the development data: of what they flag, nearly all is indeed brought in."""
    lines = flagged = 0
    for row in map(json.loads, shared("data/teacher/fresh.jsonl").read_text().splitlines()):
        problem = f"{row.get('context', '')}\n\n{row['question']}"
        lines += len(row["plan"])
        flagged += sum(bool(ungrounded(line["text"], problem)) for line in row["plan"])
    assert flagged < 0.01 * lines
