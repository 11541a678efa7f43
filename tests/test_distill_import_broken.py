"""Importing what can't be used: each row is named by file and line, and counted or refused."""

import pytest
from langgraph_decompose.distill.importers import KINDS, read_dataset
from langgraph_decompose.errors import UserError

from .test_distill_import import write


def test_broken_rows_are_refused_or_noted(tmp_path):
    path = write(tmp_path / "s.jsonl", [{"question": "Is it?", "answer": True}, ["no object"]])
    with pytest.raises(UserError, match=r"s\.jsonl:1: 'decomposition' is missing; mend it"):
        list(read_dataset("strategyqa", path))
    broken: list[str] = []
    assert not list(read_dataset("strategyqa", path, broken=broken))
    assert broken[1] == f"{path}:2: not a JSON object"


def test_a_truth_in_words_is_not_taken_for_a_yes(tmp_path):
    steps = {"decomposition": ["Is it a?", "Is it b?"]}
    rows = [{"question": "Is it?", "answer": answer} | steps for answer in ("no", "false", False)]
    broken: list[str] = []
    found = read_dataset("strategyqa", write(tmp_path / "s.jsonl", rows), broken=broken)
    assert [example.answer for example in found] == ["no"]
    assert [line.partition(": ")[2] for line in broken] == [
        "'answer' is neither true nor false"
    ] * 2


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("strategyqa", {"answer": True, "decomposition": []}),
        ("gsm8k_socratic", {"answer": "2+3=<<2+3=5>>5\n#### 5"}),
        ("musique", {"answer": "x", "question_decomposition": []}),
    ],
)
def test_a_row_without_steps_is_broken_and_not_atomic(tmp_path, kind, row):
    broken: list[str] = []
    path = write(tmp_path / "s.jsonl", [{"question": "Is it?"} | row])
    assert not list(read_dataset(kind, path, broken=broken))
    assert broken == [f"{path}:1: it has no steps"]


def test_a_row_of_ours_without_a_plan_is_told_in_words(tmp_path):
    path = write(tmp_path / "t.jsonl", [{"question": "Who?"}])
    with pytest.raises(UserError, match=r"t\.jsonl:1: 'plan' is missing; mend it"):
        list(read_dataset("teacher", path))


def test_an_answer_that_is_null_is_none(tmp_path):
    steps = [{"question": "A >> b", "answer": None}, {"question": "#1 >> c", "answer": None}]
    row = {"question": "Who?", "answer": None, "question_decomposition": steps}
    (example,) = read_dataset("musique", write(tmp_path / "m.jsonl", [row]))
    assert (example.answer, [line.get("answer") for line in example.plan]) == ("", [None, None])


def test_a_broken_row_is_named_by_its_line_or_by_its_place_in_a_list(tmp_path):
    rows = [{"question": "Is it?"}, {"answer": "no"}]
    lines, listed = (write(tmp_path / f"{k}.json", rows, k == "lines") for k in ("lines", "list"))
    lines.write_text(lines.read_text() + "\n{\n")
    found: list[str] = []
    for path in (lines, listed):
        assert len(list(read_dataset("questions", path, broken=found))) == 1
    assert found[0] == f"{lines}:2: no question"
    assert found[1].startswith(f"{lines}:3: Expecting")
    assert found[2:] == [f"{listed}, row 2: no question"]
    table = tmp_path / "b.csv"
    table.write_text('question_id,question_text\n1,"two\nlines"\n2\n')
    with pytest.raises(UserError, match=r"b\.csv:3: no column 'decomposition'"):
        list(read_dataset("break", table))


@pytest.mark.parametrize("lines", [True, False])
def test_half_a_surrogate_pair_is_replaced(tmp_path, lines):
    rows = [{"question": "Who is \ud83d he?"}, {"question": "Who is 🙂 she?"}]
    path = write(tmp_path / "q.json", rows, lines)
    found = [example.question for example in read_dataset("questions", path)]
    assert found == ["Who is ? he?", "Who is 🙂 she?"]


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("strategyqa", "[{", "is no JSON"),
        ("gsm8k", '{"question": "x"}', "no question or no answer"),
        ("break", "a,b\n1,2\n", "no column 'question_id'"),
        ("nonsense", "", "there is no format 'nonsense'; known: break"),
    ],
)
def test_a_file_that_is_something_else_is_named(tmp_path, kind, content, message):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        list(read_dataset(kind, path))


def test_a_missing_file_is_named(tmp_path):
    for kind in KINDS:
        with pytest.raises(UserError, match=r"nothing.json' can't be read"):
            list(read_dataset(kind, tmp_path / "nothing.json"))
