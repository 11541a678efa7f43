"""Opening a GGUF file with llama.cpp: layers, threads, and errors in words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import ModelFileError
from .kv_cache import SEQUENCES
from .llama import llama_cpp, quiet

BATCH = 512
_LEAST_CONTEXT = 16
"""As `ChatGGUF.n_ctx` has it; with less than `SEQUENCES` llama.cpp ends the process."""


def load_model(path: str, n_gpu_layers: int | None) -> Any:
    """A llama.cpp model; None puts all layers on the GPU if the build has GPU support.

    Raises:
        ModelFileError: With llama.cpp's reason and what to do.
    """
    params = llama_cpp.llama_model_default_params()
    if n_gpu_layers is None:
        n_gpu_layers = 999 if llama_cpp.llama_supports_gpu_offload() else 0
    params.n_gpu_layers = n_gpu_layers
    params.use_extra_bufts = not amx_may_crash()
    with quiet() as said:
        model = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        reason = said() or "no reason given"
        newer = "unknown" in reason  # An architecture or a pre-tokenizer.
        advice = (
            "upgrade llama-cpp-python, the file is newer than it"
            if newer
            else "download the file again"
        )
        raise ModelFileError(f"llama.cpp can't load {Path(path).name!r}: {reason}; {advice}.")
    return model


def amx_may_crash() -> bool:
    """Whether this llama.cpp would use AMX (server CPUs by Intel since Sapphire Rapids).

    Its AMX code ends the process at the first quantised matrix, with many compilers and kernels
    (GCC 12 drops the tile configuration as unused, others lack a permission in each thread:
    ggml-org/llama.cpp#20824 and #26954). It comes with the extra buffer types.
    """
    info: bytes = llama_cpp.llama_print_system_info()
    return b"AMX_INT8 = 1" in info


def new_context(model: Any, path: str, n_ctx: int, n_threads: int | None) -> Any:
    """A context that holds several prompts at once; frees the model if there is none.

    Raises:
        ModelFileError: If memory doesn't suffice, or the file's own context is of no use.
    """
    if n_ctx < _LEAST_CONTEXT:
        llama_cpp.llama_model_free(model)
        raise ModelFileError(
            f"{Path(path).name!r} says that it was trained for {n_ctx} tokens, too few for any "
            "prompt; download or export the file again."
        )
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = n_ctx
    params.n_batch = params.n_ubatch = min(BATCH, max(32, n_ctx))
    params.n_seq_max = SEQUENCES
    params.kv_unified = True
    params.n_threads = params.n_threads_batch = n_threads or choose_threads(path)
    params.no_perf = True
    with quiet() as said:
        context = llama_cpp.llama_init_from_model(model, params)
    if not context:
        llama_cpp.llama_model_free(model)
        reason = said() or "probably too little memory"
        name = Path(path).name
        raise ModelFileError(f"no context of {n_ctx} tokens for {name!r}: {reason}; lower n_ctx.")
    return context


def choose_threads(path: str) -> int:
    """One thread for each 25 MB of weights, up to the physical cores (roughly).

    llama.cpp's threads wait for each other by spinning several times a layer. For a small
    model that gains little on an idle machine, and on a busy one, where a thread may lose
    its core meanwhile, it can make a reply a hundred times slower.
    """
    available = getattr(os, "sched_getaffinity", None)
    cores = len(available(0)) if available else os.cpu_count() or 1
    physical = cores if cores <= 4 else cores // 2
    return max(1, min(physical, os.path.getsize(path) // 25_000_000 + 1))
