"""Samples of an evaluation as a real one might leave them, made up but always the same."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from langgraph_decompose import Plan
from langgraph_decompose.evals.plans import score_plan

ABOUT = {
    "date": "2025-06-01T12:00:00+00:00",
    "machine": "x86_64, 2 cores",
    "python": "3.11.7",
    "versions": {"langgraph": "1.2.22", "langgraph-decompose": "0.1.0"},
    "git": None,
    "models": {
        "desk": {"meant": "openai:qwen3", "sha256": None},
        "bundled": {"meant": "bundled decompose.gguf", "sha256": "4e9e e420"},
    },
}
TASKS = {
    "svamp": {
        "version": 1,
        "prompt_version": "1",
        "source": "made up",
        "metric": "accuracy",
        "items": 200,
    },
    "drop": {
        "version": 2,
        "prompt_version": "1",
        "source": "made up",
        "metric": "f1",
        "items": 60,
    },
}
# Strategy: how likely a whole answer is right, tokens of a call, calls.
_UNDIVIDED = {
    "direct": (0.40, 40, 1),
    "cot": (0.55, 130, 1),
    "self_consistency": (0.65, 130, 5),
}
_STEP_RIGHT = 0.88


def samples(items: int = 200) -> Iterator[dict[str, Any]]:
    """Four systems on SVAMP-like and DROP-like items, one after the other."""
    for task, count in (("svamp", items), ("drop", min(items, 60))):
        for strategy in (*_UNDIVIDED, "dag"):
            draw = random.Random(f"{task} {strategy}")
            for k in range(count):
                yield sample(task, strategy, k, draw)


def write_samples(path: Path, rows: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def sample(task: str, strategy: str, k: int, draw: random.Random) -> dict[str, Any]:
    """One row; one in fifty fails."""
    bags, each, gone = 2 + k % 7, 3 + k % 11, 1 + k % 5
    gold = bags * each - gone
    row: dict[str, Any] = {
        "system": "dag · bundled · bundled" if strategy == "dag" else f"{strategy} · bundled",
        "strategy": strategy,
        "decomposer": "bundled" if strategy == "dag" else "-",
        "solver": "bundled",
        "task": task,
        "id": f"{task}-{k}",
        "question": f"Ana has {bags} bags with {each} pears each & eats {gone}. How many are left?",
        "context": "" if task == "svamp" else "Pears come in bags.",
        "gold": str(gold) if task == "svamp" else [str(gold), f"{gold} pears"],
        "status": "ok",
        "failed": draw.random() < 0.02,
        "error": None,
        "plan": [],
        "plan_source": "undivided",
        "plan_score": None,
        "answers": [],
        "seconds": 0.5,
    }
    if strategy == "dag":
        row |= _divided(bags * each, gold, gone, draw)
    else:
        right, tokens, calls = _UNDIVIDED[strategy]
        row["answer"] = str(gold if draw.random() < right else gold + draw.randint(1, 9))
        row["usage"] = [_usage("solver", calls, calls * tokens, draw)]
    if row["failed"]:
        row |= {"answer": None, "status": "failed", "error": "timed out", "metrics": {}}
    else:
        row["metrics"] = _metrics(task, row["answer"] == str(gold), draw)
    for name in ("calls", "input_tokens", "output_tokens", "cost"):
        row[name] = sum(part[name] for part in row["usage"])
    return row


def _metrics(task: str, right: bool, draw: random.Random) -> dict[str, float]:
    if task == "svamp":
        return {"accuracy": float(right)}
    return {"em": float(right), "f1": 1.0 if right else round(draw.random() * 0.6, 2)}


def _divided(total: int, gold: int, gone: int, draw: random.Random) -> dict[str, Any]:
    """A plan of two steps, the second worked out from what the first said; or none at all."""
    source = "model" if draw.random() < 0.95 else "repaired"
    usage = [_usage("decomposer", 1, 90, draw), _usage("solver", 2, 180, draw)]
    texts = ("How many pears does Ana have?", "How many pears are left?")
    rows = [{"id": k, "text": text, "needs": [1] * (k - 1)} for k, text in enumerate(texts, 1)]
    plan = [] if draw.random() < 0.15 else rows
    row = {
        "plan": plan,
        "plan_source": source,
        "plan_score": _score(plan, rows, source),
        "usage": usage,
    }
    if not plan:
        return row | {"answer": str(gold if draw.random() < 0.4 else gold + 1)}
    first = total if draw.random() < _STEP_RIGHT else total + 1
    second = first - gone if draw.random() < _STEP_RIGHT else first + gone
    answers = [
        {"id": k, "text": text, "answer": str(answer), "status": "ok"}
        for k, text, answer in zip((1, 2), texts, (first, second), strict=True)
    ]
    steps = {"1": str(total), "2": str(gold)}
    return row | {"answers": answers, "answer": str(second), "gold_steps": steps}


def _score(plan: list[Any], gold: list[Any], source: str) -> dict[str, Any]:
    problem = "Ana has 4 bags with 5 pears each & eats 3. How many are left?"
    plans = Plan.from_rows(plan), Plan.from_rows(gold)
    return asdict(score_plan(problem, *plans, valid=source == "model"))


def _usage(role: str, calls: int, tokens: int, draw: random.Random) -> dict[str, Any]:
    return {
        "role": role,
        "model": "bundled",
        "calls": calls,
        "input_tokens": tokens + draw.randint(-9, 9),
        "output_tokens": tokens // 4,
        "seconds": 0.2 * calls,
        "cost": 0.0,
    }
