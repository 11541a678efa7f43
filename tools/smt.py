"""Z3 for scripts that a model wrote: in a process of its own, bounded in time and memory.

The script is checked first (`smt_script.py`); the process can open no file and start no
other (`smt_process.py`; Windows has no such limits), gets none of this one's environment, and
is killed when its time is over or nobody waits for it any more. However it ends, the result says
so in one sentence.

    found = solve_smt("(declare-const x Int) (assert (= (* 2 x) 84))")
    found.status, found.values      # "sat", {"x": "42"}

Z3 is an optional package: `pip install 'langgraph-decompose[symbolic]'`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from ..errors import MissingDependencyError
from .calculator import format_number
from .smt_script import ScriptError, checked_commands, explained

SECONDS = 10.0
MEGABYTES = 1024
_MAX_OUTPUT_BYTES = 4_000_000
_MAX_MESSAGE = 400
_PROGRAM = Path(__file__).with_name("smt_process.py")
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
"""What an interpreter may need to start; keys and tokens are none of Z3's business."""


@dataclass(frozen=True)
class SmtResult:
    """What Z3 made of a script.

    Attributes:
        status: `sat` if there is a solution, `unsat` if there is none, else `unknown`.
        values: The solution: a text for each constant that the assertions speak of.
        error: Why it is unknown, in one line; empty if it isn't.
        unique: Whether the wanted constants can have no other values, at the optimum if there
            is an objective; None if not found out.
    """

    status: Literal["sat", "unsat", "unknown"]
    values: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    unique: bool | None = None


def solve_smt(
    script: str,
    *,
    seconds: float = SECONDS,
    megabytes: int = MEGABYTES,
    wanted: Iterable[str] | None = (),
) -> SmtResult:
    """Solve a script; nothing that it holds is raised, or harms this process.

    Args:
        script: SMT-LIB 2: declarations, definitions, assertions, `minimize`, `maximize`.
        seconds: Most time, the start of the process included.
        megabytes: Most memory.
        wanted: Constants of which `unique` shall tell; None is all of `values`.

    Raises:
        MissingDependencyError: If z3-solver isn't installed.

    Example:
        >>> solve_smt("(declare-const x Int) (assert (= (* 2 x) 84))", wanted=["x"])
        SmtResult(status='sat', values={'x': '42'}, error='', unique=True)
        >>> solve_smt("(set-option :dump_models true)").error[:41]
        "the command 'set-option' isn't allowed; u"
    """
    return _Run(script, seconds, megabytes, wanted).result()


async def asolve_smt(
    script: str,
    *,
    seconds: float = SECONDS,
    megabytes: int = MEGABYTES,
    wanted: Iterable[str] | None = (),
) -> SmtResult:
    """`solve_smt` for the event loop; cancelling it ends the process."""
    run = _Run(script, seconds, megabytes, wanted)
    try:
        return await asyncio.to_thread(run.result)
    finally:
        run.stop()


def require_z3() -> str:
    """The folder that Z3 is imported from; it isn't imported here.

    Raises:
        MissingDependencyError: If z3-solver isn't installed.
    """
    spec = find_spec("z3")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise MissingDependencyError(
            "the strategy 'symbolic' needs Z3, which isn't installed: "
            "pip install 'langgraph-decompose[symbolic]'."
        )
    return str(Path(folders[0]).parent)


class _Run:
    """One run of Z3, which another thread may stop."""

    def __init__(
        self, script: str, seconds: float, megabytes: int, wanted: Iterable[str] | None
    ) -> None:
        self._script, self._wanted = script, None if wanted is None else list(wanted)
        self._seconds, self._megabytes = seconds, megabytes
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = self._late = False

    def result(self) -> SmtResult:
        folder = require_z3()
        try:
            commands = checked_commands(self._script)
        except ScriptError as error:
            return SmtResult("unknown", error=str(error))
        asked = {
            "z3_folder": folder,
            "script": "\n".join(commands),
            "optimise": any(c.startswith(("(minimize", "(maximize")) for c in commands),
            "wanted": self._wanted,
            "seconds": self._seconds,
            "megabytes": self._megabytes,
        }
        return self._read(self._ask(json.dumps(asked).encode()), commands)

    def stop(self) -> None:
        """Kill the process, if it runs; if it doesn't yet, it never will."""
        with self._lock:
            self._stopped = True
            if self._process:
                self._process.kill()

    def _end_of_time(self) -> None:
        self._late = True
        self.stop()

    def _ask(self, data: bytes) -> bytes:
        with self._lock:
            if self._stopped:
                return b""
            self._process = process = _start()
        timer = threading.Timer(self._seconds, self._end_of_time)
        timer.daemon = True
        timer.start()
        try:
            return _talk(process, data)
        finally:
            timer.cancel()
            process.kill()
            process.wait()
            for pipe in filter(None, (process.stdin, process.stdout)):
                with suppress(OSError):
                    pipe.close()

    def _read(self, output: bytes, commands: Sequence[str]) -> SmtResult:
        """The result from the lines that came."""
        found = _facts(output)
        if "refused" in found:
            return SmtResult("unknown", error=explained(found["refused"], commands))
        if "status" not in found:
            return SmtResult("unknown", error=self._why_it_died())
        if found["status"] == "unknown":
            error = found.get("error") or self._why_unknown(found.get("reason") or "")
            return SmtResult("unknown", error=error)
        values = {name: _plain(text) for name, text in found.get("values", {}).items()}
        return SmtResult(found["status"], values, unique=found.get("unique"))

    def _why_unknown(self, reason: str) -> str:
        if "memory" in reason:
            return f"Z3 needed over {self._megabytes:,} MB"
        return (
            f"Z3 can't decide it ({' '.join(reason.split())[:_MAX_MESSAGE] or 'no reason given'})"
        )

    def _why_it_died(self) -> str:
        code = self._process.returncode if self._process else 0
        if self._late or code == -getattr(signal, "SIGXCPU", 0) != 0:
            return f"Z3 took over {self._seconds:g} seconds"
        if self._stopped:
            return "Z3 was stopped"
        if code == -getattr(signal, "SIGABRT", 0) != 0:
            return f"Z3 gave up, most likely since it needed over {self._megabytes:,} MB"
        return f"Z3 ended without a result (exit status {code})"


def _start() -> subprocess.Popen[bytes]:
    # In a session of its own: Ctrl-C is for this process, which then ends that one.
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-I", "-S", str(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=_PROGRAM.parent,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        start_new_session=True,
    )


def _talk(process: subprocess.Popen[bytes], data: bytes) -> bytes:
    """Hand the data over and wait for the whole output."""
    stdin, stdout = process.stdin, process.stdout
    assert stdin
    assert stdout
    with suppress(OSError):  # If it has died, what it said before counts.
        stdin.write(data)
        stdin.close()
    output = stdout.read(_MAX_OUTPUT_BYTES)
    if len(output) < _MAX_OUTPUT_BYTES:
        process.wait()  # Its exit status tells how it ended; `kill` would hide that.
    return output


def _facts(output: bytes) -> dict[str, Any]:
    """What the lines of JSON tell; the last may be cut off, and Z3 may have warned of something."""
    found: dict[str, Any] = {}
    for line in output.splitlines():
        with suppress(ValueError, TypeError):
            found.update(json.loads(line))
    return found


def _plain(text: str) -> str:
    """The value as whole characters; a fraction as a decimal, if it is one exactly."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    if not re.fullmatch(r"-?\d+/\d+", text):
        return text
    value = Fraction(text)
    return format_number(value) if 1_000_000 % value.denominator == 0 else text
