"""Properties of the pure scheduler and of plans that are still being written, for any plan."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from langgraph_decompose import Plan, PlanError, Subquestion, parse_plan
from langgraph_decompose.nodes.schedule import Schedule
from langgraph_decompose.plan import parse_partial

MOST = 7
checked = settings(derandomize=True)
WORDS = st.text("abc #1?<-", min_size=1, max_size=12).filter(str.strip)


@st.composite
def plans(draw: st.DrawFn, texts: Any = WORDS) -> Plan:
    """Any plan: each line needs some of the earlier ones."""
    lines: list[Subquestion] = []
    for number in range(1, draw(st.integers(1, MOST)) + 1):
        needs = draw(st.sets(st.integers(1, number - 1))) if number > 1 else set()
        lines.append(Subquestion(number, draw(texts), tuple(needs)))
    return Plan(tuple(lines))


def row(line: Subquestion, status: str = "ok") -> Any:
    return {"id": line.id, "text": line.text, "status": status, "answer": f"answer to {line}"}


def grow(data: st.DataObject, schedule: Schedule, plan: Plan) -> None:
    """Show the schedule some more of the plan, or all of it."""
    known, most = len(schedule.lines), len(plan.subquestions)
    shown = data.draw(st.integers(min(known + 1, most), most), "shown")
    whole = known == most or (shown == most and data.draw(st.booleans(), "whole"))
    # Parsing makes new lines each time; only equality may count.
    lines = [Subquestion(s.id, s.text, s.needs) for s in plan.subquestions[:shown]]
    assert schedule.see(lines, complete=whole) == []


def run(data: st.DataObject, schedule: Schedule, plan: Plan, *, growing: bool) -> list[int]:
    """Run a plan, results coming in any order; returns ids in the order in which they began."""
    if not growing:
        schedule.see(plan.subquestions, complete=True)
    began: list[int] = []
    running: list[Subquestion] = []
    while not schedule.complete or schedule.running or len(schedule.rows) < len(schedule.lines):
        if not schedule.complete:
            grow(data, schedule, plan)
        for line in schedule.start():
            assert set(line.needs) <= set(schedule.rows), "a line begins once its needs are met"
            began.append(line.id)
            running.append(line)
        assert schedule.running == len(running)
        if running:
            done = running.pop(data.draw(st.integers(0, len(running) - 1), "done"))
            schedule.done(done, row(done, data.draw(st.sampled_from(["ok", "failed"]), "status")))
    return began


@checked
@given(plans(), st.data(), st.booleans(), st.booleans())
def test_every_line_begins_once_after_its_needs_and_all_finish(
    plan: Plan, data: st.DataObject, growing: bool, one_at_a_time: bool
) -> None:
    schedule = Schedule(one_at_a_time=one_at_a_time)
    began = run(data, schedule, plan, growing=growing)
    ids = [line.id for line in plan.subquestions]
    assert sorted(began) == ids
    assert not one_at_a_time or began == ids
    assert [result["id"] for result in schedule.results] == ids


@checked
@given(plans(), st.data(), st.booleans())
def test_a_growing_plan_ends_as_the_whole_plan_at_once_does(
    plan: Plan, data: st.DataObject, one_at_a_time: bool
) -> None:
    grown, at_once = (Schedule(one_at_a_time=one_at_a_time) for _ in range(2))
    run(data, grown, plan, growing=True)
    at_once.see(plan.subquestions, complete=True)
    while lines := at_once.start():
        for line in lines:
            at_once.done(line, grown.rows[line.id])
    assert grown.lines == at_once.lines == plan.subquestions
    assert grown.results == at_once.results
    for line in plan.subquestions:
        assert grown.known_to(line, carry_all=True) == at_once.known_to(line, carry_all=True)


@checked
@given(plans(), plans(), st.data())
def test_a_replaced_plan_keeps_what_is_the_same(old: Plan, new: Plan, data: st.DataObject) -> None:
    shared = data.draw(st.integers(0, min(len(old.subquestions), len(new.subquestions))), "shared")
    new = Plan(old.subquestions[:shared] + new.subquestions[shared:])
    same = [a == b for a, b in zip(old.subquestions, new.subquestions, strict=False)]
    kept = same.index(False) if False in same else len(same)
    schedule = Schedule()
    schedule.see(old.subquestions, complete=False)
    begun = schedule.start()
    finished = [line for line in begun if data.draw(st.booleans(), "finished")]
    for line in finished:
        schedule.done(line, row(line))
    dropped = schedule.see(new.subquestions, complete=True)
    assert dropped == [line for line in begun if line not in finished and line.id > kept]
    assert list(schedule.rows) == [line.id for line in finished if line.id <= kept]
    for line in dropped:
        schedule.done(line, row(line, "failed"))
        assert line.id not in schedule.rows, "a result of a line that is gone is ignored"
    again = {line.id for line in schedule.start()}
    assert not again & {line.id for line in begun if line.id <= kept}, "nothing is asked twice"


@checked
@given(plans(), st.data())
def test_a_call_tried_again_repeats_lines_and_changes_nothing(
    plan: Plan, data: st.DataObject
) -> None:
    schedule = Schedule()
    schedule.see(plan.subquestions, complete=False)
    begun = schedule.start()
    for shown in range(data.draw(st.integers(0, len(plan.subquestions)), "again") + 1):
        assert schedule.see(plan.subquestions[:shown], complete=False) == []
    assert (schedule.lines, schedule.running) == (plan.subquestions, len(begun))


STYLES: list[Any] = [
    str,
    lambda text: text + "\r",
    lambda text: re.sub(r"^#(\d+)", r"#0\1.", text),
    lambda text: re.sub(r"^#(\d+)", r"#\1)\t", text),
    lambda text: text.replace(" <- ", "<-").replace(" #", ", #") if "<-" in text else text,
]
ODD_ROWS = ["", "Here is the plan:", "#9 A gap?", "#1 Again? <- #1", "#2 A? <- one", "```", "#3"]


@st.composite
def plan_texts(draw: st.DrawFn) -> str:
    """What models write: plan text, in their own styles, now and then with an odd row."""
    words = st.text("ab #12?<-\t\x0b\u2028é", min_size=1, max_size=10).filter(str.strip)
    rows = [draw(st.sampled_from(STYLES))(row) for row in str(draw(plans(words))).split("\n")]
    if draw(st.integers(0, 3)) == 3:
        rows.insert(draw(st.integers(0, len(rows))), draw(st.sampled_from(ODD_ROWS)))
    gap = draw(st.integers(1, 2 * MOST))  # Where the model leaves out an id, if it does.
    return re.sub(r"#(\d+)", lambda m: f"#{int(m[1]) + (int(m[1]) >= gap)}", "\n".join(rows))


@checked
@given(plan_texts(), st.integers(0, 200))
@example("#1 A?\n#3 B?\n#4 C?\n#5 D? <- #3\n", 200)
def test_lines_of_a_prefix_are_a_prefix_of_the_plan(text: str, length: int) -> None:
    try:
        plan = parse_plan(text)
    except PlanError:
        assume(False)
    seen = parse_partial(text[:length])
    assert seen == plan.subquestions[: len(seen)]


@checked
@given(plans(), st.integers(0, 500), st.sampled_from(["", "<think>#1 No?\n#2 Or?</think>\n", "\n"]))
def test_what_a_model_thinks_aloud_is_never_a_line(plan: Plan, length: int, before: str) -> None:
    seen = parse_partial((before + str(plan) + "\n")[:length])
    assert seen == plan.subquestions[: len(seen)]
    assert parse_partial(before + str(plan) + "\n") == plan.subquestions


def test_no_line_beyond_the_cap_is_begun_while_the_plan_is_written() -> None:
    """Such a plan is refused at its end: what it holds too much would be paid for in vain."""
    text = "".join(f"#{n} A{n}?\n" for n in range(1, 6))
    assert [line.id for line in parse_partial(text, max_subquestions=3)] == [1, 2, 3]
