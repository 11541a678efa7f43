"""Importing: each data set's own format as examples, and which rows may train."""

import csv
import json
import re
from pathlib import Path

import pytest
from langgraph_decompose.distill.importers import read_dataset
from langgraph_decompose.distill.importers.teacher import question_hash
from langgraph_decompose.distill.source_files import TEACHER_SET
from langgraph_decompose.errors import UserError
from langgraph_decompose.evals.rows import csv_rows
from langgraph_decompose.evals.splits import split_of
from langgraph_decompose.plan import Plan, parse_plan
from langgraph_decompose.tools.calculator import calculate


def write(path: Path, rows, lines=True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(map(json.dumps, rows)) if lines else json.dumps(rows)
    path.write_text(text, encoding="utf-8")
    return path


def texts(example):
    return [(line["text"], line["needs"]) for line in example.plan]


def test_strategyqa_has_subquestions_with_references_and_yes_or_no(tmp_path):
    row = {
        "qid": "a1",
        "question": "Could the author of Heidi have met Elvis?",
        "answer": False,
        "decomposition": ["Who wrote Heidi?", "When did #1  die?", "Was Elvis alive in #2?"],
    }
    [example] = read_dataset("strategyqa", write(tmp_path / "strategyqa/train.json", [row], False))
    assert example.id == "strategyqa/train.json:a1"
    assert example.answer == "no"
    assert texts(example) == [
        ("Who wrote Heidi?", []), ("When did #1 die?", [1]), ("Was Elvis alive in #2?", [2]),
    ]  # fmt: skip


def test_a_teacher_may_plan_questions_of_strategyqa_and_the_answers_stay(tmp_path):
    question = "Could the author of Heidi have met Elvis?"
    row = {"qid": "a1", "question": question, "answer": True, "decomposition": ["Who wrote Heidi?"]}
    write(tmp_path / "strategyqa/train.json", [row], False)
    plan = [
        {"id": 1, "text": "Who wrote Heidi?", "needs": []},
        {"id": 2, "text": "Could #1 have met Elvis?", "needs": [1]},
    ]
    planned = {"source": "strategyqa/train.json", "row": 7, "plan": plan}
    path = write(
        tmp_path / "teacher/s.jsonl", [{**planned, "question_hash": question_hash(question)}]
    )
    [example] = read_dataset("teacher", path)
    assert (example.id, example.answer) == ("strategyqa/train.json:a1", "yes")
    assert texts(example) == [("Who wrote Heidi?", []), ("Could #1 have met Elvis?", [1])]


@pytest.mark.parametrize("path", sorted(TEACHER_SET.glob("*.jsonl")), ids=lambda path: path.stem)
def test_plans_of_the_teacher_set_are_plans_and_their_expressions_give_their_values(path):
    for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        plan = Plan.from_rows(
            [{key: line[key] for key in ("id", "text", "needs")} for line in row["plan"]]
        )
        assert parse_plan(str(plan)) == plan, row
        values = {line["id"]: f"({line['value']})" for line in row["plan"] if "expr" in line}
        for line in row["plan"] if values else ():
            shown = re.sub(r"#(\d+)", lambda m, v=values: v[int(m[1])], line["expr"])
            assert float(calculate(shown)) == pytest.approx(float(calculate(line["value"])), 1e-4)


def test_musique_relations_become_questions(tmp_path):
    row = {
        "id": "2hop__1_2",
        "question": "Who founded the label of the performer of Blue Sand?",
        "answer": "Ada Moss",
        "question_decomposition": [
            {"question": "Blue Sand >> performer", "answer": "Nell Hart"},
            {"question": "#1 >> record label", "answer": "Fern"},
            {"question": "Who founded #2?", "answer": "Ada Moss"},
        ],
    }
    [example] = read_dataset("musique", write(tmp_path / "musique.jsonl", [row]))
    assert texts(example) == [
        ("What is the performer of Blue Sand?", []),
        ("What is the record label of #1?", [1]),
        ("Who founded #2?", [2]),
    ]
    assert [line.get("answer") for line in example.plan] == ["Nell Hart", "Fern", "Ada Moss"]


def test_what_musique_cannot_answer_is_left_out_and_counted_but_not_refused(tmp_path):
    steps = [{"question": "Fern >> owner"}, {"question": "#1 >> born"}]
    row = {"question": "When was Fern's owner born?", "question_decomposition": steps}
    rows = [{"id": "a", "answerable": False, **row}, {"id": "b", "answerable": True, **row}]
    path, broken = write(tmp_path / "musique.jsonl", rows), []
    assert [x.id[-1] for x in read_dataset("musique", path, broken=broken)] == ["b"]
    assert broken == [f"{path}:1: its paragraphs don't answer it"]
    assert len(list(read_dataset("musique", path))) == 1


def test_gsm8k_socratic_has_expressions_traced_to_earlier_lines(tmp_path):
    answer = (
        "How many pens are in the boxes? ** The boxes hold 3*4=<<3*4=12>>12 pens.\n"
        "How many pens are left? ** 12-5=<<12-5=7>>7 pens are left.\n#### 7"
    )
    row = {
        "question": "Ida has 3 boxes of 4 pens and loses 5. How many are left?",
        "answer": answer,
    }
    [example] = read_dataset("gsm8k_socratic", write(tmp_path / "s.jsonl", [row]))
    assert [(line["expr"], line["answer"]) for line in example.plan] == [
        ("3*4", "12"), ("#1-5", "7"),
    ]  # fmt: skip
    assert example.plan[1]["needs"] == [1]
    assert example.answer == "7"


def test_socratic_lines_without_one_clear_calculation_each_are_sequential(tmp_path):
    answer = "How old is Bo? ** He is 4.\nHow old is Al? ** 4+1=<<4+1=5>>5.\n#### 5"
    row = {"question": "Bo is 4. Al is a year older. How old is Al?", "answer": answer}
    [example] = read_dataset("gsm8k_socratic", write(tmp_path / "s.jsonl", [row]))
    assert texts(example) == [("How old is Bo?", []), ("How old is Al?", [1])]
    assert "expr" not in example.plan[1]


def test_socratic_lines_whose_number_may_be_an_earlier_result_are_sequential(tmp_path):
    answer = (
        "How many pens has Bo? ** 2*2=<<2*2=4>>4.\nHow many has Al? ** 4+1=<<4+1=5>>5.\n"
        "How many has Cy? ** 4+2=<<4+2=6>>6.\n#### 6"
    )
    row = {"question": "Bo has 2 packs of 2 pens. Al has 1 more than Bo, Cy 2 more than 4.",
           "answer": answer}  # fmt: skip
    [example] = read_dataset("gsm8k_socratic", write(tmp_path / "s.jsonl", [row]))
    assert [line["needs"] for line in example.plan] == [[], [1], [1, 2]]
    assert not any("expr" in line for line in example.plan)


def write_break(path: Path, rows) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["question_id", "question_text", "decomposition", "operators", "split"])
        writer.writerows([*row, "dev"] for row in rows)
    return path


