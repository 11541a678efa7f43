"""check, the release gate: a good file passes, and every kind of damage is found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("transformers")
gguf = pytest.importorskip("gguf")
torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402
from langgraph_decompose.distill.check import gate  # noqa: E402
from langgraph_decompose.distill.check.agreement import Prediction, open_logits  # noqa: E402
from langgraph_decompose.distill.check.check import check, publish  # noqa: E402
from langgraph_decompose.distill.check.greedy import Reply, reference_replies  # noqa: E402
from langgraph_decompose.distill.check.model_card import model_card  # noqa: E402
from langgraph_decompose.distill.check.quality import (  # noqa: E402
    by_metric,
    measured,
    read_figures,
)
from langgraph_decompose.distill.check.reference import ask_checkpoint  # noqa: E402
from langgraph_decompose.distill.check.settings import CheckSettings  # noqa: E402
from langgraph_decompose.distill.export.export import ExportSettings, export  # noqa: E402
from langgraph_decompose.distill.records import Example  # noqa: E402
from langgraph_decompose.distill.train.samples import Sample  # noqa: E402
from langgraph_decompose.errors import UserError  # noqa: E402
from langgraph_decompose.models.gguf_file import read_contract, read_metadata  # noqa: E402
from langgraph_decompose.plan import parse_plan  # noqa: E402

from . import distill_students as students  # noqa: E402

SETTINGS = CheckSettings(strings=1000, samples=50, prompts=20)
EXAMPLES = [
    Example(id=str(i), question=question, plan=tuple(parse_plan(plan).to_rows()))
    for i, (question, plan) in enumerate(students.SAMPLES)
]


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaMA that has learnt its fifty plans."""
    torch.set_num_threads(1)
    tok = students.tokenizer()
    model = students.student("llama", len(tok))
    students.tune(model, tok, students.SAMPLES, rate=3e-3, steps=150)
    return students.save(model, tok, tmp_path_factory.mktemp("student") / "model")


@pytest.fixture(scope="module")
def exported(model_dir: Path) -> Path:
    export(ExportSettings(), model_dir, model_dir.parent / "gguf")
    return model_dir.parent / "gguf"


@pytest.fixture(scope="module")
def checked(model_dir: Path, exported: Path) -> Path:
    """The reports on the two good files."""
    files = [exported / "model-f16.gguf", exported / "model-q8_0.gguf"]
    rows = [{"set": "DEV", "good plans": 0.8}]
    out = model_dir.parent / "check"
    found = check(
        SETTINGS, model_dir, files, EXAMPLES, out, quality=rows, measured_on="model-q8_0.gguf"
    )
    assert found == {"passed": True, "failures": {}}
    return out


def test_a_good_file_passes_every_check(checked: Path) -> None:
    reports = json.loads((checked / "check.json").read_text())
    assert set(reports) == {"model-f16.gguf", "model-q8_0.gguf"}
    f16 = reports["model-f16.gguf"]
    assert {finding["name"] for finding in f16["findings"]} == {
        "contract metadata",
        "tokenisation",
        "same likeliest token",
        "difference of log-probabilities",
        "chat template",
        "prompts as in training",
        "same replies (decomposer)",
        "valid under the grammar (decomposer)",
        "made-up names and numbers",
    }
    assert f16["agreement"]["equal"] == f16["agreement"]["tokens"] > 500
    assert f16["agreement"]["max_difference"] < 0.02
    assert f16["speed"]["decomposer"]["tokens_per_second"] > 0
    assert "model-f16.gguf: passed" in (checked / "check.md").read_text()


def test_the_card_says_what_a_user_has_to_know(checked: Path) -> None:
    card = (checked / "model-q8_0.md").read_text()
    for text in ("decomposer", "films", "256 tokens", "Q8_0", "MIT", "| films |", "| DEV | 0.8 |",
                 "same likeliest token", "tokens/s"):  # fmt: skip
        assert text in card


def test_each_card_says_which_file_the_figures_are_of(checked: Path) -> None:
    for name in ("model-f16.md", "model-q8_0.md"):
        assert "Measured on `model-q8_0.gguf`.\n\n| set |" in (checked / name).read_text()


def test_a_finished_check_isn_t_repeated(model_dir: Path, exported: Path, checked: Path) -> None:
    files = [exported / "model-f16.gguf", exported / "model-q8_0.gguf"]
    told: list[str] = []
    rows = [{"set": "DEV", "good plans": 0.8}]
    found = check(SETTINGS, model_dir, files, EXAMPLES, checked, told.append, rows)
    assert found["passed"]
    assert not told


