"""The user's graphs and functions, called from a node, each in a namespace of its own.

In a node, LangGraph numbers the graphs that are called and the interrupts that are raised, and
goes by these numbers when the run is resumed. A node of ours makes many calls, and a resumed one
leaves out those that the journal answers: by number, a call would go on from another one's
state, or be given what a person said to another one. So a call's namespace is named by what is
asked. A function, which has no state to keep a person's replies in, runs as the only node of a
graph, one that nobody sees and that writes nothing unless the function interrupts or fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import count
from typing import Any

from ..models.objects import innermost, innermost_of_all, is_chosen_later
from .journal import CHECKPOINTER, KEEPS_NOTHING
from .waiting import not_cancelled_within

# LangGraph has no public names for these keys of its config.
_SCRATCHPAD = "__pregel_scratchpad"
_SEND = "__pregel_send"
_STREAM = "__pregel_stream"
_RESUMING = "__pregel_resuming"
_RESUME_MAP = "__pregel_resume_map"
_NAMESPACE = "checkpoint_ns"


@cache
def _kinds() -> tuple[Any, Any, Any]:
    """The classes of chat models, of language models and of graphs, imported when needed."""
    from langchain_core.language_models import BaseChatModel, BaseLanguageModel
    from langgraph.pregel.protocol import PregelProtocol

    return BaseChatModel, BaseLanguageModel, PregelProtocol


def is_chat_model(runnable: Any) -> bool:
    """Whether it is a chat model, whatever `bind` and its like have put around it."""
    model = innermost(runnable)
    return isinstance(model, _kinds()[0]) or is_chosen_later(model)


def is_language_model(runnable: Any) -> bool:
    """Whether it is a chat model or one that completes texts."""
    return isinstance(innermost(runnable), _kinds()[1]) or is_chat_model(runnable)


def is_graph(runnable: Any) -> bool:
    """Whether it is a compiled graph."""
    return isinstance(innermost(runnable), _kinds()[2])


def apart(runnable: Any, config: Any, key: str, *, again: bool = False) -> tuple[Any, Any]:
    """What to call, and with which config, so that the call is apart from a node's others.

    Args:
        runnable: A language model, which needs nothing, a graph, or anything else.
        config: The config to call it with.
        key: A hash of what is asked.
        again: Whether it failed before: a graph then goes on from where it was.
    """
    if is_language_model(runnable):
        return runnable, config
    configurable = (config or {}).get("configurable") or {}
    if configurable.get(KEEPS_NOTHING):
        configurable = {**configurable, CHECKPOINTER: None}
        config = {**config, "configurable": configurable}
    if is_graph(runnable):
        return runnable, in_own_namespace(runnable, config, key, again=again)
    if configurable.get(CHECKPOINTER) is None:
        return runnable, config
    return _OneNode(runnable), in_own_namespace(runnable, config, key, again=again)


def in_own_namespace(runnable: Any, config: Any, key: str, *, again: bool = False) -> Any:
    """The config for a graph that is called from a node; as it is where there is no node.

    A server is told of no namespace, and on the run's thread all calls would go on from each
    other: a remote graph is called without a thread, unless it has its own (`with_config`). Its
    namespace is for the streams of the run around it.
    """
    configurable = (config or {}).get("configurable") or {}
    # By name, since whoever has one has imported it.
    remote = all(type(inner).__name__ == "RemoteGraph" for inner in innermost_of_all(runnable))
    if remote:
        ours = ("thread_id", KEEPS_NOTHING)
        configurable = {name: value for name, value in configurable.items() if name not in ours}
        config = {**(config or {}), "configurable": configurable}
    scratchpad, namespace = configurable.get(_SCRATCHPAD), configurable.get(_NAMESPACE)
    if scratchpad is None or not namespace:
        return config
    asked = key[:32]
    own = {
        **configurable,
        # What follows a colon is a task's id: graphs with `checkpointer=True` leave it out, and
        # streams of version 3 tell of no graph without one.
        _NAMESPACE: f"{namespace}|subquestion-{asked}:{asked}",
        _SCRATCHPAD: replace(scratchpad, subgraph_counter=count().__next__),
    }
    if again and not remote:
        # As LangGraph has it when it retries a node; but what a person said is kept by now, and
        # named again it would be taken for the answer to what is asked next.
        own |= {_RESUMING: True, _RESUME_MAP: None}
    return {**config, "configurable": own}


class _OneNode:
    """A function, or a chain, as the only node of a graph."""

    def __init__(self, runnable: Any) -> None:
        self._runnable = runnable

    def invoke(self, asked: Any, config: Any) -> Any:
        from langchain_core.callbacks import CallbackManager

        graph, unseen = self._graph(config), _unseen(config, CallbackManager([]))
        with _inheriting(None):
            return graph.invoke(asked, unseen, durability="exit")

    async def ainvoke(self, asked: Any, config: Any) -> Any:
        from langchain_core.callbacks import AsyncCallbackManager

        graph, unseen = self._graph(config), _unseen(config, AsyncCallbackManager([]))
        with _inheriting(None):
            return await graph.ainvoke(asked, unseen, durability="exit")

    def _graph(self, config: Any) -> Any:
        from langchain_core.runnables.config import var_child_runnable_config
        from langgraph.channels import EphemeralValue
        from langgraph.pregel import NodeBuilder, Pregel

        from .role_runnable import RoleRunnable

        inherited = var_child_runnable_config.get()

        def call(asked: Any, node: Any) -> Any:
            with _inheriting(_in_node(node, inherited or config)):
                return self._runnable.invoke(asked, _in_node(node, config))

        async def acall(asked: Any, node: Any) -> Any:
            with _inheriting(_in_node(node, inherited or config)):
                own = _in_node(node, config)
                return await not_cancelled_within(lambda: self._runnable.ainvoke(asked, own))

        node = NodeBuilder().subscribe_only("asked").do(RoleRunnable(call, acall, "call"))
        return Pregel(
            nodes={"call": node.write_to("reply")},
            channels={"asked": EphemeralValue(object), "reply": EphemeralValue(object)},
            input_channels="asked",
            output_channels="reply",
        )


@contextmanager
def _inheriting(config: Any) -> Iterator[None]:
    """Let what is called take the rest of its config from this one, not from where we are.

    LangGraph adds the callbacks of the one to those that it is given.
    """
    from langchain_core.runnables.config import var_child_runnable_config

    token = var_child_runnable_config.set(config)
    try:
        yield
    finally:
        var_child_runnable_config.reset(token)


def _unseen(config: Any, nobody: Any) -> Any:
    """A config for the graph around a function: no trace and no stream shows it."""
    configurable = {k: v for k, v in config["configurable"].items() if k != _STREAM}
    return {"configurable": configurable, "callbacks": nobody}


def _in_node(node: Any, config: Any) -> Any:
    """A config with what LangGraph's `interrupt` and nested graphs look at in a node's."""
    keys = (_NAMESPACE, _SCRATCHPAD, _SEND, _RESUMING, _RESUME_MAP)
    taken = {key: node["configurable"][key] for key in keys if key in node["configurable"]}
    return {**config, "configurable": {**config["configurable"], **taken}}
