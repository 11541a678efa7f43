"""Choosing tokens: temperature and its friends, and grammars."""

from __future__ import annotations

import ctypes
import math
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError
from .llama import llama_cpp, quiet

_KEPT_GRAMMARS = 8
_RANDOM_SEED = 0xFFFFFFFF


@dataclass(frozen=True)
class Sampling:
    """How a reply is generated.

    Attributes:
        temperature: 0 takes the likeliest token each time.
        top_k: Keep the k likeliest tokens; 0 keeps all.
        top_p: Keep the likeliest tokens up to this total probability.
        min_p: Keep tokens at least this share as likely as the likeliest.
        seed: Makes sampling repeatable; None draws a fresh one.
        max_tokens: Longest reply; None goes on until the context is full.
        stop: Strings that end the reply; they aren't part of it.
        grammar: GBNF text that the reply must follow.
        no_repeat: So many tokens in a row come at most twice in a line; 0 allows any.
        scored: Whether to add up how likely the model finds the reply.
        timeout: Seconds after which the call fails.
    """

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    grammar: str | None = None
    no_repeat: int = 0
    scored: bool = False
    timeout: float | None = None


class Sampler:
    """Chooses the next token from a context's logits."""

    def __init__(self, vocab: Any, context: Any) -> None:
        self._vocab, self._context = vocab, context
        self._size: int = llama_cpp.llama_vocab_n_tokens(vocab)
        self._one = _candidates(1)
        self._all = _candidates(self._size)
        self._piece = ctypes.create_string_buffer(512)
        self._grammars: OrderedDict[str, Any] = OrderedDict()

    def close(self) -> None:
        """Free the compiled grammars."""
        for grammar in self._grammars.values():
            llama_cpp.llama_sampler_free(grammar)
        self._grammars.clear()

    @contextmanager
    def start(self, sampling: Sampling) -> Iterator[Callable[[], int]]:
        """A function that chooses the next token, for one reply.

        Raises:
            UserError: If the grammar doesn't compile.
        """
        grammar = self._grammar(sampling.grammar) if sampling.grammar else None
        chain = _chain(sampling)
        line = _Line(self.bytes_of, sampling.no_repeat)

        def choose() -> int:
            token: int = llama_cpp.llama_sampler_sample(chain, self._context, -1)
            repeated = line.repeated()
            if token in repeated or not (grammar is None or self.allows(grammar, token)):
                token = self._choose_allowed(grammar, chain, repeated)
            if grammar is not None:
                llama_cpp.llama_sampler_accept(grammar, token)
            line.add(token)
            return token

        try:
            yield choose
        finally:
            llama_cpp.llama_sampler_free(chain)
            if grammar is not None:
                llama_cpp.llama_sampler_free(grammar)

    def _grammar(self, text: str) -> Any:
        """A fresh state of a grammar; compiled once, then cloned."""
        compiled = self._grammars.get(text)
        if compiled is None:
            with quiet():
                compiled = llama_cpp.llama_sampler_init_grammar(
                    self._vocab, text.encode("utf-8"), b"root"
                )
            if not compiled:
                raise UserError("llama.cpp can't compile the grammar; check its GBNF syntax.")
            if len(self._grammars) == _KEPT_GRAMMARS:
                llama_cpp.llama_sampler_free(self._grammars.popitem(last=False)[1])
            self._grammars[text] = compiled
        self._grammars.move_to_end(text)
        return llama_cpp.llama_sampler_clone(compiled)

    def allows(self, grammar: Any, token: int) -> bool:
        """Whether the grammar's state admits a token."""
        data, array = self._one
        data[0].id, data[0].logit = token, 1.0
        array.size, array.selected, array.sorted = 1, -1, False
        llama_cpp.llama_sampler_apply(grammar, ctypes.byref(array))
        return not math.isinf(data[0].logit)

    def bytes_of(self, token: int) -> bytes:
        """What a token adds to a text; nothing if it is a control token."""
        buffer, size = self._piece, len(self._piece)
        count = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, size, 0, False)
        return buffer.raw[: max(count, 0)]

    def log_probability(self, token: int) -> float:
        """Natural logarithm of the next token's probability, without grammar and temperature.

        It takes a pass over the vocabulary.
        """
        logits = self._logits()
        top = logits.max()
        return float(logits[token] - top - np.log(np.exp(logits - top).sum()))

    def _logits(self) -> np.ndarray:
        logits = llama_cpp.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(logits, shape=(self._size,))

    def _choose_allowed(self, grammar: Any, chain: Any, repeated: Collection[int]) -> int:
        """Choose among the tokens that the grammar admits, by the same chain.

        A repetition is written after all where the grammar leaves nothing else.
        """
        data, array = self._all
        view = np.ctypeslib.as_array(data)
        view["id"] = np.arange(self._size, dtype=np.int32)
        view["logit"] = self._logits()
        view["p"] = 0.0
        view["logit"][[*repeated]] = -np.inf
        array.size, array.selected, array.sorted = self._size, -1, False
        if grammar is not None:
            llama_cpp.llama_sampler_apply(grammar, ctypes.byref(array))
        if repeated and not np.isfinite(view["logit"]).any():
            return self._choose_allowed(grammar, chain, ())
        if not np.isfinite(view["logit"]).any():
            # Accepting a token that the grammar forbids would end the whole process.
            raise UserError("no token of this model fits the grammar at this place.")
        llama_cpp.llama_sampler_apply(chain, ctypes.byref(array))
        return int(array.data[array.selected].id)


