"""Asking a GGUF without LangChain: for commands in which its import would be the wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..models.references import GGUFSource, ResolvedModel
from .calls import Call
from .replies import Reply
from .requests import naming_who_is_asked
from .session import Session
from .usage import cost, no_usage


@contextmanager
def open_gguf(
    source: GGUFSource, session: Session | None = None
) -> Iterator[tuple[ResolvedModel, Callable[[Call, Any], Reply]]]:
    """A model, and a function for `run` that asks it; the file is closed at the end.

    Args:
        source: The file.
        session: The budget and timeout to keep to; none but the table's timeout if None.

    Raises:
        ModelFileError: If the file can't be loaded.
        MissingDependencyError: If llama-cpp-python isn't installed.
    """
    from ..models.engine import Engine
    from ..models.plan_samples import generate_reply
    from ..models.pool import EngineSettings

    engine = Engine(EngineSettings(source.path, source.table.n_ctx))
    session = session or Session()
    bounds = Session(session.meter, call_timeout=session.call_timeout or source.table.timeout)

    def ask(call: Call, _config: Any) -> Reply:
        begin = time.perf_counter()
        bounds.meter.before_call(call.role)
        with naming_who_is_asked(call), bounds.in_time(bounded=True) as seconds:
            rows = [dict(row) for row in call.messages]
            generation = generate_reply(engine, rows, {**call.options, "timeout": seconds})
        usage = no_usage(call.role, source.name, 1, time.perf_counter() - begin)
        usage["input_tokens"] = generation.input_tokens
        usage["output_tokens"] = generation.output_tokens
        usage["cost"] = cost(usage, source.table.price_in or 0.0, source.table.price_out or 0.0)
        bounds.meter.paid([usage], counted=True)
        return Reply(generation.text.strip(), generation.finish_reason == "length", usage)

    try:
        yield ResolvedModel(source.name, None, source.contract, accepts_grammar=True), ask
    finally:
        engine.close()
