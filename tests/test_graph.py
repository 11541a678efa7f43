"""The graphs end to end: the bundled models, scripted servers, and every way to go wrong."""

from __future__ import annotations

import asyncio
import gc
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel.remote import RemoteGraph
from langgraph.types import Command
from langgraph_decompose import (
    Budget,
    UserError,
    build_decomposition_graph,
    composer_node,
    create_decomposer,
    create_decomposition_graph,
    decomposer_node,
    solver_node,
)
from langgraph_decompose.errors import PromptTooLongError
from langgraph_decompose.graphs.state import DecompositionState
from langgraph_decompose.testing import ScriptedChatModel
from langgraph_sdk.schema import StreamPart
from pydantic import BaseModel

from .conftest import SEATS, THREAD, RecordingServer

SPOUSE = "Who is the spouse of the director of Jaws?"


def scripted(*replies: str) -> FakeListChatModel:
    return FakeListChatModel(responses=list(replies))


def test_a_question_is_split_solved_and_composed_by_the_bundled_models(anyhow: Any) -> None:
    result = anyhow(create_decomposition_graph(), {"question": SEATS})
    assert result["answer"] == "180"
    assert result["status"] == "ok"
    assert result["plan_source"] == "model"
    assert [row["answer"] for row in result["answers"]] == ["240", "180"]
    assert [type(m) for m in result["messages"]] == [AIMessage]
    assert {row["role"] for row in result["usage"]} == {"decomposer", "solver"}
    without_messages = {k: v for k, v in result.items() if k != "messages"}
    assert json.loads(json.dumps(without_messages)) == without_messages


def test_a_question_that_asks_two_things_gets_two_answers(anyhow: Any) -> None:
    question = "Which commit broke the login test, and who wrote it?"
    solver = ScriptedChatModel(replies={"What was found": "Ana wrote a1b2c3."}, default="Ana")
    graph = create_decomposition_graph(decomposer="bundled", solver=solver)
    assert anyhow(graph, {"question": question})["answer"] == "Ana wrote a1b2c3."


@pytest.mark.parametrize("strategy", ["dag", "recursive"])
def test_two_things_are_told_line_by_line_by_a_solver_that_only_calculates(strategy: str) -> None:
    question = "Ana sells 5 cakes for $3 each. How much does Ana earn, and how much has Ana "
    graph = create_decomposition_graph(strategy=strategy)
    result = graph.invoke({"question": question + "after paying $4?"})
    lines = [f"#{row['id']} {row['text']} = {row['answer']}" for row in result["answers"]]
    assert len(lines) > 1
    assert (result["answer"], result["status"]) == ("\n".join(lines), "ok")


def test_no_call_is_kept_back_for_answers_that_are_told_line_by_line() -> None:
    question = "Ana sells 5 cakes for $3 each. How much does Ana earn, and how much has Ana "
    graph = create_decomposition_graph(budget=Budget(max_calls=3))
    result = graph.invoke({"question": question + "after paying $4?"})
    assert ([row["status"] for row in result["answers"]], result["status"]) == (["ok"] * 2, "ok")


def test_a_fact_asked_of_the_bundled_solver_is_refused_not_invented(anyhow: Any) -> None:
    result = anyhow(create_decomposition_graph(), {"question": "Who directed Jaws?"})
    assert result["status"] == "failed"
    assert result["answer"] is None
    [row] = result["answers"]
    assert row["status"] == "failed"
    assert "--solver" in row["error"]["message"]
    assert "arithmetic only" in result["messages"][-1].content


def test_a_general_solver_sees_needed_answers_and_the_problem(anyhow: Any) -> None:
    seen: list[str] = []

    def solver(text: str) -> str:
        seen.append(text)
        return "Spielberg" if len(seen) == 1 else "Kate Capshaw"

    result = anyhow(create_decomposition_graph(solver), {"question": SPOUSE, "context": "A film."})
    assert result["answer"] == "Kate Capshaw"
    assert SPOUSE in seen[0]
    assert "A film." in seen[0]
    first, second = result["answers"]
    assert f"#1 {first['text']} = Spielberg" in seen[1]
    assert "#1" in second["text"]
    assert second["resolved"] == second["text"].replace("#1", "Spielberg")


