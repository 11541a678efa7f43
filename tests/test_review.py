"""Plan review: the run stops once, before anything is solved, and goes on as a person says."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command
from langgraph_decompose import Budget, Plan, PlanError, UserError, create_decomposition_graph
from langgraph_decompose.nodes.review import read_review
from langgraph_decompose.testing import ScriptedChatModel

from .conftest import ASKED, THREAD, always, both

PLAN = "#1 A?\n#2 B? <- #1\n#3 C?"
ROWS = [
    {"id": 1, "text": "A?", "needs": []},
    {"id": 2, "text": "B?", "needs": [1]},
    {"id": 3, "text": "C?", "needs": []},
]


class Reviewed:
    """A graph with review, its models, and a person who answers."""

    def __init__(self, plan: str = PLAN, **options: Any) -> None:
        self.solver = ScriptedChatModel(replies=lambda prompt: f"answer to {step(prompt)}")
        self.decomposer = always(plan)
        models = {"decomposer": self.decomposer, "composer": lambda _: "end"}
        self.options = {"review": True, **models, **options}

    def graph(self, saver: Any) -> Any:
        return create_decomposition_graph(self.solver, checkpointer=saver, **self.options)

    def converse(self, *answers: Any) -> list[Any]:
        """Ask, and answer each review; returns every state on the way."""
        graph = self.graph(InMemorySaver())
        inputs = [ASKED, *(Command(resume=answer) for answer in answers)]
        return [graph.invoke(value, THREAD) for value in inputs]

    @property
    def solved(self) -> list[str]:
        return sorted(step(prompt) for prompt in self.solver.prompts)


def step(prompt: str) -> str:
    """The step that a solver's prompt asks for."""
    _, marked, rest = prompt.rpartition("Step to answer now: ")
    return rest.split("\n")[0] if marked else "all of it"


def shown(result: Any) -> Any:
    """What the person is shown."""
    [interrupt] = result["__interrupt__"]
    return interrupt.value


@pytest.mark.parametrize("strategy", ["dag", "sequential"])
@pytest.mark.parametrize("kept_in", ["memory", "sqlite"])
def test_the_run_stops_once_before_anything_is_solved(
    strategy: str, kept_in: str, tmp_path: Path
) -> None:
    asked = Reviewed(strategy=strategy)
    memory = InMemorySaver()
    for value in (ASKED, Command(resume="approve")):
        # The file is closed in between: a person may take a day, and the process be another.
        with SqliteSaver.from_conn_string(str(tmp_path / "runs.sqlite")) as on_disk:
            graph = asked.graph(on_disk if kept_in == "sqlite" else memory)
            result = graph.invoke(value, THREAD)
        if value is ASKED:
            plan = {"question": "All?", "plan": ROWS, "text": PLAN}
            assert shown(result) == {"type": "review", **plan}
            assert asked.solved == []
    assert asked.solved == ["A?", "B?", "C?"]
    assert (result["answer"], result["status"], result["plan_source"]) == ("end", "ok", "model")
    assert "__interrupt__" not in result
    assert len(asked.decomposer.prompts) == 1, "the plan is paid for once"


@pytest.mark.parametrize("kept_in", ["memory", "sqlite"])
async def test_the_same_in_an_event_loop(kept_in: str, tmp_path: Path) -> None:
    asked = Reviewed()
    memory = InMemorySaver()
    for value in (ASKED, Command(resume="#1 X?")):
        async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "runs.sqlite")) as on_disk:
            graph = asked.graph(on_disk if kept_in == "sqlite" else memory)
            result = await graph.ainvoke(value, THREAD)
        assert asked.solved == ([] if value is ASKED else ["X?"])
    assert (result["answer"], result["plan_source"]) == ("end", "edited")


@pytest.mark.parametrize("answer", [True, " OK ", {"action": "approve"}, PLAN])
def test_an_approved_plan_is_the_model_s(answer: Any) -> None:
    asked = Reviewed()
    result = asked.converse(answer)[-1]
    assert asked.solved == ["A?", "B?", "C?"]
    assert (result["plan"], result["plan_source"]) == (ROWS, "model")


@pytest.mark.parametrize(
    ("answer", "plan"),
    [
        ("#1 A?\n#2 D? <- #1", "#1 A?\n#2 D? <- #1"),
        ("1. Who is A?\n2. Who is B?", "#1 Who is A?\n#2 Who is B? <- #1"),
        ({"action": "edit", "plan": "#1 D?"}, "#1 D?"),
        ([{"id": 1, "text": "D?"}], "#1 D?"),
        ("#3 C?\n#1 A?\n#2 B of #1?", "#1 C?\n#2 A?\n#3 B of #2? <- #2"),
        ("#3 C?\n#2 B of #3?", "#1 C?\n#2 B of #1? <- #1"),
        ([ROWS[2], ROWS[0], ROWS[1]], "#1 C?\n#2 A?\n#3 B? <- #2"),
        ([{"id": 7, "text": "Is a <think> of <- #1?"}], "#1 Is a <think> of < - #1?"),
    ],
)
def test_lines_may_be_edited_moved_left_out_and_added(answer: Any, plan: str) -> None:
    asked = Reviewed()
    result = asked.converse(answer)[-1]
    assert str(Plan.from_rows(result["plan"])) == plan
    assert (result["status"], result["plan_source"]) == ("ok", "edited")
    assert asked.solved == sorted(row["text"] for row in result["plan"])


