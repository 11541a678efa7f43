"""The bundled solver's guards: no question of fact is answered, no number comes from nowhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph_decompose import create_decomposition_graph
from langgraph_decompose.models.bundled import bundled_model_path
from langgraph_decompose.models.engine import Engine
from langgraph_decompose.models.gguf_file import read_contract
from langgraph_decompose.models.references import ResolvedModel, resolve_model
from langgraph_decompose.nodes.expression import EXPRESSION_GRAMMAR, put_answers_in
from langgraph_decompose.nodes.given_numbers import (
    asks_for_arithmetic,
    given_numbers,
    stated_number,
    stated_value,
)
from langgraph_decompose.tools.calculator import CalculatorError, calculate

from .test_grammar import follows


@pytest.mark.parametrize(
    "question",
    [
        "Who directed Jaws?",
        "How old was Einstein in 1905?",
        "Who won the 2019-2020 Champions League?",
        "Who was president on 2020-05-17?",
        "What colour is Route 66?",
        "What year did World War 2 end?",
        "What happened in 1066?",
        "How often does Halley's comet come in 200 years?",
        "How many people lived in France in 1990?",
        "How many people live in Oslo?",
        "Is 7 more than 5?",
        "Which bridge is longer, the Tarn or the Vell?",
    ],
)
@pytest.mark.parametrize("strategy", ["direct", "dag"])
def test_what_is_no_arithmetic_is_refused(question: str, strategy: Any) -> None:
    result = create_decomposition_graph(strategy=strategy).invoke({"question": question})
    assert result["answer"] is None
    assert "--solver" in next(row for row in result["answers"] if row["error"])["error"]["message"]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is 12 * 11?", "132"),
        ("What is 1,200 + 300?", "1500"),
        ("What is 15% of 80?", "12"),
        ("15 percent of 80?", "12"),
        ("What is 7 - 10?", "-3"),
        ("5 plus 7?", "12"),
        ("Calculate (3 + 4) * 2.", "14"),
        ("What's 100 divided by 8?", "12.5"),
    ],
)
def test_a_question_that_is_an_expression_is_simply_calculated(question: str, answer: str) -> None:
    result = create_decomposition_graph(strategy="direct").invoke({"question": question})
    assert (result["answer"], result["status"]) == (answer, "ok")
    assert result["usage"][0]["calls"] == 0


@pytest.mark.parametrize("question", ["Who?", "What is 5?", "2019-2020?", "2020-05-17", "x + 1"])
def test_anything_else_is_not_an_expression(question: str) -> None:
    assert stated_value(question) is None


@pytest.mark.parametrize(
    "question",
    [
        "Ana has 4 bags with 6 pears each. How many pears does Ana have?",
        "When Ana sells 5 of her 12 pens, how many are left?",
        "Natalia sold 48 clips in April and half as many in May. How many did she sell in May?",
        "Ben has 7 pens and buys 5. How many are left? Show your work.",
        "Three boxes hold twenty-five pens each. How many pens are there?",
        "How many minutes are in 3 hours?",
        "A pen costs $3 and a book $5. What is the total cost in U.S. dollars?",
        "25% of the 40 books are red. How many books are red?",
        "How much will Mr. Smith pay for 3 pens at $2?",
        "What do 3 pens at $2 cost?",
        "How late, in minutes, is a train that leaves 5 minutes late and loses 7 more?",
    ],
)
def test_arithmetic_in_words_is_taken_on(question: str) -> None:
    assert asks_for_arithmetic(question, [question])


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("three hundred and five pens", "305"),
        ("two thousand three hundred pens", "2300"),
        ("twenty-five boxes and seven bags", "25 7"),
        ("two, eight, five and nine pounds", "8 5 9"),
        ("six one day passes", "6"),
        ("1,200 pens or 3,4", "1200 3 4"),
        ("a dozen eggs", "12"),
        ("20% off", "20 0.2 0.8 1.2 80 120 100"),
        ("2.5 percent of it", "2.5 0.025 100"),
        ("five days a week, for a year", "7 12 52"),
        ("an hour and a half", "60 1.5"),
        ("4 nickels and a quarter in dollars", "0.05 5 0.25 25 100"),
        ("from Monday to Friday", "5"),
        ("from 7:00 AM to 8:00 PM", "12"),
        ("Ana and her sister share it", "1 2"),
    ],
)
def test_numbers_are_read_as_people_mean_them(text: str, given: str) -> None:
    assert {Fraction(n) for n in given.split()} <= given_numbers([text])


def test_a_text_of_scales_alone_is_read_in_no_time() -> None:
    begin = time.process_time()
    assert 500 in given_numbers(["five " + "hundred " * 200_000])
    assert time.process_time() - begin < 4


def test_other_numbers_are_not_given() -> None:
    assert {Fraction(n) for n in (7, 10, 12, 60, 100)}.isdisjoint(given_numbers(["I'm at 4 bags"]))


def solver_that_writes(text: str, finish: str = "stop") -> ResolvedModel:
    """A model with the bundled file's contract that writes what the test wants."""
    reply = AIMessage(text, response_metadata={"finish_reason": finish})
    model = resolve_model(lambda _: reply)
    return ResolvedModel("bundled", model.runnable, read_contract(bundled_model_path("solver")))


