"""The standard streams as a command finds them: closed, of a narrow encoding, without a reader."""

from __future__ import annotations

import codecs
import io
import json
import os
import select
import sys
from typing import Any

_ESCAPED = "langgraph_decompose_escaped"


def prepare_streams() -> None:
    """Let any text be written, and a closed stream lead nowhere.

    Left closed, its place would be taken by the next file that is opened.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream: Any = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
        elif mode == "w" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_ESCAPED)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """What a stream can't encode as JSON escapes it, so that --json stays JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_ESCAPED, _escaped)


def reader_gone(stream: Any) -> bool:
    """Whether nobody reads a stream any more (`| head`); if so, it leads nowhere from now on."""
    try:
        stream.flush()
        gone = _hung_up(stream.fileno())
    except BrokenPipeError:
        gone = True
    except io.UnsupportedOperation:
        return False  # What stands in for a stream has no file.
    if gone:
        # Keeps the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return gone


def _hung_up(file: int) -> bool:
    """What an unbuffered stream, with nothing to flush, doesn't say; Windows can't be asked."""
    if not hasattr(select, "poll"):
        return False
    watch = select.poll()
    watch.register(file, 0)
    return bool(watch.poll(0))
