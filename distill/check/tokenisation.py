"""Whether llama.cpp cuts text into the same tokens as the tokenizer of the checkpoint."""

from __future__ import annotations

import os
import random
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...errors import ModelFileError
from ...models.llama import llama_cpp, quiet

_SCRIPTS = (
    (0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x17F), (0x391, 0x3C9), (0x410, 0x44F), (0x5D0, 0x5EA),
    (0x627, 0x64A), (0x905, 0x939), (0xE01, 0xE2E), (0x10D0, 0x10F0), (0x3041, 0x3096),
    (0x30A1, 0x30FA), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3), (0x300, 0x36F), (0x660, 0x669),
)  # fmt: skip
_EMOJI = ("🙂", "👩‍🔬", "🇫🇷", "❤️", "👍🏽", "🏳️‍🌈", "𝔘𝔫𝔦", "①", "½", "™", "…", "—", "“”", "€5")
_SPACES = (" ", "  ", "\t", "\n", "\r\n", "\n\n", " \n ", "\u00a0", "\u3000", "\u200b", "    ")
_CODE = (
    "def f(x):", "return x[0] += 1", "a->b::c", '{"k": [1, 2]}', "</p>", "\\n", "x_1=='y'",
    "SELECT * FROM t;", "// TODO:", "<- #1", "#2", 'f"{a!r}"', "$HOME/.x", "it's", "I'LL",
)  # fmt: skip
_PUNCTUATION = ".,;:!?'\"()[]{}<>|/\\-_=+*&^%$#@~`"
_LOOK_ALIKES = (
    "<|end|>", "<|user|>", "<|im_start|>", "</s>", "<s>", "<|", "|>", "[INST]", "<|end",
    "<|assistant|>", "<|endoftext|>", "<|eot_id|>", "< |end|>", "<|END|>",
)  # fmt: skip


def strings(count: int, words: list[str], controls: list[str], seed: int = 0) -> list[str]:
    """Texts of all kinds: words, numbers, scripts, emoji, white space, code, bytes, look-alikes.

    `words` are those of the model's own data, `controls` the tokenizer's control tokens.
    """
    rng = random.Random(seed)
    return [_string(rng, words or ["word"], controls) for _ in range(count)]


def _string(rng: random.Random, words: list[str], controls: list[str]) -> str:
    pieces = [_piece(rng, words, controls) for _ in range(rng.randint(1, 12))]
    return rng.choice(("", " ", " ", rng.choice(_SPACES))).join(pieces)


def _piece(rng: random.Random, words: list[str], controls: list[str]) -> str:
    kind = rng.randrange(12)
    if kind <= 3:
        word = rng.choice(words)
        return rng.choice((word, word.upper(), word.title(), word + rng.choice(_PUNCTUATION)))
    if kind == 4:
        return rng.choice(
            (f"{rng.random() * 10 ** rng.randint(0, 9):,.2f}", str(rng.getrandbits(40)))
        )
    if kind == 5:
        begin, end = rng.choice(_SCRIPTS)
        letters = [chr(rng.randint(begin, end)) for _ in range(rng.randint(1, 8))]
        return "".join(c for c in letters if unicodedata.category(c) != "Cn")
    if kind == 6:
        return "".join(rng.choice(_EMOJI) for _ in range(rng.randint(1, 3)))
    if kind == 7:
        return "".join(rng.choice(_SPACES) for _ in range(rng.randint(1, 6)))
    if kind == 8:
        return rng.choice(_CODE)
    if kind == 9:
        return "".join(rng.choice(_PUNCTUATION) for _ in range(rng.randint(1, 6)))
    if kind == 10:
        return rng.choice((*_LOOK_ALIKES, *controls))
    return rng.randbytes(rng.randint(1, 12)).decode("utf-8", errors="replace")


def differing(tokenizer: Any, path: str, texts: list[str]) -> list[str]:
    """The texts that a GGUF file's vocabulary tokenises otherwise than the tokenizer.

    Each is tried with control tokens read, as in a template, and as plain text, as what a
    user writes. llama.cpp does no Unicode normalisation: where the tokenizer does (NFC), texts
    are given normalised to both.

    Raises:
        ModelFileError: If llama.cpp can't read the vocabulary.
    """
    from tokenizers.normalizers import NFC

    backend = tokenizer.backend_tokenizer
    if isinstance(backend.normalizer, NFC):
        texts = [backend.normalizer.normalize_str(text) for text in texts]
    found: dict[str, None] = {}
    with _vocabulary(path) as tokenize:
        for as_text in (False, True):
            before, backend.encode_special_tokens = backend.encode_special_tokens, as_text
            try:
                encoded = backend.encode_batch(texts, add_special_tokens=False)
            finally:
                backend.encode_special_tokens = before
            for text, ids in zip(texts, encoded, strict=True):
                if tokenize(text, not as_text) != ids.ids:
                    found[text] = None
    return list(found)


@contextmanager
def _vocabulary(path: str) -> Iterator[Any]:
    """A function (text, special) -> ids, from the file's vocabulary alone."""
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    with quiet() as said:
        model = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise ModelFileError(f"llama.cpp can't read the vocabulary of {path!r}: {said()}.")
    vocab = llama_cpp.llama_model_get_vocab(model)

    def tokenize(text: str, special: bool) -> list[int]:
        data = text.encode()
        buffer = (llama_cpp.llama_token * (len(data) + 8))()
        count = llama_cpp.llama_tokenize(
            vocab, data, len(data), buffer, len(buffer), False, special
        )
        return list(buffer[: max(count, 0)])

    try:
        yield tokenize
    finally:
        llama_cpp.llama_model_free(model)
