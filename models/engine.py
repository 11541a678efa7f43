"""One GGUF model loaded through llama.cpp: tokens in, text out, on one thread.

The low-level API of llama-cpp-python is used directly, for four things that its `Llama`
class doesn't give: several prompts kept in the KV cache at once (so that decompose and
solve calls don't evict each other's prefix), user text tokenised as text, a grammar that
is checked for the sampled token first and applied to the vocabulary only on a conflict
(as llama.cpp's own server does), and cancelling between two tokens.

Nothing here is thread-safe: `models/pool.py` runs every call on the engine's own thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import PromptTooLongError
from .chat_template import ChatTemplate
from .gguf_file import read_contract, read_metadata
from .kv_cache import PrefixCache, Sequence
from .llama import llama_cpp
from .loading import BATCH, load_model, new_context
from .pool import EngineSettings
from .reply_text import ReplyText
from .sampling import Sampler, Sampling

_DEFAULT_CONTEXT = 8192


@dataclass
class Generation:
    """A finished reply and what it took.

    Attributes:
        text: The reply without the stop string.
        finish_reason: `"stop"`, or `"length"` if the reply was cut off.
        input_tokens: Prompt length.
        cached_tokens: Leading prompt tokens that were still in the KV cache.
        output_tokens: Tokens generated, the end marker not counted.
        log_probability: Natural logarithm of the reply's probability, its end included, without
            grammar and temperature; None unless `Sampling.scored` asks for it.
    """

    text: str
    finish_reason: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    log_probability: float | None = None


class Engine:
    """A loaded model with its context.

    Raises:
        ModelFileError: If the file can't be loaded; the message carries llama.cpp's reason.
    """

    def __init__(self, settings: EngineSettings) -> None:
        self.path = settings.path
        self.metadata = read_metadata(settings.path)
        contract = read_contract(settings.path)
        trained = contract.n_ctx_trained if contract else 0
        self._model = load_model(settings.path, settings.n_gpu_layers)
        self.vocab = llama_cpp.llama_model_get_vocab(self._model)
        native = llama_cpp.llama_model_n_ctx_train(self._model)
        self._most = trained or native
        self.n_ctx = min(settings.n_ctx or _DEFAULT_CONTEXT, self._most)
        self._context = new_context(self._model, settings.path, self.n_ctx, settings.n_threads)
        self._cache = PrefixCache(self._context)
        self._batch = llama_cpp.llama_batch_init(BATCH, 0, 1)
        self.sampler = Sampler(self.vocab, self._context)
        self._templates: dict[str | None, ChatTemplate] = {}

    def chat_template(self, text: str | None) -> ChatTemplate:
        """The file's chat template, or another one, compiled once.

        Raises:
            ModelFileError: If there is none, or it isn't valid Jinja.
        """
        if text not in self._templates:
            self._templates[text] = ChatTemplate(self, text)
        return self._templates[text]

    def close(self) -> None:
        """Free the model, its context and everything that hangs on them."""
        self.sampler.close()
        llama_cpp.llama_batch_free(self._batch)
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Token ids of a text; `special` also reads control tokens out of it."""
        data = text.encode("utf-8", errors="replace")
        room = len(data) + 8
        buffer = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self.vocab, data, len(data), buffer, room, False, special)
        if count < 0:
            raise ValueError("llama.cpp could not tokenise the text")
        return buffer[:count]

    def generate(
        self,
        prompt: list[int],
        sampling: Sampling,
        *,
        prefix_key: str,
        emit: Callable[[str], None],
        cancelled: threading.Event,
    ) -> Generation:
        """Generate a reply; see `Generation`.

        Args:
            prompt: Token ids, at least one.
            sampling: How to choose tokens and when to stop.
            prefix_key: Prompts with the same key share a place in the KV cache, and with
                it the evaluation of their common beginning.
            emit: Called with each piece of text as it becomes certain.
            cancelled: Setting it ends the generation before the next token.

        Raises:
            PromptTooLongError: If the prompt leaves no room for a reply.
            TimeoutError: If `sampling.timeout` passes.
        """
        room = self.n_ctx - len(prompt)
        if room < 1:
            more = f" (its n_ctx may be up to {self._most})" if self.n_ctx < self._most else ""
            raise PromptTooLongError(
                f"the text has {len(prompt)} tokens, over the model's limit of "
                f"{self.n_ctx - 1}{more}; shorten it or name a model with a longer context."
            )
        sequence = self._cache.reuse(prefix_key, prompt)
        cached = len(sequence.tokens)
        text = ReplyText(sampling.stop, emit)
        limits = _Limits(cancelled, sampling.timeout)
        room = min(sampling.max_tokens or room, room)
        scores: list[float] = []
        try:
            with self.sampler.start(sampling) as choose:
                self._evaluate(sequence, prompt, limits)
                chosen = self._scoring(choose, scores) if sampling.scored else choose
                count, reason = self._write(sequence, chosen, text, room, limits)
        except BaseException:
            self._cache.drop(prefix_key)
            raise
        score = sum(scores) if sampling.scored else None
        return Generation(text.finish(), reason, len(prompt), cached, count, score)

    def _scoring(self, choose: Callable[[], int], scores: list[float]) -> Callable[[], int]:
        def chosen() -> int:
            token = choose()
            scores.append(self.sampler.log_probability(token))
            return token

        return chosen

    def _evaluate(self, sequence: Sequence, prompt: list[int], limits: _Limits) -> None:
        for begin in range(len(sequence.tokens), len(prompt), BATCH):
            limits.check()
            self._decode(sequence, prompt[begin : begin + BATCH])

    def _write(
        self,
        sequence: Sequence,
        choose: Callable[[], int],
        text: ReplyText,
        room: int,
        limits: _Limits,
    ) -> tuple[int, str]:
        """Generate tokens until something ends the reply; how many, and what ended it."""
        for count in range(room):
            token = choose()
            if llama_cpp.llama_vocab_is_eog(self.vocab, token):
                return count, "stop"
            if text.add(self.sampler.bytes_of(token)):
                return count + 1, "stop"
            limits.check()
            if count + 1 < room:
                self._decode(sequence, [token])
        return room, "length"

    def _decode(self, sequence: Sequence, tokens: list[int]) -> None:
        """Evaluate tokens at the end of a sequence, dropping the oldest others for room."""
        self._cache.make_room(len(tokens))
        batch, start = self._batch, len(sequence.tokens)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = start + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = sequence.id
            batch.logits[i] = i == len(tokens) - 1
        code = llama_cpp.llama_decode(self._context, batch)
        if code != 0:
            raise RuntimeError(f"llama.cpp could not evaluate the prompt (code {code})")
        sequence.tokens.extend(tokens)


class Cancelled(Exception):
    """The caller no longer wants the reply."""


class _Limits:
    """What ends a generation from outside: the caller, or the clock."""

    def __init__(self, cancelled: threading.Event, timeout: float | None) -> None:
        self._cancelled = cancelled
        self._deadline = time.monotonic() + timeout if timeout else None

    def check(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise TimeoutError("the local model did not finish within its timeout")
