"""The bundled models on real problems through the command: any answer, but never a crash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from langgraph_decompose import Plan
from langgraph_decompose.cli.main import main

from .conftest import shared


def test_50_real_problems_give_50_valid_plans(capsys: pytest.CaptureFixture[str]) -> None:
    items = json.loads(Path(shared("data/svamp/SVAMP.json")).read_text())[:50]
    for item in items:
        code = main(["ask", f"{item['Body'].strip()}. {item['Question']}", "--json"])
        result = json.loads(capsys.readouterr().out)
        assert code == {"ok": 0, "partial": 3, "failed": 1}[result["status"]]
        assert Plan.from_rows(result["plan"], final="last").to_rows() == result["plan"]
        assert result["plan_source"] == "model"
        assert sum(row["input_tokens"] for row in result["usage"]) > 0


@pytest.mark.parametrize(
    "flags",
    [
        ["--strategy", "attempt_first"],
        ["--strategy", "escalate"],
        ["--strategy", "recursive"],
        ["--strategy", "sequential"],
        ["--strategy", "self_consistency"],
        ["--gate", "disagreement"],
        ["--gate", "always"],
        ["--gate", "never"],
    ],
    ids=" ".join,
)
def test_every_way_that_the_bundled_models_can_go_ends_on_real_problems(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    items = json.loads(Path(shared("data/svamp/SVAMP.json")).read_text())[50:60]
    for item in items:
        asked = f"{item['Body'].strip()}. {item['Question']}"
        code = main(["ask", asked, "--json", "--no-save", *flags])
        result = json.loads(capsys.readouterr().out)
        assert code == {"ok": 0, "partial": 3, "failed": 1}[result["status"]]
        Plan.from_rows(result["plan"], final="last")
        told = sum(node["calls"] for node in result["trace"]["nodes"])
        assert told == sum(row["calls"] for row in result["usage"]) > 0
        assert (result["answer"] is None) == (result["status"] == "failed")