@pytest.mark.parametrize("answer", ["atomic", [], {"action": "edit", "plan": "Atomic."}])
def test_a_plan_edited_away_is_solved_undivided(answer: Any) -> None:
    asked = Reviewed()
    result = asked.converse(answer)[-1]
    assert asked.solved == ["all of it"]
    assert (result["plan"], result["plan_source"]) == ([], "edited")
    assert (result["answer"], result["status"]) == ("answer to all of it", "ok")


def test_an_undivided_question_is_shown_too_and_may_be_split() -> None:
    asked = Reviewed(plan="atomic")
    before, after = asked.converse("#1 A?\n#2 B?")
    assert (shown(before)["plan"], shown(before)["text"]) == ([], "atomic")
    assert (after["answer"], asked.solved) == ("end", ["A?", "B?"])


@pytest.mark.parametrize("answer", ["reject", " No ", False, {"action": "reject"}])
def test_a_rejected_plan_costs_nothing_more(answer: Any) -> None:
    asked = Reviewed()
    result = asked.converse(answer)[-1]
    assert (result["answer"], result["status"], asked.solved) == (None, "failed", [])
    assert result["warnings"] == ["the plan was rejected in review; nothing was solved"]
    assert "rejected" in result["messages"][-1].content
    assert [row["role"] for row in result["usage"]] == ["decomposer"]


INVALID: list[tuple[Any, str]] = [
    ("#1 A? <- #2\n#2 B? <- #1", "#1 needs #2, which isn't an earlier line"),
    ("#1 A? <- #1", "#1 needs #1, which isn't an earlier line"),
    ("#1 " + "long " * 70 + "?", "#1 has over 300 characters"),
    ("\n".join(f"#{n} {n}?" for n in range(1, 10)), "9 subquestions, over the cap 8"),
    ("looks good to me", "no list of subquestions"),
    ([{"id": 1, "text": "A?"}, {"id": 2, "text": " "}], "#2 is empty"),
    ([{"id": 1, "text": "A?"}, {"id": 1, "text": "B?"}], "two subquestions have the id #1"),
    ([{"id": 1, "text": "A?", "needs": "2"}], "needs of subquestion #1 aren't all integers"),
    ([{"id": True, "text": "A?"}], "an integer id"),
    ([{"id": -1, "text": "A?"}], "an id that isn't a number"),
    (["A?"], "an integer id, a text"),
    ({"action": "rejct", "plan": "#1 A?"}, "answer approve, reject"),
    ({"action": "edit"}, "answer approve, reject"),
    (None, "answer approve, reject"),
]


@pytest.mark.parametrize(("answer", "message"), INVALID)
def test_no_answer_breaks_the_review(answer: Any, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        read_review(answer, Plan(), 8)


def test_after_an_invalid_edit_the_person_is_told_and_asked_again() -> None:
    asked = Reviewed()
    first, second, third, last = asked.converse("#1 A? <- #2\n#2 B?", "looks good", "#1 D?")
    assert "error" not in shown(first)
    assert shown(second)["error"] == "subquestion #1 needs #2, which isn't an earlier line"
    assert shown(third)["error"] == "the reply holds no list of subquestions"
    assert shown(second)["plan"] == shown(third)["plan"] == ROWS
    assert (asked.solved, last["status"]) == (["D?"], "ok")


def test_the_time_that_a_person_takes_is_not_the_question_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph = Reviewed(budget=Budget(max_seconds=60)).graph(InMemorySaver())
    graph.invoke(ASKED, THREAD)
    for clock in ("time", "monotonic", "perf_counter"):
        an_hour_ago = getattr(time, clock)
        monkeypatch.setattr(time, clock, lambda was=an_hour_ago: was() + 3600)
    assert graph.invoke(Command(resume="approve"), THREAD)["status"] == "ok"


@pytest.mark.parametrize("strategy", ["direct", "cot", "self_consistency", "dup", "escalate"])
def test_only_strategies_that_solve_a_plan_can_be_reviewed(strategy: str) -> None:
    with pytest.raises(UserError, match="review needs a plan before anything is solved: one of st"):
        Reviewed(strategy=strategy).graph(InMemorySaver())


@both
def test_without_a_checkpointer_nothing_is_paid_for(how: str) -> None:
    asked = Reviewed()
    graph = asked.graph(None)
    with pytest.raises(UserError, match="review needs a checkpointer"):
        graph.invoke(ASKED) if how == "sync" else asyncio.run(graph.ainvoke(ASKED))
    assert asked.decomposer.prompts == []


def test_inside_someone_s_own_graph_that_graph_s_checkpointer_counts() -> None:
    asked = Reviewed()
    parent = StateGraph(MessagesState)
    parent.add_node("think", asked.graph(None))
    parent.add_edge(START, "think")
    graph = parent.compile(checkpointer=InMemorySaver())
    before = graph.invoke({"messages": [("user", "All?")]}, THREAD)
    assert (shown(before)["plan"], asked.solved) == (ROWS, [])
    after = graph.invoke(Command(resume="approve"), THREAD)
    assert [message.content for message in after["messages"]] == ["All?", "end"]
