"""Model references: the one place that turns `bundled`, `gguf:PATH`, `openai:...` into a model.

A reference is one of

    bundled                       the weights in this package, those of the role it is named for
    gguf:PATH                     a GGUF file, run in this process
    gguf:hf:REPO/FILE.gguf        the same, from the Hugging Face cache or hub
    transformers:REPO_OR_PATH     a Hugging Face model, run in this process
    PROVIDER:MODEL                anything LangChain's init_chat_model knows
    PROVIDER:MODEL@http(s)://...  the same at a server of one's own
    NAME                          a [models.NAME] table in the user's TOML file

or, in Python, a chat model, a Runnable, a compiled graph or a function.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelReferenceError, UserError
from ..settings import ModelTable, load_settings
from .bundled import Role, bundled_model_path
from .fallbacks import fall_back_on_alike, refuse_trained
from .gguf_file import Contract, read_contract
from .hub import download
from .limiter import Limiter, limiter_for
from .objects import (
    innermost_of_all,
    is_configurable,
    object_identity,
    object_name,
    refuse_without_messages,
)

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

FORMS = "bundled, gguf:PATH, gguf:hf:REPO/FILE.gguf, transformers:PATH, PROVIDER:MODEL"
_HOSTED_CONCURRENCY = 16


@dataclass(frozen=True)
class GGUFSource:
    """A GGUF file that a reference names: how results call it, where it is, its settings."""

    name: str
    path: str
    table: ModelTable
    contract: Contract | None


@dataclass(frozen=True)
class ResolvedModel:
    """A model ready to be asked, and what is known about it.

    Attributes:
        name: What usage reports and results call it; never holds a secret.
        runnable: The chat model, Runnable or graph; None for a GGUF asked without LangChain.
        contract: Set if it is a GGUF file trained for this project.
        accepts_grammar: Whether a call may carry a GBNF grammar.
        is_local: Whether it runs in this process.
        price_in: Price of a million input tokens; None if unknown.
        price_out: Price of a million output tokens; None if unknown.
        timeout: Seconds for one call; None if the model keeps its own time.
        identity: Tells its replies from those of others in journals and caches, also after a
            restart: the name alone isn't enough, since a table's meaning may change.
        configurable: Whether a call's config may choose another model, which the identity
            doesn't tell.
        limiter: Bounds the calls at once.
    """

    name: str
    runnable: Runnable[Any, Any] | None
    contract: Contract | None = None
    accepts_grammar: bool = False
    is_local: bool = False
    price_in: float | None = None
    price_out: float | None = None
    timeout: float | None = None
    limiter: Limiter = field(default_factory=lambda: Limiter(_HOSTED_CONCURRENCY))
    identity: str = ""
    configurable: bool = False

    def __post_init__(self) -> None:
        if not self.identity:
            object.__setattr__(self, "identity", self.name)

    def speaks_contract(self, role: str) -> bool:
        """Whether the model was trained to fill this role."""
        return self.contract is not None and role in self.contract.roles

    def must_write_words(self, why: str, cure: str) -> None:
        """Refuse a solver that was trained to write expressions and nothing else.

        Args:
            why: What needs words, up to the sign before the model's name.
            cure: What to do about it.

        Raises:
            UserError: If it is one.
        """
        if self.speaks_contract("solver"):
            raise UserError(f"{why} {self.name!r} only writes expressions: {cure}.")


def resolve_model(ref: Any, role: Role | None = None) -> ResolvedModel:
    """Turn a model reference into a model; files are checked, nothing is loaded or called.

    Args:
        ref: A reference as the module's docstring lists them, or a LangChain object.
        role: What it is to do; who composes or judges is a solver, too. It says which file
            `bundled` is, and a file trained for another role is refused.

    Raises:
        ModelReferenceError: If it names nothing known, or a file trained for something else.
        ModelFileError: If it names a file that is missing or no GGUF.
        MissingDependencyError: If a package that it needs isn't installed.

    Example:
        >>> resolve_model("bundled").contract.final
        'last'
        >>> resolve_model("bundled", "solver").contract.roles
        ('solver',)
    """
    model = ref if isinstance(ref, ResolvedModel) else _resolved(ref, role)
    if role:
        check_role(model.name, model.contract, role)
    return model


def check_role(name: str, contract: Contract | None, role: Role) -> None:
    """Refuse a file that was trained for another role; one trained for none may do anything.

    Raises:
        ModelReferenceError: If it was.
    """
    if contract and contract.roles and role not in contract.roles:
        raise ModelReferenceError(
            f"{name!r} was trained as {' and '.join(contract.roles)} alone and can't "
            f"be a {role}: name another model."
        )


def _resolved(ref: Any, role: Role | None) -> ResolvedModel:
    if not isinstance(ref, str):
        return _from_object(ref)
    name, table = _table(ref)
    source = _gguf_source(name, table, role or "decomposer")
    model = _chat_gguf(source) if source else _from_text(name, table)
    if source is None:
        return replace(model, identity=table.ref)
    # Replies of an earlier file under this reference mustn't pass for this one's.
    file = Path(source.path).name if table.ref == "bundled" else _version(source.path)
    return replace(model, identity=f"{table.ref} {file}")


def find_gguf(ref: str, role: Role = "decomposer") -> GGUFSource | None:
    """The GGUF file that a reference names, None if it names another kind of model.

    Raises:
        ModelReferenceError: If it names nothing known.
        ModelFileError: If the file is missing or no GGUF.
    """
    return _gguf_source(*_table(ref), role)


def _table(ref: str) -> tuple[str, ModelTable]:
    """The name that results show, and the settings behind it."""
    ref = ref.strip()
    if not ref or ":" in ref or ref == "bundled":
        return ref, ModelTable(ref)
    tables = load_settings().models
    if ref not in tables:
        raise _unknown(ref, list(tables))
    return ref, tables[ref]


def _unknown(ref: str, names: list[str]) -> ModelReferenceError:
    if ref.endswith(".gguf"):
        return ModelReferenceError(f"unknown model {ref!r}; did you mean gguf:{ref}?")
    own = f", or one of your names ({', '.join(names)})" if names else ""
    return ModelReferenceError(f"unknown model {ref!r}; use {FORMS}{own}.")


def _gguf_source(name: str, table: ModelTable, role: Role) -> GGUFSource | None:
    kind, _, rest = table.ref.partition(":")
    if table.ref == "bundled":
        path = bundled_model_path(role)
    elif kind == "gguf" and rest:
        path = download(rest[3:]) if rest.startswith("hf:") else os.path.expanduser(rest)
    else:
        return None
    return GGUFSource(name, path, table, read_contract(path))


def _chat_gguf(source: GGUFSource) -> ResolvedModel:
    from .chat_gguf import ChatGGUF

    table = source.table
    model = ChatGGUF(model_path=source.path, n_ctx=table.n_ctx, timeout=table.timeout)
    return ResolvedModel(source.name, model, source.contract, accepts_grammar=True, **_local(table))


def _from_text(name: str, table: ModelTable) -> ResolvedModel:
    kind, _, rest = table.ref.partition(":")
    from .hosted import DEFAULT_TIMEOUT, hosted_chat_model, without_credentials

    if len(kind) < 2 or not rest:  # A provider of one letter is a drive of Windows.
        raise _unknown(without_credentials(table.ref), [])
    if kind == "transformers":
        from .chat_transformers import chat_transformers

        return ResolvedModel(name, chat_transformers(rest, table.timeout), **_local(table))
    return ResolvedModel(
        without_credentials(name),
        hosted_chat_model(
            table.ref, api_key_env=table.api_key_env, timeout=table.timeout, n_ctx=table.n_ctx
        ),
        price_in=table.price_in,
        price_out=table.price_out,
        timeout=table.timeout or DEFAULT_TIMEOUT,
        limiter=limiter_for(table.ref, table.max_concurrency or _HOSTED_CONCURRENCY),
    )


def _local(table: ModelTable) -> dict[str, Any]:
    """A model in this process: one call at a time, free of charge unless priced."""
    return {
        "is_local": True,
        "price_in": table.price_in or 0.0,
        "price_out": table.price_out or 0.0,
        "limiter": limiter_for(table.ref, table.max_concurrency or 1),
    }


def _from_object(obj: Any) -> ResolvedModel:
    from langchain_core.runnables import Runnable, RunnableLambda

    if not isinstance(obj, Runnable):
        if isinstance(obj, type) or not callable(obj):
            raise ModelReferenceError(
                f"a model is a reference, a chat model, a Runnable or a function, not {obj!r}."
            )
        obj = RunnableLambda(obj)
    inner, *fallbacks = innermost_of_all(obj)
    for each in (inner, *fallbacks):
        refuse_without_messages(each)
    configurable, identity = is_configurable(obj), object_identity(obj)
    from .chat_gguf import ChatGGUF

    if isinstance(inner, ChatGGUF) and not configurable:
        contract, name = read_contract(inner.model_path), Path(inner.model_path).stem
        identity = f"{identity} {_version(inner.model_path)}"
        if fall_back_on_alike(name, contract, fallbacks):
            options: Any = {"accepts_grammar": True, **_local(ModelTable(name))}
            return ResolvedModel(name, obj, contract, identity=identity, **options)
    why = "doesn't understand what the model before it is asked: leave with_fallbacks out"
    refuse_trained(fallbacks, why)
    if configurable:
        why = "can't be another one for each call: leave configurable_fields and its like out"
        refuse_trained([inner], why)
    return ResolvedModel(object_name(obj), obj, identity=identity, configurable=configurable)


def _version(path: str) -> str:
    """Tells a file from others and from what it was before; another process finds the same."""
    path = os.path.realpath(os.path.expanduser(path))
    found = os.stat(path)
    return f"{path} {found.st_size} {found.st_mtime_ns}"
