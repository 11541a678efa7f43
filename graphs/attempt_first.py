"""`attempt_first`: the question undivided; it is split only if that doesn't convince.

As-needed decomposition of ADaPT (Prasad et al., arXiv 2311.05772), with the attempt shown to
the decomposer as in DaSLaM (Juneja et al., arXiv 2310.18338). What convinces is agreement of
several attempts, or of a single one the verifier's word. A decomposer trained to write plans
alone isn't shown the attempt: there is no place for it in its prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.graph import StateGraph

from ..errors import UserError
from ..nodes.answers import AnswerRow
from ..nodes.attempts import ATTEMPT_START, agreement, attempts
from ..nodes.composer import outcome
from ..nodes.events import Event
from ..nodes.problem import Problem
from ..nodes.solver import undivided_row
from ..nodes.steps import Steps, as_runnable
from ..nodes.usage import add_usage
from ..nodes.verifier import Verifier, verify
from .about import About
from .divided import add_divided, first_node
from .roles import Roles, finish, go_on_unless_answered, new_graph

ABOUT = About(
    does="answers undivided first; splits, with the attempt in view, if that doesn't convince",
    calls="`attempts` (3); if they disagree, those of `dag` as well",
    pays="on a mix of easy and hard questions",
    source="Prasad et al. (ADaPT), arXiv 2311.05772; Juneja et al. (DaSLaM), arXiv 2310.18338",
    plans=True,
    reviewed=True,
)


def build_attempt_first(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """The attempt, and behind it the nodes of `dag`."""
    judge = _judge(roles) if roles.attempts == 1 else None
    graph = new_graph(roles, "attempt_first", first="attempt")

    def attempt(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        problem = Problem.of(state)
        if judge:
            rows, convinced, told = yield from _one(problem, roles, judge)
        else:
            rows = yield from attempts(
                problem, roles.attempts, start=ATTEMPT_START, **roles.solving
            )
            found = agreement(rows)
            told = {"votes": found.votes, "samples": found.samples}
            convinced = found.enough
        told = {**told, "split": not convinced}
        yield Event("attempt", told)
        if convinced:
            answered = {**state, "answers": rows, "trace": {**state["trace"], "attempt": told}}
            answer = agreement(rows).answer
            return {"answers": rows, **outcome(answered, answer, budget=roles.limits.budget)}
        return {
            "attempt": _shown(rows),
            "usage": add_usage(state["usage"], *(row["usage"] for row in rows)),
            "trace": {**state["trace"], "attempt": told},
        }

    graph.add_node("attempt", as_runnable("attempt", attempt, roles.limits))
    go_on_unless_answered(graph, roles, "attempt", first_node(roles))
    return finish(graph, roles, add_divided(graph, roles))


def _judge(roles: Roles) -> Verifier:
    """Who judges a single attempt: the verifier, or else the solver itself, as in ADaPT."""
    judge = roles.verifier or Verifier(roles.solver, roles.prompts, None)
    if judge.model.speaks_contract("solver"):
        raise UserError(
            "a single attempt is judged by a verifier, and "
            f"{judge.model.name!r} only writes expressions: name a --verifier, or use "
            "--attempts 3, whose agreement is the judge."
        )
    return judge


def _one(
    problem: Problem, roles: Roles, judge: Verifier
) -> Steps[tuple[list[AnswerRow], bool, dict[str, Any]]]:
    style = "direct" if roles.solver.speaks_contract("solver") else "cot"
    answer, row = yield from undivided_row(problem, style=style, **roles.solving)
    if answer is None:
        return [row], False, {"samples": 1}
    verdict, usage = yield from verify(problem, problem.question, [], row["answer"] or "", judge)
    row: AnswerRow = {**row, "answer": answer, "usage": add_usage(row["usage"], usage)}
    # A judge that can't say isn't convinced.
    right = verdict.right and verdict.kind != "unknown"
    return [row], right, {"samples": 1, "verdict": verdict.to_row()}


def _shown(rows: list[AnswerRow]) -> str:
    """What the decomposer sees: the answers that the attempts came to, each once."""
    answers = [row["answer"] for row in rows if row["answer"] is not None]
    return "\n".join(dict.fromkeys(answers))[:2_000]
