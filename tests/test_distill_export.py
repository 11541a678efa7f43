"""export: a checkpoint becomes a GGUF file that says the same, token for token."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("transformers")
gguf = pytest.importorskip("gguf")
torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402
from langgraph_decompose.distill.check.agreement import (  # noqa: E402
    open_logits,
    reference_log_probabilities,
)
from langgraph_decompose.distill.check.tokenisation import differing, strings  # noqa: E402
from langgraph_decompose.distill.export.export import ExportSettings, export  # noqa: E402
from langgraph_decompose.distill.export.gguf_tokenizer import THREE_DIGITS  # noqa: E402
from langgraph_decompose.distill.export.quantize import quantize  # noqa: E402
from langgraph_decompose.errors import UserError  # noqa: E402
from langgraph_decompose.models.gguf_file import read_contract, read_metadata  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from tokenizers import Regex, models, normalizers, pre_tokenizers  # noqa: E402

from . import distill_students as students  # noqa: E402

F16_TOLERANCE = 0.02
"""Largest difference of a log-probability: weights and the KV cache are rounded to F16."""
NEAR_TIE = 0.003
"""Two tokens whose log-probabilities differ by less may change places."""
ONLY_F16 = ExportSettings(quantisations=())

LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500_000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
}  # fmt: skip
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "llama with biases": ("llama", {"attention_bias": True, "mlp_bias": True}),
    "llama, heads wider than the model": ("llama", {"head_dim": 32}),
    "llama, tied embeddings": ("llama", {"tie_word_embeddings": True}),
    "llama, a KV head for each head": ("llama", {"num_key_value_heads": 4}),
    "llama 3 rope": ("llama", {"rope_parameters": LLAMA3}),
    "linear rope": (
        "llama",
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 10_000.0, "factor": 4.0}},
    ),
    "mistral": ("mistral", {"head_dim": 32, "sliding_window": 64}),
    "qwen2": ("qwen2", {}),
    "qwen2, tied, rows to spare": ("qwen2", {"tie_word_embeddings": True, "spare": 13}),
    "qwen3": ("qwen3", {"head_dim": 32}),
}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    torch.set_num_threads(1)
    return students.tokenizer()


@pytest.fixture
def model_dir(tokenizer: Any, tmp_path: Path) -> Path:
    """An untrained LLaMA, as train leaves one."""
    model = students.student("llama", len(tokenizer))
    return students.save(model, tokenizer, tmp_path / "model")


@pytest.mark.parametrize("variant", VARIANTS)
def test_log_probabilities_are_those_of_transformers(
    variant: str, tokenizer: Any, tmp_path: Path
) -> None:
    kind, more = VARIANTS[variant]
    model = students.student(kind, len(tokenizer) + more.pop("spare", 0), **more)
    export(ONLY_F16, students.save(model, tokenizer, tmp_path / "hf"), tmp_path / "gguf")
    ids = np.random.RandomState(0).randint(7, len(tokenizer), 60).tolist()
    with open_logits(str(tmp_path / "gguf" / "model-f16.gguf"), 64) as gguf:
        found = gguf.log_probabilities(ids)
    expected = reference_log_probabilities(model, ids)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < F16_TOLERANCE
    # An untrained model has near ties, whose order hangs on the machine's rounding.
    second, first = np.sort(expected, axis=1)[:, -2:].T
    clear = first - second > NEAR_TIE
    assert clear.mean() > 0.9
    assert (found.argmax(axis=1) == expected.argmax(axis=1))[clear].all()


def test_a_model_with_a_window_is_exported_up_to_its_length(tokenizer: Any, tmp_path: Path) -> None:
    model = students.student("mistral", len(tokenizer), sliding_window=64)
    hf = students.save(model, tokenizer, tmp_path / "hf", n_ctx_trained=512)
    export(ONLY_F16, hf, tmp_path / "gguf")
    contract = read_contract(tmp_path / "gguf" / "model-f16.gguf")
    assert read_metadata(tmp_path / "gguf" / "model-f16.gguf")["llama.context_length"] == 64
    assert contract is not None
    assert contract.n_ctx_trained == 64, "what the runtime goes by"


def test_weights_that_lie_there_in_another_form_too_are_left_alone(
    model_dir: Path, tmp_path: Path
) -> None:
    other = {"layers.0.attention.wq.weight": torch.zeros(64, 64)}  # As Mistral's folders have it.
    save_file(other, model_dir / "consolidated.safetensors")
    export(ONLY_F16, model_dir, tmp_path / "whole")
    whole = model_dir / "model.safetensors"
    named = dict.fromkeys(load_file(whole), "model-00001-of-00001.safetensors")
    (model_dir / "model.safetensors.index.json").write_text(json.dumps({"weight_map": named}))
    whole.rename(model_dir / "model-00001-of-00001.safetensors")
    export(ONLY_F16, model_dir, tmp_path / "parts")
    files = [tmp_path / name / "model-f16.gguf" for name in ("whole", "parts")]
    assert files[0].read_bytes() == files[1].read_bytes()


CUTS: dict[str, tuple[Any, bool]] = {
    "qwen2": (None, False),
    "gpt-2": (pre_tokenizers.ByteLevel(add_prefix_space=False), False),
    "smollm": (
        students.words(
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ),
        False,
    ),
    "llama-bpe": (students.by_regex(THREE_DIGITS), True),
    "dbrx": (students.by_regex(THREE_DIGITS), False),
}


@pytest.mark.parametrize("name", CUTS)
def test_the_way_a_tokenizer_cuts_text_is_recognised(name: str, tmp_path: Path) -> None:
    cuts, ignore_merges = CUTS[name]
    tok = students.tokenizer(cuts, ignore_merges=ignore_merges)
    model = students.student("llama", len(tok))
    export(ONLY_F16, students.save(model, tok, tmp_path / "hf"), tmp_path / "gguf")
    file = tmp_path / "gguf" / "model-f16.gguf"
    assert read_metadata(file)["tokenizer.ggml.pre"] == name
    words = [word for pair in students.SAMPLES for word in pair[0].split()]
    assert not differing(tok, str(file), strings(2000, words, students.SPECIAL, seed=1))


def test_every_token_has_its_kind(tmp_path: Path) -> None:
    """No text may be cut into rows to spare, nor `<tool>` into letters."""
    tok = students.tokenizer()
    tok.add_tokens(["<tool>"])
    model = students.student("llama", len(tok) + 3)
    export(ONLY_F16, students.save(model, tok, tmp_path / "hf"), tmp_path / "gguf")
    reader = gguf.GGUFReader(tmp_path / "gguf" / "model-f16.gguf")
    found = reader.fields["tokenizer.ggml.token_type"].contents()
    kinds = gguf.TokenType
    assert found[tok.convert_tokens_to_ids("<tool>")] == kinds.USER_DEFINED
    assert found[tok.eos_token_id] == kinds.CONTROL
    assert found[-4:] == [kinds.USER_DEFINED, *[kinds.UNUSED] * 3]


def test_the_tokens_that_begin_and_end_a_text_are_told(tmp_path: Path) -> None:
    """A reply may end with another token than a text, and a prompt begin with one or not."""
    tok = students.tokenizer()
    for name, template in (("with", "{{ bos_token }}" + students.TEMPLATE), ("without", None)):
        tok.chat_template = template or students.TEMPLATE
        hf = students.save(students.student("llama", len(tok)), tok, tmp_path / name / "hf")
        ends = {"eos_token_id": [tok.eos_token_id, 4]}
        (hf / "generation_config.json").write_text(json.dumps(ends))
        export(ONLY_F16, hf, tmp_path / name / "gguf")
        found = read_metadata(tmp_path / name / "gguf" / "model-f16.gguf")
        assert found["tokenizer.ggml.eos_token_id"] == tok.eos_token_id
        assert found["tokenizer.ggml.eot_token_id"] == 4
        assert found["tokenizer.ggml.add_bos_token"] is (name == "with")


def test_the_file_says_what_it_was_trained_for(model_dir: Path, tmp_path: Path) -> None:
    counts = export(ExportSettings(name="films"), model_dir, tmp_path / "gguf")
    for name, row in counts.items():
        file = tmp_path / "gguf" / name
        contract = read_contract(file)
        assert contract is not None
        assert (contract.roles, contract.final) == (("decomposer",), "last")
        assert (contract.n_ctx_trained, contract.domain) == (256, "films")
        metadata = read_metadata(file)
        assert metadata["general.name"] == "films"
        assert metadata["decompose.licences"] == ["MIT"]
        assert json.loads(metadata["decompose.data"])[0]["examples"] == len(students.SAMPLES)
        assert row["bytes"] == file.stat().st_size
    assert counts["model-q8_0.gguf"]["bytes"] < 0.6 * counts["model-f16.gguf"]["bytes"]
    assert set(counts["model-q8_0.gguf"]["tensors"]) == {"Q8_0", "F32"}


@pytest.mark.parametrize("grounded", [True, False])
def test_the_file_says_whether_its_plans_are_held_to_the_question(
    grounded: bool, tokenizer: Any, tmp_path: Path
) -> None:
    model = students.student("llama", len(tokenizer))
    source = students.save(model, tokenizer, tmp_path / "hf", grounded=grounded)
    export(ONLY_F16, source, tmp_path / "gguf")
    contract = read_contract(tmp_path / "gguf" / "model-f16.gguf")
    assert contract is not None
    assert contract.grounded is grounded


def test_a_student_without_a_role_of_the_contract_is_a_general_model(
    tokenizer: Any, tmp_path: Path
) -> None:
    model = students.student("llama", len(tokenizer))
    source = students.save(model, tokenizer, tmp_path / "hf", roles=[])
    export(ONLY_F16, source, tmp_path / "gguf")
    assert read_contract(tmp_path / "gguf" / "model-f16.gguf") is None


def test_a_stranger_s_file_is_neither_replaced_nor_taken_for_an_unfinished_export_s(
    model_dir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "model-f16.gguf"
    file.write_bytes(b"GGUF of another model")
    with pytest.raises(UserError, match=r"f16.gguf' was there before, not made here"):
        export(ONLY_F16, model_dir, tmp_path)
    assert file.read_bytes() == b"GGUF of another model"


def test_rows_that_fill_no_block_get_a_larger_type(tokenizer: Any, tmp_path: Path) -> None:
    model = students.student("llama", len(tokenizer), intermediate_size=72)
    source = students.save(model, tokenizer, tmp_path / "hf")
    counts = export(ExportSettings(("q8_0", "q4_k_m")), source, tmp_path / "gguf")
    assert counts["model-q8_0.gguf"]["tensors"]["F16"] == 2, "ffn_down of both layers"
    assert "Q4_K" not in counts["model-q4_k_m.gguf"]["tensors"], "no row has 256 numbers"


def test_an_interrupted_export_goes_on(model_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "gguf"
    counts = export(ExportSettings(), model_dir, out)
    before = (out / "model-f16.gguf").read_bytes()
    (out / "model-q8_0.gguf").unlink()
    (out / ".model-q8_0.gguf.part").write_bytes(b"GGUF of a killed run")
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps(manifest | {"finished": False}))
    told: list[str] = []
    assert export(ExportSettings(), model_dir, out, told.append) == counts
    assert told == ["writing model-q8_0.gguf"]
    assert (out / "model-f16.gguf").read_bytes() == before
    assert not list(out.glob(".model*"))
    assert export(ExportSettings(), model_dir, out, told.append) == counts
    assert len(told) == 1, "a finished one isn't repeated"


def test_a_second_export_in_the_same_directory_is_refused(model_dir: Path, tmp_path: Path) -> None:
    """Two that write one file at once would leave holes in it."""

    def start_another(line: str) -> None:
        with pytest.raises(UserError, match="another process exports in .*; wait for it, or name"):
            export(ONLY_F16, model_dir, tmp_path / "gguf")

    export(ONLY_F16, model_dir, tmp_path / "gguf", start_another)


def test_a_file_that_was_moved_away_is_made_again(model_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "gguf"
    counts = export(ExportSettings(), model_dir, out)
    for name in counts:
        before = (out / name).read_bytes()
        (out / name).unlink()
        assert export(ExportSettings(), model_dir, out) == counts
        assert (out / name).read_bytes() == before


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """What a full disk does: no file grows beyond this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_one_sentence_and_leaves_nothing_behind(
    model_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "gguf"
    with files_up_to(60_000), pytest.raises(UserError, match="can't be written") as caught:
        export(ONLY_F16, model_dir, out)
    assert "\n" not in str(caught.value)
    assert not list(out.glob("*model*"))
    export(ONLY_F16, model_dir, out)
    said = "can't quantise 'model-f16.gguf'.*; is the disk full"
    with files_up_to(60_000), pytest.raises(UserError, match=said):
        quantize(out / "model-f16.gguf", out / "model-q8_0.gguf", "q8_0")
    assert [path.name for path in out.glob("*model*")] == ["model-f16.gguf"]


def test_a_disk_with_too_little_room_is_told_with_how_much_it_takes(
    model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=20_000_000))
    said = "has 20 MB free but writing the model takes 21 MB; make room"
    with pytest.raises(UserError, match=said):
        export(ONLY_F16, model_dir, tmp_path / "gguf")


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def gpt_neox(model_dir: Path) -> None:
    edit(model_dir / "config.json", model_type="gpt_neox")


