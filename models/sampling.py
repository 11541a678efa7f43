"""Choosing tokens: temperature and its friends, and grammars."""

from __future__ import annotations

import ctypes
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
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
    timeout: float | None = None


class Sampler:
    """Chooses the next token from a context's logits."""

    def __init__(self, vocab: Any, context: Any) -> None:
        self._vocab, self._context = vocab, context
        self._size: int = llama_cpp.llama_vocab_n_tokens(vocab)
        self._one = _candidates(1)
        self._all = _candidates(self._size)
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

        def choose() -> int:
            token: int = llama_cpp.llama_sampler_sample(chain, self._context, -1)
            if grammar is None:
                return token
            if not self.allows(grammar, token):
                token = self._choose_allowed(grammar, chain)
            llama_cpp.llama_sampler_accept(grammar, token)
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

    def _choose_allowed(self, grammar: Any, chain: Any) -> int:
        """Choose among the tokens that the grammar admits, by the same chain."""
        data, array = self._all
        logits = llama_cpp.llama_get_logits_ith(self._context, -1)
        view = np.ctypeslib.as_array(data)
        view["id"] = np.arange(self._size, dtype=np.int32)
        view["logit"] = np.ctypeslib.as_array(logits, shape=(self._size,))
        view["p"] = 0.0
        array.size, array.selected, array.sorted = self._size, -1, False
        llama_cpp.llama_sampler_apply(grammar, ctypes.byref(array))
        if not np.isfinite(view["logit"]).any():
            # Accepting a token that the grammar forbids would end the whole process.
            raise UserError("no token of this model fits the grammar at this place.")
        llama_cpp.llama_sampler_apply(chain, ctypes.byref(array))
        return int(array.data[array.selected].id)


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
