"""Trained students as they lie on disk: config, tokenizer, weights, or an adapter."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import MissingDependencyError, UserError, first_line
from .gguf_tokenizer import without_first_space

_MAX_JSON_BYTES = 100_000_000


@contextmanager
def training_packages() -> Iterator[None]:
    """Say what to install if an import of torch, transformers and the like fails.

    Raises:
        MissingDependencyError: If one does.
    """
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(
            f"this step needs {error.name}, which isn't installed: "
            "pip install 'langgraph-decompose[train]'."
        ) from None


def is_adapter(model_dir: Path) -> bool:
    """Whether a directory holds a PEFT adapter rather than a whole model."""
    return (model_dir / "adapter_config.json").is_file()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        UserError: If it is missing, too large or no object.
    """
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise ValueError("it is too large")
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{str(path)!r} can't be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{str(path)!r} is damaged: {error}.") from None
    if not isinstance(found, dict):
        raise UserError(f"{str(path)!r} is damaged: it holds no JSON object.")
    return found


def check_model_dir(model_dir: Path) -> None:
    """Refuse a path that holds neither a model nor an adapter.

    Raises:
        UserError: Naming what is missing.
    """
    if not model_dir.is_dir():
        raise UserError(
            f"there is no model directory {str(model_dir)!r}; name the one that train wrote."
        )
    if not is_adapter(model_dir) and not (model_dir / "config.json").is_file():
        raise UserError(
            f"{str(model_dir)!r} holds no config.json, so it is no Hugging Face model; "
            "name the directory that train wrote."
        )


def load_config(model_dir: Path) -> Any:
    """The model's configuration with every default filled in.

    Raises:
        UserError: If transformers can't read it.
    """
    with training_packages():
        from transformers import AutoConfig
    try:
        return AutoConfig.from_pretrained(model_dir, local_files_only=True)
    except Exception as error:
        raise _unreadable("config.json", model_dir, error) from None


def load_tokenizer(model_dir: Path) -> Any:
    """The tokenizer beside the weights; an adapter without one has its base model's.

    Raises:
        UserError: If there is none, or it can't be read.
    """
    with training_packages():
        from transformers import AutoTokenizer, PreTrainedTokenizerFast
    source = model_dir
    if is_adapter(model_dir) and not _has_tokenizer(model_dir):
        source = Path(_base_model(model_dir))
    if source.is_dir() and not _has_tokenizer(source):
        raise UserError(
            f"{str(model_dir)!r} has no tokenizer; save it beside the weights "
            "(tokenizer.save_pretrained)."
        )
    # AutoTokenizer rebuilds some tokenizers from the architecture's name, with tokens of its own.
    exact = (source / "tokenizer.json").is_file()
    kind: Any = PreTrainedTokenizerFast if exact else AutoTokenizer
    try:
        return without_first_space(kind.from_pretrained(source))
    except Exception as error:
        raise _unreadable("tokenizer", source, error) from None


def save_tokenizer(tokenizer: Any, directory: Path) -> None:
    """Write a tokenizer's files.

    Raises:
        OSError: If that fails, as on a full disk.
    """
    for name in ("is_local", "local_files_only"):  # How it was loaded is written, too.
        tokenizer.init_kwargs.pop(name, None)
    try:
        tokenizer.save_pretrained(str(directory))
    except Exception as error:
        # The package `tokenizers` has no class of its own for it.
        found = re.search(r"\(os error (\d+)\)", str(error))
        if not found:
            raise
        raise OSError(int(found[1]), os.strerror(int(found[1]))) from None


