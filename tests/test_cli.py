"""The `decompose` command as a person meets it: real processes, streams and exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose import bundled_model_path, parse_plan
from langgraph_decompose.cli.doctor import _tracing
from langgraph_decompose.cli.main import main
from langgraph_decompose.testing import LatencyServer, ServerReply
from langsmith.run_helpers import tracing_context

from .conftest import SEATS, Finished, RecordingServer, hears_ctrl_c, python

Decompose = Callable[..., Finished]


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Decompose:
    """The same command in this process, which is quicker."""
    return lambda *args: Finished(main([*args]), *capsys.readouterr())


def test_stdout_is_the_answer_and_nothing_else(decompose: Decompose) -> None:
    assert decompose("ask", SEATS) == Finished(0, "180\n", "")


def test_the_question_may_come_from_stdin(decompose: Decompose) -> None:
    assert decompose("ask", "-", stdin=SEATS + "\n").out == "180\n"


def test_json_is_one_object_with_everything(here: Decompose) -> None:
    done = here("ask", SEATS, "--json")
    result = json.loads(done.out)
    assert result["question"] == SEATS
    assert result["answer"] == "180"
    assert result["result_version"] == 1
    assert [row["answer"] for row in result["answers"]] == ["240", "180"]
    assert "messages" not in result


def test_a_fact_asked_of_the_bundled_solver_is_one_line_and_exit_1(decompose: Decompose) -> None:
    done = decompose("ask", "Who directed Jaws?")
    assert (done.code, done.out) == (1, "")
    [line] = done.err.splitlines()
    assert "arithmetic only" in line
    assert "--solver" in line


def test_plan_prints_the_plan_text(decompose: Decompose) -> None:
    done = decompose("plan", "Who is the spouse of the director of Jaws?")
    plan = parse_plan(done.out)
    assert done == Finished(0, f"{plan}\n", "")
    assert [line.needs for line in plan.subquestions] == [(), (1,)]
    as_json = json.loads(decompose("plan", "Who directed Jaws?", "--json").out)
    assert as_json["plan"] == []
    assert as_json["usage"][0]["calls"] == 1


def test_plan_and_ask_agree_on_the_plan(here: Decompose) -> None:
    planned = json.loads(here("plan", SEATS, "--json").out)
    asked = json.loads(here("ask", SEATS, "--json").out)
    assert planned["plan"] == asked["plan"]


@pytest.mark.parametrize(
    ("setting", "code", "message"),
    [
        ("call_timeout = 0.001", 1, "TimeoutError)"),  # Ours, or the client's.
        ("max_seconds = 0.001", 3, "the budget's max_seconds"),
        ("max_calls = 1", 3, "the budget's max_calls (1) was reached"),
    ],
)
@pytest.mark.parametrize("kind", ["gguf", "hosted"])
def test_plan_keeps_to_the_timeout_and_the_budget(
    kind: str,
    setting: str,
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "config.toml").write_text(f"max_subquestions = 1\n{setting}")
    monkeypatch.setenv("DECOMPOSE_CONFIG", str(tmp_path / "config.toml"))
    # Without a grammar it is two lines, of which one is too many: it would be asked for again.
    monkeypatch.setattr("langgraph_decompose.nodes.plan_calls.grammar_for", lambda *_, **__: None)
    reply = ServerReply("#1 A?\n#2 B?", hang="max_calls" not in setting)
    with LatencyServer(lambda *_: reply) as server:
        model = f"openai:m@{server.url}" if kind == "hosted" else f"gguf:{bundled_model_path()}"
        assert main(["plan", SEATS, "--decomposer", model]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err


def test_a_context_is_read_from_a_file(
    here: Decompose, tmp_path: Path, openai_server: RecordingServer
) -> None:
    (tmp_path / "passage.txt").write_text("\ufeffLüneburg lies on the Ilmenau.", encoding="utf-8")
    solver = f"openai:m@{openai_server.url}"
    done = here(
        "ask",
        "Which river?",
        "--context",
        str(tmp_path / "passage.txt"),
        "--solver",
        solver,
        "--strategy",
        "direct",
    )
    assert done.out == "42\n"
    sent = openai_server.requests[0]["body"]["messages"][-1]["content"]
    assert sent == "Lüneburg lies on the Ilmenau.\n\nWhich river?"


def test_an_answer_with_gaps_is_exit_3(here: Decompose, openai_server: RecordingServer) -> None:
    plan = "#1 A?\n#2 B?"
    openai_server.replies = [plan]
    openai_server.default = lambda body: (
        (400, "cannot") if "answer now: B?" in str(body) else "fine"
    )
    server = f"openai:m@{openai_server.url}"
    done = here("ask", "Both?", "--solver", server, "--decomposer", server)
    assert (done.code, done.out) == (3, "fine\n")


MISTAKES: list[tuple[list[str], str]] = [
    (["ask", ""], "the question is empty"),
    (["ask", " \n\t"], "the question is empty"),
    (["plan", ""], "the question is empty"),
    (["ask", "Why?", "--decomposer", "gguf:nowhere.gguf"], "no model file 'nowhere.gguf'"),
    (["ask", "Why?", "--solver", "gguf:fake.gguf"], "'fake.gguf' is no GGUF file"),
    (["ask", "Why?", "--decomposer", "gguf:cut.gguf"], "'cut.gguf' is cut off or damaged"),
    (["plan", "Why?", "--decomposer", "gguf:tail.gguf"], "can't load 'tail.gguf'"),
    (["ask", "Why?", "--decomposer", "gguf:."], "is a folder"),
    (["ask", "Why?", "--strategy", "magic"], "unknown strategy 'magic'"),
    (["ask", "Why?", "--strategy", "cot"], "needs a solver that reasons in words"),
    (["ask", "Why?", "--solver", "magic"], "unknown model 'magic'"),
    (["ask", "Why?", "--solver", "magic:m"], "no provider 'magic'"),
    (["ask", "Why?", "--solver", "openai:gpt-5-mini"], "set OPENAI_API_KEY"),
    (["ask", "Why?", "--max-subquestions", "0"], "the cap on subquestions is 1 to 64"),
    (["ask", "Why?", "--context", "nowhere.txt"], "no context file 'nowhere.txt'"),
    (["ask", "Why?", "--context", "."], "can't be read: Is a directory"),
    (["ask", "Why?", "--context", ""], "the context is empty; name a file, or leave --context out"),
    (["plan", "Why?", "--context", "blank.txt"], "the context file 'blank.txt' is empty"),
    (["ask", "Why?", "--context", "fake.gguf"], "is binary, not text"),
    (["ask", "Why?", "--context", "latin1.txt"], "isn't a UTF-8 text"),
    (["ask", "Why?", "--context", "long.txt"], "the decomposer 'bundled' can't read it all: "),
    (
        ["ask", "Why?", "--context", "long.txt"],
        "; shorten it or name another with --dec",
    ),
    (
        ["ask", "How many are 1 of 2?", "--context", "long.txt", "--strategy", "direct"],
        "another with --solver.",
    ),
    (["plan", "Why?", "--context", "long.txt"], "over the model's limit of "),
    (["ask", "Why?", "--prompts", "nowhere"], "no prompts folder 'nowhere'"),
    (["models", "nowhere.gguf"], "nowhere.gguf"),
    (["models", "fake.gguf"], "is no GGUF file"),
    (["batch", "~no-one/q.jsonl", "--out", "o.jsonl"], "no home folder for '~no-one/q.jsonl'"),
    (["batch", "long.txt", "--out", "~no-one/o.jsonl"], "no home folder for '~no-one/o.jsonl'"),
    (["eval", "~no-one/q.jsonl", "--out", "o"], "no home folder for '~no-one/q.jsonl'"),
    (["eval", "gsm8k", "--out", "~no-one/o"], "no home folder for '~no-one/o'"),
]


@pytest.mark.parametrize(("args", "message"), MISTAKES, ids=lambda v: str(v)[:60])
def test_a_mistake_is_one_clear_line_and_exit_2(
    args: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    model = Path(bundled_model_path()).read_bytes()
    monkeypatch.chdir(tmp_path)
    Path("fake.gguf").write_bytes(b"\0\0 not a model")
    Path("cut.gguf").write_bytes(model[:500_000])
    Path("tail.gguf").write_bytes(model[:-64])
    Path("blank.txt").write_text("\ufeff \n", encoding="utf-8")
    Path("latin1.txt").write_bytes("Lüneburg".encode("latin-1"))
    Path("long.txt").write_text("word " * 5000)
    assert main(args) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    assert line.startswith("decompose: ")
    assert message in line


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["frob"], "invalid choice: 'frob'"),
        (["ask"], "are required: question; see `decompose ask --help`."),
        (["ask", "Why?", "--frob"], "unrecognized arguments: --frob; see `decompose --help`."),
        (["ask", "Why?", "--samples", "x"], "argument --samples: invalid int value: 'x'"),
        (["distill", "collect"], "are required: --out, --teacher, --questions; see `decompose dis"),
    ],
    ids=lambda v: str(v)[:40],
)
def test_arguments_that_are_not_understood_are_one_line_too(
    args: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(args)
    assert ended.value.code == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    assert line.startswith("decompose: ")
    assert message in line


def test_a_real_process_shows_no_traceback_either(decompose: Decompose) -> None:
    for args in (["ask", ""], ["ask", "Why?", "--solver", "gguf:x"], ["ask", "-"]):
        done = decompose(*args, stdin=b"\xff\xfe")
        assert done.code == 2
        assert len(done.err.splitlines()) == 1


def test_whoever_looks_for_a_fault_sees_the_traceback(decompose: Decompose) -> None:
    nobody = ["--decomposer", "openai:m@http://127.0.0.1:9/v1"]
    done = decompose("plan", SEATS, *nobody, env={"DECOMPOSE_DEBUG": "1"})
    assert (done.code, done.out) == (1, "")
    assert "Traceback (most recent call last)" in done.err


def test_a_server_that_is_not_there_is_exit_1(here: Decompose) -> None:
    done = here("ask", SEATS, "--solver", "openai:m@http://127.0.0.1:9/v1")
    assert (done.code, done.out) == (1, "")
    [line] = done.err.splitlines()
    assert "can't connect" in line
    assert "refused" in line or "failed" in line
    done = here("plan", SEATS, "--decomposer", "openai:m@http://127.0.0.1:9/v1")
    assert done.code == 1
    assert "can't connect" in done.err
    assert len(done.err.splitlines()) == 1


def test_what_keeps_from_asking_a_server_is_named(decompose: Decompose) -> None:
    asked = ("ask", SEATS, "--solver", "openai:m@http://127.0.0.1:99999/v1")
    assert "port must be 0-65535" in decompose(*asked).err
    done = decompose(*asked, env={"SSL_CERT_FILE": "/nowhere.pem"})
    assert done.code == 2
    assert "the certificates can't be read (No such file or directory); mend or" in done.err


def test_what_the_server_said_is_shown(here: Decompose, openai_server: RecordingServer) -> None:
    openai_server.default = (401, "Incorrect API key provided")
    done = here("ask", SEATS, "--solver", f"openai:m@{openai_server.url}")
    assert (done.code, done.out) == (1, "")
    assert "Incorrect API key provided" in done.err
    openai_server.default = (422, {"detail": "no such model is served"})
    done = here("ask", SEATS, "--solver", f"openai:m@{openai_server.url}")
    assert "no such model is served" in done.err


def test_an_address_without_its_v1_is_told_what_it_may_lack(
    here: Decompose, openai_server: RecordingServer
) -> None:
    openai_server.default = (404, {"detail": "Not Found"})
    address = openai_server.url.removesuffix("/v1")
    done = here("ask", SEATS, "--solver", f"openai:m@{address}")
    assert done.err.count("\n") == done.code == 1
    assert f"Not Found: no /chat/completions at {address}; most addresses end in /v1" in done.err
    done = here("ask", SEATS, "--solver", f"openai:m@{openai_server.url}")
    assert "most addresses" not in done.err


def test_ctrl_c_is_130_at_once(openai_server: RecordingServer) -> None:
    hanging = threading.Event()
    asked = threading.Event()

    def hang(body: Any) -> str:
        asked.set()
        hanging.wait(30)
        return "late"

    openai_server.default = hang
    command = [sys.executable, "-m", "langgraph_decompose", "ask", SEATS]
    process = subprocess.Popen(
        [*command, "--solver", f"openai:m@{openai_server.url}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hears_ctrl_c,
    )
    assert asked.wait(60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)  # The server would hang for longer.
    hanging.set()
    assert process.returncode == 130
    assert out == ""
    assert re.fullmatch(r"to go on: decompose resume \w{8}\ndecompose: interrupted\n", err)


def test_on_a_terminal_stderr_shows_the_tree(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "langgraph_decompose", "ask", SEATS],
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(follower)
    shown = b""
    try:
        while chunk := os.read(leader, 65536):
            shown += chunk
    except OSError:
        pass  # The other end is closed.
    assert process.stdout is not None
    assert process.stdout.read() == b"180\n"
    assert process.wait(30) == 0
    assert re.search("✓.*#2 .*= 180", shown.decode())


def test_models_lists_and_describes(decompose: Decompose) -> None:
    listed = json.loads(decompose("models", "--json").out)
    roles = [(row["ref"], row["role"], row["roles"]) for row in listed["bundled"]]
    assert roles == [("bundled", role, [role]) for role in ("decomposer", "solver")]
    assert listed["cached"] == []
    described = json.loads(decompose("models", "bundled", "--json").out)
    assert described["decompose.final"] == "last"
    shown = decompose("models").out.splitlines()
    assert [line[:21].rstrip() for line in shown] == ["bundled (decomposer)", "bundled (solver)"]


def test_models_finds_what_the_hub_has_cached(decompose: Decompose, tmp_path: Path) -> None:
    caches = tmp_path / "snapshots"
    folder = caches / "huggingface/hub/models--o--r/snapshots/abc/q4"
    folder.mkdir(parents=True)
    model = Path(bundled_model_path()).read_bytes()
    (folder / "m.gguf").write_bytes(model)
    (folder / "gone.gguf").symlink_to("../../blobs/gone")
    roles = b"decompose.roles\x09\0\0\0\x08"
    (folder / "odd.gguf").write_bytes(model.replace(roles, roles[:-1] + b"\x04"))
    config = tmp_path / "config.toml"
    config.write_text('[models.desk]\nref = "openai:m@http://me:secret@127.0.0.1/v1"')
    env = {"HF_HOME": "", "XDG_CACHE_HOME": str(caches), "DECOMPOSE_CONFIG": str(config)}
    done = decompose("models", env=env)
    assert (done.code, done.err) == (0, "")
    [mine] = [line for line in done.out.splitlines() if line.startswith("gguf:hf:o/r/q4/m.gguf ")]
    assert mine.endswith("decompose, decomposer")
    assert "gone.gguf" not in done.out
    assert "gguf:hf:o/r/q4/odd.gguf" in done.out
    assert "desk" in done.out
    assert "secret" not in done.out + decompose("models", "--json", env=env).out


def test_the_words_of_a_file_neither_steer_the_terminal_nor_pass_for_ours(
    decompose: Decompose, tmp_path: Path
) -> None:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    pairs = {"\x1b[2Jkey\x07": "v\x1b[2J", "path": "/etc/passwd"}
    data = b"".join(text(k) + struct.pack("<I", 8) + text(v) for k, v in pairs.items())
    (tmp_path / "odd.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + data)
    done = decompose("models", "odd.gguf")
    assert done.out.splitlines()[0].split() == ["path", "odd.gguf"]
    assert "/etc" not in done.out
    assert not set("\x1b\x07") & set(done.out)
    done = decompose("models", "\x1b[2J.gguf")
    assert done.code == 2
    assert "\x1b" not in done.err


def test_doctor_says_what_works(decompose: Decompose) -> None:
    done = decompose("doctor")
    assert done.code == 0, done.out
    assert "bundled decomposer     loads and plans (2 subquestions)" in done.out
    assert "bundled solver         loads and solves (4 bags of 6 pears: 24)" in done.out
    checks = json.loads(decompose("doctor", "--json").out)
    assert {c["name"]: c["ok"] for c in checks}["llama.cpp"] is True
    broken = decompose("doctor", env={"DECOMPOSE_CONFIG": "/nowhere.toml"})
    assert broken.code == 1
    assert "FAIL" in broken.out
    assert "DECOMPOSE_CONFIG names" in broken.out


def test_doctor_says_whether_langsmith_is_told() -> None:
    with tracing_context(enabled=True):
        assert "answers go to LangSmith" in _tracing()["detail"]
    assert "off" in _tracing()["detail"]


@pytest.mark.parametrize("command", [["doctor"], ["models", "openai:q@http://me:secret@host/v1"]])
def test_a_password_in_an_address_is_not_shown(command: list[str], decompose: Decompose) -> None:
    done = decompose(*command, env={"DECOMPOSE_SOLVER": "openai:q@http://me:secret@host/v1"})
    assert "openai:q@http://host/v1" in done.out + done.err
    assert "secret" not in done.out + done.err


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('solver = "nope"', "unknown model 'nope'"),
        (f'solver = "gguf:{bundled_model_path()}"', "was trained as decomposer alone"),
        ('strategy = "dga"', "unknown strategy 'dga'"),
        ('gate = "banana"', "unknown gate 'banana'"),
        ("max_subquestions = 500", "the cap on subquestions is 1 to 64"),
        ('ladder = "nowhere.json"\nstrategy = "escalate"', "no ladder file 'nowhere.json'"),
    ],
    ids=lambda v: str(v)[:20],
)
def test_doctor_says_what_ask_would_refuse(
    setting: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "config.toml").write_text(setting)
    monkeypatch.setenv("DECOMPOSE_CONFIG", str(tmp_path / "config.toml"))
    assert main(["doctor"]) == 1
    [failed] = [line for line in capfd.readouterr().out.splitlines() if line.startswith("FAIL")]
    assert said in failed
    assert main(["ask", SEATS, "--no-save"]) == 2
    assert said in capfd.readouterr().err


def test_help_is_complete_and_light() -> None:
    code = (
        "import sys\n"
        "from langgraph_decompose.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'langgraph', 'langchain_core', 'langchain', 'llama_cpp', 'torch',"
        " 'transformers', 'rich', 'numpy', 'openai'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    shown = python(code)
    for command in ("ask", "plan", "models", "doctor"):
        assert command in shown


def test_planning_with_a_gguf_does_not_import_langchain() -> None:
    code = (
        "import sys\n"
        "from langgraph_decompose.cli.main import main\n"
        "main(['plan', 'Who directed Jaws?'])\n"
        "heavy = {'langgraph', 'langchain_core', 'torch', 'transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    assert python(code) == "atomic\n"


def test_without_llama_cpp_the_rest_works_and_gguf_says_what_to_install(
    decompose: Decompose, tmp_path: Path, openai_server: RecordingServer
) -> None:
    (tmp_path / "llama_cpp.py").write_text("raise ImportError('not here')")
    env = {"PYTHONPATH": str(tmp_path)}
    for args in (["plan", "Why?"], ["ask", "Why?"]):
        done = decompose(*args, env=env)
        assert done.code == 2
        [line] = done.err.splitlines()
        assert "pip install 'llama-cpp-python" in line
        assert "prebuilt wheel add --prefer-binary " in line
    server = f"openai:m@{openai_server.url}"
    openai_server.replies = ["#1 A?"]
    done = decompose("ask", "Why?", "--solver", server, "--decomposer", server, env=env)
    assert done == Finished(0, "42\n", "")
    doctor = decompose("doctor", env=env)
    assert doctor.code == 1
    assert "pip install 'llama-cpp-python" in doctor.out


def test_without_numpy_examples_are_made_and_an_export_says_what_to_install(
    decompose: Decompose, tmp_path: Path
) -> None:
    (tmp_path / "numpy.py").write_text("raise ModuleNotFoundError('not here', name='numpy')")
    env = {"PYTHONPATH": str(tmp_path)}
    done = decompose("distill", "generate", "--count", "2", "--out", "made", env=env)
    assert (done.code, "examples: 2" in done.out) == (0, True), done.err
    done = decompose("distill", "export", "model", "--out", "out", env=env)
    assert (done.code, done.out) == (2, "")
    assert "needs numpy, which isn't installed: pip install 'langgraph-dec" in done.err


def test_a_llama_cpp_that_does_not_load_is_compiled_anew(
    decompose: Decompose, tmp_path: Path
) -> None:
    (tmp_path / "llama_cpp.py").write_text("raise RuntimeError('libc.musl-x86_64.so.1: missing')")
    done = decompose("plan", "Why?", env={"PYTHONPATH": str(tmp_path)})
    assert (done.code, done.out) == (2, "")
    [line] = done.err.splitlines()
    assert "doesn't load (libc.musl-x86_64.so.1: missing); compile it anew: pip install " in line
    assert "--force-reinstall" in line, "else pip does nothing, since it is installed"


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m langgraph_decompose models bundled | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout.startswith("path")
    assert done.stderr == ""


def shell(command: str) -> tuple[int, str, str]:
    """What `decompose`, as a shell with a pipe's own exit code runs it, leaves behind."""
    line = command.replace("decompose", f"{sys.executable} -m langgraph_decompose")
    bash = ["bash", "-o", "pipefail", "-c", line]
    done = subprocess.run(bash, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_who_reads_no_more_changes_no_exit_code(
    unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    assert shell("decompose models bundled | true") == (0, "", "")
    assert shell("decompose ask 'Who directed Jaws?' 2>&1 | true") == (1, "", "")
    assert shell("decompose ask '' 2>&1 | true") == (2, "", "")
    assert shell("decompose --help | true") == (0, "", "")
    assert shell("decompose distill collect --help | true") == (0, "", "")
    assert shell("decompose frob 2>&1 | true") == (2, "", "")
    assert shell("decompose 2>&1 | true") == (2, "", "")


def test_a_stream_may_be_closed_from_the_beginning() -> None:
    assert shell("decompose cache --json >&-") == (0, "", "")
    assert shell("decompose ask 'Who directed Jaws?' 2>&-") == (1, "", "")
    code, _, err = shell("decompose ask - <&-")
    assert (code, err) == (2, "decompose: the question is empty; ask something.\n")


def test_what_a_stream_cannot_encode_is_escaped(
    decompose: Decompose, openai_server: RecordingServer
) -> None:
    openai_server.default = "Čapek’s “Ä” 🙂"
    ask = ["ask", "Who?", "--strategy", "direct", "--solver", f"openai:m@{openai_server.url}"]
    narrow = {"PYTHONIOENCODING": "ascii"}
    shown = "\\u010capek\\u2019s \\u201c\\u00c4\\u201d \\ud83d\\ude42\n"
    assert decompose(*ask, env=narrow) == Finished(0, shown, "")
    whole = json.loads(decompose(*ask, "--json", env=narrow).out)
    assert whole["answer"] == openai_server.default
    assert decompose("doctor", env=narrow).code == 0
