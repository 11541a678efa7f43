"""The answer cache: what is found again, what isn't, and how the file behaves."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.runtime import get_runtime
from langgraph_decompose import AnswerCache, UserError, create_decomposition_graph
from langgraph_decompose.graphs.state import DecompositionState
from langgraph_decompose.testing import LatencyServer, ScriptedChatModel, ServerReply

from .conftest import ROOT, THREAD, always, both, step

PLAN = "#1 Who directed Jaws?\n#2 Who married #1?"
ASKED = {"question": "Who is the spouse?", "context": "A film."}
ROW: Any = {"id": 1, "text": "A?", "resolved": "A?", "answer": "x", "status": "ok", "solver": "m"}


def run(how: str, graph: Any, value: Any = ASKED, config: Any = None) -> Any:
    if how == "sync":
        return graph.invoke(value, config)
    return asyncio.run(graph.ainvoke(value, config))


@pytest.fixture
def server() -> Iterator[LatencyServer]:
    with LatencyServer(lambda prompt, _: f"answer {len(server.calls)}") as server:
        yield server


def graph(server: LatencyServer, cache: Any, model: str = "m", **options: Any) -> Any:
    models: Any = {"decomposer": always(PLAN)}
    models["composer"] = always("end")
    solver = f"openai:{model}@{server.url}"
    return create_decomposition_graph(solver, answer_cache=cache, **(models | options))


@both
@pytest.mark.parametrize("strategy", ["dag", "sequential"])
def test_the_second_time_the_solver_is_not_asked(
    how: str, strategy: Any, server: LatencyServer, tmp_path: Path
) -> None:
    first = run(how, graph(server, AnswerCache(tmp_path / "answers.sqlite"), strategy=strategy))
    assert len(server.calls) == 2
    again = AnswerCache(tmp_path / "answers.sqlite")
    second = run(how, graph(server, again, strategy=strategy))
    assert len(server.calls) == 2
    assert [row["cached"] for row in first["answers"] + second["answers"]] == [0, 0, 1, 1]
    taken = {"cached": True, "usage": [], "seconds": 0.0}
    assert second["answers"] == [{**row, **taken} for row in first["answers"]]
    assert "solver" not in {row["role"] for row in second["usage"]}
    assert (second["answer"], second["status"]) == ("end", "ok")


@both
def test_what_a_run_has_paid_for_or_found_is_the_same_when_it_is_resumed(
    how: str, server: LatencyServer
) -> None:
    asked = graph(server, AnswerCache(), checkpointer=InMemorySaver())
    for thread, cached in (("1", False), ("2", True)):
        config: Any = {"configurable": {"thread_id": thread}}
        first = run(how, asked, ASKED, config)
        [place] = [s.config for s in asked.get_state_history(config) if s.next == ("scheduler",)]
        again = run(how, asked, None, place)
        assert again["answers"] == first["answers"]
        assert [row["cached"] for row in again["answers"]] == [cached, cached]
    assert len(server.calls) == 2


@both
def test_what_others_have_answered_since_is_found_when_a_run_is_resumed(how: str) -> None:
    replies = iter([ServerReply("down", status=400)] * 2)
    with LatencyServer(lambda *_: next(replies, "x")) as server:
        options: Any = {"decomposer": always("#1 Who?"), "checkpointer": InMemorySaver()}
        asked = graph(server, AnswerCache(across_questions=True), **options)
        threads: Any = [{"configurable": {"thread_id": name}} for name in "12"]
        for thread in threads:
            run(how, asked, {"question": f"Question {thread}?"}, thread)
        for thread, cached in zip(threads, (False, True), strict=True):
            history = asked.get_state_history(thread)
            [place] = [s.config for s in history if s.next == ("scheduler",)]
            place["configurable"]["decompose_retry_failed"] = True
            [row] = run(how, asked, None, place)["answers"]
            assert (row["answer"], row["cached"]) == ("x", cached)
        assert len(server.calls) == 3


@both
def test_what_a_run_has_answered_itself_its_later_lines_find(how: str) -> None:
    both_are_asked, next_is_asked = threading.Barrier(2), threading.Event()

    def solver(prompt: str) -> str:
        first = step(prompt).split()[0]
        if first == "Who?" and both_are_asked.wait(60):
            next_is_asked.wait(60)  # One of the two, whichever it is, comes late.
        if first == "What":
            next_is_asked.set()
        asked.append(first)
        return "x"

    asked: list[str] = []
    plan = (
        "#1 Who?\n#2 Who?\n#3 Wed #1? <- #1\n#4 Wed #2? <- #2\n"
        "#5 What of #3? <- #3\n#6 What of #4? <- #4"
    )
    options: Any = {"decomposer": always(plan), "composer": always("end")}
    cached = {"answer_cache": AnswerCache(), "checkpointer": InMemorySaver()}
    found = run(how, create_decomposition_graph(solver, **options, **cached), ASKED, THREAD)
    assert sorted(asked) == ["Wed", "What", "What", "Who?", "Who?"]
    assert sum(row["cached"] for row in found["answers"]) == 1


@both
def test_whatever_an_answer_depends_on_makes_it_another(
    how: str, server: LatencyServer, tmp_path: Path
) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "solve.txt").write_text("version: 9\n--- user\n{problem} {subquestion}")
    cache = AnswerCache()
    variants: list[tuple[Any, Any]] = [
        ({}, ASKED),
        ({"model": "another"}, ASKED),
        ({"prompts": tmp_path / "prompts"}, ASKED),
        ({}, {**ASKED, "context": "Another film."}),
        ({}, {**ASKED, "question": "Another question?"}),
    ]
    for number, (options, asked) in enumerate(variants, 1):
        run(how, graph(server, cache, **options), asked)
        assert len(server.calls) == len(cache) == 2 * number
    for options, asked in variants:
        run(how, graph(server, cache, **options), asked)
    assert len(server.calls) == len(cache), "each of them is found again"


@both
def test_how_a_line_is_split_again_makes_its_answer_another(
    how: str, server: LatencyServer, tmp_path: Path
) -> None:
    variants: list[Any] = [{}, {"max_subquestions": 4}, {"max_total": 24}]
    for name in ("decompose", "decompose_repair", "compose"):
        folder = tmp_path / name
        folder.mkdir()
        text = (ROOT / "prompts" / f"{name}.txt").read_text()
        (folder / f"{name}.txt").write_text(f"{text}\nTake your time.")
        variants.append({"prompts": folder})
    cache = AnswerCache()
    for found in (False, True):
        for options in variants:
            rows = run(how, graph(server, cache, strategy="recursive", **options))["answers"]
            assert [row["cached"] for row in rows] == [found, found]


@both
def test_lookups_can_be_shared_across_questions(how: str, server: LatencyServer) -> None:
    cache = AnswerCache(across_questions=True)
    run(how, graph(server, cache))
    rows = run(how, graph(server, cache), {**ASKED, "question": "Another question?"})["answers"]
    assert [row["cached"] for row in rows] == [True, True]
    run(how, graph(server, cache), {"question": "Another question?"})
    assert len(server.calls) == 4, "another context isn't shared"


@both
def test_a_line_is_found_by_what_it_asks_not_by_where_it_stands(
    how: str, server: LatencyServer
) -> None:
    cache = AnswerCache()
    first = run(how, graph(server, cache))["answers"]
    plan = always("#1 Who acted in it?\n#2 Who directed Jaws?")
    rows = run(how, graph(server, cache, decomposer=plan))["answers"]
    assert [(row["id"], row["cached"]) for row in rows] == [(1, False), (2, True)]
    assert rows[1]["answer"] == first[0]["answer"]


@both
def test_failures_are_not_kept(how: str) -> None:
    solver = ScriptedChatModel(replies=[ValueError("no idea")], default="x")
    plan = always("#1 A?")
    cache = AnswerCache()
    asked = create_decomposition_graph(solver, decomposer=plan, answer_cache=cache)
    assert run(how, asked)["status"] == "failed"
    assert (len(cache), bool(cache)) == (0, True), "an empty cache is a cache too"
    assert run(how, asked)["answers"][0]["status"] == "ok"


def test_entries_can_be_listed_and_forgotten(server: LatencyServer) -> None:
    cache = AnswerCache()
    run("sync", graph(server, cache))
    second, first = cache.entries()
    assert first["question"] == "Who directed Jaws?"
    assert second["question"] == "Who married answer 1?"
    assert (first["answer"], first["solver"]) == ("answer 1", f"openai:m@{server.url}")
    assert first["added"] <= second["added"]
    assert cache.entries(limit=1) == [second]
    assert (len(cache), cache.clear(), len(cache), cache.entries()) == (2, 2, 0, [])


def test_a_cleared_file_is_small(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "answers.sqlite")
    cache.put("key", {**ROW, "answer": "long " * 200_000})
    assert cache.clear() == 1
    assert (tmp_path / "answers.sqlite").stat().st_size < 100_000


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "answers.sqlite")
    cache.put("key", ROW)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert "answers.sqlite-wal" in modes, "what SQLite writes beside it as well"


def change(path: Path, *sql: Any) -> None:
    """What another program does to the file."""
    with sqlite3.connect(path) as database:
        database.execute(*sql)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"nonsense" * 999),
        lambda path: change(path, "CREATE TABLE answers (something_else)"),
        Path.mkdir,
    ],
)
def test_a_file_that_is_no_cache_is_the_user_s_mistake(spoil: Any, tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    spoil(path)
    with pytest.raises(UserError, match=r"the answer cache .*answers.sqlite' can't be used: \w"):
        AnswerCache(path)
    with pytest.raises(UserError, match="can't be used: No such file or directory.$"):
        AnswerCache(tmp_path / "nowhere" / "answers.sqlite")
    with pytest.raises(UserError, match="an answer cache is the path of a file or ':memory:', not"):
        AnswerCache(5)  # type: ignore[arg-type]


@both
def test_a_cache_that_breaks_or_is_closed_stops_the_run_with_a_reason(
    how: str, server: LatencyServer, tmp_path: Path
) -> None:
    path = tmp_path / "answers.sqlite"
    cache = AnswerCache(path)
    change(path, "DROP TABLE answers")
    with pytest.raises(UserError, match="can't be used: no such table: answers"):
        run(how, graph(server, cache))
    cache.close()
    with pytest.raises(UserError, match="closed database"):
        run(how, graph(server, cache))
    assert server.calls == []


@both
def test_an_answer_that_cannot_be_kept_is_an_answer_all_the_same(
    how: str, server: LatencyServer, tmp_path: Path
) -> None:
    path = tmp_path / "answers.sqlite"
    AnswerCache(path).put("key", ROW)
    refuse = "BEGIN SELECT RAISE(FAIL, 'full'); END"
    change(path, f"CREATE TRIGGER full BEFORE INSERT ON answers {refuse}")
    result = run(how, graph(server, AnswerCache(path)))
    assert (result["status"], len(AnswerCache(path))) == ("ok", 1)


def test_what_cannot_be_written_or_read_is_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    cache = AnswerCache(path)
    cache.put("half a character", {**ROW, "answer": "\ud83d"})
    assert cache.get("half a character") == {**ROW, "answer": "\ud83d"}
    assert cache.entries()[0]["answer"] == "?"
    for result in ["{", "[]", '{"answer": 5}', "null"]:
        change(path, "UPDATE answers SET result = ?", (result,))
        assert cache.get("half a character") is None


WRITER = """
import json, sys
from langgraph_decompose import AnswerCache
path, name, row = sys.argv[1:]
for number in range(100):
    AnswerCache(path).put(f"{name}-{number}", json.loads(row))
