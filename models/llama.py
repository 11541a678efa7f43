"""The import of llama-cpp-python, which is optional, and a lid on what it prints."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import MissingDependencyError

INSTALL_HINT = (
    "pip install 'langgraph-decompose[local]' compiles it (about 5 minutes); for a prebuilt "
    "wheel add --extra-index-url https://abetlen.github.io/llama-cpp-python/whl/cpu"
)

try:
    import llama_cpp as _llama_cpp
except ImportError:
    raise MissingDependencyError(
        f"a GGUF model needs llama-cpp-python, which isn't installed: {INSTALL_HINT}."
    ) from None
except (OSError, RuntimeError) as error:
    raise MissingDependencyError(
        f"llama-cpp-python is installed but doesn't load ({error}); reinstall it: {INSTALL_HINT}."
    ) from None

# The ctypes bindings carry no useful types.
llama_cpp: Any = _llama_cpp

_logger = logging.getLogger("llama-cpp-python")
if _logger.level == logging.NOTSET:
    _logger.setLevel(logging.ERROR)


@contextmanager
def quiet_load() -> Iterator[Callable[[], str]]:
    """Catch what llama.cpp logs inside the block; yields a function for its last error."""
    from llama_cpp import _logger as binding

    errors: list[str] = []

    @llama_cpp.llama_log_callback
    def keep(level: int, text: bytes, _: object) -> None:
        message = text.decode("utf-8", errors="replace").strip()
        if level == 4 and message:
            errors.append(message)

    def last_error() -> str:
        # The first line names the cause, those after it only say that loading failed.
        line = errors[0] if errors else ""
        return line.split(": ", 1)[1] if line.startswith("llama_model_load") else line

    llama_cpp.llama_log_set(keep, ctypes.c_void_p(0))
    try:
        yield last_error
    finally:
        llama_cpp.llama_log_set(binding.llama_log_callback, ctypes.c_void_p(0))
