"""Every prompt of this package, as text files that a user may replace one by one.

A file holds a version and one part per message role:

    version: 1
    --- system
    You answer one question ...
    --- user
    {problem}

`{name}` stands for a field; a file may have those of the package's file that it replaces. A
folder of one's own is looked into first: `prompts="DIR"`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import UserError

_FOLDER = Path(__file__).parent
_MAX_CHARS = 100_000
_FIELD = re.compile(r"\{(\w+)\}")
_PART = re.compile(r"^--- (system|user)\n", re.MULTILINE)
_MEANT_AS_PART = re.compile(
    r"^---[ \t]*(?:system|user|human|assistant|ai|developer|tool)[ \t:]*$",
    re.IGNORECASE | re.MULTILINE,
)

_NEEDED = {
    "solve": ("problem", "subquestion"),
    "compose": ("problem", "answers"),
    "static": ("problem", "plan"),
    "next": ("problem", "answers"),
    "condense": ("problem", "turns"),
    "middleware": ("answers",),
    "tools": ("tools",),
    "verify": ("problem", "asked", "answer"),
    "solve_again": ("problem", "subquestion", "reason"),
    "decompose_attempt": ("problem", "reply"),
    "revise": ("problem", "answer", "reason"),
    "dup_hints": ("core", "facts"),
}
"""Fields without which a prompt makes no sense; `problem` of all others that have it."""


@dataclass(frozen=True)
class Prompt:
    """A prompt with its version, ready to be filled in."""

    name: str
    version: str
    parts: tuple[tuple[str, str], ...]

    def messages(self, fields: Mapping[str, str]) -> list[dict[str, str]]:
        """Messages `{"role", "content"}` with the fields put in, each once and unread.

        Example:
            >>> load_prompts()["direct"].messages({"problem": "2 + 2?"})[-1]["content"]
            '2 + 2?'
        """
        return [
            {"role": role, "content": _FIELD.sub(lambda m: fields[m[1]], text).strip()}
            for role, text in self.parts
        ]


Prompts = Mapping[str, Prompt]


def load_prompts(folder: str | Path | Prompts | None = None) -> Prompts:
    """The package's prompts, replaced where `folder` has a file of the same name.

    Raises:
        UserError: If the folder or a file in it can't be used, saying why.
    """
    if isinstance(folder, Mapping):
        return _loaded(folder)
    prompts = dict(_bundled())
    if folder is None:
        return prompts
    if not isinstance(folder, str | os.PathLike):
        raise UserError(f"prompts= is the path of a folder, not {folder!r}.")
    own = Path(os.path.expanduser(folder))
    if not str(folder) or not own.is_dir():
        raise UserError(f"there is no prompts folder {str(folder)!r}.")
    for file in sorted(own.glob("*.txt")):
        if file.stem not in prompts:
            raise UserError(f"{file} replaces no prompt; known: {', '.join(sorted(prompts))}.")
        allowed = _fields(prompts[file.stem])
        prompts[file.stem] = prompt = _read(file)
        unknown = _fields(prompt) - allowed
        if unknown:
            raise UserError(
                f"{file} has the unknown field {{{min(unknown)}}}; "
                f"known: {', '.join(sorted(allowed))}."
            )
        for field in _NEEDED.get(file.stem, ("problem",)):
            if field in allowed - _fields(prompt):
                raise UserError(f"{file} must hold {{{field}}}, or it is never shown.")
    return prompts


def _loaded(prompts: Prompts) -> Prompts:
    if not all(isinstance(prompts.get(name), Prompt) for name in _bundled()):
        raise UserError("prompts= is the path of a folder with texts, not a dict of them.")
    return prompts


@cache
def _bundled() -> Prompts:
    return {file.stem: _read(file) for file in sorted(_FOLDER.glob("*.txt"))}


def _fields(prompt: Prompt) -> set[str]:
    return {name for _, text in prompt.parts for name in _FIELD.findall(text)}


def _read(file: Path) -> Prompt:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the prompt {file} can't be read: {error}.") from None
    first, _, rest = text.partition("\n")
    pieces = _PART.split(rest)
    if not first.startswith("version:") or len(pieces) < 3 or len(text) > _MAX_CHARS:
        raise UserError(f"{file} isn't a prompt: 'version: N', then '--- system' or '--- user'.")
    if other := next(filter(None, map(_MEANT_AS_PART.search, pieces[::2])), None):
        raise UserError(
            f"{file} has the line {other[0]!r}, which begins no part: "
            "parts begin with '--- system' or '--- user'."
        )
    if pieces[0].strip():
        raise UserError(f"{file} has a text before its first part, which would never be shown.")
    parts = tuple(zip(pieces[1::2], pieces[2::2], strict=True))
    return Prompt(file.stem, first.removeprefix("version:").strip(), parts)
