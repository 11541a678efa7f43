"""Z3 in its own process: what it may be told, what it may take, how it may end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from langgraph_decompose.tools import smt
from langgraph_decompose.tools.smt import asolve_smt, solve_smt
from langgraph_decompose.tools.smt_script import (
    MAX_DEPTH,
    MAX_SCRIPT_CHARS,
    ScriptError,
    checked_commands,
)

pytest.importorskip("z3")
CUBES = (
    "(declare-const x Int)(declare-const y Int)(declare-const z Int)"
    "(assert (= 42 (+ (* x x x) (* y y y) (* z z z))))"
)
HUNGRY = (
    "(declare-const a (_ BitVec 4000))(declare-const b (_ BitVec 4000))"
    "(assert (= (bvmul a b) (_ bv12345678912345677 4000)))(assert (bvugt a b))"
)
checked = settings(derandomize=True, max_examples=300)


@checked
@given(st.text() | st.text('()|";\\# \nassertdeclare-constx:'))
@example("(assert #| ) |# (set-option :x 1))")
@example('(assert "a""b") ; "')
@example("\x00(assert true)")
def test_the_checker_passes_a_text_or_says_why_not(text: str) -> None:
    try:
        commands = checked_commands(text)
    except ScriptError as error:
        assert "\n" not in str(error)
        return
    for command in commands:
        assert command.startswith(("(assert", "(declare", "(define", "(minimize", "(maximize"))
        assert "\n" not in command
    # What was written anew reads the same.
    assert checked_commands("\n".join(commands)) == commands


QUOTE = '"'
NAMES = st.text("abcxyz_-<>!?0123456789", min_size=1, max_size=8) | st.text(
    "abc ();\"é'", min_size=1, max_size=8
).map(lambda text: f"|{text}|")
TERMS = st.recursive(
    NAMES
    | st.integers(0, 99).map(str)
    | st.text('a();|é"').map(lambda t: f'"{t.replace(QUOTE, QUOTE * 2)}"'),
    lambda inner: st.lists(inner, min_size=1, max_size=4).map(lambda ts: f"({' '.join(ts)})"),
    max_leaves=12,
)
COMMENTS = st.text("ab();|\"'").map(lambda text: f"; {text}\n") | st.sampled_from(["\n", " "])


@checked
@given(st.lists(st.tuples(COMMENTS, TERMS), max_size=6))
def test_allowed_commands_pass_whatever_their_names_strings_and_comments(rows: Any) -> None:
    script = "".join(f"{comment}(assert\n{term})(check-sat)" for comment, term in rows)
    assert len(checked_commands(script)) == len(rows)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ('(set-option :diagnostic-output-channel "out.txt")', "the command 'set-option'"),
        ('(include "/etc/passwd")', "the command 'include'"),
        ('(echo "x")', "the command 'echo'"),
        ("(push 1)", "the command 'push'"),
        ("(|set-option| :a b)", "isn't allowed"),
        ("((assert true))", "the command '('"),
        ("()", "the command ')'"),
        ("(assert true", "parentheses to be closed at the end: 1, in '(assert true'"),
        ("(assert true))", "')' stands outside of any command"),
        ("x = 3", "'x' stands outside of any command"),
        ("(assert (≥ x 2))", "'≥ x 2))' isn't SMT-LIB"),
        ("(assert |a\nb|)", "isn't SMT-LIB"),
        ('(assert "a)', "isn't SMT-LIB"),
        ("(" * (MAX_DEPTH + 1), f"over {MAX_DEPTH} parentheses"),
        (" " * (MAX_SCRIPT_CHARS + 1), "over 100,000 characters"),
    ],
)
def test_other_scripts_are_refused_without_starting_anything(
    script: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smt, "_start", None)
    found = solve_smt(script)
    assert found.status == "unknown"
    assert message in found.error


@pytest.mark.parametrize(
    ("declared", "value", "text"),
    [
        ("Int", "(- 5)", "-5"),
        ("Int", "1" + "0" * 200, "1" + "0" * 200),
        ("Real", "(/ 1 4)", "0.25"),
        ("Real", "(/ 1.0 3.0)", "1/3"),
        ("Bool", "false", "false"),
        ("String", '"né 中 ""x"""', 'né 中 "x"'),
        ("(_ BitVec 8)", "#x0f", "15"),
    ],
)
def test_values_are_told_in_words(declared: str, value: str, text: str) -> None:
    found = solve_smt(f"(declare-const |a b| {declared})(assert (= |a b| {value}))", wanted=["a b"])
    assert (found.status, found.values, found.unique) == ("sat", {"a b": text}, True)


