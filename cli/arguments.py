"""What several commands read from their arguments."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..nodes.problem import MAX_CONTEXT_CHARS, Problem
from ..settings import Settings, load_settings

_MOST_JSON_BYTES = 1_000_000


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
    """The user's settings with the flags over them."""
    return replace(load_settings(), **given_settings(args))


def given_settings(args: Namespace) -> dict[str, Any]:
    """What the flags set."""
    names = [f.name for f in fields(Settings) if f.name != "models"]
    found = {name: getattr(args, name, None) for name in names}
    return {name: value for name, value in found.items() if value is not None}
