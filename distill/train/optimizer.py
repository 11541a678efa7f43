"""Muon for the hidden matrices, AdamW for embeddings, norms and whatever else.

PyTorch's own Muon always orthogonalises in bfloat16: four times as fast as float32 on a CPU with
bfloat16 units, fifty times as slow on one without. So it is done in the training's precision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch

from .files import inherited
from .settings import TrainSettings

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5
_MOST_OF_OURS = 100_000_000
"""Parameters up to which a student of ours was trained from scratch, and not from somebody's."""
_WARMUP_SHARE = 0.1
"""Of the training that a warm-up takes at most."""


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made nearly orthogonal, for matrices only (Jordan et al., 2024).

    Args:
        params: Matrices.
        lr: Learning rate; a matrix of r rows and c columns moves by `lr * sqrt(max(1, r / c))`.
        momentum: Of the gradient; Nesterov's.
        weight_decay: Decoupled, times the learning rate.
        bfloat16: Whether to orthogonalise in bfloat16.
    """

    def __init__(
        self,
        params: Iterable[torch.Tensor],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        bfloat16: bool = False,
    ) -> None:
        self._bfloat16 = bfloat16
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update; matrices of one shape are made orthogonal together."""
        for group in self.param_groups:
            shapes: dict[Any, list[torch.Tensor]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    shapes[p.shape].append(p)
            for (rows, columns), matrices in shapes.items():
                moved = [self._moved(p, group["momentum"]) for p in matrices]
                updates = orthogonal(torch.stack(moved), self._bfloat16)
                size = group["lr"] * max(1.0, rows / columns) ** 0.5
                for p, update in zip(matrices, updates, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(update.to(p.dtype), alpha=-size)

    def _moved(self, p: torch.Tensor, momentum: float) -> torch.Tensor:
        state = self.state[p]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(p)
        assert p.grad is not None
        state["momentum"].mul_(momentum).add_(p.grad)
        return p.grad.add(state["momentum"], alpha=momentum)


def orthogonal(matrices: torch.Tensor, bfloat16: bool = False) -> torch.Tensor:
    """Nearest orthogonal matrices, roughly: Newton and Schulz's iteration, without an SVD."""
    x = matrices.bfloat16() if bfloat16 else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    tall = x.size(-2) > x.size(-1)
    x = x.mT if tall else x
    a, b, c = _COEFFICIENTS
    for _ in range(_ROUNDS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


class Optimizers:
    """Muon and AdamW, or AdamW alone, as one thing with one state."""

    def __init__(
        self,
        model: Any,
        muon: bool,
        learning_rate: float,
        muon_learning_rate: float,
        weight_decay: float,
        bfloat16: bool = False,
    ) -> None:
        matrices, rest = _divided(model)
        groups = [{"params": rest, "weight_decay": 0.0}]
        self._all: list[torch.optim.Optimizer] = []
        if muon and matrices:
            self._all.append(
                Muon(matrices, lr=muon_learning_rate, weight_decay=weight_decay, bfloat16=bfloat16)
            )
        else:
            groups.append({"params": matrices, "weight_decay": weight_decay})
        groups = [group for group in groups if group["params"]]
        if groups:
            self._all.append(torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.95)))
        self._rates = [[group["lr"] for group in one.param_groups] for one in self._all]

    def step(self, factor: float) -> None:
        """One update at `factor` times the learning rates; gradients are gone afterwards."""
        for one, rates in zip(self._all, self._rates, strict=True):
            for group, rate in zip(one.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            one.step()
            one.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        """What `load_state_dict` needs to go on."""
        return [one.state_dict() for one in self._all]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Go on from a state."""
        for one, state in zip(self._all, states, strict=True):
            one.load_state_dict(state)


def optimizers_for(settings: TrainSettings, model: Any, bfloat16: bool) -> Optimizers:
    """As the settings say; what they leave open hangs on what is trained and in what precision."""
    scratch = settings.student == "scratch"
    small = sum(p.numel() for p in model.parameters()) <= _MOST_OF_OURS
    # Students of ours were made with Muon; at higher rates they soon lose much of what they know.
    going_on = small and not settings.lora and bool(inherited(settings))
    usual = 3e-3 if scratch else 2e-4 if settings.lora else 1e-3 if going_on else 2e-5
    muon = scratch or going_on if settings.optimizer == "auto" else settings.optimizer == "muon"
    return Optimizers(
        model,
        muon=muon,
        learning_rate=settings.learning_rate or usual,
        muon_learning_rate=settings.muon_learning_rate or (2e-2 if scratch else 2e-3),
        weight_decay=settings.weight_decay,
        bfloat16=bfloat16,
    )


def _divided(model: Any) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Trainable matrices inside the layers, and the rest: embeddings, output head, 1-D."""
    outer = {id(model.get_input_embeddings().weight)}
    if (head := model.get_output_embeddings()) is not None:
        outer.add(id(head.weight))
    trainable = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trainable if p.dim() == 2 and id(p) not in outer]
    chosen = set(map(id, matrices))
    return matrices, [p for p in trainable if id(p) not in chosen]


def schedule(step: int, done: float, warmup: int, constant: float, floor: float) -> float:
    """The factor of the learning rates: warm-up, a plateau, then a straight line down.

    A short training warms up for a tenth of it, however its length is told.

    Args:
        step: From 0.
        done: Share of the whole training that is behind us.
        warmup: Steps of the warm-up at most.
        constant: Share of the training up to which the factor stays 1.
        floor: The factor at the end.
    """
    start = min(1.0, max((step + 1) / max(1, warmup), done / _WARMUP_SHARE))
    if done <= constant:
        return start
    down = min(1.0, (done - constant) / max(1e-9, 1 - constant))
    return start * (1 - (1 - floor) * down)
