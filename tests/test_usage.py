"""What a question took is all in its usage, also where the reply was of no use."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph_decompose import AnswerCache, Budget, SolverOption, create_decomposition_graph
from langgraph_decompose.nodes.journal import Journal
from langgraph_decompose.nodes.usage import no_usage
from langgraph_decompose.testing import LatencyServer, ScriptedChatModel, ServerReply

from .conftest import ASKED, THREAD, always, both, run, soon


def calls(result: Any, role: str) -> int:
    return sum(row["calls"] for row in result["usage"] if row["role"] == role)


@both
def test_lines_of_a_plan_that_had_to_be_repaired_were_paid_for_too(how: str) -> None:
    plans = ["#1 A?\n#2 B?\n#2 C?\n#3 D? <- #9", "#1 X?\n#2 Y?"]
    solver = always("x")
    composer = always("end")

    def once_both_are_asked(line: str) -> float:
        return 0.0 * ("C?" in line and soon(lambda: len(solver.prompts) == 2))

    with LatencyServer(lambda *_: plans.pop(0), line_latency=once_both_are_asked) as server:
        models: Any = {"decomposer": f"openai:m@{server.url}", "composer": composer}
        result = run(how, create_decomposition_graph(solver, **models))
    assert [row["text"] for row in result["answers"]] == ["X?", "Y?"]
    assert len(solver.prompts) == 4
    assert calls(result, "solver") == 4


def repaired(url: str) -> dict[str, Any]:
    """Models whose plan, of which A is begun, can't be read at its end and becomes atomic."""
    return {
        "decomposer": f"openai:m@{url}",
        "composer": always("end"),
        "verify": "subquestions",
    }


def test_a_kept_reply_is_counted_once_however_often_it_is_asked_for() -> None:
    saver, taken = InMemorySaver(), no_usage("solver", "m", 1, 0.5)
    first = Journal(saver, "1", "run")
    first.put("key", {"text": "x", "usage": taken})
    again = Journal(saver, "1", "run")
    again.open()
    for journal, calls in ((first, [0, 0]), (again, [1, 0, 0])):
        replies = [journal.get("key") for _ in calls]
        assert [reply["text"] for reply in replies] == ["x"] * len(calls)
        assert [reply["usage"]["calls"] for reply in replies] == calls


@both
def test_what_is_asked_twice_at_once_counts_twice(how: str) -> None:
    at_once = threading.Barrier(2)

    def solver(text: str) -> str:
        if "Step to answer now" in text:
            at_once.wait(60)
        return "Answer: x"

    models = {"decomposer": always("#1 A?\n#2 A?"), "composer": always("end")}
    graph = create_decomposition_graph(
        solver,
        verify="answer",
        verifier=always("wrong"),
        budget=Budget(max_calls=5),
        checkpointer=InMemorySaver(),
        **models,
    )
    first = run(how, graph, ASKED, THREAD)
    assert calls(first, "solver") == 2, "the verifier's call was the fifth: nothing is revised"
    [place] = [s.config for s in graph.get_state_history(THREAD) if s.next == ("scheduler",)]
    assert calls(run(how, graph, None, place), "solver") == 2


@both
def test_what_a_dropped_line_had_completed_is_counted_and_what_it_was_at(how: str) -> None:
    plans = ["#1 A?\n#2 B? <- #9", "atomic"]
    solver = always("x")

    def once_a_is_verified(line: str) -> float:
        return 0.0 * ("B?" in line and soon(lambda: len(verifying.calls) == 1))

    with (
        LatencyServer(lambda *_: ServerReply(hang=True)) as verifying,
        LatencyServer(lambda *_: plans.pop(0), line_latency=once_a_is_verified) as planning,
    ):
        models = repaired(planning.url) | {"verifier": f"openai:m@{verifying.url}"}
        result = run(how, create_decomposition_graph(solver, **models))
    assert (result["answer"], len(solver.prompts)) == ("x", 2)
    assert sum(row["calls"] for row in result["usage"]) == 2 + 2 + 1
    tokens = [row["input_tokens"] for row in result["usage"] if row["role"] == "solver"]
    assert sum(tokens) == sum(len(prompt.split()) for prompt in solver.prompts)


