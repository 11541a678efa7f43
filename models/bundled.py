"""Where the weights that ship with the package are."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"


def bundled_model_path() -> str:
    """Path of the bundled GGUF: decomposer, and solver for arithmetic.

    Example:
        >>> bundled_model_path().endswith(".gguf")
        True
    """
    return str(WEIGHTS / "decompose.gguf")
