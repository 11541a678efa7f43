"""Metrics, case by case: what a model writes, what is gold, and what the official rule says.

The tables are worked out by hand from the scripts that the data sets' authors published. Where
a rule is odd, the row says so: a metric that is kinder than the official one measures something
else.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph_decompose.evals.metrics import METRICS, score
from langgraph_decompose.evals.metrics.assignment import best_total
from langgraph_decompose.evals.metrics.drop import spans_of
from langgraph_decompose.evals.metrics.numbers import answer_number
from langgraph_decompose.evals.metrics.text import final_answer

GSM8K = [  # prediction, gold, strict, flexible
    ("#### 18", "18", 1, 1),
    ("16 - 3 - 4 = 9 eggs, 9 * 2 = 18 dollars.\n#### 18", "18", 1, 1),
    ("#### 1,800", "1800", 1, 1),
    ("#### -10", "-10", 1, 1),
    ("#### 18.", "18", 0, 1),  # strict compares letters: "18." isn't "18"
    ("#### 18.00", "18", 0, 1),
    ("#### $18", "18", 0, 1),  # strict takes no currency
    ("####18", "18", 0, 1),  # nor a missing space
    ("#### 18\n#### 20", "18", 1, 0),  # strict takes the first, flexible the last
    ("18", "18", 0, 1),
    ("**18**", "18", 0, 1),
    ("__18__", "18", 0, 1),
    ("18%", "18", 0, 1),
    ("18.", "18", 0, 1),
    ("18,", "18", 0, 1),
    ("$18.00", "18", 0, 1),
    ("€18", "18", 0, 1),
    ("1,800", "1800", 0, 1),
    ("1{,}800", "1800", 0, 1),
    (r"So \boxed{\$1{,}800}.", "1800", 0, 1),
    (r"\boxed{18} and that is that, 100 %", "18", 0, 1),
    (r"First \boxed{5}. The answer is 18", "18", 0, 1),  # the last mark counts, of any kind
    (r"The answer is 5. No, \boxed{18}.", "18", 0, 1),
    ("\\boxed{5}, and so\n#### 18", "18", 1, 1),
    (r"\boxed{The answer is 18}", "18", 0, 1),
    (r"The answer is \boxed{18}. The answer is:", "18", 0, 1),  # nothing follows the last one
    ("The answer is: 12.75", "12", 0, 0),  # the released code cut decimals off
    ("12.75", "12", 0, 0),
    ("12.0", "12", 0, 1),
    ("She has 18 eggs. The answer is: 40", "18", 0, 0),  # an earlier number doesn't count
    ("She has 18 eggs and sells 5, so 13 are left.", "18", 0, 0),
    ("She has 18 eggs and sells 5, so 13 are left.", "13", 0, 1),
    ("The answer is: eighteen, of 18", "18", 0, 1),
    ("She has 18 eggs. The answer is: unknown", "18", 0, 0),
    ("The answer is 18. There were 40 at first.", "18", 0, 1),
    ("The answer to the question is 18 of the 40.", "18", 0, 1),
    ("**Final Answer:** 18 eggs", "18", 0, 1),
    ("Answer: 5 + 13 = 18", "18", 0, 1),
    ("Answer: 5 + 13 = 20 - 2 = 18 in 1 day", "18", 0, 1),
    ("Answer: 20 eggs - 2 eggs = 18 eggs", "18", 0, 1),
    ("The answer is 30% of 60 = 18", "18", 0, 1),
    ("Answer: 18, since 20 - 3 = 17 and one", "18", 0, 1),  # an aside works out something else
    ("Answer: 18 = 9 * 2", "18", 0, 1),
    ("The answer is 18.\nWe check: 9 * 2 = 18, so the answer is correct.", "18", 0, 1),
    ("\\boxed{18}\n\nThe answer is reasonable, since 9 * 2 > 9", "18", 0, 1),
    ("The answer 18 is correct.", "18", 0, 1),
    ("The answer is 18 which is correct since 18 + 2 = 20", "18", 0, 1),
    ("Answer: 18 after giving away 20 - 4 = 16", "18", 0, 1),  # no calculation with the 18
    ("Answer: 18 minutes - a third of an hour = 20 minutes", "18", 0, 1),
    ("The answer is 2×10^3×9=18000", "18000", 0, 1),
    ("Answer: 1,207 1/2", "1207.5", 0, 1),
    ("Answer: 7 1/2", "7", 0, 0),
    ("Answer: 7 1/2", "7.5", 0, 1),
    (r"\boxed{-7\frac{1}{2}}", "-7.5", 0, 1),
    ("7½ cups", "7.5", 0, 1),
    ("Answer: 1.8 × 10^3", "1800", 0, 1),
    (r"\boxed{1.8 \times 10^{3}}", "1800", 0, 1),
    ("Answer:\n\nShe sells 5 and keeps 18", "18", 0, 1),
    ("Answer: let me think.\n5 and 13 make 18", "18", 0, 1),
    ('{"answer": 18}', "18", 0, 1),
    ("-3", "-3", 0, 1),
    ("3", "-3", 0, 0),
    ("−3", "-3", 0, 1),  # the minus of Unicode
    ("-$250", "-250", 0, 1),
    ("$-250", "-250", 0, 1),
    ("- $10", "-10", 0, 1),
    ("The answer is: - $10", "-10", 0, 1),
    ("She had $28 - $10", "10", 0, 1),  # between two amounts it is no sign
    ("She pays:\n- $8\n- $10", "10", 0, 1),  # nor is a bullet
    ("10-15", "15", 0, 1),  # a range, not minus 15
    ("- 18 eggs", "18", 0, 1),  # a bullet
    ("18 m^2", "18", 0, 1),  # an exponent is no answer
    ("18 m2 of CO2", "18", 0, 1),
    ("18 dollars (9 eggs at $2 each)", "18", 0, 1),  # how it came about
    ("She earns $18 a day (9 × (4 − 2)).", "18", 0, 1),
    ("The answer is about 18 (6 a day for 3 days)", "18", 0, 1),
    ("That is 1.5 dozen (18 eggs)", "18", 0, 1),  # the same again
    ("It is (20 - 2 = 18)", "18", 0, 1),
    ("He has 20 of 2 kinds. All but two are left (20 - 2 = 18).", "18", 0, 1),
    ("That is 1.5 dozen (1.5 × 12 = 18 eggs)", "18", 0, 1),
    ("18 dollars (9 × 2 = 18, with 3 eggs eaten)", "18", 0, 1),
    ("The answer is 3 times 6 = 18", "18", 0, 1),
    ("Answer: 20 eggs minus 2 eggs = 18", "18", 0, 1),
    ("The answer is minus 18", "-18", 0, 1),
    ("**Answer:** minus $18", "-18", 0, 1),
    ("20 minus 18", "18", 0, 1),
    ("9.5e3", "9500", 0, 1),
    ("118", "18", 0, 0),
    ("180", "18", 0, 0),
    ("1.8", "18", 0, 0),
    ("eighteen", "18", 0, 0),
    ("", "18", 0, 0),
    (None, "18", 0, 0),
]


@pytest.mark.parametrize(("prediction", "gold", "strict", "flexible"), GSM8K)
def test_gsm8k(prediction: str | None, gold: str, strict: int, flexible: int) -> None:
    assert score("gsm8k", prediction, [gold]) == {"strict": strict, "flexible": flexible}


@pytest.mark.parametrize(
    ("scoring", "prediction", "gold", "right"),
    [
        ("numeric", "51.0", "51", 1),
        ("numeric", "51.0004", "51", 0),  # SVAMP's results are whole
        ("numeric_close", "51.0004", "51", 1),  # PAL's script: within 0.001
        ("numeric_close", "51.001", "51", 0),
        ("numeric_close", "388147.41176", "388147.4117647059", 1),
        ("numeric_close", "388147.4", "388147.4117647059", 0),
        ("numeric_close", "9,284,017,268,534.4", "9284017268534.4", 1),
        ("numeric_close", "0", "2.0107e-06", 1),  # odd, but so the script has it
        ("numeric_close", "-9825743600", "-9825743600", 1),
        ("numeric_close", "", "0", 0),
        ("numeric_close", "7" * 5000, "7", 0),
    ],
)
def test_numbers(scoring: str, prediction: str, gold: str, right: int) -> None:
    assert score(scoring, prediction, [gold]) == {"accuracy": right}


DROP: list[tuple[Any, list[list[str]], float, float]] = [  # prediction, gold answers, EM, F1
    ("Bears", [["Bears"]], 1, 1),
    ("the Bears.", [["Bears"]], 1, 1),
    ("Chicago Bears", [["Bears"]], 0, 0.67),
    ("3", [["3"]], 1, 1),
    ("3.0", [["3"]], 1, 1),
    ("1,800", [["1800"]], 1, 1),
    ("$18.00", [["18"]], 0, 0),  # odd: losing its point with the "$", it is 1800
    ("$18.00", [["1800"]], 1, 1),
    ("-5", [["5"]], 1, 1),  # odd: a hyphen parts words
    ("−5", [["5"]], 0, 0),  # while the Unicode minus stays, and is no number
    ("20%", [["20"]], 1, 1),
    ("4 yards", [["3 yards"]], 0, 0),  # another number is all wrong
    ("yards", [["3 yards"]], 0, 0),
    ("3", [["3 yards"]], 0, 0.67),
    ("3-yard", [["3 yard"]], 1, 1),
    ("12.75", [["12"]], 0, 0),
    (["Bears", "Browns"], [["Browns", "Bears"]], 1, 1),
    (["Bears"], [["Browns", "Bears"]], 0, 0.5),
    (["Bears", "Browns", "Jets"], [["Browns", "Bears"]], 0, 0.67),
    (["Bears", "Bears"], [["Bears"]], 0, 0.5),  # as a set the same, but not as many
    ("Bears and Browns", [["Browns", "Bears"]], 0, 0.25),  # one span: 1/2, over two
    ("Bears; Browns", [["Browns", "Bears"]], 1, 1),
    ('["Bears", "Browns"]', [["Browns", "Bears"]], 1, 1),
    ("- Bears\n- Browns", [["Browns", "Bears"]], 1, 1),
    ("The answer is: Bears; Browns", [["Browns", "Bears"]], 1, 1),
    ("The answers are: Bears; Browns", [["Browns", "Bears"]], 1, 1),
    ("**Answers:** Bears; Browns", [["Browns", "Bears"]], 1, 1),
    # Greedy pairing would give "Tom Brady" to "Brady" and leave "Tom" without a partner.
    (["Tom Brady", "Brady"], [["Brady", "Tom"]], 0, 0.83),
    ("Browns", [["Bears"], ["Browns"]], 1, 1),  # the best of the validated answers
    ("Browns", [["  "], ["Bears"]], 0, 0),  # a blank gold answer is passed over
    ("", [[""]], 0, 0),
    ("8 November 1942", [["8 November 1942"]], 1, 1),
    ("November 1942", [["8 November 1942"]], 0, 0.8),
    ("a word word", [["word"]], 0, 1),  # F1 is of sets of words
    ("", [["Bears"]], 0, 0),
    (None, [["Bears"]], 0, 0),
]


@pytest.mark.parametrize(("prediction", "gold", "em", "f1"), DROP)
def test_drop(prediction: Any, gold: list[list[str]], em: float, f1: float) -> None:
    assert score("drop", prediction, gold) == {"em": em, "f1": f1}


def test_one_drop_answer_is_one_span_unless_it_says_otherwise() -> None:
    assert spans_of("First 3, then 4; so many.\nThe answer is: 7") == ["7"]
    assert spans_of("1. Bears\n2) Browns") == ["Bears", "Browns"]
    assert spans_of("[not JSON") == ["[not JSON"]
    assert spans_of("; ".join("abcd" * 20)) == ["; ".join("abcd" * 20)], "nobody lists 80 spans"


SPANS = [  # scoring, prediction, gold answers, EM, F1
    ("squad", "Ulm", ["Ulm"], 1, 1),
    ("squad", "the  ULM!", ["Ulm"], 1, 1),
    ("squad", "The answer is: Ulm.\nHope that helps!", ["Ulm"], 1, 1),
    ("squad", "**Ulm**", ["Ulm"], 1, 1),
    ("squad", "Ulm, Germany", ["Ulm"], 0, 2 / 3),
    ("squad", "NYC", ["New York City", "NYC"], 1, 1),  # an alias
    ("squad", "New York", ["New York City", "NYC"], 0, 0.8),  # the best alias, here the first
    ("squad", "an a the", ["the"], 1, 1),  # nothing is left of either
    ("squad", "", ["Ulm"], 0, 0),
    ("squad", None, ["Ulm"], 0, 0),
    ("squad", "word word", ["word"], 0, 2 / 3),  # words are counted, unlike in DROP
    ("squad", "1,800", ["1800"], 1, 1),
    ("squad", "$18.00", ["18"], 0, 0),  # odd: "1800" and "18"
    ("squad", "yes, both", ["yes"], 0, 2 / 3),
    ("squad", "If it rains, it pours. So the answer is valid.", ["Valid"], 1, 1),
    ("squad", "The answer is valid.\nI am sure the answer is correct.", ["valid"], 1, 1),
    ("squad", "So the answer is valid.", ["invalid"], 0, 0),
    ("hotpotqa", "Yes.", ["yes"], 1, 1),
    ("hotpotqa", "yes, both", ["yes"], 0, 0),  # yes is right as a whole or not at all
    ("hotpotqa", "no", ["no way out"], 0, 0),  # on either side
    ("hotpotqa", "no way", ["no way out"], 0, 0.8),
    ("hotpotqa", "noanswer", ["no answer"], 0, 0),
    ("hotpotqa", "the", ["a"], 1, 0),  # odd: both are empty, equal, and share no word
    ("hotpotqa", "British", ["United Kingdom", "British"], 1, 1),  # 2Wiki's aliases
    ("hotpotqa", "", ["yes"], 0, 0),
    ("hotpotqa", None, ["yes"], 0, 0),
]


@pytest.mark.parametrize(("scoring", "prediction", "gold", "em", "f1"), SPANS)
def test_a_few_words(
    scoring: str, prediction: str | None, gold: list[str], em: float, f1: float
) -> None:
    assert score(scoring, prediction, gold) == {"em": em, "f1": pytest.approx(f1)}


@pytest.mark.parametrize(
    ("prediction", "gold", "substring", "em"),
    [
        ("James Madison", "james madison", 1, 1),
        ("It was James Madison, I think.", "james madison", 1, 0),
        ("The answer is: James Madison", "james madison", 1, 1),
        ("James Madison? No. The answer is: Monroe", "james madison", 0, 0),
        ('The answer is: "1,999"', "1999", 1, 1),
        ("not in 1999 but later", "1999", 1, 0),  # odd, but so the released code has it
        ("Madison", "james madison", 0, 0),
        ("", "james madison", 0, 0),
        (None, "james madison", 0, 0),
    ],
)
def test_bamboogle(prediction: str | None, gold: str, substring: int, em: int) -> None:
    found = score("bamboogle", prediction, [gold])
    assert (found["substring"], found["em"]) == (substring, em)


@pytest.mark.parametrize(
    ("prediction", "gold", "right"),
    [
        ("Yes", "yes", 1),
        ("**No.**", "no", 1),
        ("True", "yes", 1),
        ("false", "no", 1),
        ("No, since yes would take a miracle.", "no", 1),
        ("Some say yes, some say so. The answer is: no", "no", 1),
        ("Aristotle died long before, so the answer would be no.", "no", 1),
        ("There is no doubt that he did.", "no", 0),  # "no" before a noun is no answer
        ("That is not true.", "yes", 0),
        ("No information was found on when he died.", "no", 0),  # as a composer is told to say
        ("The answer is: no clear answer", "no", 0),
        ("No idea.", "no", 0),
        ("No. Information on it is rare.", "no", 1),
        ("No president has done so.", "no", 1),
        ("Yes or no.", "yes", 0),
        ("Yesterday", "yes", 0),
        ("The answer is yes. I checked it, and the answer is correct.", "yes", 1),
        ("The answer is no which is valid.", "no", 1),
        ("It depends.", "no", 0),
        ("", "no", 0),
        (None, "no", 0),
    ],
)
def test_yes_and_no(prediction: str | None, gold: str, right: int) -> None:
    assert score("yes_no", prediction, [gold]) == {"accuracy": right}


@pytest.mark.parametrize(
    ("prediction", "right"),
    [
        ("B", 1),
        ("B)", 1),
        ("(B) 36", 1),
        ("**B**", 1),
        ("B. 36", 1),
        ("B) $36", 1),
        ("Option B", 1),
        ("The answer is (B).", 1),
        ("The answer is: B", 1),
        ("The correct answer is option B) 36.", 1),
        ("So the correct option is **B**.", 1),
        ("That makes 36. The right choice: B", 1),
        ("Answer: B = 36", 1),
        ("Answer: B=36", 1),
        ("Answer: B\nI am sure that the answer is correct.", 1),
        ("A car needs 36 minutes, so (B) it is.", 1),
        (r"\boxed{B}", 1),
        ("A) is too small. The answer is B", 1),
        ("The answer is B because 36 is too much for A.", 1),
        ("The letter of the right option is B.", 1),
        ("The right letter is **B**", 1),
        ("With the letter E last there are 36. So it is (B).", 1),
        ("b", 1),
        ("(b)", 1),
        ("Answer: b", 1),
        ("It has to be option b.", 1),
        ("That makes 36, so (b).", 1),
        ("Steps (a) and (c) give 36: option (B).", 1),  # capitals first
        ("(a) or (b)", 0),
        ("B, C", 0),
        ("Answer: B, C or D", 0),
        ("b.g. 36", 0),
        ("by f(b) = 36", 0),
        ("Either A) or B)", 0),
        ("A", 0),
        ("36", 0),  # a value is no choice
        ("Because", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_a_chosen_letter(prediction: str | None, right: int) -> None:
    assert score("letter", prediction, ["B"]) == {"accuracy": right}


@pytest.mark.parametrize(
    ("scoring", "answer"), [("numeric", "18"), ("squad", "Ulm"), ("yes_no", "no"), ("letter", "B")]
)
def test_of_a_very_long_text_the_end_counts(scoring: str, answer: str) -> None:
    thought = "The answer is: 7? Yes, (A). " * 1000
    assert score(scoring, f"{thought}The answer is: {answer}", [answer])[METRICS[scoring][0]] == 1


@pytest.mark.parametrize(
    ("scoring", "gold", "message"),
    [
        ("numeric", "Ulm", "'Ulm' is no number"),
        ("gsm8k", "1/0", "'1/0' is no number"),
        ("letter", "b", "'b' is none of A, B, C, D, E"),
        ("yes_no", "perhaps", "'perhaps' is none of yes, no"),
    ],
)
def test_a_gold_answer_that_nothing_could_equal_is_refused(
    scoring: str, gold: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        score(scoring, "18", [gold])


GOLD: dict[str, Any] = {"drop": [["18", "Bears"]], "letter": ["B"], "yes_no": ["no"]}


def test_every_way_of_scoring_gives_the_metrics_that_it_names() -> None:
    for scoring, names in METRICS.items():
        gold = GOLD.get(scoring, ["18"])
        for prediction in ("18", "", None):
            assert set(score(scoring, prediction, gold)) == set(names)
    assert score("", "18", []) == {}, "of a plan alone no answer is judged"


@given(st.text(max_size=200), st.sampled_from(sorted(METRICS)))
def test_nothing_that_a_model_writes_breaks_a_metric(prediction: str, scoring: str) -> None:
    found = score(scoring, prediction, GOLD.get(scoring, ["18"]))
    assert all(0 <= value <= 1 for value in found.values())


@given(st.lists(st.sampled_from(["The answer is", "answer:", "####", "\\boxed{", "1,", "-", "x "])))
def test_marks_and_digits_in_any_order_break_nothing(parts: list[str]) -> None:
    text = "".join(parts) * 50
    answer_number(text)
    assert len(final_answer(text)) <= len(text)


@given(st.decimals(-(10**9), 10**9, places=2))
def test_a_number_is_read_as_it_is_written(number: Any) -> None:
    for text in (f"{number}", f"{number:,}", f"**{number:,}**.", f"It costs ${number:,}!"):
        assert answer_number(text) == Fraction(number)


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.integers(0, 9), min_size=width, max_size=width), min_size=1, max_size=5
        )
    )
)
def test_the_assignment_is_the_best_of_all(table: list[list[int]]) -> None:
    rows = table if len(table) <= len(table[0]) else [*zip(*table, strict=True)]
    columns = range(len(rows[0]))
    best = max(
        sum(row[j] for row, j in zip(rows, chosen, strict=True))
        for chosen in itertools.permutations(columns, len(rows))
    )
    assert best_total(table) == best