def test_names_of_a_datatype_are_values_and_functions_are_none() -> None:
    found = solve_smt(
        "(declare-datatypes ((City 0)) (((|São Paulo|) Rome)))(declare-const c City)"
        "(declare-fun f (Int) Int)(declare-sort S 0)(declare-const s S)(declare-const r Real)"
        f"(declare-const n Int)(assert (and (distinct c Rome) (= (f 1) 2) (= s s)))"
        f"(assert (and (= (* r r) 2.0) (> r 0.0) (= n 1{'0' * 400})))"
    )
    assert found.values == {"c": "São Paulo", "r": "1.414214"}, "and a number too long to show"


@pytest.mark.parametrize(
    ("square", "sign", "root"), [("3.0", "<", "-1.732051"), ("0.0005", ">", "0.022361")]
)
def test_a_root_is_rounded_to_six_decimals(square: str, sign: str, root: str) -> None:
    found = solve_smt(f"(declare-const r Real)(assert (= (* r r) {square}))(assert ({sign} r 0.0))")
    assert found.values == {"r": root}


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("(assert (> x 3))(maximize x)", "in (maximize x), it has no bound"),
        ("(minimize x)", "in (minimize x), it has no bound"),
        ("(maximize (* x x))", "in (maximize (* x x)), it has no bound"),
        ("(assert (< r 3))(maximize r)", "in (maximize r), it comes ever closer"),
        ("(assert (> (* r r) 2.0))(assert (> r 0.0))(minimize r)", "it comes ever closer"),
        ("(assert (<= 0 x 4))(maximize x)(minimize r)", "in (minimize r), it has no bound"),
        ("(assert (< r 1))(assert (< x 5))(maximize r)(maximize x)", "in (maximize r), it comes"),
    ],
)
def test_an_objective_without_an_optimum_is_an_error(script: str, why: str) -> None:
    found = solve_smt(f"(declare-const x Int)(declare-const r Real){script}", wanted=["x"])
    assert (found.status, found.values) == ("unknown", {})
    assert found.error.startswith("the objective has no optimum: ")
    assert why in found.error


@pytest.mark.parametrize(
    ("script", "value", "unique"),
    [
        ("(assert (< x 3))(maximize x)", "2", True),
        ("(assert (<= 0 x 5))(maximize (* x (- 4 x)))", "2", True),
        ("(assert (<= 0 x 5))(assert (<= 0 y 5))(maximize y)(minimize x)", "0", True),
        ("(assert (<= 0 x 5))(assert (<= 0 y 5))(maximize y)", None, False),
        ("(assert (<= 0 x 5))(minimize (abs (- (* 2 x) 5)))", None, False),
        ("(assert (= r (to_real x)))(assert (<= (* 2.0 r) 9.0))(maximize r)", "4", True),
        ("(declare-const b (_ BitVec 8))(assert (= x (bv2nat b)))(maximize b)", "255", True),
        (
            "(define-fun-rec f ((n Int)) Int (ite (<= n 0) 0 (+ n (f (- n 1)))))"
            "(assert (<= 0 x 6))(assert (< (f x) 12))(maximize x)",
            "4",
            True,
        ),
    ],
)
def test_at_an_optimum_other_values_are_looked_for(script: str, value: Any, unique: bool) -> None:
    declared = "(declare-const x Int)(declare-const y Int)(declare-const r Real)"
    found = solve_smt(declared + script, wanted=["x"])
    assert (found.status, found.unique, found.error) == ("sat", unique, "")
    assert value in (None, found.values["x"])


@pytest.mark.parametrize(("y", "unique"), [("(= y 1)", True), ("(> y 1)", False)])
def test_none_wanted_is_all_that_is_shown(y: str, unique: bool) -> None:
    # s has no value in words: the answer can't show it, and it may be any.
    script = "(declare-const x Int)(declare-const y Int)(declare-sort S 0)(declare-const s S)"
    script += f"(declare-const t S)(assert (distinct s t))(assert (= x 1))(assert {y})"
    assert solve_smt(script, wanted=None).unique is unique
    assert solve_smt(script).unique is None


