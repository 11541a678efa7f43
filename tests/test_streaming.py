"""What streams show while a question is answered: each thing once, in order, on every stream."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph_decompose import create_decomposition_graph
from langgraph_decompose.testing import LatencyServer, ScriptedChatModel, ServerReply

from .conftest import THREAD, always, both

PLAN = "#1 A?\n#2 B?\n#3 C? <- #1\n#4 D? <- #2"
MESSAGES = {"messages": [("user", "All?")]}
TOKENS = ["the ", "end ", "of ", "it"]
PROGRESS: list[tuple[str, Any]] = [
    *[("plan.line", n) for n in (1, 2, 3, 4)],
    ("plan", None),
    *[("subquestion.started", n) for n in (1, 2, 3)],
    *[("subquestion.answered", n) for n in (1, 3)],
    ("subquestion.failed", 2),
    ("subquestion.skipped", 4),
]
kinds = pytest.mark.parametrize("kind", ["alone", "in a parent", "in a parent's parent"])


def fails_at_b(prompt: str) -> Any:
    return ValueError("no idea") if "now: B?" in prompt else "secret work"


def decomposition(**options: Any) -> Any:
    models: dict[str, Any] = {
        "solver": ScriptedChatModel(replies=fails_at_b),
        "decomposer": always(PLAN, chunks="lines"),
        "composer": always("".join(TOKENS)),
    }
    return create_decomposition_graph(**(models | options))


def placed(kind: str, graph: Any) -> Any:
    """The graph alone, as a node of someone's own graph, or as a node's node."""
    for _ in range(["alone", "in a parent", "in a parent's parent"].index(kind)):
        parent = StateGraph(MessagesState)
        parent.add_node("think", graph)
        parent.add_edge(START, "think")
        graph = parent.compile()
    return graph


def stream(how: str, graph: Any, mode: str, **options: Any) -> list[Any]:
    async def parts() -> list[Any]:
        return [part async for part in graph.astream(MESSAGES, stream_mode=mode, **options)]

    if how == "sync":
        return list(graph.stream(MESSAGES, stream_mode=mode, **options))
    return asyncio.run(parts())


def custom(how: str, graph: Any) -> list[dict[str, Any]]:
    return [data for _, data in stream(how, graph, "custom", subgraphs=True)]


def kind_and_id(event: dict[str, Any]) -> tuple[str, Any]:
    return event["type"].removeprefix("decompose."), event.get("id")


@both
@kinds
def test_the_custom_stream_tells_each_thing_once(how: str, kind: str) -> None:
    events = [kind_and_id(event) for event in custom(how, placed(kind, decomposition()))]
    told = Counter(PROGRESS) + Counter({("composer.token", None): len(TOKENS)})
    assert Counter(events) == told
    lines = [event for event in events if event[0] == "plan.line"]
    assert lines == PROGRESS[:4], "lines come in plan order"
    for n in (1, 2, 3):
        ended = "subquestion.failed" if n == 2 else "subquestion.answered"
        moments = [("plan.line", n), ("subquestion.started", n), (ended, n)]
        places = [events.index(moment) for moment in moments]
        assert places == sorted(places), "a line is seen, then started, then answered"


@both
def test_events_carry_what_a_screen_shows(how: str) -> None:
    events = custom(how, decomposition())
    rows = {kind_and_id(event): event for event in events}
    assert rows["plan.line", 3] | {"type": ""} == {"type": "", "id": 3, "text": "C?", "needs": [1]}
    assert rows["plan", None]["plan_source"] == "model"
    assert [line["text"] for line in rows["plan", None]["plan"]] == ["A?", "B?", "C?", "D?"]
    assert rows["subquestion.started", 1]["text"] == "A?"
    assert rows["subquestion.answered", 1]["answer"] == "secret work"
    assert rows["subquestion.failed", 2]["error"]["message"] == "no idea"
    assert rows["subquestion.skipped", 4]["error"]["type"] == "MissingAnswer"
    assert [e["text"] for e in events if e["type"] == "decompose.composer.token"] == TOKENS


@kinds
async def test_astream_events_tells_each_thing_once(kind: str) -> None:
    graph = placed(kind, decomposition())
    events = [event async for event in graph.astream_events(MESSAGES, version="v2")]
    told = [
        (event["name"].removeprefix("decompose."), event["data"].get("id"))
        for event in events
        if event["event"] == "on_custom_event"
    ]
    assert Counter(told) == Counter(PROGRESS), "tokens aren't among them"
    tokens = [
        event["data"]["chunk"].content
        for event in events
        if event["event"] == "on_chat_model_stream"
        and event["metadata"]["decompose_role"] == "composer"
    ]
    assert [token for token in tokens if token] == TOKENS


@both
@kinds
def test_only_the_composer_s_tokens_reach_a_chat_and_only_once(how: str, kind: str) -> None:
    modes: Any = ["messages", "values"]
    parts = stream(how, placed(kind, decomposition()), modes, subgraphs=True)
    streamed = [data[0] for _, mode, data in parts if mode == "messages"]
    final = [data for _, mode, data in parts if mode == "values"][-1]["messages"]
    assert [message.content for message in streamed if message.content] == TOKENS
    assert [message.content for message in final] == ["All?", "".join(TOKENS)]
    # By its id a chat knows the message in the state as the one that it has shown.
    assert {message.id for message in streamed} == {final[-1].id}


@both
@pytest.mark.filterwarnings("ignore:.*experimental")
def test_the_composer_s_tokens_reach_a_chat_of_version_3(how: str) -> None:
    async def told() -> list[list[str]]:
        run = await decomposition().astream_events(MESSAGES, version="v3")
        return [[token async for token in message.text] async for message in run.messages]

    if how == "sync":
        run = decomposition().stream_events(MESSAGES, version="v3")
        assert [list(message.text) for message in run.messages] == [TOKENS]
    else:
        assert asyncio.run(told()) == [TOKENS]


@both
def test_what_a_retriever_s_own_model_writes_is_not_shown(how: str) -> None:
    finder = RunnableLambda(str) | always("other words") | RunnableLambda(lambda said: [said.text])
    parts = stream(how, decomposition(retriever=finder), "messages")
    assert [message.content for message, _ in parts if message.content] == TOKENS


@both
def test_a_parent_s_own_stream_shows_the_answer_once_and_whole(how: str) -> None:
    graph = placed("in a parent", decomposition())
    parts = [message for message, _ in stream(how, graph, "messages")]
    assert [part.content for part in parts] == ["".join(TOKENS)]


@both
@kinds
@pytest.mark.parametrize("strategy", ["dag", "direct", "cot", "static", "self_consistency"])
def test_an_answer_that_nobody_composes_is_shown_once(how: str, kind: str, strategy: str) -> None:
    solver, plan = always("secret work\nAnswer: 7"), always("atomic")
    graph = placed(kind, decomposition(solver=solver, decomposer=plan, strategy=strategy))
    parts = [message for _, (message, _) in stream(how, graph, "messages", subgraphs=True)]
    assert [type(part) for part in parts] == [AIMessage]
    whole = strategy in ("dag", "direct", "static")
    assert parts[0].content == ("secret work\nAnswer: 7" if whole else "7")


ROLES: dict[str, Any] = {
    "agent": lambda text: create_agent(always(text), tools=[]),
    "chain": lambda text: RunnableLambda(str) | always(text),
    "texts": lambda text: RunnableLambda(str) | always(text) | StrOutputParser(),
    "function": lambda text: lambda prompt: always(text).invoke(prompt).text,
}


@both
@pytest.mark.parametrize("kind", ROLES)
@pytest.mark.parametrize("strategy", ["dag", "static", "direct", "dynamic"])
def test_of_roles_that_are_no_models_a_chat_sees_the_answer_alone(
    how: str, kind: str, strategy: str
) -> None:
    made = ROLES[kind]
    graph = decomposition(
        solver=made("the end"),
        decomposer=made("none" if strategy == "dynamic" else PLAN),
        composer=made("the end"),
        strategy=strategy,
    )
    assert [part.content for part, _ in stream(how, graph, "messages")] == ["the end"]
    parts = stream(how, graph, "messages", subgraphs=True)
    assert [part.content for place, (part, _) in parts if not place] == ["the end"]


@both
def test_what_a_solver_s_graph_says_is_told_from_the_answer(how: str) -> None:
    graph = decomposition(solver=ROLES["agent"]("secret work"), composer=always("the end"))
    said: dict[str, list[Any]] = {"secret work": [], "the end": []}
    for place, (part, about) in stream(how, graph, "messages", subgraphs=True):
        text = part.content if part.content in said else "the end"
        below = [step for step in place if step.startswith("subquestion-")]
        said[text].append((len(below), about["decompose_role"], about.get("decompose_id")))
    assert sorted(said["secret work"]) == [(1, "solver", n) for n in (1, 2, 3, 4)]
    assert set(said["the end"]) == {(0, "composer", None)}


@both
@pytest.mark.filterwarnings("ignore:.*experimental")
def test_version_3_tells_when_a_solver_s_graph_begins_and_ends(how: str) -> None:
    graph = decomposition(solver=ROLES["agent"]("secret work"))

    async def told() -> list[Any]:
        run = await graph.astream_events(MESSAGES, version="v3")
        return [event async for event in run.lifecycle]

    if how == "sync":
        events = list(graph.stream_events(MESSAGES, version="v3").lifecycle)
    else:
        events = asyncio.run(told())
    below = [event for event in events if event["namespace"][-1].startswith("subquestion-")]
    assert Counter(event["event"] for event in below) == {"started": 4, "completed": 4}


@both
@pytest.mark.parametrize("mode", ["updates", "tasks", "messages"])
def test_a_checkpointer_adds_nothing_to_the_stream_of_a_function(how: str, mode: str) -> None:
    def parts(saver: Any) -> int:
        graph = decomposition(solver=lambda text: "x", checkpointer=saver)
        config = THREAD
        return len(stream(how, graph, mode, config=config, subgraphs=True))

    assert parts(InMemorySaver()) == parts(None)


@both
def test_thinking_is_no_part_of_the_answer_s_tokens(how: str) -> None:
    composer = always("<think>hm, I wonder</think>\n\nthe end")
    events = custom(how, decomposition(composer=composer))
    tokens = [e["text"] for e in events if e["type"] == "decompose.composer.token"]
    assert tokens == ["the ", "end"]


@both
def test_an_answer_that_begins_anew_says_so(how: str) -> None:
    def reply(*_: Any) -> ServerReply:
        first = len(server.calls) == 1
        return ServerReply("the beg\n", drop=True) if first else ServerReply("the end\nof it")

    with LatencyServer(reply) as server:
        events = custom(how, decomposition(composer=f"openai:m@{server.url}"))
    said = [e.get("text", "restart") for e in events if "composer" in e["type"]]
    assert said == ["the beg\n", "restart", "the end\n", "of it"]


@both
@pytest.mark.parametrize("role", ["decomposer", "composer"])
@pytest.mark.parametrize("chain", [False, True])
def test_a_chat_model_may_fall_back_on_what_returns_text(how: str, role: str, chain: bool) -> None:
    text = {"decomposer": PLAN, "composer": "the end"}[role]
    other: Any = always(text) | StrOutputParser() if chain else RunnableLambda(lambda _: text)
    models: Any = {role: always(ConnectionError("down")).with_fallbacks([other])}  # type: ignore[arg-type]
    *_, result = stream(how, decomposition(**models), "values")
    assert (len(result["answers"]), result["warnings"]) == (4, [])
    assert result["answer"] == ("the end" if role == "composer" else "".join(TOKENS))


@both
def test_a_vote_is_told(how: str) -> None:
    graph = decomposition(solver=always("Answer: 7"), strategy="self_consistency", samples=3)
    assert custom(how, graph) == [
        {"type": "decompose.vote", "answer": "7", "votes": 3, "samples": 3}
    ]
