"""The scheduler under pressure: tiny pools, crashes in the middle, solvers with their own state,
and solvers that ask a person."""

from __future__ import annotations

import asyncio
import operator
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.errors import GraphInterrupt
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, Interrupt, interrupt
from langgraph_decompose import AnswerCache, UserError, create_decomposition_graph, solver_node
from langgraph_decompose.errors import PromptTooLongError
from langgraph_decompose.nodes.decomposer import Decomposition
from langgraph_decompose.nodes.lines import LineSettings
from langgraph_decompose.nodes.problem import Problem
from langgraph_decompose.nodes.session import Session
from langgraph_decompose.nodes.solvers import Solvers
from langgraph_decompose.nodes.steps import InOrder, Together, arun, run
from langgraph_decompose.nodes.work import Planner, Work
from langgraph_decompose.plan import Plan, Subquestion
from langgraph_decompose.prompts import load_prompts
from typing_extensions import TypedDict

from .conftest import ASKED, THREAD, both, step
from .conftest import run as ask

PLAN = "#1 A?\n#2 B? <- #1\n#3 C?\n#4 D? <- #2 #3"


def scripted(text: str) -> FakeListChatModel:
    return FakeListChatModel(responses=[text])


def graph(solver: Any, plan: str = PLAN, **options: Any) -> Any:
    return create_decomposition_graph(
        solver, decomposer=scripted(plan), composer=scripted("end"), **options
    )


MODES: list[Any] = ["values", "custom", "messages", ["custom", "values"]]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("places", [1, 2, 3])
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_small_pools_are_slow_but_never_stuck(places: int, mode: Any) -> None:
    config: Any = {"max_concurrency": places}
    asked = graph(lambda text: f"answer to {step(text)}")
    if places > 1 or mode == "values":
        # With one place, any LangGraph graph, even an empty one, hangs in the other modes.
        assert list(asked.stream(ASKED, config, stream_mode=mode))
    if places > 1:
        assert list(asked.stream(ASKED, config, stream_mode=mode, subgraphs=True))
    rows = asked.invoke(ASKED, config)["answers"]
    assert [row["answer"] for row in rows] == [f"answer to {x}?" for x in "ABCD"]

    async def astream() -> list[Any]:
        return [part async for part in asked.astream(ASKED, config, stream_mode=mode)]

    assert asyncio.run(astream())
    assert asyncio.run(asked.ainvoke(ASKED, config))["answer"] == "end"


class Many(TypedDict, total=False):
    question: str
    plan: list[Any]
    answers: Annotated[list[Any], operator.add]


@pytest.mark.timeout(60)
def test_more_solver_nodes_than_threads_are_never_stuck() -> None:
    builder = StateGraph(Many)
    for n in range(12):
        builder.add_node(f"solver_{n}", solver_node(lambda text: "x"))
        builder.add_edge(START, f"solver_{n}")
    plan = [{"id": 1, "text": "A?", "needs": []}, {"id": 2, "text": "B?", "needs": [1]}]
    result = builder.compile().invoke({"question": "All?", "plan": plan}, {"max_concurrency": 4})
    assert [row["status"] for row in result["answers"]] == ["ok"] * 24


def own_state(seen: dict[str, int], checkpointer: Any) -> Any:
    """A solver graph that keeps messages, and counts those it finds."""

    def reply(state: MessagesState) -> dict[str, Any]:
        text = step(state["messages"][-1].text)
        seen[text] = len(state["messages"])
        return {"messages": [AIMessage(f"answer to {text}")]}

    builder = StateGraph(MessagesState)
    builder.add_node("reply", reply)
    builder.add_edge(START, "reply")
    return builder.compile(checkpointer=checkpointer)


@pytest.mark.parametrize(
    "checkpointer", [None, False, True, InMemorySaver()], ids=["None", "False", "True", "own"]
)
@both
def test_a_solver_graph_s_memory_does_not_cross_between_lines(checkpointer: Any, how: str) -> None:
    seen: dict[str, int] = {}
    asked = graph(own_state(seen, checkpointer), checkpointer=InMemorySaver())
    rows = ask(how, asked, ASKED, THREAD)["answers"]
    assert [row["answer"] for row in rows] == [f"answer to {x}?" for x in "ABCD"]
    if checkpointer is None or checkpointer is False:
        assert set(seen.values()) == {1}


