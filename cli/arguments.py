"""What several commands read from their arguments."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..nodes.problem import MAX_CONTEXT_CHARS, Problem
from ..settings import Settings, load_settings, said_none

_MOST_JSON_BYTES = 1_000_000
ALWAYS_SPLITTING = ("static", "sequential", "dag", "dynamic", "recursive")
WITH_LINES = ("sequential", "dag", "dynamic", "attempt_first", "escalate", "recursive")
"""As `graphs/` says it; importing that would take longer than a plan takes to write."""


def read_problem(args: Namespace) -> Problem:
    """The question and context that the arguments name.

    Raises:
        UserError: If a text is missing, empty, too long or no UTF-8.
    """
    question = args.question
    if question == "-":
        question = _decode(sys.stdin.buffer.read(), "stdin")
    return Problem(question, "" if args.context is None else _read_context(args.context))


def _read_context(name: str) -> str:
    if not name:  # As from a script's variable that isn't set.
        raise UserError("the context is empty; name a file, or leave --context out.")
    data = _read_file(name, "context", 4 * MAX_CONTEXT_CHARS + 1)
    text = _decode(data, f"the context file {name!r}")
    if not text.strip():
        raise UserError(f"the context file {name!r} is empty; name another, or leave it out.")
    return text


def _read_file(name: str, what: str, most: int) -> bytes:
    try:
        with Path(os.path.expanduser(name)).open("rb") as file:
            return file.read(most)
    except (FileNotFoundError, ValueError):  # No name has a NUL in it.
        raise UserError(f"there is no {what} file {name!r}; check the path.") from None
    except OSError as error:
        raise UserError(f"the {what} file {name!r} can't be read: {error.strerror}.") from None


def _decode(data: bytes, where: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{where} isn't a UTF-8 text.") from None
    if "\0" in text:
        raise UserError(f"{where} is binary, not text.")
    return text


def read_json_file(name: str | None, what: str) -> Any:
    """The JSON in a file that the user named; None if they named none.

    Raises:
        UserError: If it can't be read.
    """
    if name is None:
        return None
    data = _read_file(name, what, _MOST_JSON_BYTES)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the {what} file {name!r} isn't JSON: {error}.") from None


def settings_from(args: Namespace) -> Settings:
    """The user's settings with the flags over them, and what files hold in place of their names."""
    flags = given_settings(args)
    return fitted(replace(load_settings(), **flags), flags)


def fitted(settings: Settings, flags: Mapping[str, Any]) -> Settings:
    """Without defaults of the user's that this strategy has no use for; a flag stays.

    Raises:
        UserError: If a flag names a file for another strategy, or the file can't be read.
    """
    drop: dict[str, Any] = {}
    if settings.gate == "always" and settings.strategy not in ALWAYS_SPLITTING:
        drop["gate"] = "model"
    if settings.verify == "subquestions" and settings.strategy not in WITH_LINES:
        drop["verify"] = None
    judged = settings.strategy == "attempt_first" and settings.attempts == 1
    if drop.get("verify", settings.verify) is None and not judged:
        drop["verifier"] = None
    if settings.gate == "disagreement" and settings.attempts == 1:
        drop["attempts"] = 3
    settings = replace(settings, **{n: v for n, v in drop.items() if n not in flags})
    return replace(
        settings,
        ladder=_content(settings, flags, "ladder", "escalate"),
        examples=_content(settings, flags, "examples", "symbolic"),
    )


def _content(settings: Settings, flags: Mapping[str, Any], name: str, strategy: str) -> Any:
    """What a strategy's file holds, for that strategy."""
    wanted = settings.strategy == strategy
    if not wanted and flags.get(name) is not None:
        raise UserError(f"--{name} is for the strategy {strategy!r}, not {settings.strategy!r}.")
    value = getattr(settings, name) if wanted else None
    if isinstance(value, str):
        return read_json_file(value, name)
    if isinstance(value, list):  # TOML has dates, which nothing here is.
        rows: list[Any] = value
        return json.loads(json.dumps(rows, default=str))
    return value


def given_settings(args: Namespace) -> dict[str, Any]:
    """What the flags set."""
    names = [f.name for f in fields(Settings) if f.name != "models"]
    found = {name: getattr(args, name, None) for name in names}
    return said_none({name: value for name, value in found.items() if value is not None})