@pytest.mark.parametrize(
    ("written", "finish", "message"),
    [
        ("4 * 7", "stop", "7 isn't given"),
        ("4 * (6", "stop", "can't be calculated"),
        ("6 / (4 - 4)", "stop", "division by zero"),
        ("4 * 6", "length", "cut off"),
    ],
)
def test_an_expression_that_cannot_be_trusted_is_no_answer(
    written: str, finish: str, message: str
) -> None:
    solver = solver_that_writes(written, finish)
    graph = create_decomposition_graph(solver, strategy="direct")
    result = graph.invoke({"question": "Ana has 4 bags with 6 pears each. How many pears?"})
    assert result["answer"] is None
    assert message in result["answers"][0]["error"]["message"]
    assert result["usage"][0]["calls"] == 1, "the reply was paid for"


@pytest.mark.parametrize(
    ("question", "written", "message"),
    [
        ("What is 6/0?", "6*0", "division by zero"),
        ("What is 2^0.5?", "2*0.5", "a power is a whole number"),
        ("What is 10^2000?", "10*2000", "a power is a whole number"),
    ],
)
def test_an_expression_without_a_value_is_not_made_another_one(
    question: str, written: str, message: str
) -> None:
    graph = create_decomposition_graph(solver_that_writes(written), strategy="direct")
    result = graph.invoke({"question": question})
    assert result["answer"] is None
    assert message in result["answers"][0]["error"]["message"]


APPLES = "Ana has 4 bags with 6 pears each and eats 3. How many pears are left?"
PLAN = "#1 How many pears are in the bags?\n#2 How many pears are left? <- #1"


def answer_with(*written: str, plans: Sequence[str] = (PLAN,), **options: Any) -> dict[str, Any]:
    """The pears' plan with a solver that writes the texts in turn."""
    replies, planned = iter(written), iter(plans)
    solver = resolve_model(lambda _: AIMessage(next(replies)))
    solves, made = read_contract(bundled_model_path("solver")), read_contract(bundled_model_path())
    graph = create_decomposition_graph(
        ResolvedModel("bundled", solver.runnable, solves),
        decomposer=ResolvedModel("planner", resolve_model(lambda _: next(planned)).runnable, made),
        **options,
    )
    return graph.invoke({"question": APPLES})


def test_an_expression_may_name_the_answer_of_an_earlier_line() -> None:
    assert answer_with("4*6", "#1-3")["answer"] == "21"
    assert answer_with("4*6", "24-3")["answer"] == "21", "copied digits count as before"


def test_what_was_rounded_for_people_is_calculated_on_with_unrounded() -> None:
    result = answer_with("4/3", "#1*6")
    first, second = result["answers"]
    assert (first["answer"], first["exact"]) == ("1.333333", "4/3")
    assert (second["answer"], "exact" in second) == ("8", False)


