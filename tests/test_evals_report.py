"""The report: what it says, that its pages stand alone, that no text becomes markup."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from langgraph_decompose.errors import UserError
from langgraph_decompose.evals.report import tables, write_report
from langgraph_decompose.evals.report.document import Heading, Table, Text
from langgraph_decompose.evals.report.html import to_html
from langgraph_decompose.evals.report.markdown import to_markdown
from langgraph_decompose.evals.report.plot import Point, draw
from langgraph_decompose.evals.summary import read_samples, summarise

from .report_samples import ABOUT, TASKS, samples, write_samples

SVG = "{http://www.w3.org/2000/svg}"
VOID = {"meta", "br", "!doctype"}


class Page(HTMLParser):
    """What a browser would make of a page: elements, attributes, text; wrong nesting fails."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def report_of(rows: Sequence[dict[str, Any]], out: Path) -> Path:
    path = write_samples(out / "samples.jsonl", [*rows])
    command = "decompose eval svamp drop --strategy direct dag --out run"
    summary = summarise(read_samples(path), tasks=TASKS, about=ABOUT, command=command, seed=3)
    write_report(path, summary, out)
    return out


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report_of([*samples(120)], tmp_path_factory.mktemp("report"))


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return [row for row in samples(12) if row["task"] == "svamp"]


def visible(report: Path) -> list[str]:
    """The text of both pages, as a reader sees it."""
    markdown = re.sub(r"\\([^\w\s]|_)", r"\1", (report / "report.md").read_text())
    return [markdown, Page((report / "report.html").read_text()).text]


def test_both_pages_say_the_same_things(report: Path) -> None:
    for text in visible(report):
        for expected in (
            "svamp: dag is better than direct by ",
            "It can't be told whether cot is better than direct",
            "decompose eval svamp drop --strategy direct dag --out run",
            "langgraph 1.2.22, langgraph-decompose 0.1.0",
            "desk (openai:qwen3), bundled (bundled decompose.gguf, SHA-256 4e9e e420)",
            "Task version 2, prompts 1. Systems are compared by f1.",
            "At no more tokens than dag takes (337 a question)",
            "dag against self_consistency",
            "steps propagated",
            "Where dag wins and loses against direct",
            "svamp: dag beside direct",
        ):
            assert expected in text


def test_a_first_wrong_step_that_is_not_known_has_a_column() -> None:
    row = {"system": "dag", "steps": {"right": 3}, "first_wrong": {"none": 1, "unknown": 2}}
    table = tables.steps([row], {"dag": "dag"})
    assert table
    assert table.head[-2:] == ["no wrong step", "first wrong not known"]
    assert table.rows[0][-2:] == ["1 (33.3 %)", "2 (66.7 %)"]


def test_examples_show_both_sides_and_where_the_plan_went_wrong(report: Path) -> None:
    for text in visible(report):
        examples = text.partition("Examples")[2]
        assert "#1 How many pears does Ana have?" in examples
        assert re.search(r"#1 .* = \d+ \(local\)", examples)
        assert re.search(r"#2 How many pears are left\? ← #1 = \d+ \(propagated\)", examples)
        assert "failed: timed out" in examples


def test_the_page_needs_nothing_beside_it_and_runs_nothing(report: Path) -> None:
    text = (report / "report.html").read_text()
    page = Page(text)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "base", "form"}
    assert not page.attributes & {"src", "href", "srcset", "action", "style"}
    assert "url(" not in text
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text.replace("scheme:dark", "scheme: dark")


def test_the_drawing_is_in_the_page_and_beside_the_markdown(report: Path) -> None:
    [name] = re.findall(r"\]\((plot-svamp-\S+\.svg)\)", (report / "report.md").read_text())
    svg = (report / name).read_text()
    assert svg in (report / "report.html").read_text()
    shapes = [e.tag.removeprefix(SVG) for e in ET.fromstring(svg).iter() if "mark" in marked(e)]
    assert sorted(shapes) == ["circle", "circle", "circle", "rect"], "three undivided, one split"


def marked(element: ET.Element) -> str:
    return element.get("class", "")


def test_the_same_samples_give_the_same_report(report: Path, tmp_path: Path) -> None:
    again = report_of([*samples(120)], tmp_path)
    for name in ("report.md", "report.html", "plot-svamp-tokens.svg"):
        assert (again / name).read_bytes() == (report / name).read_bytes()


