"""A user's own questions: each gold answer is judged as what it is, and read as models write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.errors import UserError
from langgraph_decompose.evals.metrics import score
from langgraph_decompose.evals.task_files import load_items, load_task


def judged(folder: Path, golds: list[Any], prediction: str) -> float:
    """The first mark of a prediction for the first of the gold answers of a file."""
    path = folder / "mine.jsonl"
    rows = [{"id": str(k), "question": "Q?", "answer": gold} for k, gold in enumerate(golds)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = load_task(path)
    item = next(item for item in load_items(task) if item.id == "0")
    return score(task.scoring, prediction, item.gold)[task.metric]


@pytest.mark.parametrize(
    ("golds", "prediction", "right"),
    [
        ([1.2, "Ulm"], "The answer is: 12", 0),
        ([1.2, "Ulm"], "The answer is: 1.20", 1),
        ([-8, "Ulm"], "8", 0),
        (["1/2", "Ulm"], "That is 0.5.", 1),
        (["-1,800/8", "Ulm"], "-225", 1),
        (["24/12/1999", "Ulm"], "1999", 0),
        (["Ulm", 3], "in the town of Ulm", 0.4),
        ([["12", "a dozen"], "Ulm"], "A dozen.", 1),
        ([True, False], "True.", 1),
        ([True, "Ulm"], "True.", 1),
        (["True", "FALSE"], "Yes", 1),
        ([False, "Ulm"], "Yes", 0),
        (["12.5%"], "The answer is: 125%", 0),
        (["12.5 %", "Ulm"], "That is 12.5 percent.", 1),
        (["3.5 km"], "35 km", 0.5),
        (["3.5 km"], "The answer is: 3.5 km.", 1),
        (["-5 °C"], "5 °C", 0.5),
        (["-5 °C"], "−5 °C", 1),
        (["$1,800.50 each"], "$1800.50 each", 1),
        (["3:30 pm", "Ulm"], "330 pm", 0.5),
        (["2004-05"], "2004-05", 1),
        (["24.12.1999"], "24/12/1999", 1),
        (["1,800,000 km"], "1.800.000 km", 1),
        (["3.5 km"], "Answer:3.5 km", 1),
    ],
)
def test_each_gold_answer_is_judged_as_what_it_is(
    tmp_path: Path, golds: list[Any], prediction: str, right: float
) -> None:
    assert judged(tmp_path, golds, prediction) == pytest.approx(right, abs=0.1)


@pytest.mark.parametrize(
    ("scoring", "prediction", "gold", "right"),
    [
        ("squad", "The answer is Paris.\n\nI hope this answer is helpful!", "Paris", 1),
        ("squad", "So your answer is Paris", "Paris", 1),
        ("squad", "If both films are compared the answer is Jaws", "Jaws", 1),
        ("letter", "The answer is B (B)", "B", 1),
        ("numeric", "3/4 /", "0.75", 1),
        ("numeric", r"The answer is $4 \times 5 = 20$.", "20", 1),
        ("numeric", r"The answer is \(4 \cdot 5 = 20\).", "20", 1),
        ("numeric", r"So \boxed{20 \div 4 = 5}.", "5", 1),
        ("numeric", r"The answer is 18 \times 2", "18", 1),
        ("numeric", "#### 20% * 2^3 = 1.6", "1.6", 1),
        ("numeric", "The answer is 4 · 5 = 20", "20", 1),
        ("numeric", "#### 18\nLet me know if my answer is unclear.", "18", 1),
        ("numeric", "If each has 3, the answer is 9.", "9", 1),
        ("squad", r"\boxed{\text{Paris}}", "Paris", 1),
        ("yes_no", r"\boxed{\mathrm{Yes}}", "yes", 1),
        ("letter", r"\boxed{\textbf{B}}", "B", 1),
        ("numeric", "The answer is 3/4", "3", 0),
        ("numeric", "The answer is 3/4 of it.", "0.75", 1),
        ("numeric", r"\boxed{\frac{1}{2}}", "0.5", 1),
        ("numeric", "Answer: 18/2 = 9", "9", 1),
        ("numeric", "It was 24/12/1999", "1999", 1),
        ("numeric", "1\u202f234", "1234", 1),
        ("numeric", "1 234", "234", 1),  # two numbers, maybe
        ("numeric", "The answer is negative 5", "-5", 1),
        ("numeric", "a non-negative 5", "5", 1),
        ("letter", "The answer is B 36", "B", 1),
        ("letter", "The answer is B (36)", "B", 1),
        ("letter", "The correct option is B.", "B", 1),
        ("letter", "A, B", "A", 0),
        ("letter", "A 36 km ride, so (B).", "B", 1),
        ("squad", "the “Sun” of Jos\u00e9’s", "sun of Jose\u0301s", 1),
    ],
)
def test_answers_are_read_as_models_write_them(
    scoring: str, prediction: str, gold: str, right: int
) -> None:
    found = score(scoring, prediction, [gold])
    assert found["em" if scoring == "squad" else "accuracy"] == right


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"question": "Q?", "answer": NaN}', "nan is no answer"),
        ('{"question": "Q?", "answer": 1e400}', "inf is no answer"),
        ('{"question": "Q?", "plan": "foo"}', "'plan' is no list of lines"),
        ('{"question": "Q?", "plan": ["foo"]}', "'plan' is no list of lines"),
    ],
)
def test_what_is_no_answer_or_plan_is_told(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "mine.jsonl").write_text(row + "\n")
    with pytest.raises(UserError, match=f"mine.jsonl:1: {message}; check the file"):
        load_task(tmp_path / "mine.jsonl")


def test_answers_that_are_null_leave_the_answer(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text('{"question": "Q?", "answers": null, "answer": 5}\n')
    [item] = load_items(load_task(tmp_path / "mine.jsonl"))
    assert item.gold == ["5"]


def test_an_id_that_is_another_row_s_number_is_explained(tmp_path: Path) -> None:
    rows = '{"id": "1", "question": "A?", "answer": 5}\n{"question": "B?", "answer": 5}\n'
    (tmp_path / "mine.jsonl").write_text(rows)
    with pytest.raises(UserError, match="maybe since a row without one goes by its number"):
        load_items(load_task(tmp_path / "mine.jsonl"))
