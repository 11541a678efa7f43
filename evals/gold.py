"""The gold plans of a task in the place of a decomposer: what a perfect one would be worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..models.gguf_file import Contract
from ..models.references import ResolvedModel
from .items import Item

GOLD = "gold"
"""What stands for a model reference."""


def gold_plans(items: Iterable[Item]) -> dict[str, str]:
    """The plans of items that have one, as text by problem."""
    return {item.problem: str(item.gold_plan) for item in items if item.gold_plan is not None}


def gold_decomposer(plans: Mapping[str, str]) -> ResolvedModel:
    """A decomposer that knows the plan of each problem; "atomic" where there is none.

    Args:
        plans: See `gold_plans`.
    """
    from langchain_core.runnables import RunnableLambda

    def plan(text: str) -> str:
        # A Runnable gets the messages as one text: the system prompt, a blank line, the problem.
        return plans.get(text.partition("\n\n")[2], "atomic")

    contract = Contract(("decomposer",), "last", 10**6)
    return ResolvedModel(GOLD, RunnableLambda(plan), contract, is_local=True)
