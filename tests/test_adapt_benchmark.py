"""The benchmark of going on from the bundled decomposer: its plans are plans, its recipe is one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose.distill.recipe import Recipe
from langgraph_decompose.distill.records import read_examples
from langgraph_decompose.distill.screen.checks import plan_fault

from .conftest import ROOT

pytest.importorskip("pydantic")


@pytest.fixture
def adapt(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import adapt

    yield adapt
    sys.modules.pop("adapt")


def test_every_plan_of_the_help_desk_is_sound(adapt: Any) -> None:
    rows = list(read_examples(adapt.FIELD))
    assert len({row.question for row in rows}) == len(rows) == 510
    assert {fault for row in rows if (fault := plan_fault(row))} == set()
    assert sum(not row.plan for row in rows) == 76


@pytest.mark.parametrize("student", ["bundled", "scratch"])
def test_its_recipe_is_one(adapt: Any, student: str) -> None:
    recipe = Recipe.of(adapt.recipe_for(student, Path("taught.jsonl"), 60))
    files = {name: Path(name) for name in recipe.sources}
    assert recipe.training(files).student == student


def run(adapt: Any, monkeypatch: pytest.MonkeyPatch, folder: Path, plans: str) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(sys, "argv", ["adapt.py", "--plans", plans, "--out", str(folder)])
    monkeypatch.setattr(adapt, "elsewhere", lambda _: [])
    monkeypatch.setattr(adapt, "run_recipe", lambda *_, **__: {"train": {"seconds": 90.0}})
    monkeypatch.setattr(adapt, "tell", lambda name, *_: said.append(name))
    adapt.main()
    return said


def test_more_plans_than_there_are_are_refused(
    adapt: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for plans in ("361", "0"):
        with pytest.raises(SystemExit):
            run(adapt, monkeypatch, tmp_path, plans)
        assert "--plans are from 1 to 360" in capsys.readouterr().err


def test_a_training_that_was_done_before_has_its_time(
    adapt: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = run(adapt, monkeypatch, tmp_path, "100")
    assert said[1:] == ["bundled, 100 plans (1.5 min)", "scratch, 100 plans (1.5 min)"]
