"""More layers for a trained student, which change nothing until they are trained.

A new layer starts as a copy of the one before it, but for the two matrices that write into the
residual stream: those start at zero. Growing a small model costs less than training a deep one
from scratch (Chen et al., "Net2Net", arXiv 1511.05641; Gong et al., "Efficient Training of BERT
by Progressively Stacking", ICML 2019).
"""

from __future__ import annotations

from typing import Any

import torch

from ...errors import UserError
from .packing import SPLIT_HEADS

_WRITERS = ("self_attn.o_proj.", "mlp.down_proj.")


def deepened(model: Any, added: int) -> Any:
    """The model with `added` layers more, spread evenly; its logits are the same.

    Args:
        model: A causal language model of one of `SPLIT_HEADS`.
        added: How many layers, at most as many as it has.

    Raises:
        UserError: If it is of another architecture, or has fewer layers than are added.
    """
    config = model.config
    had = config.num_hidden_layers
    if config.model_type not in SPLIT_HEADS:
        raise UserError(
            f"'add_layers' works for {', '.join(SPLIT_HEADS)}, not {config.model_type!r}."
        )
    if added > had:
        raise UserError(f"the student has {had} layers: 'add_layers' can be {had} at most.")
    settings = {**config.to_dict(), "num_hidden_layers": had + added}
    # Written out for each layer; left out, it is made anew for all of them.
    settings.pop("layer_types", None)
    grown = type(model)(type(config)(**settings)).to(model.dtype)
    grown.load_state_dict(_spread(model.state_dict(), had, added))
    return grown


def _spread(weights: dict[str, torch.Tensor], had: int, added: int) -> dict[str, torch.Tensor]:
    """The weights under their new numbers, and those of the new layers."""
    sources = [k * had // (had + added) for k in range(had + added)]
    spread = {name: w for name, w in weights.items() if not name.startswith("model.layers.")}
    for k, source in enumerate(sources):
        new = k > 0 and sources[k - 1] == source
        prefix = f"model.layers.{source}."
        for name in [n for n in weights if n.startswith(prefix)]:
            part = name.removeprefix(prefix)
            silent = new and part.startswith(_WRITERS)
            weight = weights[name]
            spread[f"model.layers.{k}.{part}"] = torch.zeros_like(weight) if silent else weight
    return spread
