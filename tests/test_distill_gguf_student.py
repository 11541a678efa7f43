"""Going on from a GGUF of this project: read back, it is the checkpoint that it was made from."""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("gguf")
torch = pytest.importorskip("torch")

from langgraph_decompose import ChatGGUF, bundled_model_path  # noqa: E402
from langgraph_decompose.distill.check.tokenisation import differing, strings  # noqa: E402
from langgraph_decompose.distill.export.contract_file import read_contract_file  # noqa: E402
from langgraph_decompose.distill.export.export import ExportSettings, export  # noqa: E402
from langgraph_decompose.distill.export.gguf_tokenizer import THREE_DIGITS  # noqa: E402
from langgraph_decompose.distill.manifest import fingerprint  # noqa: E402
from langgraph_decompose.distill.records import Example, write_examples  # noqa: E402
from langgraph_decompose.distill.train.gguf_student import (  # noqa: E402
    gguf_model,
    gguf_tokenizer,
)
from langgraph_decompose.distill.train.optimizer import optimizers_for  # noqa: E402
from langgraph_decompose.distill.train.train import TrainSettings, train  # noqa: E402
from langgraph_decompose.errors import UserError  # noqa: E402
from langgraph_decompose.models.gguf_file import read_metadata  # noqa: E402

from . import distill_students as students  # noqa: E402

BUNDLED = Path(bundled_model_path())
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "llama, heads wider than the model": ("llama", {"head_dim": 32}),
    "llama, tied embeddings": ("llama", {"tie_word_embeddings": True}),
    "qwen2": ("qwen2", {}),
    "qwen3": ("qwen3", {"head_dim": 32}),
}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    torch.set_num_threads(1)
    return students.tokenizer()


def exported(kind: str, tokenizer: Any, folder: Path, **more: Any) -> tuple[Any, Path]:
    model = students.student(kind, len(tokenizer), **more)
    saved = students.save(model, tokenizer, folder / "hf")
    export(ExportSettings(quantisations=()), saved, folder / "gguf")
    return model, folder / "gguf" / "model-f16.gguf"


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_weights_are_those_of_the_checkpoint(
    variant: str, tokenizer: Any, tmp_path: Path
) -> None:
    kind, more = VARIANTS[variant]
    model, file = exported(kind, tokenizer, tmp_path, **more)
    found = gguf_model(file).state_dict()
    assert found.keys() == model.state_dict().keys()
    for name, weights in model.state_dict().items():
        assert torch.allclose(found[name], weights, atol=1e-3), name
    ids = torch.arange(7, 60)[None]
    assert torch.allclose(gguf_model(file)(ids).logits, model(ids).logits, atol=0.02)


def test_the_tokenizer_cuts_as_before_and_as_llama_cpp(tokenizer: Any, tmp_path: Path) -> None:
    _, file = exported("qwen3", tokenizer, tmp_path)
    found = gguf_tokenizer(file)
    texts = strings(500, ["word", "#1"], students.SPECIAL)
    assert found(texts)["input_ids"] == tokenizer(texts)["input_ids"]
    messages = students.messages("Who?")
    assert found.apply_chat_template(messages) == tokenizer.apply_chat_template(messages)
    assert (found.eos_token, found.pad_token) == (tokenizer.eos_token, tokenizer.pad_token)
    bundled = gguf_tokenizer(BUNDLED)
    assert not differing(bundled, str(BUNDLED), texts)


def settings(data: Path, **more: Any) -> TrainSettings:
    values: dict[str, Any] = {"student": "bundled", "max_steps": 1, "learning_rate": 1e-9}
    return TrainSettings(stages=[{"data": [str(data)]}], precision="fp32", **{**values, **more})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    plan = ({"id": 1, "text": "Who?", "needs": []}, {"id": 2, "text": "Where? #1", "needs": [1]})
    example = Example("1", "Who is where?", plan=plan, source="mine", licence="CC0-1.0")
    write_examples(tmp_path / "mine.jsonl", [example])
    return tmp_path / "mine.jsonl"


