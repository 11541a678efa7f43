"""The paper's tables, run with models of one's own: here one server that plays several."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.cli.main import main
from langgraph_decompose.evals.experiments import experiment_names, load_experiment
from langgraph_decompose.testing import LatencyServer

ROWS = 4


def reply(prompt: str, body: dict[str, Any]) -> str:
    """A large model is right with a plan and half the time without, a small one never."""
    number = int(next(word for word in prompt.split() if word.isdigit()))
    plan = f"#1 What is {number} ?\n#2 What is twice #1? <- #1"
    if "#1 What" in prompt:
        return f"#1 {number}\n#2 {2 * number}\nAnswer: {2 * number + (body['model'] == 'small')}"
    if "subquestions" in body["messages"][0]["content"]:
        return plan
    return str(2 * number + (body["model"] == "small" or number % 2))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Rows of our own in GSM8K's format."""
    (tmp_path / "gsm8k").mkdir()
    rows = [{"question": f"Take {n} . What is twice that?", "answer": f"So it is {2 * n}\n"
             f"#### {2 * n}"} for n in range(1, ROWS + 1)]  # fmt: skip
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "gsm8k" / "test.jsonl").write_text(text)
    return tmp_path


def test_a_table_is_printed_beside_the_published_one(data: Path, capsys: Any) -> None:
    out = data / "out"
    with LatencyServer(reply) as server:
        url = server.url.replace("//", "//me:secret@")
        models = [f"{name}=openai:{name}@{url}" for name in ("large", "small")]
        arguments = ["eval", "table1", "--model", *models, "--data", str(data), "--out", str(out)]
        assert main([*arguments, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    accuracy = {row["system"]: row["metrics"]["flexible"]["value"] for row in summary["systems"]}
    assert len(accuracy) == 6  # Rows with distilled models weren't run.
    assert {row["task"] for row in summary["systems"]} == {"gsm8k"}  # The other sets aren't there.
    assert (out / "table1.md").stat().st_mode & 0o777 == 0o600
    lines = (out / "table1.md").read_text().splitlines()
    assert "secret" not in "".join(lines)
    table = [line for line in lines if line.startswith("|")][2:]
    assert len(table) == len(load_experiment("table1").rows)
    assert "50" in table[0]
    assert "[20.32]" in table[0].replace("(", "[").replace(")", "]")
    assert "100" in table[2]
    assert "65.13" in table[2]
    assert "67.78" in table[8]
    assert any("large is GPT-3.5-Turbo" in line for line in lines)


@pytest.mark.parametrize("name", experiment_names())
def test_every_table_can_be_read_and_has_a_figure_in_every_row(name: str) -> None:
    table = load_experiment(name)
    assert table.rows
    assert all(row.published for row in table.rows)
    systems = table.systems(dict.fromkeys(table.roles, "bundled"))
    assert systems.keys() == set(table.tasks)


def test_step_by_step_is_self_ask() -> None:
    systems = load_experiment("table6").systems({"large": "openai:large"})["gsm8k"]
    assert [system.strategy for system in systems] == ["static", "dynamic"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "huge=bundled"], "has no role 'huge'; its roles are"),
        ([], "needs models: --model ROLE=REF"),
        (["--model", "large"], "ROLE=REF"),
        (["--gate", "always"], "table1 can't be combined with --gate."),
    ],
)
def test_a_wrong_role_is_one_line(data: Path, capsys: Any, arguments: list[str], says: str) -> None:
    command = ["eval", "table1", *arguments, "--data", str(data), "--out", str(data / "out")]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert says in told
    assert "Traceback" not in told
