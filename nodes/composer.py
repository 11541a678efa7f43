"""The composer: the final answer from the answers of the parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import CutOffReplyError, PromptTooLongError, describe_error, must_be_raised
from ..models.references import ResolvedModel, resolve_model
from ..prompts import Prompts, load_prompts
from .answers import AnswerRow, needed_lines
from .calls import Call, Steps, as_runnable
from .expression import solve_expression
from .problem import Problem
from .usage import UsageRow, add_usage

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.runnables import Runnable


def compose(
    problem: Problem, rows: Sequence[AnswerRow], *, model: ResolvedModel, prompts: Prompts
) -> Steps[tuple[str, list[UsageRow]]]:
    """Answer the question from the answers of its subquestions, gaps included.

    A solver that writes only expressions composes by solving the question as one more line.
    """
    if model.speaks_contract("solver"):
        lines = [(row["id"], row["text"], row["answer"]) for row in rows if row["answer"]]
        target = len(rows) + 1, problem.question
        answer, reply = yield from solve_expression(model, str(problem), lines, target)
        return answer, [{**reply.usage, "role": "composer"}]
    fields = {
        "problem": str(problem),
        "answers": needed_lines(rows),
        "question": problem.question,
    }
    reply = yield Call("composer", model, prompts["compose"].messages(fields))
    if reply.cut_off:
        error = CutOffReplyError("the composer's reply was cut off at its token limit")
        error.usage = (reply.usage,)
        raise error
    return reply.text, [reply.usage]


def composer_node(
    composer: Any, *, prompts: str | Path | Prompts | None = None
) -> Runnable[Any, dict[str, Any]]:
    """A LangGraph node that reads `plan`, `final` and `answers` and writes the outcome.

    It writes `answer`, `status`, `warnings`, `usage` and one AI message. A plan whose last
    line answers the question costs no call, nor does a question solved undivided.
    """
    model, texts = resolve_model(composer), load_prompts(prompts)

    def steps(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        rows = state["answers"]
        if not _needs_composer(state):
            return outcome(state, rows[-1]["answer"] if rows else None)
        try:
            answer, usage = yield from compose(Problem.of(state), rows, model=model, prompts=texts)
        except Exception as error:
            if must_be_raised(error) or isinstance(error, PromptTooLongError):
                raise
            message = f"the composer failed: {describe_error(error)['message']}"
            warned = {**state, "warnings": [*state.get("warnings", []), message]}
            return outcome(warned, None, getattr(error, "usage", ()))
        return outcome(state, answer, usage)

    return as_runnable("composer", steps)


def _needs_composer(state: Mapping[str, Any]) -> bool:
    divided = bool(state["plan"]) and state.get("final", "compose") == "compose"
    return divided and any(row["status"] == "ok" for row in state["answers"])


def outcome(
    state: Mapping[str, Any], answer: str | None, usage: Sequence[UsageRow] = ()
) -> dict[str, Any]:
    """The end of every strategy: answer, status, total usage, and one AI message."""
    from langchain_core.messages import AIMessage

    rows: list[AnswerRow] = state["answers"]
    warnings = list(state.get("warnings", []))
    complete = all(row["status"] == "ok" for row in rows)
    status = "failed" if answer is None else "ok" if complete else "partial"
    errors = [row["error"]["message"] for row in rows if row["error"]]
    said = answer if answer is not None else "; ".join(["No answer", *(warnings + errors)[-1:]])
    return {
        "answer": answer,
        "status": status,
        "warnings": warnings,
        "usage": add_usage(state.get("usage", []), *(row["usage"] for row in rows), usage),
        "messages": [AIMessage(content=said, name="decomposition")],
    }


def undivided_outcome(
    state: Mapping[str, Any], answer: str | None, row: AnswerRow
) -> dict[str, Any]:
    """`outcome` for a question that one call answered, or failed to."""
    return {"answers": [row], **outcome({**state, "answers": [row]}, answer)}
