"""What each way to make examples takes, checked before the first source of a recipe begins."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UserError
from .collect.collect import CollectSettings
from .generate import generate
from .importers import KINDS


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
        _check_kind(self.kind)


@dataclass(frozen=True)
class SolutionOptions:
    """The same for worked solutions; `solver_lines` makes steps for a solver, not plans."""

    kind: str
    path: str
    refuse_broken: bool = False
    solver_lines: bool = False

    def __post_init__(self) -> None:
        _check_kind(self.kind)


Options = GenerateOptions | ImportOptions | SolutionOptions | CollectSettings | ExamplesOptions
WAYS: dict[str, type[Options]] = {
    "generate": GenerateOptions,
    "import": ImportOptions,
    "from_solutions": SolutionOptions,
    "collect": CollectSettings,
    "examples": ExamplesOptions,
}


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise UserError(f"there is no format {kind!r}; known: {', '.join(KINDS)}.")
