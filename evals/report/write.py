"""Writing report.md, report.html and the drawings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...storage import write_private, writing
from .content import page
from .document import Picture
from .examples import compare_examples
from .figures import short_names
from .html import to_html
from .markdown import to_markdown


def write_report(samples: Path, summary: Mapping[str, Any], directory: Path) -> None:
    """Write report.md, report.html and an SVG for each drawing; samples are read for examples.

    Raises:
        UserError: If samples can't be read or the directory can't be written.
    """
    blocks = page(summary, compare_examples(samples, summary, short_names(summary["systems"])))
    texts = {"report.md": to_markdown(blocks), "report.html": to_html(blocks)}
    texts |= {block.name: block.svg for block in blocks if isinstance(block, Picture)}
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_private(directory / name, text)
