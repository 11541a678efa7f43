"""When, where and with what an evaluation ran."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import __version__
from ..models.hosted import without_credentials
from ..models.references import find_gguf, resolve_model
from ..prompts import load_prompts

_PACKAGES = ("langgraph", "langchain-core", "llama-cpp-python", "openai", "transformers", "ray")


def about() -> dict[str, Any]:
    """When, where and with what it ran."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S%z"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "versions": {"langgraph-decompose": __version__} | _versions(),
        "git": _git_hash(),
    }


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _git_hash() -> str | None:
    """The commit of the source, if it runs from a checkout."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None
    asked = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def identity_of(ref: str) -> dict[str, str | None]:
    """What a reference means today: a table's meaning, or a file's content, may change."""
    found = find_gguf(ref), find_gguf(ref, "solver")
    paths = dict.fromkeys(source.path for source in found if source)
    meant = without_credentials(resolve_model(ref).identity)
    if found[0] and found[0].table.ref != "bundled":
        meant = found[0].table.ref  # Wherever the file lies now: its hash says which it is.
    return {"meant": meant, "sha256": " ".join(_file_hash(Path(p)) for p in paths) or None}


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def prompt_texts(folder: str) -> list[tuple[str, str]]:
    """The prompts of a folder, or the package's, by name."""
    prompts = load_prompts(folder or None)
    return sorted((name, repr(prompt)) for name, prompt in prompts.items())


def hash_of(value: Any) -> str:
    """A short hash of anything that JSON can say."""
    return hashlib.sha256(json.dumps(value, default=str, sort_keys=True).encode()).hexdigest()[:16]
