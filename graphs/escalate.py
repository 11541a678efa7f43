"""`escalate`: a ladder of ever dearer ways to answer; the first that agrees with itself wins.

Adaptive-Solver (Zhou et al., arXiv 2310.01446): each rung names a solver, a number of samples
and a strategy or granularity. A rung with more samples of the same asks only for those that are
missing. Enough agreeing samples end the climb; if no rung agrees, the answer that most agreed on
is taken. `decompose eval --fit-ladder` finds a ladder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from langgraph.graph import StateGraph

from ..errors import UserError, must_be_raised
from ..nodes.answers import AnswerRow, failed
from ..nodes.attempts import MAX_SAMPLES, Agreement, agreement, attempts, voters
from ..nodes.calls import SAMPLES_APART
from ..nodes.composer import outcome, ran_out
from ..nodes.decomposer import Decomposition, check_cap
from ..nodes.events import Event
from ..nodes.nested import divided_samples
from ..nodes.problem import Problem
from ..nodes.solver import whole_question
from ..nodes.solvers import Solvers
from ..nodes.steps import Steps
from ..nodes.usage import add_usage
from .about import About
from .divided import line_settings
from .roles import Roles, solved_in_one_node

ABOUT = About(
    does="climbs a ladder of solvers, samples and strategies until the samples of a rung agree",
    calls="those of each rung that was climbed",
    pays="from a weak solver to a strong one, also where the weak one's mistakes are habits",
    source="Zhou et al. (Adaptive-Solver), arXiv 2310.01446",
    plans=True,
    lines=True,
)
Way = Literal["direct", "cot", "sequential", "dag"]
WAYS = get_args(Way)
MAX_RUNGS = 12


@dataclass(frozen=True)
class Rung:
    """One rung of a ladder.

    Attributes:
        strategy: How a sample answers: `direct`, `cot`, `sequential` or `dag`.
        samples: How often it is asked; if enough of the answers agree, the climb ends. A single
            one always agrees with itself.
        solver: A model reference, chat model, Runnable or compiled graph; the graph's own
            solver if None.
        max_subquestions: Most lines of a plan; the graph's cap if None.

    Raises:
        UserError: If a value is out of range.

    Example:
        >>> ladder = [Rung("cot", samples=3), Rung("dag", samples=5)]
        >>> ladder[1].samples
        5
    """

    strategy: Way = "cot"
    samples: int = 3
    solver: Any = None
    max_subquestions: int | None = None

    def __post_init__(self) -> None:
        if self.strategy not in WAYS:
            raise UserError(f"a rung's strategy is {', '.join(WAYS)}; not {self.strategy!r}.")
        if type(self.samples) is not int or not 1 <= self.samples <= MAX_SAMPLES:
            raise UserError(f"a rung has 1 to {MAX_SAMPLES} samples, not {self.samples!r}.")


DEFAULT_LADDER = (Rung("cot", 3), Rung("dag", 3))


def read_ladder(rows: Any) -> tuple[Rung, ...]:
    """A ladder from rungs, or from JSON-native rows with a rung's fields.

    Raises:
        UserError: If it has none, too many, or one that can't be read.

    Example:
        >>> read_ladder([{"strategy": "dag", "samples": 5}])[0].samples
        5
    """
    if not isinstance(rows, Iterable) or isinstance(rows, str | bytes | Mapping):
        raise UserError(f"a ladder is a list of rungs, not {rows!r}.")
    found = tuple(rows)
    if not 1 <= len(found) <= MAX_RUNGS:
        raise UserError(f"a ladder has 1 to {MAX_RUNGS} rungs, not {len(found)}.")
    return tuple(row if isinstance(row, Rung) else _rung(row) for row in found)


def _rung(row: Any) -> Rung:
    known = Rung.__dataclass_fields__
    if not isinstance(row, Mapping) or not set(row) <= set(known):
        raise UserError(f"a rung has the fields {', '.join(known)}; not {row!r}.")
    if not isinstance(row.get("solver"), str | None):
        raise UserError(f"a rung's solver is a model reference, not {row['solver']!r}.")
    return Rung(**row)


def build_escalate(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """Rung by rung in one node."""
    rungs = [(rung, _roles_of(rung, roles)) for rung in roles.ladder or DEFAULT_LADDER]

    def climb(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        climbed: list[_Climbed] = []
        for rung, theirs in rungs:
            earlier = _alike(rung, climbed)
            base = earlier.base if earlier else SAMPLES_APART * len(climbed)
            found = yield from _climb(Problem.of(state), rung, theirs, earlier, base)
            climbed.append(found)
            yield Event("rung", found.told)
            if found.agreed.enough or ran_out(found.rows):
                break
        return _ended(state, climbed, roles)

    return solved_in_one_node(roles, "escalate", climb)


def _roles_of(rung: Rung, roles: Roles) -> Roles:
    """Who does what on a rung; its solver also composes, unless a composer was named."""
    cap = roles.max_subquestions if rung.max_subquestions is None else rung.max_subquestions
    check_cap(cap)
    found = replace(roles, max_subquestions=cap, answer_cache=None)
    if rung.solver is None:
        return found
    solvers = Solvers(rung.solver, max_concurrency=roles.max_concurrency)
    own = roles.composer is roles.solvers.writer
    return replace(found, solvers=solvers, composer=solvers.writer if own else roles.composer)


@dataclass(frozen=True)
class _Climbed:
    """What came of a rung: all its samples, and those of them that it asked for itself."""

    rung: Rung
    agreed: Agreement
    rows: list[AnswerRow]
    new: list[AnswerRow]
    plan: Decomposition | None
    told: dict[str, Any]
    base: int


def _alike(rung: Rung, climbed: list[_Climbed]) -> _Climbed | None:
    """The last rung that asked the same in the same way: its samples are this one's first."""

    def way(rung: Rung) -> tuple[Any, ...]:
        return rung.strategy, rung.solver, rung.max_subquestions

    return next((c for c in reversed(climbed) if way(c.rung) == way(rung)), None)