@pytest.mark.parametrize(
    ("steps", "operators", "question", "expected"),
    [
        (
            "return the author of Heidi ;return the  birth place of #1",
            "['select', 'project']",
            "Where was the author of Heidi born?",
            ["Who is the author of Heidi?", "What is the birth place of #1?"],
        ),
        (
            "return band that recorded Blue Sand ;return city that #1 formed in",
            "['select', 'project']",
            "In which city did the band that recorded Blue Sand form?",
            ["Which band recorded Blue Sand?", "Which city did #1 form in?"],
        ),
        (
            "return if Oslo is a  capital ;return if Bergen is a capital ;"
            "return if  both  #1 and  #2 are true",
            "['boolean', 'boolean', 'boolean']",
            "are Oslo and Bergen both capitals?",
            ["Is Oslo a capital?", "Is Bergen a capital?", "Are Oslo and Bergen both capitals?"],
        ),
        (
            "return goals that  Moss scored ;return goals that Hart scored ;return number of  #1 ;"
            "return number of  #2 ;return difference of #3 and  #4",
            "['select', 'select', 'aggregate', 'aggregate', 'arithmetic']",
            "How many more goals did Moss score than Hart?",
            [
                "How many goals did Moss score?",
                "How many goals did Hart score?",
                "How many more goals did Moss score than Hart?",
            ],
        ),
    ],
)
def test_break_steps_become_questions_that_a_person_would_ask(
    tmp_path, steps, operators, question, expected
):
    path = write_break(tmp_path / "b.csv", [("HOTPOT_dev_1", question, steps, operators)])
    [example] = read_dataset("break", path)
    assert [line["text"] for line in example.plan] == expected
    assert example.id == "break:HOTPOT_dev_1"


