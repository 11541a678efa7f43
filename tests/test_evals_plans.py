"""Plan metrics and intervals: what counts as near the gold plan, and what doesn't."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from pathlib import Path

import pytest
from langgraph_decompose import Plan
from langgraph_decompose.errors import UserError
from langgraph_decompose.evals.end_to_end import compare, is_right, read_numeric
from langgraph_decompose.evals.items import Item
from langgraph_decompose.evals.plans import PlanScore, measure_plans, rouge_l, score_plan
from langgraph_decompose.evals.runner import Job, sample_of
from langgraph_decompose.evals.statistics import bootstrap_mean, mean, paired_difference, wilson
from langgraph_decompose.evals.systems import System
from langgraph_decompose.plan import parse_plan

PROBLEM = "Ana has 4 bags with 6 pears each and Ben has 9 plums. How much fruit have Ana and Ben?"
GOLD = """#1 How many pears does Ana have?
#2 How many of the 9 plums does Ben have?
#3 How much fruit have Ana and Ben? <- #1 #2"""


def score(predicted: str | None, gold: str = GOLD) -> PlanScore:
    plan = None if predicted is None else parse_plan(predicted)
    return score_plan(PROBLEM, plan, parse_plan(gold))


def test_the_gold_plan_is_perfect() -> None:
    perfect = score(GOLD)
    assert perfect.good
    assert perfect.same_needs
    figures = (perfect.needs_f1, perfect.rouge_l, perfect.line_rouge_l, perfect.count_error)
    assert figures == (1.0, 1.0, 1.0, 0)


def test_independent_lines_may_come_in_either_order() -> None:
    swapped = score(
        "#1 How many of the 9 plums does Ben have?\n#2 How many pears does Ana have?\n"
        "#3 How much fruit have Ana and Ben? <- #1 #2"
    )
    assert (swapped.needs_f1, swapped.line_rouge_l, swapped.good) == (1.0, 1.0, True)


@pytest.mark.parametrize(
    ("predicted", "fault"),
    [
        ("atomic", "split_right"),
        ("#1 How many pears does Ana have?\n#2 How much fruit have Ana and Ben? <- #1", "alike"),
        (GOLD.replace("Ben have?", "Anna have?"), "grounded"),
        (GOLD.replace("the 9 plums", "the plums"), "complete"),
        (
            "#1 How much fruit have Ana and Ben?\n#2 How much fruit have Ana and Ben? <- #1\n"
            "#3 How much fruit have Ana and Ben? <- #2",
            "distinct",
        ),
    ],
)
def test_a_plan_with_a_fault_is_not_good(predicted: str, fault: str) -> None:
    found = score(predicted)
    assert not getattr(found, fault)
    assert not found.good


def test_a_plan_that_could_not_be_read_is_wrong_in_every_way() -> None:
    none = score(None)
    assert (none.valid, none.split_right, none.good, none.rouge_l) == (False, False, False, 0.0)
    whole = score(None, gold="atomic")
    assert not whole.split_right, "silence is no decision to leave it whole"
    assert not any((whole.same_needs, whole.complete, whole.alike))
    assert not any((none.grounded, none.distinct))
    assert (whole.needs_f1, whole.rouge_l, whole.line_rouge_l) == (0.0, 0.0, 0.0)


def test_of_a_task_of_plans_what_could_not_be_read_is_no_atomic_plan() -> None:
    item = Item("1", "Who directed Jaws?", gold_plan=Plan())
    job = Job(System("plan", "m", "-"), "plans", item)
    for source, right in (("model", True), ("undivided", False)):
        result = {"answer": None, "status": "ok", "plan": [], "plan_source": source}
        scored = sample_of(job, result, lambda *_: {}, 1.0)["plan_score"]
        assert (scored["split_right"], scored["same_needs"], scored["valid"]) == (right,) * 3


def test_a_repaired_plan_is_not_valid() -> None:
    plan = parse_plan(GOLD)
    assert not score_plan(PROBLEM, plan, plan, valid=False).good


def test_two_atomic_plans_agree() -> None:
    both = score_plan("Hello!", Plan(), Plan())
    assert (both.good, both.needs_f1, both.rouge_l, both.line_rouge_l) == (True, 1.0, 1.0, 1.0)


def test_wrong_needs_cost_f1() -> None:
    chain = score(GOLD.replace("<- #1 #2", "<- #2"))
    assert not chain.same_needs
    assert chain.needs_f1 == pytest.approx(2 / 3)


def test_rouge_l_is_that_of_the_definition() -> None:
    # Lin (2004), section 3.1: LCS of 3 in 4 and 4 words; of 2 for the third.
    assert rouge_l("police kill the gunman", "police killed the gunman") == 0.75
    assert rouge_l("the gunman kill police", "police killed the gunman") == 0.5
    assert rouge_l("", "") == 1.0
    assert rouge_l("a", "") == 0.0


