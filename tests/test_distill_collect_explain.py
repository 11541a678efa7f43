"""Plans worded by a teacher that sees the reference solution."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from langgraph_decompose.distill.collect.collect import CollectSettings, collect
from langgraph_decompose.distill.records import read_examples
from langgraph_decompose.errors import UserError
from langgraph_decompose.testing import LatencyServer

pytest.importorskip("langchain_openai")

QUESTION = "Natalia sold 48 clips in April and half as many in May. How many did she sell?"
SOLUTION = "In May she sold 48/2 = <<48/2=24>>24 clips.\nTogether that is <<48+24=72>>72."
PLAN = "#1 How many clips did Natalia sell in May?\n#2 How many did she sell in all? <- #1"


def collected(path: Path, server: LatencyServer, explain: bool) -> None:
    row = {"id": "a", "question": QUESTION, "answer": f"{SOLUTION}\n#### 72"}
    questions = path / "questions.jsonl"
    questions.write_text(json.dumps(row) + "\n")
    settings = CollectSettings(f"openai:any@{server.url}", str(questions), explain=explain)
    collect(settings, path / "out")


def test_the_teacher_is_shown_the_solution_and_asked_for_its_plan(tmp_path: Path) -> None:
    with LatencyServer(lambda *_: PLAN) as server:
        collected(tmp_path, server, explain=True)
    [call] = server.calls
    assert "the plan that this solution follows" in call.prompt
    assert f"Worked solution:\n{SOLUTION}\n\n{QUESTION}" in call.prompt
    [example] = read_examples(tmp_path / "out" / "examples.jsonl")
    assert [line["needs"] for line in example.plan] == [[], [1]]
    assert (example.question, example.context, example.answer) == (QUESTION, "", "72")


def test_otherwise_the_solution_stays_unseen(tmp_path: Path) -> None:
    with LatencyServer(lambda *_: PLAN) as server:
        collected(tmp_path, server, explain=False)
    [call] = server.calls
    assert "48/2" not in call.prompt
    assert "72" not in call.prompt


def refused(path: Path, questions: Path, **options: bool) -> str:
    with LatencyServer(lambda *_: PLAN) as server:
        settings = CollectSettings(f"openai:any@{server.url}", str(questions), **options)
        with pytest.raises(UserError) as caught:
            collect(settings, path / "out")
    assert not server.calls
    return str(caught.value)


def test_without_any_solution_there_is_nothing_to_explain(tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"question": QUESTION, "answer": "72"}))
    assert "has no worked solutions to explain" in refused(tmp_path, questions, explain=True)


@pytest.mark.parametrize("name", ["questions.csv", "questions.json"])
def test_questions_in_another_format_are_refused_with_the_one_that_is_read(
    name: str, tmp_path: Path
) -> None:
    row = {"question": QUESTION}
    (tmp_path / name).write_text(json.dumps([row]) if "json" in name else f"question\n{QUESTION}\n")
    assert "is no JSONL" in refused(tmp_path, tmp_path / name)
