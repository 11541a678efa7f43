"""Who fills which role in a graph, and the pieces that all strategies share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, StateGraph

from ..models.references import ResolvedModel
from ..prompts import Prompts
from .state import DecompositionInput, DecompositionOutput, DecompositionState, read_question


@dataclass(frozen=True)
class Roles:
    """The models and settings that a strategy is built from."""

    decomposer: ResolvedModel
    solver: ResolvedModel
    composer: ResolvedModel
    prompts: Prompts
    max_subquestions: int
    context_schema: type[Any] | None = None


def new_graph(roles: Roles, strategy: str) -> StateGraph[Any, Any, Any, Any]:
    """A graph that begins by reading the question; the strategy adds the rest."""
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(
        DecompositionState,
        context_schema=roles.context_schema,
        input_schema=DecompositionInput,
        output_schema=DecompositionOutput,
    )
    reading: Any = RunnableLambda(partial(read_question, strategy=strategy))
    graph.add_node("read_question", reading)
    graph.add_edge(START, "read_question")
    return graph
