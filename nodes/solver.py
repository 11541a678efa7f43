"""The solver: answers one subquestion, or the whole question undivided."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

from ..errors import PromptTooLongError, must_be_raised
from ..models.references import ResolvedModel
from ..plan import Plan, Subquestion
from ..prompts import Prompts
from .answers import AnswerRow, answer_lines, answered, failed
from .calls import Call, drawn
from .expression import exact_answers, solve_expression
from .final_answer import final_answer
from .problem import Problem
from .replies import Reply, whole_text
from .retrieval import retrieve, with_passages
from .solvers import Choice
from .steps import Steps, Together
from .voting import majority

T = TypeVar("T")
_UNKNOWN = re.compile(r"[\W_]*unknown[\W_]*", re.I)
"""What prompts/solve.txt asks for where there is no answer."""
_REPLY = "the solver's reply"


def solve_subquestion(
    problem: Problem,
    subquestion: Subquestion,
    known: Mapping[int, AnswerRow],
    *,
    choice: Choice,
    prompts: Prompts,
    retriever: Any = None,
    objection: Mapping[str, str] | None = None,
) -> Steps[AnswerRow]:
    """Answer one line of a plan.

    Args:
        problem: The question that the plan belongs to.
        subquestion: The line to answer.
        known: Results that it is solved with; the answers it needs are among them.
        choice: Whom to ask, and how often; of several answers the majority's is taken.
        prompts: The prompt texts.
        retriever: Finds passages for the line; None if there is none.
        objection: A verifier's, if the line was answered wrongly before: `answer`, `kind`,
            `reason`. A solver that writes only expressions isn't shown it, but draws anew.

    Returns:
        The result with status `ok`; errors are raised for the scheduler to judge.
    """
    resolved = resolve(subquestion, known)
    sources = yield from retrieve(retriever, resolved)
    seen = with_passages(problem, sources)

    call = _call(seen, subquestion, resolved, known, choice, prompts, objection)

    def sample(number: int) -> Steps[tuple[str, Reply]]:
        asked = replace(call, sample=number)
        if choice.model.speaks_contract("solver"):
            lines = [(k, row["text"], row["answer"] or "") for k, row in known.items()]
            target = subquestion.id, subquestion.text
            exact = exact_answers(known.values())
            return (yield from solve_expression(asked, str(seen), lines, target, exact))
        reply = yield replace(asked, options=drawn(number))
        return whole_text(reply, _REPLY), reply

    if choice.samples == 1:
        answer, reply = yield from sample(choice.sample)
        replies = [reply]
    else:
        drawings = [sample(choice.sample + n) for n in range(choice.samples)]
        answer, replies = yield from vote(drawings)
    row = answered(subquestion, resolved, answer, replies, choice.model, sources)
    if _UNKNOWN.fullmatch(answer):
        row["gaps"] = [*row.get("gaps", []), "the solver says that it can't be known"]
    return row


def vote(samples: Sequence[Steps[tuple[str, Reply]]]) -> Steps[tuple[str, list[Reply]]]:
    """Take several samples at once; returns the majority's answer and all replies.

    Raises:
        Exception: The first sample's error, if none brought an answer.
    """
    found = yield Together(samples)
    errors: list[Any] = [result for result in found if isinstance(result, BaseException)]
    good = [result for result in found if not isinstance(result, BaseException)]
    wasted = [usage for error in errors for usage in getattr(error, "usage", ())]
    for error in errors:
        if must_be_raised(error):
            raise error
    if not good:
        errors[0].usage = tuple(wasted)
        raise errors[0]
    answer, _ = majority([answer for answer, _ in good])
    failures = [Reply("", cut_off=False, usage=usage) for usage in wasted]
    return answer, [*(reply for _, reply in good), *failures]


def resolve(subquestion: Subquestion, known: Mapping[int, AnswerRow]) -> str:
    """A line's text with the known answers put in, for retrievers and cache keys."""
    return subquestion.resolve({k: row["answer"] or "" for k, row in known.items()})


