"""A full or read-only disk while something is written: one sentence with the path."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.distill.collect.store import ReplyStore
from langgraph_decompose.distill.whole_files import write_text, written_whole
from langgraph_decompose.errors import UserError

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")

from langgraph_decompose.distill.export.export import ExportSettings, export  # noqa: E402
from langgraph_decompose.distill.train.curriculum import Data  # noqa: E402
from langgraph_decompose.distill.train.files import write_student  # noqa: E402
from langgraph_decompose.distill.train.tokenizer import train_tokenizer  # noqa: E402
from langgraph_decompose.distill.train.train import TrainSettings  # noqa: E402

from . import distill_students as students  # noqa: E402


def fill(target: Path) -> None:
    """Let the tokenizer of the folder that becomes `target` end on a full disk."""
    folder = target.with_name(f".{target.name}.{os.getpid()}")
    folder.mkdir()
    (folder / "tokenizer.json").symlink_to("/dev/full")


@contextmanager
def told(path: Path, reason: str = "No space left on device") -> Iterator[None]:
    with pytest.raises(UserError, match=f"can't be written.*{reason}") as caught:
        yield
    assert repr(str(path)) in str(caught.value)
    assert "\n" not in str(caught.value)


@full
def test_a_new_tokenizer(tmp_path: Path) -> None:
    folder = tmp_path / "tokenizer"
    fill(folder)
    with told(folder):
        train_tokenizer(["How many apples?"], 300, folder)
    assert not list(tmp_path.iterdir())


@full
def test_a_trained_student(tmp_path: Path) -> None:
    tokenizer = students.tokenizer()
    model = students.student("llama", len(tokenizer))
    settings = TrainSettings(stages=[{"data": ["data.jsonl"]}], max_steps=1)
    fill(tmp_path / "model")
    with told(tmp_path / "model"):
        write_student(tmp_path / "model", settings, model, tokenizer, Data(), {})
    assert not list(tmp_path.iterdir())


async def test_a_teachers_reply(tmp_path: Path) -> None:
    """Writing may succeed and syncing fail; a pipe can't be synced."""
    row: dict[str, Any] = {"error": {"type": "X", "message": "x"}, "usage": []}
    reading, writing = os.pipe()
    with ReplyStore(tmp_path) as store:
        os.dup2(writing, store._file)
        with told(tmp_path / "replies.jsonl", "Invalid argument"):
            store.put("a", row)
        with told(tmp_path / "replies.jsonl", "Invalid argument"):
            await store.aput("b", row)
    os.close(reading)
    os.close(writing)


def test_a_read_only_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses to remove as well, even what isn't there."""

    def refused(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    tokenizer = students.tokenizer()
    model = students.student("llama", len(tokenizer))
    model_dir = students.save(model, tokenizer, tmp_path / "model")
    for name in ("write_text", "replace", "unlink"):
        monkeypatch.setattr(Path, name, refused)
    reason = os.strerror(errno.EROFS)
    with told(tmp_path / "card.md", reason):
        write_text(tmp_path / "card.md", "A card.")
    with told(tmp_path / "model.gguf", reason), written_whole(tmp_path / "model.gguf"):
        pass
    with told(tmp_path / "gguf" / "manifest.json", reason):
        export(ExportSettings(), model_dir, tmp_path / "gguf")
