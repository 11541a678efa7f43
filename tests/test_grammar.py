"""The GBNF grammar against llama.cpp's own grammar sampler: exactly the plan text."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from langgraph_decompose.models.engine import Engine
from langgraph_decompose.models.llama import llama_cpp
from langgraph_decompose.nodes.expression import EXPRESSION_GRAMMAR
from langgraph_decompose.plan import (
    MAX_TEXT_CHARS,
    Plan,
    PlanError,
    Subquestion,
    parse_plan,
    plan_grammar,
)
from langgraph_decompose.tools import calculate

CAP = 4


@pytest.fixture(scope="module")
def accepts(engine: Engine) -> Callable[[str], bool]:
    """Whether a whole text, followed by the end of the reply, is in the plan grammar."""
    return lambda text: follows(engine, plan_grammar(CAP), text)


def follows(engine: Engine, grammar: str, text: str) -> bool:
    state = engine.sampler._grammar(grammar)
    end = llama_cpp.llama_vocab_eos(engine.vocab)
    try:
        for token in [*engine.tokenize(text, special=False), end]:
            if not engine.sampler.allows(state, token):
                return False
            if token != end:
                llama_cpp.llama_sampler_accept(state, token)
        return True
    finally:
        llama_cpp.llama_sampler_free(state)


lines = st.text(alphabet=st.sampled_from("ab<-# 1?\u00e9\u4e2d"), max_size=12)
needs = st.lists(st.integers(0, 5), max_size=3).map(lambda ids: "".join(f" #{k}" for k in ids))
near_plans = st.lists(
    st.builds(
        lambda k, text, after: f"#{k} {text}{after}",
        st.integers(0, 5),
        lines,
        st.just("") | needs.map(lambda ids: f" <-{ids}"),
    ),
    min_size=1,
    max_size=5,
).map("\n".join)


@settings(max_examples=300)
@given(near_plans)
@example("atomic")
@example("atomic\n")
@example("#1 a")
@example("#1  a")
@example("#1 a ")
@example("#1 a < b <<x")
@example("#1 a\n#2 a < <- #1")
@example("#1 a\n#2 b <- #2")
@example("#1 a\n#2 b <- #1 #1")
@example("#1 a\n#2 b\n#3 c <- #2 #1")
@example("#1 a\n\n#2 b")
@example("#1 a\u00a0b")
@example("#1 " + "x" * MAX_TEXT_CHARS)
@example("#1 " + "x" * (MAX_TEXT_CHARS + 1))
def test_the_grammar_accepts_exactly_the_plan_texts(
    accepts: Callable[[str], bool], text: str
) -> None:
    assert accepts(text) == is_plan_text(text)


def is_plan_text(text: str) -> bool:
    """The language in plain Python, line by line."""
    if text == "atomic":
        return True
    rows = text.split("\n")
    return len(rows) <= CAP and all(is_line(k, row) for k, row in enumerate(rows, 1))


def is_line(k: int, row: str) -> bool:
    start = f"#{k} "
    body, arrow, listed = row.removeprefix(start).partition(" <-")
    if not row.startswith(start) or len(body) > MAX_TEXT_CHARS:
        return False
    if not body.strip() or Subquestion(k, body).text != body:
        return False
    ids = [int(n) for n in re.findall(r"\d+", listed)]
    ascending = ids == sorted(set(ids)) and all(1 <= n < k for n in ids)
    return not arrow or bool(re.fullmatch(r"(?: #\d+)+", listed) and ascending)


def test_every_cap_compiles_and_allows_its_own_number_of_lines(engine: Engine) -> None:
    for cap in (1, 2, 8, 16, 64):
        full = "\n".join(f"#{k} a" for k in range(1, cap + 1))
        assert follows(engine, plan_grammar(cap), full)
        assert not follows(engine, plan_grammar(cap), f"{full}\n#{cap + 1} a")
    with pytest.raises(PlanError, match="1 to 64"):
        plan_grammar(65)


def test_a_line_may_need_every_earlier_one(engine: Engine) -> None:
    rows = [
        f"#{k} a" + ("".join([" <-", *(f" #{n}" for n in range(1, k))]) if k > 1 else "")
        for k in range(1, 9)
    ]
    text = "\n".join(rows)
    assert str(parse_plan(text)) == text
    assert follows(engine, plan_grammar(8), text)


@pytest.mark.parametrize("text", ["48/2", "(3+4.5) * 20%", "-2 - -3", "((1))"])
def test_the_expression_grammar_admits_what_the_calculator_reads(engine: Engine, text: str) -> None:
    assert follows(engine, EXPRESSION_GRAMMAR, text)
    calculate(text)


@pytest.mark.parametrize("text", ["", "x", "3 +", "2 ** 3", "__import__('os')", "1\n", "(1"])
def test_the_expression_grammar_admits_nothing_else(engine: Engine, text: str) -> None:
    assert not follows(engine, EXPRESSION_GRAMMAR, text)


def test_an_empty_plan_is_the_word_atomic() -> None:
    assert str(Plan()) == "atomic"
