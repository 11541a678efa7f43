"""The import of llama-cpp-python, which is optional, and a lid on what it prints."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import MissingDependencyError
from .forks import ForkedLock

_PACKAGE = "'llama-cpp-python>=0.3.36'"

try:
    import llama_cpp as _llama_cpp
except ImportError:
    # Without --prefer-binary, pip compiles PyPI's source wherever that is newer than the wheels.
    raise MissingDependencyError(
        "a GGUF model needs llama-cpp-python, which isn't installed: "
        f"pip install {_PACKAGE} compiles it (about 5 minutes); for a prebuilt wheel add "
        "--prefer-binary --extra-index-url https://abetlen.github.io/llama-cpp-python/whl/cpu."
    ) from None
except (OSError, RuntimeError) as error:
    # As a prebuilt wheel that needs musl, a C library that most systems lack.
    raise MissingDependencyError(
        f"llama-cpp-python is installed but doesn't load ({error}); compile it anew: pip install "
        f"--force-reinstall --no-deps --no-cache-dir --no-binary llama-cpp-python {_PACKAGE}."
    ) from None

# The ctypes bindings carry no useful types.
llama_cpp: Any = _llama_cpp

_logger = logging.getLogger("llama-cpp-python")
if _logger.level == logging.NOTSET:
    _logger.setLevel(logging.ERROR)

_ERROR_LEVEL = 4
_one_at_a_time = ForkedLock()
_errors: list[str] = []


# Kept for ever: llama.cpp may call it from another thread while it is being replaced.
@llama_cpp.llama_log_callback
def _keep_errors(level: int, text: bytes, _: object) -> None:
    message = text.decode("utf-8", errors="replace").strip()
    if level == _ERROR_LEVEL and message:
        _errors.append(message)


def _first_error() -> str:
    """The first line names the cause, those after it only say that loading failed."""
    line = _errors[0] if _errors else ""
    return line.split(": ", 1)[1] if line.startswith("llama_model_load") else line


@contextmanager
def quiet() -> Iterator[Callable[[], str]]:
    """Catch what llama.cpp logs inside the block; yields a function for its first error.

    llama.cpp has one log for the whole process, so blocks of several threads take turns.
    """
    from llama_cpp import _logger as binding

    with _one_at_a_time:
        _errors.clear()
        llama_cpp.llama_log_set(_keep_errors, ctypes.c_void_p(0))
        try:
            yield _first_error
        finally:
            llama_cpp.llama_log_set(binding.llama_log_callback, ctypes.c_void_p(0))
