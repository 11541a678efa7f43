"""One script that every strategy can be run against: a server that plays all of its models."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from .symbolic_puzzles import formalised

QUESTION = "All of it?"
PLAN = "#1 A?\n#2 B of #1? <- #1\n#3 C?"
PART = "#1 D?\n#2 E of #1? <- #1"
"""The plan of A, where a part may be split again."""
LINES = ("A?", "B of #1?", "C?")

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        name: (name, {})
        for name in (
            "direct",
            "cot",
            "self_consistency",
            "static",
            "sequential",
            "dag",
            "dynamic",
            "attempt_first",
            "dup",
            "escalate",
            "recursive",
            "symbolic",
        )
    },
    "dag, dup": ("dag", {"dup": True}),
    "dag, gate": ("dag", {"gate": "disagreement"}),
    "dag, verified": ("dag", {"verify": "both"}),
    "static, gate never": ("static", {"gate": "never"}),
}
"""Every strategy, and the options that stand before or behind any: name, (strategy, options)."""

CALLS = {
    "direct": 1,
    "cot": 1,
    "self_consistency": 5,
    "static": 2,
    "sequential": 1 + 3 + 1,
    "dag": 1 + 3 + 1,
    "dynamic": 2 * 3 + 1 + 1,
    "attempt_first": 3 + 1 + 3 + 1,
    "dup": 3,
    "escalate": 3 + 1 + 3 * (3 + 1),
    "recursive": 1 + (1 + 2 + 1) + 2 + 2 + 1,
    "symbolic": 1,
    "dag, dup": 2 + 1 + 3 + 1,
    "dag, gate": 3 + 1 + 3 + 1,
    "dag, verified": 1 + 2 * 3 + 1 + 1,
    "static, gate never": 1,
}
"""Calls for a plan of three lines, as the docs' table has them."""


class Script:
    """Replies to whatever a strategy asks; undivided answers never agree.

    Attributes:
        asked: How often each prompt came.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, prompt: str, body: dict[str, Any]) -> str:
        """The reply to a prompt."""
        with self._lock:
            self.asked[prompt] += 1
            number = self.asked[prompt]
        if "SMT-LIB" in prompt:
            return formalised("(declare-const x Int)", "(assert (= (* 2 x) 84))", "{x}")
        if "You check one answer" in prompt:
            return "right"
        if "You plan how to answer" in prompt:
            asked = prompt.split("Question: ")[-1].splitlines()[0]
            return {"A?": PART}.get(asked, PLAN if QUESTION in prompt else "atomic")
        if "Found so far:" in prompt:
            asked = prompt.rpartition("Found so far:")[2]
            known = [text for text in LINES if text in asked]
            return LINES[len(known)] if len(known) < len(LINES) else "done"
        if "Step to answer now: " in prompt:
            return "answer to " + prompt.rpartition("Step to answer now: ")[2].splitlines()[0]
        if "The question to answer now: " in prompt:
            return "the end"
        if "core question" in prompt:
            return "the core"
        return f"Answer: {number}"
