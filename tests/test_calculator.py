"""The calculator: exact, bounded, and never more than arithmetic."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph_decompose import calculator_tool
from langgraph_decompose.tools.calculator import CalculatorError, calculate, format_number


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("48/2", 24),
        ("0.1 + 0.2", Fraction(3, 10)),
        ("1/3*3", 1),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("-2 - -3", 1),
        ("10 - 3 - 2", 5),
        ("100 / 5 / 2", 10),
        ("20% * 50", 10),
        ("$1,200.50 * 2", 2401),
        ("2^10", 1024),
        ("2**-1", Fraction(1, 2)),
        ("-2^2", -4),
        ("2^3^2", 512),
        ("6 × 7 ÷ 2", 21),
        (".5*4", 2),
        ("2^(-3)", Fraction(1, 8)),
        ("2^-(-3)", 8),
        ("(5€ + £2) * $(1 + 1)", 14),
    ],
)
def test_arithmetic_is_exact(expression: str, value: Fraction) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    "expression",
    ["", "   ", "1/0", "0^-1", "2^0.5", "9^9^9", "1 +", "(1", "1)", "1 2", "x", "__import__('os')",
     "9" * 501, "(" * 60 + "1" + ")" * 60, "10^1000*10^1000", "1e5", "abs(1)", "1,,,+", "0^(-5)",
     "2^(0-99999999999)", "9^-(-3000000)", "9^(0-1000)*9^(0-1000)", "3$4", "2*$*3"],
)  # fmt: skip
def test_anything_else_is_refused_at_once(expression: str) -> None:
    begin = time.process_time()
    with pytest.raises(CalculatorError):
        calculate(expression)
    assert time.process_time() - begin < 0.2


@given(st.text(max_size=80) | st.text("0129.,+-*/^()%$ ", max_size=40))
def test_no_text_does_worse_than_a_calculator_error(text: str) -> None:
    try:
        calculate(text)
    except CalculatorError:
        pass


small = st.integers(-50, 50)


@given(small, small, small, st.sampled_from("+-*"), st.sampled_from("+-*"))
def test_it_agrees_with_python(a: int, b: int, c: int, first: str, second: str) -> None:
    text = f"({a}) {first} ({b}) {second} ({c})"
    assert calculate(text) == eval(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(Fraction(24), "24"), (Fraction(7, 2), "3.5"), (Fraction(1, 3), "0.333333"),
     (Fraction(-1, 3), "-0.333333"), (Fraction(-1, 10**9), "-0.000000001"),
     (Fraction(10**7), "10000000"), (Fraction(2, 3), "0.666667"), (Fraction(0), "0"),
     (Fraction(1, 700), "0.001429"), (Fraction(1, 7000), "0.000142857"),
     (Fraction(1, 2**30), "0.000000000931323"), (Fraction(9999999, 10**10), "0.001")],
)  # fmt: skip
def test_numbers_are_written_as_people_write_them(value: Fraction, text: str) -> None:
    assert format_number(value) == text


@given(st.fractions(max_denominator=10**12).filter(bool))
def test_a_number_is_never_written_as_nothing(value: Fraction) -> None:
    assert abs(Fraction(format_number(value)) / value - 1) < Fraction(1, 1000)


def test_the_tool_answers_in_words_when_it_cannot() -> None:
    tool = calculator_tool()
    assert tool.name == "calculator"
    assert tool.invoke({"expression": "15% * 1,200"}) == "180"
    assert "division by zero" in tool.invoke({"expression": "1/0"})
