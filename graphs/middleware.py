"""Middleware for `create_agent`: a hard user turn is split and solved before the agent answers.

The findings live in a private state key and reach the model in the system message of this
turn's calls; the conversation's messages stay what the user and the agent said.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NotRequired

from langchain.agents.middleware.types import AgentMiddleware, AgentState, PrivateStateAttr
from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage
from langchain_core.runnables.utils import is_async_callable
from langgraph.graph import END, START, StateGraph
from typing_extensions import override

from ..errors import UserError, describe_error, must_be_raised
from ..nodes.answers import AnswerRow, answer_lines, is_whole
from ..nodes.decomposer import decomposer_node
from ..nodes.problem import Problem
from ..nodes.scheduler import solver_node
from ..nodes.usage import add_usage
from ..prompts import Prompts, load_prompts
from .state import DecompositionState

if TYPE_CHECKING:
    from pathlib import Path

    from langchain.agents.middleware import ModelRequest
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.runtime import Runtime

Findings = dict[str, Any]
"""`question`, `plan`, `plan_source`, `answers`, `status`, `warnings` and `usage`, JSON-native.

The status is `ok`, `partial`, `failed` or, if there was nothing to split, `undivided`.
"""


class DecompositionAgentState(AgentState[Any]):
    """The agent's state with this turn's findings, which are neither input nor output."""

    decomposition: NotRequired[Annotated[Findings | None, PrivateStateAttr]]


class DecompositionMiddleware(AgentMiddleware[DecompositionAgentState, Any, Any]):
    """Splits and solves the user's newest message, and tells the agent what was found.

    If the decomposer doesn't split the message, nothing was found or a model failed, the agent
    sees no difference. A message that is tried costs at least the planning call. It is planned
    as it is, without the conversation before it; one that contains more than text is left
    alone. What was found in the newest turn: `agent.get_state(config).values["decomposition"]`.

    Args:
        solver: Answers the subquestions: a model reference, a chat model, a Runnable, a
            compiled graph (another agent, say) or a function.
        decomposer: Writes the plan: a model reference or a chat model.
        max_subquestions: Most lines a plan may have, 1 to 64.
        when: A function (not async) of the message's text that says whether to try; always if None.
        prompts: Folder whose files replace prompts of the same name (`middleware.txt` says
            how the agent is told).

    Raises:
        UserError: If a reference, a file, `when` or the cap is wrong; it comes before any model
            is loaded or called.

    Example:
        >>> from langchain.agents import create_agent
        >>> from langchain_core.language_models import FakeListChatModel
        >>> middleware = DecompositionMiddleware(solver="bundled", when=lambda text: "?" in text)
        >>> agent = create_agent(FakeListChatModel(responses=["72"]), middleware=[middleware])
        >>> question = "Ann has 48 pens and Bob half as many. How many have they together?"
        >>> agent.invoke({"messages": [("user", question)]})["messages"][-1].content
        '72'
    """

    state_schema = DecompositionAgentState

    def __init__(
        self,
        *,
        solver: Any,
        decomposer: Any = "bundled",
        max_subquestions: int = 8,
        when: Callable[[str], bool] | None = None,
        prompts: str | Path | Prompts | None = None,
    ) -> None:
        super().__init__()
        if when is not None and (not callable(when) or is_async_callable(when)):
            raise UserError(f"when= is a function of the message's text, none async, not {when!r}.")
        texts = load_prompts(prompts)
        self._prompt, self._when = texts["middleware"], when
        self._graph = _split_and_solve(solver, decomposer, max_subquestions, texts)

    @override
    def before_agent(
        self, state: DecompositionAgentState, runtime: Runtime[Any]
    ) -> dict[str, Findings | None]:
        """Split and solve a fresh user turn; forget what an earlier one found."""
        question = self._question(state["messages"])
        if question is None:
            return {"decomposition": None}
        try:
            found = self._graph.invoke(_asked(question))
        except Exception as error:
            found = _failed(error)
        return {"decomposition": _findings(question, found)}

    @override
    async def abefore_agent(
        self, state: DecompositionAgentState, runtime: Runtime[Any]
    ) -> dict[str, Findings | None]:
        """`before_agent` for the event loop."""
        question = self._question(state["messages"])
        if question is None:
            return {"decomposition": None}
        try:
            found = await self._graph.ainvoke(_asked(question))
        except Exception as error:
            found = _failed(error)
        return {"decomposition": _findings(question, found)}

    @override
    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Any]
    ) -> Any:
        """Add this turn's findings to the system message."""
        return handler(self._told(request))

    @override
    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[Any]]
    ) -> Any:
        """`wrap_model_call` for the event loop."""
        return await handler(self._told(request))

    def _question(self, messages: Sequence[AnyMessage]) -> str | None:
        """The text of a fresh user turn that is worth a try."""
        if not messages or not isinstance(messages[-1], HumanMessage):
            return None
        blocks = messages[-1].content_blocks
        try:
            question = Problem(str(messages[-1].text)).question
        except UserError:
            return None  # Blank, or longer than any question; the agent's affair.
        if any(block["type"] != "text" for block in blocks):
            return None
        return question if self._when is None or self._when(question) else None

    def _told(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        state: Mapping[str, Any] = request.state
        found = state.get("decomposition")
        if not found or found["status"] not in ("ok", "partial"):
            return request
        parts = self._prompt.messages({"answers": answer_lines(found["answers"])})
        text = "\n\n".join(part["content"] for part in parts)
        return request.override(system_message=_extended(request.system_message, text))


def _split_and_solve(
    solver: Any, decomposer: Any, max_subquestions: int, prompts: Prompts
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Decomposer and, if there is a plan, solver; the agent composes."""
    planner = decomposer_node(decomposer, max_subquestions=max_subquestions, prompts=prompts)
    graph = StateGraph(DecompositionState)
    graph.add_node("decomposer", planner)
    graph.add_node("solver", solver_node(solver, prompts=prompts))
    graph.add_edge(START, "decomposer")
    graph.add_conditional_edges("decomposer", _next, ["solver", END])
    graph.add_edge("solver", END)
    return graph.compile(name="decomposition")


def _next(state: DecompositionState) -> str:
    return "solver" if state.get("plan") else END


def _asked(question: str) -> dict[str, Any]:
    return {"asked": {"question": question, "context": ""}}


def _failed(error: Exception) -> dict[str, Any]:
    """What is left of a graph that raised, unless the agent's run itself must end."""
    if must_be_raised(error):
        raise error
    warnings = [describe_error(error)["message"]]
    return {"status": "failed", "warnings": warnings, "usage": list(getattr(error, "usage", ()))}


def _findings(question: str, found: Mapping[str, Any]) -> Findings:
    rows: list[AnswerRow] = found.get("answers", [])
    gaps = [f"#{row['id']}: {gap}" for row in rows for gap in row.get("gaps", ())]
    return {
        "question": question,
        "plan": found.get("plan", []),
        "plan_source": found.get("plan_source", "undivided"),
        "answers": rows,
        "status": found.get("status") or _status(rows),
        "warnings": [*found.get("warnings", []), *gaps],
        "usage": add_usage(found.get("usage", []), *(row["usage"] for row in rows)),
    }


def _status(rows: Sequence[AnswerRow]) -> str:
    answered = [row["status"] == "ok" for row in rows]
    if not rows:
        return "undivided"
    return "ok" if is_whole(rows) else "partial" if any(answered) else "failed"


def _extended(system: SystemMessage | None, text: str) -> SystemMessage:
    """The system message with one part more, in the form it already has."""
    if system is None:
        return SystemMessage(text)
    if isinstance(system.content, str):
        content: Any = f"{system.content}\n\n{text}"
    else:
        content = [*system.content, {"type": "text", "text": f"\n\n{text}"}]
    return system.model_copy(update={"content": content})
