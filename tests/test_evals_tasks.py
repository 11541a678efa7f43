"""Tasks: each data set's own format as items, users' own questions, and what is refused."""

from __future__ import annotations

import csv
import json
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph_decompose import Plan
from langgraph_decompose.errors import MissingDependencyError, UserError
from langgraph_decompose.evals.english import is_noun
from langgraph_decompose.evals.items import Item
from langgraph_decompose.evals.loaders import FORMATS, read_file, read_items
from langgraph_decompose.evals.metrics import METRICS, score
from langgraph_decompose.evals.rows import read_rows
from langgraph_decompose.evals.splits import split_of
from langgraph_decompose.evals.task_files import (
    Task,
    load_items,
    load_task,
    source_of,
    task_names,
)
from langgraph_decompose.plan.ending import asks_two_things

from .conftest import shared


def write(path: Path, *rows: Any, listed: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rows) if listed else "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def lines(plan: Plan | None) -> str:
    return "none" if plan is None else str(plan)


def test_gsm8k_has_the_official_result_and_no_plan_by_itself(tmp_path: Path) -> None:
    row = {"question": "Ana has 1,000 bags of 6 pears. How many?", "answer": "x\n#### 6,000"}
    [item] = read_file("gsm8k", write(tmp_path / "test.jsonl", row))
    assert item == Item("0", row["question"], gold=["6000"])


def test_gsm8k_takes_plans_and_answers_from_the_socratic_file_beside(tmp_path: Path) -> None:
    pears = "Ana has 4 bags of 6 pears and Ben has 9 plums. How much fruit is that?"
    steps = "She has 4*6=<<4*6=24>>24.\nTogether 24+9=<<24+9=33>>33.\n#### 33"
    asked = (
        "How many pears has Ana? ** She has 4*6=<<4*6=24>>24.\n"
        "How much fruit is that? ** Together 24+9=<<24+9=33>>33.\n#### 33"
    )
    other = "Ben has 9 plums. He finds 3, then eats some. How many?"
    unclear = "What has he found? ** He has 9+3=<<9+3=12>>12.\nAnd then? ** Some.\nHow many? ** 1."
    write(tmp_path / "test_socratic.jsonl", {"question": other, "answer": unclear})
    with (tmp_path / "test_socratic.jsonl").open("a") as file:
        file.write(json.dumps({"question": pears, "answer": asked}))
    path = write(
        tmp_path / "test.jsonl",
        {"question": pears, "answer": steps},
        {"question": other, "answer": "#### 1"},
        {"question": "Not in the other file?", "answer": "#### 2"},
    )
    clear, sequential, without = read_file("gsm8k", path)
    assert lines(clear.gold_plan) == (
        "#1 How many pears has Ana?\n#2 How much fruit is that? <- #1"
    )
    assert clear.gold_steps == {"1": "24", "2": "33"}
    assert lines(sequential.gold_plan).endswith("#3 How many? <- #1 #2")
    assert sequential.gold_steps == {"1": "12"}, "only what the solution works out is known"
    assert without.gold_plan is None


def test_a_solution_in_one_step_is_an_atomic_plan(tmp_path: Path) -> None:
    row = {"question": "4 bags of 6 pears?", "answer": "4*6=<<4*6=24>>24\n#### 24"}
    asked = row | {"answer": "How many? ** 4*6=<<4*6=24>>24\n#### 24"}
    write(tmp_path / "test_socratic.jsonl", asked)
    [item] = read_file("gsm8k", write(tmp_path / "test.jsonl", row))
    assert item.gold_plan == Plan()