def test_only_the_file_that_passed_is_published(
    exported: Path, checked: Path, tmp_path: Path
) -> None:
    target = tmp_path / "made" / "for it" / "decompose.gguf"
    publish(exported / "model-q8_0.gguf", target, checked, loosened=True)
    assert read_contract(target) is not None
    assert target.with_suffix(".md").read_text() == (checked / "model-q8_0.md").read_text()
    changed = tmp_path / "model-q8_0.gguf"
    changed.write_bytes(target.read_bytes() + b"x")
    with pytest.raises(UserError, match="isn't what was checked"):
        publish(changed, tmp_path / "other" / "model.gguf", checked)
    assert not (tmp_path / "other").exists()


def test_a_card_that_was_taken_away_is_named(exported: Path, checked: Path, tmp_path: Path) -> None:
    shutil.copytree(checked, tmp_path / "check", ignore=shutil.ignore_patterns("*.md"))
    file, target = exported / "model-q8_0.gguf", tmp_path / "decompose.gguf"
    with pytest.raises(UserError, match=r"model-q8_0.md' can't be read: No such file"):
        publish(file, target, tmp_path / "check", loosened=True)
    assert not target.exists()


@pytest.mark.parametrize("name", ["model-q8_0.md", "check.json", "check.md"])
def test_a_report_that_was_taken_away_is_made_again(
    name: str, model_dir: Path, exported: Path, checked: Path, tmp_path: Path
) -> None:
    shutil.copytree(checked, tmp_path / "check", ignore=shutil.ignore_patterns(name))
    files = [exported / "model-f16.gguf", exported / "model-q8_0.gguf"]
    rows, told = [{"set": "DEV", "good plans": 0.8}], list[str]()
    found = check(SETTINGS, model_dir, files, EXAMPLES, tmp_path / "check", told.append, rows)
    assert found["passed"]
    assert told
    assert (tmp_path / "check" / name).is_file()


def test_a_loosened_check_publishes_nothing_unasked(
    exported: Path, checked: Path, tmp_path: Path
) -> None:
    """This module's checks are small ones."""
    with pytest.raises(UserError, match=r"strings 1,000, not 10,000; .*--loosened"):
        publish(exported / "model-q8_0.gguf", tmp_path / "decompose.gguf", checked)
    assert not list(tmp_path.iterdir())


def test_what_wasn_t_there_to_be_tried_loosens_a_check_too(
    model_dir: Path, exported: Path, tmp_path: Path
) -> None:
    file = exported / "model-f16.gguf"
    check(CheckSettings(strings=1000), model_dir, [file], EXAMPLES[:3], tmp_path / "check")
    less = "strings 1,000, not 10,000; samples 3, not 400; prompts 3, not 200"
    for name in ("model-f16.md", "check.md"):
        assert f"The release gate asks for more: {less}." in (tmp_path / "check" / name).read_text()
    with pytest.raises(UserError, match=less):
        publish(file, tmp_path / "decompose.gguf", tmp_path / "check")


def test_figures_of_evaluation_sets_get_into_the_card(
    exported: Path, checked: Path, tmp_path: Path
) -> None:
    figures = tmp_path / "figures.json"
    figure = {"value": 0.25, "low": 0.2, "high": 0.31, "n": 200}
    row = {"dataset": "SVAMP", "metric": "dag right", "figure": figure}
    figures.write_text(json.dumps([row]))
    target = tmp_path / "decompose.gguf"
    rows = by_metric(read_figures(figures))
    publish(exported / "model-q8_0.gguf", target, checked, evaluation=rows, loosened=True)
    card = target.with_suffix(".md").read_text()
    assert card.index("## Evaluation") < card.index("0.250 (0.200 to 0.310; 200)")
    assert card.index("0.250 (0.200") < card.index("## Limits")
    for wrong in ({"dataset": 1}, row | {"figure": figure | {"value": [0.25]}}):
        figures.write_text(json.dumps([wrong]))
        with pytest.raises(UserError, match="holds no figures"):
            read_figures(figures)


def rows_unpermuted(file: Path, _: Path) -> None:
    """What forgetting llama.cpp's order of q and k gives."""
    for tensor in gguf.GGUFReader(file, "r+").tensors:
        heads = {"attn_q": 4, "attn_k": 2}.get(tensor.name.split(".")[-2], 0)
        if heads:
            pairs = tensor.data.reshape(heads, -1, 2, tensor.data.shape[-1])
            tensor.data[:] = pairs.swapaxes(1, 2).reshape(tensor.data.shape).copy()


