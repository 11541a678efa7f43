"""A BPE tokenizer in llama.cpp's terms: tokens, merges or scores, and how text is cut first."""

from __future__ import annotations

import json
import logging
from typing import Any

from ...errors import UserError
from .any_messages import template_for_any_messages
from .gguf_sentencepiece import BYTES, add_sentencepiece, check_sentencepiece, is_sentencepiece

_logger = logging.getLogger(__name__)

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_MODERN = (
    _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
ONE_DIGIT = _MODERN % ""
"""How Qwen cuts text into words before BPE: each digit by itself."""
ONE_DIGIT_NAME = "qwen2"
"""What llama.cpp calls that."""
THREE_DIGITS = _MODERN % "{1,3}"
"""How LLaMA 3 does: digits by threes."""

# (cuts, whether a whole word that is a token skips the merges) -> llama.cpp's name.
_KNOWN = {
    (("byte-level words",), False): "gpt-2",
    (("single digits", "byte-level words"), False): "smollm",
    ((ONE_DIGIT, "byte-level"), False): ONE_DIGIT_NAME,
    ((THREE_DIGITS, "byte-level"), True): "llama-bpe",
    ((THREE_DIGITS, "byte-level"), False): "dbrx",
}
_ADVICE = "train with a byte-level BPE, or name llama.cpp's convert_hf_to_gguf.py as the converter"


def check_tokenizer(tokenizer: Any) -> None:
    """Refuse a tokenizer that llama.cpp doesn't know, or that can't write every text.

    Raises:
        UserError: With what is the matter.
    """
    parts = tokenizer_parts(tokenizer)
    if is_sentencepiece(parts):
        check_sentencepiece(parts)
    else:
        pre_tokenizer_name(parts)
        _check_bytes(parts["model"]["vocab"])


def add_tokenizer(writer: Any, tokenizer: Any, rows: int, other_ends: list[int]) -> None:
    """Write a tokenizer into a GGUF file.

    Args:
        writer: The `GGUFWriter`.
        tokenizer: A fast tokenizer of transformers.
        rows: Rows of the embedding; those without a token are marked as unused.
        other_ends: End tokens that the generation config names beside the tokenizer's own.

    Raises:
        UserError: If llama.cpp can't tokenise as this tokenizer does.
    """
    parts = tokenizer_parts(tokenizer)
    tokens, types = _tokens(parts, rows)
    if is_sentencepiece(parts):
        add_sentencepiece(writer, parts, tokens)
    else:
        _add_byte_level(writer, parts)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    _add_special_tokens(writer, tokenizer, other_ends)
    if template := exported_template(tokenizer):
        writer.add_chat_template(template)


def tokenizer_parts(tokenizer: Any) -> dict[str, Any]:
    """What is in a tokenizer.json.

    Raises:
        UserError: If it isn't a BPE of bytes or of letters.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    parts: dict[str, Any] = json.loads(backend.to_str()) if backend is not None else {}
    model = parts.get("model", {})
    if model.get("type") != "BPE":
        raise UserError(f"this tokenizer is no BPE; {_ADVICE}.")
    normalizer = None if is_sentencepiece(parts) else parts.get("normalizer")
    if normalizer and normalizer.get("type") != "NFC":
        raise UserError(
            f"llama.cpp doesn't know the tokenizer's normaliser {normalizer.get('type')!r}; "
            f"{_ADVICE}."
        )
    return parts


def pre_tokenizer_name(parts: dict[str, Any]) -> str:
    """llama.cpp's name of how text is cut before BPE, recognised from the rules themselves.

    Raises:
        UserError: If it is none of those known here.
    """
    pre = parts.get("pre_tokenizer") or {}
    steps = pre.get("pretokenizers", []) if pre.get("type") == "Sequence" else [pre]
    cuts = tuple(_cut(step) for step in steps)
    name = _KNOWN.get((cuts, bool(parts["model"].get("ignore_merges"))))
    if name is None:
        shown = " + ".join(cuts)
        raise UserError(f"the tokenizer cuts text in a way not known here ({shown}); {_ADVICE}.")
    return name


def without_first_space(tokenizer: Any) -> Any:
    """The tokenizer, no longer with a space before a text's very first word and before no other.

    llama.cpp puts one before every stretch of text or before none. Where the chat template begins
    with a control token, prompts never have that first word, and stay as they are.
    """
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    pre: Any = getattr(backend, "pre_tokenizer", None)
    if getattr(pre, "prepend_scheme", "") == "first":
        prompt = _prompt(tokenizer)
        if any(prompt.startswith(token) for token in tokenizer.get_added_vocab()):
            pre.prepend_scheme = "never"
            backend.pre_tokenizer = pre
    return tokenizer


def chat_template(tokenizer: Any) -> str:
    """The chat template, or "" if there is none; of several, the default one."""
    found = tokenizer.chat_template
    return str(found.get("default", "") if isinstance(found, dict) else found or "")


def exported_template(tokenizer: Any) -> str:
    """The chat template as a GGUF file gets it: one that renders any list of messages."""
    template, end = chat_template(tokenizer), tokenizer.eos_token or ""
    if not template:
        return ""
    return template_for_any_messages(template, tokenizer.bos_token or end, end)


def _add_byte_level(writer: Any, parts: dict[str, Any]) -> None:
    merges = [m if isinstance(m, str) else " ".join(m) for m in parts["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre_tokenizer_name(parts))
    writer.add_token_merges(merges)


def _cut(step: dict[str, Any]) -> str:
    """One step of a pre-tokenizer in a word, or as its regular expression."""
    match step:
        case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": use_regex}:
            return "byte-level words" if use_regex else "byte-level"
        case {"type": "Digits", "individual_digits": True}:
            return "single digits"
        case {
            "type": "Split",
            "pattern": {"Regex": regex},
            "behavior": "Isolated",
            "invert": False,
        }:
            return str(regex)
    return json.dumps(step, ensure_ascii=False)[:200]


def _tokens(parts: dict[str, Any], rows: int) -> tuple[list[str], list[int]]:
    import gguf

    vocabulary: dict[str, int] = parts["model"]["vocab"]
    added: list[dict[str, Any]] = parts.get("added_tokens", [])
    highest = max([*vocabulary.values(), *(token["id"] for token in added)])
    if highest >= rows:
        raise UserError(
            f"the tokenizer has {highest + 1} tokens but the model's embedding {rows} rows; "
            "they don't belong together."
        )
    tokens = [f"[PAD{i}]" for i in range(rows)]
    types = [int(gguf.TokenType.UNUSED)] * rows
    bytes_ = BYTES if is_sentencepiece(parts) else ()
    for text, i in vocabulary.items():
        kind = gguf.TokenType.BYTE if text in bytes_ else gguf.TokenType.NORMAL
        tokens[i], types[i] = text, int(kind)
    for token in added:
        kind = gguf.TokenType.CONTROL if token["special"] else gguf.TokenType.USER_DEFINED
        tokens[token["id"]], types[token["id"]] = token["content"], int(kind)
    return tokens, types


def _check_bytes(vocabulary: dict[str, int]) -> None:
    from tokenizers.pre_tokenizers import ByteLevel

    missing = [letter for letter in ByteLevel.alphabet() if letter not in vocabulary]
    if missing:
        raise UserError(
            f"the tokenizer lacks {len(missing)} of the 256 bytes, so some texts can't be "
            "written; train it with the byte-level initial alphabet."
        )


def _add_special_tokens(writer: Any, tokenizer: Any, other_ends: list[int]) -> None:
    end = tokenizer.eos_token_id
    if end is None:
        raise UserError("the tokenizer names no end token (eos_token), so no reply would end.")
    begin = tokenizer.bos_token_id
    # Left out, llama.cpp takes token 11 for it, whatever that is.
    writer.add_bos_token_id(end if begin is None else begin)
    writer.add_eos_token_id(end)
    if others := [token for token in other_ends if token != end]:
        writer.add_eot_token_id(others[0])
    if tokenizer.pad_token_id is not None:
        writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(begin is not None and _begins_with_bos(tokenizer))
    writer.add_add_eos_token(False)


def _begins_with_bos(tokenizer: Any) -> bool:
    """Whether a prompt begins with the begin token, as it did in training.

    With a chat template that is the template's affair: transformers adds nothing to it.
    """
    if not chat_template(tokenizer):
        return tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    return _prompt(tokenizer).startswith(tokenizer.bos_token)


def _prompt(tokenizer: Any) -> str:
    """A prompt by the chat template, or "" if it refuses whatever it is given."""
    user = {"role": "user", "content": "a"}
    for messages in ([user], [{"role": "system", "content": "a"}, user]):
        try:
            return str(tokenizer.apply_chat_template(messages, tokenize=False))
        except Exception as error:
            _logger.debug("the chat template refuses %d messages: %s", len(messages), error)
    return ""
