"""One GGUF model loaded through llama.cpp: tokens in, text out, on one thread.

The low-level API of llama-cpp-python is used directly, for four things that its `Llama`
class doesn't give: several prompts kept in the KV cache at once (so that decompose and
solve calls don't evict each other's prefix), user text tokenised as text, a grammar that
is checked for the sampled token first and applied to the vocabulary only on a conflict
(as llama.cpp's own server does), and cancelling between two tokens.

Nothing here is thread-safe: `models/pool.py` runs every call on the engine's own thread.
"""

from __future__ import annotations

import codecs
import ctypes
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ModelFileError, PromptTooLongError
from .chat_template import ChatTemplate
from .gguf_file import read_contract, read_metadata
from .llama import llama_cpp, quiet_load
from .sampling import Sampler, Sampling

_SEQUENCES = 4
_DEFAULT_CONTEXT = 8192
_BATCH = 512


@dataclass(frozen=True)
class EngineSettings:
    """What makes one loaded copy of a file differ from another.

    Attributes:
        path: The file.
        n_ctx: Context in tokens; None takes the trained length, at most 8,192.
        n_gpu_layers: Layers on the GPU; None takes all if the build has GPU support.
        n_threads: CPU threads; None chooses by cores and model size.
    """

    path: str
    n_ctx: int | None = None
    n_gpu_layers: int | None = None
    n_threads: int | None = None


@dataclass
class Generation:
    """A finished reply and what it took.

    Attributes:
        text: The reply without the stop string.
        finish_reason: `"stop"`, or `"length"` if the reply was cut off.
        input_tokens: Prompt length.
        cached_tokens: Leading prompt tokens that were still in the KV cache.
        output_tokens: Tokens generated, the end marker not counted.
    """

    text: str
    finish_reason: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int


@dataclass
class _Sequence:
    """What one sequence of the KV cache holds."""

    id: int
    tokens: list[int] = field(default_factory=list)


