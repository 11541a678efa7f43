"""Passages that a retriever finds for a subquestion, and the sources that an answer carries."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from ..errors import UserError
from .namespaces import apart
from .problem import Problem
from .steps import Do, Steps

_MOST_PASSAGES = 20
_MOST_CHARS = 4_000
_DEEPEST = 20


def as_retriever(retriever: Any) -> Any:
    """What a user named as a retriever, as a Runnable; None if nothing.

    Raises:
        UserError: If it is neither a Runnable nor a function.
    """
    if retriever is None:
        return None
    from langchain_core.runnables import Runnable, RunnableLambda

    if isinstance(retriever, Runnable):
        return retriever
    if isinstance(retriever, type) or not callable(retriever):
        raise UserError(f"a retriever is a LangChain retriever or a function, not {retriever!r}.")
    return RunnableLambda(retriever)


def retrieve(retriever: Any, query: str) -> Steps[list[dict[str, Any]]]:
    """Ask a retriever; returns JSON-native sources `{"text", "metadata"}`, none without one.

    Args:
        retriever: Any LangChain retriever, or a Runnable from a text to documents or texts.
        query: The subquestion, earlier answers put in.

    Raises:
        TypeError: If it returns something else.
    """
    if retriever is None:
        return []

    # Kept, since a resumed run that is shown other passages would ask the solver anew.
    asked = hashlib.sha256(f"{retriever.get_name()} {query}".encode()).hexdigest()

    def blocking(config: Any) -> dict[str, Any]:
        runnable, config = apart(retriever, _unseen(config), asked)
        return _found(runnable.invoke(query, config))

    async def awaitable(config: Any) -> dict[str, Any]:
        runnable, config = apart(retriever, _unseen(config), asked)
        return _found(await runnable.ainvoke(query, config))

    found = yield Do(blocking, awaitable, bounded=True, key=f"retrieved-{asked}")
    return found["sources"]


def _unseen(config: Any) -> Any:
    """The config with a tag that keeps what a retriever's own model writes off a chat screen."""
    config = config or {}
    return {**config, "tags": [*(config.get("tags") or ()), "nostream"]}


def _found(documents: Any) -> dict[str, Any]:
    """What a retriever returned, in the form of a reply."""
    if isinstance(documents, str | Mapping) or not isinstance(documents, Iterable):
        raise TypeError(f"a retriever returns a list of documents, not {type(documents).__name__}")
    sources = [_source(document) for document in islice(documents, _MOST_PASSAGES)]
    return {"sources": sources, "usage": []}


def _source(document: Any) -> dict[str, Any]:
    text = document if isinstance(document, str) else getattr(document, "page_content", None)
    if not isinstance(text, str):
        raise TypeError(f"a retriever returns documents, not {type(document).__name__}")
    metadata = _json_native(getattr(document, "metadata", None) or {})
    return {"text": text[:_MOST_CHARS], "metadata": metadata}


def _json_native(value: Any, depth: int = 0) -> Any:
    """A value as JSON has it; what JSON has no way to say is said in words."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Mapping) and depth < _DEEPEST:
        return {str(key): _json_native(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple) and depth < _DEEPEST:
        return [_json_native(each, depth + 1) for each in value]
    return str(value)


def with_passages(problem: Problem, sources: list[dict[str, Any]]) -> Problem:
    """The problem as a solver sees it, found passages numbered after its own context."""
    if not sources:
        return problem
    passages = [f"[{n}] {source['text']}" for n, source in enumerate(sources, 1)]
    context = "\n\n".join([problem.context, *passages] if problem.context else passages)
    return replace(problem, context=context)
