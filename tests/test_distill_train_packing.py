# ruff: noqa: E402 - what is tested imports torch
"""Packed rows: samples don't see each other, and only completions carry loss."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import numpy as np
from langgraph_decompose.distill.train.device import can_compile
from langgraph_decompose.distill.train.optimizer import Muon, Optimizers, orthogonal, schedule
from langgraph_decompose.distill.train.packing import PACKED, CompletionLoss, Encoded, pack

torch.set_num_threads(1)  # small products only wait for one another

SIZES = {
    "vocab_size": 50,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
}
MORE = {"lfm2": {"layer_types": ["conv", "full_attention"]}}
LARGE = {"initializer_range": 0.2}
"""Weights so large that what a token sees of another sample shows."""


def model(kind: str, **more: Any) -> Any:
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.for_model(kind, **SIZES, **MORE.get(kind, {}), **more)
    ).eval()


def sample(length: int, prompt: int, seed: int) -> Encoded:
    ids = np.random.default_rng(seed).integers(1, 50, length).astype(np.int32)
    return ids, prompt


SAMPLES = [sample(9, 4, 1), sample(17, 12, 2), sample(5, 2, 3), sample(40, 20, 4)]


@pytest.mark.parametrize("kind", PACKED)
def test_logits_are_the_same_alone_and_packed(kind: str) -> None:
    student = model(kind, **LARGE)
    loss = CompletionLoss(student)
    [packed, wide] = sorted(pack(SAMPLES, 32, 128), key=lambda rows: rows.ids.shape[1])
    assert packed.ids.shape == (1, 32)
    assert wide.ids.shape == (1, 64)  # the sample of 40 doesn't fit a row of 32
    for rows, inside in ((packed, [SAMPLES[1], SAMPLES[0], SAMPLES[2]]), (wide, [SAMPLES[3]])):
        alone = [
            student(torch.from_numpy(ids[None].astype(np.int64))).logits[0, prompt - 1 : -1]
            for ids, prompt in inside
        ]
        torch.testing.assert_close(loss.logits(rows), torch.cat(alone), atol=1e-5, rtol=1e-4)


def test_compiled_layers_give_the_same_loss_and_gradients() -> None:
    if not can_compile(torch.device("cpu")):  # Here, since trying takes seconds.
        pytest.skip("torch.compile doesn't work here")
    found: list[list[torch.Tensor]] = []
    for compiled in (False, True):
        student = model("llama")
        loss_of = CompletionLoss(student, compiled)
        [rows] = pack(SAMPLES, 64, 128, 0.3)
        loss = loss_of(rows)
        loss.backward()
        found.append([loss.detach(), *(p.grad for p in student.parameters() if p.grad is not None)])
    assert len(found[0]) > 10
    for plain, by_compiler in zip(*found, strict=True):
        torch.testing.assert_close(by_compiler, plain, atol=1e-4, rtol=1e-3)


def test_only_completions_are_learned() -> None:
    [rows] = pack(SAMPLES[:3], 32, 32)
    longest_first = (SAMPLES[1], SAMPLES[0], SAMPLES[2])
    assert rows.labels.tolist() == [t for ids, prompt in longest_first for t in ids[prompt:]]
    assert rows.weights.tolist() == [1.0] * len(rows.labels)
    assert rows.tokens == 31


def test_prompts_may_count_a_little_but_never_their_first_token() -> None:
    [rows] = pack([SAMPLES[0]], 16, 16, prompt_weight=0.1)
    assert rows.labels.tolist() == list(SAMPLES[0][0][1:])
    assert rows.weights.tolist() == pytest.approx([0.1] * 3 + [1.0] * 5)


def test_no_token_is_lost_and_no_row_overfull() -> None:
    many = [sample(3 + 7 * k % 60, 2, k) for k in range(200)]
    packed = pack(many, 32, 256)
    assert sum(rows.tokens for rows in packed) == sum(len(ids) for ids, _ in many)
    assert {rows.ids.shape[1] for rows in packed} == {32, 64}
    assert all(rows.ids.numel() <= 256 for rows in packed)


@pytest.mark.parametrize("kind", ["llama", "lfm2", "bloom"])
def test_the_loss_is_the_sum_over_completions(kind: str) -> None:
    """Also where convolutions (LFM2) or positions (BLOOM) run on from sample to sample."""
    student = model(kind, **LARGE)
    [rows] = pack(SAMPLES[:3], 32, 32)
    expected = 0.0
    for ids, prompt in SAMPLES[:3]:
        tokens = torch.from_numpy(ids[None].astype(np.int64))
        labels = tokens.clone()
        labels[:, :prompt] = -100
        expected += student(tokens, labels=labels).loss.item() * (len(ids) - prompt)
    assert CompletionLoss(student)(rows).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("bfloat16", [False, True])
def test_muon_moves_matrices_along_orthogonal_directions(bfloat16: bool) -> None:
    torch.manual_seed(0)
    for shape in ((2, 16, 48), (2, 48, 16)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(*shape), bfloat16))
        assert values.min() > 0.3
        assert values.max() < 1.4


def test_muon_s_steps_by_hand() -> None:
    """Nesterov's momentum, a decay of its own, and tall matrices that move further."""
    weight = torch.nn.Parameter(torch.arange(8.0).reshape(4, 2))
    muon, expected, moved = Muon([weight], 0.1, 0.9, 0.5), weight.detach().clone(), 0.0
    for gradient in torch.randn(2, 4, 2, generator=torch.Generator().manual_seed(0)):
        weight.grad = gradient.clone()
        muon.step()
        moved = 0.9 * moved + gradient
        update = orthogonal((gradient + 0.9 * moved)[None])[0]
        expected = expected * (1 - 0.1 * 0.5) - 0.1 * 2**0.5 * update
        torch.testing.assert_close(weight.detach(), expected)


