"""Checking SMT-LIB that a model wrote, before Z3 sees it.

SMT-LIB has commands that write files, change Z3's options or print what they like. Only
declarations, definitions, assertions and objectives go through, and not as they were
written: the script is read into tokens and written anew, one command a line, so that Z3
can't see a command where this reader saw a comment or a quoted name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

MAX_SCRIPT_CHARS = 100_000
MAX_DEPTH = 500
_SHOWN = 60

_PASSED = {
    "declare-const", "declare-fun", "declare-datatype", "declare-datatypes", "declare-sort",
    "define-sort", "define-const", "define-fun", "define-fun-rec", "define-funs-rec",
    "assert", "minimize", "maximize",
}  # fmt: skip
_LEFT_OUT = {"check-sat", "get-model", "get-value", "set-logic", "exit"}
"""Models write these by habit; what they ask for is done anyway."""
_TOKEN = re.compile(
    r'\s+|;[^\n]*|(?P<token>[()]|"(?:[^"\n]|"")*"|\|[^|\\\n]*\||[A-Za-z0-9~!@$%^&*_+=<>.?/:#-]+)'
)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_COMPLAINT = re.compile(r"line (\d+) column \d+: ([^\n]*?)(?:\"\)|$)", re.MULTILINE)
_MAX_COMPLAINTS = 3
_MAX_MESSAGE = 400


class ScriptError(ValueError):
    """A script that isn't given to Z3; the message says why, for whoever wrote it."""


def checked_commands(script: str) -> list[str]:
    r"""The commands of a script that Z3 may be given, one line each.

    Args:
        script: SMT-LIB 2. `check-sat`, `get-model`, `get-value`, `set-logic` and `exit` are
            left out.

    Raises:
        ScriptError: If the script holds another command, isn't balanced, or is too long.

    Example:
        >>> checked_commands("(declare-const x Int) ; how many\n(assert\n (> x 2)) (check-sat)")
        ['(declare-const x Int)', '(assert (> x 2))']
    """
    if len(script) > MAX_SCRIPT_CHARS:
        raise ScriptError(f"the script has over {MAX_SCRIPT_CHARS:,} characters")
    passed: list[str] = []
    for tokens in _commands(script):
        name = tokens[1]
        if name in _PASSED:
            passed.append(_written(tokens))
        elif name not in _LEFT_OUT:
            raise ScriptError(
                f"the command {name[:_SHOWN]!r} isn't allowed; use declare-const, declare-fun, "
                "declare-datatypes, define-fun and assert"
            )
    return passed


def _commands(script: str) -> Iterator[list[str]]:
    """The tokens of each command, from its opening parenthesis to the closing one."""
    command: list[str] = []
    depth = 0
    for token in _tokens(script):
        if not depth and token != "(":  # noqa: S105 - no password
            raise ScriptError(f"{token[:_SHOWN]!r} stands outside of any command")
        command.append(token)
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth > MAX_DEPTH:
            raise ScriptError(f"over {MAX_DEPTH} parentheses inside each other")
        if not depth:
            yield command
            command = []
    if command:
        raise ScriptError(
            f"parentheses to be closed at the end: {depth}, in {_written(command)[:_SHOWN]!r}"
        )


def _tokens(script: str) -> Iterator[str]:
    position = 0
    while position < len(script):
        match = _TOKEN.match(script, position)
        if not match:
            raise ScriptError(f"{script[position:][:20]!r} isn't SMT-LIB")
        position = match.end()
        if token := match["token"]:
            yield _NOT_ASCII.sub(_escape, token) if token[0] == '"' else token


def _escape(match: re.Match[str]) -> str:
    """A character as SMT-LIB writes it in a string, where Z3 would read its bytes."""
    return f"\\u{{{ord(match[0]):x}}}"


def _written(tokens: list[str]) -> str:
    # Between tokens there is a space, so that no two of them are read as one.
    return " ".join(tokens).replace("( ", "(").replace(" )", ")")


def explained(message: str, commands: Sequence[str]) -> str:
    """Z3's complaints in one line, each with the command in place of the line's number.

    Args:
        message: What Z3 said of the commands, given to it one a line.
        commands: What it was given.

    Example:
        >>> explained('(error "line 1 column 9: unknown constant x")', ["(assert x)"])
        'Z3 refuses the script: in (assert x): unknown constant x'
    """
    found: list[str] = []
    for number, complaint in _COMPLAINT.findall(message)[:_MAX_COMPLAINTS]:
        command = commands[int(number) - 1] if 0 < int(number) <= len(commands) else "the script"
        found.append(f"in {command[:200]}: {complaint.strip()}")
    text = "; ".join(found) or " ".join(message.split()) or "no reason given"
    return f"Z3 refuses the script: {text}"[:_MAX_MESSAGE]
