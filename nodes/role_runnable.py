"""A role as a LangChain Runnable: used alone, or as the node of a graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import BaseModel


class RoleRunnable(Runnable[Any, Any]):
    """A function of an input and a config, in a blocking and an awaitable form.

    Alone it is a run of its own in a trace, as any Runnable. As the graph's node of the same
    name it isn't, since the node is a run already: a second one of that name would say nothing
    more, and takes a tenth of the CPU of a small plan.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        awaitable: Callable[..., Awaitable[Any]],
        name: str,
    ) -> None:
        self._function, self._awaitable, self.name = function, awaitable, name

    def invoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Any:  # noqa: A002
        """Call the function."""
        read = _as_dict(input)
        if config and self._is_node(config):
            return self._function(read, config)
        return self._call_with_config(self._function, read, config)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Any:  # noqa: A002
        """Await the function's awaitable form."""
        read = _as_dict(input)
        if config and self._is_node(config):
            return await self._awaitable(read, config)
        return await self._acall_with_config(self._awaitable, read, config)

    def _is_node(self, config: RunnableConfig) -> bool:
        return (config.get("metadata") or {}).get("langgraph_node") == self.name


def _as_dict(state: Any) -> Any:
    """A state that is a model or a dataclass as a dict of what is set in it; others as they are."""
    if isinstance(state, BaseModel):
        names = list(type(state).model_fields)
    elif dataclasses.is_dataclass(state):
        names = [field.name for field in dataclasses.fields(state)]
    else:
        return state
    return {name: value for name in names if (value := getattr(state, name)) is not None}