def test_unsat_is_no_error() -> None:
    found = solve_smt("(declare-const x Int)(assert (< 1 x 2))")
    assert (found.status, found.values, found.error) == ("unsat", {}, "")


def test_an_undecided_script_ends_in_time_and_a_hungry_one_in_memory() -> None:
    before = _resident()
    begin = time.monotonic()
    late = solve_smt(CUBES, seconds=0.7)
    assert (late.status, late.error) == ("unknown", "Z3 took over 0.7 seconds")
    assert time.monotonic() - begin < 30
    hungry = solve_smt(HUNGRY, megabytes=150, seconds=60)
    assert (hungry.status, hungry.error) == ("unknown", "Z3 needed over 150 MB")
    assert _resident() - before < 20_000, "kB: the memory was the child's"


def _resident() -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    return int(status.read_text().split("VmRSS:")[1].split()[0])


def test_what_was_found_before_the_time_was_over_counts() -> None:
    # Solved at once; whether there is another solution would take for ever.
    found = solve_smt(CUBES.replace("42", "3"), seconds=20, wanted=["x", "y", "z"])
    assert found.status == "sat"
    assert found.unique in (None, False)


def test_cancelled_or_not_yet_begun_the_process_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start, all_started = smt._start, threading.Barrier(4, timeout=30)

    def noted() -> subprocess.Popen[bytes]:
        process = start()
        started.append(process)
        all_started.wait()
        return process

    monkeypatch.setattr(smt, "_start", noted)

    async def main() -> None:
        tasks = [asyncio.create_task(asolve_smt(CUBES, seconds=600)) for _ in range(3)]
        await asyncio.to_thread(all_started.wait)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    assert len(started) == 3
    assert [process.wait(30) for process in started] == [-9] * 3
    stopped = smt._Run(CUBES, 60, 100, [])
    stopped.stop()
    assert stopped.result().error == "Z3 was stopped"
    assert len(started) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource limits")
def test_the_process_can_open_no_file_and_start_no_other(tmp_path: Path) -> None:
    """What a bug in Z3 could be made to do, tried from Python after the limits are set."""
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from smt_process import bound\n"
        "bound(1, 200)\n"
        "for what in (lambda: open('new.txt', 'w'), lambda: open('/etc/passwd'),\n"
        "             lambda: bytearray(2 << 30), os.pipe):\n"
        "    try: what(); print('done')\n"
        "    except (OSError, MemoryError) as error: print(type(error).__name__)\n"
    )
    folder = str(Path(smt.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, folder], capture_output=True, cwd=tmp_path
    )
    assert done.stdout.decode().split() == ["OSError", "OSError", "MemoryError", "OSError"]
    assert list(tmp_path.iterdir()) == []


def test_keys_of_the_environment_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret")
    seen: dict[str, Any] = {}
    popen = subprocess.Popen

    def spy(*args: Any, **options: Any) -> Any:
        seen.update(options)
        return popen(*args, **options)

    monkeypatch.setattr(smt.subprocess, "Popen", spy)
    assert solve_smt("(declare-const x Int)(assert (= x 1))").values == {"x": "1"}
    assert set(seen["env"]) <= {"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT"}


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import os; os.abort()", "Z3 gave up, most likely since it needed over 1,024 MB"),
        ("import os, signal; os.kill(os.getpid(), 11)", "Z3 ended without a result"),
        ("import sys; sys.exit(3)", "Z3 ended without a result (exit status 3)"),
        ("print('{\"status\"', end='')", "Z3 ended without a result (exit status 0)"),
    ],
)
def test_however_the_process_dies_it_is_a_sentence(
    program: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "dies.py"
    file.write_text(program)
    monkeypatch.setattr(smt, "_PROGRAM", file)
    found = solve_smt("(assert true)")
    assert found.status == "unknown"
    assert found.error.startswith(message)


def test_endless_output_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "talks.py"
    file.write_text("while True: print('{}' * 1000)")
    monkeypatch.setattr(smt, "_PROGRAM", file)
    monkeypatch.setattr(smt, "_MAX_OUTPUT_BYTES", 10_000)
    assert "without a result" in solve_smt("(assert true)", seconds=20).error


def test_the_process_imports_nothing_of_ours() -> None:
    code = Path(smt.__file__).with_name("smt_process.py").read_text()
    assert "from ." not in code
    assert "langgraph" not in code
    assert os.path.basename(smt._PROGRAM) == "smt_process.py"
