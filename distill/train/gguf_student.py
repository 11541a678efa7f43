"""A student that is a GGUF file of this project, as the bundled ones are: the way back of `export`.

Whoever has some hundred plans of their field goes on from the bundled decomposer in minutes. Its
quantised weights become float32; what rounding took is soon learned again. transformers reads
GGUF files as well, but none with heads that aren't width / heads wide, and no rules of cutting.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from ...errors import ModelFileError, UserError
from ...models.gguf_file import read_contract, read_metadata
from ..export.gguf_tensors import (
    FAMILIES,
    halves_of_heads,
    heads_to_permute,
    open_gguf,
    tensor_name,
)
from ..export.gguf_tokenizer import ONE_DIGIT_NAME

_SPECIAL = {"bos_token": "bos", "eos_token": "eos", "pad_token": "padding"}
_WORD, _CONTROL, _OWN = 1, 3, 4


def gguf_contract(path: Path) -> dict[str, Any]:
    """What a file says of itself, like the decompose.json of a checkpoint.

    Raises:
        UserError: If this project didn't train it as decomposer or solver, or it can't be read.
    """
    found = read_contract(path)
    if found is None:
        ours = any(key.startswith("decompose.") for key in read_metadata(path))
        why = (
            "was trained for no role of the contract" if ours else "wasn't trained by this project"
        )
        raise UserError(
            f"{str(path)!r} {why}; name the model's Hugging Face folder or id as the student."
        )
    try:
        data = json.loads(read_metadata(path).get("decompose.data", "[]"))
    except (TypeError, ValueError, RecursionError):
        data = None
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise ModelFileError(f"{str(path)!r} has damaged contract metadata; export it again.")
    return {"n_ctx_trained": found.n_ctx_trained, "data": data}


def gguf_config(path: Path) -> Any:
    """The configuration of its architecture.

    Raises:
        UserError: If it is none that this project exports.
    """
    import transformers

    gguf_contract(path)
    values = read_metadata(path)
    kind = values.get("general.architecture")
    if kind not in FAMILIES or f"{kind}.rope.scaling.type" in values:
        raise UserError(
            f"the architecture of {str(path)!r} can't be read back; name its Hugging Face folder "
            "as the student."
        )
    ids = {
        f"{name}_id": values.get(f"tokenizer.ggml.{key}_token_id") for name, key in _SPECIAL.items()
    }
    try:
        own = {key.removeprefix(f"{kind}."): value for key, value in values.items()}
        return getattr(transformers, f"{FAMILIES[kind]}Config")(
            vocab_size=own["vocab_size"],
            hidden_size=own["embedding_length"],
            intermediate_size=own["feed_forward_length"],
            num_hidden_layers=own["block_count"],
            num_attention_heads=own["attention.head_count"],
            num_key_value_heads=own["attention.head_count_kv"],
            head_dim=own["attention.key_length"],
            max_position_embeddings=own["context_length"],
            rms_norm_eps=own["attention.layer_norm_rms_epsilon"],
            rope_parameters={"rope_type": "default", "rope_theta": own["rope.freq_base"]},
            tie_word_embeddings="output.weight" not in _tensors(path),
            **ids,
        )
    except KeyError as error:
        raise ModelFileError(f"{str(path)!r} is damaged: it lacks {error}.") from None


def gguf_model(path: Path) -> Any:
    """The model in float32.

    Raises:
        UserError: If the file has other tensors than its architecture.
    """
    import transformers
    from gguf.quants import dequantize

    config = gguf_config(path)
    kind = read_metadata(path)["general.architecture"]
    model = getattr(transformers, f"{FAMILIES[kind]}ForCausalLM")(config)
    found = _tensors(path)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            own = tensor_name(name, kind, config.num_hidden_layers)
            tensor = found.pop(own, None)
            values = None if tensor is None else dequantize(tensor.data, tensor.tensor_type)
            if values is None or values.shape != tuple(parameter.shape):
                raise ModelFileError(f"{str(path)!r} is damaged: {own!r} isn't as it should be.")
            values = halves_of_heads(values, heads_to_permute(own, kind, config))
            parameter.copy_(torch.from_numpy(values.copy()))
    if found:
        raise UserError(f"{str(path)!r} has tensors that aren't read back: {min(found)!r}.")
    return model


def gguf_tokenizer(path: Path) -> Any:
    """The tokenizer, with the file's chat template.

    Raises:
        UserError: If it cuts text in another way than the students from scratch.
    """
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerFast

    from .tokenizer import cut_like_scratch

    values = read_metadata(path)
    if values.get("tokenizer.ggml.pre") != ONE_DIGIT_NAME:
        raise UserError(
            f"the tokenizer of {str(path)!r} can't be read back; name its Hugging Face folder as "
            "the student."
        )
    try:
        bpe, kinds, special = _bpe(path, values)
    except Exception as error:  # tokenizers has no class of its own for it.
        raise ModelFileError(f"{str(path)!r} has a damaged tokenizer: {error}.") from None
    cut_like_scratch(bpe)
    controls = [text for text, kind in kinds if kind == _CONTROL]
    bpe.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in controls])
    bpe.add_tokens([AddedToken(text, normalized=False) for text, kind in kinds if kind == _OWN])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        additional_special_tokens=[text for text in controls if text not in special.values()],
        clean_up_tokenization_spaces=False,
        **special,
    )
    tokenizer.chat_template = values.get("tokenizer.chat_template")
    return tokenizer


def _bpe(path: Path, values: dict[str, Any]) -> tuple[Any, list[tuple[str, int]], dict[str, str]]:
    """The merges as a tokenizer, each token with its kind, and what begins, ends and pads."""
    from tokenizers import Tokenizer, models

    fields = open_gguf(path).fields
    tokens, types, merges = (
        fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "token_type", "merges")
    )
    kinds = list(zip(tokens, types, strict=True))
    known = {text: i for i, (text, kind) in enumerate(kinds) if kind in (_WORD, _CONTROL, _OWN)}
    special = {
        name: tokens[values[f"tokenizer.ggml.{key}_token_id"]]
        for name, key in _SPECIAL.items()
        if f"tokenizer.ggml.{key}_token_id" in values
    }
    return (
        Tokenizer(models.BPE(vocab=known, merges=[tuple(m.split(" ")) for m in merges])),
        kinds,
        special,
    )


def _tensors(path: Path) -> dict[str, Any]:
    return {tensor.name: tensor for tensor in open_gguf(path).tensors}