async def test_a_line_that_a_repaired_plan_drops_gives_its_place_back() -> None:
    plans = ["#1 A?\n#2 B? <- #9", "#1 X?\n#2 Y?"]

    def solve(prompt: str, _: Any) -> Any:
        return ServerReply(hang=True) if "now: A?" in prompt else "x"

    def once_a_is_asked(line: str) -> float:
        return 0.0 * ("B?" in line and soon(lambda: len(solving.calls) == 1))

    with (
        LatencyServer(solve) as solving,
        LatencyServer(lambda *_: plans.pop(0), line_latency=once_a_is_asked) as planning,
    ):
        graph = create_decomposition_graph(
            f"openai:m@{solving.url}",
            decomposer=f"openai:m@{planning.url}",
            composer=always("end"),
            max_concurrency=1,
        )
        result = await asyncio.wait_for(graph.ainvoke(ASKED), 30)
    assert [row["answer"] for row in result["answers"]] == ["x", "x"]


def test_a_line_that_a_repaired_plan_drops_asks_nothing_more() -> None:
    plans = ["#1 A?\n#2 B? <- #9", "atomic"]
    verifying, dropped = threading.Event(), threading.Event()

    def reply(prompt: str) -> str:
        if "You check" in prompt:
            verifying.set()
            dropped.wait(30)
            return "computational: ask again"
        if "A?" not in prompt:
            dropped.set()
        return "x"

    def once_a_is_verified(line: str) -> float:
        return 0.0 * ("B?" in line and verifying.wait(30))

    threads, solver = {*threading.enumerate()}, ScriptedChatModel(replies=reply)
    with LatencyServer(lambda *_: plans.pop(0), line_latency=once_a_is_verified) as planning:
        result = create_decomposition_graph(solver, **repaired(planning.url)).invoke(ASKED)
    assert soon(lambda: {*threading.enumerate()} <= threads)
    assert (result["answer"], len(solver.prompts)) == ("x", 3)
    assert sum(row["calls"] for row in result["usage"]) == 2 + 3


@both
def test_a_graph_that_a_dropped_line_asks_asks_nothing_more(how: str) -> None:
    begun, dropped, ended = (threading.Event() for _ in range(3))
    prompts: list[str] = []

    def solve_within(prompt: str) -> str:
        prompts.append(prompt)
        begun.set()
        dropped.wait(30)
        return "x"

    def solve(prompt: str) -> str:
        if "A?" not in prompt:
            dropped.set()
            return "whole"
        try:
            return str(inner.invoke(ASKED)["answer"])
        finally:
            ended.set()

    def once_a_is_begun(line: str) -> float:
        return 0.0 * ("B?" in line and begun.wait(30))

    planner = always("#1 C?\n#2 D? <- #1")
    inner = create_decomposition_graph(solve_within, decomposer=planner)
    plans = ["#1 A?\n#2 B? <- #9", "atomic"]
    with LatencyServer(lambda *_: plans.pop(0), line_latency=once_a_is_begun) as planning:
        models = {"decomposer": f"openai:m@{planning.url}"}
        assert run(how, create_decomposition_graph(solve, **models))["answer"] == "whole"
    assert ended.wait(30)
    assert len(prompts) == 1


def test_a_plan_whose_repair_the_budget_ends_is_counted_once() -> None:
    begun, planned = threading.Event(), threading.Event()

    def solve(prompt: str) -> str:
        begun.set()
        planned.wait(30)
        return "x"

    planner = ScriptedChatModel(
        replies=["#1 A?\n#2 B? <- #1\n#3 C?"],
        chunks="lines",
        chunk_latency=lambda line: 0.0 * ("C?" in line and begun.wait(30)),
    )
    options: Any = {"budget": Budget(max_calls=3), "max_subquestions": 2}
    graph = create_decomposition_graph(
        solve, decomposer=planner, composer=lambda _: "end", **options
    )
    result: Any = None
    for kind, result in graph.stream(ASKED, stream_mode=["custom", "values"]):
        if kind == "custom" and result["type"] == "decompose.plan":
            planned.set()
    assert (result["answer"], result["status"]) == ("end", "budget_exhausted")
    assert [row["status"] for row in result["answers"]] == ["ok", "skipped"]
    assert {row["role"]: row["calls"] for row in result["usage"]} == {
        "decomposer": 1,
        "solver": 1,
        "composer": 1,
    }