PLAN = "#1 A?\n#2 B?\n#3 Both? <- #1 #2"


def test_a_general_decomposer_s_plan_ends_with_the_composer(anyhow: Any) -> None:
    solver = RunnableLambda(lambda text: text.rsplit(":", 1)[1].strip() + " yes")
    composer = scripted("the end")
    graph = create_decomposition_graph(solver, decomposer=scripted(PLAN), composer=composer)
    result = anyhow(graph, {"question": "Both?"})
    assert result["answer"] == "the end"
    assert [row["answer"] for row in result["answers"][:2]] == ["A? yes", "B? yes"]
    assert {row["role"] for row in result["usage"]} == {"decomposer", "solver", "composer"}


def test_a_failed_subquestion_is_a_value_and_its_dependants_are_skipped(anyhow: Any) -> None:
    def solver(text: str) -> str:
        if text.endswith("B?"):
            raise ValueError("no idea about B")
        return "fine"

    composer_saw: list[str] = []
    graph = create_decomposition_graph(
        solver,
        decomposer=scripted("#1 A?\n#2 B?\n#3 C? <- #2\n#4 D? <- #1"),
        composer=lambda text: composer_saw.append(text) or "what is known",
    )
    result = anyhow(graph, {"question": "All?"})
    assert [row["status"] for row in result["answers"]] == ["ok", "failed", "skipped", "ok"]
    assert result["answers"][1]["error"] == {
        "type": "ValueError",
        "message": "no idea about B",
        "transient": False,
    }
    assert result["status"] == "partial"
    assert result["answer"] == "what is known"
    assert "#2 B?: no answer (no idea about B)" in composer_saw[0]
    assert "#3 C?: no answer (it needs #2, which has no answer)" in composer_saw[0]


def test_a_composer_that_cannot_read_it_all_is_the_user_s_to_replace(anyhow: Any) -> None:
    def composer(text: str) -> str:
        raise PromptTooLongError("the text is too long")

    graph = create_decomposition_graph(lambda t: "x", decomposer=scripted(PLAN), composer=composer)
    with pytest.raises(PromptTooLongError, match="the text is too long"):
        anyhow(graph, {"question": "Both?"})


@pytest.mark.parametrize("word", ["atomic", "No decomposition"])
def test_a_question_that_the_decomposer_leaves_whole_is_asked_once(
    openai_server: RecordingServer, word: str
) -> None:
    openai_server.replies = [word]
    decomposer = f"openai:planner@{openai_server.url}"
    graph = create_decomposition_graph(lambda text: "fine", decomposer=decomposer)
    result = graph.invoke({"question": "Both?"})
    assert (result["answer"], result["plan"], result["plan_source"]) == ("fine", [], "model")
    assert (len(openai_server.requests), result["warnings"]) == (1, [])


def test_direct_and_cot_ask_once(openai_server: RecordingServer) -> None:
    solver = f"openai:m@{openai_server.url}"
    openai_server.replies = ["42", "Six sevens.\nAnswer: **42**"]
    for strategy in ("direct", "cot"):
        result = create_decomposition_graph(solver, strategy=strategy).invoke({"question": "6*7?"})
        assert (result["answer"], result["status"]) == ("42", "ok")
        assert result["strategy"] == strategy
        assert result["plan"] == []
        assert result["answers"][0]["id"] == 0
    assert len(openai_server.requests) == 2


def test_static_solves_everything_in_one_call(openai_server: RecordingServer) -> None:
    openai_server.replies = ["#1 Spielberg\n#2 Kate Capshaw\nAnswer: Kate Capshaw"]
    graph = create_decomposition_graph(f"openai:m@{openai_server.url}", strategy="static")
    result = graph.invoke({"question": SPOUSE})
    assert result["answer"] == "Kate Capshaw"
    [request] = openai_server.requests
    prompt = request["body"]["messages"][-1]["content"]
    assert "#2 Who is the spouse of #1? <- #1" in prompt
    assert prompt.rstrip().endswith(SPOUSE), "the main question is restated last"


