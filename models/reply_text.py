"""From a model's bytes to pieces of text: whole characters, and nothing past a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Callable


class ReplyText:
    """Turns bytes into text pieces, holding back what may become a stop string.

    Args:
        stop: Strings that end the reply; they aren't part of it.
        emit: Called with each piece as it becomes certain.

    Example:
        >>> pieces = []
        >>> text = ReplyText(("END",), pieces.append)
        >>> text.add(b"one"), text.add(b" EN"), text.add(b"D two")
        (False, False, True)
        >>> text.finish()
        'one '
    """

    def __init__(self, stop: tuple[str, ...], emit: Callable[[str], None]) -> None:
        self._stop, self._emit = stop, emit
        self._hold = max(map(len, stop), default=1) - 1
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._sent: list[str] = []
        self._pending = ""

    def add(self, data: bytes) -> bool:
        """Take the next bytes; True once a stop string has come."""
        self._pending += self._decoder.decode(data)
        found = [i for stop in self._stop if (i := self._pending.find(stop)) >= 0]
        if found:
            self._pending = self._pending[: min(found)]
            self._decoder.reset()
            return True
        self._send(len(self._pending) - self._hold)
        return False

    def finish(self) -> str:
        """Send what was held back; the whole text."""
        self._pending += self._decoder.decode(b"", final=True)
        self._send(len(self._pending))
        return "".join(self._sent)

    def _send(self, count: int) -> None:
        if count > 0:
            piece, self._pending = self._pending[:count], self._pending[count:]
            self._sent.append(piece)
            self._emit(piece)