def test_what_a_line_s_own_plan_rounded_is_calculated_on_with_unrounded() -> None:
    own = "#1 How many bags are there?\n#2 How many pears are in a bag? <- #1"
    plans = [PLAN, own, *["atomic"] * 2]
    options = {"strategy": "recursive", "max_concurrency": 1}
    result = answer_with("4*6", "4/3", "#1*6", plans=plans, **options)
    first, second = result["answers"]
    assert (first["answer"], first["exact"], "parts" in first) == ("1.333333", "4/3", True)
    assert second["answer"] == "8"


@pytest.mark.parametrize("written", ["#2-3", "#9*4", "#0+3", "#123*2"])
def test_a_line_that_was_not_shown_has_no_answer_to_name(written: str) -> None:
    result = answer_with("4*6", written)
    assert "there is no answer" in result["answers"][1]["error"]["message"]
    assert (result["answer"], result["status"]) == (None, "failed")


def test_an_undivided_question_has_no_earlier_lines() -> None:
    graph = create_decomposition_graph(solver_that_writes("#1*4"), strategy="direct")
    message = graph.invoke({"question": APPLES})["answers"][0]["error"]["message"]
    assert "there is no answer #1" in message


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("24", "24"),
        ("$1,200", "1200"),
        ("30 cm", "30"),
        ("It takes 30 cm.", "30"),
        ("-3", "-3"),
        ("-$4.50", "-4.5"),
        ("12 of the 50", "12"),
        ("20%", "20"),
        ("mid-30", "30"),
        ("1/2 cup", "1/2"),
        ("-3 1/2 hours", "-7/2"),
        ("8.4 million", "8400000"),
        ("It has about 8 billion people.", "8000000000"),
        ("24 (4 * 6)", "24"),
        ("24\n4 * 6 = 24", "24"),
        ("24 because 4 * 6 = 24", "24"),
        ("- 24 pears", "24"),
        ("Pears left - 24", "24"),
        ("–3 °C", "-3"),
        ("- $4", "-4"),
        ("3 Mars bars", "3"),
    ],
)
def test_the_number_of_an_answer_is_put_in(answer: str, number: str) -> None:
    assert stated_number(answer) == Fraction(number)
    assert calculate(put_answers_in("2*#1", {1: answer})) == 2 * Fraction(number)


@pytest.mark.parametrize(
    "answer",
    ["", "many", "Ana has 3 and Ben 5", "#", "3 to 5", "$3-$5", "3, 4 and 5", "12:30", "1,5",
     "2 hours 30 minutes", "2 hours and 30 minutes", "1e6", "1.2 × 10^6", "10^6", "5k", "$1.2M",
     "3½", "1/0", "4 * 6 = 24", "1/2/2020", "1 million to 2 million", "9" * 600,
     "4 x 6 = 24", "4 bags * 6 pears = 24 pears", "4 times 6 is 24", "1.2 x 10^6", "2 dozen",
     "23 December 1815", "1st of May 1990", "-5 to -3", "20%-30%"],
)  # fmt: skip
def test_an_answer_without_one_clear_number_is_refused(answer: str) -> None:
    with pytest.raises(CalculatorError, match="#1 isn't one number"):
        put_answers_in("2*#1", {1: answer})


@pytest.mark.parametrize(
    ("text", "in_grammar"),
    [
        ("#1*4", True),
        ("-#1*(#2+20%)/4", True),
        ("48-#12", True),
        ("10/100 * #3", True),
        ("#", False),
        ("#0+1", False),
        ("#123", False),
        ("#1%", False),
        ("4 #1", False),
    ],
)
def test_the_grammar_has_references(engine: Engine, text: str, in_grammar: bool) -> None:
    assert follows(engine, EXPRESSION_GRAMMAR, text) == in_grammar


def test_references_are_calculated_exactly() -> None:
    values = {1: "3", 2: "-0.5", 12: "7"}
    assert calculate(put_answers_in("-#1*(#2+20%)/4", values)) == Fraction(9, 40)
    assert calculate(put_answers_in("48-#12", values)) == 41
