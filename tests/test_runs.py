"""Runs of the command line: kept, listed, interrupted, resumed, reviewed, forgotten."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose import UserError
from langgraph_decompose.cli.main import main
from langgraph_decompose.cli.store import RunStore
from langgraph_decompose.nodes.problem import Problem
from langgraph_decompose.storage import is_locked, lock_path
from langgraph_decompose.testing import LatencyServer, ServerReply

from .conftest import hears_ctrl_c, soon, step

PLAN = "#1 A?\n#2 B?\n#3 C? <- #1\n#4 D? <- #2 #3"


class World:
    """A server that plays every role, and the flags that name it."""

    def __init__(self, server: LatencyServer) -> None:
        self.server = server
        self.faults: dict[str, Any] = {}
        self.composing: Any = "the end"
        self.flags = [
            f"--decomposer=openai:decomposer@{server.url}",
            f"--solver=openai:solver@{server.url}",
            f"--composer=openai:composer@{server.url}",
        ]

    def reply(self, prompt: str, body: dict[str, Any]) -> Any:
        if body["model"] == "decomposer":
            return self.faults.get("plan") or PLAN
        if body["model"] == "composer":
            return self.composing
        return self.faults.get(step(prompt)) or f"answer to {step(prompt)}"

    def steps(self) -> list[str]:
        return [step(c.prompt) for c in self.server.calls if c.body["model"] == "solver"]


@pytest.fixture
def world() -> Iterator[World]:
    worlds: list[World] = []
    with LatencyServer(lambda prompt, body: worlds[0].reply(prompt, body)) as server:
        worlds.append(World(server))
        yield worlds[0]


def spawn(*args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "langgraph_decompose", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hears_ctrl_c,
    )


def runs(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["runs", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def say(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_a_run_is_kept_for_its_owner_alone(world: World, capsys: Any, tmp_path: Path) -> None:
    assert main(["ask", "All?", *world.flags]) == 0
    assert capsys.readouterr().out == "the end\n"
    [row] = runs(capsys)
    assert (row["state"], row["question"]) == ("answered", "All?")
    assert (row["answered"], row["total"]) == (4, 4)
    folder = tmp_path / "state" / "langgraph-decompose"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_nothing_is_kept_if_so_wished(world: World, capsys: Any, tmp_path: Path) -> None:
    assert main(["ask", "All?", "--no-save", *world.flags]) == 0
    config = tmp_path / "config" / "langgraph-decompose" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("save_runs = false\n")
    assert main(["ask", "All?", *world.flags]) == 0
    assert not (tmp_path / "state").exists()


def test_without_saving_no_answer_is_cached_either(
    world: World, capsys: Any, tmp_path: Path
) -> None:
    config = tmp_path / "config" / "langgraph-decompose" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("cache = true\n")
    assert main(["ask", "All?", "--no-save", *world.flags]) == 0
    assert not (tmp_path / "cache").exists()
    assert main(["ask", "All?", "--no-save", "--cache", *world.flags]) == 2
    assert "--no-save stores nothing, but --cache stores answers" in capsys.readouterr().err


def careless(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite as python.org's and others' builds have it: what is deleted stays in the file."""
    connect = sqlite3.connect

    def connected(*args: Any, **options: Any) -> sqlite3.Connection:
        db = connect(*args, **options)
        db.execute("PRAGMA secure_delete = OFF")
        return db

    monkeypatch.setattr(sqlite3, "connect", connected)


