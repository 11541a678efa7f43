"""The gate: whether a question is split at all, decided before any strategy begins.

`never` answers it undivided, `disagreement` does so if several undivided samples agree
(Adaptive-Solver, arXiv 2310.01446). `model` leaves it to the decomposer, which may write
`atomic`, and `always` forbids it that word; both need no node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..errors import UserError
from ..prompts import Prompts, load_prompts
from .attempts import GATE_START, MAX_SAMPLES, agreement, attempts, voters
from .composer import outcome, ran_out, undivided_outcome
from .events import Event
from .problem import Problem
from .retrieval import as_retriever
from .session import Limits
from .solver import undivided_row, whole_question
from .solvers import Solvers
from .steps import Steps, as_runnable
from .usage import add_usage

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.runnables import Runnable

Gate = Literal["never", "always", "model", "disagreement"]
"""Who decides whether to split."""

GATES = get_args(Gate)


def gate_node(
    gate: Literal["never", "disagreement"],
    solver: Any,
    *,
    samples: int = 3,
    prompts: str | Path | Prompts | None = None,
    retriever: Any = None,
    limits: Limits | None = None,
) -> Runnable[Any, dict[str, Any]]:
    """A LangGraph node that answers the question undivided, or says that it must be split.

    If it answers, it writes what the composer writes, including `status`. Otherwise it sets
    `status` to `running`, and `asked` holds what most samples said, in case nothing better is
    found; `spent` says that the budget ended some of them.

    Args:
        gate: `never` splits nothing; `disagreement` splits if the samples disagree.
        solver: A model reference, chat model, Runnable or compiled graph; or several as
            `nodes.solvers.Solvers`.
        samples: Undivided answers that are asked for under `disagreement`.
        prompts: Folder whose files replace the package's prompts of the same name.
        retriever: A LangChain retriever, or a function, that is asked for the question.
        limits: Budget for the question and timeout for a call.

    Raises:
        UserError: If the gate is none of these, or `samples` is no number that can disagree.
    """
    if gate not in ("never", "disagreement"):
        raise UserError(f"a gate node's gate is 'never' or 'disagreement', not {gate!r}.")
    can_disagree = type(samples) is int and 2 <= samples <= MAX_SAMPLES
    if gate == "disagreement" and not can_disagree:
        raise UserError(f"a gate node's samples are 2 to {MAX_SAMPLES}, not {samples!r}.")
    solvers = solver if isinstance(solver, Solvers) else Solvers(solver)
    options: Any = {
        "prompts": load_prompts(prompts),
        "retriever": as_retriever(retriever),
        "style": "direct",
    }
    budget = Limits.of(limits).budget

    def undivided(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        problem = Problem.of(state)
        model = solvers.choose(whole_question(problem)).model
        answer, row = yield from undivided_row(problem, model=model, **options)
        yield Event("gate", {"gate": gate, "split": False})
        traced = {**state, "trace": {"gate": {"gate": gate, "split": False}}}
        return undivided_outcome(traced, answer, row, budget)

    def unless_agreed(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        problem = Problem.of(state)
        model = solvers.choose(whole_question(problem)).model
        rows = yield from attempts(problem, samples, model=model, start=GATE_START, **options)
        found = agreement(rows)
        told = {"gate": gate, **found.told}
        yield Event("gate", told)
        if found.enough:
            answered = {**state, "answers": rows, "trace": {"gate": told}}
            judged = voters(rows, found.answer)
            ended = outcome(answered, found.answer, budget=budget, judged=judged)
            return {"answers": rows, **ended}
        usage = add_usage(state.get("usage", []), *(row["usage"] for row in rows))
        asked = replace(problem, fallback=found.answer).asked
        begun = {"answers": [], "answer": None, "status": "running"}
        cut_off = {"spent": True} if ran_out(rows) else {}
        return {**begun, **cut_off, "usage": usage, "trace": {"gate": told}, "asked": asked}

    return as_runnable("gate", undivided if gate == "never" else unless_agreed, limits)
