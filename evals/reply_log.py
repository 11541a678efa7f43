"""The checkpointer of an evaluation: replies go to a file as they come, the rest is forgotten.

A killed evaluation asks its open questions again from the start, and needs only the replies
that were paid for. LangGraph's own checkpoints would take most of the time that is spent on a
question; they aren't kept at all. What is kept are the entries of the journal
(`nodes/journal.py`), as lines of one file. A question has a thread of its own, which is what
its replies are found by.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple, empty_checkpoint

from ..errors import UserError
from ..nodes.journal import NAMESPACE
from ..nodes.usage import UsageRow, add_usage
from ..storage import open_private, whole_lines, writing
from .sample_file import GOES_ON


class ReplyLog(BaseCheckpointSaver[str]):
    """Keeps replies by thread, whatever happens to the process.

    Args:
        path: The file; what an earlier run left there is read.

    Raises:
        UserError: If the file can't be read or written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._kept: dict[str, list[Any]] = {}
        self._lock = threading.Lock()
        self._path = path
        try:
            open_private(path)
            self._read(path)
            self._file = path.open("ab")
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise UserError(
                f"{str(path)!r} can't be used ({error}); remove it to ask again what is open."
            ) from None

    def _read(self, path: Path) -> None:
        for _, line in whole_lines(path):
            row = json.loads(line)
            if "value" in row:
                self._kept.setdefault(row["thread"], []).append(row["value"])
            else:
                self._kept.pop(row["thread"], None)

    def _write(self, row: Mapping[str, Any]) -> None:
        line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
        with self._lock, writing(self._path, GOES_ON):
            self._file.write(line)
            self._file.flush()

    def replies(self, thread: str) -> list[Any]:
        """What a question's models wrote, and what their failures were."""
        return [reply for _, reply in self._kept.get(thread, ())]

    def usage(self, thread: str) -> list[UsageRow]:
        """What a question has taken, whatever came of it and in whichever run."""
        taken = [reply["usage"] for reply in self.replies(thread)]
        rows = add_usage(*(used if isinstance(used, list) else [used] for used in taken))
        # In an order that doesn't hang on who was quicker.
        return sorted(rows, key=lambda row: (row["role"], row["model"]))

    def close(self) -> None:
        """Close the file."""
        # Of what a full disk didn't take, the rest is tried again.
        with writing(self._path, GOES_ON):
            self._file.close()

    # LangGraph's interface

    def get_tuple(self, config: Any) -> CheckpointTuple | None:
        """The journal, if its namespace is asked for and it has entries."""
        kept = self._kept.get(config["configurable"]["thread_id"])
        if not kept or not _is_journal(config):
            return None
        writes: Any = [(value[0], "reply", value) for value in kept]
        return CheckpointTuple(config, empty_checkpoint(), {}, None, writes)

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        """Where the checkpoint would be."""
        del metadata, new_versions
        return {"configurable": {**config["configurable"], "checkpoint_id": checkpoint["id"]}}

    def put_writes(
        self, config: Any, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep the journal's; when this returns, a crash of the process can't lose them."""
        del task_id, task_path
        if not _is_journal(config):
            return
        thread = config["configurable"]["thread_id"]
        for _, value in writes:
            self._write({"thread": thread, "value": value})
            self._kept.setdefault(thread, []).append(value)

    def delete_thread(self, thread_id: str) -> None:
        """Forget a question."""
        if self._kept.pop(thread_id, None):
            self._write({"thread": thread_id})

    async def aget_tuple(self, config: Any) -> CheckpointTuple | None:
        """As `get_tuple`."""
        return self.get_tuple(config)

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        """As `put`."""
        return self.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: Any, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """As `put_writes`."""
        self.put_writes(config, writes, task_id, task_path)


# LangGraph looks at this signature for every question, which takes longer than keeping a reply.
ReplyLog.put_writes.__signature__ = signature(ReplyLog.put_writes)  # type: ignore[attr-defined]


def _is_journal(config: Mapping[str, Any]) -> bool:
    return str(config["configurable"].get("checkpoint_ns", "")).startswith(f"{NAMESPACE}:")