@pytest.mark.parametrize(
    ("name", "row", "item"),
    [
        (
            "gsm_hard",
            {"input": "How many of 3000000?", "code": "def", "target": 1500000.5},
            Item("0", "How many of 3000000?", gold=["1500000.5"]),
        ),
        (
            "svamp",
            {"ID": "c-1", "Body": "Ana had 9 pears ", "Question": "How many?", "Answer": 9.0,
             "Type": "Addition"},
            Item("c-1", "Ana had 9 pears. How many?", gold=["9"]),
        ),
        (
            "svamp",
            {"ID": "c-2", "Body": "Ana had 9 pears.", "Question": "How many?", "Answer": "9.0"},
            Item("c-2", "Ana had 9 pears. How many?", gold=["9"]),
        ),
        (
            "aqua",
            {"question": "2 + 2?", "options": ["A)3", "B)4"], "rationale": "", "correct": "B"},
            Item("0", "2 + 2?\nA)3\nB)4", gold=["B"]),
        ),
        (
            "bamboogle",
            {"Question": "Who ruled when Jaws came out?", "id": "b_1", "answer": ["Ford"]},
            Item("b_1", "Who ruled when Jaws came out?", gold=["Ford"]),
        ),
        (
            "bamboogle",
            {"Question": "Who ruled when Jaws came out?", "Answer": "Ford"},
            Item("0", "Who ruled when Jaws came out?", gold=["Ford"]),
        ),
        (
            "hotpotqa",
            {"idx": 7, "question": "Is it?", "answer": "yes", "gen_text_store": ""},
            Item("7", "Is it?", gold=["yes"]),
        ),
        (
            "hotpotqa",
            {"_id": "5a8b", "question": "Is it?", "answer": "yes", "type": "comparison",
             "supporting_facts": [["Ulm", 0]],
             "context": [["Ulm", ["It is a town.", " On the Danube."]], ["Jaws", ["A film."]]]},
            Item("5a8b", "Is it?", "Ulm\nIt is a town. On the Danube.\n\nJaws\nA film.",
                 ["yes"]),
        ),
        (
            "hotpotqa",  # as on the Hugging Face hub
            {"id": "5a8b", "question": "Is it?", "answer": "yes", "type": "bridge",
             "context": {"title": ["Ulm"], "sentences": [["It is a town."]]}},
            Item("5a8b", "Is it?", "Ulm\nIt is a town.", ["yes"]),
        ),
        (
            "strategyqa",
            {"qid": "e1", "question": "Is it?", "answer": False},
            Item("e1", "Is it?", gold=["no"]),
        ),
    ],
)  # fmt: skip
def test_a_row_in_its_original_format(tmp_path: Path, name: str, row: Any, item: Item) -> None:
    assert [*read_file(name, write(tmp_path / "rows.jsonl", row))] == [item]
    assert [*read_file(name, write(tmp_path / "rows.json", row, listed=True))] == [item]


def test_2wiki_has_the_aliases_that_lie_beside(tmp_path: Path) -> None:
    row = {"_id": "a", "question": "Where?", "answer": "Britain", "answer_id": "Q145"}
    path = write(tmp_path / "dev.json", row, row | {"answer_id": "Q1"}, listed=True)
    assert [item.gold for item in read_file("2wiki", path)] == [["Britain"], ["Britain"]]
    write(tmp_path / "id_aliases.json", {"Q_id": "Q145", "aliases": ["UK"], "demonyms": ["Brit"]})
    known = ["Britain", "UK", "Brit"]
    assert [item.gold for item in read_file("2wiki", path)] == [known, ["Britain"]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"Q_id": "Q145", "aliases": None}, "'aliases' is no list of texts"),
        ({"Q_id": "Q145", "aliases": "UK"}, "'aliases' is no list of texts"),
        ({"Q_id": "Q145", "demonyms": [1]}, "'demonyms' is no list of texts"),
        ({"aliases": ["UK"]}, "'Q_id' is missing"),
        (["Q145"], "not a JSON object"),
    ],
)
def test_broken_aliases_of_2wiki_are_named_by_file_and_line(
    tmp_path: Path, line: Any, message: str
) -> None:
    row = {"_id": "a", "question": "Where?", "answer": "Britain", "answer_id": "Q145"}
    path = write(tmp_path / "dev.json", row, {**row, "answer_id": None}, listed=True)
    write(tmp_path / "id_aliases.json", {"Q_id": "Q1", "aliases": []}, line)
    with pytest.raises(UserError, match=r"id_aliases\.json:2: ") as caught:
        list(read_file("2wiki", path))
    assert message in str(caught.value)


