"""Settings from a recipe: its words are checked before an hour is spent on them."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from ..errors import UserError

T = TypeVar("T")
_MAX_YAML_BYTES = 1_000_000
_SHOWN = 80
_MERGE = "tag:yaml.org,2002:merge"


def read_yaml(path: Path, what: str) -> Any:
    """What a YAML file holds.

    Args:
        path: The file.
        what: How a message names it.

    Raises:
        OSError: If it can't be read.
        UserError: If it is no YAML.
    """
    import yaml

    with path.open("rb") as file:
        text = file.read(_MAX_YAML_BYTES)
    try:
        found, tree = yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # A date may be none.
        raise UserError(f"{what} is no YAML: {' '.join(str(error).split())}.") from None
    if twice := _key_twice(tree):
        line = twice.start_mark.line + 1
        raise UserError(f"{what} has {twice.value!r} twice in one mapping, again on line {line}.")
    return found


def _key_twice(tree: Any) -> Any:
    """The node of a key that its mapping has already, of which only the last would count."""
    waiting: list[Any] = [tree]
    seen: set[int] = set()  # A node may hold itself.
    while waiting:
        node = waiting.pop()
        held = getattr(node, "value", None)
        if not isinstance(held, list) or id(node) in seen:
            continue
        seen.add(id(node))
        if node.id == "sequence":
            waiting += held
            continue
        names: set[str] = set()
        for key, value in held:
            waiting.append(value)
            if key.tag == _MERGE:  # Of several, all count.
                continue
            if key.value in names:
                return key
            names.add(key.value)
    return None


def checked(kind: type[T], row: Any, what: str) -> T:
    """A dataclass from a mapping.

    Args:
        kind: The dataclass; its own checks are made too.
        row: Parsed YAML.
        what: How a message names the mapping.

    Raises:
        UserError: If it is no mapping, or a name or a type is wrong.

    Example:
        >>> from .vary import Vary
        >>> checked(Vary, {"copies": 3}, "'vary'").copies
        3
    """
    from pydantic import TypeAdapter, ValidationError

    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    if not isinstance(row, Mapping):
        found = reprlib.repr(row)[:_SHOWN]  # In YAML a few lines can hold more than fits anywhere.
        raise UserError(f"{what} is a mapping of {', '.join(known)}, not {found}.")
    if unknown := [name for name in row if name not in known]:
        raise UserError(f"{what} has no {unknown[0]!r}; it takes {', '.join(known)}.")
    try:
        return TypeAdapter(kind).validate_python(dict(row))
    except ValidationError as error:
        raise UserError(f"{what}: {_first(error)}") from None


def give_types(settings: Any) -> None:
    """Turn the fields of a dataclass into what they are declared as; for its `__post_init__`.

    With it, mappings and lists can be handed to the class as YAML holds them.

    Raises:
        UserError: If a field can't be what it is declared as.
    """
    from pydantic import ValidationError

    given = {f.name: getattr(settings, f.name) for f in fields(settings)}
    try:
        typed = _model(type(settings)).model_validate(given)
    except ValidationError as error:
        raise UserError(_first(error)) from None
    for name in given:
        object.__setattr__(settings, name, getattr(typed, name))


@cache
def _model(kind: type) -> Any:
    from pydantic import create_model

    hints = get_type_hints(kind, include_extras=True)
    declared: dict[str, Any] = {f.name: (hints[f.name], ...) for f in fields(kind)}
    return create_model(kind.__name__, **declared)


def _first(error: Any) -> str:
    """The first thing that is wrong, as a sentence."""
    first = error.errors()[0]
    own = first.get("ctx", {}).get("error")
    if isinstance(own, UserError):
        return str(own)
    where = ".".join(map(str, first["loc"])) or "it"
    if first["type"] == "unexpected_keyword_argument":
        return f"there is no setting {where!r}."
    # YAML knows neither tuples nor instances.
    why = first["msg"].replace("tuple", "list").partition(" or an instance of ")[0]
    return f"{where!r}: {why}."
