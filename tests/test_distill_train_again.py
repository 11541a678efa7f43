"""The same training started again: what may have changed since, and what may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.distill.manifest import read_manifest
from langgraph_decompose.distill.records import Example, write_examples
from langgraph_decompose.distill.train.train import TrainSettings, train
from langgraph_decompose.errors import UserError

for package in ("torch", "transformers", "safetensors", "matplotlib"):
    pytest.importorskip(package)

TINY = {"width": 32, "layers": 1, "heads": 2, "kv_heads": 1, "feed_forward": 64, "vocab": 300,
        "context": 128}  # fmt: skip


def write(path: Path, **meta: str) -> Path:
    rows = [Example(str(k), f"Where is town {k}?", meta=meta) for k in range(20)]
    write_examples(path, rows)
    return path


def settings(data: Path, **changes: Any) -> TrainSettings:
    given: dict[str, Any] = {
        "stages": [{"data": [data]}], "scratch": TINY, "max_steps": 6, "batch_tokens": 128,
        "row_tokens": 128, "device": "cpu", "threads": 1, "log_every": 1, "save_every": 2,
    }  # fmt: skip
    return TrainSettings(**(given | changes))


class Stopped(Exception):
    """Raised by a test in the middle of a run."""


def stop_at_step_4(line: str) -> None:
    if line.startswith("step 4: loss"):
        raise Stopped


def test_a_run_goes_on_when_its_files_are_named_otherwise_and_with_more_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = write(Path("data.jsonl"))
    with pytest.raises(Stopped):
        train(settings(data), Path("out"), stop_at_step_4)
    told: list[str] = []
    again = settings(data.absolute(), threads=2, log_every=2, micro_tokens=256)
    assert train(again, tmp_path / "out", told.append)["steps"] == 6
    assert "going on from step 2" in told
    # The training is known by what it was made from when it is finished, too.
    told.clear()
    train(settings(data), Path("out"), told.append)
    assert not told


def test_a_run_that_was_stopped_leaves_what_an_undisturbed_one_does(tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl")
    train(settings(data), tmp_path / "whole")
    with pytest.raises(Stopped):
        train(settings(data), tmp_path / "out", stop_at_step_4)
    train(settings(data), tmp_path / "out")
    for file in (tmp_path / "whole" / "model").iterdir():
        assert (tmp_path / "out" / "model" / file.name).read_bytes() == file.read_bytes(), file.name


def test_the_evaluation_at_the_end_is_logged_once(tmp_path: Path) -> None:
    def stop_at_the_end(line: str) -> None:
        if line.startswith("step 6: held out"):
            raise Stopped

    data, out = write(tmp_path / "data.jsonl"), tmp_path / "out"
    asked = settings(data, eval_data=[data], eval_every=4)
    with pytest.raises(Stopped):
        train(asked, out, stop_at_the_end)
    train(asked, out)
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "eval" in row] == [4, 6]


def test_the_evaluation_at_the_end_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one that was no better than itself would count as a stop for want of progress."""

    def stop(*_: Any) -> None:
        raise Stopped

    data = write(tmp_path / "data.jsonl")
    asked = settings(data, eval_data=[data], eval_every=4, patience=1)
    with monkeypatch.context() as patch:
        patch.setattr("langgraph_decompose.distill.train.training.write_student", stop)
        with pytest.raises(Stopped):
            train(asked, tmp_path / "out")
    counts = train(asked, tmp_path / "out")
    assert (counts["best_step"], counts["stopped_early"]) == (6, False)


def test_a_checkpoint_is_never_gone_on_from_with_other_settings(tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl")
    with pytest.raises(Stopped):
        train(settings(data), tmp_path / "out", stop_at_step_4)
    with pytest.raises(UserError, match="other settings or data; remove that directory, or name"):
        train(settings(data, seed=1), tmp_path / "out")
    write(data, expr="2 + 3")
    with pytest.raises(UserError, match="other settings or data"):
        train(settings(data), tmp_path / "out")


def test_data_that_taught_nothing_is_mended_and_trained_on(tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl")
    asked = {"stages": [{"data": [{"path": str(data), "roles": "solver"}, str(data)]}]}
    with pytest.raises(UserError, match="has nothing to learn for solver"):
        train(settings(data, **asked), tmp_path / "out")
    tokenizer = (tmp_path / "out/tokenizer/tokenizer.json").read_bytes()
    write(data, expr="20 * 30")
    assert train(settings(data, **asked), tmp_path / "out")["steps"] == 6
    assert (tmp_path / "out/tokenizer/tokenizer.json").read_bytes() != tokenizer
    assert read_manifest(tmp_path / "out")["finished"]


def test_a_second_training_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl")

    def start_another(line: str) -> None:
        if line.startswith("step 2: loss"):
            with pytest.raises(UserError, match="another process trains in .*; wait for it"):
                train(settings(data, seed=1), tmp_path / "out")

    assert train(settings(data), tmp_path / "out", start_another)["steps"] == 6


def test_what_a_kill_left_half_written_is_removed(tmp_path: Path) -> None:
    data, out = write(tmp_path / "data.jsonl"), tmp_path / "out"
    (out / ".model.4711").mkdir(parents=True)
    (out / ".model.4711" / "config.json").touch()
    (out / ".checkpoint.pt.4711").touch()
    (out / ".env.2024").write_text("KEY=1")  # Nothing of ours.
    train(settings(data), out)
    assert not list(out.glob(".*4711"))
    assert (out / ".env.2024").read_text() == "KEY=1"


def test_a_student_that_was_taken_away_is_told(tmp_path: Path) -> None:
    data, out = write(tmp_path / "data.jsonl"), tmp_path / "out"
    train(settings(data), out)
    (out / "model").rename(tmp_path / "model")
    with pytest.raises(UserError, match="its 'model' isn't there any more; put it back, or remove"):
        train(settings(data), out)
    (tmp_path / "model").rename(out / "model")
    assert train(settings(data), out)["steps"] == 6


def test_what_a_gpu_trained_needs_none_when_it_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = write(tmp_path / "data.jsonl"), tmp_path / "out"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match="this recipe is for a GPU"):
        train(settings(data, device="cuda"), out)
    with monkeypatch.context() as there:
        there.setattr("langgraph_decompose.distill.train.train.check_machine", lambda _: None)
        train(settings(data, device="cuda"), out)
    assert train(settings(data, device="cuda"), out)["steps"] == 6


def test_a_rank_that_nobody_else_has_a_part_in_means_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clusters leave one in the environment; nothing would be saved."""
    monkeypatch.setenv("RANK", "3")
    train(settings(write(tmp_path / "data.jsonl")), tmp_path / "out")
    assert (tmp_path / "out/model/model.safetensors").is_file()
    assert read_manifest(tmp_path / "out")["finished"]
