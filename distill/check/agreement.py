"""Whether a GGUF file and the checkpoint that it was made from predict the same tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...models.llama import llama_cpp
from ...models.loading import BATCH, load_model, new_context


@dataclass(frozen=True)
class Agreement:
    """How far two models agree on the tokens of given replies.

    Attributes:
        tokens: How many tokens were compared.
        equal: Where both hold the same token for the likeliest.
        max_difference: Largest difference of the log-probability of a reply's token.
        mean_difference: The mean of these differences.
    """

    tokens: int
    equal: int
    max_difference: float
    mean_difference: float

    @property
    def share(self) -> float:
        """Share of tokens on which both agree."""
        return self.equal / self.tokens


class GGUFLogits:
    """A GGUF file that tells the log-probabilities of every next token of a text."""

    def __init__(self, path: str, n_ctx: int) -> None:
        self._model = load_model(path, None)
        self._context = new_context(self._model, path, n_ctx, None)
        vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.vocabulary: int = llama_cpp.llama_vocab_n_tokens(vocab)
        self._batch = llama_cpp.llama_batch_init(BATCH, 0, 1)

    def close(self) -> None:
        """Free the model."""
        llama_cpp.llama_batch_free(self._batch)
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)

    def log_probabilities(self, ids: list[int], first: int = 0) -> np.ndarray:
        """Log-probabilities of what follows each token from `first` on: a row a token."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        rows: list[np.ndarray] = []
        for begin in range(0, len(ids), BATCH):
            self._decode(ids[begin : begin + BATCH], begin)
            for i in range(max(first - begin, 0), min(BATCH, len(ids) - begin)):
                logits = llama_cpp.llama_get_logits_ith(self._context, i)
                rows.append(np.ctypeslib.as_array(logits, shape=(self.vocabulary,)).copy())
        return log_softmax(np.stack(rows))

    def _decode(self, ids: list[int], begin: int) -> None:
        batch = self._batch
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i], batch.logits[i] = token, begin + i, True
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
        code = llama_cpp.llama_decode(self._context, batch)
        if code != 0:
            raise RuntimeError(f"llama.cpp could not evaluate the text (code {code})")


def open_logits(path: str, n_ctx: int) -> AbstractContextManager[GGUFLogits]:
    """A file's log-probabilities; the memory is freed at the end.

    Raises:
        ModelFileError: If llama.cpp can't load the file.
    """
    return closing(GGUFLogits(path, n_ctx))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities, a row a token."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def reference_log_probabilities(model: Any, ids: list[int], first: int = 0) -> np.ndarray:
    """The same as `GGUFLogits.log_probabilities` of a transformers model."""
    import torch

    with torch.inference_mode():
        logits = model(torch.tensor([ids], device=model.device)).logits[0, first:]
    return log_softmax(logits.float().cpu().numpy())


class Prediction(NamedTuple):
    """What a model expects at each token of a reply, given all that comes before it."""

    likeliest: np.ndarray
    log_probabilities: np.ndarray


TokenPair = tuple[list[int], list[int]]
"""Token ids of a prompt and of its reply with the end token."""


def predictions(
    log_probabilities: Callable[[list[int], int], np.ndarray], pairs: Iterable[TokenPair]
) -> list[Prediction]:
    """What a model expects in given replies; log-probabilities are those of their own tokens."""
    found: list[Prediction] = []
    for prompt, reply in pairs:
        rows = log_probabilities([*prompt, *reply][:-1], len(prompt) - 1)
        own = rows[np.arange(len(reply)), reply]
        found.append(Prediction(rows.argmax(axis=1), own))
    return found


def compare(reference: list[Prediction], found: list[Prediction]) -> Agreement:
    """How far two models agree on the same replies."""
    expected = np.concatenate([p.likeliest for p in reference])
    likeliest = np.concatenate([p.likeliest for p in found])
    difference = np.abs(
        np.concatenate([p.log_probabilities for p in reference])
        - np.concatenate([p.log_probabilities for p in found])
    )
    equal = int((expected == likeliest).sum())
    return Agreement(len(expected), equal, float(difference.max()), float(difference.mean()))
