"""export: a trained checkpoint becomes GGUF files that say what they were trained for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...errors import UserError
from .. import manifest
from ..whole_files import written_whole
from .contract_file import contract_metadata, read_contract_file
from .gguf_tensors import (
    Tensor,
    architecture_of,
    context_length,
    hyperparameters,
    refuse_what_differs,
    tensors,
)
from .gguf_tokenizer import add_tokenizer, chat_template, check_tokenizer, exported_template
from .hf_model import (
    Weights,
    check_model_dir,
    is_adapter,
    load_config,
    load_tokenizer,
    read_json,
    training_packages,
    whole_model,
)
from .quantize import quantize
from .settings import ExportSettings

F16_NAME = "model-f16.gguf"
_SPARE_BYTES = 20_000_000


def export(
    settings: ExportSettings,
    model_dir: Path,
    directory: Path,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Write `model-f16.gguf`, and a file for each quantisation, from a checkpoint.

    Args:
        settings: See `ExportSettings`.
        model_dir: Hugging Face model with its tokenizer, or a PEFT adapter; a decompose.json
            in it says what it was trained for, and becomes the file's metadata.
        directory: Where the files go.
        progress: Is told what is being done.

    Raises:
        UserError: If llama.cpp couldn't run the result as it was trained; says why.
    """
    check_model_dir(model_dir)
    manifest.refuse_own_folder(directory, [model_dir])
    contract = read_contract_file(model_dir)
    _check_model(settings, model_dir, contract)
    inputs = sorted(p for e in ("json", "jinja", "safetensors") for p in model_dir.glob(f"*.{e}"))
    f16 = directory / F16_NAME
    names = [F16_NAME, *(f"model-{kind}.gguf" for kind in settings.quantisations)]
    with manifest.alone(directory, "export", names):
        if not manifest.begin(directory, "export", asdict(settings), inputs, outputs=names):
            return manifest.read_manifest(directory)["counts"]
        if not f16.exists():
            progress("merging the adapter" if is_adapter(model_dir) else f"writing {F16_NAME}")
            file = written_whole(f16, "part")
            with whole_model(model_dir, directory) as whole, file as temporary:
                name = settings.name or model_dir.absolute().name  # Of "." the folder's.
                _write_f16(settings, whole, contract, temporary, name)
        counts: dict[str, Any] = {F16_NAME: {"bytes": f16.stat().st_size}}
        for kind, name in zip(settings.quantisations, names[1:], strict=True):
            target = directory / name
            progress(f"writing {target.name}")
            types = quantize(f16, target, kind, settings.threads)
            counts[target.name] = {"bytes": target.stat().st_size, "tensors": types}
        manifest.finish(directory, "export", asdict(settings), inputs, counts)
        return counts


def check_exportable(config: Any, tokenizer: Any) -> None:
    """Refuse a model that can't be exported here, as far as config and tokenizer tell.

    Raises:
        UserError: With what llama.cpp or the export doesn't know.
    """
    refuse_what_differs(config, architecture_of(config.to_dict()))
    check_tokenizer(tokenizer)


def _check_model(settings: ExportSettings, model_dir: Path, contract: dict[str, Any]) -> None:
    """Refuse what can't be exported before anything is written."""
    here = not settings.converter
    if here and not is_adapter(model_dir):
        architecture_of(read_json(model_dir / "config.json"))
    tokenizer = load_tokenizer(model_dir)
    if contract and not chat_template(tokenizer):
        raise UserError(
            f"the tokenizer in {str(model_dir)!r} has no chat template, so nobody would "
            "know how to ask the model; set tokenizer.chat_template and save it again."
        )
    if here and is_adapter(model_dir):  # Its model is looked at when it is merged.
        check_tokenizer(tokenizer)
    elif here:
        check_exportable(load_config(model_dir), tokenizer)


def _write_f16(
    settings: ExportSettings, model_dir: Path, contract: dict[str, Any], path: Path, name: str
) -> None:
    with training_packages():
        import gguf
    if settings.converter:
        _convert(settings.converter, model_dir, contract, path, name)
        return
    architecture = architecture_of(read_json(model_dir / "config.json"))
    config, tokenizer = load_config(model_dir), load_tokenizer(model_dir)
    check_exportable(config, tokenizer)
    if "n_ctx_trained" in contract:
        longest = min(contract["n_ctx_trained"], context_length(config))
        contract = {**contract, "n_ctx_trained": longest}
    found = tensors(config, architecture, Weights(model_dir))
    _check_room(path.parent, sum(tensor.nbytes for tensor in found))
    writer = gguf.GGUFWriter(path, architecture)
    try:
        writer.add_name(name)
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
        hyperparameters(writer, config)
        add_tokenizer(writer, tokenizer, config.vocab_size, _other_ends(model_dir))
        for key, value in contract_metadata(contract).items():
            _add_pair(writer, key, value)
        _write_tensors(writer, found)
    finally:
        writer.close()


def _write_tensors(writer: Any, found: list[Tensor]) -> None:
    """Header first, then one tensor after the other, so that memory holds only one."""
    for tensor in found:
        writer.add_tensor_info(tensor.name, tensor.shape, tensor.dtype, tensor.nbytes)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in found:
        writer.write_tensor_data(tensor.numbers())


def _add_pair(writer: Any, key: str, value: Any) -> None:
    if isinstance(value, list):
        writer.add_array(key, value)
    elif isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    else:
        writer.add_string(key, value)


def _other_ends(model_dir: Path) -> list[int]:
    path = model_dir / "generation_config.json"
    ends = read_json(path).get("eos_token_id") if path.exists() else None
    return ends if isinstance(ends, list) else [ends] if isinstance(ends, int) else []


def _check_room(directory: Path, needed: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < (needed := needed + _SPARE_BYTES):
        raise UserError(
            f"{str(directory)!r} has {free // 10**6:,} MB free but writing the model takes "
            f"{-(-needed // 10**6):,} MB; make room."
        )


def _convert(
    converter: str, model_dir: Path, contract: dict[str, Any], path: Path, name: str
) -> None:
    """Let llama.cpp's script write the file, then add name, template and purpose."""
    plain = path.with_name(f"{path.name}.plain")
    command = [sys.executable, converter, str(model_dir), "--outfile", str(plain)]
    try:
        done = subprocess.run(  # noqa: S603 - the user names the script
            [*command, "--outtype", "f16"], capture_output=True, text=True, check=False
        )
        if done.returncode != 0 or not plain.exists():
            reason = (done.stderr.strip() or done.stdout.strip() or "no reason").splitlines()[-1]
            raise UserError(f"the converter {converter!r} failed: {reason}")
        pairs = {"general.name": name, **contract_metadata(contract)}
        if template := exported_template(load_tokenizer(model_dir)):
            pairs["tokenizer.chat_template"] = template
        _copy_with_pairs(plain, path, pairs)
    finally:
        plain.unlink(missing_ok=True)


def _copy_with_pairs(source: Path, target: Path, pairs: dict[str, Any]) -> None:
    import gguf
    from gguf.scripts.gguf_new_metadata import MetadataDetails, copy_with_new_metadata

    reader = gguf.GGUFReader(source)
    field = reader.fields["general.architecture"]
    writer = gguf.GGUFWriter(target, field.contents())
    added = {
        key: MetadataDetails(gguf.GGUFValueType.get_type(value), value)
        for key, value in pairs.items()
    }
    copy_with_new_metadata(reader, writer, added, [])
