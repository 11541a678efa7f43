"""Files of examples as token ids; large ones side by side, in processes of their own."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ..processes import in_processes
from ..records import read_examples, set_name
from .packing import Encoded
from .samples import Role, samples
from .tokenizer import encode_samples

Key = tuple[str, tuple[Role, ...]]
"""A file and the roles that it is read for: two stages may share it with other weights."""

_LARGE = 5_000_000
"""Bytes from which on a file is worth a process, which takes some seconds to start."""
_AT_ONCE = 1_000
"""Examples that are held as text and lists, which take ten times as much as their ids."""


@dataclass(frozen=True)
class EncodedFile:
    """The samples of a file, one behind the other, so that a process hands them on quickly.

    Attributes:
        ids: Token ids of all samples.
        sizes: A row a sample: how many ids it has, and how many of them belong to the prompt.
        described: Where the examples come from.
        too_long: Samples that don't fit the context and were left out.
        has_plans: Whether any example is split.
    """

    ids: np.ndarray
    sizes: np.ndarray
    described: list[dict[str, Any]]
    too_long: int
    has_plans: bool

    def __iter__(self) -> Iterator[Encoded]:
        """The samples as a batch has them."""
        ends = np.cumsum(self.sizes[:, 0])
        for end, (size, prompt) in zip(ends.tolist(), self.sizes.tolist(), strict=True):
            yield self.ids[end - size : end], prompt


def encode_files(keys: Iterable[Key], tokenizer: Any, max_tokens: int) -> dict[Key, EncodedFile]:
    """Read and encode files; samples over `max_tokens` are left out and counted.

    Raises:
        UserError: If a file can't be read, or has no sample for its roles.
    """
    keys = list(keys)
    large = [key for key in keys if _is_large(key[0])]
    found: dict[Key, EncodedFile] = {}
    if len(large) > 1:
        jobs = {key: (*key, tokenizer, max_tokens) for key in large}
        in_processes(encode_file, jobs, found.__setitem__)
    return {key: found.get(key) or encode_file(*key, tokenizer, max_tokens) for key in keys}


def _is_large(path: str) -> bool:
    try:
        return os.path.getsize(path) >= _LARGE
    except OSError:
        return False  # Reading it says what is amiss.


def encode_file(path: str, roles: tuple[Role, ...], tokenizer: Any, max_tokens: int) -> EncodedFile:
    """Read and encode one file; see `encode_files`."""
    examples = read_examples(Path(path))
    ids: list[np.ndarray] = []
    sizes: list[np.ndarray] = []
    origins: Counter[tuple[str, str]] = Counter()
    too_long, has_plans = 0, False
    while some := list(islice(examples, _AT_ONCE)):
        encoded = encode_samples(tokenizer, [s for e in some for r in roles for s in samples(e, r)])
        kept = [sample for sample in encoded if sum(map(len, sample)) <= max_tokens]
        too_long += len(encoded) - len(kept)
        has_plans = has_plans or any(len(example.plan) > 1 for example in some)
        origins.update((e.source, e.licence) for e in some)
        if kept:
            tokens = [token for parts in kept for part in parts for token in part]
            ids.append(np.array(tokens, dtype=np.int32))
            lengths = [(len(prompt) + len(reply), len(prompt)) for prompt, reply in kept]
            sizes.append(np.array(lengths))
    if not ids:
        raise UserError(
            f"{path!r} has nothing to learn for {', '.join(roles)} within {max_tokens} tokens; "
            "name other data or roles."
        )
    return EncodedFile(
        np.concatenate(ids),
        np.concatenate(sizes),
        [
            {"file": set_name(Path(path)), "source": name, "licence": licence, "examples": n}
            for (name, licence), n in sorted(origins.items())
        ],
        too_long,
        has_plans,
    )
