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
from ..settings import Settings, load_settings

_MOST_JSON_BYTES = 1_000_000
_SPLITTING = ("static", "sequential", "dag", "dynamic", "recursive")


def read_problem(args: Namespace) -> Problem:
    """The question and context that the arguments name.

    Raises:
        UserError: If a text is missing, empty, too long or no UTF-8.
    """
    question = args.question
    if question == "-":
        question = _decode(sys.stdin.buffer.read(), "stdin")
    return Problem(question, _read_context(args.context) if args.context else "")


def _read_context(name: str) -> str:
    path = Path(os.path.expanduser(name))
    try:
        with path.open("rb") as file:
            data = file.read(4 * MAX_CONTEXT_CHARS + 1)
    except FileNotFoundError:
        raise UserError(f"there is no context file {name!r}; check the path.") from None
    except OSError as error:
        raise UserError(f"the context file {name!r} can't be read: {error.strerror}.") from None
    return _decode(data, f"the context file {name!r}")


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
    try:
        with Path(os.path.expanduser(name)).open("rb") as file:
            return json.loads(file.read(_MOST_JSON_BYTES))
    except FileNotFoundError:
        raise UserError(f"there is no {what} file {name!r}; check the path.") from None
    except OSError as error:
        raise UserError(f"the {what} file {name!r} can't be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"the {what} file {name!r} isn't JSON: {error}.") from None


def settings_from(args: Namespace) -> Settings:
    """The user's settings with the flags over them, and what files hold in place of their names."""
    flags = given_settings(args)
    return fitted(replace(load_settings(), **flags), flags)


def fitted(settings: Settings, flags: Mapping[str, Any]) -> Settings:
    """Without defaults of the user's that this strategy has no use for; a flag stays."""
    if settings.strategy not in _SPLITTING and "gate" not in flags:
        settings = replace(settings, gate="model")
    if settings.verify is None and settings.attempts > 1 and "verifier" not in flags:
        settings = replace(settings, verifier=None)
    files = {name: getattr(settings, name) for name in ("ladder", "examples")}
    read = {n: read_json_file(v, n) for n, v in files.items() if isinstance(v, str)}
    return replace(settings, **read)


def given_settings(args: Namespace) -> dict[str, Any]:
    """What the flags set."""
    names = [f.name for f in fields(Settings) if f.name != "models"]
    found = {name: getattr(args, name, None) for name in names}
    given = {name: value for name, value in found.items() if value is not None}
    return {name: None if value == "none" else value for name, value in given.items()}
