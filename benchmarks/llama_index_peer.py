"""LlamaIndex's `SubQuestionQueryEngine` as a contestant, run by the Python that has it.

It knows no needs between subquestions, so the engine is run once a level of the plan, with
earlier answers in the questions' text. Only the last level is composed by the model. The HTTP
client is a bare one, which does less for a call than ours does.

    echo QUESTION | python llama_index_peer.py '{"decomposer": URL, "solver": URL, ...}'
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any

from peers import COMPOSE, PLAN, Urls, solver_prompt

try:
    import httpx
    from llama_index.core import Settings, get_response_synthesizer
    from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata
    from llama_index.core.query_engine import CustomQueryEngine, SubQuestionQueryEngine
    from llama_index.core.question_gen.types import BaseQuestionGenerator, SubQuestion
    from llama_index.core.tools import QueryEngineTool
except ImportError as error:
    print(f"not installed: {error}", flush=True)
    sys.exit()

Lines = dict[int, tuple[str, set[int]]]
"""Text and needs of each line of a plan."""


class Server:
    """A chat model behind a URL."""

    client = httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=None))

    def __init__(self, url: str) -> None:
        self._url = f"{url}/chat/completions"

    async def ask(self, prompt: str, *, stream: bool = False) -> str:
        """The reply to a prompt."""
        body = {"model": "m", "messages": [{"role": "user", "content": prompt}], "stream": stream}
        response = await self.client.post(self._url, json=body)
        response.raise_for_status()
        if not stream:
            return response.json()["choices"][0]["message"]["content"]
        events = re.findall(r"^data: (\{.*)$", response.text, re.M)
        choices = [json.loads(event)["choices"] for event in events]
        return "".join(choice[0]["delta"].get("content", "") for choice in choices if choice)


class Composer(CustomLLM):
    """The composer, for LlamaIndex's response synthesizer."""

    server: Any

    @property
    def metadata(self) -> LLMMetadata:
        """LlamaIndex's own defaults."""
        return LLMMetadata()

    async def acomplete(self, prompt: str, formatted: bool = False, **_: Any) -> Any:
        """Ask the server."""
        return CompletionResponse(text=await self.server.ask(COMPOSE + prompt))

    def complete(self, prompt: str, formatted: bool = False, **_: Any) -> Any:
        """Not used."""
        raise NotImplementedError

    stream_complete = complete


class Solver(CustomQueryEngine):
    """The solver, as the one query engine."""

    server: Any

    def custom_query(self, query_str: str) -> str:
        """Not used."""
        raise NotImplementedError

    async def acustom_query(self, query_str: str) -> str:
        """Ask the server."""
        return await self.server.ask(query_str)


class Given(BaseQuestionGenerator):
    """A generator of the questions of one level, which are known."""

    def __init__(self, prompts: list[str]) -> None:
        self._prompts = prompts

    def _get_prompts(self) -> dict[str, Any]:
        return {}

    def _update_prompts(self, prompts: Any) -> None:
        pass

    def generate(self, tools: Any, query: Any) -> list[SubQuestion]:
        """The questions."""
        return [SubQuestion(sub_question=p, tool_name="solver") for p in self._prompts]

    async def agenerate(self, tools: Any, query: Any) -> list[SubQuestion]:
        """The questions."""
        return self.generate(tools, query)


class Contestant:
    """Plans, runs the engine a level at a time, and composes."""

    def __init__(self, urls: Urls) -> None:
        self._decomposer = Server(urls["decomposer"])
        Settings.llm = Composer(server=Server(urls["composer"]))
        solver = Solver(server=Server(urls["solver"]))
        self._tool = QueryEngineTool.from_defaults(solver, name="solver", description="answers")
        self._composing = get_response_synthesizer(response_mode="simple_summarize")
        self._collecting = get_response_synthesizer(response_mode="context_only")

    async def ask(self, question: str) -> str:
        """The final answer."""
        lines = read_lines(await self._decomposer.ask(PLAN + question, stream=True))
        answers: dict[int, str] = {}
        response: Any = None
        while len(answers) < len(lines):
            able = [k for k in lines if k not in answers and lines[k][1] <= answers.keys()]
            response = await self._engine(question, lines, able, answers).aquery(question)
            for k, node in zip(able, response.source_nodes, strict=False):
                answers[k] = node.get_content().partition("Response: ")[2]
        return str(response)

    def _engine(
        self, question: str, lines: Lines, able: list[int], answers: dict[int, str]
    ) -> SubQuestionQueryEngine:
        """The engine for one level."""
        prompts = [
            solver_prompt(question, lines[k][0], [(f"#{n}", answers[n]) for n in lines[k][1]])
            for k in able
        ]
        is_last = len(answers) + len(able) == len(lines)
        synthesizer = self._composing if is_last else self._collecting
        return SubQuestionQueryEngine(
            Given(prompts), synthesizer, [self._tool], verbose=False, use_async=True
        )


def read_lines(text: str) -> Lines:
    """The lines of a canonical plan."""
    rows = re.findall(r"^#(\d+) (.*?)(?: <- ([#\d ]+))?$", text, re.M)
    return {int(k): (line, {int(n) for n in re.findall(r"\d+", needs)}) for k, line, needs in rows}


async def main(urls: Urls) -> None:
    """Read questions, a line each; write the seconds that each took."""
    contestant = Contestant(urls)
    print("ready", flush=True)
    while question := (await asyncio.to_thread(sys.stdin.readline)).strip():
        start = time.perf_counter()
        await contestant.ask(question)
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
