"""Training: it learns, stops, goes on after a kill, and says what is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from langgraph_decompose.distill.manifest import read_manifest
from langgraph_decompose.distill.records import Example, write_examples
from langgraph_decompose.distill.train.train import TrainSettings, train
from langgraph_decompose.errors import UserError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
safetensors = pytest.importorskip("safetensors.torch")
pytest.importorskip("matplotlib")
device = pytest.importorskip("langgraph_decompose.distill.train.device")
training = pytest.importorskip("langgraph_decompose.distill.train.training")

TINY = {
    "width": 64,
    "layers": 2,
    "heads": 2,
    "kv_heads": 1,
    "feed_forward": 128,
    "vocab": 320,
    "context": 128,
}
GIVEN: dict[str, Any] = {
    "scratch": TINY,
    "max_steps": 20,
    "batch_tokens": 512,
    "row_tokens": 128,
    "device": "cpu",
    "threads": 1,
    "log_every": 5,
}
NAMES = ["Ada", "Bo", "Cyd", "Dee", "Eli", "Fay", "Gus", "Hal", "Ivy", "Jo"]


def examples(count: int = 20, start: int = 0) -> list[Example]:
    return [
        Example(
            id=str(k),
            question=f"Who is the {NAMES[k % 10]} of town {k}?",
            plan=(
                {"id": 1, "text": f"Where is town {k}?", "needs": []},
                {"id": 2, "text": f"Who is {NAMES[k % 10]} there?", "needs": [1]},
            ),
            source="made up",
            licence="MIT",
        )
        for k in range(start, start + count)
    ]


@pytest.fixture
def data(tmp_path: Path) -> str:
    write_examples(tmp_path / "data.jsonl", examples())
    return str(tmp_path / "data.jsonl")


def settings(data: str, **changes: Any) -> TrainSettings:
    return TrainSettings(**(GIVEN | {"stages": [{"data": [data]}]} | changes))


def weights(directory: Path) -> dict[str, Any]:
    return safetensors.load_file(directory / "model/model.safetensors")


def log(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "log.jsonl").read_text().splitlines()]


def test_a_tiny_student_learns_its_samples_by_heart(data: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    counts = train(settings(data, max_steps=150, domain="towns", recipe="tiny"), out)
    losses = [row["loss"] for row in log(out)]
    assert losses[0] > 3
    assert losses[-1] == pytest.approx(counts["train_loss"], abs=1e-3)
    assert losses[-1] < 0.05
    # It is read back like any Hugging Face model, and writes the plans.
    tokenizer = transformers.AutoTokenizer.from_pretrained(out / "model")
    student = transformers.AutoModelForCausalLM.from_pretrained(out / "model")
    right = 0
    for example in examples():
        prompt = tokenizer.apply_chat_template(
            [
                {"role": "system", "content": "decompose"},
                {"role": "user", "content": example.question},
            ],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
        written = student.generate(**prompt, max_new_tokens=64, do_sample=False)[0]
        reply = tokenizer.decode(written[prompt["input_ids"].shape[1] :], skip_special_tokens=True)
        right += reply == str(example.to_plan())
    assert right == 20
    contract = json.loads((out / "model/decompose.json").read_text())
    assert contract["roles"] == ["decomposer"]
    assert (contract["domain"], contract["recipe"], contract["final"]) == ("towns", "tiny", "last")
    assert contract["data"] == [
        {"file": "data", "source": "made up", "licence": "MIT", "examples": 20}
    ]
    assert 20 < contract["n_ctx_trained"] < 128
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert read_manifest(out)["counts"] == counts
    assert not list(out.glob("*.pt"))


_KILLED = """
import json, os, signal, sys
from pathlib import Path
from langgraph_decompose.distill.train.train import TrainSettings, train

signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell's background job ignores it.

def progress(line):
    if line.startswith("step 15: loss"):
        os.kill(os.getpid(), signal.SIGKILL)

