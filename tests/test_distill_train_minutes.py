"""How long training takes: steps, epochs and minutes, whichever come first; several processes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.distill.manifest import read_manifest
from langgraph_decompose.distill.records import write_examples
from langgraph_decompose.distill.train.train import train

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("matplotlib")
training = pytest.importorskip("langgraph_decompose.distill.train.training")

from .test_distill_train import GIVEN, examples, log, settings  # noqa: E402


@pytest.fixture
def data(tmp_path: Path) -> str:
    write_examples(tmp_path / "data.jsonl", examples())
    return str(tmp_path / "data.jsonl")


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which a tenth of a second passes each time that it is looked at."""
    clock = count(step=0.1)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))


def test_epochs_end_the_training(data: str, tmp_path: Path) -> None:
    once = train(settings(data, max_steps=0, epochs=2), tmp_path / "epochs")
    assert 500 < once["tokens"] / 2 < 1500, "an epoch is the file once"


@pytest.mark.usefixtures("ticking")
def test_minutes_alone_end_the_training(data: str, tmp_path: Path) -> None:
    timed = train(settings(data, max_steps=0, max_minutes=0.03), tmp_path / "minutes")
    assert 1 < timed["steps"] < 18
    assert 1.8 <= timed["seconds"] < 3


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize(
    ("length", "steps_alone"), [({"max_steps": 10}, 10), ({"max_steps": 0, "epochs": 5}, 9)]
)
def test_minutes_are_what_a_slow_machine_takes_at_most(
    length: dict[str, float], steps_alone: int, data: str, tmp_path: Path
) -> None:
    def steps(minutes: float, **longer: float) -> int:
        given = {**length, **longer, "max_minutes": minutes, "log_every": 1}
        return train(settings(data, **given), tmp_path / f"{minutes}")["steps"]

    assert steps(0.3) == steps_alone, "there is time enough"
    longer = {name: 20 * most for name, most in length.items()}
    assert 1 < steps(0.03, **longer) < 18
    rates = [row["rate"] for row in log(tmp_path / "0.03") if "rate" in row]
    assert rates[-1] < 0.3 < 0.7 < max(rates), "the rate rises and falls by the clock, too"


@pytest.mark.usefixtures("ticking")
def test_a_stopped_run_has_only_the_minutes_that_are_left(data: str, tmp_path: Path) -> None:
    def stop(line: str) -> None:
        if line.startswith("step 4:"):
            raise KeyboardInterrupt

    given = settings(data, max_steps=200, max_minutes=0.06, log_every=1, save_every=1)
    with pytest.raises(KeyboardInterrupt):
        train(given, tmp_path / "out", stop)
    later: list[str] = []
    counts = train(given, tmp_path / "out", later.append)
    assert later[0] == "going on from step 3"
    assert 3.6 <= counts["seconds"] < 5, "of both together"
    seconds = [row["seconds"] for row in log(tmp_path / "out") if "seconds" in row]
    assert seconds == sorted(seconds)


def test_compiling_is_no_time_of_the_training(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first stage of a few per cent would be over before its second batch."""
    now, update = [0.0], training.Training._update

    def slow(run: Any, done: float) -> None:
        update(run, done)
        now[0] += 60.0 if run.state.step == 1 else 1.0

    monkeypatch.setattr(training, "compiles", lambda *_: True)
    monkeypatch.setattr(torch, "compile", lambda body: body)
    monkeypatch.setattr(training.Training, "_update", slow)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    given = settings(data, compile=True, max_steps=0, max_minutes=0.5)
    counts = train(given, tmp_path / "out")
    assert (counts["steps"], counts["seconds"]) == (31, 30.0)
    assert log(tmp_path / "out")[0]["seconds"] == 4.0


TOGETHER = """
import json, os, sys, time
from pathlib import Path
rank, real = int(os.environ["RANK"]), time.monotonic
time.monotonic = lambda: real() * (1 + 4 * rank)  # No two machines' clocks agree.
from langgraph_decompose.distill.train.train import TrainSettings, train
counts = train(TrainSettings(**json.loads(sys.argv[1])), Path(sys.argv[2]))
Path(sys.argv[2] + f"-{rank}.json").write_text(json.dumps(counts))
"""


def together(script: Path, given: dict[str, object], out: Path) -> None:
    """Train in two processes, as on several GPUs, here over gloo."""
    script.write_text(TOGETHER)
    subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone",
         str(script), json.dumps(given), str(out)],
        check=True, capture_output=True, timeout=250, cwd=out.parent,
    )  # fmt: skip


def test_two_processes_train_like_one(data: str, tmp_path: Path) -> None:
    given = {**GIVEN, "stages": [{"data": [data]}], "max_steps": 5}
    together(tmp_path / "together.py", given, tmp_path / "two")
    one = train(settings(data, max_steps=5), tmp_path / "one")
    two = read_manifest(tmp_path / "two")["counts"]
    assert two["tokens"] == one["tokens"]
    assert two["train_loss"] == pytest.approx(one["train_loss"], abs=1e-3)


def test_two_processes_stop_by_the_same_clock(data: str, tmp_path: Path) -> None:
    given = {**GIVEN, "stages": [{"data": [data]}], "max_steps": 10_000, "max_minutes": 0.05}
    together(tmp_path / "together.py", given, tmp_path / "two")
    first, second = (json.loads((tmp_path / f"two-{rank}.json").read_text()) for rank in (0, 1))
    assert 0 < first["steps"] == second["steps"] < 10_000
    assert first["tokens"] == second["tokens"]
    assert 3 <= first["seconds"] < 30
