"""SentencePiece in llama.cpp's terms: a BPE of letters, bytes for what has none, spaces as "▁"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import UserError

_SPACE = "▁"
_BYTES = frozenset(f"<0x{byte:02X}>" for byte in range(256))


def is_sentencepiece(parts: dict[str, Any]) -> bool:
    """Whether a tokenizer.json holds such a tokenizer, as those of LLaMA 2 and Mistral 7B."""
    return bool(parts["model"].get("byte_fallback"))


def is_byte(token: str) -> bool:
    """Whether a token stands for a single byte.

    Example:
        >>> is_byte("<0x0A>"), is_byte("A")
        (True, False)
    """
    return token in _BYTES


def check_bytes(vocabulary: dict[str, int]) -> None:
    """Refuse a vocabulary that can't write every text: llama.cpp would end the process.

    Raises:
        UserError: Saying how many bytes it lacks.
    """
    if missing := _BYTES - vocabulary.keys():
        raise UserError(
            f"the tokenizer lacks {len(missing)} of the 256 byte tokens, so some texts can't be "
            "written; use a student whose tokenizer has them (<0x00> to <0xFF>)."
        )


def puts_a_space(parts: dict[str, Any]) -> bool:
    """Whether a space is put before every text, also after a control token, as in LLaMA 2.

    Raises:
        UserError: If it is put before some texts only: llama.cpp knows all or none.
    """
    replaced = {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE}
    put = {"type": "Prepend", "prepend": _SPACE}
    metaspace = {
        "type": "Metaspace", "replacement": _SPACE, "prepend_scheme": "never", "split": False,
    }  # fmt: skip
    match parts.get("normalizer"), parts.get("pre_tokenizer"):
        case {"type": "Sequence", "normalizers": [a, b]}, None if [a, b] == [put, replaced]:
            return True
        case (normalizer, pre) if (normalizer, pre) in ((replaced, None), (None, metaspace)):
            return False
    raise UserError(
        "this SentencePiece tokenizer treats spaces in a way that llama.cpp doesn't know; use "
        "another student."
    )


def scores(parts: dict[str, Any]) -> dict[str, float]:
    """What llama.cpp has in place of merges: the sooner a token is made, the higher its score.

    It joins any two neighbours that make a token, where the merges of a tokenizer.json name the
    pairs. With SentencePiece both come to the same, since all pairs are named.

    Raises:
        UserError: If some aren't.
    """
    named = list(_named(parts))
    made = [left + right for left, right in named]
    order = {token: rank for rank, token in enumerate(dict.fromkeys(made))}
    ranks = [order[token] for token in made]
    if ranks != sorted(ranks) or set(named) != set(_possible(parts)):
        raise UserError(
            "this tokenizer's merges aren't those of SentencePiece, so that llama.cpp would cut "
            "text otherwise; use another student, or train one with a byte-level BPE."
        )
    return {token: -float(rank) for token, rank in order.items()}


def _named(parts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The pairs that the merges name, but for those that make a control token."""
    added = {token["content"] for token in parts.get("added_tokens", [])}
    for merge in parts["model"]["merges"]:
        left, right = merge.split(" ", 1) if isinstance(merge, str) else merge
        if left + right not in added:
            yield left, right


def _possible(parts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """All pairs of tokens that make a token."""
    vocabulary = parts["model"]["vocab"]
    added = {token["content"] for token in parts.get("added_tokens", [])}
    for token in vocabulary.keys() - added - _BYTES:
        for cut in range(1, len(token)):
            if token[:cut] in vocabulary and token[cut:] in vocabulary:
                yield token[:cut], token[cut:]