@pytest.mark.parametrize("strategy", ["direct", "cot", "static", "dag"])
def test_a_server_s_error_is_in_the_result(openai_server: RecordingServer, strategy: Any) -> None:
    openai_server.default = (401, "wrong key, go away")
    graph = create_decomposition_graph(f"openai:m@{openai_server.url}", strategy=strategy)
    result = graph.invoke({"question": SPOUSE})
    assert result["status"] == "failed"
    assert "wrong key, go away" in result["answers"][0]["error"]["message"]
    assert result["answers"][0]["error"]["transient"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strategy": "guess"}, "unknown strategy 'guess'; use one of direct, cot, self_consist"),
        ({"max_subquestions": 0}, "the cap on subquestions is 1 to 64"),
        ({"max_subquestions": "8"}, "the cap on subquestions is 1 to 64"),
        ({"strategy": ["dag"]}, "unknown strategy"),
        ({"decomposer": "gguf:no.gguf"}, "no model file"),
        ({"strategy": "cot"}, "needs a solver that reasons in words"),
        ({"strategy": "static"}, "needs a solver that reasons in words"),
        ({"prompts": "nowhere"}, "no prompts folder 'nowhere'"),
        ({"prompts": 5}, "prompts= is the path of a folder, not 5"),
        ({"prompts": {"direct": "Say {problem}"}}, "path of a folder with texts, not a dict of"),
    ],
)
def test_mistakes_are_told_when_the_graph_is_built(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        create_decomposition_graph(**arguments)


@pytest.mark.parametrize(
    "value", [{"question": "  "}, {"question": "\0"}, {}, {"messages": []}, {"question": 5}]
)
def test_no_question_is_the_user_s_mistake(value: Any) -> None:
    with pytest.raises(UserError):
        create_decomposition_graph().invoke(value)


async def test_a_chain_does_not_wait_for_a_slow_sibling() -> None:
    finished: list[str] = []
    last = asyncio.Event()

    async def solver(text: str) -> str:
        name = text.rsplit(": ", 1)[1]
        if "Slow" in name:
            await asyncio.wait_for(last.wait(), 30)
        finished.append(name)
        if "Last" in name:
            last.set()
        return "x"

    plan = "#1 Slow?\n#2 Fast?\n#3 After fast? <- #2\n#4 Last? <- #3"
    solving = RunnableLambda(lambda text: "x", solver)
    graph = create_decomposition_graph(solving, decomposer=scripted(plan), composer=scripted("ok"))
    await graph.ainvoke({"question": "All?"})
    assert [name.split("?")[0] for name in finished] == ["Fast", "After fast", "Last", "Slow"]


def test_an_event_loop_that_is_closed_leaves_the_queue_for_a_model() -> None:
    from langgraph_decompose.models.limiter import Limiter

    limiter = Limiter(1)

    async def wait() -> None:
        async with limiter.ahold():
            raise AssertionError("its loop is closed")

    with limiter.hold():
        loop = asyncio.new_event_loop()
        waiting = loop.create_task(wait())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        del waiting
        gc.collect()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: limiter.hold().__enter__()).result(timeout=30)


async def test_32_questions_at_once_on_one_bundled_model_do_not_cross() -> None:
    graph = create_decomposition_graph()
    asked = [
        f"Ana has {n} boxes with {n + 3} pens each. How many pens does Ana have?"
        for n in range(4, 12)
    ]
    alone = {q: (await graph.ainvoke({"question": q}))["answer"] for q in asked}
    assert len(set(alone.values())) >= 4
    results = await asyncio.gather(*(graph.ainvoke({"question": q}) for q in asked * 4))
    assert [r["answer"] for r in results] == [alone[q] for q in asked * 4]


async def test_cancelling_a_question_reaches_the_running_calls() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def solver(text: str) -> str:
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "x"

    graph = create_decomposition_graph(
        RunnableLambda(lambda t: "x", solver), decomposer=scripted(PLAN)
    )
    running = asyncio.create_task(graph.ainvoke({"question": "Both?"}))
    await asyncio.wait_for(started.wait(), 30)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.wait_for(cancelled.wait(), 30)


def test_a_compiled_graph_and_an_agent_can_be_the_solver(anyhow: Any) -> None:
    agent = create_agent(scripted("from an agent"), tools=[])
    inner = StateGraph(MessagesState)
    inner.add_node(
        "reply", lambda state: {"messages": [AIMessage(f"{len(state['messages'])} message")]}
    )
    inner.add_edge(START, "reply")
    for solver, answer in ((agent, "from an agent"), (inner.compile(), "1 message")):
        result = anyhow(create_decomposition_graph(solver), {"question": SPOUSE})
        assert result["answer"] == answer
        assert len(result["answers"]) == 2


