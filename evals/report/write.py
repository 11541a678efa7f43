"""Writing report.md, report.html and the drawings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...storage import write_private
from .content import page
from .document import Picture
from .examples import compare_examples
from .figures import short_names
from .html import to_html
from .markdown import to_markdown


def write_report(samples: Path, summary: Mapping[str, Any], directory: Path) -> None:
    """Write the report of an evaluation.

    Args:
        samples: samples.jsonl, for examples; read a line at a time.
        summary: What `summarise` made of it.
        directory: Where report.md, report.html and one SVG a drawing go.

    Raises:
        UserError: If samples can't be read or the directory can't be written.
    """
    blocks = page(summary, compare_examples(samples, summary, short_names(summary["systems"])))
    texts = {"report.md": to_markdown(blocks), "report.html": to_html(blocks)}
    texts |= {block.name: block.svg for block in blocks if isinstance(block, Picture)}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_private(directory / name, text)
    except OSError as error:
        raise UserError(f"{str(directory)!r} can't be written: {error.strerror}.") from None
