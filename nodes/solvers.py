"""Which solver answers which subquestion: one for all, a user's rule, or the best for the money."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import BudgetExhaustedError, UserError
from ..models.limiter import Limiter
from ..models.references import ResolvedModel, resolve_model
from ..plan import Subquestion
from ..plan.allocation import Allocation, Option, allocate, majority_chance
from .budget import Meter

Route = Callable[[Subquestion], str]
"""A rule of the user's: the name of the solver that answers a subquestion."""


@dataclass(frozen=True)
class SolverOption:
    """A solver, what it costs, and how often it is right: what allocation chooses from.

    Attributes:
        solver: A model reference, chat model, Runnable or compiled graph.
        cost: Money for one call, in the currency of `Budget.max_cost`.
        success: Chance that its answer is right, from 0 to 1, or a function that estimates it
            for a subquestion.
        samples: How often it may be asked, as a choice: `(1, 3)` is once, or three times and the
            majority's answer.

    Raises:
        UserError: If a number is out of range.

    Example:
        >>> SolverOption("bundled", cost=0.0, success=0.4, samples=(1, 3)).cost
        0.0
    """

    solver: Any
    cost: float
    success: float | Callable[[Subquestion], float]
    samples: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        if not _is_number(self.cost) or not 0 <= self.cost < math.inf:
            raise UserError(f"a solver's cost is a number from 0, not {self.cost!r}.")
        if not callable(self.success) and not (_is_number(self.success) and 0 <= self.success <= 1):
            raise UserError(f"a solver's success is a chance from 0 to 1, not {self.success!r}.")
        counts = self.samples if isinstance(self.samples, tuple | list) else ()
        if not counts or not all(type(n) is int and 1 <= n <= 99 for n in counts):
            raise UserError(
                f"a solver's samples are whole numbers from 1 to 99, such as (1, 3), "
                f"not {self.samples!r}."
            )

    def chance(self, line: Subquestion) -> float:
        """The chance that its answer to a subquestion is right.

        Raises:
            UserError: If the user's function returns no number; one outside 0 to 1 is moved in.
        """
        found: Any = self.success(line) if callable(self.success) else self.success
        try:
            chance = float(found)
        except (TypeError, ValueError):
            chance = math.nan
        if math.isnan(chance):
            raise UserError(f"a solver's success for #{line.id} is a chance, not {found!r}.")
        return min(max(chance, 0.0), 1.0)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True)
class Choice:
    """Who answers a subquestion, and how often it is asked.

    Attributes:
        model: Whom to ask.
        samples: How often; of several answers the majority's is taken.
        sample: Number of the first sample: another number draws another answer.
    """

    model: ResolvedModel
    samples: int = 1
    sample: int = 0