def test_an_agent_with_a_memory_of_its_own_has_one_for_each_subquestion(anyhow: Any) -> None:
    inner = StateGraph(MessagesState)
    inner.add_node("reply", lambda state: {"messages": [AIMessage(str(len(state["messages"])))]})
    inner.add_edge(START, "reply")
    models: Any = {"decomposer": scripted("#1 A?\n#2 B?\n#3 C?"), "composer": scripted("end")}
    agent = inner.compile(checkpointer=True)
    options: Any = {"strategy": "sequential", "checkpointer": InMemorySaver()}
    graph = create_decomposition_graph(agent, **models, **options)
    first, again = (anyhow(graph, {"question": "All?"}, THREAD)["answers"] for _ in range(2))
    assert [row["answer"] for row in first] == ["1", "1", "1"]
    assert again[0]["answer"] == "3", "what was asked before it remembers"


class Server:
    """Stands in for the client of a LangGraph server, whose replies are JSON."""

    def __init__(self, data: dict[str, Any], *, is_async: bool) -> None:
        self.threads: list[Any] = []
        self.configurable: Any = None
        self._part = StreamPart(event="values", data=data)
        self.runs: Any = self
        self.stream: Any = self._awaited if is_async else self._blocking

    def _blocking(self, *, thread_id: Any, config: Any, **_: Any) -> Any:
        self.threads.append(thread_id)
        self.configurable = config["configurable"]
        yield self._part

    async def _awaited(self, *, thread_id: Any, **_: Any) -> Any:
        self.threads.append(thread_id)
        yield self._part


def test_a_graph_on_a_server_can_be_the_solver(anyhow: Any) -> None:
    took = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    said = {"type": "ai", "id": "1", "content": "from afar", "usage_metadata": took}
    for last in (said, {"role": "assistant", "content": "from afar"}):
        messages = {"messages": [{"type": "human", "content": "A?"}, last]}
        client: Any = Server(messages, is_async=False)
        aclient: Any = Server(messages, is_async=True)
        remote = RemoteGraph("afar", client=aclient, sync_client=client)
        options: Any = {"decomposer": scripted("#1 A?\n#2 B?"), "composer": scripted("end")}
        graph = create_decomposition_graph(remote, **options, checkpointer=InMemorySaver())
        result = anyhow(graph, {"question": SPOUSE}, THREAD)
        assert [row["answer"] for row in result["answers"]] == ["from afar"] * 2
        assert client.threads + aclient.threads == [None, None], "on one they would mix"
        [tokens] = [u["input_tokens"] for u in result["usage"] if u["role"] == "solver"]
        assert tokens == (6 if last is said else None)


def test_what_a_graph_on_a_server_says_is_told_apart() -> None:
    said = {"messages": [{"type": "ai", "content": "from afar"}]}
    client: Any = Server(said, is_async=False)
    options: Any = {"decomposer": scripted("#1 A?\n#2 B?"), "composer": scripted("end")}
    graph = create_decomposition_graph(RemoteGraph("afar", sync_client=client), **options)
    parts: Any = graph.stream({"question": SPOUSE}, stream_mode="values", subgraphs=True)
    places = [place[-1] for place, part in parts if part == said]
    assert len(set(places)) == 2
    assert all(place.startswith("subquestion-") for place in places)


def test_a_server_isn_t_told_that_nothing_is_to_be_kept_here() -> None:
    client: Any = Server({"messages": [{"type": "ai", "content": "x"}]}, is_async=False)
    options: Any = {"decomposer": scripted("#1 A?"), "composer": scripted("end")}
    remote = RemoteGraph("afar", sync_client=client)
    graph = create_decomposition_graph(remote, **options, checkpointer=False)
    assert graph.invoke({"question": SPOUSE})["answers"][0]["answer"] == "x"
    assert not any("keeps_nothing" in name for name in client.configurable)


