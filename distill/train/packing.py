"""Several samples in one row without seeing each other, and the loss on their completions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

Encoded = tuple[np.ndarray, int]
"""Token ids of prompt and completion, and how many belong to the prompt."""

_SPLIT_HEADS = ("llama", "mistral", "qwen2", "qwen3")
"""Architectures whose logits are `lm_head(model(...))` and nothing else."""
PACKED = (*_SPLIT_HEADS, "gpt_neox", "granite", "olmo2", "phi3", "smollm3")
"""Architectures that a test shows to keep the samples of a row apart by the mask alone.

Others get a row a sample: convolutions and recurrent layers heed no such mask (LFM2, Falcon-H1,
Qwen3-Next), nor do positions that are counted from the mask (BLOOM).
"""
_LEAST_WIDTH = 16


@dataclass(frozen=True)
class Rows:
    """Packed rows of one width.

    Args:
        ids: Tokens, rows x width.
        positions: Each token's position in its own sample.
        owner: The number of each token's sample in its row; 0 is padding.
        places: Where in the flattened rows a token with a loss is predicted.
        labels: The token to be predicted at each place.
        weights: What its loss counts.
        tokens: Tokens that aren't padding.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    owner: torch.Tensor
    places: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor
    tokens: int

    def to(self, device: torch.device) -> Rows:
        """The same on a device."""
        moved = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if isinstance(value, torch.Tensor)
        }
        return replace(self, **moved)