class Solvers:
    """The solvers of a graph, and how one is chosen for each subquestion.

    Args:
        solver: One solver, or a dict of named ones: `SolverOption`s to allocate by cost and
            success, or anything `resolve_model` takes, to route by `route`.
        route: The rule; needed with a dict unless all are `SolverOption`s.
        max_concurrency: Most calls at once to each solver, in place of its own limit.

    Raises:
        UserError: If a reference is wrong, or a dict comes without a way to choose.
    """

    def __init__(
        self, solver: Any, route: Route | None = None, max_concurrency: int | None = None
    ) -> None:
        named = solver if isinstance(solver, Mapping) else {"solver": solver}
        if not named:
            raise UserError("there is no solver in the dict; name one.")
        options = {n: s for n, s in named.items() if isinstance(s, SolverOption)}
        refs = {n: options[n].solver if n in options else s for n, s in named.items()}
        self.models = {
            n: limited(resolve_model(r, "solver"), max_concurrency) for n, r in refs.items()
        }
        if isinstance(solver, Mapping):
            # Two unnamed functions look the same; their keys tell them apart.
            self.models = {
                n: replace(model, identity=f"{n}: {model.identity}")
                for n, model in self.models.items()
            }
        self.allocates = route is None and isinstance(solver, Mapping)
        if self.allocates and len(options) < len(named):
            raise UserError("several solvers need route=, or each a SolverOption.")
        if route is not None and not (isinstance(solver, Mapping) and callable(route)):
            raise UserError("route= is a function, and needs a dict of named solvers.")
        self._options, self._route = options, route

    @property
    def first(self) -> ResolvedModel:
        """Who is asked where nobody is chosen: the only one, or the likeliest to be right.

        Under a rule of the user's it is the first that writes in words.
        """
        return self._by_success[0] if self.allocates else _writing(self.models.values())

    @property
    def writer(self) -> ResolvedModel:
        """Who composes, judges and rewrites if nobody is named for it: one that writes in words."""
        return _writing(self._by_success)

    @property
    def _by_success(self) -> list[ResolvedModel]:
        """The likeliest to be right first, then those without a fixed chance."""
        options = self._options if self.allocates else {}
        fixed = {n: o.success for n, o in options.items() if not callable(o.success)}
        return [self.models[n] for n in sorted(self.models, key=lambda n: -fixed.get(n, -1.0))]

    def choose(self, line: Subquestion) -> Choice:
        """The solver for a line, or the whole question (id 0), by the user's rule; or the only one.

        Raises:
            UserError: If the rule names no solver.
        """
        if self._route is None:
            return Choice(self.first)
        name = self._route(line)
        if not isinstance(name, str) or name not in self.models:
            known = ", ".join(self.models)
            asked = f"#{line.id}" if line.id else "the whole question"
            raise UserError(f"route chose {name!r} for {asked}; the solvers are {known}.")
        return Choice(self.models[name])

    def allocate(self, lines: Sequence[Subquestion], meter: Meter) -> Allocated:
        """Choose for all lines at once, so that the chance of all being right is greatest.

        Raises:
            BudgetExhaustedError: If the money left doesn't pay for the cheapest choice.
        """
        offers = [self._offers(line) for line in lines]
        items = [[option for _, option in offer] for offer in offers]
        cap = meter.budget.max_cost
        try:
            found = allocate(items, None if cap is None else cap - meter.cost)
        except ValueError as error:
            raise BudgetExhaustedError(str(error)) from None
        choices = [offer[k][0] for offer, k in zip(offers, found.choices, strict=True)]
        return Allocated({s.id: c for s, c in zip(lines, choices, strict=True)}, found)

    def _offers(self, line: Subquestion) -> list[tuple[Choice, Option]]:
        """What could be done for a line; values add up, so they are logs of chances."""
        offers: list[tuple[Choice, Option]] = []
        for name, option in self._options.items():
            chance = option.chance(line)
            for samples in option.samples:
                right = max(majority_chance(chance, samples), 1e-9)
                worth = Option(math.log(right), option.cost * samples)
                offers.append((Choice(self.models[name], samples), worth))
        return offers


def _writing(models: Iterable[ResolvedModel]) -> ResolvedModel:
    """The first that writes in words; if none does, the very first."""
    known = list(models)
    return next((model for model in known if not model.speaks_contract("solver")), known[0])


@dataclass(frozen=True)
class Allocated:
    """The choice for each line by id, and how good it is."""

    choices: Mapping[int, Choice]
    found: Allocation

    def summary(self) -> dict[str, Any]:
        """For events: who answers what, the expected success, the cost, the gap to the bound."""
        return {
            "choices": {
                str(k): {"solver": c.model.name, "samples": c.samples}
                for k, c in self.choices.items()
            },
            "success": math.exp(self.found.value),
            "cost": self.found.cost,
            "gap": self.found.gap,
        }


def limited(model: ResolvedModel, max_concurrency: int | None) -> ResolvedModel:
    """The model with another bound on its calls at once.

    Raises:
        UserError: If the bound isn't a whole number above 0.
    """
    if max_concurrency is None:
        return model
    if type(max_concurrency) is not int or max_concurrency < 1:
        raise UserError(f"max_concurrency is a whole number from 1, not {max_concurrency!r}.")
    return replace(model, limiter=Limiter(max_concurrency))
