"""Asking a GGUF without LangChain: for commands in which its import would be the wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..models.references import GGUFSource, ResolvedModel
from .calls import Call
from .replies import Reply
from .session import Session
from .usage import UsageRow


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
    from ..models.plan_samples import generate_plan
    from ..models.pool import EngineSettings
    from ..models.sampling import Sampling

    engine = Engine(EngineSettings(source.path, source.table.n_ctx))
    session = session or Session()
    bounds = Session(session.meter, call_timeout=session.call_timeout or source.table.timeout)

    def generate(call: Call, timeout: float | None) -> Any:
        rows = [dict(row) for row in call.messages]
        prompt = engine.chat_template(None).tokenize(rows)
        options = {**call.options, "timeout": timeout}
        how: Any = {"prefix_key": "", "emit": lambda _: None, "cancelled": threading.Event()}
        if plans := options.pop("plans", 0):
            how |= {"problem": rows[-1]["content"], "plans": plans}
            return generate_plan(engine, prompt, Sampling(**options), **how)
        return engine.generate(prompt, Sampling(**options), **how)

    def ask(call: Call, _config: Any) -> Reply:
        begin = time.perf_counter()
        bounds.meter.before_call(call.role)
        with bounds.in_time(bounded=True) as seconds:
            generation = generate(call, seconds)
        usage = UsageRow(
            role=call.role,
            model=source.name,
            calls=1,
            input_tokens=generation.input_tokens,
            output_tokens=generation.output_tokens,
            seconds=time.perf_counter() - begin,
            cost=0.0,
        )
        bounds.meter.paid([usage], counted=True)
        return Reply(generation.text.strip(), generation.finish_reason == "length", usage)

    try:
        yield ResolvedModel(source.name, None, source.contract, accepts_grammar=True), ask
    finally:
        engine.close()
