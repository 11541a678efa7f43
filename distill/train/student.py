"""The student: a LLaMA or Qwen3 from scratch, or any causal language model, whole or with LoRA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ...errors import UserError, first_line
from ..export.gguf_tokenizer import without_first_space
from ..export.hf_model import save_checkpoint, training_packages
from .gguf_student import gguf_config, gguf_model, gguf_tokenizer
from .settings import Scratch, TrainSettings, local_student
from .tokenizer import CHAT_TEMPLATE, PAD, SPECIAL, train_tokenizer


def load_tokenizer(settings: TrainSettings, texts: Any, directory: Path) -> Any:
    """The student's tokenizer; one from scratch is trained on `texts` unless it was before.

    Raises:
        UserError: If it lacks a chat template or the token that ends a reply.
    """
    if settings.student == "scratch" and not settings.scratch.tokenizer:
        if not (directory / "tokenizer.json").is_file():
            return train_tokenizer(texts, settings.scratch.vocab, directory)
        name = str(directory)
    else:
        name = settings.scratch.tokenizer if settings.student == "scratch" else settings.student
    file = settings.student_gguf
    tokenizer = gguf_tokenizer(file) if file else _load(_tokenizer_kind(name), name)
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"the tokenizer of {name!r} has no end token (eos_token), so replies couldn't end; "
            "use another student."
        )
    if not tokenizer.chat_template:
        if not set(SPECIAL[2:]) <= tokenizer.get_vocab().keys():
            raise UserError(
                f"the tokenizer of {name!r} has no chat template; "
                "use the instruct version of the student."
            )
        tokenizer.chat_template = CHAT_TEMPLATE
    if tokenizer.pad_token_id is None:
        # Padding is masked: any token will do, as long as the files name one.
        tokenizer.pad_token = PAD if PAD in tokenizer.get_vocab() else tokenizer.eos_token
    return without_first_space(tokenizer)


def load_config(settings: TrainSettings) -> Any:
    """The configuration of a student that isn't from scratch, without its weights.

    Raises:
        UserError: If there is none.
    """
    file = settings.student_gguf
    return gguf_config(file) if file else _load("AutoConfig", settings.student)


def load_student(settings: TrainSettings, tokenizer: Any) -> Any:
    """The model on the CPU, ready to be trained; its random weights hang on the seed only.

    Raises:
        UserError: If there is no such model, or it doesn't fit its tokenizer.
        MissingDependencyError: If LoRA is wanted without PEFT.
    """
    torch.manual_seed(settings.seed)
    if settings.student == "scratch":
        model = _from_scratch(settings.scratch, tokenizer)
    elif file := settings.student_gguf:
        model = gguf_model(file)
    else:
        model = _load("AutoModelForCausalLM", settings.student, dtype=torch.float32)
        if len(tokenizer) > model.get_input_embeddings().num_embeddings:
            raise UserError(
                f"{settings.student!r} has fewer embeddings than its tokenizer has tokens."
            )
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return _with_lora(model, settings) if settings.lora else model


def context_of(model: Any) -> int:
    """The longest text that the model was made for, in tokens."""
    return int(getattr(model.config, "max_position_embeddings", 0) or 1024)


def save_model(model: Any, tokenizer: Any, directory: Path) -> None:
    """Write the model as Hugging Face files; LoRA also apart, in `adapter/`, and merged."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    if hasattr(model, "merge_and_unload"):
        model.save_pretrained(str(directory / "adapter"))
        model = model.merge_and_unload()
    save_checkpoint(model, tokenizer, directory)


def _from_scratch(scratch: Scratch, tokenizer: Any) -> Any:
    import transformers

    family = "Qwen3" if scratch.qk_norm else "Llama"
    config = getattr(transformers, f"{family}Config")(
        vocab_size=len(tokenizer),
        hidden_size=scratch.width,
        intermediate_size=scratch.feed_forward,
        num_hidden_layers=scratch.layers,
        num_attention_heads=scratch.heads,
        num_key_value_heads=scratch.kv_heads,
        head_dim=scratch.width // scratch.heads,
        max_position_embeddings=scratch.context,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = getattr(transformers, f"{family}ForCausalLM")(config)
    # What writes into the residual stream starts small, so that depth doesn't add up.
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                weight.div_((2 * scratch.layers) ** 0.5)
    return model


def _with_lora(model: Any, settings: TrainSettings) -> Any:
    with training_packages():
        from peft import LoraConfig, get_peft_model
        from peft.tuners.tuners_utils import BaseTunerLayer
    lora = settings.lora
    assert lora is not None
    targets = lora.target_modules
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        task_type="CAUSAL_LM",
    )
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        raise UserError(f"LoRA can't be put on {settings.student!r}: {error}") from None
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    tied = getattr(model.config, "tie_word_embeddings", False)
    if tied and any(isinstance(end, BaseTunerLayer) for end in ends):
        raise UserError(
            f"embeddings and output head of {settings.student!r} are one matrix, so that an "
            "adapter of either can't be merged; leave them out of 'target_modules'."
        )
    return adapted


def _tokenizer_kind(name: str) -> str:
    """The class that takes a tokenizer as it is, where all of it is in a tokenizer.json.

    AutoTokenizer rebuilds some from the architecture's name, with cuts and tokens of its own.
    """
    from transformers.utils.hub import cached_file

    try:
        found = cached_file(str(local_student(name) or name), "tokenizer.json")
    except (OSError, ValueError):
        found = None  # There is none, or loading it says what is amiss.
    return "PreTrainedTokenizerFast" if found else "AutoTokenizer"


def _load(kind: str, name: str, **options: Any) -> Any:
    import transformers

    transformers.utils.logging.disable_progress_bar()
    path = local_student(name)
    try:
        return getattr(transformers, kind).from_pretrained(path or name, **options)
    except Exception as error:  # What a damaged file makes them raise has no class of its own.
        raise UserError(f"the student {name!r} can't be loaded: {first_line(error)}") from None
