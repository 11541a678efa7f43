"""The train step: examples in, a student as Hugging Face files out.

    DIR/model/           the student, its tokenizer and `decompose.json`: what export reads
    DIR/log.jsonl        losses, learning rate and speed; DIR/curves.png draws them
    DIR/checkpoint.pt    where to go on from after a kill, until training is finished

With several GPUs it is started by `torchrun`, once for each.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import MissingDependencyError, UserError
from .. import manifest
from ..processes import rank_and_world
from .settings import TrainSettings

_WRITTEN = ("model", "tokenizer", "checkpoint.pt", "best.pt", "log.jsonl", "curves.png")
_NEEDED = ("torch", "transformers", "tokenizers", "safetensors", "matplotlib")


def train(
    settings: TrainSettings, directory: Path, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Train a student, or go on where a killed run left off.

    Returns:
        The counts that went into the manifest: steps, tokens, losses, seconds ...

    Raises:
        UserError: If the data, the student or the machine isn't fit for it, the disk is full,
            another process trains there, or files of somebody else's lie there; what was
            saved stays.
        MissingDependencyError: If a package isn't installed.
    """
    manifest.refuse_own_folder(directory, settings.folders)
    if not manifest.read_manifest(directory).get("finished"):
        check_machine(settings)
    with manifest.alone(directory, "train", _WRITTEN) if _first() else nullcontext():
        if not _begin(settings, directory):
            if not (directory / "model").is_dir():
                raise UserError(
                    f"{str(directory)!r} is of a finished training, but its 'model' isn't there "
                    "any more; put it back, or remove that directory to train again."
                )
            return manifest.read_manifest(directory)["counts"]
        return _trained(settings, directory, progress)


def _trained(
    settings: TrainSettings, directory: Path, progress: Callable[[str], None]
) -> dict[str, Any]:
    import torch

    from .training import Training

    try:
        return Training(settings, directory, progress).run()
    except torch.OutOfMemoryError:  # Of a GPU only.
        most = settings.micro_tokens or settings.batch_tokens
        raise UserError(
            f"the GPU's memory doesn't suffice; set 'micro_tokens' below {most:,}, which changes "
            "only memory and time, and start the same command again."
        ) from None


def _first() -> bool:
    """Whether this is the first of the processes that train together."""
    return not rank_and_world()[0]


def _begin(settings: TrainSettings, directory: Path) -> bool:
    """Open the directory; True if there is something left to do."""
    about, before = (asdict(settings), settings.files), manifest.read_manifest(directory)
    # Before the first checkpoint there is little that could be mixed with other settings.
    anew = before.get("finished") is False and not (directory / "checkpoint.pt").exists()
    if not _first():
        return not manifest.is_finished(directory, "train", *about, anew)
    if anew and before["fingerprint"] != manifest.fingerprint(*about):
        shutil.rmtree(directory / "tokenizer", ignore_errors=True)
    left = manifest.begin(directory, "train", *about, anew)
    if left:
        _remove_half_written(directory)
    return left


def _remove_half_written(directory: Path) -> None:
    """Remove what a kill left: `.NAME.PID`, of nobody who still writes."""
    ours = {f".{name}" for name in (*_WRITTEN, "manifest.json")}
    for path in directory.glob(".*"):
        if not path.suffix[1:].isdigit() or path.stem not in ours:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def check_machine(settings: TrainSettings) -> None:
    """Refuse what can't run here, before anything is loaded or written.

    Raises:
        UserError: If a GPU is called for and there is none.
        MissingDependencyError: If a package isn't installed.
    """
    missing = [name for name in _NEEDED if not find_spec(name)]
    if missing:
        raise MissingDependencyError(
            f"training needs {', '.join(missing)}: pip install 'langgraph-decompose[train]'."
        )
    if settings.device != "cuda":
        return
    import torch

    if not torch.cuda.is_available():
        raise UserError(
            "this recipe is for a GPU (device: cuda) and there is none here; "
            "use a CPU recipe, or set device: auto."
        )
