"""The decomposer: from a question to a plan, in one call, or two if the first can't be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ..errors import BudgetExhaustedError, ReplyError, UserError
from ..models.references import ResolvedModel, resolve_model
from ..plan import (
    MAX_REPLY_CHARS,
    MAX_SUBQUESTIONS,
    Plan,
    PlanError,
    Subquestion,
    ending,
    parse_partial,
    parse_plan,
    references,
)
from ..prompts import Prompts, load_prompts
from .events import Event
from .plan_calls import PlanCalls
from .problem import Problem
from .replies import Reply
from .session import Limits
from .steps import Steps, as_runnable
from .usage import UsageRow, add_usage

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.runnables import Runnable


PlanSource = Literal["model", "repaired", "edited", "undivided"]
"""Who made the plan; `undivided` means that no plan could be read."""


@dataclass(frozen=True)
class Decomposition:
    """A plan and how it came about."""

    plan: Plan
    source: PlanSource
    warnings: tuple[str, ...]
    usage: list[UsageRow]
    spent: bool = False
    """Whether the budget left no call for it."""
    problem: Exception | None = None
    """What was wrong with the last reply, if no plan could be read."""


_MOST_LINES_READ_EARLY = 100
"""Of a reply that is still being written; one of more lines is no plan, or read at its end."""
OnLines = Callable[[tuple[Subquestion, ...]], None]


def decompose(
    problem: Problem,
    *,
    model: ResolvedModel,
    prompts: Prompts,
    max_subquestions: int,
    must_split: bool = False,
    on_lines: OnLines | None = None,
) -> Steps[Decomposition]:
    """Plan a question.

    A reply that can't be read is repaired once. If that fails too, the plan is atomic and a
    warning says so: the question is then solved undivided, and the user sees no exception.

    Args:
        problem: The question with its context.
        model: Whom to ask.
        prompts: The prompt texts.
        max_subquestions: The cap on lines.
        must_split: Whether `atomic` is no answer.
        on_lines: Is told the complete lines so far, each time that there are other ones.
    """
    final = final_of(model)
    usage: list[UsageRow] = []
    asked = PlanCalls(problem, model, prompts, max_subquestions, must_split)
    call = asked.first()
    on_text = _line_reader(on_lines, max_subquestions)
    warnings: list[str] = []
    fault: Exception | None = None
    for source in ("model", "repaired"):
        text = ""
        try:
            reply = yield replace(call, on_text=on_text)
            usage = add_usage(usage, [reply.usage])
            text = reply.text
            plan = _read(reply, max_subquestions, final, must_split=must_split)
            if final == "last":
                plan = replace(plan, final=ending(problem.question, plan))
        except Exception as error:
            usage = add_usage(usage, getattr(error, "usage", ()))
            if not _can_be_repaired(error):
                error.usage = tuple(usage)  # type: ignore[attr-defined]
                raise
            fault = error
            warnings.append(f"the decomposer's reply can't be used: {error}")
            call = asked.again(text, str(error))
        else:
            warnings += [*plan.warnings, *_taken_for_answers(problem.question, plan)]
            return Decomposition(plan, source, tuple(warnings), usage)
    warnings.append("the question is answered undivided")
    undivided = Plan(final=final)
    return Decomposition(undivided, "undivided", tuple(warnings), usage, problem=fault)


def _taken_for_answers(question: str, plan: Plan) -> list[str]:
    """Warnings of each `#1` that may be the question's own, as in "issue #1"."""
    used = {k for line in plan.subquestions for k in references(line.text, line.id)}
    return [
        f"the question says #{k} itself, which its plan takes for the answer of line {k}"
        for k in references(question, MAX_SUBQUESTIONS + 1)
        if k in used
    ]


def _can_be_repaired(error: Exception) -> bool:
    """Whether a reply came that can't be used: another one may be better."""
    spent = isinstance(error, BudgetExhaustedError)
    return isinstance(error, PlanError | ReplyError) and not spent


def final_of(model: ResolvedModel) -> Literal["last", "compose"]:
    """How a decomposer's plans end."""
    return "last" if model.contract and model.contract.final == "last" else "compose"


def _line_reader(on_lines: OnLines | None, cap: int) -> Callable[[str], None] | None:
    if on_lines is None:
        return None
    seen: tuple[Subquestion, ...] = ()
    whole_lines = ""

    def read(text: str) -> None:
        nonlocal seen, whole_lines
        if len(text) > MAX_REPLY_CHARS:
            raise PlanError(f"the reply has over {MAX_REPLY_CHARS:,} characters")
        until_now = text[: text.rfind("\n") + 1]
        if until_now == whole_lines or until_now.count("\n") > _MOST_LINES_READ_EARLY:
            return
        whole_lines = until_now
        lines = parse_partial(text, max_subquestions=cap)
        if lines != seen:
            seen = lines
            on_lines(lines)

    return read