def test_a_byte_order_mark_is_read_over(tmp_path):
    row = ("HOTPOT_dev_1", "Who wrote it?", "return the author of Heidi ;return age of #1", "['s']")
    table = write_break(tmp_path / "b.csv", [row])
    rows = write(tmp_path / "rows.jsonl", [{"question": "Who wrote it?"}])
    rows.write_text(f"\n{rows.read_text()}")
    for path in (table, rows):
        path.write_text(f"\ufeff{path.read_text()}", encoding="utf-8")
    assert next(read_dataset("questions", rows)).question == "Who wrote it?"
    assert next(csv_rows(table))[1]["question_id"] == "HOTPOT_dev_1"


def test_break_plans_with_a_step_that_nobody_would_ask_are_left_out(tmp_path):
    rows = [
        ("HOTPOT_dev_1", "Which flights are free?", "return flights ;return #1 free", "['s', 'f']"),
        (
            "ATIS_dev_2",
            "flights to Oslo",
            "return the capital of x ;return age of #1",
            "['s', 'p']",
        ),
    ]
    left_out: list[str] = []
    assert not list(read_dataset("break", write_break(tmp_path / "b.csv", rows)))
    assert not list(read_dataset("break", tmp_path / "b.csv", broken=left_out))
    assert len(left_out) == len(rows)


@pytest.mark.parametrize("kind", ["break", "musique"])
def test_where_a_split_is_wanted_what_others_leave_out_is_not_counted(kind, tmp_path):
    path, ids = tmp_path / "set" / "rows", [f"HOTPOT_dev_{n}" for n in range(60)]
    if kind == "break":
        path.parent.mkdir()
        step = ("Which flights are free?", "return flights ;return #1 free", "['s', 'f']")
        write_break(path, [(name, *step) for name in ids])
    else:
        write(path, [{"id": name, "question": "Who?", "answerable": False} for name in ids])
    left_out: list[str] = []
    assert not list(read_dataset(kind, path, broken=left_out, split="dev"))
    whole = "break:" if kind == "break" else "set/rows:"
    assert len(left_out) == [split_of(f"{whole}{name}") for name in ids].count("dev")
    assert left_out


def test_teacher_rows_are_joined_with_the_row_of_the_original(tmp_path):
    problems = [
        {"question": "What is 1+1?", "answer": "1+1 = <<1+1=2>>2\n#### 2"},
        {
            "question": "Ed buys 2 pens at $3 and pays with $10. What is his change?",
            "answer": "#### 4",
        },
    ]
    write(tmp_path / "gsm8k/train.jsonl", problems)
    plan = [
        {"id": 1, "text": "What do the pens cost?", "needs": [], "expr": "2*3", "value": "6"},
        {"id": 2, "text": "What is Ed's change?", "needs": [1], "expr": "10-#1", "value": "4"},
    ]
    row = {"source": "gsm8k/train.jsonl", "row": 1, "plan": plan}
    file = write(tmp_path / "teacher/gsm8k_train.jsonl", [row])
    [example] = read_dataset("teacher", file, data_dir=tmp_path)
    original = list(read_dataset("gsm8k", tmp_path / "gsm8k/train.jsonl"))[1]
    assert example.id == original.id, "one question falls into one split"
    assert example.question == problems[1]["question"]
    assert (example.answer, example.plan[0]["answer"]) == ("4", "6")


