"""What a teacher is asked about one question: for a plan, and maybe for a solution along it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ...errors import BudgetExhaustedError, ReplyError, UnreadableReplyError
from ...models.references import ResolvedModel
from ...nodes.calls import Call
from ...nodes.decomposer import decompose
from ...nodes.final_answer import final_answer
from ...nodes.problem import Problem
from ...nodes.replies import Reply
from ...nodes.steps import Steps, changed
from ...plan import Plan
from ...prompts import Prompts
from ..records import Example, Line
from .questions import Question
from .workings import Working, expression, with_workings, workings

_TEMPERATURE = 0.7


@dataclass(frozen=True)
class Teaching:
    """Whom to ask, and for what.

    Attributes:
        model: The teacher.
        prompts: The prompt texts.
        max_subquestions: The cap on a plan's lines.
        solve: Whether to ask for a solution, too.
        explain: Whether the teacher sees the reference solution and words its plan.
        temperature: Of every attempt but the first; if None, a hosted model's own.
    """

    model: ResolvedModel
    prompts: Prompts
    max_subquestions: int = 8
    solve: bool = False
    explain: bool = False
    temperature: float | None = None


class NoPlanError(Exception):
    """The teacher replied, but with no plan."""


def teach(question: Question, attempt: int, teaching: Teaching) -> Steps[Example]:
    """Ask for a plan of a question, and for its solution if that is wanted.

    The first attempt is the model's likeliest reply, as far as it can be asked for that; later
    ones are drawn.

    Raises:
        NoPlanError: If no plan could be read, not even after a repair.
        UnreadableReplyError: If what came isn't a model's reply at all.
    """
    steps, temperature = _teach(question, attempt, teaching), teaching.temperature
    return changed(steps, lambda step: _of_attempt(step, attempt, temperature))


def _teach(question: Question, attempt: int, teaching: Teaching) -> Steps[Example]:
    problem, prompts = question.problem, teaching.prompts
    if teaching.explain and question.solution:
        problem, prompts = _explained(question, prompts)
    found = yield from decompose(
        problem, model=teaching.model, prompts=prompts, max_subquestions=teaching.max_subquestions
    )
    if found.source == "undivided":
        if isinstance(found.problem, UnreadableReplyError):
            raise found.problem
        raise NoPlanError(str(found.problem))
    example = Example(
        id=question.id,
        question=question.problem.question,
        context=question.problem.context,
        plan=tuple(Line(**row) for row in found.plan.to_rows()),
        answer=question.answer,
        source=question.source,
        licence=question.licence,
        teacher=teaching.model.name,
        attempt=attempt,
    )
    if not teaching.solve:
        return example
    try:
        reply = yield _solution_call(question, found.plan, teaching)
    except (BudgetExhaustedError, UnreadableReplyError):
        raise
    except ReplyError:
        return example
    return _solved(example, reply)


def _explained(question: Question, prompts: Prompts) -> tuple[Problem, Prompts]:
    """The problem with its solution before it, and the prompt that asks for the plan in it.

    After the explained solutions of Li et al., 2024 (arXiv 2404.08148): putting a right
    solution into words is easier than finding one.
    """
    asked = question.problem
    parts = (asked.context, f"Worked solution:\n{question.solution}")
    problem = Problem(asked.question, "\n\n".join(filter(None, parts)))
    return problem, {**prompts, "decompose": prompts["teach_explain"]}


def _solution_call(question: Question, plan: Plan, teaching: Teaching) -> Call:
    """The second stage of Wu et al. (arXiv 2402.15000): one call for the whole plan."""
    problem = question.problem
    fields = {"problem": str(problem), "plan": str(plan), "question": problem.question}
    prompt = teaching.prompts["cot" if plan.atomic else "teach_solution"]
    # Not as a "solver": what fails for good there is never asked again.
    return Call("teacher", teaching.model, prompt.messages(fields), name="teacher solution")


def _solved(example: Example, reply: Reply) -> Example:
    plan = with_workings(example.plan, workings(reply.text), example.problem)
    predicted = "" if reply.cut_off else final_answer(reply.text)
    solved = replace(example, plan=plan, predicted=predicted, solution=reply.text)
    if plan:
        return solved
    written = expression(Working(reply.text, predicted), {}, example.problem)
    return replace(solved, meta={**example.meta, "expr": written}) if written else solved


def _of_attempt(step: Any, attempt: int, temperature: float | None) -> Any:
    """A role's step; if it is a call, as one of this attempt."""
    if not attempt or not isinstance(step, Call):
        return step
    call, options, model = replace(step, sample=attempt), step.options, step.model
    if model.accepts_grammar:
        # A repair has a seed already: with the same one it would fail in the same way.
        seed = options.get("seed", 0) + attempt
        drawn = {"temperature": temperature or _TEMPERATURE, "seed": seed}
        return replace(call, options={**options, **drawn})
    if temperature is None or model.runnable is None:
        return call
    # Only where the user says so: some hosted models take no temperature at all.
    bound: Any = model.runnable
    identity = f"{model.identity} at temperature {temperature:g}"
    warmer = replace(model, runnable=bound.bind(temperature=temperature), identity=identity)
    return replace(call, model=warmer)
