"""What is to be made anew in a forked process, in which the parent's other threads aren't."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


def in_forks(action: Callable[[], object]) -> None:
    """Do something at the beginning of every forked process from now on."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=action)


class ForkedLock:
    """A lock of a module's that is free in a forked process, whoever holds it in the parent.

    Example:
        >>> with ForkedLock():
        ...     pass
    """

    def __init__(self) -> None:
        self._renew()
        in_forks(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
