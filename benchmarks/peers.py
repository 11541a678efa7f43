"""Who is compared in `scheduling.py`: four ways to run a plan against the same three servers.

A contestant is an async function from a question to the final answer. All read the
decomposer's reply as a stream, so that none gets a plan sooner than it can be written; all but
ours wait for the whole plan. LlamaIndex may be installed elsewhere: `llama_index_peer.py` is run
by the Python that has it and imports the prompts from here, so that nothing but the standard
library is imported above the functions.
"""

from __future__ import annotations

import asyncio
import json
import operator
import subprocess
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypedDict

Contestant = Callable[[str], Awaitable[Any]]
Urls = Mapping[str, str]
OURS = "langgraph-decompose"
SUPERSTEPS, IN_TURN, LLAMA_INDEX = "LangGraph Send", "one by one", "LlamaIndex"
MAX_LINES = 64
PLAN, COMPOSE = "Plan this question: ", "Answer the question from what was found.\n"


def solver_prompt(question: str, text: str, needed: Iterable[tuple[str, str]]) -> str:
    """What the other contestants ask the solver."""
    found = "\n".join(f"{asked} = {answer}" for asked, answer in needed) or "none"
    return f"Problem: {question}\n\nAnswers already found:\n{found}\n\nStep to answer now: {text}"


def chat_models(urls: Urls) -> list[Any]:
    """Decomposer, solver and composer: the chat models that we use too, with our HTTP client."""
    from langgraph_decompose.models.references import resolve_model

    roles = ("decomposer", "solver", "composer")
    return [resolve_model(f"openai:{role}@{urls[role]}").runnable for role in roles]


async def read_plan(decomposer: Any, question: str) -> list[Any]:
    """The lines of the whole plan."""
    from langgraph_decompose.plan import parse_plan

    text = "".join([chunk.text async for chunk in decomposer.astream(PLAN + question)])
    return list(parse_plan(text, max_subquestions=MAX_LINES).subquestions)


async def solve(solver: Any, question: str, line: Any, answers: Mapping[int, str]) -> str:
    """One line's answer."""
    needed = [(f"#{k}", answers[k]) for k in line.needs]
    return (await solver.ainvoke(solver_prompt(question, line.text, needed))).text


def composer_prompt(question: str, answers: Mapping[int, str]) -> str:
    """What the other contestants ask the composer."""
    found = "\n".join(f"#{k} {answer}" for k, answer in sorted(answers.items()))
    return f"{COMPOSE}{found}\n\n{question}"


def ours(urls: Urls) -> Contestant:
    """`ainvoke` of the graph under test, with its own prompts."""
    from langgraph_decompose import create_decomposition_graph

    refs = {role: f"openai:{role}@{url}" for role, url in urls.items()}
    graph = create_decomposition_graph(**refs, max_subquestions=MAX_LINES)

    async def ask(question: str) -> str:
        result = await graph.ainvoke({"question": question})
        assert result["status"] == "ok", result["warnings"]
        return result["answer"]

    return ask


def one_by_one(urls: Urls) -> Contestant:
    """The plainest loop: a line after another, in plan order."""
    decomposer, solver, composer = chat_models(urls)

    async def ask(question: str) -> str:
        answers: dict[int, str] = {}
        for line in await read_plan(decomposer, question):
            answers[line.id] = await solve(solver, question, line, answers)
        return (await composer.ainvoke(composer_prompt(question, answers))).text

    return ask


class Supersteps(TypedDict, total=False):
    """State of `send_supersteps`."""

    question: str
    lines: list[Any]
    answers: Annotated[dict[int, str], operator.or_]
    answer: str


def send_supersteps(urls: Urls) -> Contestant:
    """LangGraph's map-reduce: `Send` every line that is ready, and again when all came back."""
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Send

    decomposer, solver, composer = chat_models(urls)

    async def plan(state: Supersteps) -> Supersteps:
        return {"lines": await read_plan(decomposer, state["question"]), "answers": {}}

    def ready(state: Supersteps) -> Any:
        answers = state["answers"]
        lines = [line for line in state["lines"] if line.id not in answers]
        able = [line for line in lines if all(k in answers for k in line.needs)]
        return [Send("solve", {**state, "lines": [line]}) for line in able] or "compose"

    async def solve_one(state: Supersteps) -> Supersteps:
        [line] = state["lines"]
        answer = await solve(solver, state["question"], line, state["answers"])
        return {"answers": {line.id: answer}}

    async def compose(state: Supersteps) -> Supersteps:
        reply = await composer.ainvoke(composer_prompt(state["question"], state["answers"]))
        return {"answer": reply.text}

    graph = StateGraph(Supersteps)
    graph.add_node("plan", plan)
    graph.add_node("solve", solve_one)
    graph.add_node("level", lambda _: {})  # One place where a superstep's sends come together.
    graph.add_node("compose", compose)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", ready, ["solve", "compose"])
    graph.add_edge("solve", "level")
    graph.add_conditional_edges("level", ready, ["solve", "compose"])
    graph.add_edge("compose", END)
    compiled = graph.compile()

    async def ask(question: str) -> str:
        config: Any = {"recursion_limit": 4 * MAX_LINES}
        return (await compiled.ainvoke({"question": question}, config))["answer"]

    return ask


class LlamaIndexProcess:
    """`SubQuestionQueryEngine` in a process of its own, with the Python that has it.

    Attributes:
        missing: Why it can't be asked; empty if it can.
    """

    def __init__(self, python: str, urls: Urls) -> None:
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("llama_index_peer.py")), json.dumps(dict(urls))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        said = self._read() or f"{python} can't run it"
        self.missing = "" if said == "ready" else said

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    async def ask(self, question: str) -> float:
        """Ask; returns the seconds as measured over there."""
        assert self._process.stdin is not None
        print(question, file=self._process.stdin, flush=True)
        return float(await asyncio.to_thread(self._read) or "nan")

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
