"""Settings that save memory or time and change nothing else, and a tokenizer of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("matplotlib")

from langgraph_decompose.distill.records import Example, write_examples  # noqa: E402
from langgraph_decompose.distill.train.tokenizer import train_tokenizer  # noqa: E402
from langgraph_decompose.distill.train.train import train  # noqa: E402
from langgraph_decompose.distill.train.training import Training  # noqa: E402

from .test_distill_train import TINY, examples, settings  # noqa: E402


@pytest.fixture
def data(tmp_path: Path) -> str:
    write_examples(tmp_path / "data.jsonl", examples())
    return str(tmp_path / "data.jsonl")


def first_update(directory: Path, data: str, **changes: Any) -> tuple[Training, int]:
    """A run after its first update, its gradients kept, and how many passes that took."""
    directory.mkdir()
    training = Training(settings(data, clip=1e9, **changes), directory, lambda _: None)
    passes: list[int] = []
    training.loss.register_forward_hook(lambda *_: passes.append(1))
    training.optimizers.step = lambda _: None  # It would move the weights and forget the gradients.
    training._update(done=0.0)
    return training, len(passes)


def assert_same_gradients(one: Training, other: Training) -> None:
    for p, q in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert p.grad.abs().max() > 0
        torch.testing.assert_close(q.grad, p.grad, atol=1e-6, rtol=1e-4)


def test_gradient_checkpointing_gives_the_same_gradients(data: str, tmp_path: Path) -> None:
    plain, _ = first_update(tmp_path / "plain", data)
    saving, _ = first_update(tmp_path / "saving", data, gradient_checkpointing=True)
    assert saving.model.is_gradient_checkpointing
    assert not plain.model.is_gradient_checkpointing
    assert_same_gradients(plain, saving)


def test_a_batch_in_small_passes_gives_the_same_gradients(data: str, tmp_path: Path) -> None:
    whole, one_pass = first_update(tmp_path / "whole", data)
    small, passes = first_update(tmp_path / "small", data, micro_tokens=128)
    assert one_pass == 1
    assert passes > 2
    assert_same_gradients(whole, small)


def test_a_student_from_scratch_may_have_a_given_tokenizer(data: str, tmp_path: Path) -> None:
    given = train_tokenizer(["pears and plums"], 290, tmp_path / "given")
    scratch = TINY | {"tokenizer": str(tmp_path / "given")}
    train(settings(data, max_steps=1, scratch=scratch), tmp_path / "out")
    assert not (tmp_path / "out/tokenizer").exists()
    found = transformers.AutoTokenizer.from_pretrained(tmp_path / "out/model")
    assert found.get_vocab() == given.get_vocab()
    student = transformers.AutoConfig.from_pretrained(tmp_path / "out/model")
    assert student.vocab_size == len(given) < TINY["vocab"]


def test_a_file_of_questions_that_are_never_split_is_told(data: str, tmp_path: Path) -> None:
    write_examples(tmp_path / "atomic.jsonl", [Example("1", "Who is Ada?")])
    said: list[str] = []
    stages = [{"data": [data, str(tmp_path / "atomic.jsonl")]}]
    train(settings(data, stages=stages, max_steps=1), tmp_path / "out", said.append)
    [told] = [line for line in said if "never to split" in line]
    assert "atomic.jsonl" in told
