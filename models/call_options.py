"""Settings of a GGUF model and options of one call: known, of the right kind, in range."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import UserError

# Settings that LangChain passes to any chat model and that mean nothing here.
_IGNORED = {"api_key", "base_url", "streaming", "stream_usage"}
_NUMBERS: dict[str, tuple[tuple[type, ...], float, float]] = {
    "temperature": ((int, float), 0, 100),
    "top_k": ((int,), 0, 1_000_000),
    "top_p": ((int, float), 0, 1),
    "min_p": ((int, float), 0, 1),
    "seed": ((int,), -(2**63), 2**63),
    "max_tokens": ((int,), 1, 10_000_000),
    "timeout": ((int, float), 0, 1e9),
}
_MOST = 64
"""Of `no_repeat` and `plans`."""
_OTHERS = ("grammar", "stop", "tools", "tool_choice", "model", "no_repeat", "plans")


def reject_unknown_settings(cls: type[Any], values: Any) -> Any:
    """Refuse a misspelt setting, which pydantic would silently drop.

    Raises:
        TypeError: Naming the setting and the nearest known one.
    """
    if not isinstance(values, Mapping):
        return values
    known = set(cls.model_fields)
    for name in values:
        if name not in known and name not in _IGNORED:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            # Not a ValueError, which pydantic would wrap in a page of its own.
            raise TypeError(f"{cls.__name__} has no setting {name!r}{hint}")
    return values


def call_options(
    model: Any, stop: Sequence[str] | str | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of `Sampling` for one call: its options over the model's settings.

    Options that LangChain passes along for other models are read over; what looks like a
    misspelt one isn't.

    Raises:
        UserError: If an option is misspelt, of the wrong kind or out of range.
    """
    _refuse_misspelt(options, [*_NUMBERS, *_OTHERS])
    chosen = _numbers(model, options, _NUMBERS)
    for name, least in (("no_repeat", 2), ("plans", 1)):
        value = options.get(name) or 0
        if type(value) is not int or (value and not least <= value <= _MOST):
            raise UserError(
                f"{name} can't be {value!r}; it is a whole number from {least} to {_MOST}, or 0."
            )
    grammar = options.get("grammar")
    if not isinstance(grammar, str | None):
        raise UserError("grammar is a GBNF text.")
    given = stop if stop is not None else model.stop
    words = [given] if isinstance(given, str) else list(given or ())
    held = {"grammar": grammar, "no_repeat": options.get("no_repeat") or 0}
    return {**chosen, **held, "stop": tuple(str(word) for word in words if word)}


def call_numbers(model: Any, options: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The numbers that a call sets, over the model's settings, for a model that knows no others.

    Raises:
        UserError: If an option is misspelt, of the wrong kind or out of range.
    """
    _refuse_misspelt(options, [*names, "stop", "tools", "tool_choice", "model"])
    return _numbers(model, options, names)


def _numbers(model: Any, options: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for name in names:
        kinds, least, most = _NUMBERS[name]
        value = options[name] if options.get(name) is not None else getattr(model, name, None)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            raise UserError(f"{name} can't be {value!r}; it is a number from {least} to {most}.")
        chosen[name] = value
    return chosen


def _refuse_misspelt(options: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in options.keys() - known:
        if near := difflib.get_close_matches(name, known, n=1, cutoff=0.85):
            raise UserError(f"a call has no option {name!r}; did you mean {near[0]!r}?")
