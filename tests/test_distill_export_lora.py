"""What LoRA tuned, merged and exported, writes what it learnt, word for word."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gguf")
pytest.importorskip("peft")
pytest.importorskip("torch")

import numpy as np
from langgraph_decompose import ChatGGUF
from langgraph_decompose.distill.check.agreement import (
    compare,
    open_logits,
    predictions,
    reference_log_probabilities,
)
from langgraph_decompose.distill.export.contract_file import read_contract_file
from langgraph_decompose.distill.export.export import ExportSettings, export
from langgraph_decompose.distill.export.hf_model import load_model
from langgraph_decompose.distill.records import write_examples
from langgraph_decompose.distill.train.train import TrainSettings, train
from langgraph_decompose.errors import UserError

from . import distill_students as students

F16_TOLERANCE = 0.03
"""Largest difference of a log-probability of a learnt token."""


def tuned(kind: str, folder: Path) -> tuple[Any, Path]:
    """The tokenizer and folder of a random model that `train` tuned on the samples by LoRA."""
    tokenizer = students.tokenizer()
    students.save(students.student(kind, len(tokenizer)), tokenizer, folder / "base")
    write_examples(folder / "data.jsonl", students.examples())
    settings = TrainSettings(
        student=str(folder / "base"),
        stages=[{"data": [str(folder / "data.jsonl")]}],
        lora={"r": 16, "alpha": 32},
        learning_rate=1e-2,
        weight_decay=0,
        max_steps=200,
        batch_tokens=1024,
        row_tokens=128,
        device="cpu",
        threads=1,
    )
    train(settings, folder / "run")
    return tokenizer, folder / "run" / "model"


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_a_student_that_lora_tuned_writes_its_fifty_samples(kind: str, tmp_path: Path) -> None:
    tokenizer, folder = tuned(kind, tmp_path)
    reference = load_model(folder)
    wrong = [q for q, plan in students.SAMPLES if students.write(reference, tokenizer, q) != plan]
    assert not wrong, "transformers itself reproduces them"
    # Without its merged weights, so that export has to merge the adapter by itself.
    for adapter in (False, True):
        export(ExportSettings(()), folder / "adapter" if adapter else folder, tmp_path / "gguf")
        same_in_gguf(reference, tokenizer, tmp_path / "gguf" / "model-f16.gguf")
        shutil.rmtree(tmp_path / "gguf")


def same_in_gguf(reference: Any, tokenizer: Any, file: Path) -> None:
    """Every sample comes out word for word, every token as likely as in transformers."""
    with ChatGGUF(model_path=str(file)) as chat:
        for question, plan in students.SAMPLES:
            assert chat.invoke(students.messages(question)).text == plan
    pairs = [
        (students.prompt_ids(tokenizer, q), [*tokenizer(plan)["input_ids"], tokenizer.eos_token_id])
        for q, plan in students.SAMPLES
    ]
    expected = predictions(
        lambda ids, first: reference_log_probabilities(reference, ids, first), pairs
    )
    with open_logits(str(file), 256) as gguf:
        found = compare(expected, predictions(gguf.log_probabilities, pairs))
    assert found.equal == found.tokens > 500
    assert found.max_difference < F16_TOLERANCE
    assert np.isfinite(found.mean_difference)


def test_an_adapter_that_training_wrote_has_its_contract_beside_it(tmp_path: Path) -> None:
    contract = {"contract": "1", "roles": ["decomposer"], "final": "last", "n_ctx_trained": 128}
    (tmp_path / "decompose.json").write_text(json.dumps(contract))
    (tmp_path / "adapter").mkdir()
    assert read_contract_file(tmp_path / "adapter") == {}
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    assert read_contract_file(tmp_path / "adapter") == contract


def test_an_adapter_whose_base_model_is_gone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": null}')
    with pytest.raises(UserError, match="doesn't say what its base model is"):
        export(ExportSettings(()), tmp_path, tmp_path / "gguf")
