"""`decompose batch` given again with another input: every result meets its own question."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.cli.main import main
from langgraph_decompose.testing import LatencyServer, ServerReply


@pytest.fixture
def server() -> Iterator[LatencyServer]:
    """A solver that repeats the line before the question: its context, if there is one."""

    def reply(prompt: str, body: dict[str, Any]) -> Any:
        if body["model"] == "broken":
            return ServerReply("gone", status=404)
        return " ".join(prompt.split()[-3:])

    with LatencyServer(reply) as served:
        yield served


class Batch:
    """The same command, time after time."""

    def __init__(self, server: LatencyServer, folder: Path) -> None:
        self.server, self.source, self.out = server, folder / "in.jsonl", folder / "out.jsonl"
        self.solver = "solver"

    def run(self, rows: list[Any], *flags: str) -> int:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        self.source.write_text("\n".join(lines) + "\n")
        solver = f"openai:{self.solver}@{self.server.url}"
        command = ["batch", str(self.source), "--out", str(self.out), "--strategy", "direct"]
        return main([*command, "--solver", solver, "--concurrency", "1", *flags])

    def results(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def answers(self) -> list[str | None]:
        return [row["answer"] for row in self.results()]


@pytest.fixture
def batch(server: LatencyServer, tmp_path: Path) -> Batch:
    return Batch(server, tmp_path)


def where(town: str, name: str = "") -> dict[str, str]:
    return {"question": "Where?", "context": f"In {town}.", **({"id": name} if name else {})}


def test_one_question_over_several_contexts_keeps_its_answers_when_rows_move(batch: Batch) -> None:
    first = [where("Ulm", "a"), "no JSON", where("Rome", "b"), where("Oslo", "c")]
    assert batch.run(first) == 3
    calls = len(batch.server.calls)
    before = {row.get("id"): row["answer"] for row in batch.results()}
    assert batch.run([first[0], *first[2:]], "--retry-failed") == 0
    assert {row["id"]: row["answer"] for row in batch.results()} == {
        name: before[name] for name in "abc"
    }
    assert batch.answers() == [f"In {town}. Where?" for town in ("Ulm", "Rome", "Oslo")]
    assert len(batch.server.calls) == calls


def test_of_rows_that_ask_the_same_each_has_a_result(batch: Batch) -> None:
    assert batch.run([where("Ulm")] * 3) == 0
    assert len(batch.answers()) == len(batch.server.calls) == 3
    assert len({row["key"] for row in batch.results()}) == 3


def test_an_interrupted_batch_goes_on_with_an_edited_input(batch: Batch, capsys: Any) -> None:
    rows = [where("Ulm"), where("Rome"), where("Oslo")]
    assert batch.run(rows, "--max-calls", "2") == 3
    capsys.readouterr()
    assert batch.run([where("Bern"), rows[1], rows[2]], "--json") == 0
    told = capsys.readouterr()
    assert "warning: 1 results are left out: the input has their questions no more" in told.err
    assert json.loads(told.out)["ok"] == 3
    assert len(batch.server.calls) == 2 + 2


@pytest.mark.parametrize("finished", [False, True])
def test_results_of_another_input_are_not_overwritten(
    batch: Batch, capsys: Any, finished: bool
) -> None:
    rows = [where("Ulm"), where("Rome")]
    batch.run(rows, *([] if finished else ["--max-calls", "1"]))
    assert batch.run([where("Oslo")], "--retry-failed") == 2
    assert "was begun with other questions; use the same" in capsys.readouterr().err
    assert batch.out.with_name(f"{batch.out.name}.part").exists() != finished
    assert batch.run(rows, "--retry-failed") == 0
    assert len(batch.server.calls) == 2


def test_nothing_answered_is_a_failure(batch: Batch) -> None:
    batch.solver = "broken"
    assert batch.run([where("Ulm"), where("Rome")]) == 1


def test_a_cost_that_nobody_knows_is_none(batch: Batch, capsys: Any) -> None:
    assert batch.run([where("Ulm")], "--json") == 0
    assert json.loads(capsys.readouterr().out)["cost"] is None


def test_an_id_that_json_has_no_word_for_is_refused(batch: Batch, capsys: Any) -> None:
    assert batch.run(['{"question": "Where?", "id": 1e400}', where("Ulm")]) == 3
    assert 'row 1 is skipped: its "id" is a number that JSON' in capsys.readouterr().err
    assert "Infinity" not in batch.out.read_text()
