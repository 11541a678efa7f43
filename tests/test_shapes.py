"""The graph as a tool and as middleware, in real agents whose chat model is scripted."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphInterrupt
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from langgraph_decompose import UserError, build_decomposition_graph, create_decomposition_graph
from langgraph_decompose.graphs.middleware import DecompositionMiddleware
from langgraph_decompose.graphs.tool import create_decomposition_tool
from pydantic import PrivateAttr, ValidationError

from .conftest import SEATS, THREAD

PLAN = "#1 A?\n#2 B?\n#3 Both? <- #1 #2"


class Scripted(BaseChatModel):
    """Replies in order (the last one for ever) and keeps what it was asked."""

    replies: list[Any]
    _asked: list[list[BaseMessage]] = PrivateAttr(default_factory=list)

    @property
    def asked(self) -> list[list[BaseMessage]]:
        return self._asked

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self._asked.append(messages)
        reply = self.replies[min(len(self._asked), len(self.replies)) - 1]
        message = reply if isinstance(reply, AIMessage) else AIMessage(reply)
        return ChatResult(generations=[ChatGeneration(message=message.model_copy())])


def calling(*questions: str) -> AIMessage:
    calls = [
        {"name": "decompose_question", "args": {"question": text}, "id": f"call {n}"}
        for n, text in enumerate(questions)
    ]
    return AIMessage("", tool_calls=calls)


def last_line(text: str) -> str:
    """A solver that answers with the step it was asked."""
    return f"<{text.rsplit(': ', 1)[-1]}>"


def failing_on(word: str) -> Callable[[str], str]:
    def solver(text: str) -> str:
        if last_line(text).startswith(f"<{word}"):
            raise ValueError(f"no idea about {word}")
        return "fine"

    return solver


# The tool.


def test_an_agent_gets_the_answer_and_its_program_the_whole_result(anyhow: Any) -> None:
    tool = create_decomposition_tool()
    agent = create_agent(Scripted(replies=[calling(SEATS), "180 seats."]), tools=[tool])
    messages = anyhow(agent, {"messages": [HumanMessage(SEATS)]})["messages"]
    [found] = [m for m in messages if isinstance(m, ToolMessage)]
    assert found.content == "180"
    whole = create_decomposition_graph().invoke({"question": SEATS})
    assert set(found.artifact) == set(whole) - {"messages"}
    assert found.artifact["plan"] == whole["plan"]
    assert found.artifact["status"] == "ok"
    assert json.loads(json.dumps(found.artifact)) == found.artifact


def test_the_agent_s_model_sees_one_argument_and_what_belongs_into_it() -> None:
    tool = create_decomposition_tool(solver=last_line, name="split", description="Splits.")
    assert (tool.name, tool.description) == ("split", "Splits.")
    assert list(tool.args) == ["question"]
    assert "nothing of this conversation" in tool.args["question"]["description"]
    with pytest.raises(ValidationError, match="the question is empty"):
        tool.invoke({"question": " "})


def test_tool_calls_of_one_turn_run_side_by_side_and_don_t_mix(anyhow: Any) -> None:
    barrier = threading.Barrier(2, timeout=20)

    def solver(text: str) -> str:
        barrier.wait()  # Passes only when both tool calls are under way together.
        return f"<{text}>"

    graph = create_decomposition_graph(solver, decomposer=Scripted(replies=["atomic"]))
    model = Scripted(replies=[calling("First?", "Second?"), "Done.", calling("3?", "4?"), "Done."])
    agent = create_agent(
        model, tools=[create_decomposition_tool(graph)], checkpointer=InMemorySaver()
    )
    anyhow(agent, {"messages": [HumanMessage("Two things.")]}, THREAD)
    messages = anyhow(agent, {"messages": [HumanMessage("Two more.")]}, THREAD)["messages"]
    found = [m for m in messages if isinstance(m, ToolMessage)]
    assert len(found) == 4
    for message, asked in zip(found, ["First?", "Second?", "3?", "4?"], strict=True):
        assert message.content.endswith(f"{asked}>")
        assert len(message.artifact["usage"]) == 2, "nothing of another call is counted"


@pytest.mark.parametrize("saver", [InMemorySaver(), True])
def test_a_graph_s_own_checkpointer_is_not_shared_by_calls(saver: Any) -> None:
    graph = create_decomposition_graph(
        last_line, decomposer=Scripted(replies=["atomic"]), checkpointer=saver
    )
    tool = create_decomposition_tool(graph)
    assert "One?" in tool.invoke({"question": "One?"})
    agent = create_agent(Scripted(replies=[calling("A?", "B?"), "Done."]), tools=[tool])
    messages = agent.invoke({"messages": [HumanMessage("Both?")]})["messages"]
    assert [m.name for m in messages if m.type == "tool"] == ["decompose_question"] * 2
    assert graph.checkpointer is saver, "the user's graph stays as it is"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda graph: graph.with_retry(),
        lambda graph: graph.bind(),
        lambda graph: graph.with_config(tags=["mine"]),
        lambda graph: graph.with_fallbacks([graph]),
        lambda graph: graph.with_retry().with_fallbacks([graph.bind()]),
    ],
)
def test_nor_is_one_that_something_was_put_around(anyhow: Any, wrap: Any) -> None:
    solver = Scripted(replies=["solved"])
    graph = create_decomposition_graph(
        solver, decomposer=Scripted(replies=["atomic"]), checkpointer=InMemorySaver()
    )
    tool = create_decomposition_tool(wrap(graph))
    assert anyhow(tool, {"question": "One?"}) == "solved"
    assert len(solver.asked) == 1


def test_gaps_and_failures_are_said_in_words(anyhow: Any) -> None:
    def ask(solver: Any, decomposer: Any = None) -> ToolMessage:
        planner = decomposer or Scripted(replies=[PLAN])
        composer = Scripted(replies=["what is known"])
        tool = create_decomposition_tool(solver=solver, decomposer=planner, composer=composer)
        return anyhow(tool, {**calling("All?").tool_calls[0], "type": "tool_call"})

    partial = ask(failing_on("B"))
    assert partial.content == (
        "what is known\n\nNote: this is incomplete. Missing: #2 B? (no idea about B); "
        "#3 Both? (it needs #2, which has no answer)."
    )
    assert partial.artifact["status"] == "partial"
    unknown = ask(lambda text: "unknown" if last_line(text) == "<B?>" else "fine")
    assert unknown.content.endswith("Missing: #2 B? (the solver says that it can't be known).")
    failed = ask(failing_on(""))
    assert failed.content == "No answer was found: no idea about."
    assert failed.artifact["answer"] is None

    def down(_: Any) -> str:
        raise ConnectionError("the planner is down")

    crashed = ask(last_line, RunnableLambda(down))
    assert crashed.content == "No answer was found: the planner is down."
    assert crashed.artifact["status"] == "failed"
    assert set(crashed.artifact) == set(partial.artifact)


def test_the_user_s_mistakes_are_raised() -> None:
    async def always(text: str) -> bool:
        return bool(text)

    graph, agent = create_decomposition_graph(), create_agent(Scripted(replies=["?"]))
    for wrong in (
        lambda: create_decomposition_tool(graph, solver="bundled"),
        lambda: create_decomposition_tool("openai:gpt-5-mini"),
        lambda: create_decomposition_tool(build_decomposition_graph()),
        lambda: create_decomposition_tool(agent),
        lambda: create_decomposition_tool(strategy="guess"),
        lambda: DecompositionMiddleware(solver="bundled", max_subquestions=0),
        lambda: DecompositionMiddleware(solver="bundled", when=5),  # type: ignore[arg-type]
        # What it returns, a coroutine, is true.
        lambda: DecompositionMiddleware(solver="bundled", when=always),  # type: ignore[arg-type]
    ):
        with pytest.raises(UserError):
            wrong()

    def mistaken(_: Any) -> str:
        raise UserError("set OPENAI_API_KEY.")

    tool = create_decomposition_tool(solver=mistaken)
    middleware = DecompositionMiddleware(solver=mistaken)
    agents = (
        create_agent(Scripted(replies=[calling(SEATS), "Done."]), tools=[tool]),
        create_agent(Scripted(replies=["Done."]), middleware=[middleware]),
    )
    for agent in agents:
        with pytest.raises(UserError, match="OPENAI_API_KEY"):
            agent.invoke({"messages": [HumanMessage(SEATS)]})


def test_a_review_in_a_tool_needs_the_agent_s_checkpointer() -> None:
    graph = create_decomposition_graph(review=True, checkpointer=InMemorySaver())
    model = Scripted(replies=[calling(SEATS), "Done."])
    agent = create_agent(model, tools=[create_decomposition_tool(graph)])
    with pytest.raises(UserError, match="to the agent or graph around this one"):
        agent.invoke({"messages": [HumanMessage(SEATS)]})


def asking_a_person(text: str) -> str:
    return f"{interrupt('Which?')} it is"


def test_outside_an_agent_nobody_can_reply_to_a_solver(anyhow: Any) -> None:
    tool = create_decomposition_tool(solver=asking_a_person, strategy="direct")
    with pytest.raises(UserError, match="a person is asked, and nobody can reply"):
        anyhow(tool, {"question": "Who directed Jaws?"})


def in_a_tool() -> Any:
    tool = create_decomposition_tool(solver=asking_a_person)
    model = Scripted(replies=[calling("Who directed Jaws?"), "Done."])
    return create_agent(model, tools=[tool], checkpointer=InMemorySaver())


def in_middleware() -> Any:
    middleware = DecompositionMiddleware(
        solver=asking_a_person, decomposer=Scripted(replies=["#1 A?\n#2 B? <- #1"])
    )
    model = Scripted(replies=["Done."])
    return create_agent(model, middleware=[middleware], checkpointer=InMemorySaver())


@pytest.mark.parametrize(("make", "pauses"), [(in_a_tool, 1), (in_middleware, 2)])
def test_a_solver_may_interrupt_the_agent(make: Any, pauses: int, anyhow: Any) -> None:
    agent = make()
    result = anyhow(agent, {"messages": [HumanMessage("Who directed Jaws?")]}, THREAD)
    for _ in range(pauses):
        assert result["__interrupt__"][0].value == "Which?"
        result = anyhow(agent, Command(resume="This"), THREAD)
    assert result["messages"][-1].content == "Done."
    told = str(result["messages"]) + str(agent.get_state(THREAD).values)
    assert "This it is" in told


def test_calls_of_one_node_are_resumed_with_their_own_replies(anyhow: Any) -> None:
    def solver(text: str) -> str:
        return f"{text[-2:]} {interrupt(text[-2:])}"

    tool = create_decomposition_tool(solver=solver, strategy="direct")
    orders = iter([["A?", "B?"], ["B?", "A?"]])

    def update(order: list[str], found: list[Any]) -> dict[str, Any]:
        """As LangGraph's `ToolNode` does, which may come to its calls in another order."""
        waiting = [i for error in found if isinstance(error, GraphInterrupt) for i in error.args[0]]
        if waiting:
            raise GraphInterrupt(waiting)
        told = [f"{question} {text}" for question, text in zip(order, found, strict=True)]
        return {"messages": [AIMessage(text) for text in sorted(told)]}

    def ask(state: MessagesState) -> dict[str, Any]:
        order, found = next(orders), list[Any]()
        for question in order:
            try:
                found.append(tool.invoke({"question": question}))
            except GraphInterrupt as error:
                found.append(error)
        return update(order, found)

    async def aask(state: MessagesState) -> dict[str, Any]:
        order = next(orders)
        calls = [tool.ainvoke({"question": question}) for question in order]
        return update(order, await asyncio.gather(*calls, return_exceptions=True))

    builder = StateGraph(MessagesState).add_node("ask", RunnableLambda(ask, aask))
    graph = builder.add_edge(START, "ask").compile(checkpointer=InMemorySaver())
    waiting = anyhow(graph, {"messages": []}, THREAD)["__interrupt__"]
    replies = {i.id: f"is {i.value}" for i in waiting}
    messages = anyhow(graph, Command(resume=replies), THREAD)["messages"]
    assert [m.content for m in messages] == ["A? A? is A?", "B? B? is B?"]


