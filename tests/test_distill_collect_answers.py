"""Which final answers count as the reference answer."""

from __future__ import annotations

import pytest
from langgraph_decompose.distill.collect.answers import same_answer

SAME = [
    ("18", "18"),
    ("18.0", "18"),
    ("1,800", "1800"),
    ("$18", "18"),
    ("$1,800.00", "1800"),
    ("-$5", "−5"),
    ("$-5", "-5"),
    ("**18**", "18"),
    ("`18`", "18"),
    (r"\boxed{18}", "18"),
    (r"$\boxed{1,800}$", "1800"),
    (r"\$18", "18"),
    ("18.", "18"),
    (" 18\n", "18"),
    ("18 eggs", "18"),
    ("18 eggs", "18 fresh eggs"),
    ("$18 per day", "18 dollars"),
    ("25%", "25"),
    ("25 percent", "25%"),
    ("£5", "5 pounds"),
    ("5 €", "5"),
    ("€5", "5 euros"),
    ("US$ 5", "5 dollars"),
    ("$5 each", "5 dollars per apple"),
    ("5 cents", "5"),
    ("$18$", "18 eggs"),
    ("$20", "20 in total"),
    ("12 hundred thousand", "1,200,000"),
    (".5", "0.5"),
    ("1/2", "0.5"),
    ("3 million", "3,000,000"),
    ("2 dozen eggs", "24"),
    ("60 km/h", "60"),
    ("60km/h", "60 km/h"),
    ("5kg", "5 kg"),
    ("5kg", "5"),
    ("12 inches", "12 inch"),
    ("3 boxes", "3 box"),
    ("3 1/2", "3.5"),
    ("-3½ cups", "-3.5"),
    (r"\boxed{\frac{3}{4}}", "3/4"),
    ("The Hague", "the hague."),
    ("Jonathan  Glazer", "jonathan glazer"),
    ("Yes", "yes."),
    ("Yes, since both are men", "yes"),
    ("True", "yes"),
    ("false", "no"),
    ("1914-1918", "1914–1918"),
]
OTHER = [
    ("12.75", "12"),
    ("12", "12.75"),
    ("120", "12"),
    ("1,2", "12"),
    ("-5", "5"),
    ("--5", "5"),
    ("12 of the 18 eggs", "12"),
    ("so she needs 12", "12"),
    ("The answer is 18, not 12", "12"),
    ("about 12", "12"),
    ("12:30", "12"),
    ("2024-05-01", "2024"),
    ("1914-1918", "1914"),
    ("5 hours", "5 minutes"),
    ("5 cents", "5 dollars"),
    ("5 cents per apple", "$5 per apple"),
    ("75 cents", "$75"),
    ("€5", "$5"),
    ("12 hundred thousand", "1200"),
    ("5 million", "5"),
    ("5k", "5"),
    ("5m", "5"),
    ("5kg", "5km"),
    ("3½", "31/2"),
    ("3 1/0", "3"),
    ("1/0", "0"),
    ("12 3", "123"),
    ("", ""),
    ("", "12"),
    ("no answer", "no"),
    ("Nothing", "no"),
    ("No. 5", "No. 19"),
    ("No", "No. 10 Downing Street"),
    ("2 and a half hours", "2 hours"),
    ("5 degrees below zero", "5 degrees"),
    ("2 thirds", "2"),
    ("100 + x", "100"),
    ("10 squared", "10"),
    ("Robert", "Robert Rodriguez"),
    ("unknown", "12"),
    ("9" * 300, "9"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_these_mean_the_same(one: str, other: str) -> None:
    assert same_answer(one, other)
    assert same_answer(other, one)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_these_do_not(one: str, other: str) -> None:
    assert not same_answer(one, other)
    assert not same_answer(other, one)
