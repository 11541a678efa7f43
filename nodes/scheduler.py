"""The solver as a LangGraph node: one call a subquestion, each as soon as its needs are met.

Every subquestion is a LangGraph `@task`, called in plan order and waiting inside itself for
the tasks that it needs; so nothing waits for a sibling, and after a crash LangGraph, which
matches tasks by their call number, gives each line its own stored result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ..errors import PromptTooLongError, UserError, is_transient
from ..models.references import ResolvedModel, resolve_model
from ..plan import Plan, Subquestion, ancestors
from ..prompts import Prompts, load_prompts
from .answers import AnswerRow, failed, skipped
from .calls import Steps, arun, run
from .events import Event
from .problem import Problem
from .solver import solve_subquestion, undivided_row

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.runnables import Runnable


def solver_node(
    solver: Any, *, prompts: str | Path | Prompts | None = None
) -> Runnable[Any, dict[str, Any]]:
    """A LangGraph node that reads `question` and `plan` and writes `answers`.

    An empty plan is solved undivided. A subquestion that fails is a row with its error;
    those that need it are skipped.

    Args:
        solver: A model reference, chat model, Runnable or compiled graph.
        prompts: Folder with prompts of one's own.
    """
    from langchain_core.runnables import RunnableLambda

    schedule = _Schedule(resolve_model(solver), load_prompts(prompts))
    return RunnableLambda(schedule.solve, schedule.asolve, name="solver")


class _Schedule:
    """Runs a plan; `solve` and `asolve` differ only in how they wait."""

    def __init__(self, model: ResolvedModel, prompts: Prompts) -> None:
        self._model, self._prompts = model, prompts

    def solve(self, state: dict[str, Any], config: Any) -> dict[str, Any]:
        from langgraph.func import task

        problem, plan = Problem.of(state), _plan(state)
        if plan.atomic:
            return {"answers": [run(self._undivided(problem), config)]}
        futures: dict[int, Future[AnswerRow]] = {}

        def outcome(k: int) -> AnswerRow:
            try:
                return futures[k].result()
            except Exception as error:
                return self._failed(plan.subquestions[k - 1], error)

        @task(name="subquestion")
        def answer(k: int) -> AnswerRow:
            done = {n: outcome(n) for n in ancestors(plan, k)}
            return run(self._line(problem, plan, k, done), config)

        for k in range(1, len(plan.subquestions) + 1):
            futures[k] = answer(k)
        return {"answers": [outcome(k) for k in futures]}

    async def asolve(self, state: dict[str, Any], config: Any) -> dict[str, Any]:
        from langgraph.func import task

        problem, plan = Problem.of(state), _plan(state)
        if plan.atomic:
            return {"answers": [await arun(self._undivided(problem), config)]}
        futures: dict[int, Awaitable[AnswerRow]] = {}

        async def outcome(k: int) -> AnswerRow:
            try:
                return await futures[k]
            except Exception as error:
                return self._failed(plan.subquestions[k - 1], error)

        @task(name="subquestion")
        async def answer(k: int) -> AnswerRow:
            done = {n: await outcome(n) for n in ancestors(plan, k)}
            return await arun(self._line(problem, plan, k, done), config)

        for k in range(1, len(plan.subquestions) + 1):
            futures[k] = answer(k)
        return {"answers": [await outcome(k) for k in futures]}

    def _line(
        self, problem: Problem, plan: Plan, k: int, done: Mapping[int, AnswerRow]
    ) -> Steps[AnswerRow]:
        """One subquestion, with its events; only a passing failure is raised."""
        subquestion = plan.subquestions[k - 1]
        missing = [n for n in subquestion.needs if done[n]["status"] != "ok"]
        if missing:
            row = skipped(subquestion, missing, self._model)
            yield Event("subquestion.skipped", row)
            return row
        yield Event("subquestion.started", {"id": k, "text": subquestion.text})
        try:
            row = yield from solve_subquestion(
                problem, plan, subquestion, done, model=self._model, prompts=self._prompts
            )
        except Exception as error:
            row = self._failed(subquestion, error)
            yield Event("subquestion.failed", row)
            # Raised, a passing failure isn't checkpointed: resuming the run asks again.
            if is_transient(error):
                raise
            return row
        yield Event("subquestion.answered", row)
        return row

    def _undivided(self, problem: Problem) -> Steps[AnswerRow]:
        row = yield from undivided_row(
            problem, model=self._model, prompts=self._prompts, style="direct"
        )
        return row[1]

    def _failed(self, subquestion: Subquestion, error: Exception) -> AnswerRow:
        """The failure as a value, unless it is a mistake that every line would repeat."""
        if isinstance(error, UserError) and not isinstance(error, PromptTooLongError):
            raise error
        return failed(subquestion, error, self._model)


def _plan(state: Mapping[str, Any]) -> Plan:
    return Plan.from_rows(state["plan"], final=state.get("final", "compose"))
