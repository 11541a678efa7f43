"""Which rows may train: fixed by an id alone, so that every file and run agrees."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal

Split = Literal["train", "dev", "eval"]

EVALUATION = (
    "aqua/test", "bamboogle/", "gsm8k/test", "gsmhard/", "multihop/", "strategyqa/dev", "svamp/",
    "webquestions/devtest", "webquestions/test",
)  # fmt: skip
"""How the ids of rows begin that are for evaluation only."""

_DEVELOPMENT = ("aqua/dev",)


def split_of(example_id: str) -> Split:
    """The part that an example belongs to.

    A tenth of the ids is for development. Of Break, whose test part isn't public, a tenth by
    another hash is for evaluation, since Break's dev files are all that is had.

    Example:
        >>> split_of("gsm8k/train.jsonl:1"), split_of("gsm8k/test.jsonl:0")
        ('train', 'eval')
    """
    if example_id.startswith(EVALUATION):
        return "eval"
    if example_id.startswith("break:") and _tenth(
        "evaluation:" + example_id.removeprefix("break:")
    ):
        return "eval"
    return "dev" if example_id.startswith(_DEVELOPMENT) or _tenth(example_id) else "train"


def file_id(path: Path) -> str:
    """How ids name a file: with its folder, wherever the data lies.

    Example:
        >>> file_id(Path("/home/me/data/gsm8k/test.jsonl"))
        'gsm8k/test.jsonl'
    """
    path = Path(os.path.abspath(path))  # Inside the folder, a relative path has no name for it.
    return f"{path.parent.name}/{path.name}"


def _tenth(text: str) -> bool:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % 10 == 0
