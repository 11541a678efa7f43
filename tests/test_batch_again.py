"""`decompose batch` given again with another input: every result meets its own question."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.cli.batch_files import read_rows
from langgraph_decompose.cli.main import main
from langgraph_decompose.testing import LatencyServer, ServerReply

from .test_faults_limits import hold_back


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


def test_one_json_list_is_refused_not_asked_in_part(batch: Batch, capsys: Any) -> None:
    # The last row of a list is a line by itself.
    assert batch.run(["[", '{"question": "a?"},', '{"question": "b?"}', "]"]) == 2
    assert "is one JSON list; put each of its rows on a line" in capsys.readouterr().err
    assert not batch.server.calls
    assert batch.run(["[1", where("Ulm")]) == 3  # A bad line.


def test_a_last_line_that_lost_its_end_is_not_paid_for_again(batch: Batch) -> None:
    rows = [where("Ulm"), where("Rome")]
    assert batch.run(rows) == 0
    batch.out.write_text(batch.out.read_text().rstrip())
    assert batch.run(rows, "--retry-failed") == 0
    assert len(batch.server.calls) == len(rows)


def test_money_that_nobody_counts_is_told_before_there_is_a_result(
    batch: Batch, capsys: Any
) -> None:
    voting = ["--strategy=self_consistency", "--max-calls=2", "--max-cost=1", "--json"]
    assert batch.run([where("Ulm")], *voting) == 3
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert (summary["left"], summary["calls"], summary["cost"]) == (1, 2, None)
    assert "max_cost doesn't count openai:" in told.err


def test_what_an_interrupted_row_took_counts_where_another_reply_tells_no_tokens(
    batch: Batch, monkeypatch: Any, capsys: Any
) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
    silent = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
    raw = json.dumps({**silent, "choices": [choice]}).encode()
    said = iter([ServerReply(raw=raw)])
    monkeypatch.setattr(batch.server, "reply", lambda prompt, body: next(said, "x"))
    took: list[tuple[int, int]] = []
    for _ in range(2):
        voting = ["--strategy=self_consistency", "--max-calls=2", "--json"]
        assert batch.run([where("Ulm")], *voting) == 3
        summary = json.loads(capsys.readouterr().out)
        took.append((summary["calls"], summary["tokens"]))
    assert took[0] == took[1]
    assert took[0][1] > 0


def test_half_a_character_in_a_server_s_error_ends_no_batch(
    batch: Batch, monkeypatch: Any, capsys: Any
) -> None:
    said = ServerReply(raw=b'{"error": {"message": "bad \\ud83d"}}', status=400)
    monkeypatch.setattr(batch.server, "reply", lambda prompt, body: said)
    assert batch.run([where("Ulm"), where("Rome")]) == 1
    assert "2 failed with: Error code: 400 - bad ?" in capsys.readouterr().err
    assert [row["usage"][0]["calls"] for row in batch.results()] == [1, 1]


def test_beyond_a_budget_nothing_is_composed_to_be_thrown_away(
    batch: Batch, monkeypatch: Any
) -> None:
    def reply(prompt: str, body: dict[str, Any]) -> str:
        return {"decomposer": "#1 Which?\n#2 And where? <- #1"}.get(body["model"], "x")

    monkeypatch.setattr(batch.server, "reply", reply)
    hold_back(batch.server, "#2", until=2)  # The plan is paid for once the first line is asked.
    models = [f"--{role}=openai:{role}@{batch.server.url}" for role in ("decomposer", "composer")]
    divided = ["--strategy=dag", *models]
    for _ in range(2):  # The first lines are solved while the plan is written.
        assert batch.run([where("Ulm")], *divided, "--max-tokens=1") == 3
    assert [call.body["model"] for call in batch.server.calls] == ["decomposer", "solver"]
    assert batch.run([where("Ulm")], *divided) == 0
    calls = [call.body["model"] for call in batch.server.calls]
    assert calls == ["decomposer", "solver", "solver", "composer"]
    assert sum(row["calls"] for row in batch.results()[0]["usage"]) == len(calls)


def test_a_row_s_key_is_worked_out_once(batch: Batch) -> None:
    """It is asked for a dozen times, and is a hash of the whole context."""
    batch.source.write_text(json.dumps(where("Ulm")) + "\n")
    [row] = read_rows(str(batch.source))
    assert row.key is row.key
