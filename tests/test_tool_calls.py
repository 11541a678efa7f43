"""Tool calls of `ChatGGUF`: well-formed by grammar, whatever the model would rather write."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph_decompose import ChatGGUF, UserError, bundled_model_path
from langgraph_decompose.models.messages import calls_in_words, to_template_messages
from langgraph_decompose.models.tool_calls import read_call, tool_grammar, with_tools
from pydantic import BaseModel, Field, create_model

from .test_grammar import follows

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


class Tree(BaseModel):
    """A tree."""

    children: list[Tree] = []


def text(**bounds: Any) -> Any:
    return Annotated[str, Field(**bounds)]


ARGUMENTS = {
    # What an argument may be, calls that the grammar allows, and some that it doesn't.
    "list": (list, [[], [1, "a", {"b": [None]}]], [1]),
    "list of anything": (list[Any], [[1, "a", {}]], [{}]),
    "anything": (Any, [1, "a", [1], {"a": True}, None], []),
    "described": (Annotated[Any, Field(description="it")], [1, "a"], []),
    "recursive": (Tree, [{}, {"children": [{"children": []}]}], [{"children": 1}]),
    "digits": (text(pattern=r"^\d+$"), ["120"], ["", "a"]),
    "a class": (text(pattern=r"^[\w-]{2,3}$"), ["a-1"], ["a", "a.b"]),
    "either": (text(pattern="^a|b$"), ["a", "b"], ["ab"]),
    "part of it": (text(pattern="a"), ["bad"], [1]),
    "beyond it": (text(pattern=r"^(?:a|b)\.$"), ["a."], [1]),
    "long": (text(max_length=5000), ["a"], [1]),
    "many": (Annotated[list[int], Field(max_length=5000)], [[1, 2]], ["a"]),
    "quotes": (Literal["5' 10\"", "so"], ["5' 10\"", "so"], ["5' 10"]),
    "backslash": (Literal["C:\\x"], ["C:\\x"], ["C:x"]),
    "line break": (Literal["a\nb"], ["a\nb"], ["a b"]),
}


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_any_tool_has_a_grammar_of_its_valid_calls(argument: str, model: ChatGGUF) -> None:
    kind, right, wrong = ARGUMENTS[argument]
    tool = create_model("Tool", x=(kind, ...), __doc__="A tool.")
    grammar = tool_grammar([convert_to_openai_tool(tool)], "any")

    def allowed(value: Any) -> bool:
        call = json.dumps({"name": "Tool", "arguments": {"x": value}})
        return model._submit(lambda engine: follows(engine, grammar, call)).result()

    assert all(tool(x=value) and allowed(value) for value in right)
    assert not any(allowed(value) for value in wrong)


def test_other_alphabets_are_written_as_they_are(model: ChatGGUF) -> None:
    tool = create_model("Tool", größe=(Literal["大", "小", "🙂"], ...), __doc__="A tool.")
    grammar = tool_grammar([convert_to_openai_tool(tool)], "any")
    for value in ("大", "🙂"):
        call = json.dumps({"name": "Tool", "arguments": {"größe": value}}, ensure_ascii=False)
        assert model._submit(lambda engine, call=call: follows(engine, grammar, call)).result()
    fields = {"type": "object", "properties": {"x": {"enum": ["a\ud83d"]}}, "required": ["x"]}
    half = {"type": "function", "function": {"name": "t", "parameters": fields}}
    [made] = model.bind_tools([half], tool_choice="any").invoke("x").tool_calls
    assert made["args"] == {"x": "a\ud83d"}, "what UTF-8 can't say is said by its number"
    [told] = calls_in_words(AIMessage("", tool_calls=[{**CALL, "args": {"größe": "大"}}]))
    assert told == '{"name": "add", "arguments": {"größe": "大"}}'


@pytest.mark.parametrize("before", ["", "\n", " ", "\r\n\t "])
def test_white_space_doesn_t_lead_past_the_grammar(before: str, model: ChatGGUF) -> None:
    grammar = tool_grammar([convert_to_openai_tool(weather)], "auto")

    def allowed(text: str) -> bool:
        return model._submit(lambda engine: follows(engine, grammar, before + text)).result()

    assert allowed('{"name": "weather", "arguments": {"place": "Oslo"}}')
    assert not allowed('{"name": "weather", "arguments": {"place": "Paris"}}')
    assert allowed("It is wet.\n\n{ }")


@pytest.mark.parametrize("thinking", ["<think>\nOslo?\n</think>\n\n", "Oslo?</think>\n"])
def test_a_call_after_thinking_is_one(thinking: str) -> None:
    said = AIMessage(thinking + '{"name": "add", "arguments": {"a": 1, "b": 2}}')
    [call] = read_call(said, [{"function": {"name": "add"}}]).tool_calls
    assert call["args"] == {"a": 1, "b": 2}


@pytest.mark.parametrize("tool", [{"type": "web_search"}, {"type": "function", "function": {}}])
def test_a_provider_s_own_tool_is_refused(tool: dict[str, Any], model: ChatGGUF) -> None:
    with pytest.raises(UserError, match=f"functions only, not the tool {re.escape(repr(tool))}"):
        model.bind_tools([add, tool])
    with pytest.raises(UserError, match="functions only"):
        model.invoke("Oslo?", tools=[tool])


def test_a_tool_s_picture_is_refused_not_dropped(model: ChatGGUF) -> None:
    picture = ToolMessage([{"type": "image", "url": "http://x/y.png"}], tool_call_id="c1")
    history = [HumanMessage("Look."), AIMessage("", tool_calls=[CALL]), picture]
    with pytest.raises(UserError, match="reads text only, not 'image'"):
        model.bind_tools([add]).invoke(history)


def test_calls_are_told_where_no_tools_are_bound() -> None:
    blocks = [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "So:"}]
    history = [HumanMessage("1 + 2?"), AIMessage(blocks, tool_calls=[CALL])]
    told = to_template_messages(history)[1]["content"]
    assert told == 'So:\n{"name": "add", "arguments": {"a": 1, "b": 2}}'


def test_schemas_from_elsewhere_have_one_too(model: ChatGGUF) -> None:
    parameters = {
        "type": "object",
        "properties": {
            "yes": True,
            "no": False,
            "pair": {"type": "array", "prefixItems": [{"type": "integer"}, {}], "items": False},
            "wrapped": {"allOf": [{"enum": ["a"]}], "description": "one"},
            "odd": {"type": "file"},
        },
        "anyOf": [{"required": ["yes"]}, {"required": ["pair"]}],
        "required": ["yes", "pair", "wrapped", "odd"],
    }
    tool = {"function": {"name": "t", "parameters": parameters}}
    values = {"yes": [1], "pair": [1, "b"], "wrapped": "a", "odd": 1}
    call = json.dumps({"name": "t", "arguments": values})
    grammar = tool_grammar([tool], "any")
    assert model._submit(lambda engine: follows(engine, grammar, call)).result()


def test_a_line_break_in_a_text_is_no_broken_call() -> None:
    said = AIMessage('{"name": "add", "arguments": {"a": "1\n2"}}')
    [call] = read_call(said, [{"function": {"name": "add"}}]).tool_calls
    assert call["args"] == {"a": "1\n2"}


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
