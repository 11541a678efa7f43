"""Wording a call for the Runnable that gets it: its input and its config."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

from ..models.objects import innermost, is_chosen_later

if TYPE_CHECKING:
    from .calls import Call

_SCRATCHPAD = "__pregel_scratchpad"


@cache
def _kinds() -> tuple[Any, Any, Any]:
    from langchain_core.language_models import BaseChatModel, BaseLanguageModel
    from langgraph.pregel.protocol import PregelProtocol

    return BaseChatModel, BaseLanguageModel, PregelProtocol


def streams(call: Call) -> bool:
    """Whether the call's text is wanted as it comes, from a model that can give it so."""
    model = innermost(call.model.runnable)
    return call.on_text is not None and (isinstance(model, _kinds()[0]) or is_chosen_later(model))


def call_input(call: Call) -> Any:
    """Messages for a chat model, a messages state for a graph, one text for the rest."""
    _, language_model, graph = _kinds()
    rows = [dict(row) for row in call.messages]
    model = innermost(call.model.runnable)
    if isinstance(model, language_model) or is_chosen_later(model):
        return rows
    text = "\n\n".join(row["content"] for row in rows)
    if isinstance(model, graph):
        return {"messages": [{"role": "user", "content": text}]}
    return text


def call_config(call: Call, config: Any) -> Any:
    """The caller's config with the call's name, tags and metadata, for traces."""
    config = config or {}
    # Only the final answer's tokens belong on a user's screen.
    tags = [f"decompose:{call.role}"] + ([] if call.last else ["nostream"])
    about = {"decompose_role": call.role, **call.metadata}
    # By hand, since LangChain's `merge_configs` takes a tenth of all our time for a call.
    merged: Any = {
        **config,
        "run_name": call.name or call.role,
        "tags": [*(config.get("tags") or ()), *tags],
        "metadata": {**(config.get("metadata") or {}), **about},
    }
    if isinstance(innermost(call.model.runnable), _kinds()[2]):
        _give_own_namespace(merged, call.key)
    return merged


def _give_own_namespace(config: Any, key: str) -> None:
    """Let a graph that is called from this node keep its checkpoints under what it is asked.

    LangGraph numbers the graphs that a node calls in the order of the calls, which a resumed
    run needn't repeat; the second question would then be continued from the first's state.
    """
    configurable = config.get("configurable") or {}
    scratchpad, namespace = configurable.get(_SCRATCHPAD), configurable.get("checkpoint_ns")
    if scratchpad is None or not namespace:
        return
    config["configurable"] = {
        **configurable,
        "checkpoint_ns": f"{namespace}|subquestion:{key[:32]}",
        _SCRATCHPAD: replace(scratchpad, subgraph_counter=count().__next__),
    }