@pytest.mark.parametrize("broken", [{"question": ["Q?"]}, {"answer": None}, {"question": 7}])
def test_broken_solutions_of_gsm8k_are_named_by_file_and_line(
    tmp_path: Path, broken: dict[str, Any]
) -> None:
    row = {"question": "Q?", "answer": "#### 1"}
    write(tmp_path / "test_socratic.jsonl", row, row | broken)
    path = write(tmp_path / "test.jsonl", row)
    with pytest.raises(UserError, match=r"test_socratic\.jsonl:2: 'question' and 'answer'"):
        list(read_file("gsm8k", path))


def test_musique_has_plan_steps_and_aliases_of_answerable_questions(tmp_path: Path) -> None:
    row = {
        "id": "2hop__1", "question": "Who married the performer of Green?", "answer": "Ann Lee",
        "answer_aliases": ["Ann"], "answerable": True,
        "paragraphs": [{"idx": 0, "title": "Green", "paragraph_text": "A song by Bo."}],
        "question_decomposition": [
            {"id": 1, "question": "Green >> performer", "answer": "Bo"},
            {"id": 2, "question": "Who married #1?", "answer": "Ann Lee"},
        ],
    }  # fmt: skip
    contrast = row | {"answerable": False}
    [item] = read_file("musique", write(tmp_path / "dev.jsonl", row, contrast))
    assert item.gold == ["Ann Lee", "Ann"]
    assert item.context == "Green\nA song by Bo."
    assert lines(item.gold_plan) == ("#1 What is the performer of Green?\n#2 Who married #1? <- #1")
    assert item.gold_steps == {"1": "Bo", "2": "Ann Lee"}


def test_strategyqa_has_subquestions_that_refer_to_earlier_ones(tmp_path: Path) -> None:
    asked = ["Who wrote Heidi?", "When did #1 die?", "Was Elvis alive in #2?"]
    row = {"qid": "a", "question": "Could they have met?", "answer": False, "decomposition": asked}
    [item] = read_file("strategyqa", write(tmp_path / "dev.json", row, listed=True))
    assert lines(item.gold_plan).endswith("#3 Was Elvis alive in #2? <- #2")


def drop_answer(number: str = "", spans: tuple[str, ...] = (), **date: str) -> dict[str, Any]:
    empty = {"day": "", "month": "", "year": ""}
    return {"number": number, "spans": [*spans], "date": empty | date}


def test_drop_has_every_validated_answer_as_spans(tmp_path: Path) -> None:
    pair = {
        "query_id": "q1",
        "question": "Who played, and when?",
        "answer": drop_answer(spans=("Bears", "Browns")),
        "validated_answers": [drop_answer("3"), drop_answer(day="8", month="May", year="1942")],
    }
    section = {"passage": "The Bears and the Browns played.", "qa_pairs": [pair]}
    path = tmp_path / "drop.json"
    path.write_text(json.dumps({"nfl_1": section}, indent=2))
    [item] = read_file("drop", path)
    assert item.context == section["passage"]
    assert item.gold == [["Bears", "Browns"], ["3"], ["8 May 1942"]]
    assert score("drop", "Browns; Bears", item.gold)["em"] == 1


def test_drop_on_the_hub_has_its_validated_answers_turned_round(tmp_path: Path) -> None:
    row = {
        "query_id": "q1", "passage": "P.", "question": "How many?", "answer": drop_answer("3"),
        "validated_answers": {"number": ["4", ""], "spans": [[], ["four"]], "date": [{}, {}]},
    }  # fmt: skip
    assert FORMATS["drop"].item(row, 0).gold == [["3"], ["4"], ["four"]]  # type: ignore[union-attr]


def test_break_is_asked_only_where_it_was_held_out_from_training(tmp_path: Path) -> None:
    pytest.importorskip("lemminflect")
    path = tmp_path / "dev.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["question_id", "question_text", "decomposition", "operators", "split"])
        steps = "return the author of Heidi ;return the birthplace of #1"
        for k in range(50):
            name = f"HOTPOT_dev_{k}"
            table.writerow([name, "Where was Heidi's author born?", steps, "['a', 'b']", "dev"])
        table.writerow(["SPIDER_dev_1", "Show all.", "return all", "['select']", "dev"])
    items = [*read_file("break", path)]
    assert 0 < len(items) < 15
    assert all(split_of(f"break:{item.id}") == "eval" for item in items)
    assert lines(items[0].gold_plan) == (
        "#1 Who is the author of Heidi?\n#2 What is the birthplace of #1? <- #1"
    )
    assert items[0].gold == []


