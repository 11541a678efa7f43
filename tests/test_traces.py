"""What a tracer sees: the plan's own words, nested under the run, and every call of a model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tracers.base import BaseTracer
from langchain_core.tracers.schemas import Run
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph_decompose import create_decomposition_graph
from langgraph_decompose.testing import ScriptedChatModel

from .conftest import always, both

PLAN = "#1 Who directed Jaws?\n#2 Who married #1? <- #1"
ASKED = {"question": "Who is the spouse of the director of Jaws?"}


class Tracer(BaseTracer):
    """Keeps finished runs, as any of LangChain's tracers is given them."""

    def __init__(self) -> None:
        super().__init__()
        self.roots: list[Run] = []

    def _persist_run(self, run: Run) -> None:
        self.roots.append(run)


def traced(how: str, graph: Any, value: Any = ASKED) -> Run:
    tracer = Tracer()
    config: Any = {"callbacks": [tracer], "run_name": "my run", "tags": ["mine"]}
    config["metadata"] = {"user": "me"}
    config["configurable"] = {"thread_id": "1"}
    graph.invoke(value, config) if how == "sync" else asyncio.run(graph.ainvoke(value, config))
    [root] = tracer.roots
    return root


def graph(**options: Any) -> Any:
    models: Any = {
        "solver": always("Answer: x"),
        "decomposer": always(PLAN),
        "composer": always("end"),
    }
    return create_decomposition_graph(**(models | options))


def below(run: Run) -> Iterator[Run]:
    for child in run.child_runs:
        yield child
        yield from below(child)


def calls(root: Run) -> list[Run]:
    """The calls that were made for some role, in order."""
    found = [run for run in below(root) if "decompose_role" in about(run)]
    return sorted(found, key=lambda run: run.start_time)


def about(run: Run) -> dict[str, Any]:
    return (run.extra or {}).get("metadata") or {}


def ours(run: Run) -> dict[str, Any]:
    return {key: value for key, value in about(run).items() if key.startswith("decompose")}


@both
def test_a_trace_reads_like_the_plan(how: str) -> None:
    root = traced(how, graph())
    assert root.name == "my run"
    assert [run.name for run in root.child_runs] == ["read_question", "scheduler", "composer"]
    names = ["decomposer", "#1 Who directed Jaws?", "#2 Who married #1?", "composer"]
    assert [run.name for run in calls(root)] == names
    assert {run.trace_id for run in below(root)} == {root.id}


@both
def test_every_call_says_for_whom_and_for_which_line_it_is(how: str) -> None:
    root = traced(how, graph())
    assert [ours(run) for run in calls(root)] == [
        {"decompose_role": "decomposer"},
        {"decompose_role": "solver", "decompose_id": 1, "decompose_needs": []},
        {"decompose_role": "solver", "decompose_id": 2, "decompose_needs": [1]},
        {"decompose_role": "composer"},
    ]
    for run in calls(root):
        assert f"decompose:{ours(run)['decompose_role']}" in (run.tags or [])
        assert "mine" in (run.tags or [])
        assert about(run)["user"] == "me"


@both
def test_hidden_inputs_are_in_no_name_either(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_HIDE_INPUTS", "true")
    names = [run.name for run in calls(traced(how, graph()))]
    assert names == ["decomposer", "#1", "#2", "composer"]


@both
def test_nothing_is_hidden_from_a_tracer(how: str) -> None:
    asked = graph()
    root = traced(how, asked)
    models = [run for run in below(root) if run.run_type in ("llm", "chat_model")]
    assert len(models) == 4
    assert all(run.end_time and run.outputs for run in below(root))
    for run in models:
        [generation] = run.outputs["generations"][0]  # type: ignore[index]
        assert generation["message"]["kwargs"]["usage_metadata"]["output_tokens"] > 0
    assert "Step to answer now: Who directed Jaws?" in str(models[1].inputs)


@both
@pytest.mark.parametrize(
    ("strategy", "names"),
    [
        ("direct", ["solver direct"]),
        ("cot", ["solver cot"]),
        ("self_consistency", ["solver cot", "solver cot"]),
        ("static", ["decomposer", "solver static"]),
        ("sequential", ["decomposer", "#1 Who directed Jaws?", "#2 Who married #1?", "composer"]),
    ],
)
def test_every_strategy_names_its_calls(how: str, strategy: str, names: list[str]) -> None:
    root = traced(how, graph(strategy=strategy, samples=2))
    assert [run.name for run in calls(root)] == names


@both
def test_repairs_condensing_and_failures_are_seen_too(how: str) -> None:
    def no_idea(text: str) -> str:
        raise ValueError("no idea")

    plans = ScriptedChatModel(replies=["I can't.", PLAN])
    composer = always("Who directed Jaws, and who married them?")
    asked = graph(solver=no_idea, decomposer=plans, composer=composer, condense=True)
    turns = [("user", "I saw Jaws."), ("ai", "Nice."), ("user", "Who made it, and the spouse?")]
    root = traced(how, asked, {"messages": turns})
    names = ["condenser", "decomposer", "decomposer repair", "#1 Who directed Jaws?"]
    assert [run.name for run in calls(root)] == names
    assert "no idea" in (calls(root)[-1].error or "")
    assert root.error is None


@both
def test_what_a_solver_graph_does_is_nested_under_its_line(how: str) -> None:
    agent = create_agent(always("x"), tools=[])
    line = calls(traced(how, graph(solver=agent)))
    [first] = [run for run in line if run.name == "#1 Who directed Jaws?"]
    assert [run.run_type for run in below(first)].count("llm") == 1


class Plain(Runnable[str, str]):
    """A Runnable of one's own that passes no config on."""

    def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:  # noqa: A002
        return always("x").invoke(input).text


@both
@pytest.mark.parametrize("solver", [Plain(), RunnableLambda(Plain().invoke)])
def test_a_checkpointer_adds_nothing_to_the_trace_of_a_function(how: str, solver: Any) -> None:
    def names(**options: Any) -> list[list[str]]:
        root = traced(how, graph(solver=solver, **options))
        return sorted([run.name, *sorted(r.name for r in below(run))] for run in below(root))

    assert names(checkpointer=InMemorySaver()) == names()


@both
def test_in_someone_s_own_graph_the_trace_is_one(how: str) -> None:
    parent = StateGraph(MessagesState)
    parent.add_node("think", graph(name="decomposition"))
    parent.add_edge(START, "think")
    root = traced(how, parent.compile(), {"messages": [("user", "Who married the director?")]})
    [node] = root.child_runs
    assert len(calls(node)) == 4


@both
def test_a_retriever_is_seen_beside_the_line_it_searched_for(how: str) -> None:
    root = traced(how, graph(retriever=lambda query: [f"about {query}"]))
    queries = [run.inputs["input"] for run in below(root) if run.name == "RunnableLambda"]
    assert queries == ["Who directed Jaws?", "Who married Answer: x?"]
