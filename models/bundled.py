"""Where the weights that ship with the package are."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..errors import ModelReferenceError

Role = Literal["decomposer", "solver"]

WEIGHTS = Path(__file__).parent / "weights"
_FILES = {"decomposer": "decompose.gguf", "solver": "solve.gguf"}


def bundled_model_path(role: Role = "decomposer") -> str:
    """Path of a bundled GGUF: the decomposer, or the solver for single steps of arithmetic.

    Raises:
        ModelReferenceError: If it is asked for another role.

    Example:
        >>> bundled_model_path().endswith("decompose.gguf")
        True
    """
    if role not in _FILES:
        raise ModelReferenceError(
            f"there is no bundled {role!r}: name the role decomposer, or solver, "
            "which also composes and judges."
        )
    return str(WEIGHTS / _FILES[role])