class Runs(BaseCallbackHandler):
    """Names of the runs, each below those that it is nested in."""

    def __init__(self) -> None:
        self.path: dict[Any, str] = {}

    def _start(self, *args: Any, run_id: Any, parent_run_id: Any = None, **kwargs: Any) -> None:
        name = kwargs.get("name") or args[0]["name"]
        self.path[run_id] = f"{self.path.get(parent_run_id, '')}/{name}"

    on_chain_start = on_tool_start = on_chat_model_start = _start


def test_traces_nest_under_the_agent(anyhow: Any) -> None:
    middleware = DecompositionMiddleware(solver="bundled")
    runs, replies = Runs(), [calling(SEATS), "180"]
    agent = create_agent(
        Scripted(replies=replies),
        tools=[create_decomposition_tool()],
        middleware=[middleware],
    )
    anyhow(agent, {"messages": [HumanMessage(SEATS)]}, {"callbacks": [runs]})
    calls = [path for path in runs.path.values() if path.rpartition("/")[2].startswith("#1 ")]
    assert len(calls) == 2
    assert "/DecompositionMiddleware.before_agent/decomposition/solver/" in calls[0]
    assert "/tools/decompose_question/decomposition/scheduler/" in calls[1]


# The middleware.


def talk(model: Scripted, **options: Any) -> Any:
    middleware = DecompositionMiddleware(**{"solver": last_line, **options})
    return create_agent(
        model, middleware=[middleware], checkpointer=InMemorySaver(), system_prompt="Be brief."
    )


