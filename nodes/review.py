"""Plan review: a person sees the plan before anything is solved, and may change it.

The node interrupts the graph once. It is resumed with `Command(resume=ANSWER)`, where ANSWER
is one of

    "approve" (or True)                 solve the plan as it is
    "reject" (or False)                 stop here, with no answer
    a text                              a plan as text, edited or reordered; `atomic` for no split
    [{"id": 1, "text": ..., "needs": []}, ...]           a plan as rows
    {"action": "approve" | "reject" | "edit", "plan": text or rows}

An edited plan is checked as a model's is. If it can't be run, the graph interrupts again and
says why under `error`, so that no work of the person's is lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from langgraph.graph import END
from langgraph.types import Command, interrupt

from ..errors import UserError
from ..plan import Plan, PlanError, parse_plan
from .composer import outcome
from .journal import Journal
from .problem import Problem

REJECTED = "the plan was rejected in review; nothing was solved"


def review_node(max_subquestions: int) -> Any:
    """A LangGraph node that shows `plan` to a person and goes on to the node `solver`, or ends.

    Args:
        max_subquestions: Most lines that an edited plan may have.
    """

    def review(state: Mapping[str, Any]) -> Command[Any]:
        plan = Plan.from_rows(state["plan"], final=state.get("final", "compose"))
        error = None
        while True:
            answer = interrupt(_shown(state, plan, error))
            try:
                accepted = read_review(answer, plan, max_subquestions)
                break
            except PlanError as problem:
                error = str(problem)
        if accepted is None:
            # Nor is what was attempted before an answer: nobody wants one.
            asked = {**state.get("asked", {}), "fallback": None}
            warned = {**state, "warnings": [*state.get("warnings", []), REJECTED], "asked": asked}
            return Command(update=outcome(warned, None), goto=END)
        if accepted == plan:
            return Command(goto="solver")
        update = {"plan": accepted.to_rows(), "plan_source": "edited"}
        return Command(update=update, goto="solver")

    return review


def require_checkpointer(config: Any) -> None:
    """Refuse a run that couldn't go on after the review, before anything is paid for.

    Raises:
        UserError: If the graph that runs under a config has no checkpointer.
    """
    if Journal.of(config) is None:
        raise UserError(
            "review needs a checkpointer, which keeps the run while a person reads the plan: give "
            "checkpointer=InMemorySaver() to the agent or graph around this one, or, if there is "
            "none, to create_decomposition_graph."
        )


def _shown(state: Mapping[str, Any], plan: Plan, error: str | None) -> dict[str, Any]:
    problem = Problem.of(state)
    shown: dict[str, Any] = {
        "type": "review",
        "question": problem.question,
        "plan": plan.to_rows(),
        "text": str(plan),
    }
    return {**shown, "error": error} if error else shown


def read_review(answer: Any, plan: Plan, max_subquestions: int) -> Plan | None:
    r"""The plan that a person wants solved; None if they want none.

    Lines may be moved, left out or added: ids are made consecutive again, and references
    follow their lines.

    Raises:
        PlanError: If the answer is none of what the module describes, or the plan can't be
            run: a line that needs a later one or itself, an empty line, too many lines.

    Example:
        >>> edited = "#2 Who directed Alien?\n#1 Who directed Jaws?"
        >>> print(read_review(edited, Plan(), 8))
        #1 Who directed Alien?
        #2 Who directed Jaws?
    """
    action, edited = answer, answer
    if isinstance(answer, Mapping):
        action, edited = answer.get("action", "edit"), answer.get("plan")
    word = action.strip().casefold() if isinstance(action, str) else action
    if word is True or word in ("approve", "approved", "yes", "ok"):
        return plan
    if word is False or word in ("reject", "rejected", "no"):
        return None
    unknown = isinstance(answer, Mapping) and word not in ("edit", "edited")
    if unknown or not isinstance(edited, str | list):
        raise PlanError("answer approve, reject, or with an edited plan as text or rows")
    text = _as_json(edited) if isinstance(edited, list) else edited
    return parse_plan(text, max_subquestions=max_subquestions, final=plan.final)


def _as_json(rows: list[Any]) -> str:
    """Rows in the person's order, to be read and checked as a model's JSON is."""
    known: list[dict[str, Any]] = []
    for row in rows:
        fields: Mapping[str, Any] = row if isinstance(row, Mapping) else {}
        number, needs = fields.get("id"), fields.get("needs", [])
        if type(number) is not int or not isinstance(fields.get("text"), str):
            raise PlanError("a subquestion has an integer id, a text and a list of needs")
        if not isinstance(needs, list) or not all(type(k) is int for k in needs):
            raise PlanError(f"the needs of subquestion #{number} aren't all integers")
        known.append({"id": number, "text": fields["text"], "needs": needs})
    # What models mark their thinking with is but text here.
    return json.dumps(known).replace("<", "\\u003c")
