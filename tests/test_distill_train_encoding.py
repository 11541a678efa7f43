"""Files of examples as token ids, large ones side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langgraph_decompose.distill.generate import generate
from langgraph_decompose.distill.records import Example, write_examples
from langgraph_decompose.errors import UserError

pytest.importorskip("torch")
pytest.importorskip("transformers")

from langgraph_decompose.distill.train import encoding
from langgraph_decompose.distill.train.encoding import encode_files
from langgraph_decompose.distill.train.tokenizer import train_tokenizer


def test_processes_encode_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in (1, 2):
        write_examples(tmp_path / f"{seed}.jsonl", generate(40, seed, {"compare": 1, "chain": 1}))
    write_examples(tmp_path / "3.jsonl", [Example(id="x", question="Hello?", source="mine")])
    keys = [(str(tmp_path / f"{k}.jsonl"), ("decomposer",)) for k in (2, 3, 1)]
    tokenizer = train_tokenizer([e.problem for e in generate(200, 3, None)], 600, tmp_path / "t")
    alone = encode_files(keys, tokenizer, 110)
    monkeypatch.setattr(encoding, "_LARGE", 1000)
    together = encode_files(keys, tokenizer, 110)
    assert list(together) == keys
    for key, file in alone.items():
        other = together[key]
        assert np.array_equal(file.ids, other.ids)
        assert np.array_equal(file.sizes, other.sizes)
        assert (file.described, file.too_long) == (other.described, other.too_long)
    first = together[keys[0]]
    assert first.too_long > 0
    assert first.has_plans
    assert not together[keys[1]].has_plans
    samples = list(first)
    assert len(samples) + first.too_long == 40
    assert all(len(ids) <= 110 and 0 < prompt < len(ids) for ids, prompt in samples)
    assert tokenizer.decode(samples[0][0][samples[0][1] :]).startswith("#1 ")


def test_few_examples_are_in_memory_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.jsonl"
    write_examples(file, generate(40, 1, {"compare": 1, "chain": 1}))
    keys = [(str(file), ("decomposer",))]
    tokenizer = train_tokenizer([e.problem for e in generate(200, 3, None)], 600, tmp_path / "t")
    [whole] = encode_files(keys, tokenizer, 110).values()
    encode, held = encoding.encode_samples, []

    def encode_some(tokenizer: Any, samples: Any) -> Any:
        held.append(len(samples))
        return encode(tokenizer, samples)

    monkeypatch.setattr(encoding, "encode_samples", encode_some)
    monkeypatch.setattr(encoding, "_AT_ONCE", 7)
    [parts] = encode_files(keys, tokenizer, 110).values()
    assert held == [7, 7, 7, 7, 7, 5]
    assert np.array_equal(parts.ids, whole.ids)
    assert np.array_equal(parts.sizes, whole.sizes)
    assert (parts.described, parts.too_long) == (whole.described, whole.too_long)
    assert parts.has_plans


def test_a_file_with_nothing_to_learn_is_named(tmp_path: Path) -> None:
    write_examples(tmp_path / "mine.jsonl", [Example(id="x", question="Hello?")])
    tokenizer = train_tokenizer(["Hello?"] * 9, 300, tmp_path / "t")
    with pytest.raises(UserError, match="mine.jsonl' has nothing to learn for solver within 60"):
        encode_files([(str(tmp_path / "mine.jsonl"), ("solver",))], tokenizer, 60)
