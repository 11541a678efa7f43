"""The examples in docstrings and in the README are run, so that they can't go stale."""

from __future__ import annotations

import doctest
import importlib
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT
from .test_package import FOLDERS

MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)
README = (ROOT / "README.md").read_text()
GUIDE = (ROOT / "docs" / "guide.md").read_text()


@pytest.mark.parametrize("name", [*MODULES, "errors"])
def test_docstring_examples_hold(name: str) -> None:
    if name == "models.chat_transformers":
        pytest.importorskip("transformers")
    elif name.startswith("distill.train."):
        pytest.importorskip("torch")
    module = importlib.import_module(f"langgraph_decompose.{name}")
    results = doctest.testmod(module, optionflags=doctest.ELLIPSIS, extraglobs=vars(module))
    assert results.failed == 0


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("code", [b for b in blocks("python") if "bundled" in b])
def test_the_readme_s_offline_python_prints_what_it_says(code: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    shown = re.findall(r"^print\(.*\)  # ([\d#(].*)$", code, re.MULTILINE)
    assert shown
    assert {*shown} <= {*done.stdout.splitlines()}


def test_the_guide_s_python_runs_as_it_stands(tmp_path: Path) -> None:
    code = "\n".join(blocks("python", GUIDE))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_guide_s_scripted_model_is_asked_for_a_plan_and_an_answer() -> None:
    [code] = [block for block in blocks("python", GUIDE) if "ScriptedChatModel(" in block]
    code += "\nassert len(model.prompts) == 2, model.prompts"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_every_python_block_of_the_readme_is_at_least_valid() -> None:
    for code in blocks("python"):
        compile(code, "README.md", "exec")


@pytest.mark.parametrize("heading", ["Run it", "Test it"])
def test_the_two_commands_are_one_line_each(heading: str) -> None:
    section = README.split(f"## {heading}\n", 1)[1]
    first = re.search(r"^```\w*\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert first is not None
    assert len(first[1].strip().splitlines()) == 1


def test_the_tables_of_strategies_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "strategies.md").read_text()
    made = runpy.run_path(str(ROOT / "docs" / "strategies_table.py"))
    for text, table in ((README, made["short"]()), (page, made["whole"]())):
        assert made["between_marks"](text, table) == text, "run python docs/strategies_table.py"


def test_the_strategies_page_s_python_runs_as_it_stands() -> None:
    code = "\n".join(blocks("python", (ROOT / "docs" / "strategies.md").read_text()))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_links_in_the_docs_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
