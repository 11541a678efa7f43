"""An adapter, merged and exported, writes what it learnt, word for word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gguf")
peft = pytest.importorskip("peft")
torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402
from langgraph_decompose import ChatGGUF  # noqa: E402
from langgraph_decompose.distill.check.agreement import (  # noqa: E402
    compare,
    open_logits,
    predictions,
    reference_log_probabilities,
)
from langgraph_decompose.distill.export.contract_file import read_contract_file  # noqa: E402
from langgraph_decompose.distill.export.export import ExportSettings, export  # noqa: E402
from langgraph_decompose.distill.export.hf_model import load_model  # noqa: E402
from langgraph_decompose.errors import UserError  # noqa: E402

from . import distill_students as students  # noqa: E402

F16_TOLERANCE = 0.03
"""Largest difference of a log-probability of a learnt token."""


def adapter_of(kind: str, tokenizer: Any, directory: Path) -> tuple[Any, Path]:
    """A LoRA that has learnt the fifty samples on a random model, saved beside it."""
    base = students.student(kind, len(tokenizer))
    base.save_pretrained(directory / "base")
    base.config._name_or_path = base.name_or_path = str(directory / "base")
    lora = peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(base, lora)
    students.tune(model, tokenizer, students.SAMPLES, rate=1e-2, steps=250)
    return model, students.save(model, tokenizer, directory / "adapter")


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_an_adapter_is_merged_and_writes_its_fifty_samples(kind: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    tokenizer = students.tokenizer()
    model, adapter = adapter_of(kind, tokenizer, tmp_path)
    wrong = [q for q, plan in students.SAMPLES if students.write(model, tokenizer, q) != plan]
    assert not wrong, "transformers itself reproduces them"
    export(ExportSettings(()), adapter, tmp_path / "gguf")
    file = str(tmp_path / "gguf" / "model-f16.gguf")
    assert [path.name for path in (tmp_path / "gguf").iterdir() if path.is_dir()] == []

    with ChatGGUF(model_path=file) as chat:
        for question, plan in students.SAMPLES:
            assert chat.invoke([("system", "decompose"), ("user", question)]).text == plan

    pairs = [
        (students.prompt_ids(tokenizer, q), [*tokenizer(plan)["input_ids"], tokenizer.eos_token_id])
        for q, plan in students.SAMPLES
    ]
    reference = load_model(adapter)
    expected = predictions(
        lambda ids, first: reference_log_probabilities(reference, ids, first), pairs
    )
    with open_logits(file, 256) as gguf:
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