def block_negated(file: Path, _: Path) -> None:
    for tensor in gguf.GGUFReader(file, "r+").tensors:
        if tensor.name == "blk.1.ffn_down.weight":
            tensor.data[:32] *= -1


def norms_forgotten(file: Path, _: Path) -> None:
    for tensor in gguf.GGUFReader(file, "r+").tensors:
        if tensor.name.endswith("_norm.weight"):
            tensor.data[:] = 1


def export_changed(file: Path, model_dir: Path, change: Callable[[Any], None]) -> None:
    """The file of a student whose tokenizer is another one."""
    copy = file.parent / "changed"
    shutil.copytree(model_dir, copy)
    change(copy)
    export(ExportSettings(()), copy, file.parent / "again")
    shutil.move(file.parent / "again" / "model-f16.gguf", file)


def tokens_swapped(file: Path, model_dir: Path) -> None:
    def swap(copy: Path) -> None:
        path = copy / "tokenizer.json"
        parts = json.loads(path.read_text())
        vocabulary = parts["model"]["vocab"]
        vocabulary["a"], vocabulary["e"] = vocabulary["e"], vocabulary["a"]
        path.write_text(json.dumps(parts))

    export_changed(file, model_dir, swap)


def digits_together(file: Path, model_dir: Path) -> None:
    """Digits cut by threes where the student learnt them one by one, and merged."""

    def cut(copy: Path) -> None:
        path = copy / "tokenizer.json"
        parts = json.loads(path.read_text())
        split = parts["pre_tokenizer"]["pretokenizers"][0]["pattern"]
        split["Regex"] = split["Regex"].replace(r"\p{N}|", r"\p{N}{1,3}|")
        vocabulary = parts["model"]["vocab"]
        last = max(vocabulary, key=vocabulary.get)
        vocabulary["12"] = vocabulary.pop(last)
        parts["model"]["merges"][-1] = ["1", "2"]
        path.write_text(json.dumps(parts))

    export_changed(file, model_dir, cut)


def other_template(file: Path, model_dir: Path) -> None:
    def strict(copy: Path) -> None:
        text = "{% if messages[0]['role'] != 'system' %}{{ raise_exception('no') }}{% endif %}"
        (copy / "chat_template.jinja").write_text(text + students.TEMPLATE)

    export_changed(file, model_dir, strict)


def purpose_forgotten(file: Path, model_dir: Path) -> None:
    """As of a file that was converted past the export: it would get the general prompts."""
    export_changed(file, model_dir, lambda copy: (copy / "decompose.json").unlink())


def other_purpose(file: Path, model_dir: Path) -> None:
    def solve(copy: Path) -> None:
        path = copy / "decompose.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"roles": ["solver"]}))

    export_changed(file, model_dir, solve)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (rows_unpermuted, "same likeliest token"),
        (block_negated, "same likeliest token"),
        (norms_forgotten, "difference of log-probabilities"),
        (tokens_swapped, "tokenisation"),
        (digits_together, "tokenisation"),
        (other_template, "chat template"),
        (purpose_forgotten, "contract metadata: nothing, not decomposer, last"),
        (other_purpose, "contract metadata: solver, last, not decomposer, last"),
    ],
)
def test_a_damaged_file_fails_and_isn_t_published(
    damage: Callable[[Path, Path], None],
    found: str,
    model_dir: Path,
    exported: Path,
    tmp_path: Path,
) -> None:
    file = Path(shutil.copy(exported / "model-f16.gguf", tmp_path / "model.gguf"))
    damage(file, model_dir)
    result = check(SETTINGS, model_dir, [file], EXAMPLES, tmp_path / "check")
    assert not result["passed"]
    assert any(sentence.startswith(found) for sentence in result["failures"]["model.gguf"])
    assert "model.gguf: failed" in (tmp_path / "check" / "check.md").read_text()
    with pytest.raises(UserError, match="isn't published: "):
        publish(file, tmp_path / "published.gguf", tmp_path / "check")
    assert not (tmp_path / "published.gguf").exists()


def of_another_checkpoint(file: Path) -> None:
    tok = students.tokenizer(size=400)
    other = students.save(students.student("llama", len(tok)), tok, file.parent / "other")
    export(ExportSettings(()), other, file.parent / "again")
    shutil.move(file.parent / "again" / "model-f16.gguf", file)


def cut_off(file: Path) -> None:
    """Within its last tensor, so that all else in it can be read."""
    file.write_bytes(file.read_bytes()[:-50])


