"""The oracle of the benchmark is exact with gold plans, and solves nothing undivided."""

from __future__ import annotations

import json
import subprocess
import sys

from .conftest import ROOT

PROGRAM = """
import json
from fractions import Fraction
from divide_or_conquer import Item, compare, gold_decomposer, in_domain, step_oracle
from unseen_stories import unseen_stories

for examples in (list(in_domain(12)), list(unseen_stories(12))):
    items = [Item(e.id, e.question, Fraction(e.answer)) for e in examples]
    gold = gold_decomposer({e.problem: str(e.to_plan()) for e in examples})
    found = compare(items, decomposer=gold, solver=step_oracle(examples))
    print(json.dumps({name: share.value for name, share in found.accuracy.items()}))
"""


def test_the_oracle_needs_a_plan_and_a_right_one_is_enough() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT / "benchmarks", capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found == [{"direct": 0.0, "dag": 1.0}] * 2
