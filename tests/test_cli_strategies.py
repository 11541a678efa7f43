"""The strategies on the command line: flags, the configuration file, and what batch keeps apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.cli import main
from langgraph_decompose.cli.arguments import ALWAYS_SPLITTING, WITH_LINES
from langgraph_decompose.graphs.factory import ABOUT

SUM = "What is 12 * 11?"
CHANGE = (
    "Tom buys 2 coats for $90 each and 5 caps for $12 each. Tom pays with a $300 note. "
    "How much change does Tom get?"
)


def trace_of(done: Any) -> dict[str, Any]:
    assert done.code == 0, done.err
    return json.loads(done.out)["trace"]


def test_a_gate_and_a_ladder_are_a_flag_away(decompose: Any, tmp_path: Path) -> None:
    gated = trace_of(decompose("ask", "--json", "--no-save", "--gate", "disagreement", SUM))
    assert gated["gate"] == {"gate": "disagreement", "split": False, "votes": 3, "samples": 3}
    ladder = [{"strategy": "direct", "samples": 3}, {"strategy": "dag", "samples": 1}]
    (tmp_path / "ladder.json").write_text(json.dumps(ladder))
    asked = ("ask", "--json", "--strategy", "escalate", "--ladder", "ladder.json")
    climbed = trace_of(decompose(*asked, CHANGE))
    assert [rung["strategy"] for rung in climbed["rungs"]] == ["direct", "dag"]


def test_the_configuration_s_defaults_hold_where_a_strategy_has_use_for_them(
    decompose: Any, tmp_path: Path
) -> None:
    config = tmp_path / "own.toml"
    config.write_text(
        'gate = "always"\nverifier = "bundled"\n'
        'ladder = [{strategy = "direct", samples = 2}, {strategy = "dag", samples = 1}]\n'
    )
    env = {"DECOMPOSE_CONFIG": str(config)}
    for strategy in ("direct", "escalate"):
        done = decompose("ask", "--no-save", "--strategy", strategy, SUM, env=env)
        assert (done.code, done.out) == (0, "132\n"), done.err
    done = decompose("ask", "--no-save", "--json", "--gate", "model", SUM, env=env)
    assert json.loads(done.out)["plan"] == []
    config.write_text('verify = "none"\n')
    done = decompose("ask", "--no-save", SUM, env=env)
    assert (done.code, done.out) == (0, "132\n"), done.err
    config.write_text("ladder = 3\n")
    done = decompose("ask", SUM, env=env)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "ladder must be a file or a list, not 3" in done.err


def test_a_batch_is_not_mixed_from_two_ladders(decompose: Any, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps({"question": SUM}) + "\n")
    ladder = tmp_path / "ladder.json"
    ladder.write_text('[{"strategy": "direct", "samples": 1}]')
    asked = ("batch", "in.jsonl", "--out", "out.jsonl", "--strategy", "escalate")
    asked += ("--ladder", "ladder.json")
    assert decompose(*asked).code == 0
    ladder.write_text('[{"strategy": "direct", "samples": 2}]')
    done = decompose(*asked, "--retry-failed")
    assert done.code == 0, "what is there is ok, so nothing is asked again"
    result = json.loads((tmp_path / "out.jsonl").read_text())
    assert result["trace"]["rungs"][0]["samples"] == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--strategy=escalate", "--ladder=x.json"], "there is no ladder file 'x.json'; check"),
        (["--strategy=symbolic", "--examples=."], "the examples file '.' can't be read"),
        (["--ladder=x.json"], "--ladder is for the strategy 'escalate', not 'dag'."),
        (["--strategy=cot", "--examples=x.json"], "--examples is for the strategy 'symbolic', not"),
        (["--strategy", "cot", "--gate", "always"], "gate 'always' needs a strategy that always"),
        (
            ["--strategy", "dynamic"],
            "'bundled' was trained as solver alone and can't be a decomposer",
        ),
        (["--verify", "both"], "only writes expressions: name a --verifier."),
        (["--verifier", "bundled"], "a verifier needs verify=: one of"),
        (["--strategy", "recursive", "--max-total", "9"], "max_total=9 leaves no room to split"),
    ],
)
def test_a_mistake_is_one_line(decompose: Any, flags: list[str], said: str) -> None:
    done = decompose("ask", *flags, SUM)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err


def test_what_the_command_line_knows_of_strategies_is_true() -> None:
    assert tuple(ABOUT) == main._STRATEGIES
    assert {name for name, about in ABOUT.items() if about.always} == set(ALWAYS_SPLITTING)
    assert {name for name, about in ABOUT.items() if about.lines} == set(WITH_LINES)


def test_a_field_of_the_user_s_is_not_taken_for_the_question(
    decompose: Any, tmp_path: Path
) -> None:
    rows = [{"question": SUM, "asked": "2024-01-01"}, {"question": SUM, "asked": {"question": "x"}}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = decompose("batch", "in.jsonl", "--out", "out.jsonl")
    assert done.code == 0, done.err
    results = [json.loads(row) for row in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["answer"] for row in results] == ["132", "132"]