def test_every_metric_has_an_interval_around_it() -> None:
    measured = measure_plans([score(GOLD), score("atomic"), score(None)])
    assert measured["good"].value == pytest.approx(1 / 3)
    assert measured["count error"].value == -2
    assert all(m.low <= m.value <= m.high and m.n == 3 for m in measured.values())


def test_two_plans_with_one_mark_are_not_certain() -> None:
    needs = measure_plans([score(GOLD)] * 2)["needs F1"]
    assert (needs.value, needs.high) == (1.0, 1.0)
    assert needs.low < 0.5


def test_wilson_agrees_with_published_values() -> None:
    # Newcombe (1998), table I: 81 of 263, and 0 of 20.
    some, none = wilson(81, 263), wilson(0, 20)
    assert (round(some.low, 4), round(some.high, 4)) == (0.2553, 0.3662)
    assert (none.low, round(none.high, 4)) == (0.0, 0.1611)
    assert wilson(0, 0).high == 1.0


def test_the_bootstrap_is_deterministic_and_covers_the_mean() -> None:
    draw = random.Random(1)
    values = [draw.gauss(5, 1) for _ in range(100)]
    first = bootstrap_mean(values)
    assert first == bootstrap_mean(values)
    assert first.low < first.value < first.high
    assert first.high - first.low == pytest.approx(2 * 1.96 * 0.1, rel=0.25)


def test_pairing_takes_what_is_common_out_of_a_difference() -> None:
    noisy = [0.0, 0.5, 0.9, 0.2] * 25
    better = [value + 0.1 + 0.002 * (k % 3 - 1) for k, value in enumerate(noisy)]
    found = paired_difference(noisy, better)
    assert 0.099 < found.low < found.high < 0.101


def test_ten_alike_pairs_are_not_certain() -> None:
    alike = paired_difference([2 / 3] * 10, [2 / 3] * 10)
    assert alike.low < -0.2 < alike.value == 0 < 0.2 < alike.high
    assert paired_difference([0, 1] * 5, [0, 1] * 5).high > 0.1
    assert mean([2 / 3] * 10).low < 0.5
    assert paired_difference([0.5], [1.0]).low < 0
    with pytest.raises(ValueError, match="shorter|longer"):
        paired_difference([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("18", "18", True),
        ("$1,800", "1800", True),
        ("1800.00", "1800", True),
        ("-3", "-3", True),
        ("3", "-3", False),
        ("12.75", "12", False),
        ("18 dollars", "18", True),
        ("18%", "18", True),
        ("20%", "0.2", True),
        ("20%", "2", False),
        ("She needs 3 dozen eggs.", "3", True),
        ("18\n3 * 6 = 18", "18", True),
        ("18: 6 per bag", "18", True),
        ("-18, 6 less than before", "-18", True),
        ("1/2 cup", "1", False),
        ("12 and then 18", "18", False),
        ("none", "0", False),
        (None, "0", False),
    ],
)
def test_answers_are_compared_as_exact_numbers(answer: str | None, gold: str, right: bool) -> None:
    assert is_right(answer, Fraction(gold)) is right


def test_original_files_are_read_and_answered(tmp_path: Path) -> None:
    gsm = {"question": "Ana has 4 bags with 6 pears each. How many pears?", "answer": "x\n#### 24"}
    (tmp_path / "gsm.jsonl").write_text(json.dumps(gsm) + "\n")
    svamp = {"ID": "c-1", "Body": "Ana had 9 pears and ate 4", "Question": "How many are left?"}
    (tmp_path / "svamp.json").write_text(json.dumps([svamp | {"Answer": 5.0}]))
    items = read_numeric("gsm8k", tmp_path / "gsm.jsonl")
    items += read_numeric("svamp", tmp_path / "svamp.json")
    assert [item.answer for item in items] == [24, 5]
    assert items[1].question == "Ana had 9 pears and ate 4. How many are left?"
    found = compare(items)
    assert set(found.accuracy) == {"direct", "dag"}
    assert all(share.n == 2 for share in found.accuracy.values())
    right = [[a.right for a in found.answers[name]] for name in ("direct", "dag")]
    assert found.difference.value == (sum(right[1]) - sum(right[0])) / 2


def test_a_file_in_another_format_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"question": 1}')
    for name in ("gsm8k", "svamp"):
        with pytest.raises(UserError, match="check the file"):
            read_numeric(name, tmp_path / "x.json")
        with pytest.raises(UserError, match="can't be read"):
            read_numeric(name, tmp_path / "missing.json")