def pack(
    samples: Sequence[Encoded], row_tokens: int, batch_tokens: int, prompt_weight: float = 0.0
) -> list[Rows]:
    """Lay samples into rows, the longest first, each into the first row that has room.

    Samples over `row_tokens` go into rows of twice, four times ... that width, since attention
    over long rows costs more than padding.

    Args:
        samples: Encoded samples.
        row_tokens: Width of an ordinary row.
        batch_tokens: At most so many tokens, padding included, in one `Rows`.
        prompt_weight: What the loss on a prompt's token counts; a completion's counts 1.
    """
    bins: dict[int, list[list[Encoded]]] = {}
    room: dict[int, list[int]] = {}
    for sample in sorted(samples, key=lambda s: -len(s[0])):
        size, width = len(sample[0]), row_tokens
        while width < size:
            width *= 2
        rows, left = bins.setdefault(width, []), room.setdefault(width, [])
        row = next((k for k, space in enumerate(left) if space >= size), len(rows))
        if row == len(rows):
            rows.append([])
            left.append(width)
        rows[row].append(sample)
        left[row] -= size
    packed: list[Rows] = []
    for width, rows in bins.items():
        count = max(1, batch_tokens // width)
        chunks = (rows[start : start + count] for start in range(0, len(rows), count))
        packed += [_rows(chunk, width, prompt_weight) for chunk in chunks]
    return packed


def loss_weight(sample: Encoded, prompt_weight: float) -> float:
    """What the losses of a sample's tokens count together, as `pack` weighs them."""
    ids, prompt = sample
    return len(ids) - prompt + prompt_weight * (prompt - 1)


def _rows(rows: Sequence[Sequence[Encoded]], width: int, prompt_weight: float) -> Rows:
    ids = np.zeros((len(rows), width), dtype=np.int64)
    positions = np.zeros_like(ids)
    # Padding is sample 0 of each row: it sees itself, so that no softmax is empty.
    owner = np.zeros_like(ids)
    weights = np.zeros((len(rows), width), dtype=np.float32)
    total = 0
    for r, row in enumerate(rows):
        at = 0
        for number, (tokens, prompt) in enumerate(row, 1):
            end = at + len(tokens)
            ids[r, at:end] = tokens
            positions[r, at:end] = np.arange(len(tokens))
            owner[r, at:end] = number
            weights[r, at + 1 : end] = prompt_weight
            weights[r, at + prompt : end] = 1.0
            at = end
        total += at
        positions[r, at:] = np.arange(width - at)
    return _tensors(ids, positions, owner, weights, total)


def _tensors(
    ids: np.ndarray, positions: np.ndarray, owner: np.ndarray, weights: np.ndarray, total: int
) -> Rows:
    # The token at k is predicted at k - 1; a sample's first token is predicted by nothing.
    weights[positions == 0] = 0.0
    wanted = np.flatnonzero(weights)
    return Rows(
        ids=torch.from_numpy(ids),
        positions=torch.from_numpy(positions),
        owner=torch.from_numpy(owner),
        places=torch.from_numpy(wanted - 1),
        labels=torch.from_numpy(ids.reshape(-1)[wanted]),
        weights=torch.from_numpy(weights.reshape(-1)[wanted]),
        tokens=total,
    )


def apart(rows: Rows) -> list[Rows]:
    """The same samples, one a row; together are those with the same next power of two."""
    real = rows.owner.flatten() > 0
    sample = (real & (rows.positions.flatten() == 0)).cumsum(0) - 1
    lengths = torch.bincount(sample[real])
    powers = [max(_LEAST_WIDTH, 1 << (n - 1).bit_length()) for n in lengths.tolist()]
    groups = torch.tensor(powers, device=lengths.device)
    alike = [groups == power for power in sorted(set(powers))]
    return [_chosen(rows, sample, chosen, int(lengths[chosen].max())) for chosen in alike]


def _chosen(rows: Rows, sample: torch.Tensor, chosen: torch.Tensor, width: int) -> Rows:
    """The chosen samples, one a row; `sample` numbers the sample of each token."""
    inside = (rows.owner.flatten() > 0) & chosen[sample]
    place = (chosen.cumsum(0) - 1)[sample] * width + rows.positions.flatten()
    ids = rows.ids.new_zeros(int(chosen.sum()), width)
    owner = torch.zeros_like(ids)
    ids.view(-1)[place[inside]] = rows.ids.flatten()[inside]
    owner.view(-1)[place[inside]] = 1
    mine = inside[rows.places]
    return Rows(
        ids=ids,
        positions=torch.arange(width, device=ids.device).expand_as(ids),
        owner=owner,
        places=place[rows.places[mine]],
        labels=rows.labels[mine],
        weights=rows.weights[mine],
        tokens=int(inside.sum()),
    )


class CompletionLoss(nn.Module):
    """The summed, weighted loss of packed rows; logits are made only where they count.

    Args:
        model: A Hugging Face causal language model, with or without LoRA.
        compiled: Whether to compile the layers with `torch.compile`. On a CPU attention is then
            written out in plain products, which the compiler fuses: a step of rows 256 wide
            takes three quarters of the time that it does with PyTorch's own kernel.
    """

    def __init__(self, model: Any, compiled: bool = False) -> None:
        super().__init__()
        self.model = model
        causal = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._compiled = compiled
        self._split = causal.config.model_type in _SPLIT_HEADS
        self._packed = causal.config.model_type in PACKED
        if compiled and causal.device.type == "cpu":
            causal.set_attn_implementation("eager")
        # In tuples, so that their weights aren't registered a second time.
        body: Any = causal.model if self._split else causal
        layers: Any = torch.compile(body) if compiled else body
        self._parts = layers, causal.get_output_embeddings()

    def forward(self, rows: Rows) -> torch.Tensor:
        """The sum over places of weight x cross entropy."""
        parts = [rows] if self._packed else apart(rows)
        return torch.stack([self._summed(part) for part in parts]).sum()

    def _summed(self, rows: Rows) -> torch.Tensor:
        logits = self.logits(rows)
        losses = nn.functional.cross_entropy(logits.float(), rows.labels, reduction="none")
        return (losses * rows.weights).sum()

    def logits(self, rows: Rows) -> torch.Tensor:
        """Logits at the places that carry loss, places x vocabulary.

        Args:
            rows: With one sample each, unless the architecture is in `PACKED`.
        """
        body, head = self._parts
        inputs = {"input_ids": rows.ids, **self._seen(rows, body)}
        if self._compiled:
            # One program for any number of rows: compiling takes a minute.
            for tensor in inputs.values():
                torch._dynamo.maybe_mark_dynamic(tensor, 0)
        out = body(**inputs, use_cache=False)
        if self._split:
            return head(out.last_hidden_state.flatten(0, 1)[rows.places])
        return out.logits.flatten(0, 1)[rows.places]

    def _seen(self, rows: Rows, body: Any) -> dict[str, torch.Tensor]:
        """Which tokens there are, or which see which, and where."""
        if not self._packed:
            return {"attention_mask": rows.owner}
        mask = _mask(rows.owner)
        if body.config._attn_implementation == "eager":
            mask = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, -1e9)
        return {"position_ids": rows.positions, "attention_mask": mask}


def _mask(owner: torch.Tensor) -> torch.Tensor:
    """Which tokens see which, rows x 1 x width x width: earlier ones of the same sample."""
    width = owner.shape[1]
    causal = torch.ones(width, width, dtype=torch.bool, device=owner.device).tril()
    return ((owner[:, :, None] == owner[:, None, :]) & causal)[:, None]