def test_an_interrupt_inside_a_solver_graph_reaches_the_caller() -> None:
    def reply(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(interrupt("may I?"))]}

    builder = StateGraph(MessagesState)
    builder.add_node("reply", reply)
    builder.add_edge(START, "reply")
    asked = graph(builder.compile(), plan="#1 A?", checkpointer=InMemorySaver())
    result = asked.invoke(ASKED, THREAD)
    assert [i.value for i in result["__interrupt__"]] == ["may I?"]


def test_a_nested_graph_without_an_answer_is_a_failure() -> None:
    def broken(text: str) -> str:
        raise ValueError("inner trouble")

    inner = create_decomposition_graph(broken, strategy="direct")
    result = graph(inner).invoke(ASKED)
    assert result["status"] == "failed"
    assert result["answers"][0]["error"]["type"] == "FailedGraphError"


@both
def test_a_text_too_long_for_a_nested_graph_s_model_names_that_alone(how: str) -> None:
    inner = create_decomposition_graph(lambda _: "x", name="inner")
    asked = create_decomposition_graph(inner, strategy="direct")
    long = {"question": "What is it? " + "word " * 800}
    with pytest.raises(PromptTooLongError) as raised:
        ask(how, asked, long)
    said = str(raised.value)
    assert said.startswith("the decomposer 'bundled' can't read it all: the text has ")
    assert said.endswith("shorten it or name another with --decomposer.")


@both
@pytest.mark.parametrize("role", ["solver", "composer"])
def test_a_nested_graph_s_gaps_are_told(role: str, how: str) -> None:
    def knows_half(text: str) -> str:
        if step(text) == "D?":
            raise ValueError("no idea")
        return "x"

    inner = graph(knows_half, plan="#1 C?\n#2 D?")
    asks = {"solver": lambda _: "x", "decomposer": scripted("#1 A?"), role: inner}
    asked = create_decomposition_graph(**asks, answer_cache=(cache := AnswerCache()))
    result = ask(how, asked)
    name = "#1: " if role == "solver" else ""
    assert result["answers"][0]["status"] == "ok"
    assert result["status"] == "partial"
    assert f"{name}decomposition answered with status 'partial'" in result["warnings"]
    assert len(cache) == (role == "composer"), "an answer with gaps isn't kept"


@both
def test_the_gaps_of_a_graph_that_revises_the_answer_are_told(how: str) -> None:
    def knows_half(text: str) -> str:
        if step(text) == "D?":
            raise ValueError("no idea")
        return "x"

    def judge(text: str) -> str:
        return "right" if "better" in text else "computational: no"

    half = {"decomposer": scripted("#1 C?\n#2 D?"), "composer": scripted("better")}
    reviser = create_decomposition_graph(knows_half, **half)
    asked = graph(
        {"reviser": reviser, "solver": lambda _: "x"},
        plan="#1 A?",
        route=lambda _: "solver",
        verify="answer",
        verifier=judge,
    )
    result = ask(how, asked)
    assert (result["answer"], result["status"]) == ("better", "partial")
    assert result["warnings"] == ["decomposition answered with status 'partial'"]


@pytest.mark.timeout(30)
@both
def test_several_interrupts_of_one_line_all_reach_the_caller(how: str) -> None:
    def asking(name: str) -> Any:
        return lambda state: {"messages": [AIMessage(interrupt(name))]}

    builder = StateGraph(MessagesState)
    for name in ("first", "second"):
        builder.add_node(name, asking(name))
        builder.add_edge(START, name)
    asked = graph(builder.compile(), plan="#1 A?", checkpointer=InMemorySaver())
    result = ask(how, asked, ASKED, THREAD)
    assert sorted(i.value for i in result["__interrupt__"]) == ["first", "second"]


