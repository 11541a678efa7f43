"""`decompose batch`: many questions under one budget, in order, surviving whatever kills it."""

from __future__ import annotations

import errno
import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph_decompose import UserError
from langgraph_decompose.cli import batch
from langgraph_decompose.cli.batch_files import Results
from langgraph_decompose.cli.main import main
from langgraph_decompose.storage import locked
from langgraph_decompose.testing import LatencyServer, ServerReply

from .conftest import soon, without_seconds


class World:
    """A server that plays every role; answers tell the question that they belong to."""

    def __init__(self, server: LatencyServer) -> None:
        self.server = server
        self.fault: Callable[[str, str], Any] = lambda model, prompt: None
        self.flags = [
            f"--decomposer=openai:decomposer@{server.url}",
            f"--solver=openai:solver@{server.url}",
            f"--composer=openai:composer@{server.url}",
        ]

    def reply(self, prompt: str, body: dict[str, Any]) -> Any:
        model = body["model"]
        if fault := self.fault(model, prompt):
            return fault
        if model == "decomposer":
            number = prompt.rsplit("Question: ", 1)[1].strip()
            # Most questions aren't worth splitting.
            split = not number.strip("q?").isdigit() or int(number.strip("q?")) % 5 == 0
            return f"#1 First of {number}\n#2 Second of {number} <- #1" if split else "atomic"
        if model == "composer":
            return "answer to " + prompt.rsplit("to answer now: ", 1)[1].strip()
        if "Step to answer now: " not in prompt:
            return "answer to " + prompt.rsplit("\n", 1)[1].strip()
        step = prompt.rsplit("Step to answer now: ", 1)[1].split("\n")[0]
        return f"<{step}>"

    def models(self) -> list[str]:
        return [call.body["model"] for call in self.server.calls]

    def waiting(self, first: int) -> int:
        """How many questions have calls without a reply, of all calls from `first` on."""
        calls = [call for call in self.server.calls[first:] if call.answered is None]
        return len({re.findall(r"q\d+\?", call.prompt)[-1] for call in calls})


@pytest.fixture
def world() -> Iterator[World]:
    worlds: list[World] = []
    with LatencyServer(lambda prompt, body: worlds[0].reply(prompt, body), 0.005) as server:
        worlds.append(World(server))
        yield worlds[0]


def questions(path: Path, count: int) -> Path:
    path.write_text("".join(json.dumps({"question": f"q{n}?"}) + "\n" for n in range(count)))
    return path


def results(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_bad_row_is_named_and_skipped_and_the_order_is_kept(
    world: World, tmp_path: Path, capsys: Any
) -> None:
    rows = [
        '{"question": "slow?", "id": "a"}',
        "",
        "not JSON",
        '{"query": "no question"}',
        '{"question": "  "}',
        '"just a text?"',
        '{"question": "with context?", "context": "it is so"}',
    ]
    text = "\ufeff" + "\n".join(rows)  # As some editors save it, with a byte order mark.
    (tmp_path / "in.jsonl").write_bytes(text.encode() + b'\n{"question": "\xff"}\n')
    out = tmp_path / "out.jsonl"
    assert main(["batch", str(tmp_path / "in.jsonl"), "--out", str(out), *world.flags]) == 3
    found = [(row["row"], row["status"], row["answer"]) for row in results(out)]
    assert found == [
        (1, "ok", "answer to slow?"),
        (3, "invalid", None),
        (4, "invalid", None),
        (5, "invalid", None),
        (6, "ok", "answer to just a text?"),
        (7, "ok", "answer to with context?"),
        (8, "invalid", None),
    ]
    assert results(out)[0]["id"] == "a"
    assert results(out)[1]["error"]["message"] == "it isn't JSON"
    err = capsys.readouterr().err
    assert "row 3 is skipped: it isn't JSON" in err
    assert 'row 4 is skipped: it has no "question"' in err
    assert sorted(p.name for p in tmp_path.iterdir() if "out" in p.name) == ["out.jsonl"]


def test_one_budget_for_all_and_a_larger_one_goes_on(
    world: World, tmp_path: Path, capsys: Any
) -> None:
    source, out = questions(tmp_path / "in.jsonl", 10), tmp_path / "out.jsonl"
    command = ["batch", str(source), "--out", str(out), "--concurrency=3", *world.flags]
    assert main([*command, "--max-calls=13"]) == 3
    assert len(world.server.calls) <= 13
    assert "rows are left; give the same command with a larger one" in capsys.readouterr().err
    assert not out.exists()
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] == 10
    assert [row["answer"] for row in results(out)] == [f"answer to q{n}?" for n in range(10)]
    once = Counter(call.prompt for call in world.server.calls if call.body["model"] != "composer")
    assert set(once.values()) == {1}