def found(agent: Any) -> dict[str, Any]:
    return agent.get_state(THREAD).values["decomposition"]


def test_the_agent_is_told_what_was_found_and_the_conversation_is_not(anyhow: Any) -> None:
    model = Scripted(replies=["Three things."])
    agent = talk(model, decomposer=Scripted(replies=[PLAN]))
    result = anyhow(agent, {"messages": [HumanMessage("All?")]}, THREAD)
    assert [m.content for m in result["messages"]] == ["All?", "Three things."]
    assert "decomposition" not in result
    [[system, human]] = model.asked
    assert isinstance(system, SystemMessage)
    assert system.text.startswith("Be brief.\n\n")
    assert "#1 A? = <A?>\n#2 B? = <B?>\n#3 Both?" in system.text
    assert human.content == "All?"
    assert [row["answer"] for row in found(agent)["answers"][:2]] == ["<A?>", "<B?>"]
    assert json.loads(json.dumps(found(agent))) == found(agent)


def test_two_turns_on_a_thread_do_not_mix(anyhow: Any) -> None:
    model, planner = Scripted(replies=["Fine."]), Scripted(replies=[PLAN, "#1 C?\n#2 D?", "atomic"])
    agent = talk(model, decomposer=planner)
    for text in ("First?", "Second?", "Thanks!"):
        anyhow(agent, {"messages": [HumanMessage(text)]}, THREAD)
    first, second, third = (messages[0].text for messages in model.asked)
    assert "A?" in first
    assert "C?" in second
    assert "A?" not in second
    assert third == "Be brief."
    assert found(agent)["status"] == "undivided"
    assert [m.type for m in model.asked[2]] == ["system", *["human", "ai"] * 2, "human"]


