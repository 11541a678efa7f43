"""`decompose models`: what is bundled and cached here, and what a file says about itself."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from pathlib import Path
from typing import Any, get_args

from ..errors import ModelFileError, UserError
from ..models.bundled import Role, bundled_model_path
from ..models.gguf_file import read_contract, read_metadata
from ..models.hosted import without_credentials
from ..models.references import find_gguf
from ..settings import load_settings
from .terminal import print_json, shortened


def run(args: Namespace) -> int:
    """List or describe; returns the exit code."""
    found = _describe(args.file) if args.file else _list()
    if args.json:
        print_json(found)
    elif args.file:
        for key, value in found.items():
            print(f"{_short(key):34} {_short(value)}")  # noqa: T201
    else:
        _print_list(found)
    return 0


def _describe(name: str) -> dict[str, Any]:
    path = os.path.expanduser(name)
    if not os.path.exists(path) and (not name.endswith(".gguf") or ":" in name):
        source = find_gguf(name)
        if source is None:
            shown = without_credentials(name)
            raise UserError(f"{shown!r} isn't a GGUF file; only those carry metadata.")
        path = source.path
    metadata = read_metadata(path)
    own = {"path": path, "bytes": os.path.getsize(path)}
    return {**own, **metadata, **own}  # First, and a file's own words can't replace them.


def _list() -> dict[str, Any]:
    # One reference means two files: who asks decides which.
    roles = get_args(Role)
    bundled = [_entry("bundled", Path(bundled_model_path(role)), role) for role in roles]
    tables = load_settings().models
    named = [{"ref": name, "is": without_credentials(tables[name].ref)} for name in tables]
    return {"bundled": bundled, "cached": _cached(), "named": named}


def _entry(ref: str, path: Path, role: str = "") -> dict[str, Any]:
    named = {"ref": ref, "role": role} if role else {"ref": ref}
    entry: dict[str, Any] = {**named, "path": str(path), "bytes": path.stat().st_size}
    try:
        metadata, contract = read_metadata(path), read_contract(path)
    except ModelFileError as error:
        return {**entry, "problem": str(error)}
    entry["architecture"] = metadata.get("general.architecture")
    entry["name"] = metadata.get("general.name")
    entry["roles"] = list(contract.roles) if contract else []
    return entry


def _cached() -> list[dict[str, Any]]:
    """GGUF files in the Hugging Face cache, found without importing its library."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{caches}/huggingface"
    hub = Path(os.path.expanduser(os.environ.get("HF_HUB_CACHE") or f"{home}/hub"))
    paths = sorted(hub.glob("models--*/snapshots/*/**/*.gguf")) if hub.is_dir() else []
    # A link leads nowhere where a download broke off or a blob was deleted.
    return [
        _entry(_hub_reference(path.relative_to(hub)), path)
        for path in paths
        if os.path.isfile(path)
    ]


def _hub_reference(path: Path) -> str:
    folder, _, _, *file = path.parts
    repo = folder.removeprefix("models--").replace("--", "/", 1)
    return f"gguf:hf:{repo}/{'/'.join(file)}"


def _print_list(found: dict[str, Any]) -> None:
    for entry in [*found["bundled"], *found["cached"]]:
        roles = " and ".join(entry.get("roles", [])) or "general"
        detail = _short(entry.get("problem") or f"{entry.get('name')}, {roles}")
        name = _short(entry["ref"] + (f" ({entry['role']})" if "role" in entry else ""))
        print(f"{name:40} {entry['bytes'] / 1e6:9.1f} MB  {detail}")  # noqa: T201
    for entry in found["named"]:
        print(f"{_short(entry['ref']):40} {'':12}  {_short(entry['is'])}")  # noqa: T201


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)
    # A file's own words mustn't steer the terminal.
    return shortened("".join(char if char.isprintable() else " " for char in text))
