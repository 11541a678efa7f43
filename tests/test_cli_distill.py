"""`decompose distill STEP`: the steps that make examples, and what is said to who mistypes."""

from __future__ import annotations

import json
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.cli.main import main
from langgraph_decompose.cli.terminal import progress_shown
from langgraph_decompose.distill.check import check as check_module
from langgraph_decompose.distill.export import export as export_module
from langgraph_decompose.distill.records import Example, read_examples, write_examples
from langgraph_decompose.models.bundled import bundled_model_path
from langgraph_decompose.testing import LatencyServer

PLAN = "#1 Who directed Jaws?\n#2 When was #1 born? <- #1"
QUESTION = "When was the director of Jaws born?"
SOLVED = {
    "question": "Ada sold 48 clips, and half as many in May. How many clips did Ada sell in all?",
    "answer": "Ada sold 48/2 = <<48/2=24>>24 clips in May.\n"
    "Ada sold 48+24 = <<48+24=72>>72 clips altogether.\n#### 72",
}
DECOMPOSED = {
    "qid": "7",
    "question": QUESTION,
    "answer": True,
    "decomposition": ["Who directed Jaws?", "When was #1 born?"],
}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with what the commands read."""
    monkeypatch.chdir(tmp_path)
    Path("questions.jsonl").write_text(json.dumps({"question": QUESTION}) + "\n")
    Path("gsm8k.jsonl").write_text(json.dumps(SOLVED) + "\n")
    Path("strategyqa.json").write_text(json.dumps([DECOMPOSED]))
    write_examples(Path("examples.jsonl"), [Example("a", QUESTION), Example("b", QUESTION)])


def plans(directory: str) -> list[str]:
    return [str(example.to_plan()) for example in read_examples(Path(directory, "examples.jsonl"))]


def test_collect_asks_a_teacher(capsys: pytest.CaptureFixture[str]) -> None:
    with LatencyServer(lambda *_: PLAN) as server:
        teacher = f"openai:any@{server.url}"
        command = ["collect", "--teacher", teacher, "--questions", "questions.jsonl"]
        assert main(["distill", *command, "--attempts", "2", "--out", "out", "--json"]) == 0
        counts = json.loads(capsys.readouterr().out)
        assert (counts["plans"], counts["calls"], len(server.calls)) == (2, 2, 2)
    assert plans("out") == [PLAN, PLAN]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("train", ["`data`", "path, weight and roles", "`share`"]),
        ("run", ["sources", "train", "export", "check"]),
        ("generate", ["at_that_time", "--count N", "chooses them (0)"]),
        ("collect", ["worked on at once (16)", "may have (8)"]),
        ("export", ["or `q4_k_m` (q8_0)", "all cores (0)"]),
    ],
)
def test_help_tells_what_else_only_an_error_would(
    step: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["distill", step, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert all(word in shown for word in words)


def test_a_long_line_of_progress_stays_one_and_no_emoji_is_made_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = f"writing {'folder/' * 20}a:b:c [bold]"
    with progress_shown() as say:
        say(line)
    assert capsys.readouterr().err == line + "\n"


def test_import_reads_decompositions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["distill", "import", "strategyqa", "strategyqa.json", "--out", "out"]) == 0
    assert "examples: 1\nplans: 1\nleft out: 0\n" in capsys.readouterr().out
    assert plans("out") == [PLAN]


@pytest.mark.parametrize("step", ["import strategyqa", "from-solutions gsm8k"])
def test_a_broken_line_is_counted_or_refused(step: str, capsys: pytest.CaptureFixture[str]) -> None:
    good = DECOMPOSED if "strategyqa" in step else SOLVED
    Path("some.jsonl").write_text(f"{json.dumps(good)}\n{{broken\n")
    command = ["distill", *step.split(), "some.jsonl"]
    assert main([*command, "--out", "counted"]) == 0
    assert "left out: 1\n" in capsys.readouterr().out
    assert main([*command, "--refuse-broken", "--out", "refused"]) == 2
    assert "some.jsonl:2" in capsys.readouterr().err


def test_solutions_that_cannot_be_turned_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    unclear = {**SOLVED, "answer": "It is clear.\n#### 72"}
    Path("some.jsonl").write_text(f"{json.dumps(SOLVED)}\n{json.dumps(unclear)}\n")
    assert main(["distill", "from-solutions", "gsm8k", "some.jsonl", "--out", "out"]) == 0
    told = capsys.readouterr()
    assert "examples: 1\nplans: 1\nleft out: 1\n" in told.out
    assert re.search(r"first the row '.*some.jsonl:1': a step of its solution", told.err)


def test_settings_of_a_check_come_before_what_takes_long(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["check", "none", "--gguf", "none.gguf", "--examples", "examples.jsonl"]
    assert main(["distill", *command, "--strings", "0", "--out", "out"]) == 2
    assert "'strings' is a whole number from 1" in capsys.readouterr().err


def test_files_of_a_check_come_before_what_takes_long(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    Path("copy").mkdir()
    for path in (first := Path("decompose.gguf"), second := Path("copy", "decompose.gguf")):
        path.symlink_to(bundled_model_path())
    command = ["distill", "check", str(tmp_path / "model"), "--examples", "examples.jsonl"]
    assert main([*command, "--gguf", str(first), str(second), "--out", "out"]) == 2
    assert main([*command, "--gguf", str(first), "--out", "examples.jsonl"]) == 2
    assert main([*command, "--gguf", "none.gguf", "--out", "out"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert "several files 'decompose'" in told[0]
    assert "examples.jsonl" in told[1]
    assert "no model file" in told[2]
    assert len(told) == 3, "nothing was measured"


def test_solutions_become_plans() -> None:
    assert main(["distill", "from-solutions", "gsm8k", "gsm8k.jsonl", "--out", "out"]) == 0
    (plan,) = plans("out")
    assert plan.count("\n") == 1
    assert plan.endswith("<- #1")


def test_generate_makes_questions_of_the_kinds_named() -> None:
    command = ["generate", "--count", "5", "--seed", "3", "--kinds", "compare", "choice"]
    assert main(["distill", *command, "--out", "out"]) == 0
    kinds = [example.meta["kind"] for example in read_examples(Path("out/examples.jsonl"))]
    assert len(kinds) == 5
    assert set(kinds) <= {"compare", "choice"}


def test_screen_leaves_out_what_occurs_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["distill", "screen", "examples.jsonl", "--out", "out", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 1
    assert plans("out") == ["atomic"]
    assert "the question occurs again" in Path("out/report.md").read_text()


TEACHER = ["--teacher", "openai:any@http://127.0.0.1:9"]


@pytest.mark.parametrize(
    "command",
    [
        ["collect", *TEACHER, "--questions", "windows.jsonl"],
        ["import", "strategyqa", "windows.json"],
        ["import", "break", "windows.csv"],
        ["screen", "windows.jsonl"],
    ],
    ids=" ".join,
)
def test_a_file_in_utf_16_is_named_and_what_to_do(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("questions.jsonl", "strategyqa.json", "examples.jsonl"):
        Path(f"windows{Path(text).suffix}").write_text(Path(text).read_text(), encoding="utf-16")
    Path("windows.csv").write_text("question_id,question_text\n", encoding="utf-16-be")
    assert main(["distill", *command, "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert error.endswith(f"{command[-1]}' is in UTF-16; save it as UTF-8.\n")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["collect", *TEACHER, "--questions", "none.jsonl"], "'none.jsonl' can't be read"),
        (["collect", *TEACHER, "--questions", "questions.jsonl", "--attempts", "0"], "attempts is"),
        (["import", "strategyqb", "strategyqa.json"], "there is no format 'strategyqb'"),
        (["import", "strategyqa", "none.json"], "none.json' isn't there; check the path.\n"),
        (["from-solutions", "gsm8k", "strategyqa.json"], "has no examples"),
        (["generate", "--count", "0"], "'count' is a whole number from 1"),
        (["generate", "--count", "1", "--kinds", "riddle"], "nothing called 'riddle'"),
        (["screen", "none.jsonl"], "'none.jsonl' can't be read"),
        (["screen", "examples.jsonl", "--method", "luck"], "not 'luck'"),
        (["train", "none.yaml"], "'none.yaml' can't be read"),
        (["run", "none.yaml"], "name a file, or one of cpu"),
        (
            ["check", "none", "--gguf", "none.gguf", "--examples", "examples.jsonl"],
            "there is no model directory 'none'",
        ),
    ],
)
def test_a_mistake_is_told_in_a_line(
    command: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["distill", *command, "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


# What a YAML file names, it may hold again and again: this is a list with 100,000 letters.
MANY_TIMES_ITSELF = "- &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"- &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in pairwise("abcde")
)


def test_an_out_that_is_a_file_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["distill", "generate", "--count", "1", "--out", "examples.jsonl"]) == 2
    path = str(Path("examples.jsonl", "manifest.json"))
    assert capsys.readouterr().err == f"decompose: {path!r} can't be read: Not a directory.\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "'mine.yaml' is a mapping of stages, roles,"),
        ("stages: [{data: [a]}]\nmax_stepz: 3\n", "'mine.yaml' has no 'max_stepz'"),
        ("stages: [{data: [a]}]\nmax_steps: many\n", "'max_steps': Input should be a valid int"),
        ("stages: [{data: [a]}]\nmax_steps: 1\nthreads: -1\n", "'threads' must be at least 0"),
        ("stages: [{data: [a}\n", "'mine.yaml' is no YAML"),
        ("stages: 2024-02-30\n", "'mine.yaml' is no YAML: day is out of range for month"),
        ("[" * 20_000, "'mine.yaml' is no YAML"),
        (MANY_TIMES_ITSELF, "'mine.yaml' is a mapping of stages, roles,"),
    ],
)
def test_a_mistake_in_training_settings_is_told_in_a_line(
    text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("yaml")
    Path("mine.yaml").write_text(text)
    assert main(["distill", "train", "mine.yaml", "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert len(error) < 2000


def test_files_are_named_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = {"model-q8_0.gguf": 7, "left_out": 1}
    monkeypatch.setattr(export_module, "export", lambda *_: counts)
    assert main(["distill", "export", "model", "--out", "out"]) == 0
    assert capsys.readouterr().out == "model-q8_0.gguf: 7\nleft out: 1\n"


def test_on_a_terminal_progress_leaves_what_else_was_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # Rich takes any stream for a terminal then,
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)  # and so do we.
    with progress_shown() as say:
        for line in ("[no] compiler", "step 10", "step 20", "wrote q4_0", "wrote q8_0"):
            say(line)
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]|\r", "\n", capsys.readouterr().err).splitlines()
    kept = [line for line in shown if line.startswith(("[no]", "step", "wrote"))]
    assert kept == ["[no] compiler", "step 20", "wrote q4_0", "wrote q8_0"]


def test_a_step_that_failed_is_done_when_the_mistake_is_mended(tmp_path: Path) -> None:
    command: list[Any] = ["distill", "import", "strategyqa", "mended.json", "--out", "out"]
    Path("mended.json").write_text("[]")
    assert main(command) == 2
    Path("mended.json").write_text(json.dumps([DECOMPOSED]))
    assert main(command) == 0


@pytest.mark.parametrize("given", ["released", "released/"])
def test_a_file_is_published_into_a_directory_or_under_a_name_of_its_own(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    targets: list[Path] = []
    monkeypatch.setattr(
        check_module, "publish", lambda _, target, *__, **___: targets.append(target)
    )
    command = ["distill", "publish", "export/model-q8_0.gguf", "--check", "check", "--out"]
    for out in (given, "new/mine.gguf"):
        assert main([*command, out]) == 0
    assert targets == [Path("released/model-q8_0.gguf"), Path("new/mine.gguf")]