class Engine:
    """A loaded model with its context.

    Raises:
        ModelFileError: If the file can't be loaded; the message carries llama.cpp's reason.
    """

    def __init__(self, settings: EngineSettings) -> None:
        self.metadata = read_metadata(settings.path)
        contract = read_contract(settings.path)
        trained = contract.n_ctx_trained if contract else 0
        self._model = _load(settings)
        self.vocab = llama_cpp.llama_model_get_vocab(self._model)
        native = llama_cpp.llama_model_n_ctx_train(self._model)
        self.n_ctx = min(settings.n_ctx or _DEFAULT_CONTEXT, trained or native)
        self._context = self._new_context(settings)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._cells = llama_cpp.llama_n_ctx(self._context)
        self._batch = llama_cpp.llama_batch_init(_BATCH, 0, 1)
        self._sequences: OrderedDict[str, _Sequence] = OrderedDict()
        self._piece = ctypes.create_string_buffer(512)
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

    def _new_context(self, settings: EngineSettings) -> Any:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = self.n_ctx
        params.n_batch = params.n_ubatch = min(_BATCH, max(32, self.n_ctx))
        params.n_seq_max = _SEQUENCES
        params.kv_unified = True
        params.n_threads = settings.n_threads or _threads(settings.path)
        params.n_threads_batch = params.n_threads
        params.no_perf = True
        with quiet_load() as said:
            context = llama_cpp.llama_init_from_model(self._model, params)
        if not context:
            llama_cpp.llama_model_free(self._model)
            reason = said() or "probably too little memory"
            raise ModelFileError(
                f"no context of {self.n_ctx} tokens for {settings.path!r}: {reason}; lower n_ctx."
            )
        return context

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
            raise PromptTooLongError(
                f"the text has {len(prompt)} tokens, over the model's limit of "
                f"{self.n_ctx - 1}; shorten it or name a model with a longer context."
            )
        sequence, cached = self._reuse(prefix_key, prompt)
        try:
            return self._run(prompt, cached, min(sampling.max_tokens or room, room),
                             sequence, sampling, emit, cancelled)  # fmt: skip
        except BaseException:
            self._drop(prefix_key)
            raise

    def _run(
        self,
        prompt: list[int],
        cached: int,
        room: int,
        sequence: _Sequence,
        sampling: Sampling,
        emit: Callable[[str], None],
        cancelled: threading.Event,
    ) -> Generation:
        deadline = time.monotonic() + sampling.timeout if sampling.timeout else None
        text = _Text(sampling.stop, emit)
        with self.sampler.start(sampling) as choose:
            for begin in range(cached, len(prompt), _BATCH):
                _check(cancelled, deadline)
                self._decode(sequence, prompt[begin : begin + _BATCH])
            count = 0
            for count in range(1, room + 1):
                token = choose()
                if llama_cpp.llama_vocab_is_eog(self.vocab, token):
                    count, reason = count - 1, "stop"
                    break
                if text.add(self._bytes(token)):
                    reason = "stop"
                    break
                _check(cancelled, deadline)
                if count < room:
                    self._decode(sequence, [token])
            else:
                reason = "length"
        return Generation(text.finish(), reason, len(prompt), cached, count)

    def _reuse(self, key: str, prompt: list[int]) -> tuple[_Sequence, int]:
        """The sequence for a key, cut back to what it shares with the prompt."""
        sequence = self._sequences.get(key)
        if sequence is None:
            if len(self._sequences) == _SEQUENCES:
                self._drop(next(iter(self._sequences)))
            used = {other.id for other in self._sequences.values()}
            sequence = _Sequence(next(i for i in range(_SEQUENCES) if i not in used))
            self._sequences[key] = sequence
        self._sequences.move_to_end(key)
        # The last prompt token is always evaluated anew: its logits choose the first token.
        shared = _common_prefix(sequence.tokens, prompt[:-1])
        if not llama_cpp.llama_memory_seq_rm(self._memory, sequence.id, shared, -1):
            # Recurrent and sliding-window memories can't forget only the end.
            llama_cpp.llama_memory_seq_rm(self._memory, sequence.id, -1, -1)
            shared = 0
        del sequence.tokens[shared:]
        return sequence, shared

    def _drop(self, key: str) -> None:
        sequence = self._sequences.pop(key)
        llama_cpp.llama_memory_seq_rm(self._memory, sequence.id, -1, -1)

    def _decode(self, sequence: _Sequence, tokens: list[int]) -> None:
        """Evaluate tokens at the end of a sequence, dropping the oldest others for room."""
        while len(self._sequences) > 1 and self._used() + len(tokens) > self._cells:
            self._drop(next(iter(self._sequences)))
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

    def _used(self) -> int:
        return sum(len(sequence.tokens) for sequence in self._sequences.values())

    def _bytes(self, token: int) -> bytes:
        buffer, size = self._piece, len(self._piece)
        count = llama_cpp.llama_token_to_piece(self.vocab, token, buffer, size, 0, False)
        return buffer.raw[:count] if count > 0 else b""


class _Text:
    """Turns bytes into text pieces, holding back what may become a stop string."""

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


class Cancelled(Exception):
    """The caller no longer wants the reply."""


def _check(cancelled: threading.Event, deadline: float | None) -> None:
    if cancelled.is_set():
        raise Cancelled
    if deadline is not None and time.monotonic() > deadline:
        raise TimeoutError("the local model did not finish within its timeout")


def _common_prefix(a: list[int], b: list[int]) -> int:
    pairs: Iterator[tuple[int, int]] = zip(a, b, strict=False)
    return next((i for i, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))


def _load(settings: EngineSettings) -> Any:
    params = llama_cpp.llama_model_default_params()
    layers = settings.n_gpu_layers
    if layers is None:
        layers = 999 if llama_cpp.llama_supports_gpu_offload() else 0
    params.n_gpu_layers = layers
    with quiet_load() as said:
        model = llama_cpp.llama_model_load_from_file(os.fsencode(settings.path), params)
    if not model:
        reason = said()
        if "architecture" in reason:
            advice = "upgrade llama-cpp-python, the file is newer than it"
        else:
            advice = "download the file again"
        name = Path(settings.path).name
        raise ModelFileError(
            f"llama.cpp can't load {name!r}: {reason or 'no reason given'}; {advice}."
        )
    return model


def _threads(path: str) -> int:
    """One thread for each 25 MB of weights, up to the physical cores (roughly).

    llama.cpp's threads wait for each other by spinning several times a layer. For a small
    model that gains little on an idle machine, and on a busy one, where a thread may lose
    its core meanwhile, it can make a reply a hundred times slower.
    """
    available = getattr(os, "sched_getaffinity", None)
    cores = len(available(0)) if available else os.cpu_count() or 1
    physical = cores if cores <= 4 else cores // 2
    return max(1, min(physical, os.path.getsize(path) // 25_000_000 + 1))
