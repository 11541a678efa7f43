"""Settings of the train step, as they come from YAML, and which of them decide what is learned."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.distill.manifest import fingerprint
from langgraph_decompose.distill.records import Example, write_examples
from langgraph_decompose.distill.train.mixture import Source
from langgraph_decompose.distill.train.train import TrainSettings, train
from langgraph_decompose.distill.yaml_settings import checked
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
        learning_rate="2e-4",  # As YAML reads it.
        epochs=2,
    )
    assert settings.stages[1].data[1] == Source("b.jsonl", 0.5, ("solver",))
    assert [str(path) for path in settings.files] == ["a.jsonl", "b.jsonl"]
    assert settings.lora is not None
    assert settings.lora.target_modules == ("q_proj",)
    assert settings.learning_rate == 2e-4
    assert checked(TrainSettings, GOOD, "'train'") == TrainSettings(**GOOD)


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


@pytest.mark.parametrize("name", ["model", "tokenizer"])
def test_a_folder_of_somebody_else_s_is_never_replaced(tmp_path: Path, name: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    data, student = tmp_path / "a.jsonl", tmp_path / name
    write_examples(data, [Example("1", "Who?")])
    student.mkdir()
    (student / "model.safetensors").write_bytes(b"mine")
    settings = TrainSettings(stages=[{"data": [str(data)]}], max_steps=1, student=str(student))
    with pytest.raises(UserError, match=rf"{name}' was there before, not made here"):
        train(settings, tmp_path)
    assert (student / "model.safetensors").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["checkpoint.pt", "best.pt", "log.jsonl", "curves.png"])
def test_a_file_of_somebody_else_s_is_never_replaced(tmp_path: Path, name: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    write_examples(tmp_path / "a.jsonl", [Example("1", "Who?")])
    (tmp_path / name).write_text("mine")
    settings = TrainSettings(stages=[{"data": [str(tmp_path / "a.jsonl")]}], max_steps=1)
    with pytest.raises(UserError, match=rf"{name}' was there before, not made here"):
        train(settings, tmp_path)
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("setting", ["student", "tokenizer"])
def test_a_folder_that_is_read_isn_t_written_to(tmp_path: Path, setting: str) -> None:
    """The next run would find other files in it, and have the student's folder removed."""
    student = tmp_path / "student"
    student.mkdir()
    what = (
        {"student": str(student)} if setting == "student" else {"scratch": {setting: str(student)}}
    )
    settings = TrainSettings(stages=[{"data": ["a.jsonl"]}], max_steps=1, **what)
    with pytest.raises(UserError, match="student' is a folder that is read here; name another"):
        train(settings, student / ".." / "student")
    assert not [*student.iterdir()]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stages": []}, "needs 'stages'"),
        ({"stages": [{"data": []}]}, "a stage needs 'data'"),
        ({"stages": [{"data": [{"weight": 2}]}]}, r"'stages.0.data.0.path': Field required"),
        ({"stages": [{"data": [{"path": "a", "weight": 0}]}]}, "weight of 'a'"),
        ({"stages": [{"data": ["a"], "shares": 1}]}, "no setting 'stages.0.shares'"),
        ({"stages": [{"data": ["a"], "share": 0.6}] * 2}, "more than 1"),
        ({"stages": [{"data": ["a"], "share": 1}, {"data": ["b"]}]}, "nothing for the one without"),
        ({"roles": ["poet"]}, "'roles.0': Input should be 'decomposer', 'solver'"),
        ({"epochs": 1}, "'max_steps' and 'epochs' exclude each other"),
        ({"max_steps": 0}, "needs 'max_steps', 'epochs' or 'max_minutes'"),
        ({"device": "tpu"}, "'device': Input should be 'auto', 'cpu' or 'cuda'"),
        ({"lora": {"r": 4}}, "LoRA needs a trained student"),
        ({"lora": {"rank": 4}}, "no setting 'lora.rank'"),
        ({"scratch": {"width": 100, "heads": 3}}, "'width' must be a multiple"),
        ({"scratch": {"vocab": 100}}, "'vocab' must be at least 262"),
        ({"scratch": 5}, "'scratch': Input should be a dictionary"),
        ({"patience": 2}, "needs 'eval_data'"),
        ({"row_tokens": 9000}, "'row_tokens' must be"),
        ({"log_every": 0}, "'log_every' must be at least 1"),
        ({"seed": 2**70}, "'seed' is at least 0 and below"),
        ({"seed": "x"}, "'seed': Input should be a valid integer"),
        ({"max_steps": "many"}, "'max_steps': Input should be a valid integer"),
        ({"compile": "perhaps"}, "'compile': Input should be a valid boolean"),
        ({"threads": -1}, "'threads' must be at least 0"),
        ({"prompt_weight": -3}, "'prompt_weight' must be at least 0"),
        ({"learning_rate": -1}, "'learning_rate' must be at least 0"),
        ({"floor": float("nan")}, "shares up to 1"),
    ],
)
def test_what_cant_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        TrainSettings(**(GOOD | change))


def test_what_decides_the_result_is_what_another_run_is_known_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was begun goes on with more threads, or where its files are named otherwise."""
    monkeypatch.chdir(tmp_path)
    for folder in ("data", "student"):
        (tmp_path / folder).mkdir()
    (tmp_path / "data/a.jsonl").write_text("{}\n")
    (tmp_path / "student/config.json").write_text("{}")
    short = TrainSettings(stages=[{"data": ["data/a.jsonl"]}], student="./student", max_steps=1)
    long = TrainSettings(
        stages=[{"data": [str(tmp_path / "data/a.jsonl")]}],
        student=str(tmp_path / "student"),
        max_steps=1,
        threads=7,
        log_every=1,
        micro_tokens=4096,
    )

    def known_by(settings: TrainSettings) -> str:
        return fingerprint(asdict(settings), settings.files)

    before = known_by(short)
    assert known_by(long) == before
    assert known_by(replace(short, seed=1)) != before
    (tmp_path / "student/config.json").write_text('{"changed": 1}')
    assert known_by(short) == known_by(long) != before


def test_a_tokenizer_s_files_are_inputs_too(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    settings = TrainSettings(**(GOOD | {"scratch": {"tokenizer": str(tmp_path)}}))
    assert settings.files[1:] == [tmp_path / "tokenizer.json"]