def nonsense(file: Path) -> None:
    for tensor in gguf.GGUFReader(file, "r+").tensors:
        tensor.data[:] = np.nan


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (of_another_checkpoint, "it is of another one"),
        (nonsense, "no token of this model fits"),
        (cut_off, "is cut off or damaged"),
    ],
)
def test_a_file_that_llama_cpp_can_t_run_fails_and_the_others_are_checked(
    damage: Callable[[Path], None],
    reason: str,
    model_dir: Path,
    exported: Path,
    tmp_path: Path,
) -> None:
    file = Path(shutil.copy(exported / "model-f16.gguf", tmp_path / "broken.gguf"))
    damage(file)
    files = [file, exported / "model-q8_0.gguf"]
    result = check(SETTINGS, model_dir, files, EXAMPLES, tmp_path / "check")
    assert [*result["failures"]] == ["broken.gguf"]
    assert result["failures"]["broken.gguf"][-1].startswith("llama.cpp runs it: no (")
    assert reason in result["failures"]["broken.gguf"][-1]
    assert "model-q8_0.gguf: passed" in (tmp_path / "check" / "check.md").read_text()


def test_a_broken_file_has_no_figures_for_its_card(exported: Path, tmp_path: Path) -> None:
    file = Path(shutil.copy(exported / "model-f16.gguf", tmp_path / "broken.gguf"))
    nonsense(file)
    told: list[str] = []
    assert measured(file, {"own": EXAMPLES[:1]}, told.append) == []
    assert told[-1].startswith("the quality of broken.gguf can't be measured: no token")


def test_files_of_one_name_are_refused(model_dir: Path, exported: Path, tmp_path: Path) -> None:
    file = exported / "model-f16.gguf"
    copy = Path(shutil.copy(file, tmp_path / "model-f16.gguf"))
    with pytest.raises(UserError, match="several files 'model-f16'"):
        check(SETTINGS, model_dir, [copy, file], EXAMPLES, tmp_path / "check")


