"""The figures of one system on one task, gathered from its samples one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from sys import intern
from typing import Any

from ..graphs.factory import ABOUT
from ..nodes.usage import UsageRow, add_usage, known_sum
from ..plan import Plan, PlanError, depth, width
from .comparing import interval_row
from .plans import PlanScore, measure_plans
from .statistics import bootstrap_mean, mean
from .steps import first_wrong, label_steps

UNDIVIDED = tuple(name for name, about in ABOUT.items() if not about.plans)
"""Strategies that never split: the baselines that a splitting one has to beat."""
NAMES = ("system", "strategy", "decomposer", "solver", "task")
"""What tells cells apart, as samples and summary.json have it."""
_GAPS = ("partial", "budget_exhausted")
_COUNTS = ("depth", "width", "lines")


def has_gaps(row: Mapping[str, Any]) -> bool:
    """Whether a sample's answer was given without all sub-answers; it is judged all the same."""
    return row["answer"] is not None and row["status"] in _GAPS


@dataclass
class Cell:
    """What is known of a system on a task.

    Attributes:
        system: Its name.
        strategy: A strategy.
        decomposer: A model reference.
        solver: A model reference.
        task: A task's name.
        items: Ids of the items that were asked.
        failed: Those that have no answer.
        partial: How many have an answer in spite of gaps.
        marks: Metric to the mark of each item that has an answer.
        plans: Figure of a plan to its values; of one that isn't split, lines, depth and width
            are 0.
        scores: How plans compare with gold ones.
        seconds: From each question to its answer, in all.
        usage: By role and model.
        steps: How many steps were of which kind, where the right answers are known.
        first_wrong: In how many questions the first wrong step was how deep, none or unknown.
    """

    system: str
    strategy: str
    decomposer: str
    solver: str
    task: str
    items: list[str] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    partial: int = 0
    marks: dict[str, dict[str, float]] = field(default_factory=dict)
    plans: dict[str, list[float]] = field(default_factory=dict)
    scores: list[PlanScore] = field(default_factory=list)
    seconds: float = 0.0
    usage: list[UsageRow] = field(default_factory=list)
    steps: Counter[str] = field(default_factory=Counter)
    first_wrong: Counter[str] = field(default_factory=Counter)

    @property
    def undivided(self) -> bool:
        """Whether it is a baseline."""
        return self.strategy in UNDIVIDED

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in a sample."""
        item = intern(row["id"])
        self.items.append(item)
        if row["failed"]:
            self.failed.add(item)
        self.partial += has_gaps(row)
        for metric, mark in row["metrics"].items():
            self.marks.setdefault(intern(metric), {})[item] = float(mark)
        self.seconds += row["seconds"]
        self.usage = add_usage(self.usage, row["usage"])
        if not (self.undivided or row["failed"]):
            self._add_plan(row)

    def _add_plan(self, row: Mapping[str, Any]) -> None:
        try:
            plan = Plan.from_rows(row["plan"])
        except PlanError:
            return
        figures = {
            "valid": row["plan_source"] == "model",
            "atomic": plan.atomic,
            "depth": depth(plan),
            "width": width(plan),
            "lines": len(plan.subquestions),
        }
        for name, value in figures.items():
            self.plans.setdefault(name, []).append(float(value))
        if found := row.get("plan_score"):
            self.scores.append(PlanScore(**found))
        self._add_steps(plan, row)

    def _add_steps(self, plan: Plan, row: Mapping[str, Any]) -> None:
        gold = row.get("gold_steps")
        # Where the lines weren't solved one by one, nothing is known of them.
        known = {answer["id"] for answer in row["answers"]}
        if gold and not plan.atomic and known >= {line.id for line in plan.subquestions}:
            labels = label_steps(plan, row["answers"], gold)
            self.steps.update(labels.values())
            self.first_wrong[first_wrong(plan, labels)] += 1

    def of(self, metric: str) -> dict[str, float]:
        """Each item's mark; one that failed has 0, one that hasn't this mark is left out."""
        marks = self.marks.get(metric, {})
        return {k: marks.get(k, 0.0) for k in self.items if k in marks or k in self.failed}

    def total(self, name: str) -> float | None:
        """A column of the usage summed; None if a part of it isn't known."""
        return known_sum(*(row[name] for row in self.usage))

    def tokens(self) -> float | None:
        """Mean tokens of a question, read and written; None if somebody didn't count them."""
        both = known_sum(self.total("input_tokens"), self.total("output_tokens"))
        return None if both is None else both / len(self.items)

    def to_row(self, metrics: Sequence[str]) -> dict[str, Any]:
        """As in summary.json.

        Args:
            metrics: Those of the task, also where all samples of this cell failed.
        """
        row: dict[str, Any] = {
            **{name: getattr(self, name) for name in NAMES},
            "n": len(self.items),
            "failures": len(self.failed),
            "partial": self.partial,
            "metrics": {metric: _interval(self.of(metric)) for metric in metrics},
            "plans": self._plan_figures(),
            "calls": self.total("calls"),
            "input_tokens": self.total("input_tokens"),
            "output_tokens": self.total("output_tokens"),
            "seconds": self.seconds,
            "cost": self.total("cost"),
            "by_role": self.usage,
        }
        if self.first_wrong:
            row["steps"] = dict(self.steps)
            row["first_wrong"] = dict(sorted(self.first_wrong.items()))
        return row

    def _plan_figures(self) -> dict[str, dict[str, float | None]]:
        """Under the names of `measure_plans`; lines besides."""
        figures = measure_plans(self.scores) if self.scores else {}
        for name, values in self.plans.items():  # Of all plans, also those without a gold one.
            # The mean of counts is no share even where all of them are 0 or 1.
            figures[name] = (bootstrap_mean if name in _COUNTS else mean)(values)
        return {name: interval_row(figure) for name, figure in figures.items()}


def _interval(marks: Mapping[str, float]) -> dict[str, float | None]:
    # The order decides what chance draws, and shouldn't be that in which answers came.
    return interval_row(mean([marks[item] for item in sorted(marks)]))
