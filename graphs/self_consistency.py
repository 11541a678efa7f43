"""`self_consistency`: the question undivided, several times; the answer that most agree on.

Wang et al. (arXiv 2203.11171): each sample thinks step by step, and the final answers, not
the reasoning, are put to the vote. A solver that writes only expressions is asked for those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.graph import StateGraph

from ..nodes.attempts import agreement, attempts
from ..nodes.composer import outcome
from ..nodes.events import Event
from ..nodes.problem import Problem
from ..nodes.steps import Steps
from .about import About
from .roles import Roles, solved_in_one_node

ABOUT = About(
    does="asks the undivided question several times and takes the answer of most",
    calls="`samples` (5)",
    pays="where a solver's samples differ when it is wrong; the baseline at equal tokens",
    source="Wang et al., arXiv 2203.11171",
)


def build_self_consistency(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """All samples at once, then the vote; a sample that fails has no vote."""

    def solve(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        problem = Problem.of(state)
        rows = yield from attempts(problem, roles.samples, **roles.solving(problem))
        found, answered = agreement(rows), {**state, "answers": rows}
        if found.answer is not None:
            data = {"answer": found.answer, "votes": found.votes, "samples": roles.samples}
            yield Event("vote", data)
            if found.votes * 2 <= roles.samples:
                warning = f"only {found.votes} of {roles.samples} samples agree on the answer"
                answered["warnings"] = [*state.get("warnings", []), warning]
        ended = outcome(answered, found.answer, budget=roles.limits.budget)
        return {"answers": rows, **ended}

    return solved_in_one_node(roles, "self_consistency", solve)