@both
def test_a_reply_before_a_plan_that_failed_is_counted(how: str) -> None:
    ladder: Any = [{"strategy": "dag", "samples": 1}, {"strategy": "direct", "samples": 1}]
    decomposer = ScriptedChatModel(replies=["I would rather not.", ValueError("refused")])
    solver = always("x")
    options: Any = {"decomposer": decomposer, "strategy": "escalate", "ladder": ladder}
    result = run(how, create_decomposition_graph(solver, **options))
    assert (result["answer"], calls(result, "decomposer")) == ("x", 2)


@both
def test_samples_that_failed_are_counted(how: str) -> None:
    solver = ScriptedChatModel(replies=["x", "", "x"])
    options = {"s": SolverOption(solver, cost=0.0, success=0.5, samples=(3,))}
    decomposer = ScriptedChatModel(replies=["#1 A?"])
    composer = always("end")
    result = run(how, create_decomposition_graph(options, decomposer=decomposer, composer=composer))
    assert (result["status"], calls(result, "solver")) == ("ok", 3)


def test_an_atomic_question_is_allocated_as_well() -> None:
    dear, cheap = (always(name) for name in ("dear", "cheap"))
    options = {
        "dear": SolverOption(dear, cost=100.0, success=0.9),
        "cheap": SolverOption(cheap, cost=1.0, success=0.5),
    }
    decomposer = always("atomic")
    graph = create_decomposition_graph(
        options, decomposer=decomposer, composer=cheap, budget=Budget(max_cost=5.0)
    )
    assert graph.invoke(ASKED)["answer"] == "cheap"


@both
def test_a_slow_retriever_is_stopped_by_the_budget(how: str) -> None:
    ended = threading.Event()

    def search(query: str) -> list[Document]:
        ended.wait(30)
        return []

    solver = always("x")
    graph = create_decomposition_graph(
        solver,
        decomposer=ScriptedChatModel(replies=["#1 A?"]),
        retriever=search,
        budget=Budget(max_seconds=0.3),
    )

    async def arun() -> Any:
        result = await graph.ainvoke(ASKED)
        ended.set()  # The function itself can't be stopped; `asyncio.run` waits for its thread.
        return result

    result = graph.invoke(ASKED) if how == "sync" else asyncio.run(arun())
    ended.set()
    assert result["status"] == "budget_exhausted"
    assert solver.prompts == []


def test_a_cached_answer_found_without_passages_isn_t_one_with_them() -> None:
    cache = AnswerCache()
    for retriever in (None, lambda query: ["a passage"]):
        solver = always("x")
        graph = create_decomposition_graph(
            solver,
            decomposer=ScriptedChatModel(replies=["#1 A?"]),
            retriever=retriever,
            answer_cache=cache,
        )
        assert graph.invoke(ASKED)["answers"][0]["cached"] is False
    assert len(cache) == 2


def test_a_nested_decomposition_counts_with_all_its_calls() -> None:
    inner = create_decomposition_graph(
        always("x"),
        decomposer=always("#1 P?\n#2 Q?"),
    )
    graph = create_decomposition_graph(
        inner,
        decomposer=ScriptedChatModel(replies=["#1 A?\n#2 B? <- #1\n#3 C? <- #2"]),
        composer=always("end"),
        budget=Budget(max_calls=7),
    )
    result = graph.invoke(ASKED)
    assert calls(result, "solver") == 8, "a nested question can't be stopped in its middle"
    assert [row["status"] for row in result["answers"]] == ["ok", "ok", "skipped"]
    assert result["status"] == "budget_exhausted"


