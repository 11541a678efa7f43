"""The gold plans of a task in the place of a decomposer: what a perfect one would be worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..models.gguf_file import Contract
from ..models.references import ResolvedModel
from ..nodes.problem import Problem
from .items import Item

GOLD = "gold"
"""What stands for a model reference."""


def gold_plans(items: Iterable[Item]) -> dict[str, str]:
    """The plans of items that have one, as text by problem."""
    return {
        str(Problem(item.question, item.context)): str(item.gold_plan)
        for item in items
        if item.gold_plan is not None
    }


def gold_decomposer(plans: Mapping[str, str]) -> ResolvedModel:
    """A decomposer that knows the plan of each problem; "atomic" where there is none.

    It costs nothing, and takes no tokens.
    """
    from langchain_core.messages import AIMessage
    from langchain_core.runnables import RunnableLambda

    def plan(text: str) -> AIMessage:
        # A Runnable gets the messages as one text: the system prompt, a blank line, the problem.
        reply = plans.get(text.partition("\n\n")[2], "atomic")
        usage: Any = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        return AIMessage(reply, usage_metadata=usage)

    contract = Contract(("decomposer",), "last", 10**6)
    model = RunnableLambda(plan)
    return ResolvedModel(GOLD, model, contract, is_local=True, price_in=0.0, price_out=0.0)
