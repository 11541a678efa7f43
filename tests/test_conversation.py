"""Conversations: messages in, one AI message out, and follow-up questions on a thread."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph_decompose import Budget, UserError, create_decomposition_graph
from langgraph_decompose.testing import LatencyServer, ScriptedChatModel, ServerReply

from .conftest import THREAD, always, both

TURNS = [HumanMessage("Who directed Jaws?"), AIMessage("Steven Spielberg.")]
FOLLOW_UP = HumanMessage("And who is he married to?")
FULL = "Who is Steven Spielberg married to?"
STRATEGIES: list[Any] = ["direct", "cot", "self_consistency", "static", "sequential", "dag"]


def run(how: str, graph: Any, messages: Any, config: Any = None) -> Any:
    value = messages if isinstance(messages, dict) else {"messages": messages}
    if how == "sync":
        return graph.invoke(value, config)
    return asyncio.run(graph.ainvoke(value, config))


class Talk:
    """A graph and the models behind it, which keep what they are asked."""

    def __init__(self, condensed: Any = FULL, plan: str = "#1 A?\n#2 B?", **options: Any) -> None:
        replies = {"Newest message:": condensed, "What was found": "composed"}
        self.composer = ScriptedChatModel(replies=replies)
        self.decomposer = always(plan)
        self.solver = always("Answer: solved")
        models = {"decomposer": self.decomposer, "composer": self.composer}
        self.graph = create_decomposition_graph(self.solver, **(models | options))

    @property
    def planned(self) -> str:
        """The question that the newest plan was made for."""
        return self.decomposer.prompts[-1].rsplit("Question: ", 1)[1]

    @property
    def condensing(self) -> list[str]:
        return [prompt for prompt in self.composer.prompts if "Newest message:" in prompt]


@both
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_messages_in_one_ai_message_out(how: str, strategy: Any) -> None:
    result = run(how, Talk(strategy=strategy).graph, [*TURNS, FOLLOW_UP])
    assert [message.content for message in result["messages"][:3]] == [
        *(turn.content for turn in TURNS),
        FOLLOW_UP.content,
    ]
    [answer] = result["messages"][3:]
    assert (type(answer), answer.content) == (AIMessage, result["answer"])
    assert answer.id


@both
def test_a_cached_answer_is_a_message_of_its_own(how: str) -> None:
    composer = ScriptedChatModel(
        replies=[], default="composed", cache=InMemoryCache(), disable_streaming=True
    )
    graph = Talk(composer=composer, checkpointer=InMemorySaver()).graph
    for _ in range(2):
        said = run(how, graph, [HumanMessage("Who?")], THREAD)["messages"]
    assert [message.content for message in said] == ["Who?", "composed"] * 2
    assert len(composer.prompts) == 1


@both
def test_by_default_the_newest_message_is_the_question_as_it_stands(how: str) -> None:
    talk = Talk()
    messages = [SystemMessage("Be kind."), *TURNS, FOLLOW_UP, AIMessage("", tool_calls=[])]
    run(how, talk.graph, [*messages, ToolMessage("?", tool_call_id="1")])
    assert talk.planned == FOLLOW_UP.content
    asked = talk.decomposer.prompts + talk.solver.prompts + talk.composer.prompts
    assert "Steven Spielberg" not in "".join(asked)


@both
def test_a_message_may_be_made_of_blocks(how: str) -> None:
    talk = Talk()
    run(how, talk.graph, [HumanMessage([{"type": "text", "text": "Who directed Jaws?"}])])
    assert talk.planned == "Who directed Jaws?"


@both
@pytest.mark.parametrize("messages", [[], [AIMessage("hi")], [HumanMessage("")]])
def test_without_a_human_s_question_there_is_none(how: str, messages: Any) -> None:
    with pytest.raises(UserError, match="ask something"):
        run(how, Talk().graph, messages)


@both
@pytest.mark.parametrize(
    "value",
    [
        {},
        {"qusetion": "Who directed Alien?"},
        {"question": None},
        {"messages": []},
        [SystemMessage("Be kind.")],
    ],
)
@pytest.mark.parametrize("first", [{"messages": TURNS[:1]}, {"question": "Who directed Jaws?"}])
def test_an_answered_question_is_not_asked_and_paid_for_again(
    how: str, value: Any, first: Any
) -> None:
    talk = Talk(checkpointer=InMemorySaver())
    run(how, talk.graph, first, THREAD)
    with pytest.raises(UserError, match="the newest question has its answer already; ask some"):
        run(how, talk.graph, value, THREAD)
    assert len(talk.decomposer.prompts) == 1
    run(how, talk.graph, [FOLLOW_UP], THREAD)
    assert talk.planned == FOLLOW_UP.content, "the thread goes on"


@both
def test_a_picture_is_refused_rather_than_left_out(how: str) -> None:
    talk = Talk()
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    seen = HumanMessage([{"type": "text", "text": "What is this?"}, picture])
    with pytest.raises(UserError, match=r"a question is text, and this one holds more \(image\)"):
        run(how, talk.graph, [seen])
    run(how, talk.graph, [seen, AIMessage("A shark."), HumanMessage("Who directed Jaws?")])
    assert talk.planned == "Who directed Jaws?", "an earlier one doesn't matter"


@pytest.mark.parametrize("kept_in", ["memory", "sqlite"])
def test_two_questions_on_one_thread_do_not_mix(kept_in: str, tmp_path: Path) -> None:
    with SqliteSaver.from_conn_string(str(tmp_path / "runs.sqlite")) as on_disk:
        saver = on_disk if kept_in == "sqlite" else InMemorySaver()
        talk = Talk(checkpointer=saver)
        value = {"messages": [TURNS[0]], "context": "a SECRET passage"}
        first = run("sync", talk.graph, value, THREAD)
        talk.decomposer.default = "atomic"
        second = run("sync", talk.graph, [FOLLOW_UP], THREAD)
        third = run("sync", talk.graph, {"question": "Third?"}, THREAD)
        assert talk.planned == "Third?"
        with pytest.raises(UserError, match="a context but no new question"):
            run("sync", talk.graph, {"context": "Something else"}, THREAD)
    assert [len(result["plan"]) for result in (first, second)] == [2, 0]
    assert [row["id"] for row in second["answers"]] == [0]
    assert second["answer"] == "Answer: solved"
    assert {row["role"]: row["calls"] for row in second["usage"]} == {"decomposer": 1, "solver": 1}
    assert [len(result["messages"]) for result in (first, second, third)] == [2, 4, 5]
    assert sum(row["calls"] for row in third["usage"]) == 2
    assert "SECRET" in talk.solver.prompts[0]
    assert "SECRET" not in "".join(talk.solver.prompts[2:] + talk.decomposer.prompts[1:])


def test_warnings_and_failures_end_with_their_question() -> None:
    talk = Talk(checkpointer=InMemorySaver(), plan="I can't.")
    first = run("sync", talk.graph, [TURNS[0]], THREAD)
    talk.decomposer.default = "#1 A?"
    second = run("sync", talk.graph, [FOLLOW_UP], THREAD)
    assert (len(first["warnings"]), first["plan_source"]) == (3, "undivided")
    assert (second["warnings"], second["plan_source"], second["status"]) == ([], "model", "ok")


@both
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_follow_up_is_condensed_by_the_composer_s_model(how: str, strategy: Any) -> None:
    talk = Talk(condense=True, strategy=strategy, checkpointer=InMemorySaver())
    run(how, talk.graph, [TURNS[0]], THREAD)
    assert talk.condensing == [], "the first turn stands on its own"
    result = run(how, talk.graph, [FOLLOW_UP], THREAD)
    [prompt] = talk.condensing
    assert f"User: {TURNS[0].content}\nAssistant: " in prompt
    assert prompt.endswith(f"Newest message: {FOLLOW_UP.content}")
    asked = talk.decomposer.prompts[-1:] or talk.solver.prompts[-1:]
    assert FULL in asked[0]
    assert FOLLOW_UP.content not in asked[0]
    roles = {row["role"]: row["calls"] for row in result["usage"]}
    assert roles["condenser"] == 1
    assert result["messages"][2].content == FOLLOW_UP.content, "what was said stays as it was said"
    assert len(result["messages"]) == 4


@both
def test_a_question_given_as_one_is_not_condensed(how: str) -> None:
    talk = Talk(condense=True, checkpointer=InMemorySaver())
    for _ in range(2):
        run(how, talk.graph, {"question": "Who directed Jaws?"}, THREAD)
    assert (talk.condensing, talk.planned) == ([], "Who directed Jaws?")


CUT = AIMessage("Who is Steven", response_metadata={"finish_reason": "length"})


@both
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (ValueError("no idea"), "no idea"),
        ("", "empty reply"),
        (CUT, "cut off at its token limit"),
        ("long " * 25_000, "over 100,000 characters"),
    ],
)
def test_a_condenser_that_fails_is_a_warning(how: str, reply: Any, reason: str) -> None:
    talk = Talk(reply, condense=True)
    result = run(how, talk.graph, [*TURNS, FOLLOW_UP])
    [warning] = result["warnings"]
    assert warning.startswith("the follow-up couldn't be made a full question (")
    assert reason in warning
    assert (talk.planned, result["status"]) == (FOLLOW_UP.content, "ok")
    assert [row["calls"] for row in result["usage"] if row["role"] == "condenser"] == [1]


@both
def test_condensing_is_part_of_the_budget(how: str) -> None:
    talk = Talk(condense=True, budget=Budget(max_calls=4))
    result = run(how, talk.graph, [*TURNS, FOLLOW_UP])
    assert sum(row["calls"] for row in result["usage"]) == 4
    assert [row["status"] for row in result["answers"]] == ["ok", "skipped"]


def test_a_condenser_s_server_may_be_down() -> None:
    with LatencyServer(lambda *_: ServerReply("no key", status=401)) as server:
        talk = Talk(condense=True, composer=f"openai:m@{server.url}", strategy="direct")
        result = run("sync", talk.graph, [*TURNS, FOLLOW_UP])
    assert (result["status"], len(server.calls)) == ("ok", 1)
    assert "no key" in result["warnings"][0]


def test_a_composer_that_writes_no_words_cannot_condense() -> None:
    with pytest.raises(UserError, match="condense=True needs a composer that writes in words"):
        create_decomposition_graph(condense=True)
    create_decomposition_graph(condense=True, composer=Talk().composer)
