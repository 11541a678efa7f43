"""What stands behind a model in `with_fallbacks`: it is asked in the same way, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ModelReferenceError
from .gguf_file import Contract, read_contract


def fall_back_on_alike(name: str, contract: Contract | None, fallbacks: list[Any]) -> bool:
    """Whether all that a GGUF falls back on can be asked as it is: they get the same call.

    Raises:
        ModelReferenceError: If they can't, and the GGUF can't be asked as they are.
    """
    from .chat_gguf import ChatGGUF

    def asked(contract: Contract | None) -> Any:
        return contract and (contract.roles, contract.final, contract.prompt_version)

    alike = all(
        isinstance(other, ChatGGUF) and asked(read_contract(other.model_path)) == asked(contract)
        for other in fallbacks
    )
    if contract and contract.roles and not alike:
        raise ModelReferenceError(
            f"{name!r} was trained for this project and is asked in a way that what it falls back "
            "on doesn't understand: leave with_fallbacks out, or name another model."
        )
    return alike


def refuse_trained(models: list[Any], why: str) -> None:
    """Refuse files trained for this project, where they can't be asked in their own way.

    Args:
        models: Chat models and whatever else.
        why: What is said of one: what is amiss, and what to leave out.

    Raises:
        ModelReferenceError: If there is one.
    """
    from .chat_gguf import ChatGGUF

    for path in [other.model_path for other in models if isinstance(other, ChatGGUF)]:
        contract = read_contract(path)
        if contract and contract.roles:
            name = repr(Path(path).stem)
            raise ModelReferenceError(
                f"{name} was trained for this project and {why}, or name another model."
            )
