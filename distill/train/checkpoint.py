"""Files that a training run goes on from: whole or not at all, and kept when the disk is full."""

from __future__ import annotations

import json
import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...errors import UserError, first_line
from ..whole_files import written_whole


@dataclass
class State:
    """Where a run is; all that a checkpoint holds besides weights and optimizer."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best: float = math.inf
    best_step: int = 0
    stale: int = 0
    loss: float = math.nan
    drawn: tuple[int, ...] = ()


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state; the one before stays until the new one is complete.

    Raises:
        UserError: If it can't be written, as on a full disk.
    """
    with written_whole(path) as temporary:
        try:
            with temporary.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
        except (OSError, RuntimeError) as error:
            raise cannot_write(path, error) from None


def load_state(path: Path) -> dict[str, Any] | None:
    """A state as `save_state` wrote it, on the CPU; None if there is none.

    Raises:
        UserError: If it is damaged.
    """
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(
            f"the checkpoint {str(path)!r} can't be read ({type(error).__name__}); "
            "remove its folder to begin anew."
        ) from None


def trained_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What training changes, by name: all of a model, or LoRA's part."""
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


@torch.no_grad()
def put_weights(model: torch.nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Copy what `trained_weights` gave into a model; it keeps the rest."""
    for name, p in model.named_parameters():
        if name in weights:
            p.copy_(weights[name])


def cannot_write(path: Path, error: Exception) -> UserError:
    """What to tell the user; PyTorch hides the reason behind a `RuntimeError`."""
    folder = path.parent
    free = shutil.disk_usage(folder).free // 2**20 if folder.is_dir() else 0
    reason = getattr(error, "strerror", None) or first_line(error)
    return UserError(
        f"{str(path)!r} can't be written ({reason}; {free:,} MB free); what was saved before is "
        "intact: make room and start the same command again."
    )


def append_line(path: Path, row: dict[str, Any]) -> None:
    """Add a line to the log.

    Raises:
        UserError: If it can't be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    except OSError as error:
        raise cannot_write(path, error) from None


def read_log(path: Path, up_to: int | None = None) -> list[dict[str, Any]]:
    """The log's lines up to a step; what a kill cut off is left out."""
    if not path.is_file():
        return []
    rows: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and (up_to is None or row.get("step", 0) <= up_to):
            rows.append(row)
    return rows
