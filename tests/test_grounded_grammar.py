"""The grammar of one question against llama.cpp: its names and numbers, and no others."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph_decompose import parse_plan
from langgraph_decompose.distill.importers import read_dataset
from langgraph_decompose.distill.source_files import TEACHER_SET
from langgraph_decompose.models.engine import Engine
from langgraph_decompose.plan import grounded_grammar
from langgraph_decompose.plan.grounded import MAX_NAMES, names_and_numbers

from .test_grammar import follows

QUESTION = 'Is Ann\'s "Blue Sky" (1957) longer than two marathons of 42.195 km?'


@pytest.fixture(scope="module")
def accepts(engine: Engine) -> Callable[[str, str], bool]:
    return lambda question, plan: follows(engine, grounded_grammar(question) or "", plan)


@pytest.mark.parametrize(
    "plan",
    [
        "atomic",
        '#1 How long is "Blue Sky" (1957) by Ann?',
        "#1 How long is Ann's film?\n#2 How long are 2 marathons?\n#3 Is #1 over #2? <- #1 #2",
        "#1 How many km are 2 marathons of 42.195 km?",
    ],
)
def test_names_and_numbers_of_the_question_may_be_used(
    plan: str, accepts: Callable[[str, str], bool]
) -> None:
    assert accepts(QUESTION, plan)


@pytest.mark.parametrize(
    "plan",
    [
        "#1 How long is Blue Moon?",
        "#1 How long is Anna's film?",
        "#1 How long is the film of 1958?",
        "#1 How long are 3 marathons?",
        "#1 How long is Blue  Sky?",
        "#1 How long is Blue Sky? <- #1",
    ],
)
def test_others_may_not(plan: str, accepts: Callable[[str, str], bool]) -> None:
    assert not accepts(QUESTION, plan)


def test_in_a_question_without_capitals_any_word_may_be_a_name(
    accepts: Callable[[str, str], bool],
) -> None:
    question = "which is further from the equator, cape town or sydney"
    assert accepts(question, "#1 How far is Cape Town from the equator?")
    assert not accepts(question, "#1 How far is Perth from the equator?")


def test_nearly_all_written_plans_keep_to_it(accepts: Callable[[str, str], bool]) -> None:
    """It costs little: a strong model's plans hardly name anything else."""
    examples = list(read_dataset("teacher", TEACHER_SET / "fresh.jsonl"))[:200]
    kept = sum(accepts(e.problem, str(e.to_plan()) if e.plan else "atomic") for e in examples)
    assert kept >= 0.95 * len(examples)


words = st.text(st.sampled_from('Abc12#<-"\\^[]?,. \n'), max_size=30)


@settings(max_examples=150)
@given(words, st.lists(words, max_size=3).map("\n".join))
def test_what_it_accepts_is_a_plan(engine: Engine, question: str, plan: str) -> None:
    grammar = grounded_grammar(question)
    assert grammar
    if follows(engine, grammar, plan):
        parse_plan(plan)  # Raises if it were none.


@pytest.mark.parametrize(
    ("question", "plan"),
    [
        ("What is 2^10?", "#1 What is 2^10?"),
        ("What is x^2-5 if x=3?", "#1 What is x^2-5?"),
        ('Who said "A\\B[1]" in Saint-Denis?', '#1 Who said "A\\B[1]"?'),
        ("Who is Bo\x00Li?", "atomic"),
        ("Who designed C# (2000)?", "#1 Who designed C#?"),
    ],
)
def test_odd_characters_of_a_question_do_no_harm(
    question: str, plan: str, accepts: Callable[[str, str], bool]
) -> None:
    assert accepts(question, plan)


def test_a_long_passage_is_not_held_to_its_names() -> None:
    passage = " ".join(f"Name{k}" for k in range(MAX_NAMES + 1))
    assert len(names_and_numbers(passage)) > MAX_NAMES
    assert grounded_grammar(passage) is None
