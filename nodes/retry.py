"""Trying again: what may pass is asked up to three times, with growing pauses between.

Clients' own hidden retries are switched off (`models/hosted.py`), so this is the only place.
"""

from __future__ import annotations

import random
from email.utils import parsedate_to_datetime
from time import time

from ..errors import is_transient

ATTEMPTS = 3
_FIRST_PAUSE = 0.3
_LONGEST_PAUSE = 60.0


def pause_before_retry(error: BaseException, attempt: int) -> float | None:
    """Seconds to wait before asking again; None if that is pointless.

    A server's Retry-After is followed, up to a minute. Otherwise pauses double, with jitter,
    so that callers who failed together don't come back together.

    Args:
        error: What the call raised.
        attempt: Calls made so far, from 1.

    Example:
        >>> pause_before_retry(ValueError("bad question"), attempt=1) is None
        True
    """
    if attempt >= ATTEMPTS or not is_transient(error):
        return None
    asked = _retry_after(error)
    if asked is not None:
        return min(asked, _LONGEST_PAUSE)
    return _FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)  # noqa: S311


def _retry_after(error: BaseException) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", None)
    value = headers.get("retry-after") if headers is not None else None
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (TypeError, ValueError, OverflowError):
        return None