@pytest.mark.parametrize(
    "flags",
    [
        "--strategy=static", "--strategy=dynamic", "--strategy=attempt_first",
        "--strategy=attempt_first --attempts=1", "--dup", "--gate=disagreement",
    ],
)  # fmt: skip
def test_wherever_a_budget_ended_a_larger_one_goes_on(
    world: World, tmp_path: Path, flags: str
) -> None:
    if "--attempts=1" in flags:
        world.fault = lambda _, prompt: "right" if "The answer to check: " in prompt else None
    if flags == "--strategy=dynamic":
        world.fault = lambda model, prompt: (
            ("done" if "#1 Which? =" in prompt else "#1 Which?") if model == "decomposer" else None
        )
    source = questions(tmp_path / "in.jsonl", 2)
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    command = ["batch", str(source), "--concurrency=1", *flags.split(), *world.flags, "--out"]
    assert main([*command, str(whole)]) == 0
    calls = len(world.server.calls)
    for most in range(1, calls):
        assert main([*command, str(cut), f"--max-calls={most}"]) == 3
    assert main([*command, str(cut), f"--max-calls={calls}"]) == 0
    assert len(world.server.calls) == 2 * calls
    found, expected = without_seconds(results(cut)), without_seconds(results(whole))
    for name in ("plan", "answers", "answer", "status", "warnings", "usage"):
        assert [row[name] for row in found] == [row[name] for row in expected]


def test_what_failed_is_asked_again_when_asked_for(
    world: World, tmp_path: Path, capsys: Any
) -> None:
    source, out = questions(tmp_path / "in.jsonl", 3), tmp_path / "out.jsonl"
    command = ["batch", str(source), "--out", str(out), *world.flags]
    world.fault = lambda model, prompt: (
        ServerReply("gone", status=404) if model == "decomposer" and "q1?" in prompt else None
    )
    assert main(command) == 3
    assert [row["status"] for row in results(out)] == ["ok", "failed", "ok"]
    assert results(out)[1]["error"]["message"].startswith("Error code: 404")
    told = capsys.readouterr().err
    assert "1 failed with: Error code: 404" in told
    assert "--retry-failed asks what failed again" in told
    assert main(command) == 2
    assert "is there already" in capsys.readouterr().err
    world.fault = lambda model, prompt: None
    before = len(world.server.calls)
    assert main([*command, "--retry-failed"]) == 0
    assert [row["answer"] for row in results(out)] == [f"answer to q{n}?" for n in range(3)]
    assert len(world.server.calls) == before + 2


