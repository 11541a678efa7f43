"""`dynamic`: the next subquestion is chosen after the last answer was seen.

Self-Ask (Press et al., arXiv 2210.03350): is a follow-up needed? If so it is asked and
answered, and the decomposer is asked again; if not, or at the cap, the composer answers.
A decomposer trained to write whole plans can't do this: it never sees an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.graph import StateGraph

from ..errors import BudgetExhaustedError, ReplyError, UserError
from ..nodes.answers import AnswerRow, answer_lines
from ..nodes.calls import Call
from ..nodes.events import Event
from ..nodes.lines import solve_line
from ..nodes.problem import Problem
from ..nodes.solver import unsplit_row
from ..nodes.steps import Steps, as_runnable
from ..nodes.usage import UsageRow, add_usage
from ..plan import Plan, PlanError, Subquestion, ancestors, parse_next
from .about import About
from .divided import line_settings
from .roles import Roles, finish, new_graph

ABOUT = About(
    does="asks for one subquestion at a time, each chosen after the last answer was seen",
    calls="2n + 1, and 1 to compose",
    pays="where the next step hangs on what was found, as in search (not measured here)",
    source="Press et al. (Self-Ask), arXiv 2210.03350",
    plans=True,
    lines=True,
    always=True,
)
_ATTEMPTS = 2
_STEPS_OF_A_LINE = 5
"""Steps of the graph from choosing a line to the end: solver, decomposer, composer, verifier."""
_NO_STEPS = (
    "the decomposer was asked for no further subquestion: LangGraph's recursion_limit leaves too "
    "few steps; raise it in the config"
)


def build_dynamic(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """Decomposer and solver in turns, then the composer."""
    if roles.decomposer.speaks_contract("decomposer"):
        raise UserError(
            "the strategy 'dynamic' needs a decomposer that sees answers and chooses the next "
            f"subquestion; {roles.decomposer.name!r} only writes whole plans: name another "
            "--decomposer."
        )
    graph = new_graph(roles, "dynamic", first="decomposer")
    choosing = as_runnable("decomposer", _choosing(roles), roles.limits, keep_call=_divided)
    solving = as_runnable("solver", _solving(roles), roles.limits, keep_call=_divided)
    graph.add_node("decomposer", choosing)
    graph.add_node("solver", solving)
    graph.add_node("composer", roles.composer_node())
    graph.add_conditional_edges("decomposer", _after_decomposer, ["solver", "composer"])
    graph.add_conditional_edges("solver", _after_solver, ["decomposer", "composer"])
    return finish(graph, roles, "composer")


def _divided(state: Mapping[str, Any]) -> bool:
    return bool(state["plan"])


def _after_decomposer(state: Mapping[str, Any]) -> str:
    undivided = not state["plan"]
    return "solver" if undivided or len(state["plan"]) > len(state["answers"]) else "composer"


def _after_solver(state: Mapping[str, Any]) -> str:
    return "decomposer" if state["plan"] else "composer"


def _choosing(roles: Roles) -> Any:
    """The decomposer: one more line, or none if the question can be answered."""

    def choose(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        plan, usage = Plan.from_rows(state["plan"]), list[UsageRow]()
        source = "model" if plan.subquestions else "undivided"
        if len(plan.subquestions) == roles.max_subquestions:
            return {"plan_source": source}
        if state.get("remaining_steps", _STEPS_OF_A_LINE) < _STEPS_OF_A_LINE:
            # A chain passes on LangChain's limit of 25, and past it all answers would be lost.
            return {"plan_source": source, "warnings": [*state["warnings"], _NO_STEPS]}
        try:
            line = yield from _next_line(state, plan, roles, usage)
        except (BudgetExhaustedError, PlanError, ReplyError) as error:
            usage += getattr(error, "usage", ())
            warning = f"the decomposer was asked for no further subquestion: {error}"
            spent = isinstance(error, BudgetExhaustedError)
            return {
                "warnings": [*state["warnings"], warning],
                "usage": add_usage(state["usage"], usage),
                "spent": state["spent"] or spent,
                "plan_source": source,
            }
        update: dict[str, Any] = {"usage": add_usage(state["usage"], usage)}
        if line is None:
            return {**update, "plan_source": source}
        rows = Plan((*plan.subquestions, line)).to_rows()
        yield Event("plan.line", rows[-1])
        yield Event("plan", {"plan": rows, "plan_source": "model"})
        return {**update, "plan": rows, "plan_source": "model", "final": "compose"}

    return choose


def _next_line(
    state: Mapping[str, Any], plan: Plan, roles: Roles, usage: list[UsageRow]
) -> Steps[Subquestion | None]:
    """Ask for it, and once more if the reply can't be read or repeats an earlier line."""
    number, problem = len(plan.subquestions) + 1, Problem.of(state)
    fields = {
        "problem": problem.with_hints,
        "number": str(number),
        "answers": answer_lines(state["answers"]) or "nothing",
    }
    messages = roles.prompts["next"].messages(fields)
    asked = {line.text.casefold() for line in plan.subquestions}
    for attempt in range(_ATTEMPTS):
        try:
            reply = yield Call("decomposer", roles.decomposer, messages, sample=attempt)
            usage.append(reply.usage)
            if reply.cut_off:
                raise PlanError("it was cut off at the token limit")
            line = parse_next(reply.text, number)
            if line is None and number == 1 and roles.gate == "always":
                raise PlanError("the question must be split into at least one subquestion")
            if line and line.text.casefold() in asked:
                raise PlanError(f"it repeats {line.text!r}")
            return line
        except (PlanError, ReplyError) as error:
            if attempt + 1 == _ATTEMPTS:
                raise
            usage += getattr(error, "usage", ())
    raise AssertionError("unreachable")


def _solving(roles: Roles) -> Any:
    """The solver: the newest line; or the question, if it needed none."""
    settings = line_settings(roles)

    def solve(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        problem, plan = Problem.of(state), Plan.from_rows(state["plan"])
        if plan.atomic:
            _, row = yield from unsplit_row(problem, **roles.solving(problem))
            return {"answers": [row]}
        line, rows = plan.subquestions[-1], state["answers"]
        known: dict[int, AnswerRow] = {k: rows[k - 1] for k in ancestors(plan, line.id)}
        choice = settings.solvers.choose(line)
        row = yield from solve_line(problem, line, known, choice, settings)
        return {"answers": [*rows, row]}

    return solve
