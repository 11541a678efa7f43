"""Settings of the train step, as a recipe's YAML holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from ...errors import UserError
from ...plan import Final
from .samples import ROLES, Role
from .tokenizer import MIN_VOCABULARY

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "fp32", "bf16"]
Kind = Literal["auto", "muon", "adamw"]
T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """A file of examples; `weight` says how often it comes up in an epoch (2.5, 0.1 ...).

    `roles` narrows the run's roles for this file; empty means all.
    """

    path: str
    weight: float = 1.0
    roles: tuple[Role, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "roles", _roles(self.roles))
        if not 0 < self.weight <= 1000:
            raise UserError(f"the weight of {self.path!r} must be over 0, at most 1000.")


@dataclass(frozen=True)
class Stage:
    """A mixture, and the share of the training that it lasts; without a share, the rest."""

    data: tuple[Source, ...]
    share: float = 0.0

    def __post_init__(self) -> None:
        rows = [{"path": row} if isinstance(row, str | Path) else row for row in self.data]
        sources = tuple(_build(Source, {**_rows(row), "path": str(_path(row))}) for row in rows)
        object.__setattr__(self, "data", sources)
        if not sources or not 0 <= self.share <= 1:
            raise UserError("a stage needs 'data' and a 'share' between 0 and 1.")


@dataclass(frozen=True)
class Scratch:
    """A LLaMA of one's own; `tokenizer` names a folder to use instead of training one.

    With `qk_norm` queries and keys are normalised in each head, which makes it a Qwen3 (Henry et
    al., "Query-Key Normalization for Transformers", 2020): it learns from fewer tokens.
    """

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

    r: int = 16
    alpha: int = 32
    dropout: float = 0.0
    target_modules: str | tuple[str, ...] = "all-linear"

    def __post_init__(self) -> None:
        if not isinstance(self.target_modules, str):
            object.__setattr__(self, "target_modules", tuple(self.target_modules))
        if self.r < 1 or self.alpha < 1 or not 0 <= self.dropout < 1:
            raise UserError("LoRA needs 'r' and 'alpha' of at least 1 and 'dropout' below 1.")


@dataclass(frozen=True)
class TrainSettings:
    """What to train, on what, and for how long.

    Args:
        stages: Mixtures of example files, one after another.
        roles: What the student learns to be; several are mixed.
        student: "scratch", or a folder or Hugging Face id of a causal language model.
        scratch: Its size if it is from scratch.
        lora: Train low-rank adapters instead of all weights; not for "scratch".
        eval_data: Held-out example files; the student with the least loss on them is kept.
        eval_every: Steps between evaluations; one more comes at the end.
        eval_samples: At most so many samples of each file.
        patience: Evaluations without progress before training stops early; 0 is never.
        max_steps: Updates to make; one of the three limits is needed.
        epochs: Passes over the last stage's mixture.
        max_minutes: Time to train, evaluations and checkpoints included.
        batch_tokens: Tokens of one update.
        micro_tokens: Tokens on the device at once; 0 is `batch_tokens`.
        row_tokens: Width of the rows that samples are packed into.
        max_tokens: Longer samples are left out; 0 is the student's context.
        prompt_weight: What the loss on a prompt's token counts.
        optimizer: "auto" is Muon from scratch, AdamW otherwise.
        learning_rate: AdamW's; 0 is 3e-3 from scratch, 2e-4 with LoRA, else 2e-5.
        muon_learning_rate: Muon's.
        weight_decay: For matrices.
        warmup: Steps in which the rate rises; a tenth of the steps at most.
        constant: Share of the training up to which the rate stays.
        floor: Share of the rate that is left at the end.
        clip: Largest norm of the gradient.
        precision: "auto" is bfloat16 on a GPU that has it, else float32.
        device: "auto" is the GPU if there is one; "cuda" insists on it.
        compile: Whether to use `torch.compile`; on a CPU it needs a C++ compiler, and without
            one training goes on as it is.
        gradient_checkpointing: Less memory, more time.
        save_every: Steps between checkpoints to resume from.
        log_every: Steps between lines of the log.
        threads: CPU threads; 0 is one a physical core.
        seed: Of weights and order.
        final, domain, recipe: Declared in the model file.
        grounded: Declares that plans name nothing which the question doesn't; the grammar
            holds the model to it.
    """

    stages: tuple[Stage, ...]
    roles: tuple[Role, ...] = ("decomposer",)
    student: str = "scratch"
    scratch: Scratch = field(default_factory=Scratch)
    lora: Lora | None = None
    eval_data: tuple[Source, ...] = ()
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
    muon_learning_rate: float = 0.02
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
        put = object.__setattr__
        for item in fields(self):
            # YAML reads 2e-4 as a text.
            if isinstance(item.default, float) and isinstance(getattr(self, item.name), str):
                put(self, item.name, _number(item.name, getattr(self, item.name)))
        put(self, "roles", _roles(self.roles))
        put(self, "stages", tuple(_build(Stage, row) for row in self.stages))
        put(self, "eval_data", Stage(self.eval_data).data if self.eval_data else ())
        put(self, "scratch", _build(Scratch, self.scratch))
        put(self, "lora", _build(Lora, {} if self.lora is True else self.lora or None))
        self._check()

    def _check(self) -> None:
        if not self.stages or not self.roles:
            raise UserError("training needs 'stages' with data, and 'roles'.")
        if sum(value > 0 for value in (self.max_steps, self.epochs, self.max_minutes)) != 1:
            raise UserError("training needs one of 'max_steps', 'epochs' and 'max_minutes'.")
        choices = {"device": Device, "precision": Precision, "optimizer": Kind, "final": Final}
        for name, kind in choices.items():
            if getattr(self, name) not in get_args(kind):
                raise UserError(f"{name!r} must be one of {', '.join(get_args(kind))}.")
        self._check_sizes()

    def _check_sizes(self) -> None:
        if self.student == "scratch" and self.lora:
            raise UserError("LoRA needs a trained student; name one, or leave 'lora' out.")
        for name in ("eval_every", "eval_samples", "batch_tokens", "save_every", "log_every"):
            if getattr(self, name) < 1:
                raise UserError(f"{name!r} must be at least 1.")
        if not 16 <= self.row_tokens <= self.batch_tokens:
            raise UserError("'row_tokens' must be at least 16 and at most 'batch_tokens'.")
        if sum(stage.share for stage in self.stages) > 1 + 1e-9:
            raise UserError("the shares of the stages add up to more than 1.")
        if self.patience and not self.eval_data:
            raise UserError("stopping early ('patience') needs 'eval_data'.")

    @property
    def files(self) -> list[Path]:
        """Every file that is read, each once, in a fixed order: data, then a local student.

        Raises:
            UserError: If the student looks like a folder and there is none.
        """
        sources = [source for stage in self.stages for source in stage.data]
        data = dict.fromkeys(Path(s.path) for s in (*sources, *self.eval_data))
        folder = local_student(self.student)
        student = sorted(folder.iterdir()) if folder else []
        return [*data, *(path for path in student if path.is_file())]


def _build(kind: type[T], row: Any) -> Any:
    """A settings object from a mapping; one that is built already stays."""
    if row is None or isinstance(row, kind):
        return row
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(row, Mapping):
        raise UserError(f"{kind.__name__.lower()!r} must be a mapping of {', '.join(known)}.")
    if unknown := sorted(set(map(str, row)) - known):
        raise UserError(f"{unknown[0]!r} is no setting of {kind.__name__.lower()!r}.")
    try:
        return kind(**row)
    except TypeError as error:
        raise UserError(f"{kind.__name__.lower()!r}: {error}.") from None


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{name!r} is a number, not {text!r}.") from None


def local_student(name: str) -> Path | None:
    """The folder that a student's name means; None for "scratch" or an id of the hub.

    Raises:
        UserError: If it looks like a folder and there is none.
    """
    path = Path(name).expanduser()
    if name != "scratch" and path.is_dir():
        return path
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise UserError(f"there is no student {name!r}; check the path, or train it first.")
    return None


def _rows(row: Any) -> dict[str, Any]:
    if isinstance(row, Source):
        return {f.name: getattr(row, f.name) for f in fields(row)}
    return dict(row) if isinstance(row, Mapping) else {}


def _path(row: Any) -> Any:
    path = _rows(row).get("path")
    if not path:
        raise UserError("each of a stage's 'data' needs a 'path'.")
    return path


def _roles(roles: Iterable[str] | str) -> tuple[Role, ...]:
    named = (roles,) if isinstance(roles, str) else tuple(roles)
    for role in named:
        if role not in ROLES:
            raise UserError(f"there is no role {role!r}; known: {', '.join(ROLES)}.")
    return named  # type: ignore[return-value]
