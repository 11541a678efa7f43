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

from ..errors import BudgetExhaustedError, UserError, must_be_raised
from ..models.references import ResolvedModel
from ..nodes.answers import AnswerRow, answered
from ..nodes.composer import found_so_far
from ..nodes.decomposer import Decomposition, decompose
from ..nodes.events import Event
from ..nodes.lines import LineSettings, ask_solver
from ..nodes.nested import divided_row
from ..nodes.problem import MAX_QUESTION_CHARS, Problem
from ..nodes.solver import resolve
from ..nodes.solvers import Choice
from ..nodes.steps import Steps
from ..nodes.usage import add_usage
from ..plan import Plan, Subquestion, references
from ..plan.choice import asking_sentence
from .about import About
from .divided import add_divided, first_node
from .roles import Roles, new_graph

ABOUT = About(
    does="splits, and splits again each subquestion that is still hard; merges bottom-up",
    calls="1 + 2n, and 1 to compose; a line that is split again takes as much anew",
    pays="nowhere shown on the simulated solver",
    experimental=True,
    source="Recursive Decomposition with Dependencies, arXiv 2505.02576",
    plans=True,
    lines=True,
    always=True,
    reviewed=True,
)


def build_recursive(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """The nodes of `dag`, with lines that may be split again."""
    graph = new_graph(roles, "recursive", first=first_node(roles))
    # The plan may still be growing when its first line is split: it counts in full.
    room = (roles.max_total - roles.max_subquestions) // roles.max_subquestions
    if roles.max_depth > 1 and room < 2:
        least = 3 * roles.max_subquestions
        raise UserError(
            f"max_total={roles.max_total} leaves no room to split any of {roles.max_subquestions} "
            f"subquestions again: raise it to {least} at least, or lower max_subquestions."
        )
    return add_divided(graph, roles, answer=_Level(roles, 2, room))


@dataclass(frozen=True)
class _Level:
    """Answers a line of a plan, after splitting it again if that is allowed.

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

    @property
    def models(self) -> list[ResolvedModel]:
        """Whom it asks besides the solver."""
        return [self.roles.decomposer, self.roles.composer]

    @property
    def key(self) -> list[Any]:
        """What its answers depend on besides the solver, for the answer cache."""
        roles, names = self.roles, ("decompose", "decompose_repair", "compose")
        models = [model.identity for model in self.models]
        texts = [roles.prompts[name].parts for name in names]
        return [models, texts, self.depth, roles.max_depth, self.room, roles.max_subquestions]

    def __call__(
        self,
        problem: Problem,
        line: Subquestion,
        known: Mapping[int, AnswerRow],
        choice: Choice,
        settings: LineSettings,
    ) -> Steps[AnswerRow]:
        asked = resolve(line, known)
        too_long = len(asked) > MAX_QUESTION_CHARS  # With an answer put in it may be.
        if self.depth > self.roles.max_depth or self.room < 2 or too_long:
            return (yield from ask_solver(problem, line, known, choice, settings))
        local = Problem(asked, _facts(problem, line, known), problem.hints)
        found = yield from self._planned(local)
        if _divides(found.plan, local):
            steps = self._split(local, line, found, choice, settings)
        else:
            steps = ask_solver(problem, line, known, choice, settings)
        try:
            row = yield from steps
        except Exception as error:
            taken: Any = error
            taken.usage = tuple(add_usage(found.usage, getattr(error, "usage", ())))
            raise
        seconds = row["seconds"] + sum(usage["seconds"] for usage in found.usage)
        return {**row, "usage": add_usage(found.usage, row["usage"]), "seconds": seconds}

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
        settings: LineSettings,
    ) -> Steps[AnswerRow]:
        """The line's answer from those of its parts."""
        path, plan = (*self.within, line.id), found.plan
        made = {"plan": plan.to_rows(), "plan_source": found.source}
        yield Event("nested.plan", {**made, "within": list(path)})
        room = (self.room - len(plan.subquestions)) // len(plan.subquestions)
        deeper = replace(self, depth=self.depth + 1, room=room, within=path)
        inner = replace(settings, answer=deeper)
        # An allocation was made for this line; a rule of the user's is asked for each part.
        chosen = choice if settings.solvers.allocates else None
        told: Any = {"within": path, "warnings": found.warnings, "chosen": chosen}
        try:
            row = yield from divided_row(local, line, plan, inner, self.roles.composer, **told)
            return {**row, "solver": choice.model.name}
        except BudgetExhaustedError as error:
            return _unmerged(line, local, error, choice)


def _unmerged(
    line: Subquestion, local: Problem, error: BudgetExhaustedError, choice: Choice
) -> AnswerRow:
    """What was found is an answer, too; that it has gaps, its parts tell."""
    parts: dict[str, Any] = getattr(error, "parts", {"answers": []})
    answer = found_so_far(parts["answers"])
    if answer is None:
        raise error
    row = answered(line, local.question, answer, [], choice.model)
    parts["warnings"].append(f"not merged: {error}")
    seconds = getattr(error, "seconds", 0.0)
    return {**row, "usage": list(error.usage), "seconds": seconds, "parts": parts}


def _divides(plan: Plan, local: Problem) -> bool:
    """Whether a plan makes anything smaller: one that asks the part itself again doesn't."""
    asked = local.question.casefold()
    return not plan.atomic and all(s.text.casefold() != asked for s in plan.subquestions)


def _facts(problem: Problem, line: Subquestion, known: Mapping[int, AnswerRow]) -> str:
    """What a part needs besides its text: the context, what the question tells before it asks.

    After them the answers that the line needs and doesn't name, as "that person" is one; their
    ids would be taken for those of the part's own plan.
    """
    told = problem.question.removesuffix(asking_sentence(problem.question)).strip()
    unnamed = [known[k] for k in line.needs if k not in references(line.text, line.id)]
    found = "\n".join(f"{row['resolved']} = {row['answer']}" for row in unnamed)
    return "\n\n".join(text for text in (problem.context, told, found) if text)