def test_what_is_deleted_is_in_no_file_any_more(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    careless(monkeypatch)

    def found() -> list[str]:
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        return [file.name for file in files if b"Zebulon" in file.read_bytes()]

    assert main(["ask", "Is Zebulon ill?", "--cache", *world.flags]) == 0
    assert main(["ask", "Is Zebulon well?", *world.flags]) == 0
    assert found()
    assert main(["cache", "--clear"]) == 0
    assert main(["runs", "--delete", "all"]) == 0
    assert found() == []


def test_an_id_that_is_taken_is_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter(["aaaaaaaa", "aaaaaaaa", "bbbbbbbb"])
    monkeypatch.setattr("secrets.token_hex", lambda _: next(drawn))
    store = RunStore(tmp_path / "runs.sqlite")
    ids = [store.begin(Problem(question), {}).id for question in ("First?", "Second?")]
    assert ids == ["aaaaaaaa", "bbbbbbbb"]
    assert [run.question for run in store.list()] == ["Second?", "First?"]


def test_a_file_from_which_all_is_deleted_is_small(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs.sqlite")
    first, second = (store.begin(Problem("Long?", "long " * 200_000), {}) for _ in range(2))
    store.delete([first])
    assert store.path.stat().st_size > 1_000_000, "there is another run in it"
    store.delete([second])
    assert store.path.stat().st_size < 100_000


def test_forgetting_many_runs_does_not_wait_for_the_disk_at_each(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs.sqlite")
    normal = 1
    assert store._db.execute("PRAGMA synchronous").fetchone() == (normal,)


def test_old_runs_are_forgotten(world: World, capsys: Any, tmp_path: Path) -> None:
    for question in ("First?", "Second?"):
        main(["ask", question, *world.flags])
    file = tmp_path / "state" / "langgraph-decompose" / "runs.sqlite"
    with sqlite3.connect(file) as db:
        db.execute("UPDATE runs SET created = created - 86400 * 31 WHERE question = 'First?'")
    main(["ask", "Third?", *world.flags])
    assert [row["question"] for row in runs(capsys)] == ["Third?", "Second?"]
    with sqlite3.connect(file) as db:
        assert db.execute("SELECT count(DISTINCT thread_id) FROM checkpoints").fetchone() == (2,)
    [_, second] = runs(capsys)
    assert main(["runs", "--delete", second["id"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"forgot": [second["id"]]}
    assert main(["runs", "--delete", "all"]) == 0
    assert runs(capsys) == []


def test_how_long_a_run_is_kept_can_be_set(
    world: World, capsys: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "decompose.toml").write_text("keep_runs_days = 0.5")
    monkeypatch.setenv("DECOMPOSE_CONFIG", str(tmp_path / "decompose.toml"))
    main(["ask", "First?", *world.flags])
    with sqlite3.connect(tmp_path / "state" / "langgraph-decompose" / "runs.sqlite") as db:
        db.execute("UPDATE runs SET created = created - 86400")
    main(["ask", "Second?", *world.flags])
    assert [row["question"] for row in runs(capsys)] == ["Second?"]


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_an_interrupted_run_goes_on_where_it_was(
    world: World, capsys: Any, sign: signal.Signals
) -> None:
    world.faults["C?"] = ServerReply(hang=True)
    process = spawn("ask", "All?", *world.flags)
    assert soon(lambda: any(row["answered"] == 2 for row in runs(capsys)))
    process.send_signal(sign)
    _, err = process.communicate(timeout=20)
    if sign == signal.SIGINT:
        assert process.returncode == 130
        assert "interrupted" in err
        assert "to go on: decompose resume" in err
    [row] = runs(capsys)
    assert row["state"] == "interrupted, 2 of 4 answered"
    world.faults.clear()
    before = len(world.server.calls)
    assert main(["resume", row["id"][:4]]) == 0
    assert capsys.readouterr().out == "the end\n"
    asked_again = world.server.calls[before:]
    assert [c.body["model"] for c in asked_again] == ["solver", "solver", "composer"]
    assert world.steps()[-2:] == ["C?", "D?"]
    assert main(["resume", row["id"]]) == 0, "a finished run is shown again, for nothing"
    assert len(world.server.calls) == before + 3


def test_only_one_process_works_on_a_run(world: World, capsys: Any) -> None:
    world.faults["C?"] = ServerReply(hang=True)
    process = spawn("ask", "All?", *world.flags)
    try:
        assert soon(lambda: any(row["answered"] == 2 for row in runs(capsys)))
        [row] = runs(capsys)
        assert row["state"] == "running, 2 of 4 answered"
        assert main(["resume", row["id"]]) == 2
        assert "is being worked on by another process" in capsys.readouterr().err
        assert main(["runs", "--delete", row["id"]]) == 2
        assert "end it first" in capsys.readouterr().err
    finally:
        process.kill()
        process.communicate()


def test_what_failed_can_be_asked_again(world: World, capsys: Any) -> None:
    world.faults["B?"] = ServerReply("no such thing", status=400)
    assert main(["ask", "All?", *world.flags]) == 3
    assert "--retry-failed" in capsys.readouterr().err
    [row] = runs(capsys)
    assert row["state"] == "partial, 2 of 4 answered"
    world.faults.clear()
    before = len(world.steps())
    assert main(["resume", row["id"]]) == 3, "a failure for good isn't asked again by itself"
    assert len(world.steps()) == before
    assert main(["resume", row["id"], "--retry-failed"]) == 0
    assert world.steps()[before:] == ["B?", "D?"]
    assert runs(capsys)[0]["state"] == "answered"


def test_what_is_unknown_is_not_offered_to_be_asked_again(world: World, capsys: Any) -> None:
    world.faults["B?"] = "unknown"
    assert main(["ask", "All?", *world.flags]) == 3
    assert "--retry-failed" not in capsys.readouterr().err


def test_a_question_that_can_t_be_planned_has_failed(world: World, capsys: Any) -> None:
    world.faults["plan"] = ServerReply("no such model", status=404)
    assert main(["ask", "All?", *world.flags]) == 1
    [row] = runs(capsys)
    assert row["state"] == "failed, not planned yet"
    world.faults.clear()
    assert main(["resume", row["id"]]) == 0
    assert runs(capsys)[0]["state"] == "answered"


def test_a_run_keeps_its_strategy(world: World, capsys: Any) -> None:
    assert main(["ask", "All?", *world.flags]) == 0
    [row] = runs(capsys)
    assert main(["resume", row["id"], "--strategy", "cot"]) == 2
    assert "was asked with the strategy 'dag'; go on with that one" in capsys.readouterr().err
    assert main(["resume", row["id"], "--strategy", "dag"]) == 0
    assert main(["resume", row["id"], "--ladder", "ladder.json"]) == 2
    assert "--ladder is for the strategy 'escalate'" in capsys.readouterr().err


def test_a_run_may_go_on_without_its_verifier(world: World, capsys: Any) -> None:
    verifier = ["--verify", "answer", f"--verifier=openai:composer@{world.server.url}"]
    assert main(["ask", "All?", *world.flags, *verifier]) == 0
    [row] = runs(capsys)
    assert main(["resume", row["id"], "--verify", "none"]) == 0


def test_a_composer_that_failed_is_asked_again(world: World, capsys: Any) -> None:
    world.composing = ServerReply("busy", status=400)
    assert main(["ask", "All?", *world.flags]) == 1
    assert "decompose resume" in capsys.readouterr().err
    world.composing = "the end"
    assert main(["resume", runs(capsys)[0]["id"]]) == 0
    assert capsys.readouterr().out == "the end\n"
    assert len(world.steps()) == 4


def test_control_characters_do_not_reach_the_terminal(world: World, capsys: Any) -> None:
    world.composing = "the\x1b[2J\x1b]0;title\x07 end"
    assert main(["ask", "All\x1b[2J?", *world.flags]) == 0
    assert main(["runs"]) == 0
    shown = capsys.readouterr()
    assert not set("\x1b\x07") & set(shown.out + shown.err)


def test_a_damaged_row_is_listed_and_harms_no_other(
    world: World, capsys: Any, tmp_path: Path
) -> None:
    main(["ask", "All?", *world.flags])
    with sqlite3.connect(tmp_path / "state" / "langgraph-decompose" / "runs.sqlite") as db:
        db.execute("UPDATE runs SET settings = '{bad'")
    assert main(["ask", "All?", *world.flags]) == 0
    assert sorted(row["status"] for row in runs(capsys)) == ["damaged", "ok"]


@pytest.mark.parametrize(
    "damaged",
    [
        lambda data: data.replace(b"CREATE TABLE runs", b"CREATE TABL\xff runs"),
        lambda data: data[:4096] + b"\xff" * 4096 + data[8192:],
    ],
)
def test_a_damaged_file_is_named(
    damaged: Callable[[bytes], bytes], world: World, capsys: Any, tmp_path: Path
) -> None:
    main(["ask", "All?", *world.flags])
    file = tmp_path / "state" / "langgraph-decompose" / "runs.sqlite"
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file.write_bytes(damaged(file.read_bytes()))
    capsys.readouterr()
    assert main(["runs"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "runs.sqlite' can't be used (" in line
    assert line.endswith("; mend or remove it, or ask with --no-save.")


def test_a_spent_budget_can_be_raised(world: World, capsys: Any) -> None:
    assert main(["ask", "All?", "--max-calls=3", "--json", *world.flags]) == 3
    result = json.loads(capsys.readouterr().out)
    assert result["status"] == "budget_exhausted"
    assert len(world.server.calls) == 3
    assert main(["resume", result["run"], "--max-calls=10", "--json"]) == 0
    assert sorted(world.steps()) == ["A?", "B?", "C?", "D?"]
    total = json.loads(capsys.readouterr().out)["usage"]
    assert sum(row["calls"] for row in total) == 6
    assert len(world.server.calls) == 7, "the first, incomplete composing was one more"


def test_a_failure_before_the_run_broke_off_is_asked_again_when_asked_for(
    world: World, capsys: Any
) -> None:
    gone = ServerReply("gone", status=404)

    def broken(prompt: str, body: dict[str, Any]) -> Any:
        first = body["model"] == "decomposer" and "#1 A?" not in prompt
        return "#1 A?" if first else gone

    def mended(prompt: str, body: dict[str, Any]) -> Any:
        found = "done" if "#1 A? = " in prompt else "#1 B?"
        return found if body["model"] == "decomposer" else "said"

    world.reply = broken  # type: ignore[method-assign]
    assert main(["ask", "All?", "--strategy=dynamic", *world.flags]) == 1
    [run] = runs(capsys)
    world.reply = mended  # type: ignore[method-assign]
    assert main(["resume", run["id"], "--retry-failed"]) == 0
    assert world.steps() == ["A?", "A?"]


def test_the_plan_is_reviewed_at_the_prompt(
    world: World, capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import pathlib, sys\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "assert file.stat().st_mode & 0o777 == 0o600\n"
        "text = file.read_text()\n"
        "file.write_text('#1 Who? <- #2\\n#2 Where?' if 'A?' in text else text)\n"
    )
    monkeypatch.setenv("EDITOR", f"{sys.executable} {editor}")
    say(monkeypatch, "edit\ny\n")
    assert main(["ask", "All?", "--review", *world.flags]) == 0
    shown = capsys.readouterr()
    assert "Plan for: All?" in shown.err
    assert "can't be run: subquestion #1 needs #2, which isn't an earlier line" in shown.err
    assert sorted(world.steps()) == ["A?", "B?", "C?", "D?"], "the old plan was then accepted"


def test_an_editor_that_fails_loses_nothing(
    world: World, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", f"{sys.executable} -c 'raise SystemExit(1)'")
    say(monkeypatch, "e\n")
    assert main(["ask", "All?", "--review", *world.flags]) == 2
    told = capsys.readouterr().err
    assert "returned non-zero exit status 1" in told
    assert told.count("Solve this plan?") == 2
    assert "to go on: decompose resume" in told
    assert runs(capsys)[0]["state"] == "interrupted, 0 of 4 answered"


def test_an_edit_that_can_t_be_run_is_edited_further(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import pathlib, sys\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "text = file.read_text()\n"
        "file.write_text('#1 Who? <- #2\\n#2 Where?' if 'A?' in text else text.replace('<-', ''))\n"
    )
    monkeypatch.setenv("EDITOR", f"{sys.executable} {editor}")
    say(monkeypatch, "e\ne\n")
    assert main(["ask", "All?", "--review", *world.flags]) == 0
    assert sorted(world.steps()) == ["Where?", "Who? #2"]


def test_a_plan_can_be_typed_or_rejected_or_left_for_later(
    world: World, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(monkeypatch, "e\n#1 Who?\n#2 Where? <- #1\n\n")
    assert main(["ask", "All?", "--review", "--json", *world.flags]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["plan_source"], world.steps()) == ("edited", ["Who?", "Where?"])
    say(monkeypatch, "r\n")
    assert main(["ask", "All?", "--review", *world.flags]) == 1
    assert "rejected" in capsys.readouterr().err
    say(monkeypatch, "")
    assert main(["ask", "All?", "--review", *world.flags]) == 2
    assert "nobody answered" in capsys.readouterr().err
    planned = len(world.server.calls)
    say(monkeypatch, "\n")
    assert main(["resume", runs(capsys)[0]["id"]]) == 0
    models = [c.body["model"] for c in world.server.calls[planned:]]
    assert "decomposer" not in models, "the plan that was left is shown again"


def test_cached_answers_are_used_listed_and_cleared(world: World, capsys: Any) -> None:
    for _ in range(2):
        assert main(["ask", "All?", "--cache", "--json", *world.flags]) == 0
    rows = [json.loads(part) for part in split_json(capsys.readouterr().out)]
    assert [row["cached"] for row in rows[1]["answers"]] == [True] * 4
    assert len(world.steps()) == 4
    assert main(["cache"]) == 0
    listed = capsys.readouterr()
    assert "A? = answer to A?  (openai:solver@" in listed.out
    assert "4 answers in" in listed.err
    assert main(["cache", "--clear"]) == 0
    assert main(["cache", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def split_json(text: str) -> list[str]:
    return [part + "}" for part in text.split("\n}") if part.strip()]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["resume", "nothing"], "there is no run 'nothing'; `decompose runs` lists them."),
        (["ask", "All?", "--max-calls=0"], "max_calls must be a whole number above 0"),
        (
            ["ask", "All?", "--review", "--strategy=cot"],
            "review needs a plan before anything is solved",
        ),
        (["ask", "All?", "--samples=0"], "samples is 1 to 64, not 0."),
    ],
)
def test_mistakes_are_told_in_a_sentence(args: list[str], message: str, capsys: Any) -> None:
    assert main(args) == 2
    assert message in capsys.readouterr().err


def test_a_place_that_can_hold_no_runs_is_named(
    capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("")
    assert main(["ask", "What is 2 * 3?"]) == 2
    assert "can't be made: Not a directory; mend that, or ask with --no" in capsys.readouterr().err
    assert main(["ask", "What is 2 * 3?", "--no-save"]) == 0


def test_of_many_contexts_only_the_one_that_is_needed_is_read(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs.sqlite")
    runs = [store.begin(Problem("Q?", f"a long text, {number}"), {}) for number in range(2)]
    assert [run.context for run in store.list()] == ["", ""]
    assert [store.find(run.id[:7]) for run in runs] == runs
    for nobody in ("", "z", "\udcff"):  # As a terminal hands over a byte that isn't UTF-8.
        with pytest.raises(UserError, match="there is no run"):
            store.find(nobody)


def test_only_a_lock_that_is_held_is_one(tmp_path: Path) -> None:
    lock_path(tmp_path / "runs.sqlite", "a").mkdir()
    with pytest.raises(UserError, match=r"a.lock' can't be taken: unable to open database file"):
        is_locked(tmp_path / "runs.sqlite", "a")


def test_a_broken_runs_file_is_named(capsys: Any, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "langgraph-decompose"
    folder.mkdir(parents=True)
    (folder / "runs.sqlite").write_bytes(os.urandom(5000))
    assert main(["ask", "What is 2 * 3?"]) == 2
    assert "or ask with --no-save" in capsys.readouterr().err
    assert main(["ask", "What is 2 * 3?", "--no-save"]) == 0
