"""`attempt_first`: the question undivided; it is split only if that doesn't convince.

As-needed decomposition of ADaPT (Prasad et al., arXiv 2311.05772), with the attempt shown to
the decomposer as in DaSLaM (Juneja et al., arXiv 2310.18338). What convinces is agreement of
several attempts, or of a single one the verifier's word. A decomposer trained to write plans
alone isn't shown the attempt: there is no place for it in its prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from langgraph.graph import StateGraph

from ..nodes.answers import AnswerRow
from ..nodes.attempts import ATTEMPT_START, agreement, attempts, voters
from ..nodes.composer import outcome, ran_out
from ..nodes.events import Event
from ..nodes.problem import Problem
from ..nodes.steps import Steps, as_runnable
from ..nodes.usage import add_usage
from ..nodes.verifier import Verifier, verify
from .about import About
from .divided import add_divided, first_node
from .roles import Roles, go_on_unless_answered, new_graph

ABOUT = About(
    does="answers undivided first; splits, with the attempt in view, if that doesn't convince",
    calls="`attempts` (3); if they disagree, those of `dag` as well",
    pays="with a good solver that slips sometimes, on a mix of easy and hard questions",
    source="Prasad et al. (ADaPT), arXiv 2311.05772; Juneja et al. (DaSLaM), arXiv 2310.18338",
    plans=True,
    lines=True,
    reviewed=True,
)
_MOST_CHARS = 4_000
_Attempted = tuple[list[AnswerRow], dict[str, Any], bool]
"""The attempts, what is told of them, and whether the budget cut them short."""


def build_attempt_first(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """The attempt, and behind it the nodes of `dag`."""
    judge = _judge(roles) if roles.attempts == 1 else None
    graph = new_graph(roles, "attempt_first", first="attempt")

    def attempt(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        problem = Problem.of(state)
        attempted = _one(problem, roles, judge) if judge else _several(problem, roles)
        rows, told, spent = yield from attempted
        yield Event("attempt", told)
        answer = agreement(rows).answer
        traced = {**state, "trace": {**state["trace"], "attempt": told}}
        if told["split"]:
            noted: Any = {"attempt": _shown(rows, told), "fallback": answer or problem.fallback}
            return {
                "asked": replace(problem, **noted).asked,
                "usage": add_usage(state["usage"], *(row["usage"] for row in rows)),
                "trace": traced["trace"],
                "spent": state["spent"] or spent,
            }
        judged, budget = voters(rows, answer), roles.limits.budget
        ended = outcome({**traced, "answers": rows}, answer, budget=budget, judged=judged)
        return {"answers": rows, **ended}

    graph.add_node("attempt", as_runnable("attempt", attempt, roles.limits))
    go_on_unless_answered(graph, roles, "attempt", first_node(roles))
    return add_divided(graph, roles)


def _judge(roles: Roles) -> Verifier:
    """Who judges a single attempt: the verifier, or else the solver itself, as in ADaPT."""
    if roles.verifier:
        return roles.verifier
    model = roles.solvers.writer
    model.must_write_words(
        "a single attempt is judged by a verifier, and",
        "name a --verifier, or use --attempts 3, whose agreement is the judge",
    )
    return Verifier(model, roles.prompts, None)


def _several(problem: Problem, roles: Roles) -> Steps[_Attempted]:
    solving = roles.solving(problem)
    rows = yield from attempts(problem, roles.attempts, start=ATTEMPT_START, **solving)
    return rows, agreement(rows).told, ran_out(rows)


def _one(problem: Problem, roles: Roles, judge: Verifier) -> Steps[_Attempted]:
    [row] = yield from attempts(problem, 1, start=ATTEMPT_START, **roles.solving(problem))
    if row["answer"] is None:
        return [row], {"samples": 1, "split": True}, ran_out([row])
    shown = row.get("reply", row["answer"])
    verdict, usage = yield from verify(problem, problem.question, [], shown, judge, ATTEMPT_START)
    row["usage"] = add_usage(row["usage"], usage)
    # A judge that can't say isn't convinced.
    split = not verdict.right or verdict.kind == "unknown"
    return [row], {"samples": 1, "verdict": verdict.to_row(), "split": split}, verdict.spent


def _shown(rows: list[AnswerRow], told: Mapping[str, Any]) -> dict[str, Any]:
    """What the decomposer sees: a whole attempt, other answers, and what was objected."""
    answers = list(dict.fromkeys(row["answer"] for row in rows if row["answer"] is not None))
    replies = [row.get("reply", row["answer"]) for row in rows if row["answer"] is not None]
    return {
        "reply": (replies[0] or "")[:_MOST_CHARS] if replies else "(no answer)",
        "others": "; ".join(answers[1:])[:_MOST_CHARS] or "none",
        "objection": told.get("verdict", {}).get("reason") or "none",
        **({"verdict": told["verdict"]} if "verdict" in told else {}),
    }
