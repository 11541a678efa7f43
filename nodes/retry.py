"""Trying again: what may pass is asked up to three times, with growing pauses between.

Clients' own hidden retries are switched off (`models/hosted.py`), so this is the only place.
"""

from __future__ import annotations

import random
import re
from email.utils import parsedate_to_datetime
from time import time

from ..errors import is_transient

ATTEMPTS = 3
_FIRST_PAUSE = 0.3
_LONGEST_PAUSE = 60.0
_WHILE_LOADING = (5.0, 25.0)
"""A server that says it loads its model, as llama.cpp's does with 503, has it within seconds."""
_IN_WORDS = re.compile(
    r"(?:try (?:again )?(?:in|after) |retryDelay\W{1,8})"
    r"(?:(\d{1,3})m)?(\d{1,6}(?:\.\d{1,12})?) ?(m?s)",
    re.IGNORECASE,
)
"""As Google writes it, who sends no header: "Please retry in 34.07s.", "retryDelay": "39s"."""


def pause_before_retry(error: BaseException, attempt: int) -> float | None:
    """Seconds to wait before asking again; None if that is pointless.

    What a server asks for is followed, by Retry-After or in words, up to a minute; one that still
    loads its model is given half a minute. Otherwise pauses double, with jitter, so that callers
    who failed together don't come back together.

    Args:
        error: What the call raised.
        attempt: Calls made so far, from 1.

    Example:
        >>> pause_before_retry(ValueError("bad question"), attempt=1) is None
        True
    """
    if attempt >= ATTEMPTS or not is_transient(error):
        return None
    if "loading model" in str(error).lower():
        return _WHILE_LOADING[attempt - 1]
    asked = _retry_after(error)
    if asked is not None:
        return min(asked, _LONGEST_PAUSE)
    return _FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)  # noqa: S311


def _retry_after(error: BaseException) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", None)
    value = headers.get("retry-after") if headers is not None else None
    if not value:
        return _in_words(error)
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (TypeError, ValueError, OverflowError):
        return None


def _in_words(error: BaseException) -> float | None:
    found = _IN_WORDS.search(f"{error} {getattr(error, 'body', '')}")
    if not found:
        return None
    minutes, count, unit = found.groups()
    return 60.0 * int(minutes or 0) + float(count) / (1000 if unit.lower() == "ms" else 1)
