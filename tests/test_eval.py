"""`decompose eval`: every system on every item, kept whatever happens, reported honestly."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.cli.main import main
from langgraph_decompose.evals.evaluation import EvalSettings, Evaluation
from langgraph_decompose.evals.systems import systems
from langgraph_decompose.storage import locked
from langgraph_decompose.testing import LatencyServer, ServerReply

from .conftest import without_seconds

ITEMS = 30


def reply(prompt: str, body: dict[str, Any]) -> Any:
    """A decomposer that always splits, and a solver that is right but for every fifth item."""
    if body["model"] == "broken":
        return ServerReply("no such model", status=404)
    number = next(word.strip("?") for word in prompt.split() if word.strip("?").isdigit())
    if body["model"] == "decomposer":
        return f"#1 What is {number}?\n#2 What is twice #1? <- #1"
    undivided = "Step to answer now" not in prompt
    wrong = int(number) % 5 == 0 and (undivided or int(number) % 2 == 0)
    return str(2 * int(number) + wrong)


@pytest.fixture
def server() -> Iterator[LatencyServer]:
    with LatencyServer(reply, 0.005) as served:
        yield served


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "twice.jsonl"
    rows = [
        {"id": str(n), "question": f"What is twice {n} ?", "answer": 2 * n} for n in range(ITEMS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def flags(server: LatencyServer, out: Path, solver: str = "solver") -> list[str]:
    return [
        *("--decomposer", f"openai:decomposer@{server.url}"),
        *("--solver", f"openai:{solver}@{server.url}"),
        *("--out", str(out)),
    ]


def samples(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]


def test_systems_are_compared_on_the_same_items(
    server: LatencyServer, questions: Path, tmp_path: Path, capsys: Any
) -> None:
    out = tmp_path / "out"
    assert main(["eval", str(questions), *flags(server, out), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary == json.loads((out / "summary.json").read_text())
    direct, dag = summary["systems"]
    assert [row["strategy"] for row in (direct, dag)] == ["direct", "dag"]
    assert direct["metrics"]["accuracy"]["value"] == pytest.approx(24 / 30)
    assert dag["metrics"]["accuracy"]["n"] == ITEMS
    (compared,) = [row for row in summary["comparisons"] if not row.get("mixture")]
    assert compared["verdict"] == "can't tell"
    rows = samples(out)
    assert [row["strategy"] for row in rows] == ["direct"] * ITEMS + ["dag"] * ITEMS
    assert [row["id"] for row in rows[:ITEMS]] == [row["id"] for row in rows[ITEMS:]]
    assert {row["calls"] for row in rows if row["strategy"] == "direct"} == {1}
    assert dag["calls"] == len(server.calls) - ITEMS
    assert "direct" in (out / "report.md").read_text()
    assert "<svg" in (out / "report.html").read_text()
    assert not list(out.glob("*replies*"))


def test_models_not_named_are_those_of_the_user_s_settings(
    server: LatencyServer, questions: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("DECOMPOSE_SOLVER", f"openai:mine@{server.url}")
    out = tmp_path / "out"
    arguments = ["--strategy", "direct", "--limit", "2", "--out", str(out)]
    assert main(["eval", str(questions), *arguments]) == 0
    assert {call.body["model"] for call in server.calls} == {"mine"}


def test_a_solver_that_fails_is_counted_as_failed(
    server: LatencyServer, questions: Path, tmp_path: Path, capsys: Any
) -> None:
    out = tmp_path / "out"
    arguments = ["eval", str(questions), *flags(server, out, "broken"), "--strategy", "direct"]
    assert main([*arguments, "--limit", "4", "--json"]) == 1
    told = capsys.readouterr()
    (row,) = json.loads(told.out)["systems"]
    assert (row["n"], row["failures"]) == (4, 4)
    assert f"warning: every item of {row['system']} failed; " in told.err
    assert all(row["failed"] and "no such model" in row["error"] for row in samples(out))


def test_gold_plans_take_the_decomposer_s_place(
    server: LatencyServer, tmp_path: Path, capsys: Any
) -> None:
    """The solver is asked each gold line; where it goes wrong is told."""
    folder = tmp_path / "gsm8k"
    folder.mkdir()
    rows = [{"question": f"Take {n} . What is twice that?", "answer": f"#### {2 * n}"}
            for n in (3, 10)]  # fmt: skip
    steps = [{**row, "answer": f"What is {n} ? ** {n} = <<{n}={n}>>{n}\nWhat is twice {n} ? ** "
              f"2*{n} = <<2*{n}={2 * n}>>{2 * n}\n{row['answer']}"}
             for row, n in zip(rows, (3, 10), strict=True)]  # fmt: skip
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "test_socratic.jsonl").write_text("".join(json.dumps(r) + "\n" for r in steps))
    out = tmp_path / "out"
    arguments = ["eval", "gsm8k", "--data", str(tmp_path), "--strategy", "dag", "--out", str(out)]
    solver = f"openai:solver@{server.url}"
    assert main([*arguments, "--decomposer", "gold", "--solver", solver, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["systems"]
    assert row["plans"]["same needs"]["value"] == 1
    assert {sample["decomposer"] for sample in samples(out)} == {"gold"}
    assert all(len(sample["plan"]) == 2 and sample["gold_steps"] for sample in samples(out))
    assert not any(call.body["model"] == "decomposer" for call in server.calls)


def test_tasks_of_plans_only_solve_nothing(
    server: LatencyServer, tmp_path: Path, capsys: Any
) -> None:
    folder = tmp_path / "strategyqa"
    folder.mkdir()
    task = tmp_path / "plans.yaml"
    task.write_text(
        "name: plans\nversion: 1\nprompt_version: '1'\nformat: strategyqa\nsource: dev.json\n"
    )
    rows = [{"qid": "a", "question": "Is 7 twice 3 ?", "answer": False,
             "decomposition": ["What is twice 3 ?", "Is 7 the same as #1?"]}]  # fmt: skip
    (tmp_path / "dev.json").write_text(json.dumps(rows))
    out = tmp_path / "out"
    assert main(["eval", str(task), *flags(server, out), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["systems"]
    assert (row["system"].partition(" · ")[0], row["failures"]) == ("plan", 0)
    assert row["plans"]["ROUGE-L"]["value"] > 0
    assert {call.body["model"] for call in server.calls} == {"decomposer"}
    assert main(["eval", str(task), *flags(server, tmp_path / "b"), "--strategy", "direct"]) == 2
    assert "judges plans only" in capsys.readouterr().err


def test_figures_are_the_same_to_the_digit(questions: Path, tmp_path: Path) -> None:
    """The bundled model, which runs in this process, one question after another."""
    found: list[Any] = []
    for name in ("a", "b"):
        compared = systems(["direct", "self_consistency", "dag"], samples=2)
        settings = EvalSettings({str(questions): compared}, limit=4, deterministic=True)
        Evaluation(settings).run(tmp_path / name)
        found.append(without_seconds(samples(tmp_path / name)))
    assert found[0] == found[1]


@pytest.mark.timeout(900)  # A process that can't begin is waited for 20 s.
def test_killed_twenty_times_it_ends_like_an_undisturbed_run(
    server: LatencyServer, questions: Path, tmp_path: Path, capsys: Any
) -> None:
    """At random moments, also before the first sample; no reply that came is asked for again."""
    chance = random.Random(5)
    out, undisturbed = tmp_path / "out", tmp_path / "undisturbed"
    server.latency = 0.2
    command = [sys.executable, "-m", "langgraph_decompose", "eval", str(questions),
               *flags(server, out), "--resume", "--concurrency", "2"]  # fmt: skip
    for _ in range(20):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        begin, calls = time.monotonic(), len(server.calls)
        while len(server.calls) == calls and time.monotonic() - begin < 20:
            time.sleep(0.02)
        time.sleep(chance.random() * 0.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
    server.latency = 0.005
    assert main(["eval", str(questions), *flags(server, out), "--resume"]) == 0
    asked = Counter(call.prompt for call in server.calls if call.delivered)
    # What was delivered in the moment of a kill may be asked once more; the rest never is.
    assert sum(asked.values()) - len(asked) <= 2 * 20
    assert main(["eval", str(questions), *flags(server, undisturbed)]) == 0
    assert without_seconds(samples(out)) == without_seconds(samples(undisturbed))
    first, second = (
        json.loads((folder / "summary.json").read_text())["systems"]
        for folder in (out, undisturbed)
    )
    assert without_seconds(first) == without_seconds(second)
    capsys.readouterr()


@pytest.mark.parametrize("written", ["nothing", "samples", "summary"])
def test_killed_while_it_puts_things_in_order_it_does_so_again(
    server: LatencyServer, questions: Path, tmp_path: Path, written: str
) -> None:
    """What such a kill leaves: all samples, perhaps out of order, and halves of other files."""
    out = tmp_path / "out"
    assert main(["eval", str(questions), *flags(server, out)]) == 0
    whole = {path.name: path.read_text() for path in out.iterdir() if path.suffix != ".html"}
    calls = len(server.calls)
    (out / ".samples.jsonl.new").write_text(whole["samples.jsonl"][:100])
    for name in {"nothing": ["summary.json", "report.md"], "samples": ["summary.json", "report.md"],
                 "summary": ["report.md"]}[written]:  # fmt: skip
        (out / name).unlink()
    if written == "nothing":
        lines = whole["samples.jsonl"].splitlines(keepends=True)
        random.Random(1).shuffle(lines)
        (out / "samples.jsonl").write_text("".join(lines))
    assert main(["eval", str(questions), *flags(server, out), "--resume"]) == 0
    assert len(server.calls) == calls
    assert (out / "samples.jsonl").read_text() == whole["samples.jsonl"]
    systems_of = {text: json.loads(text)["systems"] for text in
                  (whole["summary.json"], (out / "summary.json").read_text())}  # fmt: skip
    first, *others = systems_of.values()
    assert all(first == other for other in others)
    assert (out / "report.md").is_file()


def test_a_mistake_is_one_line(
    server: LatencyServer, questions: Path, tmp_path: Path, capsys: Any
) -> None:
    out = tmp_path / "out"
    some = [str(questions), "--limit", "2", *flags(server, out)]
    assert main(["eval", *some]) == 0
    capsys.readouterr()
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"question": "What is twice 2 ?", "answer": "4"}\n{"question": 7}\n')
    table = tmp_path / "table.csv"
    table.write_text("question,answer\n")
    ladder = tmp_path / "ladder.json"
    ladder.write_text('[{"strategy": "dag", "samples": 3}]')
    windows = tmp_path / "windows.jsonl"
    windows.write_text(questions.read_text(), encoding="utf-16-le")
    for arguments, says in (
        (some, "holds an evaluation; go on with --resume"),
        ([*some, "--resume", "--seed", "3"], "begun with other systems, tasks or settings"),
        (["svampp", *flags(server, out)], "there is no task 'svampp'"),
        ([str(table), *flags(server, out)], ".yaml or .yml or .jsonl or .json, not "),
        (["svamp", "--data", str(tmp_path), *flags(server, out)], "or get it: curl"),
        ([str(broken), *flags(server, tmp_path / "b")], "broken.jsonl:2"),
        ([str(windows), *flags(server, out)], "windows.jsonl' is in UTF-16; save it as UTF-8."),
        ([*some, "--strategy", "dig"], "unknown strategy 'dig'"),
        ([*some, "--ladder", str(ladder)], "a ladder has no effect on direct, dag; leave it out"),
        ([*some, "--concurrency", "0"], "'concurrency' is a number above 0"),
    ):
        assert main(["eval", *arguments]) == 2
        error = capsys.readouterr().err
        assert says in error
        assert error.count("\n") == 1
    with locked(out / "samples.jsonl", "run", "busy"):
        assert main(["eval", *some, "--resume"]) == 2
    assert "is being written by another process" in capsys.readouterr().err