def test_break_without_lemminflect_says_which_extra_has_it(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "lemminflect", None)
    with pytest.raises(MissingDependencyError, match=r"'langgraph-decompose\[eval\]'"):
        is_noun("a word that nobody has asked for yet")


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("gsm8k", {"question": "Q?"}, "'answer' is missing"),
        ("gsm8k", {"question": "Q?", "answer": "18"}, "no '#### NUMBER'"),
        ("gsm8k", {"question": 1, "answer": "#### 1"}, "'question' is no text"),
        ("gsm_hard", {"input": "Q?", "target": "many"}, "'many'"),
        ("gsm_hard", {"input": "Q?", "target": True}, "'target' is no number"),
        ("gsm_hard", {"input": "Q?", "target": 10**400}, "too large"),
        ("gsm8k", {"question": ["Q?"], "answer": "#### 1"}, "'question' is no text"),
        ("own", {"question": "\u200b", "answer": 1}, "the question is empty"),
        ("own", {"question": "Q" * 100_001, "answer": 1}, "over 100,000 characters"),
        ("own", {"question": "Q\ud83d?", "answer": 1}, "'\\ud83d' is half a character"),
        ("own", {"question": "Q?", "context": "\udc00", "answer": 1}, "is half a character"),
        ("own", {"question": "Q?", "id": "\ud83d", "answer": 1}, "is half a character"),
        ("own", {"question": "Q?", "answer": "\ud83d"}, "is half a character"),
        (
            "own",
            {"question": "Q?", "plan": [{"id": 1, "text": "A?", "answer": []}]},
            "an answer is",
        ),
        ("own", {"question": "Q?", "answer": " "}, 'it has no "answer"'),
        ("svamp", {"ID": "1", "Body": None, "Question": "Q?"}, "NoneType"),
        ("aqua", {"question": "Q?", "options": ["A)1"], "correct": "B"}, "letter of no option"),
        ("bamboogle", {"Question": "Q?", "answer": [""]}, "'answer' is missing"),
        ("hotpotqa", {"question": " ", "answer": "x"}, "'question' is no text"),
        ("musique", {"question": "Q?", "answer": ""}, "'answer' is no text"),
        ("strategyqa", {"question": "Q?", "answer": "yes"}, "neither true nor false"),
        ("own", {"question": "Q?"}, 'it has no "answer"'),
        ("own", {"question": "Q?", "answer": {"a": 1}}, "an answer is a text"),
        ("own", {"question": "Q?", "plan": [{"id": 2, "text": "A?"}]}, "the plan can't be read"),
    ],
)
def test_a_broken_row_is_named_by_file_and_line(
    tmp_path: Path, name: str, row: Any, message: str
) -> None:
    path = write(tmp_path / "rows.jsonl")
    path.write_text("\n" + json.dumps(row))
    with pytest.raises(UserError, match=r"rows\.jsonl:2: .*check the file") as caught:
        list(read_file(name, path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_reader_that_breaks_is_placed_behind_its_last_row() -> None:
    def rows() -> Iterator[tuple[str, dict[str, str]]]:
        yield "hub:1", {"question": "Q?", "answer": "a"}
        raise TypeError("an odd\nrow")

    read = read_items("hotpotqa", rows())
    assert next(read).gold == ["a"]
    with pytest.raises(UserError, match="behind hub:1: an odd row; check the file"):
        next(read)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"rows\.jsonl:1: "),
        ("3", r"rows\.jsonl:1: not a JSON object"),
        ("[{", "is no JSON"),
    ],
)
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "rows.jsonl").write_text(content)
    with pytest.raises(UserError, match=message):
        list(read_file("hotpotqa", tmp_path / "rows.jsonl"))


def test_of_a_line_that_is_too_long_the_beginning_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langgraph_decompose.evals.rows.MAX_LINE_BYTES", 30)
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n' + '{"a": "' + "x" * 100 + '"}\n\n{"a": 2}\n' + "y" * 99)
    broken: list[str] = []
    assert [*read_rows(path, broken)] == [(1, {"a": 1}), (4, {"a": 2})]
    assert broken == [f"{path}:{line}: over 30 bytes" for line in (2, 5)]


