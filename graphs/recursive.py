"""`recursive`: a subquestion may be split again, and its parts again.

Recursive decomposition with dependencies (RDD, arXiv 2505.02576): each subquestion, once the
answers that it needs are known, is either a unit, which the solver answers, or gets a plan of
its own, whose answers are merged into its answer. Whoever solves sees only the question that
its plan was made for, the facts that are told before it asks, and the answers it depends on.
Depth and total size are bounded: the lines that are left are shared out evenly, so that the
bound doesn't depend on who is first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from langgraph.graph import StateGraph

from ..errors import BudgetExhaustedError, must_be_raised
from ..nodes.answers import AnswerRow, answered, failed
from ..nodes.decomposer import Decomposition, decompose
from ..nodes.events import Event
from ..nodes.lines import Settings, solve_line
from ..nodes.nested import merged_answer, nested_events, solve_plan
from ..nodes.problem import Problem
from ..nodes.solver import resolve
from ..nodes.solvers import Choice
from ..nodes.steps import Steps
from ..nodes.usage import UsageRow, add_usage
from ..plan import Plan, Subquestion, critical_path
from ..plan.choice import asking_sentence
from .about import About
from .divided import add_divided, first_node
from .roles import Roles, finish, new_graph

ABOUT = About(
    does="splits, and splits again each subquestion that is still hard; merges bottom-up",
    calls="1 + 2n, and 1 to compose; a line that is split again takes as much anew",
    pays="on long chains with a solver that manages one step only",
    source="Recursive Decomposition with Dependencies, arXiv 2505.02576",
    plans=True,
    reviewed=True,
)


def build_recursive(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """The nodes of `dag`, with lines that may be split again."""
    graph = new_graph(roles, "recursive", first=first_node(roles))
    # The plan may still be growing when its first line is split: it counts in full.
    room = max(roles.max_total - roles.max_subquestions, 0) // roles.max_subquestions
    return finish(graph, roles, add_divided(graph, roles, line=_Level(roles, 2, room)))


@dataclass(frozen=True)
class _Level:
    """Solves a line of a plan, after splitting it again if that is allowed.

    Attributes:
        roles: Who does what.
        depth: The level that the line's own plan would be on.
        room: Most lines that it and its parts may have together.
        within: Ids of the lines that this one is a part of.
    """

    roles: Roles
    depth: int
    room: int
    within: tuple[int, ...] = ()

    def __call__(
        self,
        problem: Problem,
        line: Subquestion,
        known: Mapping[int, AnswerRow],
        choice: Choice,
        settings: Settings,
        refused: BudgetExhaustedError | None = None,
    ) -> Steps[AnswerRow]:
        unit = solve_line(problem, line, known, choice, settings, refused)
        complete = all(known[k]["status"] == "ok" for k in line.needs)
        if self.depth > self.roles.max_depth or self.room < 2 or refused or not complete:
            return (yield from unit)
        local = Problem(resolve(line, known), _facts(problem))
        found = yield from self._planned(local)
        if not found.plan.atomic:
            return (yield from self._split(local, line, found, choice, settings))
        row = yield from unit
        return {**row, "usage": add_usage(found.usage, row["usage"])}

    def _planned(self, local: Problem) -> Steps[Decomposition]:
        """A plan for a part; one that can't be had leaves it a unit."""
        cap = min(self.room, self.roles.max_subquestions)
        # A part may be a unit even where the question itself must be split.
        options = {**self.roles.planning, "max_subquestions": cap, "must_split": False}
        try:
            return (yield from decompose(local, **options))
        except Exception as error:
            if must_be_raised(error):
                raise
            return Decomposition(Plan(), "undivided", (), list(getattr(error, "usage", ())))

    def _split(
        self,
        local: Problem,
        line: Subquestion,
        found: Decomposition,
        choice: Choice,
        settings: Settings,
    ) -> Steps[AnswerRow]:
        path, lines = (*self.within, line.id), found.plan.subquestions
        yield Event("subquestion.started", {"id": line.id, "text": line.text})
        told = Event("plan", {"plan": found.plan.to_rows(), "plan_source": found.source})
        yield from nested_events(_one(told), path)
        room = (self.room - len(lines)) // len(lines)
        deeper = replace(self, depth=self.depth + 1, room=room, within=path)
        inner = replace(settings, line=deeper)
        rows = yield from solve_plan(local, found.plan, inner, within=path)
        row = yield from self._merged(local, line, found, rows, choice)
        kind = "answered" if row["status"] == "ok" else row["status"]
        yield Event(f"subquestion.{kind}", row)
        return row

    def _merged(
        self,
        local: Problem,
        line: Subquestion,
        found: Decomposition,
        rows: list[AnswerRow],
        choice: Choice,
    ) -> Steps[AnswerRow]:
        """The line's answer from those of its parts."""
        taken = [found.usage, *(row["usage"] for row in rows)]
        parts = {"plan": found.plan.to_rows(), "answers": rows}
        try:
            models: Any = {"composer": self.roles.composer, "prompts": self.roles.prompts}
            answer, replies = yield from merged_answer(local, found.plan, rows, **models)
        except Exception as error:
            if must_be_raised(error):
                raise
            row = failed(line, error, choice.model)
            return {**row, "usage": add_usage(*taken, row["usage"]), "parts": parts}
        row = answered(line, local.question, answer, replies, choice.model)
        usage: list[UsageRow] = add_usage(*taken, row["usage"])
        seconds = sum(row["seconds"] for row in found.usage) + row["seconds"]
        seconds += critical_path(found.plan, {row["id"]: row["seconds"] for row in rows})
        return {**row, "usage": usage, "seconds": seconds, "parts": parts}


def _facts(problem: Problem) -> str:
    """What a question tells before it asks, after its context: a part needs its numbers."""
    told = problem.question.removesuffix(asking_sentence(problem.question)).strip()
    return "\n\n".join(text for text in (problem.context, told) if text)


def _one(event: Event) -> Steps[None]:
    yield event
