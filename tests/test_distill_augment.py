"""Other names and numbers, in question and plan alike."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

import pytest
from langgraph_decompose.distill.augment import swap_names, swap_things
from langgraph_decompose.distill.made_up_words import swap_words
from langgraph_decompose.distill.other_numbers import swap_numbers
from langgraph_decompose.distill.records import Example, Line
from langgraph_decompose.distill.sources import Vary, varied
from langgraph_decompose.evals.grounding import ungrounded_lines
from langgraph_decompose.tools.calculator import calculate, format_number

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
    copies = [swap_names(FILM, Random(seed)) for seed in range(20)]
    changed = [swapped for swapped in copies if swapped != FILM]
    assert changed, "a name is left as it is now and then alone"
    for swapped in changed:
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


def test_an_answer_that_the_last_line_does_not_give_keeps_its_numbers() -> None:
    """Whether 72 are enough is not calculated: with other numbers nobody knows."""
    assert swap_numbers(replace(CLIPS, answer="72 clips"), Random(0)) is not None
    assert swap_numbers(replace(CLIPS, answer="yes"), Random(0)) is None


def test_two_names_joined_by_and_stay_two() -> None:
    example = Example(
        "1",
        "What do Robert Florey and Roman Polanski have in common?",
        plan=(
            Line(id=1, text="Who was Robert Florey?", needs=[]),
            Line(id=2, text="Who is Roman Polanski?", needs=[]),
        ),
    )
    for seed in range(20):
        swapped = swap_names(example, Random(seed))
        assert not ungrounded_lines(swapped.to_plan(), swapped.question), swapped


def test_answers_get_the_new_names_too() -> None:
    example = Example("1", "Who is the son?", context="Ann is married. Her son is Tom Lee.")
    example = replace(example, answer="Tom Lee", solution="It is Tom Lee.")
    swapped = [swap_names(example, Random(seed)) for seed in range(10)]
    assert all(e.answer in e.context and e.answer in e.solution for e in swapped)
    assert any(e.answer != "Tom Lee" for e in swapped)


def test_the_minutes_of_an_hour_stay_sixty() -> None:
    example = Example(
        "1",
        "A bus drives 60 miles an hour for 30 minutes. How many miles is that?",
        plan=(Line(id=1, text="How many miles is that?", needs=[], expr="60*30/60", answer="30"),),
        answer="30",
    )
    for seed in range(20):
        if swapped := swap_numbers(example, Random(seed)):
            assert swapped.plan[0]["expr"].endswith("/60")


@pytest.mark.parametrize(
    ("question", "kept", "expression"),
    [
        ("Five boys have 5 books each. How many books?", "5 books", "5*5"),
        ("Ann eats 2/5 of the 35 plums in 5 days. How many plums?", "in 5 days", "35*2/5"),
        ("From 13:00 on there are 13 trains and 4 buses. How many?", "13 trains", "13+4"),
        ("On the 8th day Ann has 8 times 24 pens. How many pens?", "8 times", "8*24"),
        ("Of 3 boys, Al works 12 hours and Ed a third as long. How many?", "3 boys", "12/3"),
        ("Al has 2 cats and 12 pens, Ed has twice as many pens. How many?", "2 cats", "2*12"),
        ("Of 7 friends Ann reads 5 pages a day for a week. How many?", "7 friends", "5*7"),
        ("Al works from 9 am on and makes 4 pens an hour till noon. How many?", "9 am", "(12-9)*4"),
    ],
)
def test_a_number_that_is_also_written_otherwise_stays(
    question: str, kept: str, expression: str
) -> None:
    answer = format_number(calculate(expression))
    line = Line(id=1, text="How many?", needs=[], expr=expression, answer=answer)
    for seed in range(20):
        swapped = swap_numbers(Example("1", question, plan=(line,)), Random(seed))
        assert swapped is None or kept in swapped.question


def test_a_part_stays_at_most_the_whole() -> None:
    question = "90% of the 400 guests came. How many guests came?"
    line = Line(id=1, text="How many guests came?", needs=[], expr="400*90/100", answer="360")
    found = [swap_numbers(Example("1", question, plan=(line,)), Random(s)) for s in range(40)]
    percent = [int(copy.question.partition("%")[0]) for copy in found if copy]
    assert percent
    assert max(percent) <= 100


def test_a_thing_is_swapped_in_singular_and_plural_and_units_stay() -> None:
    question = "Ann buys 12 boxes at 30 minutes a box. How many boxes a day? A box is red."
    plan = ({"id": 1, "text": "How many boxes a day?", "needs": []},)
    swapped = [swap_things(Example("1", question, plan=plan), Random(seed)) for seed in range(10)]
    for example in swapped:
        assert "30 minutes" in example.question
        assert ("box" in example.question) == (example.question == question)
        thing = example.plan[0]["text"].removeprefix("How many ").removesuffix(" a day?")
        assert example.question.count(thing) == 2
        [(article, noun)] = re.findall(r"(An?) (\w+)[^.]* is red", example.question)
        assert (article == "An") == (noun[0] in "aeiou")
    assert len({example.question for example in swapped}) > 5


def test_what_is_no_thing_stays() -> None:
    question = "In which of the years does it rain more days than in 1990?"
    assert swap_things(Example("1", question), Random(1)).question == question


BREAD = Example(
    "bread",
    "Does a loaf rise more quickly than its baker's dough when 2 bakers knead one kneaded before?",
    plan=(
        Line(id=1, text="How quickly does a kneaded loaf rise?", needs=[]),
        Line(id=2, text="How quickly does dough that bakers knead rise?", needs=[]),
        Line(id=3, text="Does a loaf rise more quickly than dough?", needs=[1, 2]),
    ),
)


def test_made_up_words_stand_in_question_and_plan_alike() -> None:
    seen: set[str] = set()
    for seed in range(30):
        swapped = swap_words(BREAD, Random(seed))
        asked = set(re.findall(r"\b[a-z]+", swapped.question))
        words = {w for line in swapped.plan for w in re.findall(r"\b[a-z]+", line["text"])}
        assert words - asked <= {"does", "that"}, "whatever is new can be copied"
        assert swapped.question.startswith("Does a ")
        assert " 2 " in swapped.question
        seen |= asked
    assert "rise" in seen
    assert len(seen) > 60


def test_forms_of_a_made_up_word_keep_their_endings() -> None:
    changed = [swap_words(BREAD, Random(seed)) for seed in range(30)]
    swapped = next(one for one in changed if "knead" not in one.question)
    stem = swapped.question.split()[-2].removesuffix("ed")
    assert f" {stem} " in swapped.question
    assert swapped.plan[0]["text"].startswith(f"How quickly does a {stem}ed ")


def test_words_that_count_or_measure_stay() -> None:
    line = Line(id=1, text="How many hours do twelve painters take for eight walls?", needs=[])
    example = Example("1", "Twelve painters take ten hours for eight walls.", plan=(line,))
    swapped = [swap_words(example, Random(seed)) for seed in range(30)]
    for one in swapped:
        assert re.fullmatch(r"Twelve \w+ \w+ ten hours for eight \w+\.", one.question)
    assert len({one.question for one in swapped}) > 10


def test_a_word_with_a_form_that_may_be_missed_stays() -> None:
    line = Line(id=1, text="How many loaves were baked in the oven?", needs=[])
    example = Example("1", "Does Ann bake whatever Bob baked in the oven?", plan=(line,))
    for seed in range(30):
        assert "Ann bake whatever Bob baked" in swap_words(example, Random(seed)).question


def test_a_share_of_words_changes_nothing_else_in_the_copies() -> None:
    vary = Vary(copies=2, names=1.0, seed=1)
    rng = Random(1)
    by_hand = []
    for _ in range(2):
        rng.random()
        by_hand.append(swap_names(FILM, rng))
        rng.random()
        rng.random()
    assert [*varied([FILM], vary)] == by_hand
    assert [*varied([CLIPS], replace(vary, words=1.0))] != [*varied([CLIPS], vary)]


def test_two_people_get_two_names() -> None:
    """Of a hundred first names; now and then one is drawn twice."""
    question = "Ann, Bob, Cid, Dan and Eve meet with Fay, Gus, Hal, Ina and Jon. Who is late?"
    for seed in range(200):
        swapped = swap_names(Example("1", question), Random(seed)).question
        names = re.findall(r"[A-Z]\w+", swapped.removesuffix(" Who is late?"))
        assert len({*names}) == len(names) == 10, swapped


def test_a_number_to_calculate_with_is_no_part_of_a_name() -> None:
    question = "It takes David 10 minutes to walk to Apollo 11. How long does it take David twice?"
    line = Line(id=1, text="How many minutes does David need?", needs=[], expr="10*2")
    swapped = [swap_names(Example("1", question, plan=(line,)), Random(n)) for n in range(20)]
    assert all(" 10 minutes" in example.question for example in swapped)
    assert any("David" not in example.question for example in swapped)


def test_a_word_with_a_value_that_is_calculated_with_stays() -> None:
    """25 cents are in "quarters" alone; what is in no expression may become another thing."""
    question = "Ann has 20 quarters and 4 apples. How many cents are the quarters worth?"
    line = Line(id=1, text="How many cents are 20 quarters?", needs=[], expr="20*25", answer="500")
    coins = Example("coins", question, plan=(line,))
    copies = [*varied([coins], Vary(copies=40, things=1.0))]
    assert len(copies) == 40
    assert all("quarters" in copy.question for copy in copies)
    assert any("apples" not in copy.question for copy in copies)


def test_a_line_that_names_a_result_keeps_its_numbers() -> None:
    plan = (
        Line(id=1, text="How many hours are left?", needs=[], expr="7-3", answer="4"),
        Line(id=2, text="How far in the next 4 hours?", needs=[1], expr="#1*5", answer="20"),
    )
    run = Example("run", "She runs 3 of 7 hours, then 5 km an hour. How far?", plan=plan)
    assert all(swap_numbers(run, Random(seed)) is None for seed in range(20))
    reworded = (plan[0], Line(**{**plan[1], "text": "How far in #1 hours?"}))
    assert swap_numbers(replace(run, plan=reworded), Random(1)) is not None
