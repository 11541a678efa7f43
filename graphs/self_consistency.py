"""`self_consistency`: the question undivided, several times; the answer that most agree on.

Wang et al. (arXiv 2203.11171): each sample thinks step by step, and the final answers, not
the reasoning, are put to the vote. A solver that writes only expressions is asked for those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.graph import END, StateGraph

from ..errors import must_be_raised
from ..nodes.answers import AnswerRow, failed
from ..nodes.composer import outcome
from ..nodes.events import Event
from ..nodes.problem import Problem
from ..nodes.retrieval import retrieve, with_passages
from ..nodes.solver import solve_undivided, whole_question
from ..nodes.steps import Steps, Together, as_runnable
from ..nodes.voting import majority
from .roles import Roles, new_graph


def build_self_consistency(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """All samples at once, then the vote; a sample that fails has no vote."""

    def solve(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        problem = Problem.of(state)
        try:
            sources = yield from retrieve(roles.retriever, problem.question)
            seen = with_passages(problem, sources)
            found = yield Together([_sample(roles, seen, n) for n in range(roles.samples)])
        except Exception as error:  # The retriever's.
            found, sources = [error], []
        rows = [{**_row(roles, problem, result), "sources": sources} for result in found]
        answers = [row["answer"] for row in rows if row["answer"] is not None]
        answered = {**state, "answers": rows}
        if not answers:
            return {"answers": rows, **outcome(answered, None, budget=roles.limits.budget)}
        answer, votes = majority(answers)
        yield Event("vote", {"answer": answer, "votes": votes, "samples": roles.samples})
        if votes * 2 <= roles.samples:
            warning = f"only {votes} of {roles.samples} samples agree on the answer"
            answered["warnings"] = [*state.get("warnings", []), warning]
        return {"answers": rows, **outcome(answered, answer, budget=roles.limits.budget)}

    graph = new_graph(roles, "self_consistency")
    graph.add_node("solver", as_runnable("solver", solve, roles.limits))
    graph.add_edge("read_question", "solver")
    graph.add_edge("solver", END)
    return graph


def _sample(roles: Roles, problem: Problem, number: int) -> Steps[AnswerRow]:
    """One sample; its row holds the final answer alone, which is what has a vote."""
    answer, row = yield from solve_undivided(
        problem,
        model=roles.solver,
        prompts=roles.prompts,
        style="direct" if roles.solver.speaks_contract("solver") else "cot",
        sample=number,
    )
    return {**row, "answer": answer}


def _row(roles: Roles, problem: Problem, result: Any) -> AnswerRow:
    if not isinstance(result, BaseException):
        return result
    if must_be_raised(result):
        raise result
    return failed(whole_question(problem), result, roles.solver)
