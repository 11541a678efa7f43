"""A decomposition graph as a tool, for an agent that decides itself what is worth splitting."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.pregel.protocol import PregelProtocol
from pydantic import BaseModel, Field, field_validator
from typing_extensions import Unpack

from ..errors import UserError, describe_error, must_be_raised
from ..models.objects import innermost
from ..nodes.namespaces import in_own_namespace
from ..nodes.problem import Problem
from .factory import create_decomposition_graph
from .options import Options
from .state import RESULT_VERSION

DESCRIPTION = (
    "Answer a question that takes several steps: it is split into smaller questions, these are "
    "answered, independent ones at once, and their answers are put together. Use it for questions "
    "that join several facts or calculations; answer simple ones yourself. Call it once for each "
    "question."
)
_MAX_REASONS = 3
_ASKED = frozenset({"question", "answer"})

Result = dict[str, Any]


class ToolOptions(Options, total=False):
    """Options of the graph behind a tool: its solver and all others."""

    solver: Any


class DecompositionToolInput(BaseModel):
    """What the agent's model fills in."""

    question: str = Field(
        description="The whole question in one text, with every name, number and condition that "
        "it needs: whoever answers it sees nothing of this conversation."
    )

    @field_validator("question")
    @classmethod
    def _can_be_asked(cls, value: str) -> str:
        # The model wrote it: told here, it can mend a blank question; raised later, it can't.
        return Problem(value).question


def create_decomposition_tool(
    graph: Any = None,
    *,
    name: str = "decompose_question",
    description: str = DESCRIPTION,
    **options: Unpack[ToolOptions],
) -> BaseTool:
    """A tool with one argument, `question`, that a decomposition graph answers.

    The tool message's content is the answer, with a note on what is missing, or a sentence
    that says why there is none; its artifact is the graph's whole result without `messages`.
    Calls are independent runs, also at the same time. In an agent with a checkpointer they are
    stored and resumed with the agent's run; the graph's own checkpointer isn't used.

    Args:
        graph: A compiled graph; if None, `create_decomposition_graph(**options)` makes one.
        name: The tool's name.
        description: When to use it, for the agent's model.
        **options: `solver` and the other options of `create_decomposition_graph`.

    Raises:
        UserError: If `graph` is no compiled graph of a question and an answer, an option is
            wrong, or both are given. A call raises only the user's own mistakes; if a model
            fails, the content says so.

    Example:
        >>> tool = create_decomposition_tool()
        >>> question = "Ana has 4 bags with 6 pears each. How many pears does Ana have?"
        >>> tool.invoke({"question": question})
        '24'
    """
    running = _independent(graph, options)

    def solve(question: str) -> tuple[str, Result]:
        try:
            result = _ended(running.invoke({"question": question}, _config(running, question)))
        except Exception as error:
            result = _failed(error)
        return _content(result), _artifact(result)

    async def asolve(question: str) -> tuple[str, Result]:
        try:
            config = _config(running, question)
            result = _ended(await running.ainvoke({"question": question}, config))
        except Exception as error:
            result = _failed(error)
        return _content(result), _artifact(result)

    return StructuredTool.from_function(
        solve,
        asolve,
        name=name,
        description=description,
        args_schema=DecompositionToolInput,
        response_format="content_and_artifact",
    )


def _config(graph: Any, question: str) -> Any:
    """The config to answer a question with, so that calls of one node don't share anything.

    LangChain's context holds the tool's own, under which traces nest; the one that it passes to
    functions is the caller's.
    """
    key = hashlib.sha256(question.encode()).hexdigest()
    return in_own_namespace(graph, ensure_config(), key)


def _independent(graph: Any, options: ToolOptions) -> Any:
    """The graph to run, without a memory that calls would share."""
    if graph is None:
        graph = create_decomposition_graph(**options)
    elif options:
        names = ", ".join(options)
        raise UserError(f"the tool takes a graph or options for one ({names}), not both.")
    elif not isinstance(innermost(graph), PregelProtocol):
        raise UserError(f"a tool is made of a compiled graph, not of {graph!r}; or use solver=...")
    keys = getattr(innermost(graph), "channels", _ASKED)  # A remote graph's aren't known.
    if not set(keys) >= _ASKED:
        raise UserError(
            "a tool is made of a graph that answers a 'question' with an 'answer'; to split "
            "questions for an agent or another graph, give it as solver=..."
        )
    return _without_checkpointer(graph)


def _without_checkpointer(graph: Any) -> Any:
    """The graph without one of its own, with the same retries or fallbacks around it."""
    if isinstance(graph, RunnableBindingBase):
        return graph.model_copy(update={"bound": _without_checkpointer(graph.bound)})
    if isinstance(graph, RunnableWithFallbacks):
        others = [_without_checkpointer(other) for other in graph.fallbacks]
        first = _without_checkpointer(graph.runnable)
        return graph.model_copy(update={"runnable": first, "fallbacks": others})
    if getattr(graph, "checkpointer", None) in (None, False):
        return graph
    return graph.copy(update={"checkpointer": None})


def _ended(result: Result) -> Result:
    """The result, unless it is a pause; in an agent, that is raised, and the agent pauses.

    Raises:
        UserError: If it is one.
    """
    if "__interrupt__" in result:
        raise UserError("a person is asked, and nobody can reply: give the tool to an agent.")
    return result


def _failed(error: Exception) -> Result:
    """The result of a graph that raised, unless the run itself must end."""
    if must_be_raised(error):
        raise error
    return {
        "result_version": RESULT_VERSION,
        "strategy": "",
        "plan": [],
        "plan_source": "undivided",
        "answers": [],
        "answer": None,
        "status": "failed",
        "warnings": [describe_error(error)["message"]],
        "usage": list(getattr(error, "usage", ())),
        "trace": {},
    }


def _artifact(result: Result) -> Result:
    return {key: value for key, value in result.items() if key != "messages"}


def _content(result: Result) -> str:
    """What the agent's model reads."""
    answer, reasons = result.get("answer"), _reasons(result)
    if answer is None:
        return f"No answer was found: {'; '.join(reasons[:_MAX_REASONS]) or 'no reason given'}."
    if result.get("status") == "ok":
        return str(answer)
    gaps = [f"#{row['id']} {row['text']} ({_message(row)})" for row in _gaps(result)]
    missing = "; ".join(gaps or reasons) or "no reason given"
    budget = ", since the budget is used up" if result["status"] == "budget_exhausted" else ""
    return f"{answer}\n\nNote: this is incomplete{budget}. Missing: {missing}."


def _reasons(result: Result) -> list[str]:
    """Why there are gaps: what failed, else the warnings; skipped lines are but a consequence."""
    found = [_message(row) for row in _gaps(result) if row["status"] == "failed"]
    reasons = found or result.get("warnings") or [_message(row) for row in _gaps(result)]
    return list(dict.fromkeys(reason.rstrip(".") for reason in reasons))


def _gaps(result: Result) -> list[dict[str, Any]]:
    return [row for row in result.get("answers") or [] if row["status"] != "ok" or row.get("gaps")]


def _message(row: Mapping[str, Any]) -> str:
    said = (row.get("error") or {}).get("message") or "; ".join(row.get("gaps", ()))
    return str(said or row["status"])
