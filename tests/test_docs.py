"""The examples in docstrings and in the README are run, so that they can't go stale."""

from __future__ import annotations

import doctest
import importlib
import re
import runpy
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from langgraph_decompose import prompts
from langgraph_decompose.graphs.options import Options
from langgraph_decompose.graphs.read_question import _CHARS_SHOWN, _TURNS_SHOWN
from langgraph_decompose.nodes.retrieval import _MOST_CHARS, _MOST_PASSAGES

from .conftest import ROOT, python
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
def test_the_readme_s_offline_python_prints_what_it_says(code: str) -> None:
    printed = python(code)
    shown = re.findall(r"^print\(.*\)  # ([\d#(].*)$", code, re.MULTILINE)
    assert shown
    assert {*shown} <= {*printed.splitlines()}


def test_the_guide_s_python_runs_as_it_stands() -> None:
    asked = "\nassert len(model.prompts) == 2, 'a plan and an answer'\n"
    code = "\n".join(
        block + asked * ("ScriptedChatModel(" in block) for block in blocks("python", GUIDE)
    )
    assert code.count(asked) == 1
    python(code)


def test_every_python_block_of_the_readme_is_at_least_valid() -> None:
    for code in blocks("python"):
        compile(code, "README.md", "exec")


@pytest.mark.parametrize("heading", ["Run it", "Test it"])
def test_the_two_commands_are_one_line_each(heading: str) -> None:
    section = README.split(f"## {heading}\n", 1)[1]
    first = re.search(r"^```\w*\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert first is not None
    assert len(first[1].strip().splitlines()) == 1


def test_the_table_of_strategies_is_that_of_the_code() -> None:
    page = (ROOT / "docs" / "strategies.md").read_text()
    made = runpy.run_path(str(ROOT / "docs" / "strategies_table.py"))
    anew = made["between_marks"](page, made["table"]())
    assert anew == page, "run python docs/strategies_table.py"
    assert all(f"`{name}`" in README for name in made["ABOUT"])


def test_the_strategies_page_s_python_runs_as_it_stands() -> None:
    python("\n".join(blocks("python", (ROOT / "docs" / "strategies.md").read_text())))


def test_the_guide_s_table_has_every_event() -> None:
    table = GUIDE.partition("## Watching a run")[2].partition("```")[0]
    files = [*(ROOT / "nodes").glob("*.py"), *(ROOT / "graphs").glob("*.py")]
    kinds = {k for file in files for k in re.findall(r'Event\(\s*"([\w.]+)"', file.read_text())}
    assert {"plan.line", "rung", "verdict"} <= kinds
    named = re.sub(r"`\.(failed|skipped)`", r"`decompose.subquestion.\1`", table)
    for kind in kinds - {"nested.plan"}:
        assert f"`decompose.{kind}`" in named, kind


def test_the_guide_says_how_much_is_shown_of_what_was_found_and_said() -> None:
    for most, what in ((_MOST_PASSAGES, "passages"), (_MOST_CHARS, "characters")):
        assert f"{most:,} {what}" in GUIDE
        assert f"{most:,} {what}" in " ".join((Options.__doc__ or "").split())
    assert _TURNS_SHOWN == 10
    assert f"last ten messages, the first {_CHARS_SHOWN:,} characters" in GUIDE


def test_the_evaluation_page_s_python_asks_for_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dev.jsonl").write_text('{"question": "2 + 2?", "answer": "4"}\n')
    [code] = blocks("python", (ROOT / "docs" / "evaluation.md").read_text())
    before_asking, asks, _ = code.partition("Evaluation(settings)")
    compile(code, "evaluation.md", "exec")
    names: dict[str, Any] = {}
    exec(before_asking, names)
    assert asks
    assert len(names["settings"].systems["dev.jsonl"]) == 8, "cot once and dag thrice, by each"


def test_the_prompt_that_is_shown_is_one_that_can_be_used(tmp_path: Path) -> None:
    shown = (prompts.__doc__ or "").partition("role:\n\n")[2].partition("\n\n")[0]
    (tmp_path / "direct.txt").write_text(dedent(shown))
    assert prompts.load_prompts(tmp_path)["direct"].messages({"problem": "2 + 2?"})


def test_links_in_the_docs_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