def no_config(model_dir: Path) -> None:
    (model_dir / "config.json").unlink()


def no_tokenizer(model_dir: Path) -> None:
    (model_dir / "tokenizer.json").unlink()


def no_template(model_dir: Path) -> None:
    for path in (model_dir / "chat_template.jinja", model_dir / "tokenizer_config.json"):
        if path.suffix == ".jinja":
            path.unlink(missing_ok=True)
        else:
            edit(path, chat_template=None)


def broken_tokenizer(model_dir: Path) -> None:
    (model_dir / "tokenizer.json").write_text("{")


def broken_weights(model_dir: Path) -> None:
    path = model_dir / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def no_weights(model_dir: Path) -> None:
    (model_dir / "model.safetensors").unlink()


def with_parts(model_dir: Path, **changes: Any) -> None:
    tok = students.tokenizer()
    for name, value in changes.items():
        setattr(tok.backend_tokenizer, name, value)
    tok.save_pretrained(model_dir)


def other_cuts(model_dir: Path) -> None:
    with_parts(model_dir, pre_tokenizer=pre_tokenizers.Split(Regex(r"\w+"), "isolated"))


def lower_case(model_dir: Path) -> None:
    with_parts(model_dir, normalizer=normalizers.Lowercase())


def unigram(model_dir: Path) -> None:
    with_parts(model_dir, model=models.Unigram([("a", 0.0)]))