train(TrainSettings(**json.loads(sys.argv[1])), Path(sys.argv[2]), progress)
"""


def run_script(script: str, data: str, out: Path, **changes: Any) -> Any:
    plain = json.dumps({**GIVEN, "stages": [{"data": [data]}], **changes})
    return subprocess.run(
        [sys.executable, "-c", script, plain, str(out)],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=out.parent,
    )


def test_a_killed_run_ends_like_one_that_wasnt(data: str, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    evaluated = {"eval_data": [data], "eval_every": 8, "save_every": 10}
    assert run_script(_KILLED, data, killed, **evaluated).returncode == -signal.SIGKILL
    assert not read_manifest(killed)["finished"]
    assert log(killed)[-1]["step"] == 15
    told: list[str] = []
    again = train(settings(data, **evaluated), killed, told.append)
    assert told[0] == "going on from step 10"
    undisturbed = train(settings(data, **evaluated), whole)
    steps = [(row["step"], row.get("loss"), row.get("eval_loss")) for row in log(killed)]
    assert steps == [(row["step"], row.get("loss"), row.get("eval_loss")) for row in log(whole)]
    assert again["eval_loss"] == undisturbed["eval_loss"]
    assert all(torch.equal(w, weights(whole)[name]) for name, w in weights(killed).items())


def test_ctrl_c_loses_no_step(data: str, tmp_path: Path) -> None:
    script = _KILLED.replace("SIGKILL", "SIGINT")
    stopped = run_script(script, data, tmp_path / "stopped", save_every=1000)
    assert stopped.stderr.splitlines()[-1] == "KeyboardInterrupt"
    told: list[str] = []
    train(settings(data, save_every=1000), tmp_path / "stopped", told.append)
    assert told[0] == "going on from step 15"
    train(settings(data), tmp_path / "whole")
    named = weights(tmp_path / "whole")
    assert all(torch.equal(w, named[name]) for name, w in weights(tmp_path / "stopped").items())


def test_ctrl_c_in_the_last_evaluation_loses_no_step(data: str, tmp_path: Path) -> None:
    def interrupt(line: str) -> None:
        if "held out" in line:
            raise KeyboardInterrupt

    rare = settings(data, eval_data=[data], eval_every=1000, save_every=1000, max_steps=8)
    with pytest.raises(KeyboardInterrupt):
        train(rare, tmp_path / "out", interrupt)
    told: list[str] = []
    counts = train(rare, tmp_path / "out", told.append)
    assert told[0] == "going on from step 8"
    assert counts["train_loss"] > 0
    assert [row["step"] for row in log(tmp_path / "out") if "loss" in row] == [5, 8]


def test_a_finished_run_isnt_repeated(data: str, tmp_path: Path) -> None:
    counts = train(settings(data, max_steps=2), tmp_path / "out")
    told: list[str] = []
    assert train(settings(data, max_steps=2), tmp_path / "out", told.append) == counts
    assert told == []
    with pytest.raises(UserError, match="other settings"):
        train(settings(data, max_steps=3), tmp_path / "out")


def test_the_student_is_on_disk_before_its_checkpoint_goes(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: set[int] = set()
    monkeypatch.setattr(os, "fsync", lambda file: kept.add(os.fstat(file).st_ino))
    train(settings(data, max_steps=1), tmp_path / "out")
    files = [path for path in (tmp_path / "out" / "model").rglob("*") if path.is_file()]
    assert "model.safetensors" in {path.name for path in files}
    assert {path.stat().st_ino for path in files} <= kept


_SMALL_DISK = """
import json, resource, sys
from pathlib import Path
from langgraph_decompose.distill.train.train import TrainSettings, train
from langgraph_decompose.errors import UserError