HOSTILE = (
    "</td></table><script>alert('1')</script> | **b** `c` [d](http://e) $x$ \x1b[0m\n# f\ud800"
)


def test_no_text_of_a_sample_becomes_markup(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    for row in rows:
        row |= {"question": HOSTILE, "context": HOSTILE, "gold": HOSTILE, "id": HOSTILE + row["id"]}
        row["answer"] = HOSTILE if row["answer"] else None
        row["error"] = HOSTILE
        row["system"] = row["system"].replace("bundled", HOSTILE)
        row["plan"] = [line | {"text": HOSTILE.replace("\n", " ")} for line in row["plan"]]
        row["usage"] = [part | {"model": HOSTILE} for part in row["usage"]]
    report = report_of(rows, tmp_path)
    page = Page((report / "report.html").read_text())
    assert "script" not in page.tags
    assert "<script>alert('1')</script>" in page.text
    markdown = (report / "report.md").read_text()
    assert not re.search(r"(?<!\\)<(?!br>)|(?<!\\)\*\*b|(?<!\\)`|(?<!\\)\[d|(?<!\\)\$", markdown)
    assert not re.search(r"^# f", markdown, re.MULTILINE)
    widths = {
        len(re.findall(r"(?<!\\)\|", line)) for line in markdown.split("\n") if "|---" in line
    }
    assert len(widths) <= 1
    for name in report.glob("*.svg"):
        ET.parse(name)
    assert "\x1b" not in markdown + page.text


TWO = Table(["a", "b"], [["c", "d"]])


@settings(max_examples=60)
@given(st.text(st.characters(), max_size=60))
def test_any_text_stays_text(text: str) -> None:
    blocks = [Heading(1, "x"), Text(text), Table(["a", "b"], [[text, text]])]
    assert Page(to_html(blocks)).tags == Page(to_html([*blocks[:1], Text("y"), TWO])).tags
    *_, row = to_markdown(blocks).rstrip("\n").split("\n")
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 3


def test_long_texts_are_cut(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    report = report_of([row | {"context": "word " * 100_000} for row in rows], tmp_path)
    assert (report / "report.html").stat().st_size < 200_000


def test_failures_and_gaps_are_told(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    for row in rows:
        if not row["failed"] and row["strategy"] == "dag":
            row["status"] = "partial"
    rows[0] |= {"failed": True, "answer": None, "metrics": {}}
    whole, failed = (
        sum(row["failed"] is kind for row in rows if row["strategy"] == strategy)
        for strategy, kind in (("dag", False), ("direct", True))
    )
    for text in visible(report_of(rows, tmp_path)):
        assert f"direct failed on {failed} of 12 items" in text
        assert "answered with gaps" in text
    markdown = (tmp_path / "report.md").read_text()
    assert re.search(rf"^\| dag \| .* \| 12 \| {12 - whole} \| {whole} \|$", markdown, re.MULTILINE)


def test_money_is_drawn_where_all_prices_are_known(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    for row in rows:
        row["usage"] = [part | {"cost": 0.002 * part["calls"]} for part in row["usage"]]
    report = report_of(rows, tmp_path)
    assert (report / "plot-svamp-money.svg").exists()
    assert "| direct | 1.0 | 40 | 10 | 0.50 | 2.00 |" in (report / "report.md").read_text()


def test_what_nobody_counted_is_a_question_mark(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    for row in rows:
        row["usage"] = [part | {"cost": None, "input_tokens": None} for part in row["usage"]]
    report = report_of(rows, tmp_path)
    assert "| direct | 1.0 | ? | 10 | 0.50 | ? |" in (report / "report.md").read_text()
    assert not list(report.glob("*.svg"))


def test_a_system_that_is_not_drawn_is_named(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    for row in rows:
        if row["strategy"] == "cot":
            row["usage"] = [part | {"input_tokens": None} for part in row["usage"]]
    for text in visible(report_of(rows, tmp_path)):
        assert "squares: split. Not drawn, since nobody counted: cot." in text


def test_one_system_alone_has_a_report(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    report = report_of([row for row in rows if row["strategy"] == "dag"], tmp_path)
    assert "There is nothing to compare." in (report / "report.md").read_text()


def test_where_only_plans_are_judged_no_answers_are_compared(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = write_samples(tmp_path / "samples.jsonl", [row | {"metrics": {}} for row in rows])
    tasks = {"svamp": TASKS["svamp"] | {"metric": ""}}
    summary = summarise(read_samples(path), tasks=tasks, about=ABOUT, command="", seed=0)
    write_report(path, summary, tmp_path)
    text = visible(tmp_path)[0]
    assert "Only plans are judged." in text
    assert "| needs F1 | " in text
    assert summary["comparisons"] == []
    assert "Examples" not in text


def test_of_two_that_do_and_take_the_same_none_is_called_the_better(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    direct = [row for row in rows if row["strategy"] == "direct"]
    same = {"system": "dag · bundled · bundled", "strategy": "dag", "decomposer": "bundled"}
    text = (
        report_of([*direct, *(row | same for row in direct)], tmp_path) / "report.md"
    ).read_text()
    assert "no system does better" in text
    assert "the best is direct" not in text


def test_strategies_with_several_solvers_go_by_their_full_names(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    other = [
        row | {"system": "direct · gguf:b", "solver": "gguf:b"}
        for row in rows
        if row["strategy"] == "direct"
    ]
    text = visible(report_of([*rows, *other], tmp_path))[0]
    assert "direct · gguf:b is better than direct · bundled" in text.replace(
        "It can't be told whether ", ""
    )


def test_a_directory_that_can_t_be_written_is_named(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    path = write_samples(tmp_path / "samples.jsonl", rows)
    summary = summarise(read_samples(path), tasks=TASKS, about=ABOUT, command="", seed=0)
    with pytest.raises(UserError, match=r"file' can't be written"):
        write_report(path, summary, tmp_path / "file")


def point(name: str, spend: float, value: float, undivided: bool = True) -> Point:
    return Point(name, spend, value, max(0.0, value - 0.05), min(1.0, value + 0.05), undivided)


def drawn(points: Sequence[Point], pick: Callable[[ET.Element], bool]) -> list[ET.Element]:
    return [e for e in ET.fromstring(draw(points, "tokens", "accuracy")).iter() if pick(e)]


def test_the_front_is_marked_and_joined() -> None:
    points = [point("direct", 10, 0.4), point("cot", 50, 0.3), point("dag", 90, 0.6, False)]
    assert len(drawn(points, lambda e: "best" in marked(e))) == 2
    [line] = drawn(points, lambda e: marked(e) == "front")
    assert line.get("d", "").count("L") == 1


def test_whoever_equals_one_of_the_front_is_on_it() -> None:
    points = [point("direct", 10, 0.4), point("cot", 10, 0.4), point("dag", 90, 0.6, False)]
    assert len(drawn(points, lambda e: "best" in marked(e))) == 3


def test_long_names_are_cut_where_they_are_alike() -> None:
    names = [f"dag · {'x' * 60} · {model}" for model in ("small", "large")]
    points = [point(name, 10 + k, 0.4) for k, name in enumerate(names)]
    labels = drawn(points, lambda e: (e.text or "").startswith("dag"))
    assert [(e.text or "")[-5:] for e in labels] == ["small", "large"]


@pytest.mark.parametrize(("most", "tick"), [(2e6, "1,000,000"), (5e-5, "0.00002")])
def test_the_axis_has_plain_numbers(most: float, tick: str) -> None:
    points = [point("direct", most / 50, 0.4), point("dag", most, 0.6)]
    assert drawn(points, lambda e: e.text == tick)


@example([(5e-324, 0.0)])
@example([(0.0, 0.5), (0.0, 0.5)])
@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1)), min_size=1, max_size=30))
def test_every_system_has_a_label_of_its_own_within_the_drawing(
    places: list[tuple[float, float]],
) -> None:
    points = [point(f"s{k}", spend, value) for k, (spend, value) in enumerate(places)]
    labels = drawn(points, lambda e: (e.text or "").startswith("s"))
    heights = sorted(float(e.get("y", "nan")) for e in labels)
    assert len(heights) == len(points)
    assert all(b - a > 15 for a, b in pairwise(heights))
    assert heights[0] > 0
    box = ET.fromstring(draw(points, "tokens", "accuracy")).get("viewBox", "").split()
    assert heights[-1] < float(box[3])
