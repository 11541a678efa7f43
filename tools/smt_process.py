"""The process in which Z3 runs: `smt.py` starts it, tells it a script, and may kill it.

It imports the standard library and Z3 only, and takes from itself what Z3 doesn't need:
no file can be opened or written, no process started, and memory and CPU time are bounded.
It reads one JSON object from stdin and writes one or two lines of JSON to stdout.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

_ESCAPED = re.compile(r"\\u\{([0-9a-f]{1,5})\}")
_MOST_CONSTANTS = 5_000
_MOST_VALUE_CHARS = 300
_DIGITS = 20
"""After which Z3 cuts a root off, which is then rounded to six."""
_SPARE_MEGABYTES = 512
"""Addresses for the libraries and for what Z3's own bound on memory doesn't count."""
_EFFORT_FOR_ANOTHER = 5_000_000
"""Z3's own count of work, about a second, in which another solution is looked for."""


def bound(seconds: float, megabytes: int) -> None:
    """Give up every right that Z3 doesn't need; Windows has no such limits."""
    try:
        import resource
    except ImportError:
        return
    limits = {
        "RLIMIT_NOFILE": 0,
        "RLIMIT_NPROC": 0,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_CORE": 0,
        "RLIMIT_AS": (megabytes + _SPARE_MEGABYTES) << 20,
        # Should the parent die, nobody else ends this process.
        "RLIMIT_CPU": math.ceil(seconds) + 1,
    }
    for name, value in limits.items():
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (AttributeError, OSError, ValueError):
            pass  # A system without this one, or with a lower one already.


def solve(
    z3: Any, script: str, wanted: list[str] | None, optimise: bool
) -> Iterator[dict[str, Any]]:
    """Yields what Z3 found, then whether the wanted constants could have other values."""
    solver = z3.Optimize() if optimise else z3.Solver()
    if optimise:
        solver.from_string(script)
    else:
        solver.add(z3.parse_smt2_string(script))
    status = str(solver.check())
    if status == "unknown":
        yield {"status": status, "reason": solver.reason_unknown()}
    elif status != "sat":
        yield {"status": status}
    elif trouble := no_optimum(z3, solver, script) if optimise else "":
        yield {"status": "unknown", "error": trouble}
    else:
        yield from solution(z3, solver, wanted, list(solver.objectives() if optimise else ()))


def no_optimum(z3: Any, solver: Any, script: str) -> str:
    """Why an objective has no optimum, which is `sat` for Z3; empty if all have one."""
    commands = script.split("\n")
    objectives = [c for c in commands if c.startswith(("(minimize", "(maximize"))]
    for number, command in enumerate(objectives):
        handle = z3.OptimizeObjective(solver, number, True)
        # Each bound is three numbers: a * infinity + b + c * epsilon.
        low, high = [str(n) for n in handle.lower_values()], [str(n) for n in handle.upper_values()]
        if low[0] != "0" or high[0] != "0":
            why = "it has no bound; state the range of its constants"
        elif low != high or low[2] != "0":
            why = "it comes ever closer to its bound and never reaches it"
        else:
            continue
        return f"the objective has no optimum: in {command[:200]}, {why}"
    return ""


def solution(
    z3: Any, solver: Any, wanted: list[str] | None, objectives: list[Any]
) -> Iterator[dict[str, Any]]:
    """The values of the model, then whether there are others; of all values if none is wanted."""
    model = solver.model()
    parts = [*solver.assertions(), *objectives]
    known = {c.decl().name(): (c, model.eval(c, True)) for c in constants(z3, parts)}
    texts = {name: text_of(z3, value) for name, (_, value) in known.items()}
    values = {name: text for name, text in texts.items() if text is not None}
    yield {"status": "sat", "values": values}
    shown = [known[name] for name in (values if wanted is None else wanted) if name in known]
    if shown:
        best = [objective == model.eval(objective, True) for objective in objectives]
        yield {"unique": is_only(z3, solver, best, shown)}


def is_only(z3: Any, solver: Any, best: list[Any], shown: list[tuple[Any, Any]]) -> bool | None:
    """Whether no other solution, as good, shows other values; None if it isn't found out."""
    try:
        if best:
            assertions, solver = solver.assertions(), z3.Solver()
            solver.add(assertions, *best)
        solver.add(z3.Or([constant != value for constant, value in shown]))
        solver.set("rlimit", _EFFORT_FOR_ANOTHER)
        return {"sat": False, "unsat": True}.get(str(solver.check()))
    except (z3.Z3Exception, MemoryError):
        return None  # The solution stays one.


def constants(z3: Any, parts: list[Any]) -> list[Any]:
    """The constants that some expressions speak of, in order of appearance."""
    found: dict[str, Any] = {}
    seen: set[int] = set()
    ahead = parts[::-1]
    while ahead and len(found) < _MOST_CONSTANTS:
        part = ahead.pop()
        if part.get_id() in seen:
            continue
        seen.add(part.get_id())
        ahead += part.children()[::-1]
        if z3.is_const(part) and part.decl().kind() == z3.Z3_OP_UNINTERPRETED:
            found.setdefault(part.decl().name(), part)
    return list(found.values())


def text_of(z3: Any, value: Any) -> str | None:
    """A value in words; None where it has no short and definite one."""
    text = None
    literals = (z3.is_int_value, z3.is_rational_value, z3.is_bv_value)
    if z3.is_true(value) or z3.is_false(value):
        text = "true" if z3.is_true(value) else "false"
    elif any(is_one(value) for is_one in literals):
        text = value.as_string()
    elif z3.is_string_value(value):
        text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value.as_string())
    elif z3.is_algebraic_value(value):
        cut = value.as_decimal(_DIGITS).rstrip("?")
        text = f"{Decimal(cut):.6f}"
    elif z3.is_const(value) and value.decl().kind() == z3.Z3_OP_DT_CONSTRUCTOR:
        text = value.decl().name()
    return text if text is None or len(text) <= _MOST_VALUE_CHARS else None


def tell(**found: Any) -> None:
    """Write a line at once: what comes after it may take too long."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Solve what stdin asks for."""
    asked = json.loads(sys.stdin.buffer.read())
    sys.path.append(asked["z3_folder"])
    import z3

    bound(asked["seconds"], asked["megabytes"])
    z3.set_param("memory_max_size", asked["megabytes"])
    try:
        for found in solve(z3, asked["script"], asked["wanted"], asked["optimise"]):
            tell(**found)
    except z3.Z3Exception as error:
        message = error.args[0] if error.args else ""
        tell(
            refused=message.decode("utf-8", "replace")
            if isinstance(message, bytes)
            else str(message)
        )
    except MemoryError:
        tell(status="unknown", reason="out of memory")
    os._exit(0)  # Freeing what Z3 holds may take long.


if __name__ == "__main__":
    main()
