"""Wording a call for the Runnable that gets it: its input and its config."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import PromptTooLongError
from .namespaces import is_chat_model, is_graph, is_language_model

if TYPE_CHECKING:
    from .calls import Call


_HIDING = ("LANGSMITH_HIDE_INPUTS", "LANGCHAIN_HIDE_INPUTS")
_NAMED = ("decomposer", "solver", "composer", "verifier")
"""Roles for which `--ROLE` names a model."""


@contextmanager
def naming_who_is_asked(call: Call) -> Iterator[None]:
    """Say of a text that is too long which role's model that is for, and how to name another."""
    try:
        yield
    except PromptTooLongError as error:
        if error.names_role:  # By a graph that was asked: of all around it, it knows best.
            raise
        fact = str(error).partition(";")[0].rstrip(".")
        another = f"name another with --{call.role}" if call.role in _NAMED else "name another"
        error.args = (
            f"the {call.role} {call.model.name!r} can't read it all: {fact}; "
            f"shorten it or {another}.",
        )
        error.names_role = True
        raise


def streams(call: Call) -> bool:
    """Whether the call's text is wanted as it comes, from a model that can give it so."""
    return call.on_text is not None and is_chat_model(call.model.runnable)


def is_invoked_for_tokens(call: Call, config: Any) -> bool:
    """Whether somebody reads `stream_events(version="v3")`, and so the final answer, as it comes.

    LangGraph tells the tokens of models that are invoked there, and of one that is streamed
    not even the message.
    """
    if not call.last:
        return False
    callbacks = (config or {}).get("callbacks")
    handlers = getattr(callbacks, "handlers", callbacks) or ()
    classes = {cls.__name__ for handler in handlers for cls in type(handler).__mro__}
    return "_V2StreamingCallbackHandler" in classes  # It has no public name.


def call_input(call: Call) -> Any:
    """Messages for a chat model, a messages state for a graph, one text for the rest."""
    rows = [dict(row) for row in call.messages]
    if is_language_model(call.model.runnable):
        return rows
    text = "\n\n".join(row["content"] for row in rows)
    if is_graph(call.model.runnable):
        return {"messages": [{"role": "user", "content": text}]}
    return text


def call_config(call: Call, config: Any) -> Any:
    """The caller's config with the call's name, tags and metadata, for traces."""
    config = config or {}
    chat = is_chat_model(call.model.runnable)
    # Only the final answer's tokens belong on a user's screen, and only those of a message
    # that the answer is then known by.
    tags = [f"decompose:{call.role}"] + ([] if call.last and chat else ["nostream"])
    about = {"decompose_role": call.role, **call.metadata}
    metadata = {**(config.get("metadata") or {}), **about}
    name = call.name or call.role
    if name.startswith("#") and any(os.environ.get(hiding) == "true" for hiding in _HIDING):
        # LangSmith hides inputs then, but not the names of runs.
        name = name.partition(" ")[0]
    if not chat and name == metadata.get("langgraph_node"):
        # LangGraph takes a run of the node's name for the node, and shows what it returns.
        name = f"{name}: {call.model.name}"
    # By hand, since LangChain's `merge_configs` takes a tenth of all our time for a call.
    return {
        **config,
        "run_name": name,
        "tags": [*(config.get("tags") or ()), *tags],
        "metadata": metadata,
    }