def _climb(
    problem: Problem, rung: Rung, roles: Roles, earlier: _Climbed | None, base: int
) -> Steps[_Climbed]:
    known, model = earlier.rows if earlier else [], roles.solver
    start = base + len(known)
    plan = earlier.plan if earlier else None
    count = max(rung.samples - len(known), 0)
    if rung.strategy in ("sequential", "dag"):
        settings = line_settings(roles, one_at_a_time=rung.strategy == "sequential")
        try:
            plan, rows = yield from divided_samples(
                problem, count, roles.planning, settings, roles.composer, start=start, found=plan
            )
        except Exception as error:
            if must_be_raised(error):
                raise
            rows = [failed(whole_question(problem), error, roles.decomposer)]
    else:
        style: Any = rung.strategy
        solving = roles.solving(problem)
        model = solving["model"]
        rows = yield from attempts(problem, count, style=style, start=start, **solving)
    agreed = agreement([*known, *rows][: rung.samples])
    planned = plan.usage if plan and not earlier else []
    usage = add_usage(planned, *(row["usage"] for row in rows))
    told = {
        "strategy": rung.strategy,
        "solver": model.name,
        "samples": rung.samples,
        "answer": agreed.answer,
        "votes": agreed.votes,
        "agreed": agreed.enough,
        "usage": usage,
    }
    return _Climbed(rung, agreed, [*known, *rows], rows, plan, told, base)


def _ended(state: Mapping[str, Any], climbed: list[_Climbed], roles: Roles) -> dict[str, Any]:
    """The rung that agreed; else the one that agreed most, the later of equals."""
    agreed = [found.agreed for found in climbed]
    place = max(reversed(range(len(agreed))), key=lambda k: (agreed[k].enough, agreed[k].share))
    best = climbed[place]
    rows = [row for found in climbed for row in found.new]
    plans = {id(found.plan): found.plan.usage for found in climbed if found.plan}
    plan = best.plan.plan.to_rows() if best.plan else []
    trace = {**state["trace"], "rung": place, "rungs": [c.told for c in climbed]}
    warnings = [*state["warnings"], *(best.plan.warnings if best.plan else ())]
    if best.agreed.answer is not None and not best.agreed.enough:
        votes = f"{best.agreed.votes} of {best.agreed.samples} samples"
        warnings.append(f"no rung agreed; the answer is that of rung {place} ({votes})")
    update = {
        "plan": plan,
        "plan_source": best.plan.source if best.plan else "undivided",
        "usage": add_usage(state["usage"], *plans.values()),
        "answers": rows,
        "trace": trace,
        "warnings": warnings,
    }
    # Samples that weren't needed don't make the answer any worse.
    judged = voters(best.rows, best.agreed.answer) if best.agreed.enough else None
    answer, budget = best.agreed.answer, roles.limits.budget
    ended = outcome({**state, **update}, answer, budget=budget, judged=judged)
    return {**update, **ended}