def test_a_question_that_isn_t_split_costs_the_planning_call_only(anyhow: Any) -> None:
    asked: list[str] = []
    model, planner = Scripted(replies=["Spielberg."]), Scripted(replies=["atomic"])
    agent = talk(model, decomposer=planner, solver=lambda text: asked.append(text) or "x")
    anyhow(agent, {"messages": [HumanMessage("Who directed Jaws?")]}, THREAD)
    assert asked == []
    assert len(planner.asked) == len(model.asked) == 1
    assert [m.text for m in model.asked[0]] == ["Be brief.", "Who directed Jaws?"]
    assert [row["calls"] for row in found(agent)["usage"]] == [1]


def test_a_failed_solver_is_a_gap_that_the_agent_is_told_of(anyhow: Any) -> None:
    model = Scripted(replies=["Half of it."])
    agent = talk(model, decomposer=Scripted(replies=[PLAN]), solver=failing_on("B"))
    anyhow(agent, {"messages": [HumanMessage("All?")]}, THREAD)
    system = model.asked[0][0].text
    assert "#1 A? = fine" in system
    assert "#2 B?: no answer (no idea about B)" in system
    assert found(agent)["status"] == "partial"


def test_what_a_decomposition_graph_answered_in_part_is_told_as_partial(anyhow: Any) -> None:
    inner = create_decomposition_graph(
        failing_on("B"), decomposer=Scripted(replies=[PLAN]), name="inner"
    )
    agent = talk(Scripted(replies=["Hm."]), decomposer=Scripted(replies=["#1 X?"]), solver=inner)
    anyhow(agent, {"messages": [HumanMessage("All?")]}, THREAD)
    assert found(agent)["answers"][0]["status"] == "ok"
    assert found(agent)["status"] == "partial"
    assert "#1: inner answered with status 'partial'" in found(agent)["warnings"]