class _Line:
    """The tokens of the line being written, and which of them would be a loop.

    Like `no_repeat_ngram_size` (Paulus et al., 2017, arXiv 1705.04304), but within a line, since
    the lines of a plan may begin alike, and from the third time on: a long name may come twice.
    """

    def __init__(self, bytes_of: Callable[[int], bytes], length: int) -> None:
        self._bytes_of, self._length = bytes_of, length
        self._tokens: list[int] = []
        self._next: defaultdict[tuple[int, ...], Counter[int]] = defaultdict(Counter)

    def repeated(self) -> Collection[int]:
        """Tokens that would write a run for the third time."""
        if not self._length:
            return ()
        found = self._next.get(tuple(self._tokens[1 - self._length :]), Counter())
        return [token for token, times in found.items() if times > 1]

    def add(self, token: int) -> None:
        """Take in a token; one with a line's end begins the next line."""
        if not self._length:
            return
        if b"\n" in self._bytes_of(token):
            self._tokens.clear()
            self._next.clear()
            return
        if len(before := tuple(self._tokens[1 - self._length :])) == self._length - 1:
            self._next[before][token] += 1
        self._tokens.append(token)


def _candidates(size: int) -> tuple[Any, Any]:
    data = (llama_cpp.llama_token_data * size)()
    pointer = ctypes.cast(data, llama_cpp.llama_token_data_p)
    return data, llama_cpp.llama_token_data_array(pointer, size, -1, False)


def _chain(sampling: Sampling) -> Any:
    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())

    def add(sampler: Any) -> None:
        llama_cpp.llama_sampler_chain_add(chain, sampler)

    if sampling.temperature <= 0:
        add(llama_cpp.llama_sampler_init_greedy())
        return chain
    add(llama_cpp.llama_sampler_init_top_k(sampling.top_k))
    add(llama_cpp.llama_sampler_init_top_p(sampling.top_p, 1))
    add(llama_cpp.llama_sampler_init_min_p(sampling.min_p, 1))
    add(llama_cpp.llama_sampler_init_temp(sampling.temperature))
    seed = _RANDOM_SEED if sampling.seed is None else sampling.seed & 0x7FFFFFFF
    add(llama_cpp.llama_sampler_init_dist(seed))
    return chain
