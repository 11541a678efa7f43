"""The state that every strategy shares.

All values but `messages` are JSON-native, so that a checkpoint outlives a release.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from langchain_core.messages import AnyMessage
from langgraph.channels import EphemeralValue
from langgraph.graph.message import add_messages
from langgraph.managed import RemainingSteps
from typing_extensions import TypedDict

from ..nodes.answers import AnswerRow
from ..nodes.usage import UsageRow

RESULT_VERSION = 1


class DecompositionInput(TypedDict, total=False):
    """What a graph takes: a question, maybe with a context; or messages, the last a human's.

    Both reach only the run they were given to (`EphemeralValue`): on a thread with a
    checkpointer, an earlier question's context never leaks into the next.
    """

    question: Annotated[str, EphemeralValue]
    context: Annotated[str, EphemeralValue]
    messages: Annotated[list[AnyMessage], add_messages]


class DecompositionOutput(TypedDict, total=False):
    """What a graph returns; the fields are described in docs/architecture.md."""

    result_version: int
    strategy: str
    plan: list[dict[str, Any]]
    plan_source: str
    answers: list[AnswerRow]
    answer: str | None
    status: str
    warnings: list[str]
    usage: list[UsageRow]
    trace: dict[str, Any]
    messages: Annotated[list[AnyMessage], add_messages]


def result_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON-native fields of a result, without what the nodes tell each other."""
    fields = [name for name in DecompositionOutput.__annotations__ if name != "messages"]
    return {name: values[name] for name in fields if name in values}


class DecompositionState(DecompositionInput, DecompositionOutput, total=False):
    """Input and output, and what the nodes tell each other."""

    run_id: str
    """Names this question's journal, also if the run is replayed from its history."""
    asked: dict[str, Any]
    """The question and context of this run, and what was noted of them."""
    final: str
    """How the plan ends: `last` or `compose`."""
    spent: bool
    """Whether the budget ended the planning."""
    elapsed: float
    """Seconds that the question has taken, while a node isn't running; kept for budgets."""
    remaining_steps: RemainingSteps
    """Steps that LangGraph's `recursion_limit` leaves, this one included; no checkpoint has it."""
