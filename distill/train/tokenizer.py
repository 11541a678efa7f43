"""The tokenizer of a student trained from scratch: byte-level BPE that llama.cpp knows as `qwen2`.

Digits stand alone, so that numbers are copied digit by digit, and any bytes can be written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models.control_tokens import SPLIT, control_pattern, split_control_tokens, split_long_runs
from ...storage import writing
from ..export.gguf_tokenizer import ONE_DIGIT
from ..export.hf_model import save_tokenizer
from ..whole_files import folder_written_whole

PAD, BOS, END = "<|pad|>", "<|bos|>", "<|end|>"
SPECIAL = (PAD, BOS, END, "<|system|>", "<|user|>", "<|assistant|>")
MIN_VOCABULARY = 256 + len(SPECIAL)
"""Every byte and the special tokens; fewer can't write everything."""

_LEAD = "\ue000"
"""A letter that nobody uses, so that no tokenizer joins it with what follows."""

# Whatever the messages are like, the prompt isn't empty: an unknown role is the user's, content
# may be missing or a list of parts, and without any message the reply's beginning remains.
CHAT_TEMPLATE = """\
{%- for message in messages -%}
{%- set role = message['role'] -%}
{%- if role not in ['system', 'user', 'assistant'] -%}{%- set role = 'user' -%}{%- endif -%}
{{- '<|' + role + '|>' -}}
{%- if message['content'] is string -%}
{{- message['content'] -}}
{%- elif message['content'] is iterable and message['content'] is not mapping -%}
{%- for part in message['content'] -%}
{%- if part is string -%}{{- part -}}
{%- elif part is mapping and part['text'] is string -%}{{- part['text'] -}}{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<|end|>' -}}
{%- endfor -%}
{%- if add_generation_prompt or not messages -%}{{- '<|assistant|>' -}}{%- endif -%}"""


def train_tokenizer(texts: Iterable[str], vocabulary: int, directory: Path) -> Any:
    """Train and save a tokenizer of at most so many tokens; the same texts give the same one.

    Raises:
        UserError: If the files can't be written.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    cut_like_scratch(bpe)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=2,
        show_progress=False,
    )
    # Sorted, since merges of equal count would otherwise hang on the order of the data.
    bpe.train_from_iterator(sorted(texts), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=END,
        additional_special_tokens=list(SPECIAL[3:]),
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    with writing(directory), folder_written_whole(directory) as temporary:
        save_tokenizer(tokenizer, temporary)
    return tokenizer


def cut_like_scratch(bpe: Any) -> None:
    """Let a tokenizer cut text into words, before its merges, as students from scratch do."""
    from tokenizers import Regex, decoders, pre_tokenizers

    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(ONE_DIGIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()


def encode_samples(
    tokenizer: Any, samples: Sequence[tuple[list[dict[str, str]], str]]
) -> list[tuple[list[int], list[int]]]:
    """Token ids of each (messages, completion): the prompt, and the reply with its end.

    Text that spells a control token is encoded as text, as at inference, and a reply as what
    goes on from its prompt.
    """
    lead, skipped = _lead(tokenizer)
    pattern = control_pattern({*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()})
    pieces: list[str] = []
    counts: list[int] = []
    for messages, completion in samples:
        prompt = render(tokenizer, messages, pattern).split(SPLIT)
        reply = [lead + p for p in split_control_tokens(completion, pattern).split(SPLIT)]
        pieces += prompt + reply
        counts += [len(prompt), len(reply)]
    ids = iter(tokenizer(pieces, add_special_tokens=False)["input_ids"] if pieces else [])
    parts = [
        [token for _ in range(count) for token in next(ids)[begin:]]
        for count, begin in zip(counts, cycle((0, skipped)), strict=False)
    ]
    end = tokenizer.eos_token_id
    return [(prompt, [*reply, end]) for prompt, reply in zip(parts[::2], parts[1::2], strict=True)]


def _lead(tokenizer: Any) -> tuple[str, int]:
    """What to encode before a text that goes on from another, and how many tokens that makes.

    SentencePiece puts a space before each text that it is given: a plan that was learned with
    one begins as the grammar forbids. Other tokenizers need nothing.
    """
    texts = [_LEAD, "#1", f"{_LEAD}#1"]
    lead, alone, both = tokenizer(texts, add_special_tokens=False)["input_ids"]
    spaced = both[: len(lead)] == lead and both[len(lead) :] != alone
    return (_LEAD, len(lead)) if spaced else ("", 0)


def render(tokenizer: Any, messages: list[dict[str, str]], pattern: Any) -> str:
    """The prompt as text, with a `SPLIT` in whatever would forge a control token.

    Raises:
        UserError: If the tokenizer's chat template refuses the messages.
    """
    safe = [
        {**m, "content": split_long_runs(split_control_tokens(m["content"], pattern))}
        for m in messages
    ]
    try:
        return tokenizer.apply_chat_template(safe, add_generation_prompt=True, tokenize=False)
    except Exception as error:
        if len(safe) > 1 and safe[0]["role"] == "system":
            # Some templates know no system role; the runtime merges it in the same way.
            merged = f"{messages[0]['content']}\n\n{messages[1]['content']}"
            return render(tokenizer, [{**messages[1], "content": merged}, *messages[2:]], pattern)
        raise UserError(f"the student's chat template refuses the messages: {error}") from None
