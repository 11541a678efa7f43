"""`decompose eval --fit-ladder`: samples drawn once, a ladder searched on them, then used."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph_decompose import create_decomposition_graph
from langgraph_decompose.cli.main import main
from langgraph_decompose.errors import UserError
from langgraph_decompose.evals.fit_ladder import fit_ladder, ladder_text, rung_row
from langgraph_decompose.evals.ladder import MOST_SAMPLES, Drawn, LadderSamples, Spend
from langgraph_decompose.evals.ladder_samples import LadderChoice, drawn_of, warnings_about
from langgraph_decompose.evals.ladder_search import search_ladder
from langgraph_decompose.graphs.escalate import MAX_RUNGS, Rung, read_ladder
from langgraph_decompose.models.references import ResolvedModel
from langgraph_decompose.testing import LatencyServer
from langgraph_decompose.testing.wire import words

from .conftest import always, soon

RIGHT, SPLIT = "r" * 10, "abcdefghij"
"""Ten samples that agree on the right answer, and ten that agree on nothing."""


def samples(spend: Spend | dict[str, Spend] | None = None, **cells: Sequence[str]) -> LadderSamples:
    """From `strategy` or `strategy_solver`: ten letters an item; `r` is right, `-` failed."""
    drawn: dict[Rung, list[Drawn]] = {}
    for name, items in cells.items():
        strategy, _, solver = name.partition("_")
        cost = spend.get(name, Spend(1, 10, 0)) if isinstance(spend, dict) else spend
        cell = Rung(strategy, MOST_SAMPLES, solver or "m")  # type: ignore[arg-type]
        drawn[cell] = [
            Drawn([None if c == "-" else c for c in item], [cost or Spend(1, 10, 0)] * 10)
            for item in items
        ]
    return LadderSamples(drawn, lambda _, answer: float(answer == "r"))


def found(drawn: LadderSamples) -> list[str]:
    return [f"{r.strategy}×{r.samples} {r.solver}" for r in search_ladder(drawn).ladder]


def test_a_strategy_follows_that_is_right_where_the_first_disagrees() -> None:
    drawn = samples(
        direct=["w" * 10] * 4, cot=[RIGHT, RIGHT, RIGHT, SPLIT], dag=[SPLIT, SPLIT, RIGHT, RIGHT]
    )
    assert found(drawn) == ["cot×3 m", "dag×3 m"]
    figures = drawn.run(search_ladder(drawn).ladder)
    assert (figures.accuracy, figures.reached, figures.spent.calls) == (1.0, (4, 1), 15)


def test_what_agrees_on_a_wrong_answer_is_beyond_the_rungs_behind() -> None:
    drawn = samples(cot=[RIGHT, RIGHT, "w" * 10], dag=[SPLIT, SPLIT, RIGHT])
    fitted = search_ladder(drawn)
    assert found(drawn) == ["cot×3 m"]
    tried = [step for step in fitted.steps if step.rung.strategy == "dag"]
    assert tried[0].rung.samples == 3
    assert not any(step.kept for step in tried)


@pytest.mark.parametrize(
    ("size", "letters", "ends"),
    [(3, "rrw", False), (5, "rrrrw", True), (5, "rrrww", False), (10, "rrrrrrabcd", True),
     (10, "rrrrrabcde", False), (3, "rr-", False), (3, "---", False), (1, "w", True)],
)  # fmt: skip
def test_a_rung_ends_the_climb_by_its_samples(size: int, letters: str, ends: bool) -> None:
    drawn = samples(cot=[letters.ljust(10, "w")], dag=["w" * 10])
    climb = drawn.climb([Rung("cot", size, "m"), Rung("dag", 3, "m")], 0)
    assert climb.reached == (1 if ends else 2)


def test_if_no_rung_agrees_the_one_that_agreed_most_counts_and_the_later_of_equals() -> None:
    drawn = samples(direct=["rrabcdefgh"], cot=["wwabcdefgh"], dag=["zabcdefghi"])
    ladder = [Rung("direct", 3, "m"), Rung("cot", 3, "m"), Rung("dag", 3, "m")]
    climb = drawn.climb(ladder, 0)
    assert (climb.answer, climb.rung, climb.reached) == ("w", 1, 3)


def test_a_larger_size_is_kept_only_if_it_gains() -> None:
    drawn = samples(cot=["abcdrrrrrr", RIGHT, RIGHT, RIGHT])
    assert found(drawn) == ["cot×3 m", "cot×10 m"]
    assert [step.rung.samples for step in search_ladder(drawn).steps] == [3, 5, 10]


def test_a_gain_below_the_least_one_is_not_kept() -> None:
    for easy, kept in ((500, ["cot×3 m"]), (499, ["cot×3 m", "dag×3 m"])):
        drawn = samples(cot=[RIGHT] * easy + [SPLIT], dag=[SPLIT] * easy + [RIGHT])
        assert found(drawn) == kept


def test_the_rung_before_is_dropped_if_that_is_neither_worse_nor_dearer() -> None:
    items = {"cot_small": [RIGHT, SPLIT, SPLIT], "cot_large": [RIGHT] * 3}
    cheap = {"cot_small": Spend(1, 10, 0), "cot_large": Spend(1, 20, 0)}
    assert found(samples(cheap, **items)) == ["cot×1 large"], "30 tokens more for one item less"
    dear = {"cot_small": Spend(1, 10, 0), "cot_large": Spend(1, 100, 0)}
    assert found(samples(dear, **items)) == ["cot×3 small", "cot×1 large"]
    [*_, step] = [s for s in search_ladder(samples(cheap, **items)).steps if s.kept]
    assert step.dropped == Rung("cot", 3, "small")


def test_nothing_stands_behind_a_single_sample() -> None:
    """The last of several solvers begins with one; more take its place if they are better."""
    drawn = samples(cot_small=[RIGHT, SPLIT, SPLIT], cot_large=[SPLIT, RIGHT, "warrrrrrrr"])
    assert found(drawn) == ["cot×3 small", "cot×5 large"]


def test_of_equal_strategies_the_cheaper_then_the_first_named_is_next() -> None:
    same = {"direct": [RIGHT], "cot": [RIGHT]}
    assert found(samples(**same)) == ["direct×3 m"]
    assert found(samples({"direct": Spend(1, 11, 0)}, **same)) == ["cot×3 m"]
    money = {"direct": Spend(1, 11, 0.1), "cot": Spend(1, 10, 0.2)}
    assert found(samples(money, **same)) == ["direct×3 m"]


def test_at_most_three_strategies_of_a_solver_are_tried_at_a_size() -> None:
    drawn = samples(
        direct=[RIGHT, SPLIT, SPLIT, SPLIT],
        cot=[SPLIT, RIGHT, SPLIT, SPLIT],
        sequential=[SPLIT, SPLIT, RIGHT, SPLIT],
        dag=[SPLIT, SPLIT, SPLIT, RIGHT],
    )
    assert found(drawn) == ["direct×3 m", "cot×3 m", "sequential×3 m", "dag×5 m"]


@pytest.mark.parametrize(
    ("spend", "unit"),
    [(Spend(1, 10, 0.5), "cost"), (Spend(1, 10, 0), "tokens"), (Spend(1, 10, None), "tokens"),
     (Spend(1, None, None), "calls")],
)  # fmt: skip
def test_ladders_are_compared_by_what_is_known(spend: Spend, unit: str) -> None:
    assert samples(spend, cot=[RIGHT]).unit == unit


def test_where_nothing_is_right_there_is_nothing_to_choose(tmp_path: Path) -> None:
    choice = LadderChoice("svamp", ["cot"], ["m"])
    with pytest.raises(UserError, match="nothing to choose"):
        fit_ladder(samples(cot=["w" * 10] * 20), choice, tmp_path)
    assert not (tmp_path / "ladder.json").exists()


letters = st.text("rrrwx-", min_size=10, max_size=10)


@settings(max_examples=40)
@given(st.integers(1, 6).flatmap(lambda n: st.lists(
    st.lists(letters, min_size=n, max_size=n), min_size=6, max_size=6)))  # fmt: skip
def test_a_ladder_is_never_worse_than_its_best_first_rung(items: list[list[str]]) -> None:
    names = [f"{way}_{solver}" for solver in ("a", "b") for way in ("direct", "cot", "dag")]
    drawn = samples(**dict(zip(names, items, strict=True)))
    fitted = search_ladder(drawn)
    first = [Rung(way, 3, "a") for way in ("direct", "cot", "dag")]
    alone = max(drawn.run([rung]).accuracy for rung in first)
    accuracy = drawn.run(fitted.ladder).accuracy if fitted.ladder else 0.0
    assert accuracy >= alone
    kept = [step for step in fitted.steps if step.kept]
    assert accuracy == pytest.approx(sum(step.gain for step in kept))
    assert all(step.gain >= 0.0019 for step in kept)
    assert len(fitted.ladder) <= MAX_RUNGS
    assert fitted == search_ladder(drawn)
    if fitted.ladder:
        assert read_ladder([rung_row(rung) for rung in fitted.ladder]) == fitted.ladder


# The same samples, climbed for real


class Drawing(BaseChatModel):
    """Answers by strategy and seed, as a model in this process is asked for samples."""

    script: dict[str, str]

    @property
    def _llm_type(self) -> str:
        return "drawing"

    def _generate(self, messages: Any, *_: Any, seed: int = 0, **__: Any) -> ChatResult:
        prompt = "\n".join(message.text for message in messages)
        if "write the final answer" in prompt:
            text = re.findall(r"#2 B\? = (.*)", prompt)[0]
        else:
            text = self.script[self._strategy(prompt)][seed]
        if text == "-":
            raise ValueError("no answer")
        usage: Any = {"input_tokens": words(prompt), "output_tokens": 1, "total_tokens": 0}
        message = AIMessage(f"Answer: {text}" if "step by step" in prompt else text)
        message.usage_metadata = usage
        return ChatResult(generations=[ChatGeneration(message=message)])

    @staticmethod
    def _strategy(prompt: str) -> str:
        if "one step of a larger problem" not in prompt:
            return "cot" if "step by step" in prompt else "direct"
        # Only `sequential` shows #1 to a line that doesn't need it.
        return "dag" if "found:\nnone" in prompt else "sequential"


def climbed(
    script: dict[str, str], ladder: Sequence[Rung], plan: Any = "#1 A?\n#2 B?"
) -> dict[str, Any]:
    model = ResolvedModel("m", Drawing(script=script), accepts_grammar=True)
    planner = always(plan)
    graph = create_decomposition_graph(
        model, decomposer=planner, strategy="escalate", ladder=ladder
    )
    return graph.invoke({"question": "All?"})


ways = st.sampled_from(["direct", "cot", "sequential", "dag"])
rungs = st.lists(st.builds(Rung, ways, st.integers(1, 10)), min_size=1, max_size=4)
scripts = st.fixed_dictionaries(
    {way: st.text("rw-ab", min_size=10, max_size=10) for way in ("direct", "cot", "dag")}
)


@settings(max_examples=20)
@given(scripts, rungs)
def test_what_is_simulated_is_what_escalate_does(script: dict[str, str], ladder: Any) -> None:
    # The first line of `sequential` can't be told from one of `dag`; it is of no consequence.
    script = {**script, "sequential": script["cot"][::-1], "dag": script["dag"].replace("-", "z")}
    cells = {Rung(rung.strategy, MOST_SAMPLES): None for rung in ladder}
    drawn = {cell: [drawn_of(climbed(script, [cell]))] for cell in cells}
    expected = LadderSamples(drawn, lambda _, answer: float(answer == "r")).climb(ladder, 0)
    result = climbed(script, ladder)
    assert result["answer"] == expected.answer
    assert len(result["trace"]["rungs"]) == expected.reached
    assert result["trace"]["rung"] == expected.rung
    assert sum(row["calls"] for row in result["usage"]) == expected.spent.calls
    if expected.spent.tokens is not None and "-" not in "".join(script.values()):
        taken = [row["input_tokens"] + row["output_tokens"] for row in result["usage"]]
        assert sum(taken) == expected.spent.tokens


def test_a_rung_whose_plan_fails_has_no_answer() -> None:
    script = {"cot": "rrwwabcdef"}
    cot, dag = Rung("cot", 3), Rung("dag", 3)
    cells = [Rung("cot", MOST_SAMPLES), Rung("dag", MOST_SAMPLES)]
    drawn = {cell: [drawn_of(climbed(script, [cell], ValueError("down")))] for cell in cells}
    expected = LadderSamples(drawn, lambda *_: 1.0).climb([cot, dag], 0)
    assert (expected.answer, expected.rung, expected.reached) == ("r", 0, 2)
    assert expected.spent.calls == 4
    result = climbed(script, [cot, dag], ValueError("down"))
    assert (result["answer"], result["trace"]["rung"]) == ("r", 0)
    assert sum(row["calls"] for row in result["usage"]) == 4
    assert drawn_of({"answers": [], "usage": []}).answers == [], "the whole question failed"


def test_each_cap_is_a_granularity_of_its_own() -> None:
    choice = LadderChoice("svamp", ["cot", "dag"], ["bundled"], caps=(2, 4, 8))
    assert [cell.max_subquestions for cell in choice.systems] == [None, 2, 4, 8]
    names = {system.name for system in choice.systems.values()}
    assert len(names) == 4
    coarse, fine = (Rung("dag", MOST_SAMPLES, "m", cap) for cap in (2, 8))
    texts = {coarse: [RIGHT, RIGHT, SPLIT], fine: [SPLIT, SPLIT, RIGHT]}
    drawn = {cell: [Drawn(t, [Spend(1)] * 10) for t in items] for cell, items in texts.items()}
    fitted = search_ladder(LadderSamples(drawn, lambda _, answer: float(answer == "r")))
    assert [rung.max_subquestions for rung in fitted.ladder] == [2, 8]


# Through the command line


class Weak:
    """Right with `cot` of two thirds of the numbers, with `dag` of another two.

    Of the rest it disagrees with itself, and `direct` it is always wrong.
    """

    def __init__(self) -> None:
        self._next = count(1000)

    def __call__(self, prompt: str, body: dict[str, Any]) -> str:
        number = int(re.findall(r"\d+", prompt.rsplit("What is twice", 1)[-1])[0])
        if body["model"] == "decomposer":
            return f"#1 What is twice {number}?"
        if "write the final answer" in prompt:
            return re.findall(r"#1 .* = (.*)", prompt)[0]
        if "one step of a larger problem" in prompt:
            return str(2 * number if number % 3 != 1 else next(self._next))
        if "step by step" in prompt:
            return f"So.\nAnswer: {2 * number if number % 3 else next(self._next)}"
        return str(2 * number + 1)


@pytest.fixture
def server() -> Iterator[LatencyServer]:
    with LatencyServer(Weak()) as served:
        yield served


def questions(folder: Path, number: int, first: int = 10) -> str:
    path = folder / f"twice{number}from{first}.jsonl"
    rows = [
        {"id": str(n), "question": f"What is twice {n} ?", "answer": 2 * n}
        for n in range(first, first + number)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def fitting(server: LatencyServer, asked: str, out: Path, *strategies: str) -> list[str]:
    models = ["--solver", f"openai:solver@{server.url}",
              "--decomposer", f"openai:decomposer@{server.url}"]  # fmt: skip
    strategy = ["--strategy", *(strategies or ("direct", "cot", "dag"))]
    return ["eval", asked, "--fit-ladder", *strategy, *models, "--out", str(out)]


def test_killed_it_goes_on_and_its_ladder_is_used(
    server: LatencyServer, tmp_path: Path, capsys: Any
) -> None:
    out = tmp_path / "out"
    arguments = fitting(server, questions(tmp_path, 21), out)
    for calls in (150, 450):
        _kill_after(calls, server, out, [*arguments, "--resume", "--concurrency", "4"])
    assert main([*arguments, "--resume", "--json"]) == 0
    told = capsys.readouterr()
    found, calls = json.loads(told.out), len(server.calls)
    asked = Counter(call.prompt for call in server.calls if call.delivered)
    assert sum(asked.values()) == 21 * (10 + 10 + 1 + 10 * 2), "nothing was asked again"
    assert "21 items are few to choose by" in told.err
    _check_found(found, json.loads((out / "ladder.json").read_text()), server)
    # Once more, for a person: nothing is asked, and the same is found.
    assert main([*arguments, "--resume"]) == 0
    text = capsys.readouterr().out
    assert text == ladder_text(found) + "\n"
    assert "optimistic" in text
    assert len(server.calls) == calls
    assert main(arguments) == 2
    assert "--resume" in capsys.readouterr().err
    _use(server, tmp_path, out / "ladder.json", capsys)


def _kill_after(calls: int, server: LatencyServer, out: Path, arguments: list[str]) -> None:
    """Kill it once so many calls were made in all, with all that was delivered on disk."""

    def hold(_: str) -> float:
        # From the server's own thread: no reply is on its way out meanwhile.
        if len(server.calls) >= calls:
            server.hold()
        return 0.0

    def kept() -> int:
        lines = (out / "samples.replies.jsonl").read_bytes().split(b"\n")[:-1]
        return sum("value" in json.loads(line) for line in lines)

    server.latency = hold
    process = subprocess.Popen(
        [sys.executable, "-m", "langgraph_decompose", *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert soon(lambda: len(server.calls) >= calls)
    assert soon(lambda: kept() == sum(call.delivered for call in server.calls))
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert soon(lambda: not server.in_flight)
    server.latency = 0.0
    server.release()


def _check_found(found: Any, ladder: Any, server: LatencyServer) -> None:
    solver = f"openai:solver@{server.url}"
    cot = {"strategy": "cot", "samples": 3, "solver": solver}
    dag = {"strategy": "dag", "samples": 3, "solver": solver, "max_subquestions": 8}
    assert ladder == found["ladder"] == [cot, dag]
    figures = {row["name"].partition(" · ")[0]: row for row in found["figures"]}
    assert figures["the ladder"]["accuracy"]["value"] == 1
    assert figures["the ladder"]["reached"] == [21, 7]
    assert figures["the ladder"]["calls"] == pytest.approx((21 * 3 + 7 * 7) / 21)
    assert figures["cot×5"]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert figures["dag×1 ≤8"]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert (figures["direct×1"]["accuracy"]["value"], figures["direct×1"]["calls"]) == (0, 1)


def _use(server: LatencyServer, tmp_path: Path, ladder: Path, capsys: Any) -> None:
    """Ask and measure with the ladder; its own solver is named nowhere else."""
    models = ["--decomposer", f"openai:decomposer@{server.url}", "--ladder", str(ladder)]
    before = len(server.calls)
    assert main(["ask", "What is twice 12 ?", "--strategy", "escalate", "--no-save", *models]) == 0
    assert capsys.readouterr().out == "24\n"
    assert len(server.calls) - before == 3 + 1 + 3 * 2, "12 is hard for cot"
    measured = ["eval", questions(tmp_path, 6, 100), "--strategy", "escalate", *models]
    solver = ["--solver", f"openai:solver@{server.url}"]
    assert main([*measured, *solver, "--out", str(tmp_path / "measured"), "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)["systems"]
    assert row["metrics"]["accuracy"]["value"] == 1


def test_a_mistake_is_one_line(server: LatencyServer, tmp_path: Path, capsys: Any) -> None:
    few, enough = questions(tmp_path, 19), questions(tmp_path, 20)
    plans = tmp_path / "plans.yaml"
    plans.write_text(
        "name: plans\nversion: 1\nprompt_version: '1'\nformat: strategyqa\nsource: dev.json\n"
    )
    out = tmp_path / "out"
    usual = fitting(server, enough, out)
    for arguments, says in (
        (fitting(server, few, out), "19 items are too few to choose by; it takes 20"),
        ([*usual, "--limit", "5"], "5 items are too few"),
        (fitting(server, str(plans), out), "judges plans only"),
        (fitting(server, enough, out, "cot", "self_consistency"), "not 'self_consistency'"),
        (fitting(server, "table1", out), "one task or file"),
        ([*usual, "--gate", "never"], "--fit-ladder can't be combined with --gate"),
        ([*usual, "--decomposer", "gold"], "the decomposer that it is to be used with"),
        ([*usual, "--decomposer", "a", "b"], "a ladder has one decomposer"),
        ([*usual, "--solver", "openai:m@http://me:secret@localhost/v1"], "a file to keep"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert says in error
        assert "secret" not in error
        assert error.count("\n") == 1
    assert not server.calls


@pytest.mark.parametrize(
    ("task", "doubted"),
    [("svamp", True), ("gsm8k", True), ("data/gsm8k/test.jsonl", True), ("mine.jsonl", False)],
)
def test_to_choose_by_what_is_for_evaluation_is_doubted(
    task: str, doubted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if task.endswith(".jsonl"):
        path = tmp_path / task
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"question": "What is twice 2 ?", "answer": 4}\n')
    warnings = warnings_about(LadderChoice(task, ["cot"], ["bundled"]), 200)
    assert [("tune on the test" in text) for text in warnings] == [True] * doubted
