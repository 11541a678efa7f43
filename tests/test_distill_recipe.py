"""`decompose distill run`: from nothing to a GGUF that `decompose ask` uses, on the CPU."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose import UserError
from langgraph_decompose.cli.main import main
from langgraph_decompose.distill.generate import generate
from langgraph_decompose.distill.manifest import finish, read_manifest
from langgraph_decompose.distill.recipe import Recipe, run_recipe
from langgraph_decompose.distill.records import write_examples
from langgraph_decompose.distill.sources import ExampleSource, make_source
from langgraph_decompose.distill.yaml_settings import read_yaml
from langgraph_decompose.testing import LatencyServer

from .conftest import ROOT

yaml = pytest.importorskip("yaml")
for package in ("torch", "transformers", "gguf", "llama_cpp", "matplotlib"):
    pytest.importorskip(package)

pytestmark = pytest.mark.timeout(900)  # The recipe is run once, for the first test.

# A real, if narrow recipe: two kinds of questions, a model of 0.6 million parameters.
RECIPE: dict[str, Any] = {
    "name": "tiny",
    "sources": {
        "comparisons": {"generate": {"count": 4000, "seed": 1, "kinds": {"compare": 1}}},
        "sums": {"generate": {"count": 500, "seed": 2, "kinds": {"arithmetic": 1}}},
        "written": {
            "import": {"kind": "teacher", "path": "teacher:fresh.jsonl"},
            "split": "train",
            "screen": {"max_chars": 70},
            "vary": {"copies": 1, "names": 0.5, "numbers": 0.5},
        },
        "held_out": {"generate": {"count": 60, "seed": 3, "kinds": {"compare": 1}}},
        "held_sums": {"generate": {"count": 60, "seed": 4, "kinds": {"arithmetic": 1}}},
    },
    "train": {
        "roles": ["decomposer", "solver"],
        "scratch": {"width": 96, "layers": 3, "heads": 3, "kv_heads": 3, "feed_forward": 256,
                    "vocab": 1024, "context": 512, "qk_norm": True},
        "stages": [{"data": [{"source": "comparisons", "roles": ["decomposer"]}, "sums",
                             {"source": "written", "weight": 0.25}]}],
        "eval_data": ["held_out"],
        "max_steps": 160, "batch_tokens": 1024, "eval_every": 60, "eval_samples": 20,
        "threads": 1,  # Two would wait for each other while the tests beside this one run.
    },
    "export": {"quantisations": ["q8_0"]},
    "check": {"held_out": ["held_out", "held_sums"], "limit": 40, "strings": 500, "samples": 40,
              "prompts": 20},
}  # fmt: skip


PLAIN: dict[str, Any] = {"stages": [{"data": ["comparisons"]}], "max_steps": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a finished run."""
    folder = tmp_path_factory.mktemp("recipe")
    recipe = folder / "tiny.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    out = folder / "out"
    command = ["distill", "run", str(recipe), "--out", str(out), "--until", "export"]
    assert main(command) == 0
    return out


def with_sources(made: Path, out: Path) -> Path:
    """A directory of a run that has made its sources."""
    shutil.copytree(made / "sources", out / "sources")
    return out


