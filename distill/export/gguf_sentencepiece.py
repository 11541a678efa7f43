"""SentencePiece in llama.cpp's terms: a BPE of letters, bytes for what has none, spaces as "▁"."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

from ...errors import UserError

_SPACE = "▁"
BYTES = frozenset(f"<0x{byte:02X}>" for byte in range(256))
"""Tokens that stand for a single byte each."""
_ADVICE = "use another student, or name llama.cpp's convert_hf_to_gguf.py as the converter"


def is_sentencepiece(parts: dict[str, Any]) -> bool:
    """Whether a tokenizer.json holds such a tokenizer, as those of LLaMA 2 and Mistral 7B."""
    return bool(parts["model"].get("byte_fallback"))


def check_sentencepiece(parts: dict[str, Any]) -> None:
    """Refuse what llama.cpp would cut otherwise, or can't write.

    Raises:
        UserError: With what is the matter.
    """
    _puts_a_space(parts)
    _scores(parts)
    if missing := BYTES - parts["model"]["vocab"].keys():  # llama.cpp would end the process.
        raise UserError(
            f"the tokenizer lacks {len(missing)} of the 256 byte tokens, so some texts can't be "
            "written; use a student whose tokenizer has them (<0x00> to <0xFF>)."
        )


def add_sentencepiece(writer: Any, parts: dict[str, Any], tokens: list[str]) -> None:
    """Write how llama.cpp is to cut text into these tokens.

    Args:
        writer: The `GGUFWriter`.
        parts: What is in a tokenizer.json.
        tokens: The token of each row of the embedding.

    Raises:
        UserError: If it can't be made to do as this tokenizer does.
    """
    scores = _scores(parts)
    lowest = -float(len(scores))  # Of letters, which nothing is merged into.
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_scores([scores.get(token, lowest) for token in tokens])
    writer.add_add_space_prefix(_puts_a_space(parts))
    unknown = parts["model"]["vocab"].get(parts["model"].get("unk_token"))
    if unknown is not None:
        writer.add_unk_token_id(unknown)


def _puts_a_space(parts: dict[str, Any]) -> bool:
    """Whether a space is put before every text, also after a control token, as in LLaMA 2.

    Raises:
        UserError: If it is put before some texts only: llama.cpp knows all or none.
    """
    replaced = {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE}
    put = {"type": "Prepend", "prepend": _SPACE}
    metaspace = {
        "type": "Metaspace", "replacement": _SPACE, "prepend_scheme": "never", "split": False,
    }  # fmt: skip
    spaces = parts.get("normalizer"), parts.get("pre_tokenizer")
    if spaces == ({"type": "Sequence", "normalizers": [put, replaced]}, None):
        return True
    if spaces in ((replaced, None), (None, metaspace)):
        return False
    raise UserError(
        "this SentencePiece tokenizer treats spaces in a way that llama.cpp doesn't know; "
        f"{_ADVICE}."
    )


def _scores(parts: dict[str, Any]) -> dict[str, float]:
    """What llama.cpp has in place of merges: the sooner a token is made, the higher its score.

    It joins any two neighbours that make a token, where the merges of a tokenizer.json name the
    pairs. With SentencePiece both come to the same, since all pairs are named.

    Raises:
        UserError: If some aren't.
    """
    added = {token["content"] for token in parts.get("added_tokens", [])}
    merges = [m.split(" ", 1) if isinstance(m, str) else m for m in parts["model"]["merges"]]
    named = [(left, right) for left, right in merges if left + right not in added]
    made = [left + right for left, right in named]
    order = {token: rank for rank, token in enumerate(dict.fromkeys(made))}
    ranks = [order[token] for token in made]
    possible = set(_possible(parts["model"]["vocab"], added | BYTES))
    if ranks != sorted(ranks) or set(named) != possible:
        raise UserError(
            "this tokenizer's merges aren't those of SentencePiece, so that llama.cpp would cut "
            f"text otherwise; {_ADVICE}."
        )
    return {token: -float(rank) for token, rank in order.items()}


def _possible(vocabulary: dict[str, int], whole: Set[str]) -> Iterator[tuple[str, str]]:
    """All pairs of tokens that make a token, but for those that are never made: `whole`."""
    for token in vocabulary.keys() - whole:
        for cut in range(1, len(token)):
            if token[:cut] in vocabulary and token[cut:] in vocabulary:
                yield token[:cut], token[cut:]
