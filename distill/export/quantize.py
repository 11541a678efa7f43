"""Smaller GGUF files, by llama.cpp's own quantisation."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from ...errors import UserError
from ..whole_files import written_whole
from .gguf_tensors import open_gguf


def quantize(source: Path, target: Path, kind: str, threads: int = 0) -> dict[str, int]:
    """Write a quantised copy of an F16 file, whole or not at all; 0 threads are all cores.

    A matrix whose rows don't fill whole blocks (32 numbers; 256 for k-quants) gets a larger
    type from llama.cpp: the result tells how many tensors have which.

    Raises:
        UserError: If llama.cpp refuses, with its reason.
    """
    from ...models.llama import llama_cpp, quiet

    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind.upper()}")
    params.nthread = threads
    with written_whole(target, "part") as temporary:
        with quiet() as said:
            code = llama_cpp.llama_model_quantize(
                os.fsencode(source), os.fsencode(temporary), params
            )
        if code != 0:
            reason = said() or "no reason given"
            if "iostream" in reason or not said():  # All that C++ tells of a failed write.
                reason += "; is the disk full?"
            raise UserError(f"llama.cpp can't quantise {source.name!r} to {kind}: {reason}.")
        return dict(Counter(tensor.tensor_type.name for tensor in open_gguf(temporary).tensors))


def parameters(path: Path) -> int:
    """How many numbers a file's tensors hold.

    Raises:
        ModelFileError: If it is cut off or damaged.
    """
    return sum(int(tensor.n_elements) for tensor in open_gguf(path).tensors)
