"""Plans from worked solutions: steps become subquestions, numbers are traced to results."""

import pytest

pytest.importorskip("lemminflect")

from langgraph_decompose.distill.records import Example
from langgraph_decompose.distill.solutions.from_solutions import from_solution, solver_lines
from langgraph_decompose.distill.solutions.wording import as_question
from langgraph_decompose.evals.annotated import fold, read_steps, trace


def problem(question, solution, answer=""):
    return Example("p", question, solution=solution, answer=answer)


def test_each_step_becomes_a_line_and_the_last_asks_what_the_question_asks():
    made = from_solution(
        problem(
            "Mia baked 12 pies on Monday and half as many on Tuesday. She sold 5 of them. "
            "How many pies does she have left?",
            "Mia baked 12/2=<<12/2=6>>6 pies on Tuesday.\n"
            "In total, Mia baked 12+6=<<12+6=18>>18 pies.\n"
            "She has 18-5=<<18-5=13>>13 pies left.\n#### 13",
            "13",
        )
    )
    assert str(made.to_plan()) == (
        "#1 How many pies did Mia bake on Tuesday?\n"
        "#2 How many pies did Mia bake in total? <- #1\n"
        "#3 How many pies does Mia have left? <- #2"
    )
    assert [line["expr"] for line in made.plan] == ["12/2", "12+#1", "#2-5"]
    assert [line["answer"] for line in made.plan] == ["6", "18", "13"]


@pytest.mark.parametrize(
    ("sentence", "money", "question"),
    [
        ("Natalia sold @ clips in May", False, "How many clips did Natalia sell in May?"),
        ("So there are @ red balls in the bag", False, "How many red balls are there in the bag?"),
        ("In May, the shop sold @ lamps", False, "How many lamps did the shop sell in May?"),
        ("Tom will need to buy @ boxes", False, "How many boxes will Tom need to buy?"),
        ("The total cost is @", True, "What is the total cost?"),
        ("Tom spends @ on pens", True, "How much does Tom spend on pens?"),
        ("The boys ate @ of the cookies", False, "How many of the cookies did the boys eat?"),
        ("Each box has @ pen", False, "How many pens does each box have?"),
        ("She read @ pages", False, "How many pages did she read?"),
        ("Tom has @ boxes and needs more", False, None),
        ("The day shift makes @ cakes", False, "How many cakes does the day shift make?"),
        ("The second day Bert ate @ pies", False, None),
        ("Each day they will make @", True, None),
        ("It has @ pens", False, None),
        ("Since x equals @ apples", False, None),
        ("@", False, None),
    ],
)
def test_a_statement_becomes_the_question_that_it_answers(sentence, money, question):
    assert as_question(sentence, money=money) == question


@pytest.mark.parametrize(
    ("question", "solution", "expressions"),
    [
        # 6 is only a result; 5 is only in the question.
        ("There are 2 rows of 3 and 5 more.", "2*3=<<2*3=6>>6\n6+5=<<6+5=11>>11", ["2*3", "#1+5"]),
        # 4 is both: nothing else uses the result, so it is the result.
        ("There are 4 cats, 2 rows of 2 dogs.", "2*2=<<2*2=4>>4\n4+4=<<4+4=8>>8", ["2*2", "#1+4"]),
        # Twice the same result: the later one first.
        ("1 2 3", "1+2=<<1+2=3>>3\n3*2=<<3*2=6>>6\n6+3=<<6+3=9>>9", ["1+2", "#1*2", "#2+3"]),
        # A factor is written with the percentage that the question gives.
        ("It is 37% of 200.", "200*.37=<<200*.37=74>>74", ["200*37/100"]),
    ],
)  # fmt: skip
def test_numbers_are_traced_to_the_question_or_to_results(question, solution, expressions):
    steps = trace(read_steps(solution) or [], question)
    assert [step.expr for step in steps or []] == expressions


@pytest.mark.parametrize(
    ("question", "solution", "why"),
    [
        ("Al has 3 pens. How many?", "Al has 3*7=<<3*7=21>>21 pens.", "7 from nowhere"),
        ("Al has 3 pens. How many?", "Al has 3*2=<<3*2=7>>7 pens.", "wrong result"),
        ("Al has 3 pens. How many?", "Al has 3x=<<3x=6>>6 pens.", "no arithmetic"),
        ("Al has 3 pens and 2. Count them.", "Al has 3+2=<<3+2=5>>5 pens.", "nothing asked"),
        ("Al has 3 pens and 2. How many?", "Al has some.", "no steps"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_left_out(question, solution, why):
    assert from_solution(problem(question, solution)) is None, why


def test_a_number_that_may_be_the_question_s_or_a_result_is_no_ground_to_learn_from():
    """The 8 rulers and the 8 pens: exchanged they give the same answer, and 172 for 284 later."""
    question = (
        "Ann buys 4 boxes of pens with 2 pens in each box and 8 rulers. Ann pays 3 dollars for "
        "each ruler and 5 dollars for each pen. How much does Ann pay?"
    )
    solution = (
        "Ann buys 4*2=<<4*2=8>>8 pens.\n"
        "Ann pays 8*3=<<8*3=24>>24 for 8*5=<<8*5=40>>40.\n"
        "Ann pays 24+40=<<24+40=64>>64."
    )
    assert from_solution(problem(question, solution)) is None
    assert solver_lines(problem(question, solution)) is None


def test_a_plan_with_a_step_that_cannot_be_worded_is_dropped_but_teaches_the_solver():
    example = problem(
        "Al has 3 bags of 4 pens and gives 2 away. How many pens does Al have left?",
        "Let us see: 3*4=<<3*4=12>>12 it is.\nAl has 12-2=<<12-2=10>>10 pens left.",
    )
    assert from_solution(example) is None
    made = solver_lines(example)
    assert made.plan == ()
    assert made.meta == {"expr": "3*4-2", "role": "solver"}


def test_one_step_is_no_split():
    made = from_solution(problem("Al has 3+2 pens. How many pens?", "Al has 3+2=<<3+2=5>>5 pens."))
    assert (made.plan, made.meta["expr"]) == ((), "3+2")


def test_several_calculations_in_one_sentence_are_one_line():
    steps = read_steps("She has 2*3=<<2*3=6>>6 and 6+1=<<6+1=7>>7 pens.\nOr 7*2=<<7*2=14>>14.")
    assert [step.expr for step in fold(trace(steps, "2 3 1"), [False, True, True])] == [
        "2*3+1", "#1*2",
    ]  # fmt: skip


def test_a_pronoun_is_replaced_by_the_only_name_or_the_plan_is_dropped():
    solution = "She has 3*4=<<3*4=12>>12 pens.\nShe has 12-2=<<12-2=10>>10 pens left."
    one = problem("Mrs. Lin has 3 bags of 4 pens and loses 2. How many are left?", solution)
    assert from_solution(one).plan[0]["text"] == "How many pens does Mrs. Lin have?"
    two = problem("Lin has 3 bags of 4 pens. Ada takes 2. How many are left?", solution)
    assert from_solution(two) is None


def test_what_doubles_at_each_step_stays_in_bounds():
    sums = [(13 * 2**k, 13 * 2 ** (k + 1)) for k in range(40)]
    solution = "\n".join(f"It is {a}+{a}=<<{a}+{a}={b}>>{b}" for a, b in sums)
    assert solver_lines(problem("There are 13 cells, and each splits. How many?", solution)) is None
