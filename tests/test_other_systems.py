"""What differs on other systems, made to happen here: Windows' files, a Mac's exit, terminals."""

from __future__ import annotations

import _pyio
import io
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose import UserError, resolve_model
from langgraph_decompose.cli.main import main
from langgraph_decompose.cli.review import _edited
from langgraph_decompose.cli.terminal import progress_shown
from langgraph_decompose.distill.collect.store import ReplyStore
from langgraph_decompose.distill.source_files import evaluation_reference
from langgraph_decompose.evals.report.content import _file_name
from langgraph_decompose.testing import LatencyServer

from .conftest import python

OPEN = Path("/proc/self/fd")


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text files have its line ends, and what is open here can't be removed."""
    if not OPEN.exists():
        pytest.skip("looks into /proc")
    remove = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if any(os.path.realpath(fd) == str(path.resolve()) for fd in OPEN.iterdir()):
            raise PermissionError(13, "The process cannot access the file", str(path))
        remove(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    monkeypatch.setattr(os, "linesep", "\r\n")
    monkeypatch.setattr(io, "open", _pyio.open)


def test_a_batch_goes_on_and_ends_well_on_windows(
    windows: None, tmp_path: Path, capsys: Any
) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b'{"question": "a?"}\r\n{"question": "b?"}\r\n')
    with LatencyServer(lambda prompt, _: "42") as server:
        model = f"openai:m@{server.url}"
        asked = ["batch", str(source), "--out", str(out), "--solver", model, "--strategy=direct"]
        assert main([*asked, "--concurrency=1", "--max-calls=1"]) == 3
        assert main([*asked, "--max-calls=2"]) == 0, capsys.readouterr().err
        assert len(server.calls) == 2, "what was paid isn't paid again"
    assert [json.loads(row)["answer"] for row in out.read_text().splitlines()] == ["42", "42"]


def test_other_questions_for_a_batch_are_refused_on_windows(
    windows: None, tmp_path: Path, capsys: Any
) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b'{"question": "a?"}\n')
    out.write_bytes(b'{"key": "k", "question": "b?", "answer": "4", "status": "ok", "usage": []}\n')
    assert main(["batch", str(source), "--out", str(out), "--retry-failed"]) == 2
    assert "was begun with other questions" in capsys.readouterr().err


def test_a_full_disk_loses_nothing_on_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is opened there without O_BINARY gets a byte more for each line end."""
    binary, text = 1 << 30, set[int]()
    real_open, real_write = os.open, os.write

    def open_(path: Any, flags: int, *more: Any) -> int:
        file = real_open(path, flags & ~binary, *more)
        if not flags & binary:
            text.add(file)
        return file

    def write(file: int, data: Any) -> int:
        if b"third" in bytes(data):
            raise OSError(28, "No space left on device")
        real_write(file, bytes(data).replace(b"\n", b"\r\n" if file in text else b"\n"))
        return len(data)

    monkeypatch.setattr(os, "O_BINARY", binary, raising=False)
    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(os, "write", write)
    with ReplyStore(tmp_path) as store:
        store.note_call("first")
        store.note_call("second")
        with pytest.raises(UserError, match="what was kept is safe"):
            store.note_call("third")
    with ReplyStore(tmp_path) as store:
        assert store.calls == 2


def test_a_path_of_windows_is_told_from_a_provider() -> None:
    with pytest.raises(UserError, match=r"did you mean gguf:C:\\models\\q\.gguf\?"):
        resolve_model(r"C:\models\q.gguf")


def test_the_path_of_an_evaluation_set_may_hold_a_colon(tmp_path: Path) -> None:
    for name in ("c:x.jsonl", "x.jsonl"):
        file = tmp_path / name
        file.touch()
        assert evaluation_reference(f"dev:{name}", tmp_path) == f"dev:{file}"
        assert evaluation_reference(f"gsm8k:{name}", tmp_path) == f"gsm8k:{file}"


def test_names_that_differ_in_capitals_alone_are_two_files() -> None:
    assert _file_name("mine") == "mine"
    assert _file_name("Mine").lower() != "mine"


def test_an_editor_may_begin_a_file_with_a_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "editor.py"
    script.write_text("import sys; open(sys.argv[1], 'wb').write(b'\\xef\\xbb\\xbf#1 Who?\\r\\n')")
    monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
    assert _edited("#1 What?") == "#1 Who?"


@pytest.mark.parametrize(
    ("environment", "terminal"), [({"FORCE_COLOR": "1"}, False), ({"TERM": "dumb"}, True)]
)
def test_progress_is_lines_where_nothing_can_be_rewritten(
    environment: Mapping[str, str], terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    written = io.StringIO()
    monkeypatch.setattr(written, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(sys, "stderr", written)
    with progress_shown() as say:
        say("step 1")
        say("step 2")
        assert written.getvalue() == "step 1\n"


def test_a_model_is_freed_when_the_interpreter_ends() -> None:
    """On a Mac's GPU, llama.cpp aborts a process that exits with one loaded."""
    code = """
import llama_cpp
from langgraph_decompose import ChatGGUF, bundled_model_path
free = llama_cpp.llama_model_free
llama_cpp.llama_model_free = lambda model: (free(model), print("freed", flush=True))
ChatGGUF(model_path=bundled_model_path(), max_tokens=1).invoke("hi")
print("asked")
"""
    assert python(code) == "asked\nfreed\n"
