"""`decompose eval --engine ray`: the same samples, and a worker's death loses nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.cli.main import main
from langgraph_decompose.evals.evaluation import Scoring
from langgraph_decompose.evals.items import Item
from langgraph_decompose.evals.runner import Job, Running
from langgraph_decompose.evals.sample_file import SampleFile
from langgraph_decompose.evals.systems import NO_MODEL, System
from langgraph_decompose.testing import LatencyServer

from .conftest import without_seconds

pytest.importorskip("ray")
from langgraph_decompose.evals.ray_engine import _Worker, run_on_ray

pytestmark = pytest.mark.timeout(280)


@pytest.fixture
def server() -> Iterator[LatencyServer]:
    """A solver that tells its question's number back."""
    with LatencyServer(lambda prompt, _: prompt.split()[-2], 0.2) as served:
        yield served


def test_a_worker_on_another_machine_leaves_no_file_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _Worker("/not/shared/samples.replies-0.jsonl", Scoring({}), Running())
    assert list(tmp_path.iterdir()) == []


def samples(out: Path) -> Any:
    rows = (out / "samples.jsonl").read_text().splitlines()
    return without_seconds([json.loads(row) for row in rows])


def test_two_workers_give_what_one_process_gives(
    server: LatencyServer, tmp_path: Path, capsys: Any
) -> None:
    questions = tmp_path / "numbers.jsonl"
    rows = [{"id": str(n), "question": f"Which number is {n} ?", "answer": n} for n in range(24)]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found: list[Any] = []
    for engine in ("local", "ray"):
        out = tmp_path / engine
        arguments = ["eval", str(questions), "--strategy", "direct", "--engine", engine]
        assert main([*arguments, "--solver", f"openai:m@{server.url}", "--out", str(out)]) == 0
        found.append(samples(out))
    capsys.readouterr()
    assert [row["answer"] for row in found[0]] == [row["id"] for row in found[0]]
    assert found[0] == found[1]


def test_a_killed_worker_loses_nothing(server: LatencyServer, tmp_path: Path) -> None:
    """It is started again, and asked again what it hadn't answered."""
    system = System("direct", NO_MODEL, f"openai:m@{server.url}")
    items = [Item(str(n), f"Which number is {n} ?", gold=[str(n)]) for n in range(40)]
    jobs = [Job(system, "numbers", item) for item in items]
    file, seen = SampleFile(tmp_path, {}), []

    def kill_one(sample: Any) -> None:
        seen.append(sample["id"])
        if len(seen) == 10:
            os.kill(_workers()[0], signal.SIGKILL)

    asyncio.run(run_on_ray(jobs, file, Scoring({"numbers": "numeric"}), Running(4), 2, kill_one))
    assert sorted(seen, key=int) == [item.id for item in items]
    rows = map(json.loads, file._lines(job.key for job in jobs))
    assert [row["answer"] for row in rows] == [i.id for i in items]


def _workers() -> list[int]:
    """The processes in which Ray's workers of this run live."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _is_worker(p)]
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("there is no worker")


def _is_worker(process: Path) -> bool:
    try:
        worker = b"ray::_Worker" in (process / "cmdline").read_bytes()
        return worker and _is_ours(int(process.name))
    except OSError:
        return False


def _is_ours(pid: int) -> bool:
    """Whether this process started it, or started what did: others' runs have workers too."""
    while pid not in (os.getpid(), 0):
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
    return pid != 0
