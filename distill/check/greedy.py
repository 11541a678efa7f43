"""Greedy replies, of the checkpoint by transformers and of the GGUF file by the runtime itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Any

from ...models.engine import Engine
from ...models.plan_samples import generate_reply
from ...models.pool import EngineSettings

_BATCH = 16


@dataclass(frozen=True)
class Reply:
    """What a GGUF file wrote, whether it came to an end, and what it took."""

    text: str
    finished: bool
    tokens: int
    seconds: float


def reference_replies(
    model: Any, tokenizer: Any, prompts: Sequence[list[int]], rooms: Sequence[int]
) -> list[str]:
    """What transformers writes greedily to each prompt, cut off after so many tokens (`rooms`)."""
    from transformers import GenerationConfig

    before = model.generation_config
    ends = before.eos_token_id if isinstance(before.eos_token_id, list) else [before.eos_token_id]
    ends = sorted({tokenizer.eos_token_id, *(end for end in ends if end is not None)})
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    # A checkpoint's own settings may sample, or punish repetition: neither is greedy.
    model.generation_config = GenerationConfig(
        do_sample=False, max_new_tokens=max(rooms), eos_token_id=ends, pad_token_id=pad
    )
    replies = [""] * len(prompts)
    by_length = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    try:
        for begin in range(0, len(by_length), _BATCH):
            some = by_length[begin : begin + _BATCH]
            written = _write_batch(model, [prompts[i] for i in some], pad)
            for i, row in zip(some, written, strict=True):
                ids = row[: rooms[i]]  # The batch has room for the longest of them.
                end = next((k for k, token in enumerate(ids) if token in ends), len(ids))
                replies[i] = tokenizer.decode(ids[:end], skip_special_tokens=True)
    finally:
        model.generation_config = before
    return replies


def _write_batch(model: Any, prompts: list[list[int]], pad: int) -> list[list[int]]:
    """Replies to prompts of different lengths at once, filled up on the left and masked."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    rows = [torch.tensor(prompt, device=model.device) for prompt in prompts]
    ids = pad_sequence(rows, batch_first=True, padding_value=pad, padding_side="left")
    ones = [torch.ones_like(row) for row in rows]
    mask = pad_sequence(ones, batch_first=True, padding_side="left")
    with torch.inference_mode():
        return model.generate(input_ids=ids, attention_mask=mask)[:, ids.shape[1] :].tolist()


def open_engine(path: str) -> AbstractContextManager[Engine]:
    """The file as the runtime loads it; the memory is freed at the end.

    Raises:
        ModelFileError: If it can't be loaded.
    """
    return closing(Engine(EngineSettings(path)))


def gguf_reply(engine: Engine, messages: list[dict[str, str]], **options: Any) -> Reply:
    """What the GGUF file writes greedily, by the runtime's options for a call.

    With `plans` it is the plan that the runtime chooses among up to so many.
    """
    begin = time.perf_counter()
    made = generate_reply(engine, messages, options, prefix_key=messages[0]["content"])
    seconds = time.perf_counter() - begin
    return Reply(made.text, made.finish_reason == "stop", made.output_tokens, seconds)
