"""Whether a question can be recovered from its plan, and near misses, from which it can't."""

import pytest
from langgraph_decompose.distill.records import Example
from langgraph_decompose.distill.screen.recoverable import coverage


def lines(*texts):
    """A plan in words, whose lines each need the one before."""
    return tuple(
        {"id": k, "text": text, "needs": [k - 1] if k > 1 else []}
        for k, text in enumerate(texts, 1)
    )


def calculated(*steps):
    """A plan of lines with expressions, each needing those that its expression names."""
    return tuple(
        {
            "id": k,
            "text": text,
            "needs": [n for n in range(1, k) if f"#{n}" in expr],
            "expr": expr,
        }
        for k, (text, expr) in enumerate(steps, 1)
    )


CHANGE = "Ida buys 3 pens at $2 each and pays with $10. How much change does Ida get?"
COST, GETS = "How much do the pens cost?", "How much change does Ida get?"
BOTH = "Were the directors of Jaws and Alien born in the same year?"
WHO, WHEN, SAME = "Who directed Jaws?", "When was #1 born?", "Were they born in the same year?"


@pytest.mark.parametrize(
    ("question", "plan", "fault"),
    [
        (CHANGE, calculated((COST, "3*2"), (GETS, "10-#1")), ""),
        (CHANGE, calculated((COST, "2"), (GETS, "#1*2")), "33% of the question's numbers"),
        (CHANGE, calculated((COST, "3*2"), (GETS, "#1-2")), "67% of the question's numbers"),
        (CHANGE, calculated((COST, "3*2"), (GETS, "#1+10-12")), "50% of the lines without"),
        (CHANGE, calculated((COST, "3*2"), ("How old is Ida?", "10-#1")), "33% of the words"),
        (BOTH, lines(WHO, "Who directed Alien?", WHEN, "When was #2 born?", SAME), ""),
        (BOTH, lines(WHO, WHEN, SAME), "50% of the question's names"),
        (BOTH, lines(WHO, "Who directed Alien?", "Who was born first?"), "asks for something else"),
    ],
)
def test_what_a_plan_leaves_out_is_not_made_up_for_by_what_it_holds(question, plan, fault):
    found = coverage(Example("a", question, plan=plan)).fault
    assert (fault in found) if fault else not found


def test_a_right_plan_in_words_need_not_say_what_it_calculates_with():
    """As a teacher writes it; of names and words that ask, it needs as much as with expressions."""
    plan = lines("How much do the pens cost?", "How much change does Ida get?")
    assert not coverage(Example("a", CHANGE, plan=plan, answer="$4")).fault
    other = lines("How much do the pens cost?", "How old is Ida?")
    assert "of the words" in coverage(Example("a", CHANGE, plan=other, answer="$4")).fault
    when = "Did Bo, who won in 2004 and 2008, win more often than Cy?"
    assert (
        "numbers"
        in coverage(Example("b", when, plan=lines("Did Bo win more often than Cy?"))).fault
    )


@pytest.mark.parametrize(
    ("question", "plan"),
    [
        # What isn't a quantity, and one of many numbers, may be there to distract.
        (
            "In 2004 Al, who got up at 7:15, had 60 hens, and in 2005 half as many. How many hens?",
            calculated(("How many hens did Al have in 2005?", "60/2")),
        ),
        (
            "Al, aged 71, buys 2 pens at $3 and 4 hats at $5. What do they cost?",
            calculated(("What do the pens cost?", "2*3"), ("What do they cost?", "#1+4*5")),
        ),
        # Other units, and what the text lists.
        (
            "Stamps are 50 cents. Al, Bo and Cy share 12. What does each pay, in dollars?",
            calculated(("What do they pay?", "12*0.50"), ("What does each pay?", "#1/3")),
        ),
        # The small words of a title, and a question of two parts.
        (
            "Who wrote The Old Man and the Sea, and was it his last book?",
            lines("Who wrote the Old Man and the Sea?", "Was it the last book of #1?"),
        ),
    ],
)
def test_a_right_plan_needs_no_more_than_the_question_does(question, plan):
    assert not coverage(Example("a", question, plan=plan)).fault
