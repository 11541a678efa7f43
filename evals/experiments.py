"""The tables of Wu et al. (2024, arXiv 2402.15000) as experiments with models of one's own.

    name: table1
    title: Decomposers and solvers
    note: What differs from the paper.
    rows:
      - {solver: large, published: {gsm8k: 20.32}}
      - {decomposer: large, solver: large, published: {gsm8k: 65.13}}

A row is a system: by default `direct` without a decomposer, `static` (the paper's two stages)
with one. Its models are roles such as `large`, which a run gives references; rows with a role
that isn't given are left out. `published` has the paper's figure for each task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..models.hosted import without_credentials
from .systems import NO_MODEL, PLANNING, System

EXPERIMENTS = Path(__file__).parent / "experiments"
_CAP = 3
"""Most subquestions, as in the paper."""


@dataclass(frozen=True)
class ExperimentRow:
    """A line of a table.

    Attributes:
        solver: A role.
        decomposer: A role, or "" for none.
        strategy: Of `create_decomposition_graph`.
        published: The paper's figure by task.
        max_subquestions: Most lines of a plan.
        prompts: Folder with prompts, beside the tables.
        label: What the row is called besides its models.
    """

    solver: str
    decomposer: str = ""
    strategy: str = ""
    published: Mapping[str, float] = field(default_factory=dict)
    max_subquestions: int = _CAP
    prompts: str = ""
    label: str = ""

    @property
    def roles(self) -> set[str]:
        """The roles that a run must give models for."""
        return {self.solver, self.decomposer} - {""}

    def system(self, models: Mapping[str, str]) -> System:
        """The row with models in place of roles."""
        strategy = self.strategy or ("static" if self.decomposer else "direct")
        if strategy not in PLANNING:
            return System(strategy, NO_MODEL, models[self.solver])
        prompts = str(EXPERIMENTS / "prompts" / self.prompts) if self.prompts else ""
        return System(strategy, models[self.decomposer], models[self.solver],
                      max_subquestions=self.max_subquestions, prompts=prompts)  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """A table of the paper."""

    name: str
    title: str
    note: str
    rows: tuple[ExperimentRow, ...]

    @property
    def tasks(self) -> list[str]:
        """The columns, in the order of their first figures."""
        return list(dict.fromkeys(task for row in self.rows for task in row.published))

    @property
    def roles(self) -> list[str]:
        """All roles of the table."""
        return sorted({role for row in self.rows for role in row.roles})

    def systems(self, models: Mapping[str, str]) -> dict[str, list[System]]:
        """By task: the systems of all rows whose roles have models.

        Raises:
            UserError: If a role isn't of this table, or no row can be run.
        """
        known = ", ".join(self.roles)
        if unknown := models.keys() - set(self.roles):
            raise UserError(f"{self.name} has no role {min(unknown)!r}; its roles are {known}.")
        found = {
            task: [row.system(models) for row in self.rows if _runs(row, models, task)]
            for task in self.tasks
        }
        found = {task: list(dict.fromkeys(some)) for task, some in found.items() if some}
        if not found:
            raise UserError(f"{self.name} needs models: --model ROLE=REF for some of {known}.")
        return found


def _runs(row: ExperimentRow, models: Mapping[str, str], task: str) -> bool:
    return row.roles <= models.keys() and task in row.published


def experiment_names() -> list[str]:
    """The tables that come with the package."""
    return sorted(path.stem for path in EXPERIMENTS.glob("*.yaml"))


def load_experiment(name: str) -> Experiment:
    """A table by its name.

    Raises:
        UserError: If there is none.

    Example:
        >>> load_experiment("table1").roles
        ['S_D-R', 'S_D-T', 'S_E-A', 'S_E-T', 'large', 'small']
    """
    import yaml

    if name not in experiment_names():
        raise UserError(f"there is no {name!r}; the tables are {', '.join(experiment_names())}.")
    row: Any = yaml.safe_load((EXPERIMENTS / f"{name}.yaml").read_text(encoding="utf-8"))
    rows = tuple(ExperimentRow(**entry) for entry in row["rows"])
    return Experiment(row["name"], row["title"], row.get("note", ""), rows)


def beside_published(
    experiment: Experiment, models: Mapping[str, str], summary: Mapping[str, Any]
) -> str:
    """The table in Markdown: each figure of this run, the paper's in brackets behind it."""
    lines = [f"# {experiment.name}: {experiment.title}", "", *_table(experiment, models, summary)]
    given = [f"- {role}: `{without_credentials(ref)}`" for role, ref in sorted(models.items())]
    text = "Measured here with its 95 % interval, the paper's figure in brackets."
    return "\n".join([*lines, "", text, experiment.note, "", *given]) + "\n"


def _table(
    experiment: Experiment, models: Mapping[str, str], summary: Mapping[str, Any]
) -> Iterator[str]:
    measured = {(row["task"], row["system"]): row for row in summary["systems"]}
    yield f"| decomposer | solver | {' | '.join(experiment.tasks)} |"
    yield "| --- | --- |" + " ---: |" * len(experiment.tasks)
    for row in experiment.rows:
        cells: list[str] = []
        for task in experiment.tasks:
            system = row.system(models).name if _runs(row, models, task) else ""
            found = measured.get((task, system))
            cells.append(_cell(found, row.published.get(task)))
        label = f" ({row.label})" if row.label else ""
        yield f"| {row.decomposer or '-'}{label} | {row.solver} | {' | '.join(cells)} |"


def _cell(found: Mapping[str, Any] | None, published: float | None) -> str:
    paper = "" if published is None else f" [{published:g}]"
    if found is None:
        return f"not run{paper}" if paper else ""
    metric = next(iter(found["metrics"].values()))
    bounds = f"{100 * metric['low']:.1f} to {100 * metric['high']:.1f}"
    return f"{100 * metric['value']:.1f} ({bounds}){paper}"