@pytest.mark.timeout(30)
@both
def test_an_interrupt_is_told_once_however_many_lines_wait_for_its_own(how: str) -> None:
    asked = graph(
        lambda _: interrupt("which?"),
        plan="#1 A?\n#2 B? <- #1\n#3 C? <- #1",
        checkpointer=InMemorySaver(),
        strategy="escalate",
        ladder=[{"strategy": "dag", "samples": 1}],
    )
    result = ask(how, asked, ASKED, THREAD)
    assert [waiting.value for waiting in result["__interrupt__"]] == ["which?"]


def test_nobody_is_asked_about_a_line_that_the_repaired_plan_has_no_more() -> None:
    see: list[Any] = []

    def decompose(problem: Problem, on_lines: Any) -> Any:
        see.append(on_lines)
        return iter(())

    settings = LineSettings(Solvers(scripted("x")), load_prompts(None))
    planner = Planner(decompose, final="compose")
    work = Work(Problem("All?"), settings, Session(), planner, lambda do: do())
    [planning] = work.start()
    see[0]((Subquestion(1, "A?"),))
    [dropped] = work.start()
    dropped.failed(GraphInterrupt([Interrupt("A?")]))
    repaired = Plan((Subquestion(1, "C?"), Subquestion(2, "D?")))
    planning.done(Decomposition(repaired, "repaired", (), []))
    first, second = work.start()
    first.failed(GraphInterrupt([Interrupt("C?")]))
    assert not work.finished, "the other line may still be answered"
    second.failed(GraphInterrupt([Interrupt("D?")]))
    with pytest.raises(GraphInterrupt) as raised:
        _ = work.finished
    assert [waiting.value for waiting in raised.value.args[0]] == ["C?", "D?"]


@pytest.mark.timeout(30)
async def test_a_solver_that_cancels_itself_is_a_failure_and_no_end() -> None:
    async def solver(text: str) -> str:
        raise asyncio.CancelledError

    result = await graph(RunnableLambda(solver), plan="#1 A?").ainvoke(ASKED)
    assert result["status"] == "failed"
    assert "cancelled its own call" in result["answers"][0]["error"]["message"]


class Lost(ConnectionError):
    """A lost connection to a server that asks to be asked again at once."""

    response = SimpleNamespace(headers={"retry-after": "0"})


class Person:
    """Solvers that ask a person two things about their step; some fail in passing, once."""

    def __init__(self, fails: str = "") -> None:
        self.fails = fails

    def answer(self, text: str) -> str:
        first = interrupt(f"Who is {step(text)}")
        if self.fails:
            self.fails = ""
            raise Lost("gone")
        return f"{first} then {interrupt(f'Since when is {step(text)}')}"

    def graph(self) -> Any:
        def think(state: MessagesState) -> None:
            if self.fails:
                self.fails = ""
                raise Lost("gone")

        def ask(state: MessagesState) -> dict[str, Any]:
            return {"messages": [AIMessage(self.answer(last(state)))]}

        builder = StateGraph(MessagesState).add_sequence([think, ask])
        return builder.add_edge(START, "think").compile()

    def chain(self) -> Any:
        return RunnableLambda(messages) | self.graph() | RunnableLambda(last)

    def calling(self) -> Any:
        async def awaited(text: str) -> str:
            return last(await self.graph().ainvoke(messages(text)))

        return RunnableLambda(lambda text: last(self.graph().invoke(messages(text))), awaited)


def messages(text: str) -> dict[str, Any]:
    return {"messages": [("user", text)]}


def last(state: Any) -> str:
    return state["messages"][-1].text


def solver_of(kind: str, fails: str = "") -> Any:
    person = Person(fails)
    return person.answer if kind == "function" else getattr(person, kind)()


def driven(how: str, solver: Any, **options: Any) -> tuple[Any, list[str]]:
    """The result when a person answers each question in its own words, and the questions."""
    told: list[str] = []

    def replies(result: Any) -> Any:
        waiting = result.get("__interrupt__", ())
        told.extend(i.value for i in waiting)
        return Command(resume={i.id: f"({i.value})" for i in waiting}) if waiting else None

    async def awaited() -> Any:
        async with AsyncSqliteSaver.from_conn_string(":memory:") as saver:
            asked, value = graph(solver, checkpointer=saver, **options), ASKED
            while value:
                result = await asked.ainvoke(value, THREAD)
                value = replies(result)
            return result

    if how == "async":
        return asyncio.run(awaited()), told
    with SqliteSaver.from_conn_string(":memory:") as saver:
        asked, value = graph(solver, checkpointer=saver, **options), ASKED
        while value:
            result = asked.invoke(value, THREAD)
            value = replies(result)
        return result, told