"""


def test_functions_that_hang_keep_nobody_from_the_cache(tmp_path: Path) -> None:
    """Those that aren't async take the few threads that asyncio has."""
    cache, end = AnswerCache(tmp_path / "answers.sqlite"), threading.Event()

    async def looked_up() -> Any:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        hanging = loop.run_in_executor(None, end.wait)
        try:
            await asyncio.wait_for(cache.aput("key", ROW), 5)
            return await asyncio.wait_for(cache.aget("key"), 5)
        finally:
            end.set()
            await hanging

    assert asyncio.run(looked_up()) == ROW


CANCELLED = """
import asyncio, sys, time
from langgraph_decompose import AnswerCache

class SlowCache(AnswerCache):
    def put(self, key, row):
        time.sleep(1)
        super().put(key, row)

async def run():
    row = {"answer": "Ann", "resolved": "Who?", "solver": "m"}
    keeping = asyncio.ensure_future(SlowCache(sys.argv[1]).aput("key", row))
    await asyncio.sleep(0.1)
    keeping.cancel()

asyncio.run(run())
"""


def test_an_answer_that_is_being_kept_is_kept_though_its_run_ends(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    subprocess.run([sys.executable, "-c", CANCELLED, str(path)], check=True, timeout=60)
    found = AnswerCache(path).get("key")
    assert found is not None
    assert found["answer"] == "Ann"


def test_threads_and_processes_share_a_file(tmp_path: Path) -> None:
    path = str(tmp_path / "answers.sqlite")
    command = [sys.executable, "-c", WRITER, path]
    others = [subprocess.Popen([*command, str(n), json.dumps(ROW)]) for n in range(2)]
    cache = AnswerCache(path)
    keys = [f"thread-{number}" for number in range(400)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: cache.put(key, ROW), keys))
    assert [other.wait(60) for other in others] == [0, 0]
    assert (len(cache), cache.get("0-99"), cache.get("thread-399")) == (600, ROW, ROW)