def test_a_graph_without_checkpoints_leaves_none_in_its_parent_s(anyhow: Any) -> None:
    models: Any = {"decomposer": scripted(PLAN), "composer": scripted("end"), "checkpointer": False}
    asked = {"messages": [("user", "Both?")]}
    for solver in (lambda prompt: "secret", create_agent(scripted("secret"), tools=[])):
        saver = InMemorySaver()
        parent = StateGraph(MessagesState).add_edge(START, "think")
        parent.add_node("think", create_decomposition_graph(solver, **models))
        result = anyhow(parent.compile(checkpointer=saver), asked, THREAD)
        assert result["messages"][-1].text == "end"
        assert "secret" not in str(saver.writes) + str(saver.blobs)
    reviewed = create_decomposition_graph(scripted("x"), **models, review=True)
    parent = StateGraph(MessagesState).add_node("think", reviewed).add_edge(START, "think")
    with pytest.raises(UserError, match="review needs a checkpointer"):
        anyhow(parent.compile(checkpointer=saver), asked, THREAD)


def test_an_agent_may_answer_with_what_a_tool_returns(anyhow: Any) -> None:
    @tool(return_direct=True)
    def look_up() -> str:
        """Look it up."""
        return "a page"

    call = AIMessage("", tool_calls=[{"name": "look_up", "args": {}, "id": "1"}])
    agent = create_agent(ScriptedChatModel(replies={"": call}), tools=[look_up])
    result = anyhow(create_decomposition_graph(agent, strategy="direct"), {"question": SPOUSE})
    assert (result["answer"], result["status"]) == ("a page", "ok")


def test_an_agent_that_hands_over_to_another_fails_its_line_alone(anyhow: Any) -> None:
    @tool
    def hand_over() -> Command[Any]:
        """Hand over."""
        return Command(graph=Command.PARENT, goto="other")

    call = AIMessage("", tool_calls=[{"name": "hand_over", "args": {}, "id": "1"}])
    model = ScriptedChatModel(replies={"now: B?": call}, default="fine")
    agent, planner = create_agent(model, tools=[hand_over], name="al"), scripted("#1 A?\n#2 B?")
    graph = create_decomposition_graph(agent, decomposer=planner, composer=scripted("end"))
    result = anyhow(graph, {"question": SPOUSE})
    assert (result["answer"], result["status"]) == ("end", "partial")
    first, second = result["answers"]
    assert first["answer"] == "fine"
    assert second["error"]["message"] == "al handed over instead of answering"


def test_an_agent_may_answer_in_a_form_of_its_own(anyhow: Any) -> None:
    class Director(BaseModel):
        name: str

    call = AIMessage("", tool_calls=[{"name": "Director", "args": {"name": "Zoë"}, "id": "1"}])
    model = ScriptedChatModel(replies={"": call})
    agent = create_agent(model, tools=[], response_format=ToolStrategy(Director))
    result = anyhow(create_decomposition_graph(agent, strategy="direct"), {"question": SPOUSE})
    assert (result["answer"], result["status"]) == ('{"name":"Zoë"}', "ok")


def test_a_context_that_a_nested_graph_can_t_read_is_its_line_s_failure(anyhow: Any) -> None:
    models: Any = {"decomposer": scripted(PLAN), "composer": scripted("end")}
    solver = create_decomposition_graph(scripted("x"), name="inner", **models)
    asked = {"question": "Both?", "context": "long " * 25_000}
    result = anyhow(create_decomposition_graph(solver, **models), asked)
    assert result["status"] == "failed"
    said = result["messages"][-1].content
    assert "the solver 'inner' can't read it all: the question has over 100,000" in said


def test_the_graph_is_a_node_in_someone_s_own_graph() -> None:
    parent = StateGraph(MessagesState)
    parent.add_node("think", create_decomposition_graph(name="think"))
    parent.add_edge(START, "think")
    parent.add_edge("think", END)
    result = parent.compile().invoke({"messages": [HumanMessage(SEATS)]})
    assert [m.content for m in result["messages"]] == [SEATS, "180"]


def test_the_nodes_work_one_by_one_in_a_plain_state_graph() -> None:
    graph = StateGraph(DecompositionState)
    graph.add_node("plan", decomposer_node())
    graph.add_node("solve", solver_node("bundled"))
    graph.add_node("finish", composer_node("bundled"))
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "solve")
    graph.add_edge("solve", "finish")
    asked = {"asked": {"question": SEATS, "context": ""}}
    assert graph.compile().invoke(asked)["answer"] == "180"