def _call(
    problem: Problem,
    subquestion: Subquestion,
    resolved: str,
    known: Mapping[int, AnswerRow],
    choice: Choice,
    prompts: Prompts,
    objection: Mapping[str, str] | None,
) -> Call:
    text = subquestion.text
    prompt = prompts["solve_again" if objection else "solve"]
    fields = {
        "problem": problem.with_hints,
        "answers": answer_lines(known.values()) or "none",
        "subquestion": text if text == resolved else f"{text}\n(that is: {resolved})",
        **(objection or {}),
    }
    return Call(
        "solver",
        choice.model,
        prompt.messages(fields),
        name=f"#{subquestion.id} {text}",
        metadata={"decompose_id": subquestion.id, "decompose_needs": list(subquestion.needs)},
    )


Style = Literal["direct", "cot"]
"""How an undivided question is answered: briefly, or after thinking step by step."""


def solve_undivided(
    problem: Problem,
    *,
    model: ResolvedModel,
    prompts: Prompts,
    style: Style,
    retriever: Any = None,
    sample: int = 0,
) -> Steps[tuple[str, AnswerRow]]:
    """Answer the whole question in one call.

    Returns:
        The answer, and the result row (id 0) whose `answer` is the whole reply.
    """
    question = whole_question(problem)
    sources = yield from retrieve(retriever, problem.question)
    seen = with_passages(problem, sources)
    messages = prompts[style].messages({"problem": seen.with_hints})
    call = Call("solver", model, messages, name=f"solver {style}", sample=sample)
    if model.speaks_contract("solver"):
        refuse_prose(model, style)
        answer, reply = yield from solve_expression(call, str(seen), [], None)
        return answer, answered(question, problem.question, answer, [reply], model, sources)
    reply = yield replace(call, options=drawn(sample))
    text = whole_text(reply, _REPLY)
    answer = final_answer(text) if style == "cot" else text
    return answer, answered(question, problem.question, text, [reply], model, sources)


def undivided_row(
    problem: Problem, *, model: ResolvedModel, **options: Any
) -> Steps[tuple[str | None, AnswerRow]]:
    """`solve_undivided` with a failure as a row; the user's own mistakes are raised."""
    steps = solve_undivided(problem, model=model, **options)
    return (yield from with_failure_as_row(steps, problem, model))


def with_failure_as_row(
    steps: Steps[tuple[T, AnswerRow]], problem: Problem, model: ResolvedModel
) -> Steps[tuple[T | None, AnswerRow]]:
    """What a question came to; if that failed, nothing and a row, but for the user's mistakes."""
    try:
        return (yield from steps)
    except Exception as error:
        if must_be_raised(error) or isinstance(error, PromptTooLongError):
            raise
        return None, failed(whole_question(problem), error, model)


def unsplit_row(
    problem: Problem, *, model: ResolvedModel, **options: Any
) -> Steps[tuple[str | None, AnswerRow]]:
    """`undivided_row`, briefly, of a question that a decomposer left whole.

    If it was attempted before, what most attempts said is the answer: a further one would say
    no better.
    """
    if problem.fallback is None:
        return (yield from undivided_row(problem, model=model, style="direct", **options))
    line = whole_question(problem)
    row = answered(line, problem.question, problem.fallback, [], model)
    if verdict := problem.attempt.get("verdict"):
        row["verdict"] = verdict
    return problem.fallback, row


def solve_static(
    problem: Problem, plan: Plan, *, model: ResolvedModel, prompts: Prompts, retriever: Any = None
) -> Steps[tuple[str, AnswerRow]]:
    """Answer every subquestion and then the question in ONE call, as Wu et al. (2024) do."""
    refuse_prose(model, "static")
    sources = yield from retrieve(retriever, problem.question)
    seen = with_passages(problem, sources)
    fields = {"problem": seen.with_hints, "plan": str(plan), "question": problem.question}
    reply = yield Call("solver", model, prompts["static"].messages(fields), name="solver static")
    text = whole_text(reply, _REPLY)
    row = answered(whole_question(problem), problem.question, text, [reply], model, sources)
    return final_answer(text), row


def refuse_prose(model: ResolvedModel, strategy: str) -> None:
    """Refuse a strategy in which the solver must reason in words, if it can't.

    Raises:
        UserError: If the model is a solver that writes expressions only.
    """
    if strategy != "direct":
        why = f"the strategy {strategy!r} needs a solver that reasons in words;"
        model.must_write_words(why, "use --strategy dag or name another --solver")


def whole_question(problem: Problem) -> Subquestion:
    """The question as a line with id 0, for the row of an undivided answer."""
    return Subquestion(0, problem.question)