def yarn(model_dir: Path) -> None:
    rope = {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0}
    edit(model_dir / "config.json", rope_parameters=rope)


def gelu(model_dir: Path) -> None:
    edit(model_dir / "config.json", hidden_act="gelu")


def a_tensor_too_many(model_dir: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = model_dir / "model.safetensors"
    save_file(load_file(path) | {"model.layers.0.adapter.weight": torch.zeros(2, 2)}, path)


def not_a_number(model_dir: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = model_dir / "model.safetensors"
    found = load_file(path)
    found["model.norm.weight"][3] = float("nan")
    save_file(found, path)


def too_large(model_dir: Path) -> None:
    path = model_dir / "model.safetensors"
    found = load_file(path)
    found["model.embed_tokens.weight"][3, 3] = 1e5
    save_file(found, path)


def wrong_role(model_dir: Path) -> None:
    edit(model_dir / "decompose.json", roles=["planner"])


def no_list_of_data(model_dir: Path) -> None:
    edit(model_dir / "decompose.json", data=True)


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (gpt_neox, "architecture 'gpt_neox' isn't exported here .* name llama.cpp's"),
        (no_config, "holds no config.json"),
        (no_tokenizer, "has no tokenizer; save it beside"),
        (no_template, "has no chat template"),
        (broken_tokenizer, "tokenizer in .* can't be read"),
        (broken_weights, "model.safetensors' is damaged"),
        (no_weights, "holds no .safetensors weights"),
        (other_cuts, "cuts text in a way not known here"),
        (lower_case, "doesn't know the tokenizer's normaliser 'Lowercase'"),
        (unigram, "this tokenizer is no BPE"),
        (yarn, "rope scaling 'yarn' isn't exported here"),
        (gelu, "activation 'gelu' can't be exported"),
        (a_tensor_too_many, "'model.layers.0.adapter.weight' belongs to no llama model"),
        (not_a_number, "'output_norm.weight' holds NaN"),
        (too_large, r"'token_embd.weight' holds 1e\+05, more than F16 can"),
        (wrong_role, "roles in .* aren't decomposer, solver"),
        (no_list_of_data, "'data' in .* is no list of what it was trained on"),
    ],
)
def test_what_can_t_be_exported_is_refused_in_one_sentence(
    break_it: Any, reason: str, model_dir: Path, tmp_path: Path
) -> None:
    break_it(model_dir)
    with pytest.raises(UserError, match=reason) as caught:
        export(ONLY_F16, model_dir, tmp_path / "gguf")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "gguf").glob("*model*"))


