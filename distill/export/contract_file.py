"""What a checkpoint was trained for: its decompose.json, which becomes a GGUF file's metadata."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..train.samples import CONTRACT_ROLES, CONTRACT_VERSION
from .hf_model import is_adapter, read_json

_CONTRACT_FILE = "decompose.json"
_STRINGS = ("contract", "final", "prompt_version", "domain", "recipe")


def read_contract_file(model_dir: Path) -> dict[str, Any]:
    """What the checkpoint was trained for, validated; {} if it doesn't say.

    Raises:
        UserError: If a field can't be right.
    """
    path = model_dir / _CONTRACT_FILE
    if is_adapter(model_dir) and not path.exists():
        # Training writes it beside the adapter's folder.
        path = Path(os.path.abspath(model_dir)).parent / _CONTRACT_FILE
    if not path.exists():
        return {}
    found = read_json(path)
    roles, trained = found.get("roles"), found.get("n_ctx_trained")
    if str(found.get("contract")) != CONTRACT_VERSION:
        raise UserError(f"{str(path)!r} follows no contract known here; train again.")
    if not isinstance(roles, list) or any(role not in CONTRACT_ROLES for role in roles):
        raise UserError(f"the roles in {str(path)!r} aren't decomposer, solver or both.")
    if found.get("final") not in ("last", "compose"):
        raise UserError(f"'final' in {str(path)!r} is neither 'last' nor 'compose'.")
    if type(trained) is not int or trained < 1:
        raise UserError(f"'n_ctx_trained' in {str(path)!r} is no number of tokens.")
    if not isinstance(found.get("data", []), list):
        raise UserError(f"'data' in {str(path)!r} is no list of what it was trained on.")
    return found


def contract_metadata(contract: dict[str, Any]) -> dict[str, Any]:
    """The `decompose.*` pairs of a GGUF file.

    A student without a role of the contract (such as S_E-T) is a general model: its file
    tells of recipe and data, and the runtime asks it with the general prompts.
    """
    keys = _STRINGS if contract.get("roles") else ("domain", "recipe")
    pairs: dict[str, Any] = {f"decompose.{k}": str(contract[k]) for k in keys if k in contract}
    if contract.get("roles"):
        pairs["decompose.roles"] = list(contract["roles"])
        pairs["decompose.n_ctx_trained"] = contract["n_ctx_trained"]
        pairs["decompose.grounded"] = contract.get("grounded") is True
    if data := contract.get("data"):
        pairs["decompose.data"] = json.dumps(data, ensure_ascii=False)
    if licences := _licences(data):
        pairs["decompose.licences"] = licences
    return pairs


def _licences(data: Any) -> list[str]:
    rows = data if isinstance(data, list) else []
    named = [row.get("licence") for row in rows if isinstance(row, dict)]
    return sorted({str(licence) for licence in named if licence})