def test_answers_of_a_run_scoped_context_are_not_kept() -> None:
    with pytest.raises(UserError, match="can't tell apart what is answered under different cont"):
        create_decomposition_graph("bundled", answer_cache=AnswerCache(), context_schema=dict)


@both
@pytest.mark.parametrize("place", ["alone", "in a parent"])
def test_nor_are_those_of_a_context_that_comes_with_the_run(how: str, place: str) -> None:
    def balance(_: str) -> str:
        return f"{get_runtime(dict).context['user']}'s"

    def asked_by(user: str, solver: Any) -> Any:
        asked = create_decomposition_graph(
            solver, decomposer=always("#1 A?"), answer_cache=cache,
            composer=always("end"),
        )  # fmt: skip
        if place == "in a parent":
            parent = StateGraph(DecompositionState, context_schema=dict).add_node("solve", asked)
            asked = parent.add_edge(START, "solve").compile()
        given: Any = {"context": {"user": user}}
        if how == "sync":
            return asked.invoke(ASKED, **given)["answers"][0]
        return asyncio.run(asked.ainvoke(ASKED, **given))["answers"][0]

    cache = AnswerCache()
    found = [asked_by(user, RunnableLambda(balance))["answer"] for user in ("Ann", "Bob")]
    assert (found, len(cache)) == (["Ann's", "Bob's"], 0)
    # A chat model can't read it.
    model = always("x")
    assert [asked_by(user, model)["cached"] for user in ("Ann", "Bob")] == [False, True]


def test_what_a_solver_says_is_unknown_is_asked_again() -> None:
    cache = AnswerCache(":memory:")
    for reply, kept in (("unknown", 0), ("Ann", 1)):
        create_decomposition_graph(
            always(reply),
            decomposer=always("#1 A?"),
            answer_cache=cache,
        ).invoke(ASKED)
        assert len(cache) == kept
