"""The benchmark of the train step runs; its figures are for people to read, not for a test."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from .conftest import ROOT

pytest.importorskip("torch")
pytest.importorskip("transformers")

SMALL = "--width 32 --layers 1 --heads 2 --feed-forward 64 --vocab 512 --batch-tokens 512 --steps 1"


def test_it_compares_the_train_step_with_a_bare_loop() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "training.py", *SMALL.split()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout[done.stdout.index("{\n") :])
    assert found["train_tokens_per_second"] > 0
    assert found["ratio"] > 0
    assert found["vocabulary"] == 512
    assert set(found["seconds"]) == {"data", "forward", "backward", "optimizer"}
