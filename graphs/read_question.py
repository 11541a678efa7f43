"""The node that every strategy begins with: what is asked, and nothing left of earlier runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.config import get_config

from ..errors import UserError, describe_error, must_be_raised
from ..models.references import ResolvedModel
from ..nodes.calls import Call
from ..nodes.problem import Problem
from ..nodes.replies import whole_text
from ..nodes.review import require_checkpointer
from ..nodes.session import Limits
from ..nodes.steps import Steps, as_runnable
from ..nodes.usage import UsageRow
from ..prompts import Prompts
from .state import RESULT_VERSION

_TURNS_SHOWN = 10
_CHARS_SHOWN = 2_000


def read_question_node(
    strategy: str,
    *,
    condenser: ResolvedModel | None,
    prompts: Prompts,
    limits: Limits,
    review: bool = False,
) -> Any:
    """Take the question from the newest input and reset everything of an earlier one.

    Args:
        strategy: The strategy's name, for the result.
        condenser: Rewrites a follow-up that leans on earlier turns into a full question; with
            None, the newest message is the question as it stands.
        prompts: The prompt texts.
        limits: Budget for the question and timeout for a call.
        review: Whether the run will stop for a person, which needs a checkpointer.
    """

    def read(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        if review:
            require_checkpointer(get_config())
        update = read_question(state, strategy)
        earlier = _earlier_turns(state)
        if condenser is None or state.get("question") is not None or not earlier:
            return update
        return (yield from _condensed(update, earlier, condenser, prompts))

    return as_runnable("read_question", read, limits, fresh=True)


def read_question(state: Mapping[str, Any], strategy: str) -> dict[str, Any]:
    """The state at the start of a question.

    Raises:
        UserError: If there is no new question, or one that is more than text.
    """
    question = state.get("question")
    if question is None:
        messages = state.get("messages") or []
        if state.get("context") and messages and not isinstance(messages[-1], HumanMessage):
            raise UserError("there is a context but no new question; ask something about it.")
        question = _last_human_text(messages)
    problem = Problem.of({"question": question, "context": state.get("context")})
    return {
        "run_id": uuid4().hex,
        "asked": problem.asked,
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
        "trace": {},
        "spent": False,
        "elapsed": 0.0,
    }


def _last_human_text(messages: list[AnyMessage]) -> str:
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            return _text_alone(message)
        if isinstance(message, AIMessage) and message.name == "decomposition":
            raise UserError("the newest question has its answer already; ask something new.")
    raise UserError("the input has neither a question nor a human message; ask something.")


def _text_alone(message: HumanMessage) -> str:
    more = {block["type"] for block in message.content_blocks} - {"text"}
    if more:
        raise UserError(
            f"a question is text, and this one holds more ({', '.join(sorted(more))}): "
            "say in words what is in it."
        )
    return str(message.text)


def _earlier_turns(state: Mapping[str, Any]) -> str:
    """What was said before the newest human message, the newest turns of it."""
    messages = list(state.get("messages") or [])
    while messages and not isinstance(messages[-1], HumanMessage):
        messages.pop()
    said = [m for m in messages[:-1] if isinstance(m, HumanMessage | AIMessage) and m.text]
    return "\n".join(
        f"{'User' if isinstance(m, HumanMessage) else 'Assistant'}: {str(m.text)[:_CHARS_SHOWN]}"
        for m in said[-_TURNS_SHOWN:]
    )


def _condensed(
    update: dict[str, Any], earlier: str, model: ResolvedModel, prompts: Prompts
) -> Steps[dict[str, Any]]:
    """The full question in place of the follow-up; if that fails, the follow-up and a warning."""
    asked = update["asked"]
    messages = prompts["condense"].messages({"problem": asked["question"], "turns": earlier})
    usage: list[UsageRow] = []
    try:
        reply = yield Call("condenser", model, messages)
        usage = [reply.usage]
        question = Problem(whole_text(reply, "the reply")).question
        return {**update, "asked": {**asked, "question": question}, "usage": usage}
    except Exception as error:
        if must_be_raised(error) and not isinstance(error, UserError):
            raise
        reason = describe_error(error)["message"]
        warning = f"the follow-up couldn't be made a full question ({reason}); asked as it stands"
        return {
            **update,
            "warnings": [warning],
            "usage": usage or list(getattr(error, "usage", ())),
        }
