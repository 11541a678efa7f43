"""LLaMA-like checkpoints in llama.cpp's terms: names, the order of rows, hyperparameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import ModelFileError, UserError
from .hf_model import Weights, training_packages

with training_packages():
    import numpy as np

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""What transformers calls an architecture, and what llama.cpp does."""
FAMILIES = {"llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3"}
"""What transformers calls the classes of llama.cpp's architectures."""

_F16_MAX = 65504.0


@dataclass(frozen=True)
class Tensor:
    """One tensor of a GGUF file: its shape, and how to get its numbers when they are due."""

    name: str
    shape: tuple[int, ...]
    read: Callable[[], Any]

    @property
    def dtype(self) -> Any:
        """Matrices are F16; norms and biases stay F32, as llama.cpp wants them."""
        return np.float16 if len(self.shape) > 1 else np.float32

    @property
    def nbytes(self) -> int:
        """Size in the file."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    def numbers(self) -> Any:
        """The numbers as they go into the file.

        Raises:
            UserError: If they aren't finite, or too large for F16.
        """
        values = self.read()
        largest = float(np.maximum(values.max(), -values.min()))
        if not np.isfinite(largest):
            raise UserError(f"{self.name!r} holds NaN or infinity; training has failed.")
        if self.dtype is np.float16 and largest > _F16_MAX:
            raise UserError(f"{self.name!r} holds {largest:.3g}, more than F16 can.")
        return np.ascontiguousarray(values, dtype=self.dtype)


def architecture_of(config: dict[str, Any]) -> str:
    """llama.cpp's name of the architecture that a config.json declares.

    Raises:
        UserError: If it isn't one of `ARCHITECTURES`.
    """
    kind = config.get("model_type")
    if kind not in ARCHITECTURES:
        raise UserError(
            f"the architecture {kind!r} isn't exported here ({', '.join(ARCHITECTURES)} are); "
            "name llama.cpp's convert_hf_to_gguf.py as the converter."
        )
    return ARCHITECTURES[kind]


def tensors(config: Any, architecture: str, weights: Weights) -> list[Tensor]:
    """Every tensor of the file, none of them read yet.

    Raises:
        UserError: If the checkpoint has a tensor that the architecture hasn't.
    """
    found: list[Tensor] = []
    for name in weights.names:
        if name.endswith("rotary_emb.inv_freq") or _is_tied_head(name, config):
            continue
        own = tensor_name(name, architecture, config.num_hidden_layers)
        read = _reader(weights, name, heads_to_permute(own, architecture, config))
        found.append(Tensor(own, weights.shape(name), read))
    return found + _rope_factors(config)


def tensor_name(name: str, architecture: str, layers: int) -> str:
    """What llama.cpp calls a tensor of transformers'.

    Raises:
        UserError: If its architecture has no such tensor.
    """
    own = _names(architecture, layers).get_name(name, try_suffixes=(".weight", ".bias"))
    if own is None:
        raise UserError(f"the tensor {name!r} belongs to no {architecture} model.")
    return own


@cache
def _names(architecture: str, layers: int) -> Any:
    import gguf

    return gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], layers)


def open_gguf(path: Path) -> Any:
    """The reader of a GGUF file's tensors and arrays.

    Raises:
        ModelFileError: If it is cut off or damaged.
    """
    from gguf import GGUFReader

    try:
        return GGUFReader(path)
    except Exception as error:  # A damaged file makes it raise whatever numpy does.
        raise ModelFileError(f"{str(path)!r} is cut off or damaged: {error}.") from None


def hyperparameters(writer: Any, config: Any) -> None:
    """Write what llama.cpp must know about the model beside its tensors."""
    head_dim = _head_dim(config)
    writer.add_context_length(context_length(config))
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(float(config.rope_parameters["rope_theta"]))
    writer.add_vocab_size(config.vocab_size)
    _rope_scaling(writer, config)


def context_length(config: Any) -> int:
    """Longest text in tokens.

    Within a sliding window attention is the same with and without it. llama.cpp has none
    for these architectures, so a model with a window is exported up to its length.
    """
    window = getattr(config, "sliding_window", None)
    longest: int = config.max_position_embeddings
    return min(longest, window) if window else longest


def _is_tied_head(name: str, config: Any) -> bool:
    return name == "lm_head.weight" and bool(config.tie_word_embeddings)


def _head_dim(config: Any) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def heads_to_permute(name: str, architecture: str, config: Any) -> int:
    """How many heads' rows llama.cpp wants in another order; 0 for none.

    Its `llama` rotates neighbouring rows of a head together, transformers the first half
    with the second. For Qwen both do the latter.
    """
    if architecture != "llama":
        return 0
    if ".attn_q." in name:
        return config.num_attention_heads
    return config.num_key_value_heads if ".attn_k." in name else 0


def _reader(weights: Weights, name: str, heads: int) -> Callable[[], Any]:
    def read() -> Any:
        values = weights.read(name)
        if not heads:
            return values
        halves = values.reshape(heads, 2, -1, *values.shape[1:])
        return halves.swapaxes(1, 2).reshape(values.shape)

    return read


def halves_of_heads(values: Any, heads: int) -> Any:
    """A matrix out of a GGUF file with its rows in the order of transformers; see above."""
    if not heads:
        return values
    pairs = values.reshape(heads, -1, 2, *values.shape[1:])
    return pairs.swapaxes(1, 2).reshape(values.shape)


def refuse_what_differs(config: Any, architecture: str) -> None:
    """Refuse a model that uses something that llama.cpp's architecture hasn't.

    Raises:
        UserError: Naming it.
    """
    rope = config.rope_parameters
    scaling = rope.get("rope_type", "default")
    if config.hidden_act != "silu":
        raise UserError(f"the activation {config.hidden_act!r} can't be exported; silu can.")
    if rope.get("partial_rotary_factor", 1.0) != 1.0:
        raise UserError("a partial rotary embedding can't be exported for this architecture.")
    if config.model_type == "qwen3" and config.attention_bias:
        raise UserError("llama.cpp knows no qwen3 with biases; train without attention_bias.")
    if getattr(config, "quantization_config", None):
        raise UserError("this checkpoint is quantised already; export the one it was made from.")
    if scaling not in ("default", "linear", "llama3"):
        raise UserError(
            f"rope scaling {scaling!r} isn't exported here (linear and llama3 are); "
            "name llama.cpp's convert_hf_to_gguf.py as the converter."
        )
    if scaling == "llama3" and architecture != "llama":
        raise UserError(f"llama.cpp knows no llama3 rope scaling for {architecture}.")


def _rope_scaling(writer: Any, config: Any) -> None:
    import gguf

    rope = config.rope_parameters
    if rope.get("rope_type") == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(float(rope["factor"]))


def _rope_factors(config: Any) -> list[Tensor]:
    """LLaMA 3 slows down each frequency by a factor of its own, which is a tensor in GGUF."""
    if config.rope_parameters.get("rope_type") != "llama3":
        return []
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config)
    head_dim = _head_dim(config)
    theta = float(config.rope_parameters["rope_theta"])
    plain = theta ** (-np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    factors = (plain / scaled.double().numpy()).astype(np.float32)
    return [Tensor("rope_freqs.weight", factors.shape, lambda: factors)]
