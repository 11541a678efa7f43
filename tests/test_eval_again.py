"""`decompose eval`: what is kept for `--resume`, what may be shared, and what the flags mean."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.cli.main import main
from langgraph_decompose.errors import UserError
from langgraph_decompose.evals.reply_log import ReplyLog
from langgraph_decompose.evals.sample_file import SampleFile
from langgraph_decompose.testing import LatencyServer, ServerReply


class World:
    """A server whose solver can't add for the time being, or whose decomposer can't plan."""

    def __init__(self) -> None:
        self.refusal = ServerReply("busy", status=503, headers=(("Retry-After", "0"),))
        self.down = True
        self.plans = True

    def reply(self, prompt: str, body: dict[str, Any]) -> Any:
        if body["model"] == "decomposer":
            return "#1 What is 3 ?\n#2 What is twice #1 ? <- #1" if self.plans else self.refusal
        if self.down and "Step to answer now: What is twice" in prompt:
            return self.refusal
        return "6" if "twice" in prompt.rsplit("\n", 1)[-1] else "3"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def server(world: World) -> Iterator[LatencyServer]:
    with LatencyServer(world.reply) as served:
        yield served


@pytest.fixture
def command(server: LatencyServer, tmp_path: Path) -> list[str]:
    questions = tmp_path / "twice.jsonl"
    questions.write_text('{"question": "What is twice 3 ?", "answer": 6}\n')
    url = server.url.replace("http://", "http://me:secret@")
    models = ["--decomposer", f"openai:decomposer@{url}", "--solver", f"openai:solver@{url}"]
    return ["eval", str(questions), "--strategy", "dag", "--out", str(tmp_path / "out"), *models]


NO_MONEY = b'{"error": {"message": "no money left", "code": "insufficient_quota"}}'


@pytest.mark.parametrize(
    ("status", "raw"), [(503, None), (401, None), (402, None), (403, None), (429, NO_MONEY)]
)
def test_what_a_service_failed_or_refused_is_asked_again_and_the_rest_is_not(
    world: World,
    server: LatencyServer,
    command: list[str],
    tmp_path: Path,
    capsys: Any,
    status: int,
    raw: bytes | None,
) -> None:
    world.refusal = ServerReply("no", status=status, raw=raw, headers=(("Retry-After", "0"),))
    main(command)
    assert "1 questions met a failing service or a refused key; --resume" in capsys.readouterr().err
    assert list((tmp_path / "out").glob("samples.replies*"))
    world.down, before = False, len(server.calls)
    assert main([*command, "--resume"]) == 0
    asked = [call.prompt for call in server.calls[before:]]
    assert "Step to answer now: What is twice" in asked[0]
    assert not any("You plan how to answer" in prompt for prompt in asked)
    assert not any("now: What is 3" in prompt for prompt in asked)
    assert not list((tmp_path / "out").glob("samples.replies*"))
    assert "refused key" not in capsys.readouterr().err


def test_every_call_counts_once_whatever_came_of_it_and_in_whichever_run(
    world: World, server: LatencyServer, command: list[str], tmp_path: Path
) -> None:
    for world.plans, world.down, status in (
        (False, True, "failed"),
        (False, True, "failed"),
        (True, True, "partial"),
        (True, False, "ok"),
    ):
        main([*command, "--dup", "--resume"])
        [line] = (tmp_path / "out" / "samples.jsonl").read_text().splitlines()
        sample = json.loads(line)
        assert (sample["status"], sample["calls"]) == (status, len(server.calls))


def test_the_seconds_of_what_failed_in_passing_count_as_well(tmp_path: Path) -> None:
    sample = {"system": "dag", "task": "t", "id": "1", "transient": True, "seconds": 2.5}
    for transient, expected in ((True, 2.5), (True, 5.0), (False, 7.5)):
        file = SampleFile(tmp_path, {}, resume=True)
        file.add(sample | {"transient": transient})
        file.finish([("dag", "t", "1")])
        assert json.loads(file.path.read_text())["seconds"] == expected


def test_no_file_holds_an_address_s_password(
    world: World, command: list[str], tmp_path: Path
) -> None:
    world.down = False
    assert main(command) == 0
    texts = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert [name for name, text in texts.items() if "secret" in text] == []


def test_marks_by_two_rules_are_not_mixed(
    world: World, command: list[str], tmp_path: Path, capsys: Any
) -> None:
    world.down = False
    task = {"name": "t", "version": 1, "prompt_version": "1", "format": "own"}
    for scoring, code in (("squad", 0), ("bamboogle", 2)):
        text = json.dumps({**task, "source": "twice.jsonl", "scoring": scoring})
        (tmp_path / "t.yaml").write_text(text)
        assert main(["eval", str(tmp_path / "t.yaml"), *command[2:], "--resume"]) == code
    assert "begun with other systems, tasks or settings" in capsys.readouterr().err


def test_systems_that_samples_could_not_tell_apart_are_refused(
    server: LatencyServer, command: list[str], capsys: Any
) -> None:
    one = command[-1]
    assert main([*command, one.replace("me:secret", "you:secret")]) == 2
    assert "two systems are called 'dag · openai:decomposer" in capsys.readouterr().err
    assert not server.calls


def test_what_is_kept_is_readable_by_its_owner_alone(
    world: World, command: list[str], tmp_path: Path
) -> None:
    world.down = False
    assert main(command) == 0
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()}
    assert {"report.md", "summary.json"} <= modes.keys()
    assert set(modes.values()) == {0o600}


@pytest.mark.skipif(sys.platform != "linux", reason="others want Unicode")
def test_names_of_files_need_not_be_utf_8(
    world: World, command: list[str], tmp_path: Path, monkeypatch: Any
) -> None:
    world.down = False
    questions, out = tmp_path / "twice\udce9.jsonl", tmp_path / "out\udce9"
    Path(command[1]).rename(questions)
    command = ["eval", str(questions), *command[2:], "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["decompose", *command])
    assert main(command) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert "out?" in summary["command"]
    assert [*summary["tasks"]] == ["twice?"]
    assert main([*command, "--resume"]) == 0


def full(opened: type, monkeypatch: Any) -> None:
    """Let a kind of file that an evaluation opens lie on a full disk."""
    original: Any = opened.__init__

    def open_full(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        self._file = open("/dev/full", "ab")  # noqa: SIM115

    monkeypatch.setattr(opened, "__init__", open_full)


def no_sync(file: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("name", ["samples.jsonl", "samples.replies.jsonl", ".samples.jsonl.new"])
def test_a_full_disk_is_one_line_and_resume_goes_on(
    world: World, command: list[str], monkeypatch: Any, capsys: Any, name: str
) -> None:
    world.down = False
    with monkeypatch.context() as patched:
        if name == ".samples.jsonl.new":
            patched.setattr(os, "fsync", no_sync)
        else:
            full(ReplyLog if "replies" in name else SampleFile, patched)
        assert main(command) == 2
    told = capsys.readouterr().err
    says = "can't be written: No space left on device; mend that and go on with --resume."
    assert told.endswith(f"{name}' {says}\n")
    assert main([*command, "--resume"]) == 0


def test_settings_that_an_evaluation_goes_without_are_named(
    world: World, command: list[str], monkeypatch: Any, capsys: Any
) -> None:
    world.down = False
    monkeypatch.setenv("DECOMPOSE_COMPOSER", "bundled")
    monkeypatch.setenv("DECOMPOSE_MAX_SUBQUESTIONS", "4")
    assert main(command) == 0
    assert (
        "warning: your settings of composer, max_subquestions don't hold here, only flags do"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["direct", "--gate", "always"], "gate always has no effect on direct; leave it out, or "),
        (["escalate", "--gate", "always"], "that heeds it: static, sequential, dag, dynamic, rec"),
        (["cot", "static", "--verify", "subquestions"], "has no effect on cot, static; "),
        (["direct", "--dup"], "dup has no effect on direct; "),
        (["dag", "--verifier", "bundled"], "a verifier needs verify=: one of subquestions, "),
    ],
)
def test_a_flag_that_no_strategy_heeds_is_a_mistake(
    flags: list[str], says: str, command: list[str], server: LatencyServer, capsys: Any
) -> None:
    assert main([*command, "--strategy", *flags]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1
    assert not server.calls


def test_no_attempts_at_all_is_a_mistake(command: list[str], capsys: Any) -> None:
    assert main([*command, "--gate", "disagreement", "--attempts", "0"]) == 2
    assert "attempts" in capsys.readouterr().err


def test_replies_that_nest_too_deep_are_named(tmp_path: Path) -> None:
    (tmp_path / "samples.replies.jsonl").write_text("[" * 100_000 + "\n")
    with pytest.raises(UserError, match="replies.jsonl' can't be used .*; remove it to ask again"):
        ReplyLog(tmp_path / "samples.replies.jsonl")


def test_a_description_that_is_no_text_is_another_evaluation_s(
    world: World, command: list[str], tmp_path: Path, capsys: Any
) -> None:
    world.down = False
    assert main(command) == 0
    (tmp_path / "out" / "evaluation.json").write_bytes(b"{\xff}")
    assert main([*command, "--resume"]) == 2
    assert "was begun with other systems, tasks or settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    "lose", [lambda row: row["usage"][0].pop("seconds"), lambda row: row.pop("strategy")]
)
def test_a_sample_that_lacks_something_is_named(
    lose: Callable[[Any], Any], world: World, command: list[str], tmp_path: Path, capsys: Any
) -> None:
    world.down = False
    assert main(command) == 0
    samples = tmp_path / "out" / "samples.jsonl"
    row = json.loads(samples.read_text())
    lose(row)
    samples.write_text(json.dumps(row) + "\n")
    capsys.readouterr()
    assert main([*command, "--resume"]) == 2
    assert "is no sample; run the evaluation again" in capsys.readouterr().err