def test_the_bundled_decomposer_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    train(settings(data, grounded=True), tmp_path / "train")
    export(ExportSettings(quantisations=()), tmp_path / "train" / "model", tmp_path / "gguf")
    question = "Who is the spouse of the director of Jaws?"
    plans: list[str] = []
    for file in (BUNDLED, tmp_path / "gguf" / "model-f16.gguf"):
        with ChatGGUF(model_path=str(file)) as model:
            plans.append(str(model.invoke([("system", "decompose"), ("user", question)]).content))
    assert plans[0] == plans[1]
    contract, own = read_contract_file(tmp_path / "train" / "model"), read_metadata(BUNDLED)
    assert contract["n_ctx_trained"] == own["decompose.n_ctx_trained"]
    before = [row["file"] for row in json.loads(own["decompose.data"])]
    assert [row["file"] for row in contract["data"]] == [*before, "mine"], (
        "what made it is told, too"
    )


def test_of_the_bundled_files_the_one_of_the_role_is_taken(data: Path) -> None:
    assert settings(data).files == [data, BUNDLED]
    solver = settings(data, roles=("solver",))
    assert solver.files == [data, Path(bundled_model_path("solver"))]


def test_a_folder_of_ours_goes_on_at_the_rates_of_its_file(data: Path, tmp_path: Path) -> None:
    train(settings(data), tmp_path / "train")
    model = gguf_model(BUNDLED)
    for student in ("bundled", str(tmp_path / "train" / "model")):
        chosen = settings(data, student=student, learning_rate=0.0)
        muon, adamw = optimizers_for(chosen, model, bfloat16=False).state_dict()
        assert [row["lr"] for row in muon["param_groups"]] == [2e-3]
        assert {row["lr"] for row in adamw["param_groups"]} == {1e-3}


@pytest.mark.parametrize(
    ("student", "said"),
    [
        ("gguf:nowhere.gguf", "there is no student 'gguf:nowhere.gguf'; check the path"),
        ("gguf:general.gguf", "wasn't trained by this project; name the model's Hugging Face"),
        ("gguf:answers.gguf", "was trained for no role of the contract; name the model's"),
        ("gguf:half.gguf", "'half.gguf' is cut off or damaged"),
        ("gguf:deep.gguf", "'deep.gguf' has damaged contract metadata; export it again"),
        ("gguf:three.gguf", "the tokenizer of 'three.gguf' can't be read back"),
        ("gguf:biased.gguf", "has tensors that aren't read back"),
    ],
)
def test_a_file_that_can_t_be_gone_on_from_is_refused(
    student: str, said: str, tokenizer: Any, data: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    _write(student.removeprefix("gguf:"), tokenizer, tmp_path)
    with pytest.raises(UserError, match=said):
        train(settings(data, student=student), tmp_path / "train")


def _write(name: str, tokenizer: Any, folder: Path) -> None:
    """A file with a fault."""
    if name in ("general.gguf", "answers.gguf"):
        model = students.student("llama", len(tokenizer))
        saved = students.save(model, tokenizer, folder / "hf", roles=[])
        if name == "general.gguf":
            (saved / "decompose.json").unlink()
        export(ExportSettings(quantisations=()), saved, folder / "gguf")
        shutil.copy(folder / "gguf" / "model-f16.gguf", name)
    elif name == "half.gguf":
        Path(name).write_bytes(BUNDLED.read_bytes()[:3_000_000])
    elif name == "deep.gguf":
        own = read_metadata(BUNDLED)["decompose.data"].encode()
        deep = b"[" * (len(own) + 32_000)  # A multiple of 32 more: so tensors are aligned.
        before, after = (struct.pack("<Q", len(text)) + text for text in (own, deep))
        Path(name).write_bytes(BUNDLED.read_bytes().replace(before, after))
    elif name == "three.gguf":
        other = students.tokenizer(students.by_regex(THREE_DIGITS), ignore_merges=True)
        shutil.copy(exported("llama", other, folder)[1], name)
    elif name == "biased.gguf":
        shutil.copy(exported("llama", tokenizer, folder, attention_bias=True)[1], name)


def test_a_file_named_otherwise_is_the_same_student(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(BUNDLED, tmp_path / "own.gguf")
    monkeypatch.chdir(tmp_path)
    short, long = (
        settings(data, student=f"gguf:{name}") for name in ("own.gguf", tmp_path / "own.gguf")
    )
    known = [fingerprint(asdict(found), found.files) for found in (short, long)]
    assert known[0] == known[1]
