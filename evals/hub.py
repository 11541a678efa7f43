"""Data sets of the Hugging Face hub, for those who name one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..errors import MissingDependencyError, UserError, first_line

HUB = "hf:"
_DATASET = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:/(?P<config>[\w.-]+))?(?::(?P<split>\S+))?")


def dataset_rows(reference: str) -> Iterator[tuple[int, Any]]:
    """The rows of a data set with their numbers, from 1.

    Args:
        reference: `hf:OWNER/NAME[/CONFIG][:SPLIT]`; the split is else "train".

    Raises:
        UserError: If the reference has another form, or the data set can't be read.
        MissingDependencyError: If `datasets` isn't installed.
    """
    match = _DATASET.fullmatch(reference.removeprefix(HUB))
    if not match:
        raise UserError(f"{reference!r} isn't of the form hf:OWNER/NAME[/CONFIG][:SPLIT].")
    try:
        from datasets import load_dataset  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingDependencyError(
            "hf: needs a package that isn't installed: pip install datasets."
        ) from None
    try:
        rows = load_dataset(match["repo"], match["config"], split=match["split"] or "train")
    except Exception as error:
        raise UserError(f"the data set {reference!r} can't be read: {first_line(error)}") from None
    yield from enumerate(rows, 1)
