"""What is learned from: stages of files, each with its weight and roles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict

from ...errors import UserError
from .samples import Role

STRICT = ConfigDict(extra="forbid")
"""For pydantic: settings that aren't there are a mistake."""


def _roles(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _rows(value: Any) -> Any:
    """A stage's data, in which a path alone may stand for its mapping."""
    if not isinstance(value, list | tuple):
        return value
    return [{"path": str(row)} if isinstance(row, str | Path) else row for row in value]


Roles = Annotated[tuple[Role, ...], BeforeValidator(_roles)]


@dataclass(frozen=True)
class Source:
    """A file of examples; `weight` says how often it comes up in an epoch (2.5, 0.1 ...).

    `roles` narrows the run's roles for this file; empty means all.
    """

    __pydantic_config__ = STRICT

    path: str
    weight: float = 1.0
    roles: Roles = ()

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 1000:
            raise UserError(f"the weight of {self.path!r} must be over 0, at most 1000.")


Sources = Annotated[tuple[Source, ...], BeforeValidator(_rows)]


@dataclass(frozen=True)
class Stage:
    """A mixture, and the share of the training that it lasts; without a share, the rest."""

    __pydantic_config__ = STRICT

    data: Sources
    share: float = 0.0

    def __post_init__(self) -> None:
        if not self.data or not 0 <= self.share <= 1:
            raise UserError("a stage needs 'data' and a 'share' between 0 and 1.")
