"""What there is to do for a plan: plan it, solve each line when it can be, or solve undivided.

No waiting happens here. The scheduler asks `start()` for jobs, does them, and calls back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Generic, TypeVar

from langgraph.errors import GraphInterrupt

from ..errors import BudgetExhaustedError, UserError
from ..models.references import ResolvedModel
from ..plan import Plan, PlanError, Subquestion
from .answers import AnswerRow, failed, written
from .attempts import voted_row
from .composer import is_told_by_line
from .decomposer import Decomposition, OnLines
from .events import Event
from .lines import LineSettings, solve_line
from .problem import Problem
from .schedule import Schedule
from .session import Session
from .solver import unsplit_row, whole_question
from .solvers import Choice
from .steps import Steps
from .usage import UsageRow, add_usage, no_usage

T = TypeVar("T")
Post = Callable[[Callable[[], None]], None]


@dataclass(frozen=True)
class Planner:
    """A decomposer: its steps for a problem, and how its plans end."""

    decompose: Callable[[Problem, OnLines], Steps[Decomposition]]
    final: str


@dataclass(frozen=True, eq=False)
class Job(Generic[T]):
    """Something to do aside, and what to do with what comes of it."""

    steps: Steps[T]
    done: Callable[[T], None]
    failed: Callable[[BaseException], None]
    session: Session


class Work:
    """The state of one question's plan while it is being solved.

    Args:
        problem: The question.
        settings: Who solves, and how.
        session: The node's budget and journal.
        planner: Writes the plan; None if `take_plan` is called.
        post: Runs a callback in the scheduler's own thread.
    """

    def __init__(
        self,
        problem: Problem,
        settings: LineSettings,
        session: Session,
        planner: Planner | None,
        post: Post,
    ) -> None:
        self._problem, self._settings, self._session = problem, settings, session
        self._schedule = Schedule(one_at_a_time=settings.one_at_a_time)
        self._found: Decomposition | None = None
        self._undivided: AnswerRow | None = None
        self._new: list[Job[Any]] = []
        self._events: list[Event] = []
        self._dropped: list[Job[Any]] = []
        self._taken_by_dropped: list[list[UsageRow]] = []
        self._lines: dict[Subquestion, Job[Any]] = {}
        self._choices: Mapping[int, Choice] = {}
        self._refused: BudgetExhaustedError | None = None
        self._interrupts: dict[Job[Any], Sequence[Any]] = {}
        self._cut_short = False
        if planner:
            self._plan_with(planner, post)

    def _plan_with(self, planner: Planner, post: Post) -> None:
        self._session.meter.kept_for_composer = int(planner.final == "compose")
        steps = planner.decompose(self._problem, lambda lines: post(lambda: self._see(lines)))
        self._new.append(self._job(steps, self._take_found, self._planning_failed))

    def _job(
        self, steps: Steps[T], done: Callable[[T], None], failed: Callable[[BaseException], None]
    ) -> Job[T]:
        return Job(steps, done, failed, self._session.of_job())

    def _take_found(self, found: Decomposition) -> None:
        self._found = found
        self.take_plan(found.plan)
        rows = found.plan.to_rows()
        self._events.append(Event("plan", {"plan": rows, "plan_source": found.source}))

    def _planning_failed(self, error: BaseException) -> None:
        """If the budget ended the planning, the lines that had come are the plan."""
        if not isinstance(error, BudgetExhaustedError):
            raise error
        # What it took, the plan tells; no line did.
        self._refused = BudgetExhaustedError(str(error))
        lines = self._schedule.lines
        if not lines:
            self._undivided = failed(whole_question(self._problem), error, self._first)
        self._cut_short = bool(lines)
        source = "model" if lines else "undivided"
        warning = (f"the plan may be incomplete: {error}",) if lines else ()
        usage = list(error.usage) if lines else []  # Without lines, it is the row's.
        self._take_found(Decomposition(Plan(lines), source, warning, usage))

    def take_plan(self, plan: Plan) -> None:
        """The whole plan: an atomic one is solved undivided."""
        self._session.meter.kept_for_composer = int(self._is_composed(plan))
        self._see(plan.subquestions, complete=True)
        if plan.atomic and not self._undivided:
            self._solve_undivided()
        elif self._settings.solvers.allocates:
            self._allocate(plan.subquestions)

    def _is_composed(self, plan: Plan) -> bool:
        """Whether a call is needed to put the answers together."""
        if plan.atomic or plan.final == "last":
            return False
        composer = self._settings.composer
        return composer is None or not is_told_by_line(self._problem, composer)

    def _solve_undivided(self) -> None:
        question = whole_question(self._problem)
        if self._settings.solvers.allocates and self._problem.fallback is None:
            self._allocate([question])
            if self._refused:
                self._undivided = failed(question, self._refused, self._first)
                return
        choice = self._choice(question)
        options: Any = {
            "model": choice.model,
            "prompts": self._settings.prompts,
            "retriever": self._settings.retriever,
        }
        steps = unsplit_row(self._problem, **options)
        if choice.samples > 1:
            steps = voted_row(self._problem, choice.samples, **options)
        self._new.append(self._job(steps, self._take_undivided, self._raise))

    def _take_undivided(self, result: tuple[str | None, AnswerRow]) -> None:
        self._undivided = result[1]

    def _see(self, lines: tuple[Subquestion, ...], *, complete: bool = False) -> None:
        if self._schedule.complete:
            return
        known = self._schedule.lines
        for line in self._schedule.see(lines, complete=complete):
            self._drop(self._lines.pop(line))
        for line, old in zip_longest(self._schedule.lines, known):
            # A line that stays is the same object.
            if line and line is not old and (self._found or not complete):
                row = {"id": line.id, "text": line.text, "needs": list(line.needs)}
                self._events.append(Event("plan.line", row))

    def _drop(self, job: Job[Any]) -> None:
        """Let a job begin nothing more; what it has taken, and still takes, counts."""
        job.session.stop.set()
        self._interrupts.pop(job, None)
        self._dropped.append(job)
        self._taken_by_dropped.append(job.session.taken)

    def _allocate(self, lines: Sequence[Subquestion]) -> None:
        try:
            found = self._settings.solvers.allocate(lines, self._session.meter)
        except BudgetExhaustedError as error:
            self._refused = error
            return
        self._choices = found.choices
        self._events.append(Event("allocation", found.summary()))

    def _choice(self, line: Subquestion) -> Choice:
        if self._settings.solvers.allocates:
            return self._choices.get(line.id) or Choice(self._first)
        return self._settings.solvers.choose(line)

    @property
    def _first(self) -> ResolvedModel:
        return self._settings.solvers.first

    def start(self) -> list[Job[Any]]:
        """What can be begun now."""
        jobs, self._new = self._new, []
        if self._settings.solvers.allocates and not self._schedule.complete:
            return jobs
        for line in self._schedule.start():
            job = self._line_job(line, self._choice(line))
            self._lines[line] = job
            jobs.append(job)
        return jobs

    def _line_job(self, line: Subquestion, choice: Choice) -> Job[AnswerRow]:
        carry_all = not choice.model.speaks_contract("solver")
        known = self._schedule.known_to(line, carry_all=carry_all)

        def done(row: AnswerRow) -> None:
            self._schedule.done(line, row)

        def raised(error: BaseException) -> None:
            if job.session.stop.is_set():
                return
            # Another line may still be answered before a person is asked about this one.
            if not isinstance(error, GraphInterrupt):
                raise error
            self._interrupts[job] = error.args[0]

        steps = solve_line(self._problem, line, known, choice, self._settings, self._refused)
        job = self._job(steps, done, raised)
        return job

    def _raise(self, error: BaseException) -> None:
        raise error

    def take_events(self) -> list[Event]:
        """Events since the last time."""
        events, self._events = self._events, []
        return events

    def take_dropped(self) -> list[Job[Any]]:
        """Jobs since the last time whose results nobody wants any more."""
        dropped, self._dropped = self._dropped, []
        return dropped

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do.

        Raises:
            GraphInterrupt: If all that is left waits for a person.
        """
        if not self._schedule.complete or self._new:
            return False
        if self._interrupts and self._schedule.running == len(self._interrupts):
            raise GraphInterrupt([each for found in self._interrupts.values() for each in found])
        if not self._schedule.lines:
            return self._undivided is not None
        return len(self._schedule.rows) == len(self._schedule.lines)

    def update(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The node's update of the state."""
        rows = [self._undivided] if self._undivided else self._schedule.results
        update: dict[str, Any] = {"answers": rows}
        dropped = self._usage_of_no_row()
        if dropped:
            update["usage"] = add_usage(state.get("usage", []), dropped)
        if self._found:
            update |= {
                "plan": self._found.plan.to_rows(),
                "final": self._found.plan.final,
                "plan_source": self._found.source,
                "warnings": [*state.get("warnings", []), *self._found.warnings],
                "usage": add_usage(state.get("usage", []), self._found.usage, dropped),
            }
        if self._cut_short:
            update["spent"] = True
        if self._session.meter.budget.max_seconds is not None:
            update["elapsed"] = self._session.meter.seconds
        return update

    def _usage_of_no_row(self) -> list[UsageRow]:
        """What belongs to no result: dropped lines, stopped calls, failures before a resume."""
        discarded = [row["usage"] for row in self._schedule.discarded]
        dropped = [*discarded, *self._taken_by_dropped]
        stopped = self._session.meter.stopped
        if stopped > 0:
            dropped.append([no_usage("solver", self._first.name, stopped, 0.0)])
        return add_usage(*dropped, self._session.failed_before)


def given_plan(state: Mapping[str, Any]) -> Plan:
    """The plan in a state, read as untrusted input.

    Raises:
        UserError: If there is none, or it can't be run.
    """
    rows = written(state, "plan", "decomposer_node")
    try:
        return Plan.from_rows(rows, final=state.get("final", "compose"))
    except PlanError as error:
        raise UserError(f"the plan can't be run: {error}.") from None