def save_checkpoint(model: Any, tokenizer: Any, directory: Path) -> None:
    """Write a model with its tokenizer.

    Of how it writes, the tokens that begin and end stay. The rest may be what Transformers doesn't
    save, as in published models: a temperature without sampling, or -1 as the token that pads.

    Raises:
        OSError: If that fails, as on a full disk.
        SafetensorError: Likewise.
    """
    from transformers import GenerationConfig

    before = model.generation_config
    model.generation_config = GenerationConfig(
        bos_token_id=before.bos_token_id,
        eos_token_id=before.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(str(directory))
    save_tokenizer(tokenizer, directory)


def load_model(model_dir: Path) -> Any:
    """The model in float32, ready to be asked; an adapter is put onto its base model.

    Raises:
        UserError: If it can't be loaded.
    """
    with training_packages():
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils.logging import disable_progress_bar
    disable_progress_bar()  # Its bar would stand between the lines that the steps tell.
    check_model_dir(model_dir)
    kind: Any = AutoModelForCausalLM
    if is_adapter(model_dir):
        with training_packages():
            import peft
        _base_model(model_dir)
        kind = peft.AutoPeftModelForCausalLM
    try:
        model = kind.from_pretrained(model_dir, dtype=torch.float32)
    except Exception as error:
        raise _unreadable("model", model_dir, error) from None
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def whole_model(model_dir: Path, work: Path) -> Iterator[Path]:
    """A directory with whole weights: the given one, or an adapter merged into its base model.

    The merged weights are float32, so that merging itself rounds nothing away; they lie
    under `work` meanwhile.

    Raises:
        UserError: If they can't be read or written, as on a full disk.
    """
    check_model_dir(model_dir)
    if not is_adapter(model_dir):
        yield model_dir
        return
    merged = work / ".merged"
    shutil.rmtree(merged, ignore_errors=True)  # A killed run's.
    try:
        _merge(model_dir, merged)
        yield merged
    finally:
        shutil.rmtree(merged, ignore_errors=True)


def _merge(model_dir: Path, merged: Path) -> None:
    from safetensors import SafetensorError

    model, tokenizer = load_model(model_dir).merge_and_unload(), load_tokenizer(model_dir)
    try:
        save_checkpoint(model, tokenizer, merged)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{str(merged)!r} can't be written: {reason}; make room.") from None


class Weights:
    """The tensors of a checkpoint, read one at a time.

    Raises:
        UserError: If there are no safetensors, or they are damaged.
    """

    def __init__(self, model_dir: Path) -> None:
        with training_packages():
            from safetensors import SafetensorError, safe_open
        self._files: dict[str, Any] = {}
        paths = _weight_files(model_dir)
        if not paths:
            raise UserError(
                f"{str(model_dir)!r} holds no .safetensors weights; save the model with "
                "save_pretrained."
            )
        for path in paths:
            try:
                file: Any = safe_open(path, framework="pt")
            except (OSError, SafetensorError) as error:
                raise UserError(f"{str(path)!r} is damaged: {error}.") from None
            self._files.update(dict.fromkeys(file.keys(), file))

    @property
    def names(self) -> list[str]:
        """Names of all tensors."""
        return sorted(self._files)

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's shape, without reading it."""
        return tuple(self._files[name].get_slice(name).get_shape())

    def read(self, name: str) -> Any:
        """A tensor as float32 numbers."""
        return self._files[name].get_tensor(name).float().numpy()


def _weight_files(model_dir: Path) -> list[Path]:
    """The files that transformers reads; others may hold the same in another form."""
    whole, index = model_dir / "model.safetensors", model_dir / "model.safetensors.index.json"
    if whole.is_file():
        return [whole]
    named = read_json(index).get("weight_map") if index.is_file() else None
    if isinstance(named, dict):
        return sorted({model_dir / str(name) for name in named.values()})
    return sorted(model_dir.glob("*.safetensors"))


def _has_tokenizer(model_dir: Path) -> bool:
    names = ("tokenizer.json", "tokenizer.model", "vocab.json")
    return any((model_dir / name).is_file() for name in names)


def _base_model(model_dir: Path) -> str:
    base = read_json(model_dir / "adapter_config.json").get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise UserError(f"the adapter in {str(model_dir)!r} doesn't say what its base model is.")
    return base


def _unreadable(what: str, model_dir: Path, error: Exception) -> UserError:
    return UserError(f"the {what} in {str(model_dir)!r} can't be read: {first_line(error)}")
