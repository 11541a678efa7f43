"""Text from models and files as a terminal may be shown it."""

from __future__ import annotations

import re

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def harmless(text: str) -> str:
    r"""The text without control characters, which could clear a screen or rename a window.

    Example:
        >>> harmless("42\x1b[2J")
        '42[2J'
    """
    return _CONTROLS.sub("", text)
