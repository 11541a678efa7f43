"""A plan solved within a role, rather than by a node of its own: for plans inside of plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import BudgetExhaustedError, ReplyError
from ..models.references import ResolvedModel
from ..plan import Plan, Subquestion, critical_path
from ..prompts import Prompts
from .answers import AnswerRow, answered
from .attempts import attempts, sample_row
from .composer import compose, found_so_far, is_told_by_line
from .decomposer import Decomposition, decompose
from .events import Event
from .lines import LineSettings, solve_line
from .problem import Problem
from .replies import Reply
from .schedule import known_to
from .solver import whole_question
from .solvers import Choice
from .steps import InOrder, Steps, Together, changed
from .usage import add_usage


def _solve(
    problem: Problem,
    plan: Plan,
    settings: LineSettings,
    *,
    chosen: Choice | None,
    sample: int,
    within: Sequence[Any],
) -> Steps[list[AnswerRow]]:
    """Solve every line, each as soon as what it needs has been answered; a row each, in order."""
    rows: dict[int, AnswerRow] = {}

    def line(place: int) -> Steps[AnswerRow]:
        subquestion = plan.subquestions[place]
        choice = chosen or settings.solvers.choose(subquestion)
        carry_all = settings.one_at_a_time and not choice.model.speaks_contract("solver")
        known = known_to(subquestion, plan, rows, carry_all=carry_all)
        drawn = replace(choice, sample=choice.sample + sample)
        steps = solve_line(problem, subquestion, known, drawn, settings)
        row = yield from _nested(steps, within)
        rows[subquestion.id] = row
        return row

    needs = [[k - 1 for k in s.needs] for s in plan.subquestions]
    if settings.one_at_a_time:
        needs = [list(range(place)) for place in range(len(needs))]
    return (yield InOrder(needs, line))


def _merged(
    problem: Problem,
    plan: Plan,
    rows: Sequence[AnswerRow],
    *,
    composer: ResolvedModel,
    prompts: Prompts,
    sample: int,
) -> Steps[tuple[str, list[Reply]]]:
    """A plan's answer from those of its lines: the last one's, or composed from all.

    Raises:
        BudgetExhaustedError: If the budget left nothing to make it from.
        ReplyError: If there is nothing for another reason.
    """
    last = rows[-1]["answer"]
    if plan.final == "last" and last is not None:
        return last, []
    if plan.final == "last" or all(row["answer"] is None for row in rows):
        error = next(row["error"] for row in rows if row["error"])
        spent = error["type"] == BudgetExhaustedError.__name__
        raise (BudgetExhaustedError if spent else ReplyError)(error["message"])
    if is_told_by_line(problem, composer) and (found := found_so_far(rows)):
        return found, []
    answer, reply = yield from compose(
        problem, rows, model=composer, prompts=prompts, sample=sample, told=False
    )
    return answer, [reply]


def divided_row(
    problem: Problem,
    line: Subquestion,
    plan: Plan,
    settings: LineSettings,
    composer: ResolvedModel,
    *,
    chosen: Choice | None = None,
    sample: int = 0,
    within: Sequence[Any] = (),
    warnings: Sequence[str] = (),
) -> Steps[AnswerRow]:
    """Answer a line, or the whole question, by a plan of its own.

    Args:
        problem: The question that the plan belongs to.
        line: The line that is answered by it.
        plan: The plan; not atomic.
        settings: Who solves, and how.
        composer: Merges the answers.
        chosen: Who solves all of it; by default, whoever is chosen for each line.
        sample: Number of the sample.
        within: Where the plan stands, for its events: a path of ids.
        warnings: What was warned of when it was made.

    Raises:
        Exception: If there is no answer; with usage, seconds and parts attached to it.
    """
    rows = yield from _solve(problem, plan, settings, chosen=chosen, sample=sample, within=within)
    parts = {"plan": plan.to_rows(), "answers": rows, "warnings": list(warnings)}
    taken = add_usage(*(row["usage"] for row in rows))
    seconds = critical_path(plan, {part["id"]: part["seconds"] for part in rows})
    models: Any = {"composer": composer, "prompts": settings.prompts, "sample": sample}
    try:
        answer, replies = yield from _merged(problem, plan, rows, **models)
    except Exception as error:
        lost: Any = error
        lost.usage, lost.parts = tuple(add_usage(taken, getattr(error, "usage", ()))), parts
        lost.seconds = seconds
        raise
    model = chosen.model if chosen else settings.solvers.first
    row = answered(line, problem.question, answer, replies, model)
    if plan.final == "last" and "exact" in rows[-1]:
        row["exact"] = rows[-1]["exact"]
    return {
        **row,
        "usage": add_usage(taken, row["usage"]),
        "seconds": seconds + row["seconds"],
        "parts": parts,
    }


def divided_samples(
    problem: Problem,
    count: int,
    planning: Mapping[str, Any],
    settings: LineSettings,
    composer: ResolvedModel,
    *,
    start: int,
    found: Decomposition | None,
) -> Steps[tuple[Decomposition, list[AnswerRow]]]:
    """Plan a question once and solve the plan several times at once.

    Args:
        problem: The question.
        count: How often.
        planning: What `decompose` takes by keyword.
        settings: Who solves the lines, and how.
        composer: Merges their answers.
        start: Number of the first sample.
        found: The plan, if there is one already; else None.

    Returns:
        The plan, and a row each with id 0, as of `attempts`.
    """
    prompts, whole = settings.prompts, whole_question(problem)
    found = found or (yield from decompose(problem, **planning))
    plan = found.plan
    if plan.atomic:
        model = settings.solvers.choose(whole).model
        options: Any = {"prompts": prompts, "retriever": settings.retriever, "style": "direct"}
        undivided = attempts(problem, count, model=model, start=start, **options)
        return found, (yield from undivided)

    steps = [
        divided_row(problem, whole, plan, settings, composer, sample=k, within=[f"sample {k}"])
        for k in range(start, start + count)
    ]
    results = yield Together(steps)
    return found, [sample_row(problem, settings.solvers.first, each) for each in results]


def _nested(steps: Steps[Any], within: Sequence[Any]) -> Steps[Any]:
    """The same steps, whose events say that they aren't the main plan's: `nested.KIND`."""

    def change(step: Any) -> Any:
        if not isinstance(step, Event) or step.kind.startswith("nested."):
            return step
        return Event(f"nested.{step.kind}", {**step.data, "within": list(within)})

    return changed(steps, change)
