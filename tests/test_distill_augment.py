"""Other names and numbers, in question and plan alike."""

from __future__ import annotations

from random import Random

from langgraph_decompose.distill.augment import swap_names, swap_numbers
from langgraph_decompose.distill.records import Example, Line

FILM = Example(
    "film",
    "Who is the mother of the director of film Jeevan Prabhat?",
    plan=(
        Line(id=1, text="Who directed the film Jeevan Prabhat?", needs=[]),
        Line(id=2, text="Who is the mother of #1?", needs=[1]),
    ),
)
CLIPS = Example(
    "clips",
    "Natalia sold 48 clips in April, and then she sold half as many in May. "
    "How many clips did Natalia sell altogether?",
    plan=(
        Line(id=1, text="How many did Natalia sell in May?", needs=[], expr="48/2", answer="24"),
        Line(id=2, text="How many did Natalia sell?", needs=[1], expr="48+#1", answer="72"),
    ),
    answer="72",
)


def test_a_name_is_swapped_wherever_it_stands() -> None:
    for seed in range(20):
        swapped = swap_names(FILM, Random(seed))
        if swapped == FILM:
            continue  # A name is left as it is now and then.
        assert "Jeevan" not in swapped.question + swapped.plan[0]["text"]
        name = swapped.plan[0]["text"].removeprefix("Who directed the film ").rstrip("?")
        assert swapped.question == f"Who is the mother of the director of film {name}?"


def test_words_that_only_begin_a_sentence_are_no_names() -> None:
    example = Example("1", "Over the day, Hank sold 10 bicycles. Together they cost $5 each.")
    swapped = [swap_names(example, Random(seed)).question for seed in range(10)]
    assert all(question.startswith("Over the day, ") for question in swapped)
    assert all("Together they" in question for question in swapped)
    assert any("Hank" not in question for question in swapped)


def test_numbers_change_in_question_expression_and_answers() -> None:
    for seed in range(20):
        swapped = swap_numbers(CLIPS, Random(seed))
        assert swapped is not None
        first, second = swapped.plan
        given = int(first["expr"].removesuffix("/2"))
        assert f"sold {given} clips" in swapped.question
        assert (first["answer"], second["answer"]) == (str(given // 2), str(given * 3 // 2))
        assert given % 2 == 0, "whole answers stay whole"
        assert swapped.answer == second["answer"]


def test_a_plan_without_expressions_keeps_its_numbers() -> None:
    assert swap_numbers(FILM, Random(0)) is None
