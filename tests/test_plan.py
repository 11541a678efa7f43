"""Plans: what is valid, how they are written and read back."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph_decompose.plan import (
    MAX_TEXT_CHARS,
    Plan,
    PlanError,
    Subquestion,
    ancestors,
    critical_path,
    depth,
    ending,
    levels,
    parse_plan,
    references,
    width,
    without_thinking,
)

texts = st.text(min_size=1, max_size=60).filter(
    lambda t: any(c.isprintable() and not c.isspace() for c in t)
)


@st.composite
def plans(draw: st.DrawFn, most: int = 8) -> Plan:
    """Any valid plan of up to `most` lines, over any text."""
    count = draw(st.integers(0, most))
    lines = []
    for k in range(1, count + 1):
        needs = draw(st.sets(st.integers(1, k - 1))) if k > 1 else set()
        lines.append(Subquestion(k, draw(texts), tuple(needs)))
    return Plan(tuple(lines), final=draw(st.sampled_from(["last", "compose"])))


@given(plans())
def test_a_plan_written_as_text_is_read_back_the_same(plan: Plan) -> None:
    assert parse_plan(str(plan), final=plan.final) == plan


def test_half_a_character_is_none() -> None:
    """No journal, cache or server could take it."""
    assert str(Subquestion(1, "Who is\ud83d it?")) == "#1 Who is it?"


@given(plans())
def test_a_plan_written_as_rows_is_read_back_the_same(plan: Plan) -> None:
    assert Plan.from_rows(plan.to_rows(), final=plan.final) == plan


@given(st.text(max_size=2000))
def test_any_text_parses_or_fails_with_a_plan_error(text: str) -> None:
    try:
        plan = parse_plan(text)
    except PlanError as error:
        assert "\n" not in str(error)
    else:
        assert parse_plan(str(plan)) == plan


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "text", "question", "needs", "subquestions", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_parses_or_fails_with_a_plan_error(value: object) -> None:
    import json

    for read in (lambda: parse_plan(json.dumps(value)), lambda: Plan.from_rows(value)):
        try:
            read()
        except PlanError:
            pass


@settings(max_examples=30)
@given(
    st.sampled_from(["a", "<-", "#1 a\n", "1. x\n", "[", '{"a":', "- ", "<think>", "#", "\n", "`"])
)
def test_a_megabyte_of_garbage_takes_under_a_second(unit: str) -> None:
    begin = time.process_time()
    for text in (unit * (1_000_000 // len(unit)), (unit * 50_000)[:50_000]):
        with pytest.raises(PlanError):
            parse_plan(text)
    assert time.process_time() - begin < 1.0


@pytest.mark.parametrize(
    ("reply", "plan"),
    [
        ("atomic", "atomic"),
        ("Atomic.", "atomic"),
        ('"No decomposition"', "atomic"),
        ("No decomposition is needed.", "atomic"),
        ('{"subquestions": []}', "atomic"),
        ("#1 atomic", "atomic"),
        ("1. **Atomic**", "atomic"),
        ("atomic\n\nOne fact answers it.", "atomic"),
        ("1. Who?\n2. When?", "#1 Who?\n#2 When? <- #1"),
        ("1) Who?\n2) When?\n3) Why?", "#1 Who?\n#2 When? <- #1\n#3 Why? <- #1 #2"),
        ("Sure! A plan:\n\n1. Who?\n2. When was #1 born?", "#1 Who?\n#2 When was #1 born? <- #1"),
        ("- Who?\n- When?", "#1 Who?\n#2 When? <- #1"),
        ("**1.** Who?\n**2.** When?", "#1 Who?\n#2 When? <- #1"),
        ("Q1: Who?\nQ2: When?", "#1 Who?\n#2 When? <- #1"),
        ("(1) Who?\n(2) When?", "#1 Who?\n#2 When? <- #1"),
        ("Subquestion #1: Who?\nSubquestion #2: When?", "#1 Who?\n#2 When? <- #1"),
        ("**#1** Who?\n**#2:** When did #1?", "#1 Who?\n#2 When did #1? <- #1"),
        ("**#1 Who?**\n**#2 When?** <- #1", "#1 Who?\n#2 When? <- #1"),
        ("- #1 Who?\n- #2 When?", "#1 Who?\n#2 When?"),
        ("1. #1 Who?\n2. **#2** When? <- #1", "#1 Who?\n#2 When? <- #1"),
        ("1. Who?\n2. #1 was born when?", "#1 Who?\n#2 #1 was born when? <- #1"),
        ("Step 1: Who?\n**Step 2:** When?", "#1 Who?\n#2 When? <- #1"),
        ("#1 A?\r\n#2 B? <- #1\r\n#3 C? <- #2", "#1 A?\n#2 B? <- #1\n#3 C? <- #2"),
        ("```\n#1 Who?\n#2 When?\n```", "#1 Who?\n#2 When?"),
        ("<think>1. no</think>#1 Who?", "#1 Who?"),
        ("I plan.\n<think>\n#1 Draft?\n</think>\n#1 Who?\n#2 When?", "#1 Who?\n#2 When?"),
        ('["Who?", "When?"]', "#1 Who?\n#2 When? <- #1"),
        (
            '[{"id": 1, "question": "Who?"}, {"id": 2, "question": "Both?", "depends_on": [1]}]',
            "#1 Who?\n#2 Both? <- #1",
        ),
        ('```json\n{"plan": ["Who?", "When did #1?"]}\n```', "#1 Who?\n#2 When did #1? <- #1"),
        ('Here you are: ["Who?", "When?"]', "#1 Who?\n#2 When? <- #1"),
        ('Here is the plan (JSON): ["Who?", "When?"]', "#1 Who?\n#2 When? <- #1"),
        ('Sure! ["Who?", "When?"]', "#1 Who?\n#2 When? <- #1"),
        ("1. What is sum([])?\n2. And max([])?", "#1 What is sum([])?\n#2 And max([])? <- #1"),
        ('- Is ["a", "b"] long?\n- Why?', '#1 Is ["a", "b"] long?\n#2 Why? <- #1'),
        ('1. What is f({"plan": []})?', '#1 What is f({"plan": []})?'),
        ("Who was?\nMain question: what?\nWhen was it?", "#1 Who was?\n#2 When was it? <- #1"),
        ("#2 Who?\n#5 When was #2 born? <- #2", "#1 Who?\n#2 When was #1 born? <- #1"),
        ('1. Which of: ["a", "b"]?\n2. And?', '#1 Which of: ["a", "b"]?\n#2 And? <- #1'),
        ("1、谁导演了它？\n2、谁是#1的配偶？", "#1 谁导演了它？\n#2 谁是#1的配偶？ <- #1"),
        ("谁导演了它？\n何时？", "#1 谁导演了它？\n#2 何时？ <- #1"),
        ("#1 A? <- none\n#2 B? <- (#1)", "#1 A?\n#2 B? <- #1"),
        ("#1 A?\n#2 B?\n#3 C? <- #1 and #2.", "#1 A?\n#2 B?\n#3 C? <- #1 #2"),
        ("#1:Who?\n#2:When did #1? <- #1", "#1 Who?\n#2 When did #1? <- #1"),
        ("#1：谁？\n#2：#1的配偶？ <- #1", "#1 谁？\n#2 #1的配偶？ <- #1"),
        ("Who?\nWhen did #1? <- #1", "#1 Who?\n#2 When did #1? <- #1"),
        ("atomic\n\n- It asks for one fact.", "atomic"),
        ("One fact answers it.\n\natomic", "atomic"),
    ],
)  # fmt: skip
def test_what_models_write_without_a_grammar_is_read(reply: str, plan: str) -> None:
    assert str(parse_plan(reply)) == plan


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("<think>hm</think>42", "42"),
        ("\n<think>is it </think>? no</think>42", "42"),
        ("hm</think>42", "42"),
        ("<think>hm", ""),
        ("The <think> tag opens it.", "The <think> tag opens it."),
        ("It is between <think> and </think>.", "It is between <think> and </think>."),
        ("hm</think>The <think> tag opens it.", "The <think> tag opens it."),
        ("Let me see.\n<think>42, or 43?</think>\n42", "\n42"),
        ("Let me see.\n<think>42, or", ""),
        ("\ufeff<think>hm</think>42", "42"),
        ("Is it <think>? No.\n</think>\n42", "\n42"),
    ],
)
def test_thinking_is_what_tags_that_begin_a_line_mark(reply: str, text: str) -> None:
    assert without_thinking(reply) == text


def test_a_reply_without_tags_can_be_read_at_each_token() -> None:
    text, begin = "end\n" * 100_000, time.process_time()
    for _ in range(2_000):
        without_thinking(text)
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "empty"),
        ("I cannot help with that.", "no list"),
        ("#1 Who? <- #2\n#2 When?", "isn't an earlier line"),
        ("#1 Who? <- #1", "isn't an earlier line"),
        ("#1 Who?\n#1 When?", "two subquestions"),
        ("#1 Who? <- the first", "isn't a list of ids"),
        ("\n".join(f"#{k} Who?" for k in range(1, 10)), "over the cap 8"),
        ("#1 " + "x" * (MAX_TEXT_CHARS + 1), "over 300 characters"),
    ],
)
def test_what_is_no_plan_is_refused_with_the_reason(reply: str, reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        parse_plan(reply)


def test_a_reference_counts_only_for_an_earlier_line() -> None:
    assert references("Who directed #1, the #1st film after #12?", own_id=2) == (1,)
    assert references("the #1 song of 1985", own_id=1) == ()
    assert Subquestion(2, "Who directed #1?").needs == (1,)


def test_a_script_without_spaces_goes_on_right_behind_a_reference() -> None:
    line = Subquestion(3, "谁是#1的配偶，#2의 C#2?")
    assert line.needs == (1, 2)
    assert line.resolve({1: "Ann", 2: "Bob"}) == "谁是Ann的配偶，Bob의 C#2?"
    assert Subquestion(2, "¿Quién fue el #1º, y la #1ª?").needs == ()
    assert str(parse_plan("#1 谁？\n#3 #1的配偶？\n#4 #3的年龄？")).endswith("#3 #2的年龄？ <- #2")


def test_answers_are_put_in_place_of_references_only() -> None:
    line = Subquestion(3, "Is #1 older than #2, the #3 of #22?")
    assert line.resolve({1: "Ann #2", 2: "Bob"}) == "Is Ann #2 older than Bob, the #3 of #22?"


def test_what_looks_wrong_but_runs_is_a_warning() -> None:
    plan = parse_plan("#1 Who?\n#2 Who?\n#3 When? <- #1", final="last")
    assert plan.warnings == (
        "subquestion #2 repeats #1",
        "nothing uses the answer of subquestion #2",
    )
    assert parse_plan("#1 Who?\n#2 When?", final="compose").warnings == ()


@given(plans())
def test_levels_depth_and_width_agree(plan: Plan) -> None:
    done: set[int] = set()
    rounds = []
    while len(done) < len(plan.subquestions):
        batch = [s.id for s in plan.subquestions if s.id not in done and done.issuperset(s.needs)]
        rounds.append(batch)
        done.update(batch)
    assert rounds == levels(plan)
    assert done == {s.id for s in plan.subquestions}
    assert depth(plan) == len(rounds)
    assert width(plan) == max(map(len, rounds), default=0)
    assert critical_path(plan, dict.fromkeys(done, 1.0)) == depth(plan)


@given(plans())
def test_ancestors_are_all_that_a_line_rests_on(plan: Plan) -> None:
    for line in plan.subquestions:
        expected: set[int] = set()
        for k in line.needs:
            expected |= {k, *ancestors(plan, k)}
        assert set(ancestors(plan, line.id)) == expected


@given(st.text(alphabet="#1<- ,x", max_size=400))
def test_what_looks_like_needs_is_read_in_no_time(text: str) -> None:
    begin = time.process_time()
    for reply in (f"#1 A?\n#2 B? <- {text}", "#1 A? <- " + "1" * 40 + "x"):
        try:
            parse_plan(reply)
        except PlanError:
            pass
    assert time.process_time() - begin < 0.5


def test_a_decimal_number_is_no_list_marker() -> None:
    with pytest.raises(PlanError, match="no list"):
        parse_plan("1.5 km is a long way\n2.5 km too")


@pytest.mark.parametrize(
    ("question", "lines", "end"),
    [
        ("Which commit broke it, and who wrote that?", ["Which?", "Who wrote #1?"], "compose"),
        ("Who broke it? And when?", ["Who?", "When did #1?"], "compose"),
        ("What did Ann L. Li write, and when did she?", ["What?", "When did #1?"], "compose"),
        ("What did Mr. Li write, and when did he?", ["What?", "When did #1?"], "compose"),
        ("Who broke it and how can it be mended", ["Who?", "How?"], "compose"),
        ("Who wrote Emma and when was it published?", ["Who?", "When was #1?"], "compose"),
        ("When and where was he born?", ["When?", "Where?"], "compose"),
        ("Who broke it and when?", ["Who?", "When did #1?"], "compose"),
        ("Who broke it? Also, when?", ["Who?", "When did #1?"], "compose"),
        ("Who broke it? Is it mended?", ["Who?", "Is #1 mended?"], "compose"),
        ("Is Ulm older than Bern, and by how much?", ["Is it?", "By how much?"], "compose"),
        ("Who broke it, and when? Be brief. Thank you.", ["Who?", "When did #1?"], "compose"),
        ("Which town is it where he lived and where Ann died?", ["Where?", "#1?"], "last"),
        ("Mr. Li has 3 hens. How many eggs, and at what price?", ["Eggs?", "For #1?"], "compose"),
        ("Who broke it, and when?", ["Who?", "When?", "Who, and when, by #1 and #2?"], "last"),
        ("When did he die, and of what?", ["Who?", "When did #1 die, and of what?"], "last"),
        ("Who is the man who wrote it and who sold it?", ["Who wrote it?", "Who is #1?"], "last"),
        ("He sold it, and what follows is known.", ["Who?"], "last"),
        ("Who broke it, and was it mended?", ["Who?", "Was it, after #1?"], "compose"),
        ("Who broke it, and did he mend it?", ["Who?", "Did #1 mend it?"], "compose"),
        ("Who broke it? also, is it mended?", ["Who?", "Is it, after #1?"], "compose"),
        ("Who bought the house, and had it mended?", ["Who?", "Was it #1?"], "last"),
        ("How far is it if he runs a mile, and does this daily?", ["Far?", "#1?"], "last"),
        ("Who was in Are We There Yet? is he old?", ["Who?", "How old is #1?"], "last"),
        ("Do They Know It's Christmas? was a hit of whom?", ["When?", "Whose in #1?"], "last"),
        ("Who broke it, and when?", [], "last"),
    ],
)
def test_a_question_that_asks_two_things_is_composed(
    question: str, lines: list[str], end: str
) -> None:
    rows = [{"id": k, "text": text} for k, text in enumerate(lines, 1)]
    assert ending(question, Plan.from_rows(rows)) == end
