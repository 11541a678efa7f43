# ruff: noqa: E402 - what is tested imports torch
"""A student that gets more layers: the same at first, and able to learn with all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from langgraph_decompose.distill.train.deepen import deepened
from langgraph_decompose.distill.train.settings import TrainSettings
from langgraph_decompose.distill.train.student import load_student
from langgraph_decompose.errors import UserError

from . import distill_students as students

torch.set_num_threads(1)  # small products only wait for one another

IDS = torch.arange(24).reshape(2, 12)


@pytest.mark.parametrize("kind", students.CONFIGS)
@pytest.mark.parametrize("added", [1, 2])
def test_new_layers_change_nothing_until_they_are_trained(kind: str, added: int) -> None:
    student = students.student(kind, 50)
    grown = deepened(student, added).eval()
    assert grown.config.num_hidden_layers == 2 + added
    torch.testing.assert_close(grown(IDS).logits, student(IDS).logits, atol=1e-5, rtol=1e-5)


def test_after_the_first_step_every_part_of_a_new_layer_learns() -> None:
    grown = deepened(students.student("qwen3", 50), 2)
    steps = torch.optim.SGD(grown.parameters(), lr=0.01)
    for _ in range(2):
        steps.zero_grad()
        grown(IDS, labels=IDS).loss.backward()
        steps.step()
    layers = {n: p.grad for n, p in grown.named_parameters() if n.startswith("model.layers.")}
    assert [n for n, grad in layers.items() if grad is None or not grad.abs().max()] == []


def test_a_recipe_grows_the_student_that_it_goes_on_from(tmp_path: Path) -> None:
    tokenizer = students.tokenizer()
    folder = students.save(students.student("llama", len(tokenizer)), tokenizer, tmp_path / "small")
    data = [{"data": [{"path": "examples.jsonl"}]}]
    settings = TrainSettings(stages=data, student=str(folder), add_layers=1, max_steps=1)
    assert load_student(settings, tokenizer).config.num_hidden_layers == 3


def test_what_cant_grow_is_refused() -> None:
    with pytest.raises(UserError, match="has 2 layers: 'add_layers' can be 2 at most"):
        deepened(students.student("llama", 50), 3)
    config = students.transformers.AutoConfig.for_model("gpt_neox", hidden_size=64)
    config.update({"num_hidden_layers": 2, "vocab_size": 50, "num_attention_heads": 4})
    other = students.transformers.AutoModelForCausalLM.from_config(config)
    with pytest.raises(UserError, match="works for llama, mistral, qwen2, qwen3, not 'gpt_neox'"):
        deepened(other, 1)
