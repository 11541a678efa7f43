"""Students that others trained: LoRA and full tuning of a small Qwen2 made here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.distill.check.agreement import (
    compare,
    open_logits,
    predictions,
    reference_log_probabilities,
)
from langgraph_decompose.distill.export.export import ExportSettings, export
from langgraph_decompose.distill.export.gguf_tokenizer import (
    THREE_DIGITS,
    pre_tokenizer_name,
    tokenizer_parts,
)
from langgraph_decompose.distill.export.hf_model import load_model, load_tokenizer
from langgraph_decompose.distill.records import write_examples
from langgraph_decompose.distill.train.samples import samples
from langgraph_decompose.distill.train.tokenizer import encode_samples, train_tokenizer
from langgraph_decompose.distill.train.train import TrainSettings, train
from langgraph_decompose.errors import UserError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("peft")

from . import distill_students as students  # noqa: E402
from .distill_students import question  # noqa: E402
from .test_distill_export_lora import F16_TOLERANCE  # noqa: E402

# The chat template of an instruct model, with other names for the roles than ours.
TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture
def data(tmp_path: Path) -> str:
    write_examples(tmp_path / "data.jsonl", [question(k) for k in range(20)])
    return str(tmp_path / "data.jsonl")


def checkpoint(kind: str, folder: Path) -> str:
    """An instruct checkpoint of an architecture, untrained."""
    texts = [question(k).question for k in range(50)]
    tokenizer = train_tokenizer(texts, 300, folder)
    tokenizer.add_special_tokens(
        {"eos_token": "<|im_end|>", "additional_special_tokens": ["<|im_start|>"]}
    )
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(
        kind, vocab_size=300, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
        tie_word_embeddings=True, initializer_range=0.1,
    )  # fmt: skip
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def qwen2(tmp_path: Path) -> str:
    return checkpoint("qwen2", tmp_path / "qwen2")


def settings(student: str, data: str, **changes: Any) -> TrainSettings:
    given: dict[str, Any] = {
        "student": student,
        "stages": [{"data": [data]}],
        "max_steps": 150,
        "batch_tokens": 1024,
        "row_tokens": 128,
        "device": "cpu",
        "threads": 1,
        "learning_rate": 2e-2,
        "lora": {"r": 16, "alpha": 32},
    }
    return TrainSettings(**(given | changes))


def logits(model: Any) -> Any:
    with torch.no_grad():
        return model(torch.arange(40)[None]).logits


def test_lora_learns_and_is_saved_as_adapter_and_merged(
    qwen2: str, data: str, tmp_path: Path
) -> None:
    from peft import PeftModel

    out = tmp_path / "out"
    # Adapters can't make a model of random weights: it has to know the form of a plan first.
    write_examples(tmp_path / "others.jsonl", [question(k) for k in range(30, 60)])
    others = settings(
        qwen2, str(tmp_path / "others.jsonl"), lora=None, learning_rate=5e-3, max_steps=150
    )
    train(others, tmp_path / "base")
    qwen2 = str(tmp_path / "base/model")
    counts = train(settings(qwen2, data, learning_rate=5e-3), out)
    assert counts["trained_parameters"] < counts["parameters"]
    assert counts["train_loss"] < 0.1
    before = transformers.AutoModelForCausalLM.from_pretrained(qwen2).eval()
    merged = transformers.AutoModelForCausalLM.from_pretrained(out / "model").eval()
    assert not torch.allclose(logits(before), logits(merged), atol=0.1)
    adapted = PeftModel.from_pretrained(before, str(out / "model/adapter")).eval()
    torch.testing.assert_close(logits(adapted), logits(merged), atol=1e-3, rtol=1e-3)
    # The student's own chat template stays, and replies end with its own token.
    tokenizer = transformers.AutoTokenizer.from_pretrained(out / "model")
    assert tokenizer.chat_template == TEMPLATE
    messages = [
        {"role": "system", "content": "decompose"},
        {"role": "user", "content": question(7).question},
    ]
    prompt = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    written = merged.generate(
        **prompt, max_new_tokens=80, do_sample=False, eos_token_id=tokenizer.eos_token_id
    )[0, prompt["input_ids"].shape[1] :]
    assert tokenizer.decode(written) == str(question(7).to_plan()) + "<|im_end|>"
    contract = json.loads((out / "model/decompose.json").read_text())
    assert contract["n_ctx_trained"] == 256


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_what_lora_trained_is_exported_as_it_was_merged(
    kind: str, data: str, tmp_path: Path
) -> None:
    student = checkpoint(kind, tmp_path / kind)
    train(settings(student, data, max_steps=12), tmp_path / "out")
    model_dir = tmp_path / "out" / "model"
    export(ExportSettings(quantisations=()), model_dir, tmp_path / "gguf")
    rows = [sample for k in range(20) for sample in samples(question(k), "decomposer")]
    pairs = encode_samples(load_tokenizer(model_dir), rows)

    def expected(ids: list[int], first: int) -> Any:
        return reference_log_probabilities(merged, ids, first)

    merged = load_model(model_dir)
    with open_logits(str(tmp_path / "gguf" / "model-f16.gguf"), 256) as gguf:
        found = compare(predictions(expected, pairs), predictions(gguf.log_probabilities, pairs))
    assert found.tokens > 500
    assert found.max_difference < F16_TOLERANCE


def test_all_weights_can_be_tuned(qwen2: str, data: str, tmp_path: Path) -> None:
    counts = train(
        settings(qwen2, data, lora=None, learning_rate=3e-3, max_steps=40), tmp_path / "out"
    )
    assert counts["trained_parameters"] == counts["parameters"]
    assert counts["train_loss"] < 2


def test_a_killed_lora_run_goes_on(qwen2: str, data: str, tmp_path: Path) -> None:
    def stop(line: str) -> None:
        if line.startswith("step 8:"):
            raise KeyboardInterrupt

    some = settings(
        qwen2, data, max_steps=10, save_every=6, log_every=2, lora={"r": 4, "dropout": 0.1}
    )
    with pytest.raises(KeyboardInterrupt):
        train(some, tmp_path / "stopped", stop)
    # Dropout draws the same numbers again.
    assert train(some, tmp_path / "stopped")["train_loss"] == pytest.approx(
        train(some, tmp_path / "whole")["train_loss"]
    )


@pytest.mark.parametrize(
    ("missing", "message"),
    [("eos_token", "has no end token"), ("chat_template", "has no chat template")],
)
def test_a_tokenizer_without_a_needed_part_is_refused(
    data: str, tmp_path: Path, missing: str, message: str
) -> None:
    # Not a Qwen2: transformers knows what that one's tokenizer has, and puts it back.
    folder = Path(llama := checkpoint("llama", tmp_path / "llama"))
    text = json.loads((folder / "tokenizer_config.json").read_text())
    text.pop(missing, None)
    (folder / "tokenizer_config.json").write_text(json.dumps(text))
    if missing == "chat_template":
        (folder / "chat_template.jinja").unlink(missing_ok=True)
        # Without our control tokens it can't be given our template either.
        content = (folder / "tokenizer.json").read_text()
        (folder / "tokenizer.json").write_text(content.replace("<|user|>", "<|usr|>"))
    with pytest.raises(UserError, match=message):
        train(settings(llama, data, max_steps=1), tmp_path / "out")


def test_a_student_s_tokenizer_cuts_as_its_file_says(data: str, tmp_path: Path) -> None:
    # transformers rebuilds a Qwen2's as Qwen's own, digit by digit and with one token more.
    own = students.tokenizer(students.by_regex(THREE_DIGITS))
    folder = students.save(students.student("qwen2", len(own)), own, tmp_path / "qwen2")
    train(settings(str(folder), data, lora=None, max_steps=1), tmp_path / "out")
    kept = load_tokenizer(tmp_path / "out" / "model")
    assert pre_tokenizer_name(tokenizer_parts(kept)) == "dbrx"
    assert len(kept) == len(own)


def test_settings_for_writing_that_can_t_be_saved_are_left_out(
    qwen2: str, data: str, tmp_path: Path
) -> None:
    """As of published models: a temperature without sampling, a token for padding that is none."""
    given = {"temperature": 0.9, "top_p": 0.6, "eos_token_id": [2, 5], "pad_token_id": -1}
    (Path(qwen2) / "generation_config.json").write_text(json.dumps(given))
    train(settings(qwen2, data, max_steps=1), tmp_path / "out")
    kept = json.loads((tmp_path / "out/model/generation_config.json").read_text())
    assert kept["eos_token_id"] == [2, 5], "the export reads them"
    assert kept["pad_token_id"] == load_tokenizer(Path(qwen2)).pad_token_id
    assert not {"temperature", "top_p"} & kept.keys()


def test_a_student_that_isnt_there_is_named(data: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no student '/nowhere'; check the path"):
        train(settings("/nowhere", data), tmp_path / "out")
    (tmp_path / "empty").mkdir()
    # Transformers 5.0 takes an empty folder for a tokenizer.
    with pytest.raises(UserError, match="can't be loaded|has no chat template"):
        train(settings(str(tmp_path / "empty"), data), tmp_path / "out2")


def test_a_damaged_student_is_named(qwen2: str, data: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(qwen2, tmp_path / "student"))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(UserError, match="student' can't be loaded: Error while deserializing"):
        train(settings(str(folder), data, max_steps=1), tmp_path / "out")


def test_layers_that_lora_cant_find_are_named(qwen2: str, data: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="LoRA can't be put on"):
        train(settings(qwen2, data, lora={"target_modules": ["nope"]}), tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Model with `tie_word_embeddings=True`")
@pytest.mark.parametrize("end", ["lm_head", "embed_tokens"])
def test_an_adapter_that_can_t_be_merged_is_refused(
    qwen2: str, data: str, tmp_path: Path, end: str
) -> None:
    with pytest.raises(UserError, match="are one matrix"):
        train(settings(qwen2, data, lora={"target_modules": ["q_proj", end]}), tmp_path / "out")
