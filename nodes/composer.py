"""The composer: the final answer from the answers of the parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import BudgetExhaustedError, PromptTooLongError, describe_error, must_be_raised
from ..models.references import ResolvedModel, resolve_model
from ..plan import asks_two_things, without_thinking
from ..prompts import Prompts, load_prompts
from .answers import (
    MISSING_ANSWER,
    AnswerRow,
    answer_lines,
    given_answers,
    is_whole,
    with_parts,
    written,
)
from .budget import Budget, budget_warnings
from .calls import Call
from .events import token_writer
from .expression import exact_answers, solve_expression
from .namespaces import is_chat_model
from .problem import Problem
from .replies import Reply, whole_text
from .session import Limits
from .steps import Steps, as_runnable
from .trace import analyse
from .usage import UsageRow, add_usage
from .verifier import doubts

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.runnables import Runnable


def compose(
    problem: Problem,
    rows: Sequence[AnswerRow],
    *,
    model: ResolvedModel,
    prompts: Prompts,
    sample: int = 0,
    told: bool = True,
) -> Steps[tuple[str, Reply]]:
    """Answer the question from the answers of its subquestions, gaps included.

    A solver that writes only expressions composes by solving the question as one more line.
    Text is told as it comes, to the custom stream; to `astream_events` LangChain tells it.

    Args:
        problem: The question.
        rows: The results of its subquestions.
        model: Whom to ask.
        prompts: The prompt texts.
        sample: Number of the sample, where the same is composed several times.
        told: Whether the text is the final answer, told as it comes and paid for by the call
            that the budget keeps back.
    """
    if model.speaks_contract("solver"):
        lines = [(row["id"], row["text"], row["answer"]) for row in rows if row["answer"]]
        target = len(rows) + 1, problem.question
        call = Call("composer", model, [], sample=sample, last=told)
        exact = exact_answers(rows)
        return (yield from solve_expression(call, str(problem), lines, target, exact))
    fields = {
        "problem": problem.with_hints,
        "answers": answer_lines(rows),
        "question": problem.question,
    }
    messages = prompts["compose"].messages(fields)
    writer = _answer_writer() if told else None
    reply = yield Call("composer", model, messages, sample=sample, on_text=writer, last=told)
    return whole_text(reply, "the composer's reply"), reply


def _answer_writer() -> Callable[[str], None] | None:
    """Tells the custom stream of the answer as it comes, not of the thinking before it."""
    write = token_writer()
    return write and (lambda text: write(without_thinking(text).lstrip()))


def composer_node(
    composer: Any,
    *,
    prompts: str | Path | Prompts | None = None,
    limits: Limits | None = None,
) -> Runnable[Any, dict[str, Any]]:
    """A LangGraph node that reads `plan`, `final` and `answers` and writes the outcome.

    It writes `answer`, `status`, `warnings`, `usage`, `trace` and one AI message. A plan whose
    last line answers the question costs no call, nor does a question solved undivided. If the
    budget is spent and leaves no call, the answer is what was found, line by line.

    Args:
        composer: A model reference, chat model, Runnable or compiled graph.
        prompts: Folder whose files replace the package's prompts of the same name.
        limits: Budget for the question and timeout for a call.

    Raises:
        UserError: If a reference, a file or an option is wrong.
    """
    model, texts = resolve_model(composer, "solver"), load_prompts(prompts)
    budget = Limits.of(limits).budget

    def steps(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        rows, _ = given_answers(state), written(state, "plan", "decomposer_node")
        if not _needs_composer(state):
            return outcome(state, _last(state), budget=budget)
        problem = Problem.of(state)
        if is_told_by_line(problem, model):
            return outcome(state, found_so_far(rows), budget=budget)
        try:
            answer, reply = yield from compose(problem, rows, model=model, prompts=texts)
        except BudgetExhaustedError as error:
            spent = {**state, "spent": True}
            return outcome(spent, found_so_far(rows), error.usage, budget=budget)
        except Exception as error:
            if must_be_raised(error) or isinstance(error, PromptTooLongError):
                raise
            message = f"the composer failed: {describe_error(error)['message']}"
            warned = {**state, "warnings": [*state.get("warnings", []), message]}
            return outcome(warned, None, getattr(error, "usage", ()), budget=budget)
        # Of a graph's message, LangGraph has shown the id as the graph's own.
        known = reply.message_id if is_chat_model(model.runnable) else None
        more: Any = {"message_id": known, "budget": budget, "gaps": reply.gaps}
        return outcome(state, answer, [reply.usage], **more)

    return as_runnable("composer", steps, limits)


def is_told_by_line(problem: Problem, model: ResolvedModel) -> bool:
    """Whether the answers are told line by line: no single expression answers two things."""
    return model.speaks_contract("solver") and asks_two_things(problem.question)


def _needs_composer(state: Mapping[str, Any]) -> bool:
    divided = bool(state["plan"]) and state.get("final", "compose") == "compose"
    return divided and any(row["status"] == "ok" for row in state["answers"])


def _last(state: Mapping[str, Any]) -> str | None:
    """The last line's answer; where the budget ended before it, what was found till then."""
    rows: list[AnswerRow] = state["answers"]
    if rows and rows[-1]["answer"] is None and ran_out(rows):
        return found_so_far(rows)
    return rows[-1]["answer"] if rows else None


