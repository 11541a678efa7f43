"""Which prompts the KV cache holds, so that a new one evaluates only what is new in it.

Prompts are kept apart by a key (the system prompt): a decomposer and a solver that take
turns on one model keep their constant beginnings, and the one used longest ago makes room.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from .llama import llama_cpp

SEQUENCES = 4


@dataclass
class Sequence:
    """One sequence of the KV cache, the tokens that it holds, and how many of them stay.

    `constant` counts the leading tokens that its last two prompts shared.
    """

    id: int
    tokens: list[int] = field(default_factory=list)
    constant: int = 0


class PrefixCache:
    """The sequences of a context, by key, least recently used first."""

    def __init__(self, context: Any) -> None:
        self._memory = llama_cpp.llama_get_memory(context)
        self._cells: int = llama_cpp.llama_n_ctx(context)
        self._sequences: OrderedDict[str, Sequence] = OrderedDict()

    def reuse(self, key: str, prompt: list[int]) -> Sequence:
        """The sequence for a key, cut back to the beginning that it shares with the prompt."""
        sequence = self._sequences.get(key)
        if sequence is None:
            if len(self._sequences) == SEQUENCES:
                self.drop(next(iter(self._sequences)))
            used = {other.id for other in self._sequences.values()}
            sequence = Sequence(next(i for i in range(SEQUENCES) if i not in used))
            self._sequences[key] = sequence
        self._sequences.move_to_end(key)
        # The last prompt token is always evaluated anew: its logits choose the first token.
        shared = _common_prefix(sequence.tokens, prompt[:-1])
        if not llama_cpp.llama_memory_seq_rm(self._memory, sequence.id, shared, -1):
            # Recurrent and sliding-window memories can't forget only the end.
            llama_cpp.llama_memory_seq_rm(self._memory, sequence.id, -1, -1)
            shared = 0
        del sequence.tokens[shared:]
        sequence.constant = shared
        return sequence

    def drop(self, key: str) -> None:
        """Forget a key's sequence."""
        sequence = self._sequences.pop(key)
        llama_cpp.llama_memory_seq_rm(self._memory, sequence.id, -1, -1)

    def make_room(self, count: int) -> None:
        """Make `count` more tokens fit: first others lose what differed, then everything."""
        for other in list(self._sequences.values())[:-1]:
            if self._used() + count <= self._cells:
                return
            if llama_cpp.llama_memory_seq_rm(self._memory, other.id, other.constant, -1):
                del other.tokens[other.constant :]
        while len(self._sequences) > 1 and self._used() + count > self._cells:
            self.drop(next(iter(self._sequences)))

    def _used(self) -> int:
        return sum(len(sequence.tokens) for sequence in self._sequences.values())


def _common_prefix(a: list[int], b: list[int]) -> int:
    pairs = zip(a, b, strict=False)
    return next((i for i, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))