def test_a_row_that_broke_off_tells_what_it_took_and_is_asked_again_from_its_first_failure(
    world: World, tmp_path: Path
) -> None:
    def broken(model: str, prompt: str) -> Any:
        if model == "decomposer" and "#1 Which?" not in prompt:
            return "#1 Which?"
        return ServerReply("gone", status=404)

    def mended(model: str, prompt: str) -> Any:
        found = "done" if "#1 Which? = " in prompt else "#1 Why?"
        return found if model == "decomposer" else None

    source, out = questions(tmp_path / "in.jsonl", 1), tmp_path / "out.jsonl"
    command = ["batch", str(source), "--out", str(out), "--strategy=dynamic", *world.flags]
    world.fault = broken
    assert main(command) == 1
    assert world.models() == ["decomposer", "solver", "decomposer"]
    assert sum(row["calls"] for row in results(out)[0]["usage"]) == 3
    world.fault = mended
    assert main([*command, "--retry-failed"]) == 0
    assert [row["answer"] for row in results(out)[0]["answers"]] == ["<Which?>"]


def test_what_a_row_has_paid_isn_t_paid_again_when_it_is_retried(
    world: World, tmp_path: Path, capsys: Any
) -> None:
    source, out = questions(tmp_path / "in.jsonl", 1), tmp_path / "out.jsonl"
    command = ["batch", str(source), "--out", str(out), *world.flags]
    world.fault = lambda model, prompt: (
        ServerReply("gone", status=404) if "answer now: Second" in prompt else None
    )
    assert main(command) == 3
    assert results(out)[0]["status"] == "partial"
    world.fault = lambda model, prompt: None
    before = len(world.server.calls)
    assert main([*command, "--retry-failed"]) == 0
    assert world.models()[before:] == ["solver", "composer"]
    assert [p.name for p in tmp_path.iterdir() if "out" in p.name] == ["out.jsonl"]


def test_another_strategy_begins_anew(world: World, tmp_path: Path, capsys: Any) -> None:
    source, out = questions(tmp_path / "in.jsonl", 3), tmp_path / "out.jsonl"
    command = ["batch", str(source), "--out", str(out), *world.flags]
    direct = [*command, "--strategy", "direct"]
    assert main([*command, "--max-calls", "2", "--concurrency", "1"]) == 3
    assert main(direct) == 2
    assert "or remove 'out.jsonl.part' to begin anew" in capsys.readouterr().err
    (tmp_path / "out.jsonl.part").unlink()
    world.fault = lambda model, prompt: ServerReply("gone \x1b[2J", status=404)
    assert main(direct) == 1
    told = capsys.readouterr().err
    assert "3 failed with: Error code: 404 - gone [2J" in told
    world.fault = lambda model, prompt: None
    before = len(world.server.calls)
    assert main([*command, "--strategy", "cot", "--retry-failed"]) == 0
    assert world.models()[before:] == ["solver"] * 3
    assert {(row["strategy"], row["status"]) for row in results(out)} == {("cot", "ok")}


def test_a_batch_that_was_removed_leaves_nothing_behind(world: World, tmp_path: Path) -> None:
    source, out = questions(tmp_path / "in.jsonl", 2), tmp_path / "out.jsonl"
    command = ["batch", str(source), "--out", str(out), "--strategy", "direct", *world.flags]
    world.fault = lambda model, prompt: ServerReply("gone", status=404)
    assert main(command) == 1
    out.unlink()
    world.fault = lambda model, prompt: None
    assert main(command) == 0
    assert [row["answer"] for row in results(out)] == ["answer to q0?", "answer to q1?"]


