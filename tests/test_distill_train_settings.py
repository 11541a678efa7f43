"""Settings of the train step, as they come from YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.distill.manifest import fingerprint
from langgraph_decompose.distill.train.train import Source, TrainSettings
from langgraph_decompose.errors import UserError

GOOD: dict[str, Any] = {"stages": [{"data": ["a.jsonl"]}], "max_steps": 1}


def test_settings_come_from_plain_mappings() -> None:
    settings = TrainSettings(
        stages=[
            {"data": ["a.jsonl"], "share": 0.2},
            {"data": ["a.jsonl", {"path": "b.jsonl", "weight": 0.5, "roles": ["solver"]}]},
        ],
        roles=["decomposer", "solver"],
        student="some/model",
        lora={"r": 8, "target_modules": ["q_proj"]},
        epochs=2,
    )
    assert settings.stages[1].data[1] == Source("b.jsonl", 0.5, ("solver",))
    assert [str(path) for path in settings.files] == ["a.jsonl", "b.jsonl"]
    assert settings.lora is not None
    assert settings.lora.target_modules == ("q_proj",)


def test_a_student_s_files_are_inputs_so_that_another_one_is_noticed(tmp_path: Path) -> None:
    data, student = tmp_path / "a.jsonl", tmp_path / "model"
    data.write_text("{}\n")
    student.mkdir()
    (student / "model.safetensors").write_bytes(b"first")
    settings = TrainSettings(stages=[{"data": [str(data)]}], max_steps=1, student=str(student))
    assert settings.files == [data, student / "model.safetensors"]
    before = fingerprint({}, settings.files)
    (student / "model.safetensors").write_bytes(b"trained anew")
    assert fingerprint({}, settings.files) != before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stages": []}, "needs 'stages'"),
        ({"stages": [{"data": []}]}, "a stage needs 'data'"),
        ({"stages": [{"data": [{"weight": 2}]}]}, "needs a 'path'"),
        ({"stages": [{"data": [{"path": "a", "weight": 0}]}]}, "weight of 'a'"),
        ({"stages": [{"data": ["a"], "shares": 1}]}, "'shares' is no setting of 'stage'"),
        ({"stages": [{"data": ["a"], "share": 0.6}] * 2}, "more than 1"),
        ({"roles": ["poet"]}, "no role 'poet'; known: decomposer"),
        ({"epochs": 1}, "one of 'max_steps', 'epochs' and 'max_minutes'"),
        ({"max_steps": 0}, "one of 'max_steps', 'epochs' and 'max_minutes'"),
        ({"device": "tpu"}, "'device' must be one of auto, cpu, cuda"),
        ({"lora": {"r": 4}}, "LoRA needs a trained student"),
        ({"lora": {"rank": 4}}, "'rank' is no setting of 'lora'"),
        ({"scratch": {"width": 100, "heads": 3}}, "'width' must be a multiple"),
        ({"scratch": {"vocab": 100}}, "'vocab' must be at least 262"),
        ({"scratch": 5}, "'scratch' must be a mapping"),
        ({"patience": 2}, "needs 'eval_data'"),
        ({"row_tokens": 9000}, "'row_tokens' must be"),
        ({"log_every": 0}, "'log_every' must be at least 1"),
    ],
)
def test_what_cant_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        TrainSettings(**(GOOD | change))