def progress(line):
    if line.startswith("step 15: loss"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

try:
    train(TrainSettings(**json.loads(sys.argv[1])), Path(sys.argv[2]), progress)
except UserError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_last_checkpoint(data: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run_script(_SMALL_DISK, data, out, save_every=10)
    assert done.stdout.count("\n") == 1
    assert "checkpoint.pt' can't be written" in done.stdout
    assert "make room and start the same command again" in done.stdout
    assert torch.load(out / "checkpoint.pt")["state"]["step"] == 10
    assert not list(out.glob(".checkpoint*"))
    assert train(settings(data, save_every=10), out)["steps"] == 20


def test_training_stops_when_held_out_loss_no_longer_falls(data: str, tmp_path: Path) -> None:
    # Held-out questions have plans that nothing in the training data could teach.
    odd = [replace(e, plan=()) for e in examples(5, start=40)]
    write_examples(tmp_path / "odd.jsonl", odd)
    told: list[str] = []
    counts = train(
        settings(
            data,
            eval_data=[str(tmp_path / "odd.jsonl")],
            eval_every=5,
            patience=2,
            max_steps=200,
        ),
        tmp_path / "out",
        told.append,
    )
    assert counts["stopped_early"]
    assert counts["steps"] < 200
    evaluated = {row["step"]: row["eval_loss"] for row in log(tmp_path / "out") if "eval" in row}
    # The student that was saved is the one of the best evaluation.
    assert counts["best_step"] == min(evaluated, key=lambda step: evaluated[step])
    assert counts["steps"] == counts["best_step"] + 10


def test_held_out_files_of_one_name_are_told_apart(data: str, tmp_path: Path) -> None:
    files = [tmp_path / "a" / "dev.jsonl", tmp_path / "b" / "dev.jsonl"]
    for file in files:
        file.parent.mkdir()
        write_examples(file, examples(5, start=40))
    train(settings(data, eval_data=[*map(str, files)], max_steps=1), tmp_path / "out")
    [measured] = [row["eval"] for row in log(tmp_path / "out") if "eval" in row]
    assert [*measured] == [f"{file} (decomposer)" for file in files]


def test_stages_follow_one_another(tmp_path: Path) -> None:
    from langgraph_decompose.distill.train.curriculum import Curriculum, Data

    first = [(torch.full((10,), 1).numpy(), 5)] * 8
    second = [(torch.full((10,), 2).numpy(), 5)] * 8
    both = TrainSettings(
        stages=[{"data": ["a"], "share": 0.25}, {"data": ["a", {"path": "b", "weight": 0.5}]}],
        max_steps=8,
        batch_tokens=40,
        row_tokens=16,
    )
    data = Data({("a", both.roles): first, ("b", both.roles): second})
    curriculum = Curriculum(both, data)
    batches = [curriculum.batch(step / 8) for step in range(8)]
    kinds = [[int(ids[0]) for ids, _ in batch] for batch in batches]
    assert all(kind == 1 for batch in kinds[:2] for kind in batch)
    mixture = [
        kind for batch in kinds[2:5] for kind in batch
    ]  # one epoch of the second stage: 8 of a, half of b
    assert (mixture.count(1), mixture.count(2)) == (8, 4)
    assert curriculum.epoch_tokens() == 120
    assert curriculum.tokens_of(3) == 480, "a quarter goes to the first stage"
    # Going on from the fourth batch gives the same ones again.
    later = Curriculum(both, data, drawn=[2, 2])
    assert [[int(i[0]) for i, _ in later.batch(s / 8)] for s in range(4, 8)] == kinds[4:]


def test_every_role_can_be_mixed(tmp_path: Path) -> None:
    rows: Any = (
        {"id": 1, "text": "How many?", "needs": [], "expr": "1+2", "answer": "3"},
        {"id": 2, "text": "In all?", "needs": [1], "expr": "#1*2", "answer": "6"},
    )
    question = Example(id="1", question="How many in all?", plan=rows, answer="6", predicted="6")
    write_examples(tmp_path / "data.jsonl", [question])
    roles = ["decomposer", "solver", "solver-teacher", "solver-answer", "direct"]
    counts = train(
        settings(
            str(tmp_path / "data.jsonl"), roles=roles, max_steps=2, scratch=TINY | {"context": 512}
        ),
        tmp_path / "out",
    )
    assert counts["samples"] == 6
    contract = json.loads((tmp_path / "out/model/decompose.json").read_text())
    assert contract["roles"] == ["decomposer", "solver"]


def test_samples_beyond_the_context_are_left_out_and_counted(tmp_path: Path) -> None:
    long = Example(id="long", question="why " * 400)
    write_examples(tmp_path / "data.jsonl", [*examples(), long])
    counts = train(settings(str(tmp_path / "data.jsonl"), max_steps=1), tmp_path / "out")
    assert (counts["samples"], counts["too_long"]) == (20, 1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_recipe_without_a_gpu_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is none here"):
        train(settings("missing.jsonl", device="cuda"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_a_compiler_training_goes_on_uncompiled(data: str, tmp_path: Path) -> None:
    inductor = pytest.importorskip("torch._inductor.config")
    told: list[str] = []
    # Torch's own patch: pytest's takes the setting for a new one, and deletes it afterwards.
    with inductor.patch("cpp.cxx", ("no-such-compiler",)):
        counts = train(settings(data, max_steps=2, compile=True), tmp_path / "out", told.append)
    assert counts["steps"] == 2
    assert any("a C++ compiler" in line for line in told)


def test_where_compiling_fails_training_is_uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> Any:
        raise RuntimeError("fatal error: Python.h: No such file or directory")

    monkeypatch.setattr(device.torch, "compile", broken)
    assert not device.can_compile(torch.device("cpu"))
    assert not device.can_compile(torch.device("cuda"))


@pytest.mark.parametrize(
    ("flags", "has"),
    [
        ("flags\t: fpu sse2 avx512f avx512_bf16 avx512vl", True),
        ("flags\t: avx512f amx_bf16 amx_tile", True),
        ("Features\t: fp asimd sve i8mm bf16 dgh", True),
        ("flags\t: fpu sse2 avx2 fma f16c", False),
        ("flags\t: avx512f avx512bw", False),
    ],
)
def test_bfloat16_units_are_read_from_the_processors_flags(flags: str, has: bool) -> None:
    assert device.has_bfloat16_units(flags) is has


def test_bfloat16_on_a_cpu_without_its_units_is_told(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "has_bfloat16_units", lambda _: False)
    told: list[str] = []
    train(
        settings(data, max_steps=1, device="cpu", precision="bf16"), tmp_path / "out", told.append
    )
    expected = Path("/proc/cpuinfo").exists()
    assert any("no bfloat16 units" in line for line in told) is expected


def test_too_little_memory_of_a_gpu_is_told(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(training.Training, "_update", full)
    with pytest.raises(UserError, match="'micro_tokens' below 512"):
        train(settings(data), tmp_path / "out")
    with pytest.raises(UserError, match="'micro_tokens' below 256"):
        train(settings(data, micro_tokens=256), tmp_path / "out")


def test_bfloat16_is_used_on_gpus_that_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A T4, of the seventh generation, would emulate it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda _: True)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    place = device.Place(0, 1, torch.device("cuda", 0), "auto")
    for generation, has in ((7, False), (8, True)):
        found = SimpleNamespace(major=generation)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda *_, found=found: found)
        assert place.bfloat16 is has


def test_float32_stays_float32_on_a_gpu(monkeypatch: pytest.MonkeyPatch, data: str) -> None:
    """The release gate asks the checkpoint in the same process: what it compares with is exact."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("highest")
        place = device.place(settings(data, device="cuda"))
        assert torch.get_float32_matmul_precision() == "highest"
    finally:
        torch.set_float32_matmul_precision(before)
    assert place.device.type == "cuda"


def test_broken_data_is_named(data: str, tmp_path: Path) -> None:
    with Path(data).open("a") as file:
        file.write("{broken\n")
    with pytest.raises(UserError, match=r"data\.jsonl:21: "):
        train(settings(data), tmp_path / "out")


def test_data_that_teaches_nothing_is_refused(data: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to learn for solver"):
        train(settings(data, roles="solver", scratch=TINY), tmp_path / "out")