def test_who_waited_for_another_process_finds_its_results(
    world: World, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    source, out = questions(tmp_path / "in.jsonl", 1), tmp_path / "out.jsonl"
    command = ["batch", str(source), "--out", str(out), *world.flags]

    @contextmanager
    def after_another(*args: Any) -> Iterator[None]:
        monkeypatch.setattr(batch, "locked", locked)
        assert main(command) == 0
        with locked(*args):
            yield

    monkeypatch.setattr(batch, "locked", after_another)
    assert main(command) == 2
    assert "is there already" in capsys.readouterr().err
    assert world.models() == ["decomposer", "solver", "solver", "composer"]


def test_a_file_that_can_t_be_written_is_named(world: World, tmp_path: Path, capsys: Any) -> None:
    source, out = questions(tmp_path / "in.jsonl", 1), tmp_path / "out.jsonl"
    command = ["batch", str(source), "--out", str(out), *world.flags]
    (tmp_path / "out.jsonl.batch.lock").mkdir()
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "out.jsonl.batch.lock' can't be taken: unable to open database file" in told
    (tmp_path / "out.jsonl.batch.lock").rmdir()
    (tmp_path / "out.jsonl.part").mkdir()
    assert main(command) == 2
    assert "out.jsonl.part' can't be read: Is a directory" in capsys.readouterr().err
    (tmp_path / "out.jsonl.part").rmdir()
    (tmp_path / "out.jsonl.new").mkdir()
    assert main(command) == 2
    assert "out.jsonl' can't be written: " in capsys.readouterr().err
    (tmp_path / "out.jsonl.new").rmdir()
    calls = len(world.server.calls)
    assert main(command) == 0
    assert len(world.server.calls) == calls


def test_a_disk_that_fills_up_is_told(tmp_path: Path, monkeypatch: Any) -> None:
    def full(line: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    results = Results(tmp_path / "out.jsonl", {})
    monkeypatch.setattr(results, "_file", SimpleNamespace(write=full))
    with pytest.raises(UserError, match="out.jsonl.part' can't be written: No space left"):
        results.begin()


def test_a_state_that_cannot_be_written_is_no_question_s_failure(
    world: World, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    (tmp_path / "in.jsonl").write_text('{"question": "a"}\n')
    command = ["batch", str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out"), *world.flags]

    async def full(*_: Any, **__: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(AsyncSqliteSaver, "aput", full)
        assert main(command) == 2
    [line] = capsys.readouterr().err.strip().splitlines()[-1:]
    assert "out.state.sqlite' can't be used: database or disk is full; mend that" in line
    assert main(command) == 0


def test_odd_characters_and_strangers_eyes(world: World, tmp_path: Path, capsys: Any) -> None:
    world.fault = lambda model, prompt: "line\u2028sep\x85 \ud83d" if model == "composer" else None
    rows = ['{"question": "a \\ud83d"}', '{"question": "b", "id": "\\ud83d"}', '{"question": "c"}']
    (tmp_path / "in.jsonl").write_text("\n".join(rows))
    out = tmp_path / "out.jsonl"
    command = ["batch", str(tmp_path / "in.jsonl"), "--out", str(out), *world.flags]
    assert main([*command, "--max-calls=5", "--max-cost=1", "--concurrency=1"]) == 3
    assert "max_cost doesn't count openai:" in capsys.readouterr().err
    modes = [p.stat().st_mode & 0o777 for p in tmp_path.iterdir() if p.name.startswith("out")]
    assert set(modes) == {0o600}
    assert main(command) == 3
    assert [json.loads(x)["status"] for x in out.read_text().split("\n")[:-1]] == [
        "ok",
        "invalid",
        "ok",
    ]
    assert out.stat().st_mode & 0o777 == 0o600
    assert main([*command, "--retry-failed"]) == 3


def test_limits_hold_for_the_whole_batch(world: World, tmp_path: Path, monkeypatch: Any) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'solver = "desk"\n[models.desk]\nref = "openai:solver@{world.server.url}"\n'
        "max_concurrency = 2\n"
    )
    monkeypatch.setenv("DECOMPOSE_CONFIG", str(config))

    def meet(model: str, prompt: str) -> None:
        # Four rows are planned at once; then the solver's first call waits for a second.
        solving = world.models().count("solver")
        if len(world.server.calls) == 4 or solving == 2:
            world.server.release()
        elif solving == 1:
            world.server.hold()
            world.server.latency = 0.1  # Long enough for a third call to meet them.

    world.fault = meet
    world.server.latency = 0.0
    world.server.hold()
    source, out = questions(tmp_path / "in.jsonl", 20), tmp_path / "out.jsonl"
    flags = [flag for flag in world.flags if not flag.startswith("--solver")]
    assert main(["batch", str(source), "--out", str(out), "--concurrency=4", *flags]) == 0
    calls = [c for c in world.server.calls if c.body["model"] == "solver"]
    at_once = [sum(o.received <= c.received < (o.answered or 0) for o in calls) for c in calls]
    assert max(at_once) == 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nothing.jsonl", "--out", "o"], "the questions 'nothing.jsonl' can't be read"),
        (["in.jsonl", "--out", "no/such/folder/o"], "there is no folder"),
        (["in.jsonl", "--out", "o", "--concurrency=0"], "--concurrency is a number from 1"),
        (["empty.jsonl", "--out", "o"], "holds no questions"),
        (["windows.jsonl", "--out", "o"], "questions 'windows.jsonl' is in UTF-16; save it as UTF"),
        (["in.jsonl", "--out", "o" * 250], "can't be written: File name too long"),
        (["in.jsonl", "--out", ""], "--out is the file for the results, not ''"),
        (["in.jsonl", "--out", "..", "--retry-failed"], "the file for the results, not '..'"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    args: list[str], message: str, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    questions(tmp_path / "in.jsonl", 1)
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "windows.jsonl").write_text('{"question": "Why?"}\n', encoding="utf-16")
    assert main(["batch", *args]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--strategy", "dga"], ["--max-calls", "-1"]])
def test_a_corrected_command_goes_on(
    wrong: list[str], world: World, tmp_path: Path, capsys: Any
) -> None:
    source, out = questions(tmp_path / "in.jsonl", 1), tmp_path / "out.jsonl"
    command = ["batch", str(source), "--out", str(out), *world.flags]
    assert main([*command, *wrong]) == 2
    assert list(tmp_path.iterdir()) == [source], "nothing was begun"
    assert main(command) == 0


@pytest.mark.parametrize(
    "line",
    [
        b'{"key": \xff',
        b'{"key": "a", "result": ' + b"[" * 5000,
        b'{"key": "a", "result": {"status": "ok", "answer": "42", "usagf": []}}',
        b'{"key": "a", "result": {"status": "ok", "answer": "42", "usage": [{}]}}',
        b'{"key": "a", "result": {"status": ["ok"], "answer": "42", "usage": []}}',
    ],
)
def test_a_damaged_file_of_results_is_named(
    line: bytes, world: World, tmp_path: Path, capsys: Any
) -> None:
    source, out = questions(tmp_path / "in.jsonl", 3), tmp_path / "out.jsonl"
    command = ["batch", str(source), "--out", str(out), *world.flags]
    assert main([*command, "--max-calls", "1", "--concurrency", "1"]) == 3
    part = tmp_path / "out.jsonl.part"
    part.write_bytes(part.read_bytes() + line + b"\n")
    assert main(command) == 2
    assert "out.jsonl.part' is damaged; remove it" in capsys.readouterr().err


@pytest.mark.parametrize("cut", [0, 4096])
def test_a_damaged_state_is_named(cut: int, world: World, tmp_path: Path, capsys: Any) -> None:
    source, out = questions(tmp_path / "in.jsonl", 1), tmp_path / "out.jsonl"
    command = ["batch", str(source), "--out", str(out), *world.flags]
    assert main([*command, "--max-calls", "2"]) == 3
    state = tmp_path / "out.jsonl.state.sqlite"
    state.write_bytes(state.read_bytes()[:cut] + b"\xff" * 20_000)
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "out.jsonl.state.sqlite' can't be used: " in told
    assert "; remove it, and run the same again" in told
    state.unlink()
    assert main(command) == 0


def test_a_file_that_is_no_result_is_left_alone(tmp_path: Path, capsys: Any) -> None:
    source, out = questions(tmp_path / "in.jsonl", 1), tmp_path / "folder"
    out.mkdir()
    assert main(["batch", str(source), "--out", str(out), "--retry-failed"]) == 2
    assert "--out is the file for the results, not" in capsys.readouterr().err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["folder", "in.jsonl"]


def kept(out: Path) -> int:
    """How many replies are on the disk: of rows that are done, and of those that aren't."""
    with closing(sqlite3.connect(f"file:{out}.state.sqlite?mode=ro", uri=True)) as state:
        query = "SELECT thread_id FROM writes WHERE channel = 'reply'"
        replies = [thread.partition("-")[0] for (thread,) in state.execute(query)]
    # Read after the others: a row's own are removed when its result is there.
    lines = Path(f"{out}.part").read_bytes().split(b"\n")[1:-1]
    done = {row["key"]: row["result"]["usage"] for row in map(json.loads, lines)}
    in_results = sum(used["calls"] for usage in done.values() for used in usage)
    return in_results + sum(key not in done for key in replies)


def test_killed_between_a_node_s_update_and_its_checkpoint_a_question_goes_on(
    world: World, tmp_path: Path, monkeypatch: Any
) -> None:
    class Killed(BaseException):
        """Passes through everything, as a kill would."""

    put = AsyncSqliteSaver.aput

    async def dies(self: Any, config: Any, checkpoint: Any, metadata: Any, versions: Any) -> Any:
        if metadata["step"] == 1:  # The first node's.
            raise Killed
        return await put(self, config, checkpoint, metadata, versions)

    source, out = questions(tmp_path / "in.jsonl", 1), tmp_path / "out.jsonl"
    command = ["batch", str(source), "--out", str(out), *world.flags]
    with monkeypatch.context() as patched:
        patched.setattr(AsyncSqliteSaver, "aput", dies)
        with pytest.raises(Killed):
            main(command)
    assert main(command) == 0
    assert [(row["status"], row["answer"]) for row in results(out)] == [("ok", "answer to q0?")]
    assert world.models().count("decomposer") == 1


@pytest.mark.timeout(900)
def test_a_thousand_questions_killed_three_times(world: World, tmp_path: Path, capsys: Any) -> None:
    """The result is that of an undisturbed run, and no reply that came is paid for again.

    The server keeps its replies back before each kill until everything that it has sent is
    on the batch's disk; so what is asked again are exactly the calls that had no reply.
    """
    source, out = questions(tmp_path / "in.jsonl", 1000), tmp_path / "out.jsonl"
    command = ["batch", str(source), "--out", str(out), "--concurrency=16", *world.flags]
    for calls in (500, 1200, 1900):
        first = len(world.server.calls)
        # From the server's own thread: no reply is on its way out meanwhile.
        world.fault = lambda model, prompt, calls=calls: (
            world.server.hold() if len(world.server.calls) >= calls else None
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "langgraph_decompose", *command], stderr=subprocess.PIPE
        )
        assert soon(lambda calls=calls: len(world.server.calls) >= calls)
        assert soon(lambda first=first: world.waiting(first) == 16)
        assert soon(lambda: kept(out) == sum(call.delivered for call in world.server.calls))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert soon(lambda: world.server.in_flight == 0)
        world.fault = lambda model, prompt: None
        world.server.release()
        assert not out.exists()
    main([*command, "--json"])
    summary = json.loads(capsys.readouterr().out)
    assert [row for row in results(out) if row["status"] != "ok"] == []
    assert (summary["ok"], summary["calls"]) == (1000, 2400)
    answered = Counter(c.prompt for c in world.server.calls if c.delivered)
    assert len(answered) == 2400
    assert set(answered.values()) == {1}
    some, undisturbed = questions(tmp_path / "some.jsonl", 200), tmp_path / "undisturbed.jsonl"
    assert main(["batch", str(some), "--out", str(undisturbed), *world.flags]) == 0
    assert without_seconds(results(out)[:200]) == without_seconds(results(undisturbed))
    assert [row["answer"] for row in results(out)] == [f"answer to q{n}?" for n in range(1000)]