def test_teacher_rows_with_a_question_of_their_own(tmp_path):
    rows = [
        {"id": "f1", "question": "Who wrote it?", "context": "A note by Ada.", "plan": []},
        {
            "id": "f2",
            "question": "How thick is one of 4 equal sheets of 2 cm?",
            "plan": [],
            "expr": "2/4",
        },
    ]
    one, two = read_dataset("teacher", write(tmp_path / "fresh.jsonl", rows))
    assert (one.id, one.problem) == ("fresh:f1", "A note by Ada.\n\nWho wrote it?")
    assert (two.answer, two.meta["expr"]) == ("0.5", "2/4")


def test_a_teacher_file_reads_no_file_outside_of_the_data_folder(tmp_path):
    file = write(tmp_path / "t.jsonl", [{"source": "../secret.jsonl", "row": 0, "plan": []}])
    with pytest.raises(UserError, match="lies outside"):
        list(read_dataset("teacher", file, data_dir=tmp_path))


@pytest.mark.parametrize(
    ("kind", "row", "question", "answer"),
    [
        ("svamp", {"Body": "Al has 3", "Question": "How?", "Answer": 3.0}, "Al has 3, How?",
         "3"),
        ("webquestions", {"qText": "where is oslo?", "answers": ["Norway"]},
         "where is oslo?", "Norway"),
        ("hotpot_2wiki", {"id": 1, "question": "Who?", "answer": "Al"}, "Who?", "Al"),
        ("questions", {"input": "How many?", "target": 3.5}, "How many?", "3.5"),
    ],
)  # fmt: skip
def test_questions_without_plans(tmp_path, kind, row, question, answer):
    [example] = read_dataset(kind, write(tmp_path / "q.json", [row], False))
    assert (example.question, example.answer, example.plan) == (question, answer, ())


def test_the_folder_of_a_file_counts_when_it_is_the_one_we_are_in(tmp_path, monkeypatch):
    write(tmp_path / "gsm8k/test.jsonl", [{"question": "What is 1+1?", "answer": "#### 2"}])
    monkeypatch.chdir(tmp_path / "gsm8k")
    [example] = read_dataset("gsm8k", "test.jsonl")
    assert split_of(example.id) == "eval"


def test_a_tenth_is_for_development_and_the_evaluation_files_are_known():
    splits = [split_of(f"gsm8k/train.jsonl:{row}") for row in range(5000)]
    assert set(splits) == {"train", "dev"}
    assert 0.08 < splits.count("dev") / 5000 < 0.12
    assert {split_of(f"{name}:0") for name in ("gsm8k/test.jsonl", "svamp/SVAMP.json")} == {"eval"}


def test_of_break_a_tenth_is_for_evaluation_and_a_tenth_of_the_rest_for_development():
    splits = [split_of(f"break:HOTPOT_dev_{row}") for row in range(5000)]
    assert 0.08 < splits.count("eval") / 5000 < 0.12
    assert 0.07 < splits.count("dev") / 5000 < 0.11


def test_a_plan_finds_its_question_by_what_it_asks_not_by_its_row(tmp_path: Path) -> None:
    (tmp_path / "gsm8k").mkdir()
    questions = ["Who has 2 pens?", "Who has 3  Pens?"]
    lines = [json.dumps({"question": q, "answer": "x\n#### 5"}) for q in questions]
    (tmp_path / "gsm8k" / "train.jsonl").write_text("\n".join(lines))
    row = {"source": "gsm8k/train.jsonl", "row": 0, "plan": []}
    plans = [
        {**row, "question_hash": question_hash("Who has 3 pens?")},
        {**row, "question_hash": question_hash("Who has 4 pens?")},
    ]
    (tmp_path / "plans.jsonl").write_text("\n".join(map(json.dumps, plans)))
    broken: list[str] = []
    read = read_dataset("teacher", tmp_path / "plans.jsonl", data_dir=tmp_path, broken=broken)
    assert [example.id for example in read] == ["gsm8k/train.jsonl:1"]
    assert len(broken) == 1
