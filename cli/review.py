"""The review of a plan at the prompt: solve it, edit it in `$EDITOR`, or reject it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from ..errors import UserError
from .terminal import say

_HINT = (
    ";; One subquestion a line: #ID TEXT <- #IDS THAT IT NEEDS. Move, change, add or remove\n"
    ";; lines; the single word atomic means no split. An empty file rejects the plan.\n"
)


class UnansweredError(UserError):
    """A plan that waits for its review; the run can go on later."""


class _EditorError(Exception):
    """An editor that can't be started or that failed."""


def ask_person(shown: Mapping[str, Any], draft: str | None) -> dict[str, Any]:
    """Show a plan and return the person's answer, as `nodes/review.py` reads it.

    Args:
        shown: What the graph waits with.
        draft: The person's own plan, if it is the one that can't be run: it is edited further.

    Raises:
        UnansweredError: If stdin ends without an answer.
    """
    if shown.get("error"):
        say(f"The edited plan can't be run: {shown['error']}.")
    say(f"\nPlan for: {shown['question']}\n\n{shown['text']}\n")
    while True:
        answer = _line("Solve this plan? [Y]es, (e)dit, (r)eject: ").casefold()
        if answer in ("", "y", "yes"):
            return {"action": "approve"}
        if answer in ("r", "reject", "n", "no"):
            return {"action": "reject"}
        if answer in ("e", "edit"):
            try:
                edited = _edited(draft or shown["text"])
            except _EditorError as error:
                say(str(error))
                continue
            return {"action": "edit", "plan": edited} if edited else {"action": "reject"}


def _edited(text: str) -> str:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        say("Type the plan, then an empty line ($EDITOR isn't set):")
        lines: list[str] = []
        while line := _line(""):
            lines.append(line)
        return "\n".join(lines)
    with tempfile.NamedTemporaryFile("w", suffix=".plan", encoding="utf-8", delete=False) as file:
        file.write(f"{text}\n\n{_HINT}")
    try:
        subprocess.run([*shlex.split(editor), file.name], check=True)  # noqa: S603
        with open(file.name, encoding="utf-8-sig") as edited:
            kept = [line for line in edited.read().splitlines() if not line.startswith(";;")]
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        reason = str(error).removesuffix(".")
        raise _EditorError(f"The editor {editor!r} failed: {reason}.") from None
    finally:
        os.unlink(file.name)
    return "\n".join(kept).strip()


def _line(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise UnansweredError("the plan waits for its review, and nobody answered.")
    return line.strip()
