"""Until when somebody waits for the call that is made here."""

from __future__ import annotations

import math
import time
from contextvars import ContextVar
from typing import overload

call_deadline: ContextVar[float] = ContextVar("call_deadline", default=math.inf)
"""When, on `time.monotonic()`, nobody waits any more for the call that is made here.

HTTP requests and local models end themselves then, in place of their own timeout: a thread
can't be stopped, and the server or the model's thread should be free again.
"""


@overload
def seconds_within(timeout: float, deadline: float) -> float: ...
@overload
def seconds_within(timeout: float | None, deadline: float) -> float | None: ...
def seconds_within(timeout: float | None, deadline: float) -> float | None:
    """The seconds that a call may take which begins now; None for no bound.

    Args:
        timeout: The model's own.
        deadline: The caller's, read from `call_deadline` where the call was made.

    Example:
        >>> seconds_within(2.0, math.inf), seconds_within(2.0, 0.0), seconds_within(None, math.inf)
        (2.0, 0.001, None)
    """
    if deadline == math.inf:
        return timeout
    left = max(deadline - time.monotonic(), 0.001)
    return min(timeout, left) if timeout else left
