"""The bundled models on SVAMP, divided and undivided: accuracy, valid plans, tokens.

    python benchmarks/svamp.py SVAMP.json [--limit 50]

SVAMP.json is the original file (Patel et al., 2021; arkilpatel/SVAMP). It was never trained on.
Answers are compared as numbers; a question that the solver refuses counts as wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

from langgraph_decompose import Plan, PlanError, create_decomposition_graph
from langgraph_decompose.tools import CalculatorError, calculate


async def measure(strategy: Any, items: list[dict[str, Any]]) -> dict[str, float]:
    """Run one strategy over the items."""
    graph = create_decomposition_graph(strategy=strategy)
    results = [await graph.ainvoke({"question": question(item)}) for item in items]
    right = sum(same(r["answer"], i["Answer"]) for r, i in zip(results, items, strict=True))
    usage = [row for result in results for row in result["usage"]]
    return {
        "right": right,
        "low": wilson(right, len(items))[0],
        "high": wilson(right, len(items))[1],
        "valid plans": sum(valid(result) for result in results),
        "split": sum(bool(result["plan"]) for result in results),
        "refused": sum(result["answer"] is None for result in results),
        "tokens": sum(row["input_tokens"] + row["output_tokens"] for row in usage) / len(items),
    }


def question(item: dict[str, Any]) -> str:
    """The problem in one text, its body ended by a full stop."""
    body = item["Body"].strip()
    return f"{body}{'' if body.endswith('.') else '.'} {item['Question'].strip()}"


def same(answer: str | None, gold: float) -> bool:
    """Whether an answer is the gold number."""
    try:
        return answer is not None and calculate(answer) == Fraction(str(gold))
    except CalculatorError:
        return False


def valid(result: dict[str, Any]) -> bool:
    """Whether the model's own plan was read, without repair, and keeps every rule."""
    try:
        Plan.from_rows(result["plan"])
    except PlanError:
        return False
    return result["plan_source"] in ("model", "undivided") and not any(
        "can't be used" in warning for warning in result["warnings"]
    )


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927)."""
    z, share = 1.96, right / count
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return max(0.0, (middle - spread) / scale), (middle + spread) / scale


def main() -> None:
    """Measure `direct` and `dag` on the first items and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--limit", type=int, default=50)
    args = parser.parse_args()
    items = json.loads(args.file.read_text())[: args.limit]
    for strategy in ("direct", "dag"):
        found = asyncio.run(measure(strategy, items))
        print(
            f"{strategy:8} {found['right']:.0f} of {len(items)} right "
            f"(95 %: {found['low']:.1%} to {found['high']:.1%}), "
            f"{found['valid plans']:.0f} valid plans, {found['split']:.0f} split, "
            f"{found['refused']:.0f} refused, {found['tokens']:.0f} tokens a question"
        )


if __name__ == "__main__":
    main()
