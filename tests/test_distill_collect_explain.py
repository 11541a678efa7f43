"""Plans worded by a teacher that sees the reference solution."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from langgraph_decompose.distill.collect.collect import CollectSettings, collect
from langgraph_decompose.distill.records import read_examples
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
