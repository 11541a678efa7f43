"""The solver as a LangGraph node: one call a subquestion, each as soon as its needs are met.

Every subquestion is a LangGraph `@task`, called in plan order and waiting inside itself for
the tasks that it needs; so nothing waits for a sibling, and after a crash LangGraph, which
matches tasks by their call number, gives each line its own stored result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.func import task

from ..errors import UserError, is_transient, must_be_raised
from ..models.references import ResolvedModel, resolve_model
from ..plan import Plan, PlanError, Subquestion, ancestors
from ..prompts import Prompts, load_prompts
from .answers import AnswerRow, failed, skipped
from .calls import Steps, arun, run
from .claims import AsyncClaims, Claims
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
    schedule = _Schedule(resolve_model(solver), load_prompts(prompts))
    return RunnableLambda(schedule.solve, schedule.asolve, name="solver")


class _Schedule:
    """Runs a plan; `solve` and `asolve` differ only in how they wait."""

    def __init__(self, model: ResolvedModel, prompts: Prompts) -> None:
        self._model, self._prompts = model, prompts

    def solve(self, state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        problem, plan = Problem.of(state), _plan(state)
        if plan.atomic:
            return {"answers": [run(self._undivided(problem), config)]}
        if config.get("max_concurrency") == 1:
            return {"answers": self._one_by_one(problem, plan, config)}
        tasks: dict[int, Future[AnswerRow]] = {}
        claims = Claims[AnswerRow]()

        def line(k: int, config: RunnableConfig) -> AnswerRow:
            done = {n: outcome(n, config) for n in ancestors(plan, k)}
            return run(self._line(problem, plan, k, done), config)

        def outcome(k: int, config: RunnableConfig) -> AnswerRow:
            try:
                return claims.wait(k, tasks[k], lambda: line(k, config))
            except Exception as error:
                return self._failed(plan.subquestions[k - 1], error)

        @task(name="subquestion")
        def answer(k: int, config: RunnableConfig) -> AnswerRow:
            return claims.run(k, lambda: line(k, config))

        for k in range(1, len(plan.subquestions) + 1):
            tasks[k] = answer(k)
        return {"answers": [outcome(k, config) for k in tasks]}

    def _one_by_one(self, problem: Problem, plan: Plan, config: RunnableConfig) -> list[AnswerRow]:
        """Without tasks: LangGraph's only thread may be waiting for the stream's next event."""
        done: dict[int, AnswerRow] = {}
        for subquestion in plan.subquestions:
            try:
                done[subquestion.id] = run(self._line(problem, plan, subquestion.id, done), config)
            except Exception as error:
                done[subquestion.id] = self._failed(subquestion, error)
        return list(done.values())

    async def asolve(self, state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        problem, plan = Problem.of(state), _plan(state)
        if plan.atomic:
            return {"answers": [await arun(self._undivided(problem), config)]}
        tasks: dict[int, asyncio.Future[AnswerRow]] = {}
        claims = AsyncClaims[AnswerRow]()

        async def line(k: int, config: RunnableConfig) -> AnswerRow:
            done = {n: await outcome(n, config) for n in ancestors(plan, k)}
            return await arun(self._line(problem, plan, k, done), config)

        async def outcome(k: int, config: RunnableConfig) -> AnswerRow:
            try:
                return await claims.wait(k, tasks[k], lambda: line(k, config))
            except Exception as error:
                return self._failed(plan.subquestions[k - 1], error)

        @task(name="subquestion")
        async def answer(k: int, config: RunnableConfig) -> AnswerRow:
            return await claims.run(k, lambda: line(k, config))

        for k in range(1, len(plan.subquestions) + 1):
            tasks[k] = asyncio.ensure_future(answer(k))
        return {"answers": [await outcome(k, config) for k in tasks]}

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
            row = self._failed(subquestion, error)  # Raises what isn't this line's failure.
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
        if must_be_raised(error):
            raise error
        return failed(subquestion, error, self._model)


def _plan(state: Mapping[str, Any]) -> Plan:
    try:
        return Plan.from_rows(state["plan"], final=state.get("final", "compose"))
    except PlanError as error:
        raise UserError(f"the plan can't be run: {error}.") from None
