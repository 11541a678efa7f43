"""The simulated solvers are as strong as they say, and what they cost is what was counted."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.prompts import load_prompts
from langgraph_decompose.testing import LatencyServer

from .conftest import ROOT

FOLDER = ROOT / "benchmarks"


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    return import_module("when_to_split")


def simulator(parts: Any, step: float = 0.9, **world: Any) -> Any:
    known = {problem.number: problem for problem in parts.crate_problems(64)}
    fails = parts.World("test", **{"written": 1.3, "brief": 1.6, **world})
    return parts.Simulator(fails, known, {"weak": step, "strong": 1.0})


def of_length(simulated: Any, steps: int) -> Any:
    return next(p for p in simulated.problems.values() if len(p.steps) == steps)


def worded(kind: str, problem: Any, **fields: str) -> str:
    whole = f"{problem.context}\n\n{problem.question}"
    messages = load_prompts()[kind].messages({"problem": whole, "max_subquestions": "8", **fields})
    return "\n\n".join(message["content"] for message in messages)


def say(simulated: Any, kind: str, problem: Any, model: str = "weak", **fields: str) -> str:
    return simulated(worded(kind, problem, **fields), {"model": model})


def answers_of(simulated: Any, kind: str, problem: Any, count: int) -> list[int]:
    said = [say(simulated, kind, problem) for _ in range(count)]
    return [int(reply.rpartition("Answer: ")[2].split()[0]) for reply in said]


@pytest.mark.parametrize("steps", [1, 2, 4, 7])
@pytest.mark.parametrize("kind", ["direct", "cot"])
def test_the_chance_falls_with_the_steps_asked_at_once_as_stated(
    parts: Any, kind: str, steps: int
) -> None:
    simulated, count = simulator(parts), 2_000
    problem = of_length(simulated, steps)
    right = sum(said == problem.answer for said in answers_of(simulated, kind, problem, count))
    chance = 0.9 ** (steps ** (1.6 if kind == "direct" else 1.3))
    assert abs(right / count - chance) < 4 * (chance * (1 - chance) / count) ** 0.5


def test_wrong_answers_are_scattered_or_a_habit(parts: Any) -> None:
    shares = []
    for habit in (0.0, 0.8):
        simulated = simulator(parts, step=0.3, habit=habit)
        problems = [p for p in simulated.problems.values() if len(p.steps) > 2]
        wrong: list[float] = []
        for problem in problems:
            said = answers_of(simulated, "cot", problem, 40)
            found = Counter(answer for answer in said if answer != problem.answer)
            wrong.append(max(found.values()) / found.total())
        shares.append(sum(wrong) / len(wrong))
    assert 0.25 < shares[0] < 0.4
    assert shares[1] > 0.75


def test_given_answers_are_used_whether_right_or_wrong(parts: Any) -> None:
    simulated = simulator(parts, step=1.0)
    problem = of_length(simulated, 3)
    before, last = problem.lines[-2], problem.steps[-1]
    used = last.inputs[0] if last.inputs[0] in problem.lines else before
    fields = {
        "answers": f"#1 {problem.ask(used)} = 999 {problem.items}",
        "subquestion": f"{problem.ask(problem.target, [(used, '#1')])}",
    }
    expected, _ = problem.solve(problem.target, {used: 999})
    assert say(simulated, "solve", problem, **fields) == f"{expected} {problem.items}"
    assert expected != problem.answer


def test_a_composer_copies(parts: Any) -> None:
    simulated = simulator(parts, step=0.01)
    problem = of_length(simulated, 5)
    found = f"#1 {problem.question} = 77 {problem.items}"
    fields = {"answers": found, "question": problem.question}
    assert say(simulated, "compose", problem, **fields) == f"77 {problem.items}"


def test_the_decomposer_judges_as_well_as_stated(parts: Any) -> None:
    problems = parts.crate_problems(2_000)
    simulated = simulator(parts)
    simulated.problems = {problem.number: problem for problem in problems}
    right = sum(
        (say(simulated, "decompose", problem, "decomposer") == "atomic") == (len(p.steps) == 1)
        for problem in problems
        for p in [problem]
    )
    assert 0.82 < right / 2_000 < 0.88


def test_a_prompt_that_is_not_understood_is_an_error(parts: Any) -> None:
    simulated = simulator(parts)
    data = json.dumps({"model": "weak", "messages": [{"role": "user", "content": "hi"}]}).encode()
    with LatencyServer(simulated) as server, pytest.raises(urllib.error.HTTPError, match="500"):
        urllib.request.urlopen(f"{server.url}/chat/completions", data)
    assert len(simulated.misunderstood) == 1
    with pytest.raises(RuntimeError, match="understood"):
        parts.check("anything", simulated, [])


def test_what_the_results_say_must_be_what_the_server_counted(parts: Any) -> None:
    simulated = simulator(parts)
    say(simulated, "direct", of_length(simulated, 1))
    tokens = sum(simulated.spent.values())
    row = {"right": True, "money": 0.0, "calls": 1, "steps": 1}
    parts.check("direct", simulated, [parts.Asked(tokens=tokens, **row)])
    with pytest.raises(RuntimeError, match="counted"):
        parts.check("direct", simulated, [parts.Asked(tokens=tokens - 1, **row)])


def test_figures_are_the_same_again_and_with_and_without_http(tmp_path: Path) -> None:
    ways = {"http": ["--workers", "1"], "here": ["--in-process", "--workers", "2"]}
    running = {
        name: subprocess.Popen(
            [sys.executable, FOLDER / "when_to_split.py", "--quick", "--count", "5", *flags,
             "--json", tmp_path / f"{name}.json", "--plot", tmp_path / f"{name}.svg"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for name, flags in ways.items()
    }  # fmt: skip
    for process in running.values():
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ways)
    assert first == second
    assert (tmp_path / "here.svg").read_text().count("recursive") == 2
    [weak, good] = first["cells"]
    assert weak["systems"]["cot"]["right"]["value"] <= good["systems"]["cot"]["right"]["value"]
    verdicts = {**first["beats"], **{f"{k}, pays": v for k, v in first["pays"].items()}}
    assert not any(verdicts[f"{name} by money"] for name in first["beats_nothing"])
    assert not any(verdicts[f"{name} by money, pays"] for name in first["pays_nowhere"])


def asked(parts: Any, right: list[int], tokens: int) -> list[Any]:
    """As many questions of 5 steps, each of which took the same."""
    return [parts.Asked(right=bool(r), tokens=tokens, money=0.0, calls=1, steps=5) for r in right]


def test_to_pay_is_to_be_right_more_often_than_all_that_is_as_cheap(parts: Any) -> None:
    verdicts = import_module("when_to_split_verdicts")
    weak, good = [1, 0] * 100, [1, 1, 1, 0] * 50
    rows = {name: asked(parts, weak, 100) for name in verdicts.UNDIVIDED}
    rows |= {
        "always split": asked(parts, good, 300),
        "self_consistency(15)": asked(parts, good, 400),
    }
    others = {name: asked(parts, weak, 900) for name in verdicts.BASELINES if name not in rows}
    cell = parts.Cell("w", 0.9, {**rows, **others, "always split, strong": asked(parts, weak, 900)})
    found = parts.report([cell], {})
    assert found["pays"]["always split by tokens"]["all questions, w"] == [0.9]
    assert not found["pays"]["recursive by tokens"]
    assert "recursive" in found["pays_nowhere"]
    beaten = found["beats"]["always split by tokens"]["self_consistency(15)"]
    assert set(beaten) == {"as good for less"}
    rows["self_consistency(5)"] = asked(parts, good, 300)
    found = parts.report([parts.Cell("w", 0.9, {**cell.asked, **rows})], {})
    assert not found["pays"]["always split by tokens"]