def test_where_nothing_was_found_the_turn_is_left_as_it_was(anyhow: Any) -> None:
    def down(_: Any) -> str:
        raise ConnectionError("the planner is down")

    long = HumanMessage(SEATS + " Take your time." * 200)  # Over the bundled model's context.
    for message, options in (
        (HumanMessage("All?"), {"decomposer": Scripted(replies=[PLAN]), "solver": failing_on("")}),
        (HumanMessage("All?"), {"decomposer": RunnableLambda(down)}),
        (long, {"solver": "bundled"}),
    ):
        model = Scripted(replies=["I don't know."])
        agent = talk(model, **options)
        anyhow(agent, {"messages": [message]}, THREAD)
        assert [m.text for m in model.asked[0]] == ["Be brief.", message.text]
        assert found(agent)["status"] == "failed"
        assert found(agent)["warnings"] or found(agent)["answers"]


@pytest.mark.parametrize(
    "messages",
    [
        [HumanMessage("please don't")],
        [HumanMessage(" ")],
        [HumanMessage("x" * 100_001)],
        [HumanMessage("All?"), AIMessage("Let me see.")],
        [HumanMessage([{"type": "text", "text": "All?"}, {"type": "image", "url": "http://x/y"}])],
    ],
)
def test_what_is_no_fresh_question_is_not_even_planned(messages: Any, anyhow: Any) -> None:
    planner = Scripted(replies=[PLAN])
    agent = talk(
        Scripted(replies=["Hm."]), decomposer=planner, when=lambda text: "please" not in text
    )
    anyhow(agent, {"messages": messages}, THREAD)
    assert planner.asked == []
    assert found(agent) is None


def test_every_model_call_of_the_turn_is_told_in_words_of_one_s_own(tmp_path: Any) -> None:
    (tmp_path / "middleware.txt").write_text("version: mine\n--- system\nKNOWN: {answers}")
    model = Scripted(replies=[calling("Else?"), "Done."])
    middleware = DecompositionMiddleware(
        solver=last_line, decomposer=Scripted(replies=["#1 A?\n#2 B?"]), prompts=tmp_path
    )
    tool = create_decomposition_tool(
        solver=last_line, decomposer=Scripted(replies=["atomic"]), strategy="direct"
    )
    prompt = SystemMessage([{"type": "text", "text": "Be brief."}])
    agent = create_agent(model, tools=[tool], middleware=[middleware], system_prompt=prompt)
    agent.invoke({"messages": [HumanMessage("All?")]})
    told = {"type": "text", "text": "\n\nKNOWN: #1 A? = <A?>\n#2 B? = <B?>"}
    assert [messages[0].content for messages in model.asked] == [[prompt.content[0], told]] * 2


def test_only_the_agent_s_words_reach_a_chat_screen() -> None:
    agent = talk(Scripted(replies=["Said."]), solver=Scripted(replies=["secret"]))
    pieces = agent.stream({"messages": [HumanMessage(SEATS)]}, THREAD, stream_mode="messages")
    assert "".join(m.text for m, _ in pieces) == "Said."
    assert found(agent)["answers"][0]["answer"] == "secret"