def test_the_context_is_no_longer_than_what_is_asked(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a model of others was made for would take gigabytes."""
    opened: list[int] = []

    def open_noting(path: str, n_ctx: int) -> Any:
        opened.append(n_ctx)
        return open_logits(path, n_ctx)

    monkeypatch.setattr(gate, "open_logits", open_noting)
    expected = [Prediction(np.array([5]), np.array([-1.0]))]
    gate.agreement(str(exported / "model-f16.gguf"), [([3, 4], [5])], expected, 0.9, 0.1)
    assert opened == [512]


def test_the_card_says_what_a_model_of_others_was_made_for(exported: Path, checked: Path) -> None:
    report = json.loads((checked / "check.json").read_text())["model-f16.gguf"]
    metadata = read_metadata(exported / "model-f16.gguf")
    assert "trained on up to 256 tokens" in model_card(metadata, report)
    declared = metadata | {"decompose.n_ctx_trained": metadata["llama.context_length"]}
    assert "made for up to 512 tokens" in model_card(declared, report)


def test_a_damaged_file_has_a_card_all_the_same(exported: Path, checked: Path) -> None:
    report = json.loads((checked / "check.json").read_text())["model-f16.gguf"]
    damaged = {"decompose.licences": 1, "decompose.roles": 2, "decompose.data": 3}
    card = model_card(read_metadata(exported / "model-f16.gguf") | damaged, report)
    assert "| what | general model |" in card


def test_made_up_names_are_counted_by_the_line() -> None:
    asked = [Sample(students.messages(f"Who directed {work}?"), "") for work in students.WORKS]
    good = [Reply(f"#1 Who directed {w}?\n#2 Is #1 alive?", True, 9, 0.1) for w in students.WORKS]
    assert gate.grounding(asked, good, 0.05).passed
    bad = [*good[:-1], Reply("#1 Who directed Vertigo?\n#2 Is #1 alive?", True, 9, 0.1)]
    finding = gate.grounding(asked, bad, 0.05)
    assert not finding.passed
    assert finding.found == "6.2% of 16 lines"
    assert finding.examples == ("Who directed Vertigo?",)
    whole = [Reply("atomic", True, 1, 0.1) for _ in asked]
    assert not gate.grounding(asked, whole, 0.05).passed, "nothing was seen of it"


def test_a_reply_that_doesn_t_end_is_no_valid_one() -> None:
    asked = [Sample(students.messages("Who directed Jaws?"), "")]
    cut_off = [Reply("#1 Who directed", finished=False, tokens=4, seconds=0.1)]
    assert not gate.grammar("decomposer", asked, cut_off, 8).passed
    whole = [Reply("atomic", finished=True, tokens=1, seconds=0.1)]
    assert gate.grammar("decomposer", asked, whole, 8).passed
    longer = [Reply("#1 A?\n#2 B?\n#3 C?", finished=True, tokens=9, seconds=0.1)]
    assert gate.grammar("decomposer", asked, longer, 3).passed
    assert not gate.grammar("decomposer", asked, longer, 2).passed


def test_replies_are_the_same_if_they_are_read_as_the_same() -> None:
    asked = [Sample(students.messages("Who directed Jaws?"), "")]

    def same(role: str, one: str, other: str) -> bool:
        return gate.same_replies(role, asked, [one], [other], 1.0).passed

    assert same("decomposer", "#1 A?\n#2 B? <- #1", "#1  A?\n#2 B? <- #1\n")
    assert not same("decomposer", "#1 A?\n#2 B? <- #1", "#1 A?\n#2 B?")
    assert same("solver", "48/2", " 48/2\n")
    assert not same("solver", "48/2", "48*2")


def test_prompts_that_are_cut_otherwise_than_in_training_are_told() -> None:
    asked = [Sample(students.messages(text), "") for text in ("Who?", "Why?")]
    engine: Any = SimpleNamespace(chat_template=lambda _: SimpleNamespace(tokenize=lambda _: [5]))
    finding = gate.prompts(engine, asked, [[5], [6]])
    assert (finding.passed, finding.found, finding.examples) == (False, "1 of 2 equal", ("Why?",))


def test_a_file_whose_texts_may_forge_a_role_fails(engine: Any) -> None:
    safe = engine.chat_template(None)

    def credulous(messages: Any) -> list[int]:
        return engine.tokenize(safe.render(messages), special=True)

    template = SimpleNamespace(render=safe.render, tokenize=credulous)
    forging: Any = SimpleNamespace(vocab=engine.vocab, chat_template=lambda _: template)
    found = [gate.template(one) for one in (engine, forging)]
    assert [finding.passed for finding in found] == [True, False]
    assert "control tokens in a text are read as such" in found[1].found


def test_nothing_to_compare_is_said(model_dir: Path, exported: Path, tmp_path: Path) -> None:
    file = exported / "model-f16.gguf"
    with pytest.raises(UserError, match="no held-out question fits"):
        check(SETTINGS, model_dir, [file], [], tmp_path / "check")
    with pytest.raises(UserError, match="there is no GGUF file"):
        check(SETTINGS, model_dir, [], EXAMPLES, tmp_path / "other")
    with pytest.raises(UserError, match="there is no model directory"):
        check(SETTINGS, tmp_path / "nowhere", [file], EXAMPLES, tmp_path / "third")


@pytest.mark.parametrize("settings", [{"strings": 0}, {"prompts": 1.5}, {"ungrounded": 2}])
def test_settings_are_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="is a"):
        CheckSettings(**settings)


def test_a_cap_that_no_grammar_has_is_refused_before_anything_is_trained() -> None:
    assert CheckSettings(max_subquestions=64)
    with pytest.raises(UserError, match="'max_subquestions' is at most 64"):
        CheckSettings(max_subquestions=65)


def test_the_difference_of_a_quantised_file_is_reported(checked: Path) -> None:
    reports = json.loads((checked / "check.json").read_text())
    differences = [reports[f"model-{kind}.gguf"]["agreement"]["mean_difference"]
                   for kind in ("f16", "q8_0")]  # fmt: skip
    assert 0 < differences[0] < differences[1] < 0.05
    assert np.isfinite(differences).all()


def test_attempts_at_one_question_are_one_question(tmp_path: Path) -> None:
    tok = students.tokenizer()
    folder = students.save(students.student("llama", len(tok)), tok, tmp_path / "model")
    attempts = [replace(EXAMPLES[0], attempt=k) for k in range(30)]
    found = ask_checkpoint(folder, [*attempts, EXAMPLES[1]], ["decomposer"], 256, 20, 10)
    assert found.tried == {"samples": 2, "prompts": 2}


def test_a_checkpoint_s_replies_are_cut_off_where_the_file_s_are() -> None:
    tok = students.tokenizer()
    letters = tok("abcd", add_special_tokens=False)["input_ids"]

    def generate(input_ids: Any, attention_mask: Any) -> Any:
        reply = torch.tensor([[*letters, tok.eos_token_id]])
        return torch.cat([input_ids, reply.expand(len(input_ids), -1)], dim=1)

    config = SimpleNamespace(eos_token_id=tok.eos_token_id)
    model = SimpleNamespace(generation_config=config, device="cpu", generate=generate)
    found = reference_replies(model, tok, [[5], [5, 6]], [len(letters) - 1, 10])
    assert found == [tok.decode(letters[:-1]), "abcd"]
