"""What the train step costs beside a bare PyTorch loop, and on a GPU where its time goes.

    python benchmarks/training.py [--width 256 --layers 8 --batch-tokens 4608 --precision bf16]

Both train a model of one shape on the same packed batches, which the bare loop finds ready in
memory; steps of the two alternate, so that a busy machine is unfair to neither. The bare loop is
what one writes by hand: Transformers' own forward pass with all logits and PyTorch's attention
kernel, `torch.optim.Muon` and `torch.optim.AdamW`. The share of the matrix rate is the model's
arithmetic over what a large product in the same precision reaches on the same device.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from langgraph_decompose.distill.records import Example, write_examples
from langgraph_decompose.distill.train.optimizer import Muon
from langgraph_decompose.distill.train.packing import Rows
from langgraph_decompose.distill.train.student import load_student
from langgraph_decompose.distill.train.train import TrainSettings
from langgraph_decompose.distill.train.training import Training
from torch import nn

SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {
        "width": 256, "layers": 8, "heads": 4, "kv-heads": 2, "feed-forward": 768,
        "vocab": 6144, "batch-tokens": 4608, "row-tokens": 256, "steps": 6,
    }.items():  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        training = _training(args, Path(folder))
        print(json.dumps(_measure(training, args.steps), indent=2))


def _training(args: argparse.Namespace, folder: Path) -> Training:
    write_examples(folder / "data.jsonl", [_example(k) for k in range(4000)])
    settings = TrainSettings(
        stages=({"data": [str(folder / "data.jsonl")]},),  # type: ignore[arg-type]
        scratch={
            "width": args.width, "layers": args.layers, "heads": args.heads,
            "kv_heads": args.kv_heads, "feed_forward": args.feed_forward, "vocab": args.vocab,
        },  # type: ignore[arg-type]
        max_steps=10_000, batch_tokens=args.batch_tokens, row_tokens=args.row_tokens,
        device=args.device, precision=args.precision, compile=args.compile,
    )  # fmt: skip
    return Training(settings, folder, print)


def _example(k: int) -> Example:
    """As long as a word problem and its plan, of words so many that they fill a vocabulary."""
    draw = random.Random(k)
    words = ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(36)]
    texts = [" ".join(draw.choices(words, k=7)) + "?" for _ in range(3)]
    return Example(
        id=str(k),
        question=" ".join(words) + f" {k % 97} {k % 31}?",
        plan=tuple(
            {"id": n, "text": text, "needs": [n - 1] if n > 1 else []}
            for n, text in enumerate(texts, 1)
        ),
    )


def _measure(training: Training, steps: int) -> dict[str, Any]:
    device = training.place.device
    ours: list[float] = []
    bare: list[float] = []
    ready = [training._packed(training.curriculum.batch(0.0)) for _ in range(steps + 2)]
    ready = [[rows.to(device) for rows in batch] for batch in ready]
    step = _bare_loop(training)
    for number, batch in enumerate(ready):
        before = training.state.tokens
        seconds = _timed(device, lambda: training._update(0.0))
        ours.append((training.state.tokens - before) / seconds)
        seconds = _timed(device, lambda b=batch: step(b))
        bare.append(sum(rows.tokens for rows in batch) / seconds)
        if number < 2:  # warming up
            ours.clear(), bare.clear()
    result = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "vocabulary": training.model.config.vocab_size,
        "parameters": sum(p.numel() for p in training.model.parameters()),
        "train_tokens_per_second": round(statistics.median(ours)),
        "bare_tokens_per_second": round(statistics.median(bare)),
        "ratio": round(statistics.median(a / b for a, b in zip(ours, bare, strict=True)), 3),
    }
    batch = ready[-1]
    flops = _flops(training, batch)
    rate = flops / sum(rows.tokens for rows in batch) * statistics.median(ours)
    peak = _matrix_rate(device, training.place.bfloat16)
    result |= {"matrix_tflops": round(peak / 1e12, 2), "share_of_it": round(rate / peak, 3)}
    return result | {"seconds": _breakdown(training, batch)}


def _bare_loop(training: Training) -> Callable[[list[Rows]], None]:
    """What one would write by hand: forward, backward, clip, step."""
    settings, place = training.settings, training.place
    model: Any = load_student(settings, training.tokenizer).to(place.device).train()
    forward: Any = torch.compile(model) if settings.compile else model
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "layers" in n]
    rest = [p for n, p in model.named_parameters() if p.dim() < 2 or "layers" not in n]
    # PyTorch's Muon works in bfloat16 whatever the hardware, which is slow where it has no units.
    muon = torch.optim.Muon if place.bfloat16 else Muon
    optimizers = [muon(matrices, lr=0.02, weight_decay=0.01), torch.optim.AdamW(rest, lr=3e-3)]

    def step(batch: list[Rows]) -> None:
        weight = sum(len(rows.labels) for rows in batch)
        for rows in batch:
            seen = rows.owner[:, :, None] == rows.owner[:, None, :]
            labels = torch.full_like(rows.ids, -100).flatten()
            labels[rows.places] = rows.labels
            with place.autocast():
                logits = forward(
                    input_ids=rows.ids,
                    position_ids=rows.positions,
                    attention_mask=seen.tril()[:, None],
                    use_cache=False,
                ).logits
            logits = logits.flatten(0, 1).float()
            (nn.functional.cross_entropy(logits, labels, reduction="sum") / weight).backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    return step


def _flops(training: Training, batch: list[Rows]) -> float:
    """Of one update: matrices of the layers, attention over whole rows, the head where used."""
    config = training.model.config
    hidden = sum(p.numel() for n, p in training.model.named_parameters() if "layers" in n)
    total = 0.0
    for rows in batch:
        count, width = rows.ids.shape
        attention = 4 * width * config.hidden_size * config.num_hidden_layers
        total += 3 * count * width * (2 * hidden + attention)
        total += 3 * 2 * len(rows.labels) * config.hidden_size * config.vocab_size
    return total


def _breakdown(training: Training, batch: list[Rows]) -> dict[str, float]:
    """Seconds of one update's parts, the median of three; data is drawn, packed and sent."""
    model, device = training.model, training.place.device
    found: dict[str, list[float]] = {"data": [], "forward": [], "backward": [], "optimizer": []}

    def data() -> None:
        for rows in training._packed(training.curriculum.batch(0.0)):
            rows.to(device)

    def update() -> None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        training.optimizers.step(1.0)

    for _ in range(3):
        found["data"].append(_timed(device, data))
        losses: list[torch.Tensor] = []

        def forward(losses: list[torch.Tensor] = losses) -> None:
            with training.place.autocast():
                losses.extend(training.loss(rows) for rows in batch)

        found["forward"].append(_timed(device, forward))
        total = torch.stack(losses).sum() / 1e4
        found["backward"].append(_timed(device, total.backward))
        found["optimizer"].append(_timed(device, update))
    return {name: round(statistics.median(times), 4) for name, times in found.items()}


def _matrix_rate(device: torch.device, bfloat16: bool) -> float:
    """Floating-point operations a second of a large product, the best of six."""
    size = 8192 if device.type == "cuda" else 2048
    kind = torch.bfloat16 if bfloat16 else torch.float32
    a = torch.randn(size, size, device=device, dtype=kind)
    return 2 * size**3 / min(_timed(device, lambda: a @ a) for _ in range(6))


def _timed(device: torch.device, call: Callable[[], Any]) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