def test_a_recipe_leaves_a_manifest_for_each_step(made: Path) -> None:
    for step in ("sources/comparisons", "sources/written", "train", "export"):
        assert read_manifest(made / step)["finished"], step
    assert (made / "train" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (made / "sources" / "written" / "screen" / "report.md").is_file()
    config = json.loads((made / "train" / "model" / "config.json").read_text())
    assert config["model_type"] == "qwen3", "a model with normalised queries and keys"


def test_ask_plans_with_the_new_file(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The student has learned to split a comparison; the facts come from a server."""
    file = made / "export" / "model-q8_0.gguf"
    with LatencyServer(lambda *_: "300 m") as server:
        code = main([
            "ask", "--json", "--no-save", "--decomposer", f"gguf:{file}",
            "--solver", f"openai:any@{server.url}", "Which is taller, the Bo Tower or the Lu Dam?",
        ])  # fmt: skip
    result = json.loads(capsys.readouterr().out)
    assert code == 0
    assert result["answer"] == "300 m"
    assert result["plan_source"] == "model"
    assert [line["needs"] for line in result["plan"]] == [[], [], [1, 2]]


def test_a_second_run_does_nothing_again(made: Path) -> None:
    recipe = made.parent / "tiny.yaml"
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*") if path.is_file()}
    assert main(["distill", "run", str(recipe), "--out", str(made), "--until", "export"]) == 0
    after = {path: path.stat().st_mtime_ns for path in made.rglob("*") if path.is_file()}
    assert before == after


KILLED = """
import os, signal, sys
from langgraph_decompose.cli.main import main
from langgraph_decompose.distill.train.training import Training
log = Training._log
def last(training):
    log(training)
    os.kill(os.getpid(), signal.SIGKILL)
Training._log = last
main(sys.argv[1:])
"""


def test_a_killed_run_goes_on(tmp_path: Path, made: Path) -> None:
    recipe = {**RECIPE, "train": {**RECIPE["train"], "max_steps": 30, "save_every": 5}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(recipe))
    out = with_sources(made, tmp_path / "out")
    arguments = ["distill", "run", str(tmp_path / "tiny.yaml"), "--out", str(out)]
    # Killed when the tenth update is in the log and only the fifth in the checkpoint.
    command = [sys.executable, "-c", KILLED, *arguments, "--until", "train"]
    process = subprocess.run(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    assert process.returncode == -signal.SIGKILL
    assert (out / "train" / "checkpoint.pt").exists()
    assert not read_manifest(out / "train")["finished"]
    assert main([*arguments, "--until", "train"]) == 0
    rows = [json.loads(line) for line in (out / "train" / "log.jsonl").open()]
    assert [row["step"] for row in rows if "loss" in row] == [10, 20, 30], "none is logged twice"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": None}, "the recipe's 'name' is empty"),
        ({"sources": ["a"]}, "mappings"),
        ({"colour": 1}, "'colour' is no part of a recipe"),
        ({"train": {"stages": [{"data": ["nobody"]}], "max_steps": 1}}, "'nobody'"),
        ({"sources": {"a": {"generate": {}, "collect": {}}}}, "it needs one way"),
        ({"export": {"quantisations": "q8_0"}}, "should be a valid list"),
        ({"sources": {"a": {"generate": {}, "screen": True}}}, "'screen' is a mapping of"),
        ({"sources": {"a": {"generate": {}, "split": "half"}}}, "one of train, dev, eval"),
        ({"sources": {"a": {"generate": {}, "vary": {"copies": "x"}}}}, "a valid integer"),
        (
            {"sources": {"comparisons": {"generate": {"count": "x"}}}, "check": {}, "train": PLAIN},
            "'comparisons': 'count': Input should be a valid integer",
        ),
        (
            {
                "sources": {"comparisons": {"generate": {"count": 3, "kinds": ["compare"]}}},
                "check": {},
                "train": PLAIN,
            },
            "'kinds': Input should be a valid dictionary",
        ),
        ({"check": {"strings": "many"}}, "'strings': Input should be a valid integer"),
        ({"check": {"held_out": ["nope"]}}, "list of its sources"),
        ({"check": {"held_out": [["nope"]]}}, "list of its sources"),
        ({"train": {"stages": [{"data": [{"source": ["a"]}]}], "max_steps": 1}}, "source ['a']"),
        (
            {"train": {"stages": [{"data": [{"path": "a.jsonl"}]}], "max_steps": 1}},
            "named as 'source: NAME' in a recipe, not {'path': 'a.jsonl'}",
        ),
        ({"sources": {"a": {"generate": {"count": 3, "kinds": {"compare": 0}}}}}, "not all of"),
        (
            {"sources": {"a": {"generate": {"count": 3}, "screen": {"evaluation": "t.jsonl"}}}},
            "'evaluation': Input should be a valid list",
        ),
        (
            {"train": {**RECIPE["train"], "learning_rate": "fast"}},
            "'learning_rate': Input should be a",
        ),
        (
            {"train": {**RECIPE["train"], "max_stepz": 1}},
            "'train' of the recipe has no 'max_stepz'",
        ),
        ({"train": {**RECIPE["train"], "stages": 3}}, "'stages': Input should be a valid list"),
        ({"sources": {"a": {"import": {"kind": "x", "path": "y"}}}}, "'a': there is no format 'x'"),
        ({"sources": {"a": {"generate": {"cuont": 3}}}}, "the source 'a' has no 'cuont'"),
        ({"sources": {"a": {"collect": {"teacher": "t"}}}}, "the source 'a': 'questions': Field"),
        ({"train": {**RECIPE["train"], "student": "runs/none/model"}}, "check the path, or train"),
        ({"train": {**RECIPE["train"], "device": "cuda"}}, "there is none here"),
    ],
)
def test_a_mistake_in_a_recipe_is_one_line(
    change: dict[str, Any], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    if "device" in str(change) and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    path = tmp_path / "broken.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, **change}))
    assert main(["distill", "run", str(path), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_a_name_that_a_recipe_has_twice_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """YAML would take the last, and nobody would miss what the first one taught."""
    source = "  a: {generate: {count: 3}}\n"
    path = tmp_path / "twice.yaml"
    path.write_text(f"name: x\nsources: &all\n{source}{source}train: [*all]\n")
    assert main(["distill", "run", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "has 'a' twice in one mapping, again on line 4.\n" in capsys.readouterr().err


def test_all_mappings_that_are_merged_count(tmp_path: Path) -> None:
    path = tmp_path / "merged.yaml"
    path.write_text("- &a {x: 1}\n- &b {y: 2}\n- {<<: *a, <<: *b, x: 3}\n")
    assert read_yaml(path, "it")[2] == {"x": 3, "y": 2}


def test_the_whole_way_ends_at_the_gate(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A student of two minutes needn't pass; what it is held to is written down."""
    recipe = made.parent / "tiny.yaml"
    code = main(["distill", "run", str(recipe), "--out", str(made), "--json"])
    counts = json.loads(capsys.readouterr().out)
    report = json.loads((made / "check" / "check.json").read_text())
    assert report["model-q8_0.gguf"]["findings"]
    assert code == (3 if counts["check"]["failures"] else 0)
    card = (made / "check" / "model-q8_0.md").read_text()
    assert "held_out" in card
    assert re.search(r"\| good \| [\d.]+ \([\d.]+ to [\d.]+; 40\)", card)
    assert "comparisons" in card
    assert "Measured on `model-q8_0.gguf`." in (made / "check" / "model-f16.md").read_text()
    losses = [json.loads(line) for line in (made / "train" / "log.jsonl").open()]
    assert any("held_out" in str(row.get("eval")) for row in losses)


def test_check_alone_measures_quality_too_and_once(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out, sums = (made / "sources" / n / "examples.jsonl" for n in ("held_out", "held_sums"))
    both = tmp_path / "both.jsonl"
    both.write_text(held_out.read_text() + sums.read_text())
    few = ["--strings", "20", "--samples", "10", "--prompts", "5"]
    gguf = str(made / "export" / "model-q8_0.gguf")
    command = ["check", str(made / "train" / "model"), "--gguf", gguf, "--examples", str(both)]
    assert main(["distill", *command, *few, "--out", str(tmp_path / "check")]) in (0, 3)
    card = (tmp_path / "check" / "model-q8_0.md").read_text()
    assert re.search(r"\| good \| [\d.]+ \([\d.]+ to [\d.]+; \d+\)", card)
    assert "| step right |" in card
    measured = "langgraph_decompose.distill.check.quality.quality"
    monkeypatch.setattr(measured, lambda *_, **__: pytest.fail("it is measured again"))
    assert main(["distill", *command, *few, "--out", str(tmp_path / "check")]) in (0, 3)


def test_another_recipe_goes_on_with_the_student_of_the_first(made: Path, tmp_path: Path) -> None:
    """As `cpu-solver` does with that of `cpu`: same tokenizer, and what was learned is kept."""
    from langgraph_decompose.distill.train.checkpoint import read_log

    before = read_log(made / "train" / "log.jsonl")
    student = made / "train" / "model"
    train = {**RECIPE["train"], "student": str(student), "optimizer": "muon", "max_steps": 10}
    second = Recipe.of({**RECIPE, "train": train})
    run_recipe(second, with_sources(made, tmp_path / "out"), tmp_path, until="train")
    after = read_log(tmp_path / "out" / "train" / "log.jsonl")
    assert after[0]["loss"] < before[0]["loss"] / 2
    tokenizers = [folder / "tokenizer.json" for folder in (student, tmp_path / "out/train/model")]
    assert tokenizers[0].read_bytes() == tokenizers[1].read_bytes()


def test_a_student_without_a_role_of_the_contract_is_checked_too(
    made: Path, tmp_path: Path
) -> None:
    """One that answers at once writes no plans: the gate compares its answers."""
    train = RECIPE["train"] | {
        "stages": [{"data": [{"source": "sums", "roles": ["direct"]}]}],
        "roles": ["direct"],
        "eval_data": [],
        "max_steps": 10,
    }
    check = RECIPE["check"] | {"held_out": ["held_sums"], "samples": 10, "prompts": 5}
    recipe = tmp_path / "direct.yaml"
    recipe.write_text(yaml.safe_dump({**RECIPE, "train": train, "check": check}))
    out = with_sources(made, tmp_path / "out")
    assert main(["distill", "run", str(recipe), "--out", str(out)]) in (0, 3)
    findings = json.loads((out / "check" / "check.json").read_text())["model-q8_0.gguf"]["findings"]
    names = {finding["name"] for finding in findings}
    assert {"tokenisation", "same replies (direct)"} <= names
    assert not any("grammar" in name or "made-up" in name for name in names)


def test_what_would_fail_at_the_end_fails_before_the_first_source(tmp_path: Path) -> None:
    from tokenizers import normalizers

    from . import distill_students as students

    def refused(pattern: str, train: dict[str, Any], check: dict[str, Any]) -> None:
        row = {**RECIPE, "train": {**RECIPE["train"], **train}, "check": check}
        with pytest.raises(UserError, match=pattern):
            run_recipe(Recipe.of(row), tmp_path / "out", tmp_path)
        assert not (tmp_path / "out").exists()

    refused("names nothing to check with", {}, {})
    (tmp_path / "gpt").mkdir()
    (tmp_path / "gpt" / "config.json").write_text('{"model_type": "gpt2"}')
    student = {"student": str(tmp_path / "gpt"), "scratch": {}}
    refused("the architecture 'gpt2' isn't exported here", student, RECIPE["check"])
    tokenizer = students.tokenizer()
    model = students.student("llama", len(tokenizer), hidden_act="gelu")
    students.save(model, tokenizer, tmp_path / "gelu")
    refused("the activation 'gelu'", {"student": str(tmp_path / "gelu")}, RECIPE["check"])
    tokenizer.backend_tokenizer.normalizer = normalizers.Prepend("▁")
    students.save(students.student("llama", len(tokenizer)), tokenizer, tmp_path / "spaced")
    refused("'Prepend'", {"student": str(tmp_path / "spaced")}, RECIPE["check"])
    given = {"scratch": {"tokenizer": str(tmp_path / "spaced")}}
    refused("'Prepend'", given, RECIPE["check"])
    tokenizer = students.tokenizer()
    students.save(students.student("llama", len(tokenizer)), tokenizer, tmp_path / "byteless")
    file = tmp_path / "byteless" / "tokenizer.json"
    parts = json.loads(file.read_text())
    vocabulary = parts["model"]["vocab"]
    vocabulary["not a byte"] = vocabulary.pop("ÿ")  # 255, which is in no text.
    file.write_text(json.dumps(parts))
    byteless = {"student": str(tmp_path / "byteless")}
    refused("lacks 1 of the 256 bytes", byteless, RECIPE["check"])


def test_a_machine_without_gpu_is_enough_once_training_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Any) -> None:
        raise UserError("this recipe is for a GPU")

    for module in ("recipe", "train.train"):
        monkeypatch.setattr(f"langgraph_decompose.distill.{module}.check_machine", refused)
    sources = {"comparisons": {"generate": {"count": 3}}}
    recipe = Recipe.of({"name": "x", "sources": sources, "train": {**PLAIN, "device": "cuda"}})
    with pytest.raises(UserError, match="for a GPU"):
        run_recipe(recipe, tmp_path, tmp_path, until="train")
    files = run_recipe(recipe, tmp_path, tmp_path, until="sources")["sources"]
    settings = recipe.training({name: Path(path) for name, path in files.items()})
    (tmp_path / "train" / "model").mkdir(parents=True)
    finish(tmp_path / "train", "train", asdict(settings), settings.files, {"steps": 1})
    assert run_recipe(recipe, tmp_path, tmp_path, until="train")["train"] == {"steps": 1}


def test_a_recipe_is_run_by_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several that torchrun starts would write the same sources and files at once."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    sources = {"comparisons": {"generate": {"count": 3}}}
    recipe = Recipe.of({"name": "x", "sources": sources, "train": PLAIN})
    with pytest.raises(UserError, match="by one process"):
        run_recipe(recipe, tmp_path / "out", tmp_path, until="sources")
    assert not (tmp_path / "out").exists()


def test_held_out_questions_that_are_trained_on_are_told(tmp_path: Path) -> None:
    def told(screen: dict[str, Any], out: Path) -> list[str]:
        said: list[str] = []
        mine = {"examples": {"path": "mine.jsonl"}, "screen": screen}
        sources = {"mine": mine, "held_out": {"examples": {"path": "held_out.jsonl"}}}
        train = RECIPE["train"] | {"roles": ["decomposer"], "stages": [{"data": ["mine"]}]}
        row = {"name": "tiny", "sources": sources, "train": train | {"max_steps": 1}}
        run_recipe(Recipe.of(row), out, tmp_path, said.append, until="train")
        return [line for line in said if "held-out questions are trained on" in line]

    rows = [*generate(60, 1, {"compare": 1})]
    write_examples(tmp_path / "mine.jsonl", rows)
    write_examples(tmp_path / "held_out.jsonl", [replace(e, id=f"h{e.id}") for e in rows[:20]])
    [line] = told({}, tmp_path / "mixed")
    assert line.startswith("20 of 20 ")
    assert not told({"evaluation": ["held_out.jsonl"]}, tmp_path / "apart")


def test_rows_that_are_all_broken_are_shown(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text('{"question": "Who?"}\n' * 3)
    source = ExampleSource.of("mine", {"import": {"kind": "strategyqa", "path": "mine.jsonl"}})
    with pytest.raises(UserError, match=r"no examples \(3 left out, first .*mine.jsonl:1: "):
        make_source(source, tmp_path, tmp_path / "out")


def test_data_that_is_missing_is_named(tmp_path: Path) -> None:
    source = ExampleSource.of("gsm8k", {"import": {"kind": "gsm8k", "path": "gsm8k/train.jsonl"}})
    with pytest.raises(UserError, match="distillation.md says where"):
        make_source(source, tmp_path, tmp_path / "out")
    (tmp_path / "gsm8k" / "train.jsonl").mkdir(parents=True)
    with pytest.raises(UserError, match="train.jsonl' is a folder; name the file in it"):
        make_source(source, tmp_path, tmp_path / "out")
    row = {"import": {"kind": "teacher", "path": "teacher:stale.jsonl"}}
    with pytest.raises(UserError, match=r"isn't there; the package has fresh.jsonl, fresh_more"):
        make_source(ExampleSource.of("own", row), tmp_path, tmp_path / "out")


def test_recipes_of_the_package_are_recipes() -> None:
    from langgraph_decompose.distill.recipe import RECIPES, load_recipe

    for path in RECIPES.glob("*.yaml"):
        assert load_recipe(path.stem).sources


def test_the_recipe_of_the_guide_is_one() -> None:
    """What docs/distillation.md shows can be pasted: only its data and its teacher are missing."""
    guide = (ROOT / "docs" / "distillation.md").read_text(encoding="utf-8")
    recipe = Recipe.of(yaml.safe_load(guide.partition("```yaml\n")[2].partition("```")[0]))
    files = {name: Path(name, "examples.jsonl") for name in recipe.sources}
    assert recipe.training(files).student == "bundled"
    assert recipe.checking(files)[1] == {"held_out": files["held_out"]}
