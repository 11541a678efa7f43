"""Procedural questions: plans that are right by construction, names that can only be copied."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph_decompose import UserError
from langgraph_decompose.distill.generate import KINDS, generate, names
from langgraph_decompose.distill.generate.relations import RELATIONS
from langgraph_decompose.distill.generate.story import Story
from langgraph_decompose.distill.generate.wording import direct_question
from langgraph_decompose.distill.screen.checks import plan_fault
from langgraph_decompose.nodes.given_numbers import given_numbers
from langgraph_decompose.tools.calculator import calculate, format_number, numbers


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_makes_readable_questions_with_valid_plans(kind: str) -> None:
    for example in generate(300, seed=5, kinds={kind: 1}):
        plan = example.to_plan()  # Raises if it were none.
        text = " ".join([example.problem, *(line.text for line in plan.subquestions)])
        assert not {"{", "  "} & {*text, *re.findall("  ", text)}, text
        assert len(plan.subquestions) != 1, "a plan of one line would be atomic"


def test_the_same_seed_gives_the_same_questions_and_another_seed_others() -> None:
    first, again, other = (list(generate(50, s, {"chain": 1})) for s in (1, 1, 2))
    assert first == again
    assert not {e.question for e in first} & {e.question for e in other}


@given(st.integers(0, 2**32))
@settings(max_examples=200)
def test_expressions_lead_to_the_answers_beside_them(seed: int) -> None:
    (example,) = generate(1, seed, {"arithmetic": 1})
    answers: dict[str, str] = {}
    for line in example.plan:
        expression = re.sub(r"#\d+", lambda m, a=answers: f"({a[m[0]]})", line["expr"])
        assert line["needs"] == sorted({int(k) for k in re.findall(r"#(\d+)", line["expr"])})
        assert format_number(calculate(expression)) == line["answer"]
        answers[f"#{line['id']}"] = line["answer"]
    if not example.plan:
        assert format_number(calculate(example.meta["expr"])) == example.answer


@given(st.integers(0, 2**32))
@settings(max_examples=300)
def test_a_passage_that_tells_all_answers_every_line(seed: int) -> None:
    (example,) = generate(1, seed, {"told": 1})
    answers = {f"#{line['id']}": line["answer"] for line in example.plan}
    *before, last = example.plan
    passage = example.context.casefold()  # A sentence begins with a capital.
    assert all(line["answer"].casefold().rstrip(".") in passage for line in before)
    assert example.answer == last["answer"]
    if expression := last.get("expr"):
        worked = calculate(re.sub(r"#\d+", lambda m: answers[m[0]], expression))
        assert worked == int(example.answer) > 0
    else:
        assert example.answer in ("yes", "no") or example.answer.casefold().rstrip(".") in passage
    assert not plan_fault(example)


def test_a_told_comparison_is_right_by_the_numbers_of_its_lines() -> None:
    less = re.compile(r"\b(first|before|older|fewer|shorter)\b")  # An older one has less of a year.
    decided = 0
    for example in generate(2000, seed=4, kinds={"told": 1}):
        last = example.plan[-1]
        if len(last["needs"]) < 2 or "expr" in last:
            continue
        one, other = example.plan[-3:-1]
        smaller = int(one["answer"]) < int(other["answer"])
        first_wins = smaller == bool(less.search(last["text"]))
        if example.answer in ("yes", "no"):
            assert first_wins == (example.answer == "yes"), example
        else:
            named = [line["answer"] for line in example.plan[: len(example.plan) - 3]]
            asked = named or re.findall(r", (.+) or (.+)\?", last["text"])[0]
            assert example.answer == asked[0 if first_wins else 1], example
        decided += 1
    assert decided > 300


def test_a_chain_never_asks_back_what_the_passage_tells_otherwise() -> None:
    """Who founded the company that somebody founded is that somebody."""
    inverse = re.compile(
        r"(founder of|founded) the company (founded by|that \w+ founded)"
        r"|(author of|writer of|wrote|recorded) the (first novel by|best-known work of|debut album)"
        r"|(wife|husband|spouse) of the (wife|husband|spouse) of"
    )
    chains = [e for e in generate(3000, seed=6, kinds={"told": 1}) if len(e.plan[-1]["needs"]) == 1]
    assert len(chains) > 1500
    assert not [e.question for e in chains if inverse.search(e.question)]


def test_the_usual_mixture_has_no_told_questions() -> None:
    assert "told" not in {example.meta["kind"] for example in generate(500, seed=2)}


def test_whatever_a_line_calculates_with_stands_in_the_question() -> None:
    for example in generate(3000, seed=13, kinds={"arithmetic": 1}):
        given = given_numbers([example.question])
        for line in example.plan:
            for text in (line["text"], line["expr"]):
                assert {*numbers(re.sub(r"#\d+", "", text))} <= given, example


def test_a_made_up_name_is_no_word_that_a_sentence_is_read_by() -> None:
    words = {names.word(Random(seed)) for seed in range(30000)}
    assert not {"The", "He", "To", "Six", "Ten"} & words
    assert {"Thethe", "Hehe"} & words


def test_what_a_line_asks_about_stands_in_the_question() -> None:
    """A capitalised word of a plan is the question's, or begins the line."""
    for example in generate(500, seed=3, kinds={"chain": 1, "compare": 1, "at_that_time": 1}):
        for line in example.plan:
            names = re.findall(r"(?<=\w )[A-Z]\w+", line["text"])
            assert all(name in example.question for name in names), example


def test_no_dollars_are_added_to_euros() -> None:
    for example in generate(3000, seed=12, kinds={"arithmetic": 1}):
        told = " ".join([example.question, *(line["text"] for line in example.plan)])
        assert not ("euros" in told and re.search(r"\$|dollars", told)), told


def test_a_made_up_name_keeps_its_capital() -> None:
    for first, low in (("Denttie drives", "Denttie drives"), ("She drives", "she drives")):
        steps = [("How far is that?", "3*34", "102")]
        drafts = (
            Story(Random(k), [f"{first} 3 hours at 34 km/h."], steps).draft() for k in range(99)
        )
        found = [draft.question for draft in drafts if draft.question.startswith("If ")]
        assert {*found} == {f"If {low} 3 hours at 34 km/h, how far is that?"}


@pytest.mark.parametrize("relation", [r for r in RELATIONS if r[3]])
def test_a_relation_is_asked_as_it_is_buried(
    relation: tuple[str, str, list[str], list[str]],
) -> None:
    place = re.compile(r"country|city|county")
    for index, form in enumerate(relation[2]):
        for seed in range(9):
            asked = direct_question(relation, Random(seed), index)
            said = {*place.findall(form.replace("town", "city"))}
            assert {*place.findall(asked)} <= said, (form, asked)


def test_a_kind_that_does_not_exist_is_named() -> None:
    with pytest.raises(UserError, match="'poems' can be generated"):
        list(generate(1, kinds={"poems": 1}))
