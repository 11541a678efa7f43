"""summary.json from samples: what is counted, what is compared, where steps go wrong."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.errors import UserError
from langgraph_decompose.evals.comparing import sentence
from langgraph_decompose.evals.plans import PlanScore, measure_plans
from langgraph_decompose.evals.steps import first_wrong, label_steps, same_answer
from langgraph_decompose.evals.summary import read_samples, summarise
from langgraph_decompose.plan import parse_plan

from .report_samples import ABOUT, TASKS, sample, samples, write_samples


def summary_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return summarise(rows, tasks=TASKS, about=ABOUT, command="decompose eval svamp", seed=0)


def rows_of(strategy: str, count: int = 20, **changes: Any) -> list[dict[str, Any]]:
    draw = random.Random(strategy)
    return [sample("svamp", strategy, k, draw) | changes for k in range(count)]


def answered(strategy: str, right: Iterable[bool], tokens: int, **changes: Any) -> list[Any]:
    """Rows with given marks and tokens."""
    usage = [{"role": "solver", "model": "m", "calls": 1, "input_tokens": tokens,
              "output_tokens": 0, "seconds": 0.1, "cost": None}]  # fmt: skip
    return [
        row | {"failed": False, "metrics": {"accuracy": float(mark)}, "usage": usage} | changes
        for row, mark in zip(rows_of(strategy, 40), right, strict=True)
    ]


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    return summary_of(samples(60))


def test_the_summary_is_plain_json_with_everything_that_the_run_was(
    summary: dict[str, Any],
) -> None:
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert (summary["version"], summary["command"], summary["seed"]) == (
        1,
        "decompose eval svamp",
        0,
    )
    assert (summary["tasks"], summary["about"]) == (TASKS, ABOUT)
    assert [row["task"] for row in summary["systems"]] == ["svamp"] * 4 + ["drop"] * 4


def test_a_failed_sample_is_counted_apart_and_as_zero() -> None:
    rows = rows_of("direct", 4, failed=False, metrics={"accuracy": 1.0})
    rows[0] |= {"failed": True, "metrics": {}, "answer": None}
    [system] = summary_of(rows)["systems"]
    assert (system["n"], system["failures"]) == (4, 1)
    assert system["metrics"]["accuracy"]["value"] == 0.75
    assert system["metrics"]["accuracy"]["n"] == 4


def test_a_system_that_always_failed_has_a_mark_too() -> None:
    rows = rows_of("direct", 3, failed=True, metrics={})
    [system] = summary_of(rows)["systems"]
    assert system["metrics"]["accuracy"]["value"] == 0.0


def test_a_mark_that_some_items_do_not_have_is_the_mean_of_the_others() -> None:
    rows = rows_of("direct", 4, failed=False, metrics={"accuracy": 1.0})
    rows[0]["metrics"] = {"accuracy": 0.0, "hard": 1.0}
    [system] = summary_of(rows)["systems"]
    assert (system["metrics"]["hard"]["value"], system["metrics"]["hard"]["n"]) == (1.0, 1)


def test_usage_is_summed_by_role_and_model_and_what_is_unknown_stays_unknown() -> None:
    rows = rows_of("dag", 3)
    [system] = summary_of(rows)["systems"]
    assert [(part["role"], part["calls"]) for part in system["by_role"]] == [
        ("decomposer", 3),
        ("solver", 6),
    ]
    assert system["calls"] == 9
    assert system["seconds"] == pytest.approx(1.5)
    assert system["cost"] == 0.0
    rows[1]["usage"][1] |= {"cost": None, "output_tokens": None}
    [system] = summary_of(rows)["systems"]
    assert (system["cost"], system["output_tokens"]) == (None, None)
    assert system["input_tokens"] > 0


def test_plans_are_measured_where_there_is_a_decomposer(summary: dict[str, Any]) -> None:
    direct, *_, dag = summary["systems"][:4]
    assert direct["plans"] == {}
    assert 0.8 < dag["plans"]["valid"]["value"] <= 1.0
    split = 1 - dag["plans"]["atomic"]["value"]
    assert 0.5 < split < 1.0
    assert dag["plans"]["lines"]["value"] == pytest.approx(2 * split)
    assert dag["plans"]["split right"]["value"] == pytest.approx(split)


def test_plans_have_the_same_figures_with_and_without_gold_plans() -> None:
    rows = rows_of("dag", 40)
    [measured] = [system["plans"] for system in summary_of(rows)["systems"]]
    [bare] = [s["plans"] for s in summary_of(row | {"plan_score": None} for row in rows)["systems"]]
    assert list(bare) == ["valid", "atomic", "depth", "width", "lines"]
    assert bare == {name: measured[name] for name in bare}
    scores = [PlanScore(**row["plan_score"]) for row in rows if not row["failed"]]
    named = measure_plans(scores)
    assert measured.keys() == {*named, "lines"}
    assert {name: figure["value"] for name, figure in measured.items() if name in named} == {
        name: figure.value for name, figure in named.items()
    }


def test_plans_of_failed_samples_are_not_measured() -> None:
    rows = rows_of("dag", 20, failed=False)
    rows[0] |= {"failed": True, "metrics": {}, "answer": None, "plan_score": None}
    [system] = summary_of(rows)["systems"]
    assert {figure["n"] for figure in system["plans"].values()} == {19}


def test_answers_with_gaps_are_judged_and_counted() -> None:
    rows = rows_of("dag", 4, failed=False, answer="1", metrics={"accuracy": 1.0})
    rows[0]["status"], rows[1]["status"] = "partial", "budget_exhausted"
    rows[2] |= {"failed": True, "metrics": {}, "answer": None, "status": "budget_exhausted"}
    [system] = summary_of(rows)["systems"]
    assert (system["failures"], system["partial"]) == (1, 2)
    assert system["metrics"]["accuracy"]["value"] == 0.75


def test_the_first_system_and_each_solver_s_baselines_are_compared(
    summary: dict[str, Any],
) -> None:
    pairs = [
        (row["first"].split(" ")[0], row["second"].split(" ")[0])
        for row in summary["comparisons"]
        if row["task"] == "svamp" and not row["mixture"]
    ]
    assert pairs == [
        ("direct", "cot"),
        ("direct", "self_consistency"),
        ("direct", "dag"),
        ("cot", "dag"),
        ("self_consistency", "dag"),
    ]


def test_baselines_of_another_solver_are_no_baselines() -> None:
    other = rows_of("cot", solver="gguf:b", system="cot · gguf:b")
    found = summary_of([*rows_of("direct"), *other, *rows_of("dag")])["comparisons"]
    assert ("cot · gguf:b", "dag · bundled · bundled") not in {
        (row["first"], row["second"]) for row in found
    }


def test_systems_are_compared_by_the_task_s_own_metric(summary: dict[str, Any]) -> None:
    metrics = {
        (row["task"], row["metric"], row["test"])
        for row in summary["comparisons"]
        if not row["mixture"]
    }
    assert metrics == {("svamp", "accuracy", "McNemar"), ("drop", "f1", "sign flips")}


def test_all_comparisons_are_corrected_together(summary: dict[str, Any]) -> None:
    found = summary["comparisons"]
    surest = min(found, key=lambda row: row["p"])
    assert surest["p_adjusted"] == pytest.approx(min(1, len(found) * surest["p"]))


def test_at_equal_tokens_a_toss_between_two_baselines_is_what_has_to_be_beaten() -> None:
    """Half the questions at 10 tokens, half at 110, cost 60: as much as dag does."""
    halves = [k % 2 == 0 for k in range(40)]
    rows = [
        *answered("direct", [False] * 40, 10),
        *answered("self_consistency", halves, 110),
        *answered("dag", [True] * 40, 60),
    ]
    [equal] = [row for row in summary_of(rows)["comparisons"] if row["mixture"]]
    assert equal["mixture"] == {"direct · bundled": 0.5, "self_consistency · bundled": 0.5}
    assert equal["difference"]["value"] == pytest.approx(0.75)
    assert equal["verdict"] == "better"


def test_what_a_mixture_is_rounded_by_makes_no_item_better_or_worse() -> None:
    def marked(strategy: str, tokens: int, first: float = 0.0) -> list[Any]:
        rows = answered(strategy, [True] * 40, tokens)
        return [
            row | {"metrics": {"accuracy": k / 39 if k else first}} for k, row in enumerate(rows)
        ]

    for tokens in (33, 47, 79):
        rows = [
            *marked("direct", 10),
            *marked("self_consistency", 100, first=0.2),
            *marked("dag", tokens),
        ]
        [equal] = [row for row in summary_of(rows)["comparisons"] if row["mixture"]]
        assert (equal["wins"], equal["losses"]) == (0, 1)


def test_a_comparison_says_how_often_each_side_failed() -> None:
    rows = [
        *answered("direct", [False] * 40, 10),
        *answered("self_consistency", [True] * 40, 110),
        *answered("dag", [True] * 40, 60),
    ]
    for row in (rows[0], rows[1], rows[41], rows[80]):
        row |= {"failed": True, "metrics": {}, "answer": None}
    first, second, _, mixed = summary_of(rows)["comparisons"]
    assert "; direct · bundled failed on 2 of 40 items; self_consistency" in sentence(first)
    assert sentence(second, "direct", "dag").endswith(
        "; direct failed on 2 of 40 items; dag failed on 1 of 40 items."
    )
    assert (mixed["first_failed"], mixed["second_failed"]) == (2, 1), "item 1 failed in both"


def test_where_nothing_failed_nothing_is_said_of_it() -> None:
    rows = [*answered("direct", [True] * 40, 10), *answered("dag", [False] * 40, 10)]
    [found] = summary_of(rows)["comparisons"]
    assert "failed" not in sentence(found)


def test_without_token_counts_nothing_is_said_of_equal_tokens() -> None:
    rows = [*answered("direct", [True] * 40, 10), *answered("dag", [True] * 40, 60)]
    rows[0]["usage"] = [rows[0]["usage"][0] | {"input_tokens": None}]
    assert not [row for row in summary_of(rows)["comparisons"] if row["mixture"]]


def test_the_order_in_which_answers_came_changes_no_figure() -> None:
    rows = [*samples(30)]
    by_system = sorted(rows, key=lambda row: (row["task"] != "svamp", row["system"], row["id"]))
    mixed = sorted(rows, key=lambda row: (row["task"] != "svamp", row["system"], row["id"][::-1]))
    one, two = summary_of(by_system), summary_of(mixed)
    assert one["comparisons"] == two["comparisons"]
    for first, second in zip(one["systems"], two["systems"], strict=True):
        assert first["metrics"] == second["metrics"]


def test_texts_of_samples_are_not_kept(tmp_path: Path) -> None:
    text = "x" * 50_000
    path = write_samples(tmp_path / "s.jsonl", rows_of("direct", 300, context=text))
    assert path.stat().st_size > 15e6
    # What it imports counts otherwise, where no other test has come first.
    summary_of(read_samples(write_samples(tmp_path / "few.jsonl", rows_of("direct", 3))))
    tracemalloc.start()
    summary_of(read_samples(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


@pytest.mark.parametrize(
    "line",
    [
        *("{", "[]", "7", '{"system": "a", "task": "t"}', '{"a": ' * 5000, "\x00"),
        '{"system": "a", "task": "t", "id": "1", "metrics": {}, "seconds": 1, "usage": [{}]}',
    ],
)
def test_a_line_that_is_no_sample_is_named(tmp_path: Path, line: str) -> None:
    path = write_samples(tmp_path / "samples.jsonl", rows_of("direct", 2))
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UserError, match=r"samples.jsonl', line 3, is no sample"):
        list(read_samples(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be read: No such file"):
        list(read_samples(tmp_path / "samples.jsonl"))


# 6 bags of 4 make 24; 24 and 9 are 33; half of that is 16.5.
PLAN = parse_plan("#1 How many pears?\n#2 How much fruit? <- #1\n#3 How much is half? <- #2")
GOLD = {"1": "24", "2": "33", "3": "16.5"}


@pytest.mark.parametrize(
    ("given", "kinds", "depth"),
    [
        (["24", "33", "16.5"], ["right", "right", "right"], "none"),
        (["10", "19", "9.5"], ["local", "propagated", "propagated"], "1"),
        (["24", "34", "17"], ["right", "local", "propagated"], "2"),
        (["10", "33", "16.5"], ["local", "restored", "right"], "1"),
        (["24 pears", "$33.00", None], ["right", "right", "local"], "3"),
    ],
)
def test_steps_are_judged_by_what_they_were_given(
    given: list[str | None], kinds: list[str], depth: str
) -> None:
    answers = [{"id": k, "answer": answer} for k, answer in enumerate(given, 1)]
    labels = label_steps(PLAN, answers, GOLD)
    assert [*labels.values()] == kinds
    assert first_wrong(PLAN, labels) == depth


def test_a_step_whose_needs_have_no_known_answer_is_not_judged() -> None:
    answers = [{"id": k, "answer": "33"} for k in (1, 2, 3)]
    labels = label_steps(PLAN, answers, {"2": "33", "3": "33"})
    assert labels == {3: "right"}
    assert first_wrong(PLAN, labels) == "unknown", "the first may be wrong"


def test_a_failed_step_is_wrong_whatever_text_it_left() -> None:
    failed = [{"id": 1, "answer": "24", "status": "failed"}]
    assert label_steps(PLAN, failed, {"1": "24"}) == {1: "local"}


@pytest.mark.parametrize(
    ("answer", "gold", "same"),
    [
        (" Steven  Spielberg. ", "steven spielberg", True),
        ("Voyager 11", "Apollo 11", False),
        ("It is Ulm.", "Ulm", True),
        ("It's Ulm", "Ulm", True),
        ("The director of Jaws was Steven Spielberg.", "Steven Spielberg", True),
        ("He thought about it.\nThe answer is: Ulm", "Ulm", True),
        ("Life is Beautiful", "Life is Beautiful", True),
        ("It is not Ulm.", "Ulm", False),
        ("I don't know whether it is Ulm.", "Ulm", False),
        ("It is Ulm, in Germany.", "Ulm", False),
        ("2004-2006", "2004-2006", True),  # no number, though it could be calculated
        ("-2", "2004-2006", False),
        ("It was in 1998.", "1998", True),
        ("$1,800.00", "1800", True),
        ("12.75", "12", False),
        ("42, 6 per bag", "42", True),
        ("42%", "42", True),
        ("20%", "0.2", True),
    ],
)
def test_sub_answers_are_the_same_number_or_the_same_words(
    answer: str, gold: str, same: bool
) -> None:
    assert same_answer(answer, gold) is same


def test_kinds_of_steps_are_counted_where_the_gold_steps_are_known(
    summary: dict[str, Any],
) -> None:
    direct, *_, dag = summary["systems"][:4]
    assert "steps" not in direct
    assert set(dag["steps"]) <= {"right", "local", "propagated", "restored"}
    assert dag["steps"]["propagated"] <= dag["steps"]["local"]
    assert sum(dag["first_wrong"].values()) * 2 == sum(dag["steps"].values())


def test_of_steps_without_gold_ones_it_is_not_told_that_none_is_wrong() -> None:
    [dag] = summary_of(rows_of("dag", failed=False, gold_steps={"2": "0"}))["systems"]
    assert set(dag["first_wrong"]) == {"unknown"}
