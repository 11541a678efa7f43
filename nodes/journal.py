"""Replies that a run has paid for, kept in the run's own checkpointer as soon as they come.

LangGraph checkpoints a node when it ends; a node that makes many calls would pay for all of
them again after a crash. (Its `@task`s are checkpointed one by one, but a resumed task is
matched by its call number and not by its arguments, so that tasks begun in another order get
each other's answers.) So each reply is kept under a hash of what was asked: a resumed run
asks the same again and is given the stored reply, whatever order or plan it now follows.

The journal is a checkpoint in a namespace of its own, with one pending write a reply: nothing
but the public interface of `BaseCheckpointSaver`, sync and async.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any, Self
from uuid import NAMESPACE_OID, uuid4, uuid5

# LangGraph has no public name for the checkpointer that a node runs under. Should the key
# ever change, nothing is kept, and tests/test_crash.py fails.
CHECKPOINTER = "__pregel_checkpointer"
_CHANNEL = "reply"
NAMESPACE = "journal"
PASSING = "passing-"
"""Keys of what calls took whose failure may pass: they are asked again."""
_CUT_OFF_IN_VAIN = ("solver", "composer")
"""Roles whose answers fail if they are cut off; what others wrote is repaired, or done without."""
KEEPS_NOTHING = "decompose_keeps_nothing"
"""Set under `configurable` of a graph that is compiled with `checkpointer=False`: LangGraph lends
its nodes the checkpointer of a parent all the same."""
RETRY_FAILED = "decompose_retry_failed"
"""Set under `configurable`, it makes a resumed run ask again what failed for good."""


class Journal:
    """Replies by key, of one question.

    Args:
        saver: The checkpointer.
        thread_id: The run's thread.
        namespace: Tells this question from others on the thread; the same when it is resumed.
        node: Tells the node from the question's others; the same when it is resumed.
        retry_failed: Forget the failures that were kept.
    """

    def __init__(
        self,
        saver: Any,
        thread_id: str,
        namespace: str,
        *,
        node: str = "",
        retry_failed: bool = False,
    ) -> None:
        self._saver, self.retry_failed = saver, retry_failed
        place = {"thread_id": thread_id, "checkpoint_ns": f"{NAMESPACE}:{namespace}"}
        self._config: Any = {"configurable": place}
        self._node = node
        self._replies: dict[str, list[Any]] = {}
        """More than one, where the same was asked several times at once, as by repeated lines."""
        self._served: Counter[str] = Counter()
        self.usage: list[Any] = []
        """What all replies and failures took that an earlier attempt has kept."""
        self.failed: list[Any] = []
        """The part of it that no reply will tell again, of earlier attempts at this node."""
        self._began = False
        self._lock, self._alock = threading.Lock(), asyncio.Lock()

    @classmethod
    def of(
        cls, config: Mapping[str, Any] | None, run_id: str | None = None, answers: int = 0
    ) -> Self | None:
        """The journal of the node that runs under a config; None without a checkpointer.

        Args:
            config: The node's config.
            run_id: The question's own id in the state; without one, the node's namespace
                serves, which is another one when the run is replayed from its history.
            answers: How many answers the node's state has.
        """
        configurable = (config or {}).get("configurable") or {}
        saver, thread = configurable.get(CHECKPOINTER), configurable.get("thread_id")
        if saver is None or thread is None or configurable.get(KEEPS_NOTHING):
            return None
        retry = bool(configurable.get(RETRY_FAILED))
        namespace = run_id or configurable.get("checkpoint_ns", "")
        name = ((config or {}).get("metadata") or {}).get("langgraph_node")
        # A node in a loop comes with other answers each time; a replayed one with the same.
        node = f"{name} with {answers} answers"
        return cls(saver, thread, namespace, node=node, retry_failed=retry)

    def open(self) -> None:
        """Read what an earlier attempt at this node has kept."""
        self._read(self._saver.get_tuple(self._config))

    async def aopen(self) -> None:
        """`open` for the event loop."""
        self._read(await self._saver.aget_tuple(self._config))

    def get(self, key: str) -> Any:
        """The reply under a key; None if there is none.

        Who asks the very same again in one run is given the same reply, which took nothing.
        """
        replies = self._replies.get(key)
        if replies is None:
            return None
        with self._lock:
            served = self._served[key]
            self._served[key] += 1
        if served < len(replies):
            return replies[served]
        return {**replies[-1], "usage": _nothing(replies[-1]["usage"])}

    def put(self, key: str, reply: Any) -> None:
        """Keep a reply; when this returns, a crash can't lose it."""
        with self._lock:
            if not self._began:
                self._config = self._saver.put(self._config, *self._checkpoint())
                self._began = True
        written = [(_CHANNEL, [key, self._signed(key, reply)])]
        self._saver.put_writes(self._config, written, _entry(key))
        self._add(key, reply)

    async def aput(self, key: str, reply: Any) -> None:
        """`put` for the event loop."""
        async with self._alock:
            if not self._began:
                self._config = await self._saver.aput(self._config, *self._checkpoint())
                self._began = True
        written = [(_CHANNEL, [key, self._signed(key, reply)])]
        await self._saver.aput_writes(self._config, written, _entry(key))
        self._add(key, reply)

    def _add(self, key: str, reply: Any) -> None:
        with self._lock:
            self._replies.setdefault(key, []).append(reply)
            self._served[key] += 1

    def _checkpoint(self) -> tuple[Any, Any, Any]:
        """What the replies hang on: of one id, whoever begins it.

        Two nodes of one question may begin it at once, or a run that was stopped and still
        has a thread: in a checkpoint of its own, the one's replies would hide the other's.
        """
        from langgraph.checkpoint.base import empty_checkpoint

        namespace = self._config["configurable"]["checkpoint_ns"]
        checkpoint = {**empty_checkpoint(), "id": str(uuid5(NAMESPACE_OID, namespace))}
        return checkpoint, {"source": "update", "step": -1, "parents": {}}, {}

    def _signed(self, key: str, reply: Any) -> Any:
        """A failure with the node that met it."""
        failed = key.startswith(PASSING) or _is_failure(reply)
        return {**reply, "node": self._node} if failed else reply

    def _read(self, saved: Any) -> None:
        if saved is None:
            return
        self._began = True
        self._config = saved.config
        for _, channel, value in saved.pending_writes or ():
            if channel == _CHANNEL and isinstance(value, list) and len(value) == 2:
                self._take(*value)

    def _take(self, key: str, reply: Any) -> None:
        failed = _is_failure(reply)
        taken = reply["usage"] if isinstance(reply["usage"], list) else [reply["usage"]]
        self.usage += taken
        passing = key.startswith(PASSING)
        if passing or (failed and self.retry_failed):
            # What another node met, its own update has told.
            if reply.get("node", self._node) == self._node:
                self.failed += taken
            return
        known = self._replies.get(key, [])
        if failed and not all(map(_is_failure, known)):
            return
        same = [each for each in known if _is_failure(each) == failed]
        self._replies[key] = [*same, reply]


def _entry(key: str) -> str:
    """Checkpointers keep the first write of a name; who asks the same needs another name."""
    return f"{key}-{uuid4().hex}"


def _is_failure(reply: Mapping[str, Any]) -> bool:
    """Whether it is a failure, or an answer that was cut off, of which a failure was made."""
    if "error" in reply:
        return True
    return bool(reply.get("cut_off")) and reply["usage"]["role"] in _CUT_OFF_IN_VAIN


def _nothing(usage: Any) -> Any:
    """Usage of nothing, in the form that a reply or a failure has it in."""
    if isinstance(usage, list):
        return []
    taken = {"calls": 0, "input_tokens": 0, "output_tokens": 0, "seconds": 0.0, "cost": 0.0}
    return {**usage, **taken}
