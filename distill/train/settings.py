"""Settings of the train step, as a recipe's YAML holds them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from ...errors import UserError
from ...models.bundled import bundled_model_path
from ...plan import Final
from ...settings import expanded
from ..yaml_settings import give_types
from .mixture import STRICT, Roles, Source, Sources, Stage
from .tokenizer import MIN_VOCABULARY

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "fp32", "bf16"]
Kind = Literal["auto", "muon", "adamw"]
_FROM_0 = (
    "max_steps", "epochs", "max_minutes", "patience", "micro_tokens", "max_tokens",
    "prompt_weight", "learning_rate", "muon_learning_rate", "weight_decay", "warmup", "threads",
)  # fmt: skip
_FROM_1 = ("eval_every", "eval_samples", "batch_tokens", "save_every", "log_every")


def _adapters(value: Any) -> Any:
    """`lora: true` is LoRA as it is by default."""
    return ({} if value else None) if isinstance(value, bool) else value


@dataclass(frozen=True)
class Scratch:
    """A LLaMA of one's own; `tokenizer` names a folder to use instead of training one.

    With `qk_norm` queries and keys are normalised in each head, which makes it a Qwen3 (Henry et
    al., "Query-Key Normalization for Transformers", 2020): it learns from fewer tokens.
    """

    __pydantic_config__ = STRICT

    width: int = 256
    layers: int = 8
    heads: int = 4
    kv_heads: int = 2
    feed_forward: int = 768
    vocab: int = 6144
    context: int = 1024
    tokenizer: str = ""
    qk_norm: bool = False

    def __post_init__(self) -> None:
        sizes = (self.width, self.layers, self.heads, self.kv_heads, self.feed_forward)
        if min(*sizes, self.context) < 1:
            raise UserError("the sizes of a student from scratch must be positive.")
        if self.width % (2 * self.heads) or self.heads % self.kv_heads:
            raise UserError(
                "'width' must be a multiple of twice 'heads', and 'heads' of 'kv_heads'."
            )
        if self.vocab < MIN_VOCABULARY:
            raise UserError(f"'vocab' must be at least {MIN_VOCABULARY}: all bytes must fit.")


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters, as PEFT names them."""

    __pydantic_config__ = STRICT

    r: int = 16
    alpha: int = 32
    dropout: float = 0.0
    target_modules: str | tuple[str, ...] = "all-linear"

    def __post_init__(self) -> None:
        if self.r < 1 or self.alpha < 1 or not 0 <= self.dropout < 1:
            raise UserError("LoRA needs 'r' and 'alpha' of at least 1 and 'dropout' below 1.")


