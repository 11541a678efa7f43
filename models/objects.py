"""LangChain objects as models: what was put around them, and what tells them from others."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from ..errors import ModelReferenceError


def innermost(runnable: Any) -> Any:
    """What `bind`, `with_retry`, `with_fallbacks`, `configurable_fields` and so on are around.

    Of several that a call's config chooses from it is the default.
    """
    return innermost_of_all(runnable)[0]


def innermost_of_all(runnable: Any) -> list[Any]:
    """`innermost`, and the same of each that it falls back on."""
    from langchain_core.runnables import RunnableWithFallbacks

    if isinstance(runnable, RunnableWithFallbacks):
        return [inner for one in runnable.runnables for inner in innermost_of_all(one)]
    within = _within(runnable)
    return [runnable] if within is None else innermost_of_all(within)


def _within(runnable: Any) -> Any:
    """What a wrapper is put around; None if it is none."""
    from langchain_core.runnables import RunnableWithFallbacks
    from langchain_core.runnables.base import RunnableBindingBase
    from langchain_core.runnables.configurable import DynamicRunnable

    if isinstance(runnable, RunnableBindingBase):
        return runnable.bound
    if isinstance(runnable, RunnableWithFallbacks):
        return runnable.runnable
    return runnable.default if isinstance(runnable, DynamicRunnable) else None


def is_chosen_later(runnable: Any) -> bool:
    """Whether `init_chat_model` made it without fixing the model: a chat model at each call."""
    # By name, since importing `langchain` takes long, and whoever has one has done so.
    return type(runnable).__name__ == "_ConfigurableModel"


def is_configurable(runnable: Any) -> bool:
    """Whether a call's config may choose or change the model, also within a chain."""
    from langchain_core.runnables import RunnableSequence, RunnableWithFallbacks
    from langchain_core.runnables.configurable import DynamicRunnable

    # Not by `config_specs`: for those LangChain looks into functions, and whatever they name.
    if is_chosen_later(runnable) or isinstance(runnable, DynamicRunnable):
        return True
    if isinstance(runnable, RunnableSequence):
        return any(map(is_configurable, runnable.steps))
    if isinstance(runnable, RunnableWithFallbacks):
        return any(map(is_configurable, runnable.runnables))
    inner = _within(runnable)
    return inner is not None and is_configurable(inner)


def refuse_without_messages(runnable: Any) -> None:
    """Refuse a graph whose state has no messages: LangGraph would leave out what it is asked.

    Raises:
        ModelReferenceError: If it is one.
    """
    # By name, since whoever has one has imported it.
    is_graph = type(runnable).__name__ == "CompiledStateGraph"
    if is_graph and not {"messages", "__root__"} & runnable.channels.keys():
        raise ModelReferenceError(
            f"the graph {runnable.get_name()!r} has no messages in its state: name a function that "
            "calls it, such as lambda text: graph.invoke({'question': text})."
        )


def object_name(runnable: Any) -> str:
    """What results call it: the model's name, or the Runnable's own."""
    from langchain_core.language_models import BaseChatModel

    inner = innermost(runnable)
    is_chat_model = isinstance(inner, BaseChatModel)
    if is_chosen_later(inner) or (is_chat_model and is_configurable(runnable)):
        return "configurable model"
    params: Any = inner._get_ls_params() if is_chat_model else {}  # pyright: ignore[reportPrivateUsage]
    return str(params.get("ls_model_name") or inner.get_name())


def object_identity(runnable: Any) -> str:
    """Its name, how it is configured, what was bound to it and what it falls back on."""
    from langchain_core.runnables import RunnableWithFallbacks
    from langchain_core.runnables.base import RunnableBindingBase

    around: list[Any] = []
    inner = runnable
    while (within := _within(inner)) is not None:
        if isinstance(inner, RunnableWithFallbacks):
            around.append([object_identity(other) for other in inner.fallbacks])
        elif isinstance(inner, RunnableBindingBase) and inner.kwargs:
            around.append(inner.kwargs)
        inner = within
    # A function that was bound counts by its name: its address changes.
    bound = _hash(re.sub(r" at 0x\w+", "", repr(around))) if around else ""
    return " ".join(filter(None, [object_name(runnable), _configuration(inner), bound]))


def _configuration(model: Any) -> str:
    """How a LangChain object is configured, keys left out; empty if it can't tell for sure."""
    from langchain_core.load import dumps

    try:
        if not model.is_lc_serializable():
            # What LangChain's own cache goes by.
            settings = model._identifying_params  # pyright: ignore[reportPrivateUsage]
            return _hash(json.dumps(settings, sort_keys=True)) if settings else ""
        text = dumps(model, sort_keys=True)
    except Exception:
        return ""
    # What isn't serializable within is written with its address, which changes.
    return "" if not text or "not_implemented" in text else _hash(text)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
