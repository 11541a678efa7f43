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
from .usage import UsageRow


@contextmanager
def open_gguf(source: GGUFSource) -> Iterator[tuple[ResolvedModel, Callable[[Call, Any], Reply]]]:
    """A model, and a function for `run` that asks it; the file is closed at the end.

    Raises:
        ModelFileError: If the file can't be loaded.
        MissingDependencyError: If llama-cpp-python isn't installed.
    """
    from ..models.engine import Engine
    from ..models.plan_samples import generate_plan
    from ..models.pool import EngineSettings
    from ..models.sampling import Sampling

    engine = Engine(EngineSettings(source.path, source.table.n_ctx))

    def ask(call: Call, _config: Any) -> Reply:
        begin = time.perf_counter()
        rows = [dict(row) for row in call.messages]
        prompt = engine.chat_template(None).tokenize(rows)
        options = {**call.options, "timeout": source.table.timeout}
        how: Any = {"prefix_key": "", "emit": lambda _: None, "cancelled": threading.Event()}
        if plans := options.pop("plans", 0):
            how |= {"problem": rows[-1]["content"], "plans": plans}
            generation = generate_plan(engine, prompt, Sampling(**options), **how)
        else:
            generation = engine.generate(prompt, Sampling(**options), **how)
        usage = UsageRow(
            role=call.role,
            model=source.name,
            calls=1,
            input_tokens=generation.input_tokens,
            output_tokens=generation.output_tokens,
            seconds=time.perf_counter() - begin,
            cost=0.0,
        )
        return Reply(generation.text.strip(), generation.finish_reason == "length", usage)

    try:
        yield ResolvedModel(source.name, None, source.contract, accepts_grammar=True), ask
    finally:
        engine.close()
