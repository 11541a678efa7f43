"""The scheduling benchmark still runs; its figures are for a quiet machine, not for a test."""

from __future__ import annotations

import json
import subprocess
import sys

from .conftest import ROOT


def test_the_scheduling_benchmark_measures_every_part_of_a_tiny_run() -> None:
    tiny = {"--plans": "2", "--median": "0.01", "--rounds": "1", "--at-once": "3"}
    arguments = [word for pair in tiny.items() for word in pair]
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "scheduling.py", "--quick", "--json", *arguments],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode in (0, 1), done.stderr.decode()
    found = json.loads(done.stdout)
    assert [plan["shape"] for plan in found["plans"]] == ["independent", "chain"]
    for plan in found["plans"]:
        assert plan["seconds"]["langgraph-decompose"] >= plan["critical_path"]
    figures = {row["name"]: row["figure"] for row in found["rows"]}
    assert figures.pop("LlamaIndex: wall clock / critical path", None) is None
    assert all(figure > 0 for figure in figures.values())
