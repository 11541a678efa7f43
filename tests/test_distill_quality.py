"""The quality table of a model file: every role measured against gold examples."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose import bundled_model_path
from langgraph_decompose.distill.check import quality_table as quality_table_module
from langgraph_decompose.distill.check.model_card import table
from langgraph_decompose.distill.check.predict import (
    open_file,
    predict,
    solve_steps,
)
from langgraph_decompose.distill.check.quality import (
    by_metric,
    main,
    numeric_items,
    quality,
    side_by_side,
    step_rows,
)
from langgraph_decompose.distill.check.quality_table import quality_table
from langgraph_decompose.distill.generate import generate
from langgraph_decompose.distill.records import Example, write_examples
from langgraph_decompose.distill.train.samples import samples
from langgraph_decompose.errors import UserError
from langgraph_decompose.evals.end_to_end import Item
from langgraph_decompose.nodes.calls import Call
from langgraph_decompose.nodes.replies import Reply
from langgraph_decompose.nodes.usage import no_usage
from langgraph_decompose.plan import ancestors

MODEL, SOLVER = Path(bundled_model_path()), Path(bundled_model_path("solver"))
PEARS = Example(
    id="pears",
    question="Ana has 4 bags with 6 pears each and eats 3 pears. How many pears are left?",
    plan=(
        {
            "id": 1, "text": "How many pears are in the bags?", "needs": [],
            "expr": "4*6", "answer": "24",
        },
        {
            "id": 2, "text": "How many pears are left?", "needs": [1],
            "expr": "#1-3", "answer": "21",
        },
    ),
    answer="21",
)  # fmt: skip
HELLO = Example(id="hello", question="Good morning!", answer="")


def test_every_role_is_measured() -> None:
    item = Item("1", PEARS.question, Fraction(21))
    rows = quality(MODEL, {"own": [PEARS, HELLO]}, {"pears": [item]}, solver=SOLVER)
    found = {(row.dataset, row.metric): row.figure for row in rows}
    assert found["own", "good"].n == 2
    assert found["own", "step right"].n == 2, "a line with an expression is a step"
    assert found["pears", "dag right"].n == 1
    assert ("pears", "dag - direct") in found
    assert "| good |" in table(by_metric(rows))


def test_a_limit_holds_for_every_set() -> None:
    rows = quality(MODEL, {"own": [HELLO, PEARS]}, {}, limit=1)
    assert {row.figure.n for row in rows} == {1}
    assert not any(row.metric.startswith("step") for row in rows), "no line, no step"


def test_steps_get_the_gold_answers_that_they_need() -> None:
    with open_file(SOLVER) as asked:
        steps = list(solve_steps(asked, [PEARS]))
    assert len(steps) == 2
    right = [row.figure.value for row in step_rows("own", steps) if row.metric == "step right"]
    assert right == [sum(step.right for step in steps) / 2]


def test_steps_are_asked_as_in_training() -> None:
    alone = replace(PEARS, plan=({**PEARS.plan[0], "text": PEARS.question},))
    unanswered = replace(PEARS, plan=({"id": 1, "text": "A?", "needs": []}, PEARS.plan[1]))
    asked: list[str] = []
    with open_file(SOLVER) as file:

        def asking(call: Call, config: Any) -> Reply:
            asked.append(call.messages[-1]["content"])
            return file.asking(call, config)

        examples = [alone, unanswered, PEARS]
        list(solve_steps(replace(file, asking=asking), examples))
    learned = [s.messages[-1]["content"] for e in examples for s in samples(e, "solver")]
    assert asked == learned


@pytest.mark.parametrize("answer", ["24", "24 pears", "$24", "24%"])
def test_a_gold_answer_may_have_words(answer: str) -> None:
    def asking(call: Call, config: Any) -> Reply:
        return Reply("4*6", cut_off=False, usage=no_usage("solver", "solve", 0, 0.0))

    row = {**PEARS.plan[0], "answer": answer}
    with open_file(SOLVER) as file:
        [step] = solve_steps(replace(file, asking=asking), [replace(PEARS, plan=(row,))])
    assert step.right


def test_needs_are_followed_back_to_the_first_line() -> None:
    rows = [{"id": k, "text": f"Line {k}?", "needs": needs} for k, needs in [(1, []), (2, [1])]]
    last = {"id": 3, "text": "Line 3?", "needs": [2]}
    example = Example.from_row({"id": "x", "question": "Q?", "plan": [*rows, last]})
    assert ancestors(example.to_plan(), 3) == (1, 2)


def test_a_question_too_long_for_the_file_counts_as_no_plan() -> None:
    long = Example(id="long", question="How many pears? " * 2000)
    with open_file(MODEL) as asked:
        [found] = predict(asked, [long])
    assert found.plan is None
    assert not found.score.valid
    assert "no plan" in side_by_side([found])


def test_predictions_do_not_depend_on_what_was_asked_before() -> None:
    with open_file(MODEL) as asked:
        alone = [str(found.plan) for found in predict(asked, [PEARS])]
        after = [str(found.plan) for found in predict(asked, [HELLO, PEARS, HELLO])]
    assert alone == [after[1]]


def test_only_plain_questions_with_a_number_are_answered_end_to_end() -> None:
    passage = Example(id="p", question="How many?", context="Ana has 3 pears.", answer="3")
    assert [item.answer for item in numeric_items([PEARS, HELLO, passage])] == [21]


def test_the_command_prints_plans_to_read_and_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_examples(tmp_path / "own.jsonl", [PEARS])
    out = tmp_path / "figures.json"
    main([str(MODEL), str(tmp_path / "own.jsonl"), "--show", "1", "--json", str(out)])
    printed = capsys.readouterr().out
    assert "gold:\n    #1 How many pears are in the bags?" in printed
    assert "| metric | own |" in printed
    assert {"dataset", "metric", "figure"} == set(json.loads(out.read_text())[0])


def test_sets_of_one_name_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / "a" / "dev.jsonl", tmp_path / "b" / "dev.jsonl"]
    for file in files:
        file.parent.mkdir()
        write_examples(file, [HELLO])
    main([str(MODEL), *map(str, files)])
    assert f"| metric | {files[0]} | {files[1]} |" in capsys.readouterr().out


def test_a_file_without_contract_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.gguf").write_bytes(b"no model")
    with pytest.raises(UserError, match="GGUF"):
        quality(tmp_path / "no.gguf", {}, {})


def test_the_sets_of_a_recipe_are_measured_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [*generate(30, 5, {"compare": 1})]
    sets = {"sums": [PEARS, HELLO], "names": rows[:7], "more": rows[7:]}
    files = {name: tmp_path / f"{name}.jsonl" for name in sets}
    for name, examples in sets.items():
        write_examples(files[name], examples)
    said: list[str] = []
    monkeypatch.setattr(quality_table_module, "_MANY", 1)
    found = quality_table(MODEL, files, 5, tmp_path / "measured", said.append)
    assert said[-1] == "measuring on 3 held-out sets: 3 are done"
    monkeypatch.setattr(quality_table_module, "_MANY", 1000)
    assert found == quality_table(MODEL, files, 5, tmp_path / "alone")
    good = next(row for row in found if row["metric"] == "good")
    assert [name for name in good if name != "metric"] == ["sums", "names", "more"]
    assert good["more"].endswith("; 5)"), "the limit holds for each"
    said.clear()
    assert quality_table(MODEL, files, 5, tmp_path / "measured", said.append) == found
    assert not said, "it is measured once"
