"""Retrievers: each subquestion is looked up by its resolved text, and its sources are kept."""

from __future__ import annotations

import asyncio
import json
import math
from datetime import date
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt
from langgraph_decompose import UserError, create_decomposition_graph
from langgraph_decompose.testing import ScriptedChatModel
from pydantic import Field

from .conftest import THREAD, always, both

PLAN = "#1 Who directed Jaws?\n#2 Who married #1?"
ASKED = {"question": "Who is the spouse of the director of Jaws?"}
LIBRARY = {
    "Jaws": Document("Jaws is a film by Steven Spielberg.", metadata={"page": 7}),
    "Spielberg": Document("Spielberg married Kate Capshaw.", metadata={"page": 9}),
}
ANSWERS: Any = {"now: Who directed": "Steven Spielberg", "now: Who married": "Kate Capshaw"}


class Library(BaseRetriever):
    """Finds a document by a word of it, as any retriever of LangChain's is asked."""

    documents: dict[str, Document] = Field(default_factory=LIBRARY.copy)
    queries: list[str] = Field(default_factory=list)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        self.queries.append(query)
        if "fails" in self.documents and "married" in query:
            raise ConnectionError("the library is closed")
        return [found for word, found in self.documents.items() if word in query]


def run(how: str, graph: Any, value: Any = ASKED, config: Any = None) -> Any:
    if how == "sync":
        return graph.invoke(value, config)
    return asyncio.run(graph.ainvoke(value, config))


def graph(retriever: Any, solver: Any = None, **options: Any) -> Any:
    models: Any = {"decomposer": always(PLAN), "composer": always("Kate Capshaw")}
    solver = solver or ScriptedChatModel(replies=ANSWERS)
    return create_decomposition_graph(solver, retriever=retriever, **(models | options))


def context(prompt: str) -> str:
    """What a solver's prompt shows before the answers so far."""
    return prompt.split("Problem: ", 1)[1].split("\n\nAnswers already found", 1)[0]


@both
@pytest.mark.parametrize("strategy", ["dag", "sequential"])
def test_each_line_is_looked_up_with_the_answers_put_in(how: str, strategy: Any) -> None:
    library, solver = Library(), ScriptedChatModel(replies=ANSWERS)
    rows = run(how, graph(library, solver, strategy=strategy))["answers"]
    assert library.queries == ["Who directed Jaws?", "Who married Steven Spielberg?"]
    passages = ["[1] Jaws is a film by Steven Spielberg.", "[1] Spielberg married Kate Capshaw."]
    expected = [f"{passage}\n\n{ASKED['question']}" for passage in passages]
    assert [context(prompt) for prompt in solver.prompts] == expected
    assert [row["sources"] for row in rows] == [
        [{"text": LIBRARY["Jaws"].page_content, "metadata": {"page": 7}}],
        [{"text": LIBRARY["Spielberg"].page_content, "metadata": {"page": 9}}],
    ]
    assert json.loads(json.dumps(rows)) == rows


def test_passages_come_after_the_user_s_own_context() -> None:
    solver = ScriptedChatModel(replies=ANSWERS)
    graph(Library(), solver).invoke({**ASKED, "context": "I like films."})
    passage = LIBRARY["Jaws"].page_content
    assert context(solver.prompts[0]).startswith(f"I like films.\n\n[1] {passage}\n\n")


@both
@pytest.mark.parametrize("strategy", ["direct", "cot", "static", "self_consistency"])
def test_undivided_questions_are_looked_up_as_a_whole(how: str, strategy: Any) -> None:
    library, solver = Library(), always("Answer: Kate Capshaw")
    result = run(how, graph(library, solver, strategy=strategy, samples=1))
    assert library.queries == [ASKED["question"]]
    assert f"[1] {LIBRARY['Jaws'].page_content}" in solver.prompts[0]
    assert result["answers"][0]["sources"][0]["metadata"] == {"page": 7}


@both
def test_a_failing_retriever_is_that_line_s_failure(how: str) -> None:
    solver = ScriptedChatModel(replies=ANSWERS)
    library = Library(documents={**LIBRARY, "fails": LIBRARY["Jaws"]})
    first, second = (result := run(how, graph(library, solver)))["answers"]
    assert (first["status"], second["status"], result["status"]) == ("ok", "failed", "partial")
    error = {"type": "ConnectionError", "message": "the library is closed", "transient": True}
    assert second["error"] == error
    assert len(solver.prompts) == 1, "without its passages a line isn't asked"


@both
@pytest.mark.parametrize("found", ["one text", 42, None, [42], [None], {"documents": ["a"]}])
def test_a_retriever_that_returns_something_else_is_a_failure_too(how: str, found: Any) -> None:
    rows = run(how, graph(lambda query: found))["answers"]
    assert [row["status"] for row in rows] == ["failed", "skipped"]
    assert rows[0]["error"]["message"].startswith("a retriever returns")


