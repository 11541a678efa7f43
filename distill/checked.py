"""Settings from a recipe: its words are checked before an hour is spent on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from ..errors import UserError

T = TypeVar("T")


def checked(kind: type[T], row: Any, what: str) -> T:
    """A dataclass from a mapping.

    Args:
        kind: The dataclass; its own checks are made too.
        row: Parsed YAML.
        what: How a message names the mapping.

    Raises:
        UserError: If it is no mapping, or a name or a type is wrong.

    Example:
        >>> from .sources import Vary
        >>> checked(Vary, {"copies": 3}, "'vary'").copies
        3
    """
    from pydantic import TypeAdapter, ValidationError

    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    if not isinstance(row, Mapping):
        raise UserError(f"{what} is a mapping of {', '.join(known)}, not {row!r}.")
    if unknown := [name for name in row if name not in known]:
        raise UserError(f"{what} has no {unknown[0]!r}; it takes {', '.join(known)}.")
    try:
        return TypeAdapter(kind).validate_python(dict(row))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        why = first["msg"].replace("tuple", "list")  # YAML knows no tuples.
        raise UserError(f"{what}: {where!r}: {why}.") from None
