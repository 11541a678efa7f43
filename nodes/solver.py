"""The solver: answers one subquestion, or the whole question undivided."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from ..errors import CutOffReplyError, PromptTooLongError, UserError, must_be_raised
from ..models.references import ResolvedModel
from ..plan import MAX_TEXT_CHARS, Plan, Subquestion, ancestors
from ..prompts import Prompts
from .answers import AnswerRow, answered, failed, needed_lines
from .calls import Call, Reply, Steps
from .expression import solve_expression
from .problem import Problem

_FINAL_ANSWER = re.compile(
    r"^[ \t*_#>-]{0,20}(?:final )?answer(?: is)?[ *_]{0,8}:[ *_]{0,8}(.*)", re.I | re.M
)


def solve_subquestion(
    problem: Problem,
    plan: Plan,
    subquestion: Subquestion,
    done: Mapping[int, AnswerRow],
    *,
    model: ResolvedModel,
    prompts: Prompts,
) -> Steps[AnswerRow]:
    """Answer one line of a plan.

    Args:
        problem: The question that the plan belongs to.
        plan: The plan.
        subquestion: The line to answer.
        done: Results of the lines that it needs, directly or through others; all answered.
        model: Whom to ask.
        prompts: The prompt texts.

    Returns:
        The result with status `ok`; errors are raised for the scheduler to judge.
    """
    needed = {k: done[k] for k in ancestors(plan, subquestion.id)}
    resolved = subquestion.resolve({k: row["answer"] or "" for k, row in needed.items()})
    if model.speaks_contract("solver"):
        lines = [(k, row["text"], row["answer"] or "") for k, row in needed.items()]
        target = subquestion.id, subquestion.text
        answer, reply = yield from solve_expression(model, str(problem), lines, target)
    else:
        fields = {
            "problem": str(problem),
            "answers": needed_lines(needed.values()) or "none",
            "subquestion": subquestion.text if subquestion.text == resolved else
            f"{subquestion.text}\n(that is: {resolved})",
        }  # fmt: skip
        messages = prompts["solve"].messages(fields)
        reply = yield Call("solver", model, messages, name=f"solver #{subquestion.id}")
        answer = _whole(reply)
    return answered(subquestion, resolved, answer, reply, model)


def solve_undivided(
    problem: Problem, *, model: ResolvedModel, prompts: Prompts, style: Literal["direct", "cot"]
) -> Steps[tuple[str, AnswerRow]]:
    """Answer the whole question in one call.

    Returns:
        The answer, and the result row (id 0) whose `answer` is the whole reply.
    """
    question = whole_question(problem)
    if model.speaks_contract("solver"):
        refuse_prose(model, style)
        answer, reply = yield from solve_expression(model, str(problem), [], None)
        return answer, answered(question, problem.question, answer, reply, model)
    messages = prompts[style].messages({"problem": str(problem)})
    reply = yield Call("solver", model, messages, name=f"solver {style}")
    text = _whole(reply)
    answer = final_answer(text) if style == "cot" else text
    return answer, answered(question, problem.question, text, reply, model)


def undivided_row(
    problem: Problem, *, model: ResolvedModel, prompts: Prompts, style: Literal["direct", "cot"]
) -> Steps[tuple[str | None, AnswerRow]]:
    """`solve_undivided` with a failure as a row; the user's own mistakes are raised."""
    try:
        return (yield from solve_undivided(problem, model=model, prompts=prompts, style=style))
    except Exception as error:
        if must_be_raised(error) or isinstance(error, PromptTooLongError):
            raise
        return None, failed(whole_question(problem), error, model)


def solve_static(
    problem: Problem, plan: Plan, *, model: ResolvedModel, prompts: Prompts
) -> Steps[tuple[str, AnswerRow]]:
    """Answer every subquestion and then the question in ONE call, as Wu et al. (2024) do."""
    refuse_prose(model, "static")
    fields = {"problem": str(problem), "plan": str(plan), "question": problem.question}
    reply = yield Call("solver", model, prompts["static"].messages(fields), name="solver static")
    text = _whole(reply)
    row = answered(whole_question(problem), problem.question, text, reply, model)
    return final_answer(text), row


def refuse_prose(model: ResolvedModel, style: str) -> None:
    """Refuse a strategy in which the solver must reason in words, if it can't.

    Raises:
        UserError: If the model is a solver that writes expressions only.
    """
    if style in ("cot", "static") and model.speaks_contract("solver"):
        raise UserError(
            f"the strategy {style!r} needs a solver that reasons in words; "
            f"{model.name!r} only writes expressions: use --strategy dag or name another --solver."
        )


def final_answer(text: str) -> str:
    r"""What follows the last "Answer:", or the last line of a reply without one.

    Example:
        >>> final_answer("6 * 7 is 42.\n**Answer:** 42")
        '42'
    """
    marked: list[Any] = _FINAL_ANSWER.findall(text)
    if marked and marked[-1].strip(" *_"):
        return str(marked[-1]).strip(" *_")
    return text.strip().splitlines()[-1].strip()


def whole_question(problem: Problem) -> Subquestion:
    """The question as a line with id 0, for the row of an undivided answer."""
    return Subquestion(0, problem.question[:MAX_TEXT_CHARS])


def _whole(reply: Reply) -> str:
    if reply.cut_off:
        error = CutOffReplyError("the solver's reply was cut off at its token limit")
        error.usage = (reply.usage,)
        raise error
    return reply.text