@both
def test_a_function_or_an_empty_shelf_will_do(how: str) -> None:
    rows = run(how, graph(lambda query: [f"about {query}"]))["answers"]
    assert rows[0]["sources"] == [{"text": "about Who directed Jaws?", "metadata": {}}]
    solver = ScriptedChatModel(replies=ANSWERS)
    rows = run(how, graph(lambda query: [], solver))["answers"]
    assert (rows[0]["sources"], context(solver.prompts[0])) == ([], ASKED["question"])


def test_a_retriever_that_cannot_be_asked_is_refused() -> None:
    for wrong in ("chroma", BaseRetriever):  # The latter without ().
        with pytest.raises(UserError, match="a retriever is a LangChain retriever or a function"):
            graph(wrong)


@both
def test_what_a_person_finds_goes_to_the_line_that_it_was_sought_for(how: str) -> None:
    def search(query: str) -> list[str]:
        return [interrupt(query)]

    plan = always("#1 Who directed Jaws?\n#2 Who married Kate Capshaw?")
    asked = graph(search, always("x"), decomposer=plan, checkpointer=InMemorySaver())
    waiting = run(how, asked, ASKED, THREAD)["__interrupt__"]
    result = run(how, asked, Command(resume={i.id: f"about {i.value}" for i in waiting}), THREAD)
    found = [row["sources"][0]["text"] for row in result["answers"]]
    assert found == ["about Who directed Jaws?", "about Who married Kate Capshaw?"]


@both
def test_an_async_retriever_is_awaited(how: str) -> None:
    async def search(query: str) -> list[Document]:
        await asyncio.sleep(0)
        return [LIBRARY["Jaws"]]

    rows = run(how, graph(search))["answers"]
    if how == "async":
        assert rows[0]["sources"][0]["metadata"] == {"page": 7}
    else:
        assert rows[0]["status"] == "failed"


@both
@pytest.mark.parametrize("strategy", ["dag", "sequential", "recursive"])
def test_a_resumed_run_is_shown_the_passages_of_before(how: str, strategy: Any) -> None:
    found: list[str] = []

    def search(query: str) -> list[str]:
        found.append(query)
        return [f"the news of day {len(found)}"]

    stops: Any = ["Steven Spielberg", UserError("the key has run out."), "Kate Capshaw"]
    solver = ScriptedChatModel(replies=stops)
    roles = {"decomposer": ScriptedChatModel(replies=[PLAN], default="atomic")}
    asked = graph(search, solver, strategy=strategy, checkpointer=InMemorySaver(), **roles)
    with pytest.raises(UserError, match="run out"):
        run(how, asked, config=THREAD)
    result = run(how, asked, None, THREAD)
    assert found == ["Who directed Jaws?", "Who married Steven Spielberg?"]
    assert [row["sources"][0]["text"][-1] for row in result["answers"]] == ["1", "2"]
    assert len(solver.prompts) == 3, "the line that was answered isn't paid for again"


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@both
@pytest.mark.parametrize(
    ("metadata", "kept"),
    [
        ({"day": date(2026, 1, 31)}, {"day": "2026-01-31"}),
        ({"path": Path("a/b")}, {"path": "a/b"}),
        ({"score": math.nan, "far": math.inf}, {"score": "nan", "far": "inf"}),
        ({1: "one", ("a", 2): None}, {"1": "one", "('a', 2)": None}),
        ({"tags": {"only"}, "pair": (1, 2.5)}, {"tags": "{'only'}", "pair": [1, 2.5]}),
        ({"deep": {"deeper": [True]}}, {"deep": {"deeper": [True]}}),
    ],
)
def test_metadata_that_json_cannot_hold_is_kept_in_words(
    how: str, metadata: Any, kept: Any
) -> None:
    library = Library(documents={"Jaws": Document("x", metadata=metadata)})
    rows = run(how, graph(library))["answers"]
    assert rows[0]["sources"] == [{"text": "x", "metadata": kept}]
    json.dumps(rows, allow_nan=False)


def test_metadata_that_holds_itself_ends_somewhere() -> None:
    library = Library(documents={"Jaws": Document("x", metadata={"circle": CIRCLE})})
    asked = graph(library, checkpointer=InMemorySaver())
    rows = asked.invoke(ASKED, THREAD)["answers"]
    assert rows[0]["status"] == "ok"
    json.dumps(rows)


def test_endless_results_are_cut() -> None:
    rows = graph(lambda query: repeat("x" * 10_000)).invoke(ASKED)["answers"]
    assert [len(source["text"]) for source in rows[0]["sources"]] == [4_000] * 20
