"""Students with a SentencePiece tokenizer, as LLaMA 2, TinyLlama and Mistral 7B have one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gguf")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from langgraph_decompose import ChatGGUF  # noqa: E402
from langgraph_decompose.distill.check.tokenisation import differing, strings  # noqa: E402
from langgraph_decompose.distill.export.export import ExportSettings, export  # noqa: E402
from langgraph_decompose.distill.export.hf_model import load_model, load_tokenizer  # noqa: E402
from langgraph_decompose.distill.records import write_examples  # noqa: E402
from langgraph_decompose.distill.train.samples import samples  # noqa: E402
from langgraph_decompose.distill.train.tokenizer import encode_samples  # noqa: E402
from langgraph_decompose.distill.train.train import TrainSettings, train  # noqa: E402
from langgraph_decompose.errors import UserError  # noqa: E402
from langgraph_decompose.models.gguf_file import read_metadata  # noqa: E402
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers  # noqa: E402

from . import distill_students as students  # noqa: E402

ONLY_F16 = ExportSettings(quantisations=())
SPECIAL = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
# In the manner of Mistral 7B: a begin token, and no role for the system.
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('no system role') }}{% elif m['role'] == 'user' %}"
    "{{ '[INST] ' + m['content'] + ' [/INST]' }}{% else %}"
    "{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}"
)
LEGACY = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])


def metaspace(scheme: str) -> Any:
    return pre_tokenizers.Metaspace("▁", prepend_scheme=scheme, split=False)


SPACES: dict[str, tuple[Any, Any]] = {
    "before every text": (LEGACY, None),
    "before the first word": (None, metaspace("first")),
    "nowhere": (None, metaspace("never")),
    "nowhere, by a normaliser": (normalizers.Replace(" ", "▁"), None),
}


def vocabulary() -> dict[str, int]:
    """Control tokens, bytes, and what a BPE makes of the samples, the commonest first."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Metaspace("▁")
    trainer = trainers.BpeTrainer(
        vocab_size=800, special_tokens=[*SPECIAL, *BYTES], show_progress=False
    )
    bpe.train_from_iterator([text for pair in students.SAMPLES for text in pair], trainer)
    return bpe.get_vocab()


def merges_of(vocab: dict[str, int]) -> list[tuple[str, str]]:
    """All pairs that make a token, those of the earliest token first."""
    return [
        (token[:cut], token[cut:])
        for token in sorted(vocab.keys() - {*SPECIAL, *BYTES}, key=vocab.__getitem__)
        for cut in range(1, len(token))
        if token[:cut] in vocab and token[cut:] in vocab
    ]


def sentencepiece(spaces: tuple[Any, Any], **changes: Any) -> Any:
    """A tokenizer as SentencePiece's are in a tokenizer.json."""
    vocab = changes.get("vocab") or vocabulary()
    merges = changes.get("merges") or merges_of(vocab)
    bpe = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    bpe.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    normalizer, pre_tokenizer = spaces
    if normalizer:
        bpe.normalizer = normalizer
    if pre_tokenizer:
        bpe.pre_tokenizer = pre_tokenizer
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        additional_special_tokens=SPECIAL[3:], chat_template=changes.get("template", TEMPLATE),
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


def checkpoint(tokenizer: Any, folder: Path) -> Path:
    """A Mistral with that tokenizer, untrained."""
    model = students.student("mistral", len(tokenizer), sliding_window=None)
    return students.save(model, tokenizer, folder)


