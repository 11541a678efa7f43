"""The bundled solver's guards: no question of fact is answered, no number comes from nowhere."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph_decompose import create_decomposition_graph
from langgraph_decompose.models.bundled import bundled_model_path
from langgraph_decompose.models.gguf_file import read_contract
from langgraph_decompose.models.references import ResolvedModel, resolve_model
from langgraph_decompose.nodes.given_numbers import (
    asks_for_arithmetic,
    given_numbers,
    stated_value,
)


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
    ],
)
def test_arithmetic_in_words_is_taken_on(question: str) -> None:
    assert asks_for_arithmetic(question, [question])


@pytest.mark.parametrize(
    ("text", "given_too"),
    [
        ("three hundred and five pens", {305}),
        ("twenty-five boxes and two bags", {25, 2}),
        ("1,200 pens or 3,4", {1200, 3, 4}),
        ("half of them", {2, 1}),
        ("a dozen eggs", {12, 1}),
        ("20% off", {20, 100, 1}),
    ],
)
def test_numbers_are_read_as_people_mean_them(text: str, given_too: set[int]) -> None:
    assert given_numbers([text]) == {Fraction(n) for n in given_too}


def solver_that_writes(text: str, finish: str = "stop") -> ResolvedModel:
    """A model with the bundled file's contract that writes what the test wants."""
    reply = AIMessage(text, response_metadata={"finish_reason": finish})
    model = resolve_model(lambda _: reply)
    return ResolvedModel("bundled", model.runnable, read_contract(bundled_model_path()))


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
