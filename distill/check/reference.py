"""What a checkpoint itself does with held-out questions: what its GGUF files are held against."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..export.contract_file import read_contract_file
from ..export.hf_model import load_model, load_tokenizer
from ..records import Example
from ..train.samples import Role, Sample, samples
from ..train.tokenizer import encode_samples
from .agreement import Prediction, TokenPair, predictions, reference_log_probabilities
from .greedy import reference_replies

_MAX_REPLY_TOKENS = 320


@dataclass(frozen=True)
class Asked:
    """What a checkpoint was asked in a role, and what it replied.

    Attributes:
        samples: The questions.
        prompts: The same as token ids.
        rooms: Longest reply to each in tokens, so that all are cut off alike.
        replies: What it writes greedily to each.
    """

    samples: list[Sample]
    prompts: list[list[int]]
    rooms: list[int]
    replies: list[str]


@dataclass(frozen=True)
class Reference:
    """What a checkpoint itself does.

    Attributes:
        tokenizer: Its tokenizer.
        declared: What it says it was trained for; {} if it doesn't say.
        pairs: Held-out prompts and replies as token ids, of all roles.
        predicted: What it expects at each token of these replies.
        asked: What it writes itself, by role.
        tried: How many `samples` and `prompts` the role with the fewest has.
    """

    tokenizer: Any
    declared: dict[str, Any]
    pairs: list[TokenPair]
    predicted: list[Prediction]
    asked: dict[Role, Asked]
    tried: dict[str, int]


def ask_checkpoint(
    model_dir: Path,
    examples: Sequence[Example],
    roles: Sequence[Role],
    n_ctx: int,
    count: int,
    questions: int,
) -> Reference:
    """Ask a checkpoint all that its files will be asked.

    Args:
        model_dir: The checkpoint, or a PEFT adapter.
        examples: Held-out questions with their plans.
        roles: What it was trained for.
        n_ctx: Its context in tokens; longer samples are left out.
        count: Most replies of a role to predict.
        questions: Most questions of a role to reply to.

    Raises:
        UserError: If nothing fits, or the checkpoint can't be loaded.
    """
    model, tokenizer = load_model(model_dir), load_tokenizer(model_dir)
    most = max(count, questions)
    fitting = {role: _fitting(examples, role, tokenizer, n_ctx, most) for role in roles}
    fewest = min(map(len, fitting.values()))
    pairs = [pair for found in fitting.values() for _, pair in found[:count]]
    return Reference(
        tokenizer,
        read_contract_file(model_dir),
        pairs,
        predictions(lambda ids, first: reference_log_probabilities(model, ids, first), pairs),
        {role: _ask(model, tokenizer, n_ctx, fitting[role][:questions]) for role in roles},
        {"samples": min(count, fewest), "prompts": min(questions, fewest)},
    )


def _ask(model: Any, tokenizer: Any, n_ctx: int, found: list[tuple[Sample, TokenPair]]) -> Asked:
    prompts = [prompt for _, (prompt, _) in found]
    rooms = [min(_MAX_REPLY_TOKENS, n_ctx - len(prompt)) for prompt in prompts]
    replies = reference_replies(model, tokenizer, prompts, rooms)
    return Asked([sample for sample, _ in found], prompts, rooms, replies)


def _fitting(
    examples: Sequence[Example], role: Role, tokenizer: Any, n_ctx: int, count: int
) -> list[tuple[Sample, TokenPair]]:
    """Samples of a role within the context, of all sources mixed, the same each time.

    Of several attempts at a question one is taken: it would count as so many questions.
    """
    mixed = list(examples)
    random.Random(0).shuffle(mixed)
    found: dict[tuple[int, ...], tuple[Sample, TokenPair]] = {}
    for example in mixed:
        some = list(samples(example, role))
        for sample, pair in zip(some, encode_samples(tokenizer, some), strict=True):
            if len(pair[0]) + len(pair[1]) <= n_ctx:
                found.setdefault(tuple(pair[0]), (sample, pair))
        if len(found) >= count:
            break
    if not found:
        raise UserError(f"no held-out question fits the role {role!r} and {n_ctx} tokens.")
    return list(found.values())