def test_a_wrong_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no model directory"):
        export(ONLY_F16, tmp_path / "nowhere", tmp_path / "gguf")


def test_a_model_s_own_folder_isn_t_written_to(model_dir: Path) -> None:
    """With other settings one would be told to remove it."""
    with pytest.raises(UserError, match="is a folder that is read here; name another --out"):
        export(ONLY_F16, model_dir, model_dir / ".")
    assert not (model_dir / "manifest.json").exists()


@pytest.mark.parametrize(
    "settings", [{"quantisations": ["q9"]}, {"quantisations": "q8_0"}, {"converter": "no.py"}]
)
def test_settings_are_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"q8_0|converter"):
        ExportSettings(**settings)


CONVERTER = """
import shutil, sys
source, _, target, _, kind = sys.argv[1:]
assert kind == "f16"
shutil.copy(source + "/converted.gguf", target)
"""


def test_the_user_s_converter_writes_what_isn_t_exported_here(
    model_dir: Path, tmp_path: Path
) -> None:
    export(ONLY_F16, model_dir, tmp_path / "first")
    shutil.copy(tmp_path / "first" / "model-f16.gguf", model_dir / "converted.gguf")
    gpt_neox(model_dir)
    edit(model_dir / "decompose.json", domain="books")
    converter = tmp_path / "convert_hf_to_gguf.py"
    converter.write_text(CONVERTER)
    settings = ExportSettings(converter=str(converter), name="library")
    export(settings, model_dir, tmp_path / "gguf")
    for name in ("model-f16.gguf", "model-q8_0.gguf"):
        contract = read_contract(tmp_path / "gguf" / name)
        assert contract is not None
        assert contract.domain == "books"
        assert read_metadata(tmp_path / "gguf" / name)["general.name"] == "library"


def test_a_model_in_the_working_directory_is_called_as_that_is(
    model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model_dir)
    export(ONLY_F16, Path(), tmp_path / "gguf")
    assert read_metadata(tmp_path / "gguf" / "model-f16.gguf")["general.name"] == model_dir.name


def test_a_converter_that_fails_is_quoted(model_dir: Path, tmp_path: Path) -> None:
    converter = tmp_path / "convert_hf_to_gguf.py"
    converter.write_text("raise SystemExit('Model GPTNeoX is not supported')")
    with pytest.raises(UserError, match="failed: Model GPTNeoX is not supported"):
        export(ExportSettings(converter=str(converter)), model_dir, tmp_path / "gguf")