def test_a_line_of_any_length_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"[" + b"1" * 30_000_000 + b"]")
    tracemalloc.start()
    assert [*read_rows(path, [])] == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "no JSON object of passages"),
        ('{"nfl_1": {"passage": "P."}}', "passage nfl_1: not in DROP's format"),
        ('{"n": {"passage": "P.", "qa_pairs": [{"query_id": "q", "question": "Q?"}]}}',
         "question q: 'answer' is missing"),
        ('{"n": {"passage": "P.", "qa_pairs": [{"question": "Q?", "answer": {}}]}}',
         "neither number, spans nor date"),
    ],
)  # fmt: skip
def test_drop_in_another_format_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "drop.json").write_text(content)
    with pytest.raises(UserError, match=message):
        list(read_file("drop", tmp_path / "drop.json"))


def test_every_task_is_whole() -> None:
    names = (
        "2wiki aqua bamboogle break drop gsm8k gsm_hard hotpotqa musique strategyqa"
        " strategyqa_plans svamp"
    )
    assert task_names() == names.split()
    for name in task_names():
        task = load_task(name)
        assert task.name == name
        assert task.format in FORMATS
        assert task.get, "whoever lacks the data is told how to get it"
        assert task.metric in METRICS.get(task.scoring, ("",))
        assert task.scoring in ("", *FORMATS[task.format].scorings)
    assert load_task("break").metric == "", "only plans are judged"


def test_what_is_put_behind_a_question_hides_no_second_one() -> None:
    assert "without units" in load_task("drop").ask, "gold numbers have none"
    for name in task_names():
        asked = f"Who won? And when?\n{load_task(name).ask}"
        assert asks_two_things(asked), "the last that asks counts, whatever follows it"


