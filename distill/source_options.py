"""What each way to make examples takes, checked before the first source of a recipe begins."""

from __future__ import annotations

from dataclasses import dataclass

from .collect.collect import CollectSettings
from .generate import generate
from .importers import check_kind


@dataclass(frozen=True)
class GenerateOptions:
    """See `generate`."""

    count: int
    seed: int = 0
    kinds: dict[str, float] | None = None

    def __post_init__(self) -> None:
        next(generate(self.count, self.seed, self.kinds))  # The first shows whether it can.


@dataclass(frozen=True)
class ExamplesOptions:
    """A file of examples as they are."""

    path: str
    refuse_broken: bool = False


@dataclass(frozen=True)
class ImportOptions:
    """A file in one of the formats of `importers`."""

    kind: str
    path: str
    refuse_broken: bool = False

    def __post_init__(self) -> None:
        check_kind(self.kind)


@dataclass(frozen=True)
class SolutionOptions(ImportOptions):
    """The same for worked solutions; `solver_lines` makes steps for a solver, not plans."""

    solver_lines: bool = False


Options = GenerateOptions | ImportOptions | SolutionOptions | CollectSettings | ExamplesOptions
WAYS: dict[str, type[Options]] = {
    "generate": GenerateOptions,
    "import": ImportOptions,
    "from_solutions": SolutionOptions,
    "collect": CollectSettings,
    "examples": ExamplesOptions,
}