@pytest.mark.parametrize("muon", [True, False])
def test_matrices_alone_decay_and_at_the_rate_of_the_moment(muon: bool) -> None:
    student = model("llama")
    before = {name: p.detach().clone() for name, p in student.named_parameters()}
    rate, other = 0.6, 1.0
    both = Optimizers(student, muon, *((other, rate) if muon else (rate, other)), 0.1)
    for factor in (0.5, 0.5):  # of the first rate, not of the last one
        for p in student.parameters():
            p.grad = torch.zeros_like(p)
        both.step(factor)
    for name, p in student.named_parameters():
        is_matrix = "layers" in name and p.dim() == 2
        kept = (1 - 0.5 * rate * 0.1) ** 2 if is_matrix else 1
        torch.testing.assert_close(p.detach(), before[name] * kept)


def test_every_weight_has_one_optimizer() -> None:
    student = model("llama")
    both = Optimizers(student, True, 1e-3, 0.02, 0.01)
    muon, adam = both._all
    in_muon = {id(p) for group in muon.param_groups for p in group["params"]}
    in_adam = {id(p) for group in adam.param_groups for p in group["params"]}
    named = dict(student.named_parameters())
    assert not in_muon & in_adam
    assert in_muon | in_adam == set(map(id, named.values()))
    assert in_muon == {id(p) for n, p in named.items() if "layers" in n and p.dim() == 2}


def test_the_rate_rises_stays_and_falls() -> None:
    def rate(step: int, done: float) -> float:
        return schedule(step, done, warmup=10, constant=0.4, floor=0.1)

    assert rate(0, 0.0) == pytest.approx(0.1)
    assert rate(4, 0.04) == pytest.approx(0.5)
    assert rate(1, 0.05) == pytest.approx(0.5), "a short training warms up for a tenth of it"
    assert rate(20, 0.2) == rate(40, 0.4) == 1.0
    assert rate(70, 0.7) == pytest.approx(0.55)
    assert rate(100, 1.0) == pytest.approx(0.1)