def ran_out(rows: Iterable[AnswerRow]) -> bool:
    """Whether the budget left any of it unanswered, down to the parts of parts."""
    name = BudgetExhaustedError.__name__
    return any((row["error"] or {}).get("type") == name for _, row in with_parts(rows))


def found_so_far(rows: Sequence[AnswerRow]) -> str | None:
    """The answers that there are, a line each; None if there are none."""
    return answer_lines(row for row in rows if row["status"] == "ok") or None


def outcome(
    state: Mapping[str, Any],
    answer: str | None,
    usage: Sequence[UsageRow] = (),
    *,
    message_id: str | None = None,
    budget: Budget | None = None,
    judged: Sequence[AnswerRow] | None = None,
    gaps: Sequence[str] = (),
) -> dict[str, Any]:
    """The end of every strategy: answer, status, total usage, trace, and one AI message.

    Args:
        state: The graph's state; `answers` are the results of the subquestions.
        answer: The final answer; None if there is none.
        usage: What composing took.
        message_id: Id of the model's message, if the answer is one: a chat UI that has
            streamed it then knows it again.
        budget: The question's budget, for warnings about what it couldn't count.
        judged: The rows that the status depends on, where others don't matter any more.
        gaps: What a decomposition graph that composed the answer says against it.
    """
    from langchain_core.messages import AIMessage

    rows: list[AnswerRow] = state["answers"]
    judged = rows if judged is None else judged
    warnings = [*state.get("warnings", []), *_of_parts(judged), *doubts(judged), *gaps]
    status = _status(state, judged, answer)
    if status == "ok" and gaps:
        status = "partial"
    if answer is None and (answer := _fallback(state)) is not None:
        status = "budget_exhausted" if status == "budget_exhausted" else "partial"
        warnings.append("the answer is what most undivided attempts said")
    total = add_usage(state.get("usage", []), *(row["usage"] for row in rows), usage)
    warnings += budget_warnings(budget, total)
    errors = [row["error"] for row in rows if row["error"]]
    # That lines were skipped is but a consequence.
    causes = [e["message"] for e in errors if e.get("type") != MISSING_ANSWER]
    # A cached reply comes with its first id: a message of that id would take the first's place.
    if any(message_id == getattr(m, "id", None) for m in state.get("messages") or ()):
        message_id = None
    said = answer if answer is not None else "; ".join(["No answer", *(warnings + causes)[-1:]])
    return {
        "answer": answer,
        "status": status,
        "warnings": warnings,
        "usage": total,
        "trace": analyse(state, total),
        "messages": [AIMessage(content=said, name="decomposition", id=message_id)],
    }


def _fallback(state: Mapping[str, Any]) -> str | None:
    return Problem.of(state).fallback if state.get("asked") else None


def _of_parts(rows: Sequence[AnswerRow]) -> list[str]:
    """What was warned of when parts were planned, or by the graphs that answered."""
    found = [
        (name, [*row.get("parts", {}).get("warnings", ()), *row.get("gaps", ())])
        for name, row in with_parts(rows)
    ]
    return [f"{name}: {text}" if name else text for name, texts in found for text in texts]


def _status(state: Mapping[str, Any], rows: Sequence[AnswerRow], answer: str | None) -> str:
    if state.get("spent") or ran_out(rows):
        return "budget_exhausted"
    if answer is None:
        return "failed"
    return "ok" if is_whole(rows) else "partial"


def undivided_outcome(
    state: Mapping[str, Any], answer: str | None, row: AnswerRow, budget: Budget | None
) -> dict[str, Any]:
    """`outcome` for a question that one call answered, or failed to."""
    return {"answers": [row], **outcome({**state, "answers": [row]}, answer, budget=budget)}
