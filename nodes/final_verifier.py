"""The verifier at the end of a graph: the final answer, and once more if it is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..models.references import ResolvedModel, resolve_model
from ..prompts import Prompts, load_prompts
from .answers import AnswerRow, answer_lines, answered, given_answers
from .budget import budget_warnings
from .calls import Call
from .events import Event
from .final_answer import final_answer
from .problem import Problem
from .replies import whole_text
from .session import Limits
from .solver import whole_question
from .steps import Steps, as_runnable
from .trace import analyse
from .usage import UsageRow, add_usage
from .verifier import MAX_RETRIES, Verdict, Verifier, doubts, until_right, verify

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.runnables import Runnable


def verifier_node(
    verifier: Any,
    *,
    solver: Any = None,
    retries: int = 1,
    prompts: str | Path | Prompts | None = None,
    limits: Limits | None = None,
) -> Runnable[Any, dict[str, Any]]:
    """A LangGraph node that has `answer` judged and, if it is wrong, revised.

    It writes `answer`, `warnings`, `usage` and `trace`, and puts a better answer's AI message in
    the place of the first. A `status` of `ok` becomes `partial` if a decomposition graph revised
    the answer and has gaps; none becomes `ok`, since gaps told before remain in `warnings`.

    Args:
        verifier: Judges: a model reference, chat model, Runnable or compiled graph.
        solver: Revises a wrong answer; the verifier if None. One that only writes expressions
            can't, and the answer is kept with a warning.
        retries: How often a wrong answer is revised.
        prompts: Folder whose files replace the package's prompts of the same name.
        limits: Budget for the question and timeout for a call.

    Raises:
        UserError: If a reference is wrong, the verifier only writes expressions, or `retries`
            isn't a number of them.
    """
    if type(retries) is not int or not 0 <= retries <= MAX_RETRIES:
        raise UserError(f"a verifier node's retries are 0 to {MAX_RETRIES}, not {retries!r}.")
    judging = Verifier(resolve_model(verifier, "solver"), load_prompts(prompts), "answer", retries)
    reviser = judging.model if solver is None else resolve_model(solver, "solver")
    budget = Limits.of(limits).budget
    most = 0 if reviser.speaks_contract("solver") else retries

    def steps(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        if state.get("answer") is None:
            return {}
        # Somebody else's state may have no more than the answer.
        state = {"answers": [], "usage": [], "warnings": [], "messages": [], **state}
        problem = Problem.of(state)
        rows = [row for row in given_answers(state) if row["id"]]

        def judge(answer: str, retry: int) -> Steps[tuple[Verdict, list[UsageRow]]]:
            return verify(problem, problem.question, rows, answer, judging, retry)

        def again(answer: str, verdict: Verdict, retry: int) -> Steps[AnswerRow]:
            return _revised(problem, rows, answer, verdict, retry, reviser, judging)

        given = answered(whole_question(problem), problem.question, state["answer"], [], reviser)
        row = yield from until_right(given, judge, again, most)
        if row["answer"] != state["answer"]:
            yield Event("composer.restarted", {})
            yield Event("composer.token", {"text": row["answer"]})
        return _update(state, row, budget)

    return as_runnable("verifier", steps, limits)


def _revised(
    problem: Problem,
    rows: list[AnswerRow],
    answer: str,
    verdict: Verdict,
    retry: int,
    model: ResolvedModel,
    verifier: Verifier,
) -> Steps[AnswerRow]:
    fields = {
        "problem": problem.with_hints,
        "answers": answer_lines(rows) or "none",
        "answer": answer,
        "kind": verdict.kind,
        "reason": verdict.reason,
    }
    messages = verifier.prompts["revise"].messages(fields)
    reply = yield Call("solver", model, messages, name="solver revise", sample=retry)
    text = final_answer(whole_text(reply, "the revised answer"))
    return answered(whole_question(problem), problem.question, text, [reply], model)


def _update(state: Mapping[str, Any], row: AnswerRow, budget: Any) -> dict[str, Any]:
    from langchain_core.messages import AIMessage, RemoveMessage

    total = add_usage(state["usage"], row["usage"])
    traced = {**state, "trace": {**state.get("trace", {}), "verdict": row.get("verdict")}}
    gaps = row.get("gaps", [])
    told = [*gaps, *budget_warnings(budget, total)]
    new = [warning for warning in told if warning not in state["warnings"]]
    # Of an attempt that was judged before; what was said of it may not hold any more.
    before = doubts(answer for answer in given_answers(state) if not answer["id"])
    kept = [warning for warning in state["warnings"] if warning not in before]
    update: dict[str, Any] = {
        "answer": row["answer"],
        "warnings": [*kept, *doubts([row]), *new],
        "usage": total,
        "trace": analyse(traced, total),
    }
    if gaps and state.get("status") == "ok":
        update["status"] = "partial"
    if row["answer"] != state["answer"]:
        # A chat that was shown the first answer is only told of a message that it doesn't know.
        better = AIMessage(content=row["answer"] or "", name="decomposition")
        first = [said for said in state["messages"][-1:] if said.name == better.name]
        update["messages"] = [*(RemoveMessage(id=said.id) for said in first), better]
    return update
