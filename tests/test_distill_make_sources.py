"""The sources of a recipe, made side by side: the same files as one after another, in less time."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from langgraph_decompose.distill import make_sources as module
from langgraph_decompose.distill.generate import generate
from langgraph_decompose.distill.make_sources import make_sources
from langgraph_decompose.distill.records import read_examples, write_examples
from langgraph_decompose.distill.sources import ExampleSource, make_source
from langgraph_decompose.errors import UserError

from .conftest import hears_ctrl_c

VARIED = {"copies": 2, "names": 0.8, "things": 0.5, "words": 0.3, "numbers": 0.9}


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small sources get processes, too."""
    monkeypatch.setattr(module, "_BYTES", 1)
    monkeypatch.setattr(module, "_QUESTIONS", 1)


def sources(**rows: object) -> dict[str, ExampleSource]:
    return {name: ExampleSource.of(name, row) for name, row in rows.items()}


def test_processes_make_the_same_files(tmp_path: Path) -> None:
    write_examples(tmp_path / "mine.jsonl", generate(40, 1, None))
    mine = {"examples": {"path": "mine.jsonl"}, "screen": {}, "vary": VARIED}
    found = sources(mine=mine, sums={"generate": {"count": 30, "kinds": {"arithmetic": 1}}})
    said: list[str] = []
    files = make_sources(found, tmp_path, tmp_path / "out", said.append)
    assert list(files) == ["mine", "sums"]
    assert said[0] == "making 2 sources side by side"
    assert {line.split(";")[1] for line in said[1:]} == {
        " 1 of 2 sources are made",
        " 2 of 2 sources are made",
    }
    for name, source in found.items():
        alone = make_source(source, tmp_path, tmp_path / "alone" / name)
        assert files[name].read_bytes() == alone.read_bytes()
    said.clear()
    make_sources(found, tmp_path, tmp_path / "out", said.append)
    assert not said, "nothing is left to be made"


def test_a_mistake_is_one_line_and_what_is_made_stays_made(tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text("{\n" * 3)
    (tmp_path / "empty.jsonl").write_text("\n")
    broken = {"examples": {"path": "broken.jsonl", "refuse_broken": True}}
    found = sources(broken=broken, empty={"examples": {"path": "empty.jsonl"}})
    with pytest.raises(UserError, match=r"broken.jsonl:1|the source 'empty' has no examples"):
        make_sources(found, tmp_path, tmp_path / "out")
    other = sources(sums={"generate": {"count": 5}}, more={"generate": {"count": 6}})
    files = make_sources(other, tmp_path, tmp_path / "out")
    before = files["sums"].stat().st_mtime_ns
    with pytest.raises(UserError, match="'.*more' holds the step source with other settings"):
        make_sources(other | sources(more={"generate": {"count": 7}}), tmp_path, tmp_path / "out")
    assert files["sums"].stat().st_mtime_ns == before


def test_only_processes_of_its_own_are_ended(tmp_path: Path) -> None:
    mine = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    mine.start()
    try:
        (tmp_path / "broken.jsonl").write_text("{\n" * 3)
        broken = {"examples": {"path": "broken.jsonl", "refuse_broken": True}}
        with pytest.raises(UserError, match="broken.jsonl:1"):
            make_sources(sources(one=broken, two=broken), tmp_path, tmp_path / "out")
        assert mine.is_alive()
    finally:
        mine.kill()
        mine.join()


SCRIPT = """
import sys
from pathlib import Path
from langgraph_decompose.distill import make_sources as module
from langgraph_decompose.distill.sources import ExampleSource

module._QUESTIONS = 1
row = {"generate": {"count": 5}}
sources = {name: ExampleSource.of(name, row) for name in ("a", "b")}
module.make_sources(sources, Path("."), Path(sys.argv[1]))
"""


def test_where_processes_cannot_start_it_is_done_without(tmp_path: Path) -> None:
    """A script from stdin can't be imported by them, nor one that begins at once."""
    for name, script in (("stdin", "-"), ("unguarded", str(tmp_path / "script.py"))):
        (tmp_path / "script.py").write_text(SCRIPT)
        command = [sys.executable, script, str(tmp_path / name)]
        subprocess.run(command, input=SCRIPT, text=True, check=True, capture_output=True)
        assert len(list(read_examples(tmp_path / name / "b" / "examples.jsonl"))) == 5


def children(pid: int) -> list[int]:
    return [int(k) for k in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def working(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
    except OSError:
        return False
    return b"spawn_main" in command and state != "Z"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_processes_end_with_the_command(tmp_path: Path, how: signal.Signals) -> None:
    """Those of a killed run would write beside those of the next one."""
    recipe = tmp_path / "recipe.yaml"
    many = {"generate": {"count": 300_000}}
    rows = {"name": "x", "sources": {"a": many, "b": many}, "train": {"stages": [{"data": ["a"]}]}}
    rows["train"] |= {"max_steps": 1, "scratch": {}}
    recipe.write_text(yaml.safe_dump(rows))
    command = [sys.executable, "-m", "langgraph_decompose", "distill", "run", str(recipe)]
    run = subprocess.Popen(
        [*command, "--out", str(tmp_path / "out"), "--until", "sources"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hears_ctrl_c,
    )
    until, makers = time.monotonic() + 60, list[int]()
    while not makers and time.monotonic() < until:
        time.sleep(0.05)
        makers = [pid for pid in children(run.pid) if working(pid)]
    time.sleep(1)
    run.send_signal(how)
    _, said = run.communicate(timeout=30)
    until = time.monotonic() + 30
    while any(map(working, makers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert makers
    assert not any(map(working, makers))
    assert run.returncode == (130 if how == signal.SIGINT else -how)
    assert "Traceback" not in said
