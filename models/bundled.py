"""Where the weights that ship with the package are."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Role = Literal["decomposer", "solver"]

WEIGHTS = Path(__file__).parent / "weights"
_FILES = {"decomposer": "decompose.gguf", "solver": "solve.gguf"}


def bundled_model_path(role: Role = "decomposer") -> str:
    """Path of a bundled GGUF: the decomposer, or the solver for single steps of arithmetic.

    Example:
        >>> bundled_model_path().endswith("decompose.gguf")
        True
    """
    return str(WEIGHTS / _FILES[role])
