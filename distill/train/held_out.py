"""Held-out samples, and the loss on them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from .. import manifest
from ..records import set_name
from .curriculum import read_data
from .device import Place
from .packing import CompletionLoss, Rows, pack
from .settings import TrainSettings


class HeldOut:
    """The samples of `eval_data` as rows, by file.

    Raises:
        UserError: If a file has nothing for the roles.
    """

    def __init__(self, settings: TrainSettings, tokenizer: Any, max_tokens: int) -> None:
        self._rows: dict[str, tuple[list[Rows], float]] = {}
        if not settings.eval_data:
            return
        data = read_data(settings, settings.eval_data, tokenizer, max_tokens)
        names = manifest.names([Path(path) for path, _ in data.by_file], set_name)
        for (path, roles), found in data.by_file.items():
            # Evenly over the file, which may be sorted.
            some = found[:: max(1, math.ceil(len(found) / settings.eval_samples))]
            size = settings.micro_tokens or settings.batch_tokens
            rows = pack(some, settings.row_tokens, size)
            weight = float(sum(len(ids) - prompt for ids, prompt in some))
            self._rows[f"{names[Path(path)]} ({', '.join(roles)})"] = rows, weight

    def __bool__(self) -> bool:
        return bool(self._rows)

    @torch.no_grad()
    def losses(self, loss: CompletionLoss, where: Place) -> dict[str, float]:
        """The loss on a token of a reply, by file."""
        found: dict[str, float] = {}
        for name, (packed, weight) in self._rows.items():
            total = 0.0
            for rows in packed:
                with where.autocast():
                    total += float(loss(rows.to(where.device)))
            found[name] = total / weight
        return found
