"""Runs decomposition graphs for `test_crash.py`, each in a process that kills itself when told.

Importing everything takes seconds, so one process does it and then forks a child for each line
of JSON on its standard input, one after another. A child answers in lines of JSON: its process
id, every event of its run, and the result if it lives to see one; when it has ended, its parent
adds `ended` with the exit code. Before the fork there is no second thread and no event loop.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import threading
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio._backends._asyncio  # noqa: F401  (httpx would import it after the fork)
from langchain.chat_models import init_chat_model
from langchain_core.messages import AIMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph_decompose import create_decomposition_graph, resolve_model
from langgraph_decompose.models.limiter import Limiter

THREAD: Any = {"configurable": {"thread_id": "1"}}
STREAMED: Any = {"stream_mode": ["custom", "updates"], "durability": "sync"}


def tell(**line: Any) -> None:
    """Write a line at once and whole: what was told before a kill has arrived."""
    os.write(1, json.dumps(line).encode() + b"\n")


class Teller:
    """Tells of each event, and dies right after the one with the number `kill_at`."""

    def __init__(self, kill_at: int | None) -> None:
        self.kill_at, self.told = kill_at, 0

    def tell(self, mode: str, part: Any) -> None:
        self.told += 1
        if mode == "updates":
            tell(type="updated", nodes=list(part))
        else:
            tell(**{key: part[key] for key in ("type", "answer", "id", "text") if key in part})
        if self.told == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def run(case: dict[str, Any], teller: Teller) -> dict[str, Any]:
    with SqliteSaver.from_conn_string(case["file"]) as saver:
        graph = build(case, saver)
        for mode, part in graph.stream(case["input"], THREAD, **STREAMED):
            teller.tell(mode, part)
        return graph.get_state(THREAD).values


async def arun(case: dict[str, Any], teller: Teller) -> dict[str, Any]:
    async with AsyncSqliteSaver.from_conn_string(case["file"]) as saver:
        graph = build(case, saver)
        async for mode, part in graph.astream(case["input"], THREAD, **STREAMED):
            teller.tell(mode, part)
        return (await graph.aget_state(THREAD)).values


def build(case: dict[str, Any], checkpointer: Any) -> Any:
    """The graph under test; all its models are the test's server, and may take turns."""
    url = case["url"]
    roles = {r: resolve_model(f"openai:{r}@{url}") for r in ("solver", "decomposer", "composer")}
    if case.get("one_at_a_time"):
        one = Limiter(1)
        roles = {role: replace(model, limiter=one) for role, model in roles.items()}
    return create_decomposition_graph(
        graph_solver(url) if case.get("graph_solver") else roles["solver"],
        decomposer=roles["decomposer"],
        composer=roles["composer"],
        strategy=case.get("strategy", "dag"),
        **case.get("options", {}),
        checkpointer=checkpointer,
    )


def graph_solver(url: str) -> Any:
    """A solver graph of two calls, the second about the first's reply; its checkpoints are kept."""
    model = init_chat_model("openai:solver", base_url=url, api_key="none", max_retries=0)

    def draft(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    def check(state: MessagesState) -> dict[str, Any]:
        asked, drafted = state["messages"]
        reply = model.invoke(f"Check {drafted.text}\n\n{asked.text}")
        return {"messages": [AIMessage(reply.text)]}

    builder = StateGraph(MessagesState)
    builder.add_node("draft", draft)
    builder.add_node("check", check)
    builder.add_edge(START, "draft")
    builder.add_edge("draft", "check")
    return builder.compile()


def child(case: dict[str, Any]) -> None:
    tell(type="began", pid=os.getpid())
    teller = Teller(case.get("kill_at"))
    values = asyncio.run(arun(case, teller)) if case["how"] == "async" else run(case, teller)
    tell(type="result", **{key: values.get(key) for key in ("answers", "answer", "status")})


def main() -> None:
    build({"url": "http://127.0.0.1:9/v1"}, None)  # What this imports, no child has to.
    gc.freeze()  # Children share these pages as long as no collection touches them.
    tasks = Path("/proc/self/task")  # Where there is one, it shows other languages' threads too.
    alone = threading.active_count() == 1 and (not tasks.exists() or len([*tasks.iterdir()]) == 1)
    assert alone, "only a process of one thread may fork"
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            try:
                child(json.loads(line))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        tell(type="ended", code=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


if __name__ == "__main__":
    main()
