"""Tool calls of `ChatGGUF`: well-formed by grammar, whatever the model would rather write."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langgraph_decompose import ChatGGUF, UserError, bundled_model_path
from langgraph_decompose.models.tool_calls import read_call, with_tools
from pydantic import BaseModel

CALL = {"name": "add", "args": {"a": 1, "b": 2}, "id": "c1", "type": "tool_call"}


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def weather(place: Literal["Oslo", "Rome"]) -> str:
    """Say what the weather is."""
    return "wet"


class Verdict(BaseModel):
    """A verdict."""

    good: bool


@pytest.fixture
def model() -> ChatGGUF:
    return ChatGGUF(model_path=bundled_model_path(), max_tokens=80)


@pytest.mark.parametrize("choice", ["any", "required", True])
def test_a_forced_call_is_one_of_the_tools_with_its_arguments(model: ChatGGUF, choice: Any) -> None:
    reply = model.bind_tools([weather, Verdict], tool_choice=choice).invoke("Oslo?")
    [call] = reply.tool_calls
    assert reply.content == ""
    if call["name"] == "weather":
        assert call["args"]["place"] in ("Oslo", "Rome")
    else:
        Verdict(**call["args"])


NAMED = {"type": "function", "function": {"name": "Verdict"}}


@pytest.mark.parametrize("choice", ["Verdict", NAMED])
async def test_a_named_tool_is_the_one_called(model: ChatGGUF, choice: Any) -> None:
    bound = model.bind_tools([weather, Verdict], tool_choice=choice)
    assert (await bound.ainvoke("Oslo?")).tool_calls[0]["name"] == "Verdict"
    chunks = [chunk async for chunk in bound.astream("Oslo?")]
    assert chunks[-1].tool_calls[0]["name"] == "Verdict"
    assert chunks[-1].usage_metadata["output_tokens"] > 0


def test_a_call_that_was_cut_off_is_invalid_in_a_stream_too(model: ChatGGUF) -> None:
    bound = model.bind_tools([weather], tool_choice="any")
    [chunk] = bound.stream("Oslo?", max_tokens=4)
    for message in (chunk, chunk + AIMessageChunk("")):
        assert message.tool_calls == []
        [broken] = message.invalid_tool_calls
        assert json.loads(broken["args"]) == message.content


def test_no_call_is_made_where_none_is_allowed(model: ChatGGUF) -> None:
    forced = model.bind_tools([weather], tool_choice="none")
    assert not forced.invoke("Oslo?").tool_calls


@pytest.mark.parametrize("choice", ["auto", None, {"type": "auto"}])
def test_left_to_itself_the_model_may_answer_in_words(model: ChatGGUF, choice: Any) -> None:
    reply = model.bind_tools([weather], tool_choice=choice).invoke("Oslo?")
    assert reply.tool_calls or reply.content


def test_an_unknown_tool_is_refused(model: ChatGGUF) -> None:
    with pytest.raises(UserError, match="'nobody' is none of the tools \\(weather\\)"):
        model.bind_tools([weather], tool_choice="nobody").invoke("Oslo?")


def test_structured_output_is_always_of_the_shape(model: ChatGGUF) -> None:
    verdict = model.with_structured_output(Verdict).invoke("Is it good?")
    assert isinstance(verdict, Verdict)


def test_an_agent_with_structured_output_gets_it(model: ChatGGUF) -> None:
    agent = create_agent(model, tools=[], response_format=ToolStrategy(Verdict))
    result = agent.invoke({"messages": [HumanMessage("Good?")]})
    assert isinstance(result["structured_response"], Verdict)


def test_earlier_calls_and_results_are_told_in_words() -> None:
    history = [
        HumanMessage("1 + 2?"),
        AIMessage("", tool_calls=[CALL]),
        ToolMessage("3", name="add", tool_call_id="c1"),
    ]
    system, _, call, result = with_tools(history, [{"function": {"name": "add"}}])
    assert '"add"' in system.text
    assert call.text == '{"name": "add", "arguments": {"a": 1, "b": 2}}'
    assert (result.type, result.text) == ("human", "Result of add: 3")


@pytest.mark.parametrize("text", ['{"name": "add"', '{"name": "rm", "arguments": {}}', "{}"])
def test_a_broken_call_is_marked_invalid_not_dropped(text: str) -> None:
    message = read_call(AIMessage(text), [{"function": {"name": "add"}}])
    assert message.tool_calls == []
    assert message.invalid_tool_calls[0]["args"] == text