def test_missing_data_is_named_with_the_command_that_gets_it(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_items(load_task("gsm8k"), tmp_path)
    wanted = str(tmp_path / "gsm8k" / "test.jsonl")
    assert f"needs {wanted!r}" in str(caught.value)
    assert f"curl -L --create-dirs -o {wanted} https://" in str(caught.value)
    with pytest.raises(UserError, match=r"needs 'data/multihop/.*' or 'data/hotpotqa/"):
        source_of(load_task("hotpotqa"))


def test_the_first_source_that_is_there_is_taken(tmp_path: Path) -> None:
    row = {"question": "Is it?", "answer": "yes"}
    write(tmp_path / "hotpotqa/hotpot_dev_distractor_v1.json", row, listed=True)
    task = load_task("hotpotqa")
    assert source_of(task, tmp_path) == "hotpotqa/hotpot_dev_distractor_v1.json"
    write(tmp_path / "multihop/hotpotqa_500.jsonl", row)
    assert source_of(task, tmp_path) == "multihop/hotpotqa_500.jsonl"


def test_what_a_task_asks_for_is_put_behind_the_question(tmp_path: Path) -> None:
    row = {"question": "2 + 2?", "options": ["A)3", "B)4"], "correct": "B"}
    write(tmp_path / "aqua/test.json", row)
    [item] = load_items(load_task("aqua"), tmp_path)
    assert item.question.endswith("B)4\nAnswer with the letter of the right option.")


def test_an_unknown_task_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    for name in ("gsm", str(tmp_path / "missing.jsonl"), "../tasks/gsm8k", ""):
        with pytest.raises(UserError, match="there is no task .* name one of 2wiki, aqua"):
            load_task(name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(small=st.integers(1, 40), large=st.integers(1, 40), seed=st.integers(0, 3))
def test_subsets_of_growing_limits_nest(tmp_path: Path, small: int, large: int, seed: int) -> None:
    write(tmp_path / "q.jsonl", *({"question": f"{k}?", "answer": k} for k in range(40)))
    task = load_task(tmp_path / "q.jsonl")
    few = load_items(task, limit=min(small, large), seed=seed)
    many = load_items(task, limit=max(small, large), seed=seed)
    assert many[: len(few)] == few
    assert load_items(task, seed=seed)[: len(many)] == many


def test_another_seed_gives_another_subset(tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", *({"question": f"{k}?", "answer": k} for k in range(40)))
    task = load_task(tmp_path / "q.jsonl")
    assert load_items(task, limit=10, seed=0) != load_items(task, limit=10, seed=1)
    with pytest.raises(UserError, match="the limit is a number from 1, not 0"):
        load_items(task, limit=0)


@pytest.mark.parametrize(
    ("answers", "scoring", "metric"),
    [
        ([18, "1,800", "$3.50", "-3", "1/2"], "numeric", "accuracy"),
        ([18, "Ulm"], "mixed", "f1"),
        ([True, "no"], "yes_no", "accuracy"),
        ([["Ulm", "Ulm on Danube"]], "mixed", "f1"),
    ],
)
def test_own_answers_are_judged_as_what_they_are(
    tmp_path: Path, answers: list[Any], scoring: str, metric: str
) -> None:
    path = write(tmp_path / "mine.jsonl", *({"question": "Q?", "answer": a} for a in answers))
    task = load_task(path)
    assert (task.name, task.scoring, task.metric) == ("mine", scoring, metric)


def test_own_rows_may_have_context_aliases_ids_and_plans(tmp_path: Path) -> None:
    plan = [
        {"id": 1, "text": "How many bags?", "needs": [], "expr": "4", "answer": "4"},
        {"id": 2, "text": "How many pears are in #1?", "needs": [1]},
    ]
    row = {"id": "p", "question": "How many?", "context": "4 bags of 6.", "answers": ["24", 24.5]}
    [item] = load_items(load_task(write(tmp_path / "mine.jsonl", row | {"plan": plan})))
    assert (item.id, item.gold, item.problem) == ("p", ["24", "24.5"], "4 bags of 6.\n\nHow many?")
    assert lines(item.gold_plan) == "#1 How many bags?\n#2 How many pears are in #1? <- #1"
    assert item.gold_steps == {"1": "4"}


def test_own_rows_with_plans_alone_are_judged_by_their_plans(tmp_path: Path) -> None:
    task = load_task(write(tmp_path / "plans.jsonl", {"question": "Hello!", "plan": []}))
    assert (task.scoring, task.metric) == ("", "")
    [item] = load_items(task)
    assert item.gold_plan == Plan(), "an empty plan says that it isn't to be split"


def test_own_rows_are_all_answered_or_none(tmp_path: Path) -> None:
    rows = {"question": "A?", "answer": "a"}, {"id": "b", "question": "B?", "plan": []}
    with pytest.raises(UserError, match="question 'b' has no answer while others have"):
        load_task(write(tmp_path / "mixed.jsonl", *rows))


def test_a_sub_answer_of_zero_is_known(tmp_path: Path) -> None:
    plan = [{"id": 1, "text": "How many?", "answer": 0}]
    path = write(tmp_path / "mine.jsonl", {"question": "Q?", "answer": 0, "plan": plan})
    assert load_items(load_task(path))[0].gold_steps == {"1": "0"}


@pytest.mark.parametrize(
    ("scoring", "row", "message"),
    [
        ("numeric", {"answer": "Ulm"}, r"'numeric' can't judge by its answer \('Ulm' is no number"),
        ("letter", {"answer": "36"}, "'36' is none of A, B, C, D, E"),
        ("squad", {"plan": []}, "it has no answer to judge by"),
    ],
)
def test_a_gold_answer_that_can_t_be_judged_is_found_before_a_run(
    tmp_path: Path, scoring: str, row: dict[str, Any], message: str
) -> None:
    (tmp_path / "mine.yaml").write_text(MINE.replace("scoring: squad", f"scoring: {scoring}"))
    write(tmp_path / "questions.jsonl", {"id": "q7", "question": "Q?", **row})
    with pytest.raises(UserError, match=rf"the task 'mine', question 'q7': .*{message}"):
        load_items(load_task(tmp_path / "mine.yaml"))


def test_an_id_names_one_question(tmp_path: Path) -> None:
    row = {"id": "a", "question": "A?", "answer": "a"}
    task = load_task(write(tmp_path / "twice.jsonl", row, row))
    with pytest.raises(UserError, match="two questions have the id 'a'"):
        load_items(task)
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(UserError, match="holds no questions"):
        load_items(load_task(tmp_path / "empty.jsonl"))


MINE = """
name: mine
version: 2
prompt_version: "1"
format: own
scoring: squad
source: questions.jsonl
"""


def test_an_own_yaml_finds_its_file_beside_it_or_in_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE)
    write(tmp_path / "questions.jsonl", {"question": "A?", "answer": "a"})
    write(tmp_path / "else/questions.jsonl", {"question": "B?", "answer": "b"})
    task = load_task(tmp_path / "mine.yaml")
    assert (task.version, task.metric) == (2, "f1")
    assert load_items(task)[0].question == "A?"
    assert load_items(task, tmp_path / "else")[0].question == "B?"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("name: mine", ""), "'name' is missing"),
        (("version: 2", "version: two"), "'version' is a whole number"),
        (("version: 2", "version: true"), "'version' is a whole number"),
        (('"1"', "1"), "'prompt_version' is a text; put it in quotes"),
        (("format: own", "format: xml"), "no format 'xml'; known: 2wiki, aqua"),
        (("scoring: squad", "scoring: luck"), "no scoring 'luck'; known: bamboogle"),
        (("scoring: squad", "metrics: em"), "a task has no 'metrics'"),
        (
            ("scoring: squad", "scoring: drop"),
            "'drop' can't judge the format 'own'; fitting: gsm8k",
        ),
        (("format: own", "format: aqua"), "'squad' can't judge the format 'aqua'; fitting: letter"),
        (("format: own", "format: break"), "fitting: none, plans alone are judged"),
        (("source: questions.jsonl", ""), "neither 'source' nor 'hf'"),
        (("questions.jsonl", "[1]"), "'source' is a file's place"),
        ((MINE, "- a list"), "it is a mapping with name"),
        ((MINE, "a: ["), "is no YAML"),
        ((MINE, "[" * 20_000), "is no YAML"),
        ((MINE, "!!python/object/apply:os.getcwd []"), "is no YAML"),
    ],
)
def test_a_broken_yaml_is_refused_in_one_line(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    (tmp_path / "mine.yaml").write_text(MINE.replace(*change))
    with pytest.raises(UserError, match=r"mine\.yaml") as caught:
        load_task(tmp_path / "mine.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_hub_is_asked_only_if_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def load_dataset(repo: str, config: str | None, split: str) -> list[dict[str, str]]:
        asked.append((repo, config, split))
        return [{"question": "How many?", "answer": "#### 18"}]

    module = ModuleType("datasets")
    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)
    task = load_task("gsm8k")
    with pytest.raises(UserError, match="needs 'data/gsm8k/test.jsonl'"):
        load_items(task)
    assert not asked
    [item] = load_items(task, "hf:")
    assert item.gold == ["18"]
    assert asked == [("openai/gsm8k", "main", "test")]
    assert source_of(task, "hf:") == "hf:openai/gsm8k/main:test"
    (tmp_path / "mine.yaml").write_text(
        MINE.replace("source: questions.jsonl", "hf: me/mine").replace("own", "gsm8k")
    )
    assert load_items(load_task(tmp_path / "mine.yaml"))[0].gold == ["18"]
    with pytest.raises(UserError, match="'2wiki' isn't on the hub"):
        load_items(load_task("2wiki"), "hf:")


def test_without_datasets_the_hub_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match="pip install datasets"):
        load_items(load_task("gsm8k"), "hf:")


@pytest.mark.parametrize(
    ("name", "count", "plans"),
    [
        ("2wiki", 500, 0),
        ("aqua", 254, 0),
        ("bamboogle", 125, 0),
        ("break", 138, 138),
        ("gsm8k", 1319, 1319),
        ("gsm_hard", 1319, 0),
        ("hotpotqa", 500, 0),
        ("musique", 500, 0),
        ("strategyqa", 229, 229),
        ("svamp", 1000, 0),
    ],
)
def test_the_real_files_are_read_whole(name: str, count: int, plans: int) -> None:
    data = shared("data")
    if name == "break":
        pytest.importorskip("lemminflect")
    task: Task = load_task(name)
    items = load_items(task, data)
    assert len(items) == count
    assert sum(item.gold_plan is not None for item in items) == plans
    assert json.loads(json.dumps([item.gold for item in items])) == [item.gold for item in items]
    for item in items[:20]:
        answers = [str(answer) for answer in item.gold]
        assert all(score(task.scoring, a, item.gold)[task.metric] == 1 for a in answers)