@dataclass(frozen=True)
class TrainSettings:
    """What to train, on what, and for how long, as in a YAML file.

    Args:
        stages: Mixtures of example files, one after another: each a mapping with `data`, a list of
            files or of mappings with path, weight and roles (in a recipe a source's name, or
            source in place of path), and maybe `share`, how much of the training it lasts.
        roles: What the student learns to be; several are mixed.
        student: "scratch"; a folder or Hugging Face id of a causal language model; or "bundled" or
            gguf:PATH, a file of this project (of the bundled ones that of the roles).
        scratch: Its size if it is from scratch: width, layers, heads, kv_heads, feed_forward,
            vocab, context; and tokenizer and qk_norm.
        lora: Train low-rank adapters (r, alpha, dropout, target_modules) instead of all weights;
            not for "scratch".
        eval_data: Held-out example files; the student with the least loss on them is kept.
        eval_every: Steps between evaluations; one more comes at the end.
        eval_samples: At most so many samples of each file.
        patience: Evaluations without progress before training stops early; 0 is never.
        max_steps: Updates to make; this or one of the next two is needed.
        epochs: Passes over the last stage's mixture.
        max_minutes: Time to train, evaluations and checkpoints included; not the first update if
            it compiles the layers. Beside `max_steps` or `epochs` it is what a slow machine may
            take at most: the rates fall sooner there.
        batch_tokens: Tokens of one update.
        micro_tokens: Tokens on the device at once, padding included; changes only memory and
            time. 0 is twice `batch_tokens`.
        row_tokens: Width of the rows that samples are packed into.
        max_tokens: Longer samples are left out; 0 is the student's context.
        prompt_weight: Weight of the loss on a prompt's token.
        optimizer: "auto" is Muon from scratch and for a small student of this project (without
            LoRA), else AdamW.
        learning_rate: AdamW's; 0 is 3e-3 from scratch, 2e-4 with LoRA, 1e-3 for a small student of
            this project, else 2e-5.
        muon_learning_rate: Muon's; 0 is 2e-2 from scratch, else 2e-3.
        weight_decay: For matrices.
        warmup: Steps in which the rate rises; a tenth of the training at most.
        constant: Share of the training up to which the rate stays.
        floor: Share of the rate that is left at the end.
        clip: Largest norm of the gradient.
        precision: "auto" is bfloat16 on a GPU that has it, else float32.
        device: "auto" is the GPU if there is one; "cuda" insists on it.
        compile: Whether to use `torch.compile`; it needs a C++ compiler and Python's headers
            (python3-dev), and without them training goes on as it is.
        gradient_checkpointing: Less memory, more time.
        save_every: Steps between checkpoints to resume from.
        log_every: Steps between lines of the log.
        threads: CPU threads; 0 is one for each physical core.
        seed: Of weights and order.
        final, domain, recipe: Declared in the model file.
        grounded: Declares that plans name nothing that isn't in the question; the grammar
            enforces it.
    """

    stages: tuple[Stage, ...]
    roles: Roles = ("decomposer",)
    student: str = "scratch"
    scratch: Scratch = field(default_factory=Scratch)
    lora: Annotated[Lora | None, BeforeValidator(_adapters)] = None
    eval_data: Sources = ()
    eval_every: int = 200
    eval_samples: int = 400
    patience: int = 0
    max_steps: int = 0
    epochs: float = 0.0
    max_minutes: float = 0.0
    batch_tokens: int = 8192
    micro_tokens: int = 0
    row_tokens: int = 256
    max_tokens: int = 0
    prompt_weight: float = 0.0
    optimizer: Kind = "auto"
    learning_rate: float = 0.0
    muon_learning_rate: float = 0.0
    weight_decay: float = 0.01
    warmup: int = 60
    constant: float = 0.35
    floor: float = 0.03
    clip: float = 1.0
    precision: Precision = "auto"
    device: Device = "auto"
    compile: bool = False
    gradient_checkpointing: bool = False
    save_every: int = 200
    log_every: int = 10
    threads: int = 0
    seed: int = 0
    final: Final = "last"
    domain: str = "general"
    grounded: bool = False
    recipe: str = ""

    def __post_init__(self) -> None:
        give_types(self)
        if not self.stages or not self.roles:
            raise UserError("training needs 'stages' with data, and 'roles'.")
        for least, names in enumerate((_FROM_0, _FROM_1)):
            for name in names:
                if not least <= getattr(self, name) < math.inf:
                    raise UserError(f"{name!r} must be at least {least}.")
        if not (self.max_steps or self.epochs or self.max_minutes):
            raise UserError("training needs 'max_steps', 'epochs' or 'max_minutes'.")
        if self.max_steps and self.epochs:
            raise UserError("'max_steps' and 'epochs' exclude each other; leave one out.")
        if not (0 <= self.constant <= 1 and 0 <= self.floor <= 1 and self.clip > 0):
            raise UserError("'constant' and 'floor' are shares up to 1, and 'clip' is over 0.")
        if not 0 <= self.seed < 2**63:
            raise UserError("'seed' is at least 0 and below 2^63.")
        self._check_sizes()

    def _check_sizes(self) -> None:
        if self.student == "scratch" and self.lora:
            raise UserError("LoRA needs a trained student; name one, or leave 'lora' out.")
        if not 16 <= self.row_tokens <= self.batch_tokens:
            raise UserError("'row_tokens' must be at least 16 and at most 'batch_tokens'.")
        shares = sum(stage.share for stage in self.stages)
        if shares > 1 + 1e-9:
            raise UserError("the shares of the stages add up to more than 1.")
        if shares > 1 - 1e-9 and not all(stage.share for stage in self.stages):
            raise UserError(
                "the shares of the stages add up to 1, which leaves nothing for the one without."
            )
        if self.patience and not self.eval_data:
            raise UserError("stopping early ('patience') needs 'eval_data'.")

    @property
    def sources(self) -> list[Source]:
        """What is trained on, of all stages."""
        return [source for stage in self.stages for source in stage.data]

    @property
    def files(self) -> list[Path]:
        """Every file that is read, each once, in a fixed order: data, then folders.

        Raises:
            UserError: If the student looks like a folder and there is none.
        """
        data = dict.fromkeys(Path(s.path) for s in (*self.sources, *self.eval_data))
        inside = [sorted(folder.iterdir()) for folder in self.folders]
        found = [path for paths in inside for path in paths if path.is_file()]
        return [*data, *found, *filter(None, [self.student_gguf])]

    @property
    def folders(self) -> list[Path]:
        """The folders that are read, of the student or its tokenizer.

        Raises:
            UserError: If the student looks like a folder and there is none.
        """
        tokenizer = self.scratch.tokenizer if self.student == "scratch" else ""
        found = [local_student(self.student), Path(tokenizer) if tokenizer else None]
        return [folder for folder in found if folder and folder.is_dir()]

    @property
    def student_gguf(self) -> Path | None:
        """The GGUF file to go on from; None for any other student.

        Raises:
            UserError: If there is no such file.
        """
        if self.student == "bundled":
            role = "solver" if self.roles == ("solver",) else "decomposer"
            return Path(bundled_model_path(role))
        if not self.student.startswith("gguf:"):
            return None
        path = expanded(self.student.removeprefix("gguf:"))
        if not path.is_file():
            raise UserError(f"there is no student {self.student!r}; check the path.")
        return path


def local_student(name: str) -> Path | None:
    """The folder that a student's name means; None for "scratch" or an id of the hub.

    Raises:
        UserError: If it looks like a folder and there is none.
    """
    path = expanded(name)
    if name != "scratch" and path.is_dir():
        return path
    if name.startswith("gguf:"):
        return None
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise UserError(f"there is no student {name!r}; check the path, or train it first.")
    return None
