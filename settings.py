"""The user's defaults: a TOML file and environment variables.

    # ~/.config/langgraph-decompose/config.toml
    solver = "desk"

    [models.desk]
    ref = "openai:qwen3-8b@http://127.0.0.1:8080/v1"
    max_concurrency = 4

An environment variable (`DECOMPOSE_SOLVER` ...) beats the file; a flag or argument beats
both. A file in the working directory is never read: it could name a model that sends the
question somewhere.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from .errors import UserError


@dataclass(frozen=True)
class ModelTable:
    """A `[models.NAME]` table.

    Attributes:
        ref: The model reference that NAME stands for.
        n_ctx: Context in tokens, for GGUF files and Ollama.
        max_concurrency: Most calls at once.
        timeout: Seconds for one call.
        price_in: Price of a million input tokens.
        price_out: Price of a million output tokens.
        api_key_env: Name of the environment variable that holds the key.
    """

    ref: str
    n_ctx: int | None = None
    max_concurrency: int | None = None
    timeout: float | None = None
    price_in: float | None = None
    price_out: float | None = None
    api_key_env: str | None = None


@dataclass(frozen=True)
class Settings:
    """Defaults for the CLI and for model references by name."""

    decomposer: str = "bundled"
    solver: str = "bundled"
    composer: str | None = None
    strategy: str = "dag"
    max_subquestions: int = 8
    samples: int = 5
    gate: str = "model"
    attempts: int = 3
    dup: bool = False
    verify: str | None = None
    verifier: str | None = None
    verify_retries: int = 1
    max_depth: int = 2
    max_total: int = 64
    ladder: Any = None
    examples: Any = None
    prompts: str | None = None
    call_timeout: float | None = None
    max_calls: int | None = None
    max_tokens: int | None = None
    max_seconds: float | None = None
    max_cost: float | None = None
    cache: bool = False
    save_runs: bool = True
    keep_runs_days: float = 30.0
    models: Mapping[str, ModelTable] = field(default_factory=dict)


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "a text"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "Any": ((str, list), "a file or a list"),
}
"""What a setting may be in the file, by how it is declared above."""
_MAY_BE_NONE = {item.name for item in fields(Settings) if item.default is None}
_LEAST: dict[str, float] = {
    "n_ctx": 16, "timeout": 0.001, "price_in": 0, "price_out": 0, "call_timeout": 0.001,
    "max_seconds": 0.001, "max_cost": 1e-9, "keep_runs_days": 0, "verify_retries": 0,
}  # fmt: skip


def config_path() -> Path:
    """Where the TOML file is looked for; `DECOMPOSE_CONFIG` names another place."""
    named = os.environ.get("DECOMPOSE_CONFIG")
    if named:
        return expanded(named)
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return expanded(base) / "langgraph-decompose" / "config.toml"


def state_folder() -> Path:
    """Where runs are kept; made, for the user alone, if it isn't there."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return _private(expanded(base) / "langgraph-decompose", "; mend that, or ask with --no-save")


def cache_folder() -> Path:
    """Where cached answers are kept; made, for the user alone, if it isn't there."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return _private(expanded(base) / "langgraph-decompose")


def expanded(path: str | Path) -> Path:
    """A path with the home folder in place of its `~`.

    Raises:
        UserError: If there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(
            f"there is no home folder for {str(path)!r}; set HOME or name the whole path."
        ) from None


def _private(folder: Path, without: str = "") -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = f"{error.strerror}{without}"
        raise UserError(f"the folder {str(folder)!r} can't be made: {reason}.") from None
    return folder


def load_settings() -> Settings:
    """Read the file and the environment.

    Raises:
        UserError: If a file that `DECOMPOSE_CONFIG` names is missing, or a file or variable
            holds something that isn't a setting.
    """
    path = config_path()
    values = _read(path)
    tables = values.pop("models", {})
    if not isinstance(tables, dict):
        raise UserError(f"{path}: models must be tables, as in [models.NAME].")
    models = {name: _table(path, name, table) for name, table in tables.items()}
    settings = Settings(**said_none(_checked(path, "", values, Settings)), models=models)
    return replace(settings, **said_none(_from_environment()))


def said_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with None for the word `none`, where there may be none.

    Elsewhere it stays, to be refused: a model called so is asked for in vain.
    """
    return {n: None if v == "none" and n in _MAY_BE_NONE else v for n, v in values.items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        if os.environ.get("DECOMPOSE_CONFIG"):
            raise UserError(f"DECOMPOSE_CONFIG names {str(path)!r}, which doesn't exist.") from None
        return {}
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} isn't valid TOML: {error}.") from None
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.") from None


def _table(path: Path, name: str, table: Any) -> ModelTable:
    where = f"[models.{name}] "
    if ":" in name or name == "bundled":
        raise UserError(f"{path}: {where}needs another name, this one means something else.")
    if not isinstance(table, dict) or "ref" not in table:
        raise UserError(f'{path}: {where}needs a ref, such as ref = "ollama:qwen3".')
    return ModelTable(**_checked(path, where, table, ModelTable))


def _checked(path: Path, where: str, values: dict[str, Any], cls: type[Any]) -> dict[str, Any]:
    known = {f.name: str(f.type).removesuffix(" | None") for f in fields(cls) if f.name != "models"}
    for name, value in values.items():
        if name not in known:
            raise UserError(f"{path}: {where}has no setting {name!r}; known: {', '.join(known)}.")
        types, expected = _KINDS[known[name]]
        if not isinstance(value, types) or isinstance(value, bool) != (known[name] == "bool"):
            raise UserError(f"{path}: {where}{name} must be {expected}, not {value!r}.")
        if not isinstance(value, str | bool | list):
            least = _LEAST.get(name, 1)
            if not least <= value <= 1e9:
                raise UserError(f"{path}: {where}{name} must be {least} to 1e9, not {value}.")
    return values


def _from_environment() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("decomposer", "solver", "composer", "strategy", "max_subquestions", "prompts"):
        value = os.environ.get(f"DECOMPOSE_{name.upper()}")
        if value and name == "max_subquestions":
            if not value.isdecimal():
                raise UserError(
                    f"DECOMPOSE_MAX_SUBQUESTIONS must be a whole number, not {value!r}."
                )
            found[name] = int(value)
        elif value:
            found[name] = value
    return found
