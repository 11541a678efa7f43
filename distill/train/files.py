"""What training leaves behind: Hugging Face files, and `decompose.json` for the export step."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ..export.contract_file import read_contract_file
from ..whole_files import folder_written_whole, write_text
from .checkpoint import cannot_write
from .curriculum import Data
from .gguf_student import gguf_contract
from .samples import CONTRACT_ROLES, CONTRACT_VERSION, ROLES
from .settings import TrainSettings, local_student
from .student import save_model


def write_student(
    target: Path,
    settings: TrainSettings,
    model: Any,
    tokenizer: Any,
    data: Data,
    before: dict[str, Any],
) -> None:
    """Write the model's folder, whole or not at all.

    Raises:
        UserError: If it can't be written, as on a full disk.
    """
    try:
        with folder_written_whole(target) as temporary:
            temporary.mkdir(exist_ok=True)
            save_model(model, tokenizer, temporary)
            text = json.dumps(contract(settings, data, before), indent=2, ensure_ascii=False)
            write_text(temporary / "decompose.json", text + "\n")
            _keep(temporary)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise cannot_write(target, error) from None


def _keep(folder: Path) -> None:
    """Put its files on the disk: the checkpoint goes next, and a power cut mustn't take both."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("r+b") as file:
                os.fsync(file.fileno())


def contract(settings: TrainSettings, data: Data, before: dict[str, Any]) -> dict[str, Any]:
    """What export writes into the model file's metadata; `before` is what was inherited."""
    used = {role for source in settings.sources for role in source.roles or settings.roles}
    return {
        "contract": CONTRACT_VERSION,
        "prompt_version": CONTRACT_VERSION,
        "roles": [role for role in CONTRACT_ROLES if role in used],
        "trained_for": [role for role in ROLES if role in used],
        "final": settings.final,
        "domain": settings.domain,
        "grounded": settings.grounded,
        "n_ctx_trained": _trained_context(settings, data, before),
        "recipe": settings.recipe,
        "student": settings.student,
        # Weights keep what they were made from before, and its licences.
        "data": [*before.get("data", []), *data.described],
    }


def inherited(settings: TrainSettings) -> dict[str, Any]:
    """What a student of ours that is trained further says of itself; {} of any other.

    Raises:
        UserError: If what it says can't be right.
    """
    if file := settings.student_gguf:
        return gguf_contract(file)
    folder = local_student(settings.student)
    return read_contract_file(folder) if folder else {}


def _trained_context(settings: TrainSettings, data: Data, before: dict[str, Any]) -> int:
    """The longest text that the student has seen; a stranger's is taken at its word."""
    if settings.student == "scratch":
        return data.longest
    return max(data.longest, before["n_ctx_trained"]) if before else data.max_tokens