def test_the_builder_takes_nodes_of_one_s_own() -> None:
    builder = build_decomposition_graph()
    builder.add_node("shout", lambda state: {"answer": state["answer"] + "!"})
    builder.add_edge("composer", "shout")
    assert builder.compile().invoke({"question": SEATS})["answer"] == "180!"


def test_what_returns_no_text_is_named(anyhow: Any) -> None:
    graph = create_decomposition_graph(
        scripted("x"), decomposer=create_decomposer(scripted("#1 A?"))
    )
    with pytest.raises(TypeError, match="decomposer returned Plan, not a text, a message or a"):
        anyhow(graph, {"question": SPOUSE})


async def test_a_decomposer_is_a_plain_runnable() -> None:
    planner = create_decomposer()
    plan = planner.invoke(SPOUSE)
    assert [s.needs for s in plan.subquestions] == [(), (1,)]
    assert await planner.ainvoke({"question": SPOUSE}) == plan
    assert planner.batch([SPOUSE, "Who directed Jaws?"])[1].atomic


async def test_every_event_is_seen_once_in_both_kinds_of_stream() -> None:
    graph = create_decomposition_graph()
    custom = [e["type"] async for e in graph.astream({"question": SEATS}, stream_mode="custom")]
    events = [
        e["name"]
        async for e in graph.astream_events({"question": SEATS}, version="v2")
        if e["event"] == "on_custom_event"
    ]
    kinds = ["plan.line", "plan.line", "plan"] + ["subquestion.started", "subquestion.answered"] * 2
    assert sorted(custom) == sorted(events) == sorted(f"decompose.{kind}" for kind in kinds)


def test_prompts_of_one_s_own_replace_the_package_s(tmp_path: Any) -> None:
    (tmp_path / "direct.txt").write_text("version: mine\n--- user\nSHOUT {problem}")
    seen: list[str] = []
    graph = create_decomposition_graph(
        lambda t: seen.append(t) or "x", strategy="direct", prompts=tmp_path
    )
    graph.invoke({"question": "{problem} {braces}?"})
    assert seen == ["SHOUT {problem} {braces}?"]
    (tmp_path / "direct.txt").write_text("version: mine\n--- user\n{nonsense}")
    with pytest.raises(UserError, match="unknown field {nonsense}; known: problem"):
        create_decomposition_graph(prompts=tmp_path)
    (tmp_path / "direct.txt").write_text("version: mine\n--- user\nsay hello")
    with pytest.raises(UserError, match="must hold {problem}, or it is never shown"):
        create_decomposition_graph(prompts=tmp_path)
    (tmp_path / "direct.txt").rename(tmp_path / "other.txt")
    with pytest.raises(UserError, match="replaces no prompt"):
        create_decomposition_graph(prompts=tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("compose", "--- user\n{problem}", "must hold {answers}"),
        ("solve", "--- user\n{problem}", "must hold {subquestion}"),
        ("middleware", "--- system\nhello", "must hold {answers}"),
        ("direct", "--- user\n{problem}\n--- assistant\nYes.", "has the line '--- assistant'"),
        ("direct", "--- user\n{problem}\n--- System\nBe brief.", "has the line '--- System'"),
        ("direct", "--- system:\nBe brief.\n--- user\n{problem}", "has the line '--- system:'"),
        ("direct", "Be brief.\n--- user\n{problem}", "has a text before its first part"),
    ],
)
def test_a_prompt_that_can_t_work_is_refused(
    tmp_path: Any, name: str, text: str, said: str
) -> None:
    (tmp_path / f"{name}.txt").write_text(f"version: mine\n{text}\n")
    with pytest.raises(UserError, match=said):
        create_decomposition_graph(prompts=tmp_path)


def test_a_prompt_may_begin_as_windows_editors_have_it(tmp_path: Any) -> None:
    (tmp_path / "direct.txt").write_bytes("\ufeffversion: 1\r\n--- user\r\nASK {problem}".encode())
    solver = scripted("x")
    graph = create_decomposition_graph(solver, strategy="direct", prompts=tmp_path)
    assert graph.invoke({"question": "Who?"})["answer"] == "x"
