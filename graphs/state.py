"""The state that every strategy shares, and the node that every strategy begins with.

All values but `messages` are JSON-native, so that a checkpoint outlives a release.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from langchain_core.messages import AnyMessage, HumanMessage
from langgraph.channels import EphemeralValue
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

from ..errors import UserError
from ..nodes.answers import AnswerRow
from ..nodes.problem import Problem
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
    messages: Annotated[list[AnyMessage], add_messages]


class DecompositionState(DecompositionInput, DecompositionOutput, total=False):
    """Input and output, and what the nodes tell each other."""

    asked: dict[str, str]
    """The question and context of this run."""
    final: str
    """How the plan ends: `last` or `compose`."""


def read_question(state: Mapping[str, Any], strategy: str) -> dict[str, Any]:
    """Take the question from the newest input and reset everything of an earlier one.

    Raises:
        UserError: If there is no question.
    """
    question = state.get("question")
    if question is None:
        messages = state.get("messages") or []
        if state.get("context") and messages and not isinstance(messages[-1], HumanMessage):
            raise UserError("there is a context but no new question; ask something about it.")
        question = _last_human_text(messages)
    problem = Problem.of({"question": question, "context": state.get("context")})
    return {
        "asked": {"question": problem.question, "context": problem.context},
        "result_version": RESULT_VERSION,
        "strategy": strategy,
        "plan": [],
        "plan_source": "undivided",
        "final": "compose",
        "answers": [],
        "answer": None,
        "status": "running",
        "warnings": [],
        "usage": [],
    }


def _last_human_text(messages: list[AnyMessage]) -> str:
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            return str(message.text)
    raise UserError("the input has neither a question nor a human message; ask something.")