@both
def test_what_langchain_s_cache_gave_took_no_tokens(how: str) -> None:
    reporting = always("x", cache=InMemoryCache())
    silent = FakeListChatModel(responses=["x"], cache=InMemoryCache())
    for solver, first in ((reporting, True), (silent, False)):
        graph = create_decomposition_graph(solver, strategy="direct")
        [asked], [cached] = run(how, graph)["usage"], run(how, graph)["usage"]
        assert (bool(asked["input_tokens"]), bool(asked["output_tokens"])) == (first, first)
        assert (cached["input_tokens"], cached["output_tokens"]) == (0, 0)
    assert len(reporting.prompts) == 1


@both
def test_usage_that_tells_not_all_is_unknown_and_no_failure(how: str) -> None:
    some: Any = {"output_tokens": 3, "total_tokens": 3}
    solver = RunnableLambda(lambda _: AIMessage("x").model_copy(update={"usage_metadata": some}))
    result = run(how, create_decomposition_graph(solver, strategy="direct"))
    [row] = result["usage"]
    assert (result["status"], row["input_tokens"], row["output_tokens"]) == ("ok", None, 3)


@both
def test_what_was_thought_counts_where_only_the_total_tells_it(how: str) -> None:
    """As Gemini, through OpenAI's interface, and Grok report it."""
    usage = UsageMetadata(input_tokens=20, output_tokens=5, total_tokens=425)
    solver = ScriptedChatModel(replies=[AIMessage("x", usage_metadata=usage)])
    [row] = run(how, create_decomposition_graph(solver, strategy="direct"))["usage"]
    assert (row["input_tokens"], row["output_tokens"]) == (20, 405)


class TellsAgain(ScriptedChatModel):
    """Tells with each line what all have taken, as Gemini does through OpenAI's interface."""

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        for number, line in enumerate(["#1 A?\n", "#2 B?\n", "#3 C?"], 1):
            usage = UsageMetadata(
                input_tokens=100, output_tokens=5 * number, total_tokens=100 + 5 * number
            )
            yield ChatGenerationChunk(message=AIMessageChunk(line, usage_metadata=usage))

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream():
            yield chunk


@both
def test_usage_that_is_told_again_with_each_chunk_counts_once(how: str) -> None:
    models: Any = {"decomposer": TellsAgain(replies=[])}
    models["composer"] = always("end")
    solver = always("x")
    result = run(how, create_decomposition_graph(solver, **models))
    assert len(result["plan"]) == 3
    [row] = [row for row in result["usage"] if row["role"] == "decomposer"]
    assert (row["input_tokens"], row["output_tokens"]) == (100, 15)


@both
def test_what_a_nested_graph_has_tried_again_is_not_tried_more_and_counts(how: str) -> None:
    down = ServerReply("down", status=503, headers=(("Retry-After", "0"),))
    with LatencyServer(lambda *_: down) as server:
        inner = create_decomposition_graph("bundled", decomposer=f"openai:m@{server.url}")
        outer = create_decomposition_graph(inner, strategy="direct")
        result = run(how, outer)
        assert (result["status"], len(server.calls), calls(result, "solver")) == ("failed", 3, 3)


@both
def test_what_an_agent_that_failed_has_taken_is_not_told_as_nothing(how: str) -> None:
    @tool
    def look_up() -> str:
        """Look it up."""
        return "nothing"

    again = AIMessage("", tool_calls=[{"name": "look_up", "args": {}, "id": "1"}])
    model = ScriptedChatModel(replies={"now: B?": again}, default="x")
    agent = create_agent(model, tools=[look_up], name="al").with_config(recursion_limit=6)
    models: Any = {"decomposer": FakeListChatModel(responses=["#1 A?\n#2 B?"])}
    models["composer"] = always("end")
    result = run(how, create_decomposition_graph(agent, budget=Budget(max_tokens=9_999), **models))
    first, second = result["answers"]
    assert (first["usage"][0]["input_tokens"] or 0) > 0
    assert [second["usage"][0][name] for name in ("calls", "input_tokens")] == [1, None]
    says = "max_tokens doesn't count FakeListChatModel, al: it reports no tokens, or failed before"
    assert any(text.startswith(says) for text in result["warnings"])