def _read(reply: Reply, max_subquestions: int, final: Any, *, must_split: bool) -> Plan:
    if reply.cut_off:
        raise PlanError("it was cut off at the token limit")
    plan = parse_plan(reply.text, max_subquestions=max_subquestions, final=final)
    if must_split and plan.atomic:
        raise PlanError("the question must be split into at least one subquestion")
    return plan


def create_decomposer(
    decomposer: Any = "bundled",
    *,
    max_subquestions: int = 8,
    prompts: str | Path | Prompts | None = None,
) -> Runnable[str | Mapping[str, Any], Plan]:
    """The decomposer alone: a Runnable from a question to its `Plan`; nothing is solved.

    Args:
        decomposer: A model reference or chat model.
        max_subquestions: Most lines a plan may have.
        prompts: Folder whose files replace the package's prompts of the same name.

    Raises:
        UserError: If the reference, a file or the cap is wrong.

    Example:
        >>> planner = create_decomposer()
        >>> print(planner.invoke("Who is the spouse of the director of Jaws?"))
        #1 Who is the director of Jaws?
        #2 Who is the spouse of #1? <- #1
    """
    planned = _planner(decomposer, max_subquestions, prompts)

    def steps(question: str | Mapping[str, Any]) -> Steps[Plan]:
        return (yield from planned(Problem.of(question))).plan

    return as_runnable("decomposer", steps)


def decomposer_node(
    decomposer: Any = "bundled",
    *,
    max_subquestions: int = 8,
    must_split: bool = False,
    prompts: str | Path | Prompts | None = None,
    limits: Limits | None = None,
) -> Runnable[Any, dict[str, Any]]:
    """A LangGraph node that reads `question` (and `context`) and writes the plan.

    It writes `plan`, `final`, `plan_source`, `warnings` and `usage`, and `spent` if the budget
    ends it.

    Args:
        decomposer: A model reference or chat model.
        max_subquestions: Most lines a plan may have.
        must_split: Whether `atomic` is no answer.
        prompts: Folder whose files replace the package's prompts of the same name.
        limits: Budget for the question and timeout for a call.

    Raises:
        UserError: If a reference, a file or an option is wrong.

    Example:
        >>> node = decomposer_node()
        >>> node.invoke({"question": "Who directed Jaws?"})["plan"]
        []
    """
    planned = _planner(decomposer, max_subquestions, prompts, must_split=must_split)

    def steps(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        found = yield from planned(Problem.of(state))
        rows = found.plan.to_rows()
        for row in rows:
            yield Event("plan.line", row)
        yield Event("plan", {"plan": rows, "plan_source": found.source})
        return {
            "plan": rows,
            "final": found.plan.final,
            "plan_source": found.source,
            **({"spent": True} if found.spent else {}),
            "warnings": [*state.get("warnings", []), *found.warnings],
            "usage": add_usage(state.get("usage", []), found.usage),
        }

    return as_runnable("decomposer", steps, limits)


def _planner(
    decomposer: Any, max_subquestions: int, prompts: Any, *, must_split: bool = False
) -> Callable[[Problem], Steps[Decomposition]]:
    model, texts = resolve_model(decomposer, "decomposer"), load_prompts(prompts)
    check_cap(max_subquestions)

    def planned(problem: Problem) -> Steps[Decomposition]:
        try:
            return (
                yield from decompose(
                    problem,
                    model=model,
                    prompts=texts,
                    max_subquestions=max_subquestions,
                    must_split=must_split,
                )
            )
        except BudgetExhaustedError as error:
            # Nothing can be solved either; whoever is asked next says so.
            return Decomposition(Plan(), "undivided", (str(error),), list(error.usage), spent=True)

    return planned


def check_cap(max_subquestions: int) -> None:
    """Refuse a cap out of range before anything is asked.

    Raises:
        UserError: If the cap isn't 1 to `MAX_SUBQUESTIONS`.
    """
    whole = type(max_subquestions) is int
    if not whole or not 1 <= max_subquestions <= MAX_SUBQUESTIONS:
        raise UserError(
            f"the cap on subquestions is 1 to {MAX_SUBQUESTIONS}, not {max_subquestions!r}."
        )