kinds = pytest.mark.parametrize("kind", ["function", "graph", "chain", "calling"])


@kinds
@both
@pytest.mark.parametrize("strategy", ["dag", "sequential", "recursive"])
def test_what_a_person_says_goes_to_the_line_that_asked(strategy: Any, how: str, kind: str) -> None:
    result, told = driven(how, solver_of(kind), strategy=strategy)
    assert result["status"] == "ok"
    assert [row["answer"] for row in result["answers"]] == [
        f"(Who is {x}?) then (Since when is {x}?)" for x in "ABCD"
    ]
    assert len(told) == len(set(told)) == 8


@kinds
@both
def test_after_a_failure_in_passing_a_person_isn_t_asked_again(how: str, kind: str) -> None:
    result, told = driven(how, solver_of(kind, fails="once"), plan="#1 A?")
    assert result["answers"][0]["answer"] == "(Who is A?) then (Since when is A?)"
    assert told == ["Who is A?", "Since when is A?"]


def test_every_sample_that_waits_for_a_person_is_told() -> None:
    def solver(text: str) -> str:
        return f"Answer: {interrupt('Which?')}"

    asked = graph(solver, strategy="self_consistency", samples=3, checkpointer=InMemorySaver())
    waiting = asked.invoke(ASKED, THREAD)["__interrupt__"]
    votes = dict(zip([i.id for i in waiting], ["red", "blue", "red"], strict=True))
    result = asked.invoke(Command(resume=votes), THREAD)
    assert (result["answer"], len(votes)) == ("red", 3)


@both
@pytest.mark.parametrize(
    "at_once",
    [
        lambda roles: Together([role() for role in roles]),
        lambda roles: InOrder([() for _ in roles], lambda k: roles[k]()),
    ],
    ids=["Together", "InOrder"],
)
def test_roles_that_wait_for_a_person_wait_together(how: str, at_once: Any) -> None:
    def waiting(name: str) -> Any:
        def role() -> Any:
            yield from ()
            raise GraphInterrupt([Interrupt(name)])

        return role

    def steps() -> Any:
        return (yield at_once([waiting("first"), waiting("second")]))

    with pytest.raises(GraphInterrupt) as raised:
        run(steps()) if how == "sync" else asyncio.run(arun(steps()))
    assert [i.value for i in raised.value.args[0]] == ["first", "second"]


@both
def test_who_waits_for_a_person_hides_no_failure(how: str) -> None:
    def role(error: Exception) -> Any:
        yield from ()
        raise error

    def steps() -> Any:
        errors = [GraphInterrupt([Interrupt("first")]), UserError("no such solver.")]
        return (yield InOrder([(), ()], lambda k: role(errors[k])))

    with pytest.raises(UserError, match="no such solver"):
        run(steps()) if how == "sync" else asyncio.run(arun(steps()))


@both
@pytest.mark.parametrize("strategy", ["dag", "sequential"])
def test_after_a_crash_a_graph_in_a_function_goes_on_with_its_own_line(
    strategy: Any, how: str
) -> None:
    dying = [True]

    def reply(state: MessagesState) -> dict[str, Any]:
        text = step(last(state))
        if text == "B?" and dying:
            dying.clear()
            raise KeyboardInterrupt
        return {"messages": [AIMessage(f"answer to {text}")]}

    inner = StateGraph(MessagesState).add_sequence([reply]).add_edge(START, "reply").compile()
    solver = RunnableLambda(messages) | inner | RunnableLambda(last)
    asked = graph(solver, strategy=strategy, checkpointer=InMemorySaver())

    with pytest.raises(KeyboardInterrupt):
        ask(how, asked, ASKED, THREAD)
    rows = ask(how, asked, None, THREAD)["answers"]
    assert [row["answer"] for row in rows] == [f"answer to {x}?" for x in "ABCD"]