@pytest.mark.parametrize("spaces", SPACES)
def test_every_text_is_cut_as_before(spaces: str, tmp_path: Path) -> None:
    tokenizer = sentencepiece(SPACES[spaces])
    export(ONLY_F16, checkpoint(tokenizer, tmp_path / "hf"), tmp_path / "gguf")
    file = tmp_path / "gguf" / "model-f16.gguf"
    found = read_metadata(file)
    assert found["tokenizer.ggml.model"] == "llama"
    assert found["tokenizer.ggml.add_space_prefix"] is (spaces == "before every text")
    words = [word for pair in students.SAMPLES for word in pair[0].split()]
    texts = strings(3000, words, SPECIAL, seed=1)
    exported = load_tokenizer(tmp_path / "hf")
    assert not differing(exported, str(file), texts)
    asked = [{"role": "user", "content": " #1  Who? [INST]"}]
    prompts = [t.apply_chat_template(asked)["input_ids"] for t in (tokenizer, exported)]
    assert prompts[0] == prompts[1]


@pytest.mark.parametrize("spaces", ["before every text", "before the first word"])
def test_a_student_learns_and_writes_the_same_as_gguf(spaces: str, tmp_path: Path) -> None:
    """Plans begin with `#1`, although the tokenizer would put a space before it."""
    torch.set_num_threads(1)
    write_examples(tmp_path / "data.jsonl", [students.question(k) for k in range(12)])
    student = checkpoint(sentencepiece(SPACES[spaces]), tmp_path / "student")
    settings = TrainSettings(
        student=str(student), stages=[{"data": [str(tmp_path / "data.jsonl")]}], max_steps=120,
        batch_tokens=1024, row_tokens=256, device="cpu", threads=1, optimizer="adamw",
        learning_rate=5e-3,
    )  # fmt: skip
    train(settings, tmp_path / "train")
    export(ONLY_F16, tmp_path / "train/model", tmp_path / "gguf")
    model = load_model(tmp_path / "train/model")
    tokenizer = load_tokenizer(tmp_path / "train/model")
    with ChatGGUF(model_path=str(tmp_path / "gguf" / "model-f16.gguf")) as chat:
        for k in range(12):
            [(messages, plan)] = samples(students.question(k), "decomposer")
            [(prompt, _)] = encode_samples(tokenizer, [(messages, plan)])
            ids = model.generate(torch.tensor([prompt]), max_new_tokens=80, do_sample=False)
            assert tokenizer.decode(ids[0, len(prompt) :]) == f"{plan}</s>"
            assert chat.invoke(messages).text == plan


def no_byte_for_a_line_feed() -> Any:
    vocab = vocabulary()
    return sentencepiece(SPACES["nowhere"], vocab={t: i for t, i in vocab.items() if t != "<0x0A>"})


def a_space_before_texts_without_one() -> Any:
    return sentencepiece((None, metaspace("always")))


def a_space_before_the_first_word_of_a_prompt() -> Any:
    return sentencepiece(
        (None, metaspace("first")), template=TEMPLATE.replace("{{ bos_token }}", "User: ")
    )


def a_pair_that_isn_t_merged() -> Any:
    return sentencepiece(SPACES["nowhere"], merges=merges_of(vocabulary())[:-1])


def merges_of_one_token_apart() -> Any:
    merges = merges_of(vocabulary())
    made = [left + right for left, right in merges]
    twice = next(k for k, token in enumerate(made) if made.count(token) > 1)
    return sentencepiece(
        SPACES["nowhere"], merges=[*merges[:twice], *merges[twice + 1 :], merges[twice]]
    )


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (no_byte_for_a_line_feed, "lacks 1 of the 256 byte tokens"),
        (a_space_before_texts_without_one, "treats spaces in a way that llama.cpp doesn't know"),
        (a_space_before_the_first_word_of_a_prompt, "treats spaces in a way"),
        (a_pair_that_isn_t_merged, "merges aren't those of SentencePiece"),
        (merges_of_one_token_apart, "merges aren't those of SentencePiece"),
    ],
)
def test_what_llama_cpp_would_cut_otherwise_is_refused(
    make: Any, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=reason):
        export(ONLY_F16, checkpoint(make(), tmp_path / "hf"), tmp_path / "gguf")
    assert not (tmp_path / "gguf" / "model-f16.gguf").exists()
