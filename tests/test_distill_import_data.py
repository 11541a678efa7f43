"""The importers on the real files, where these are: nothing of them is in the repository."""

import os
from pathlib import Path

import pytest
from langgraph_decompose.distill.importers import read_dataset
from langgraph_decompose.distill.screen.contamination import read_evaluation_sets
from langgraph_decompose.distill.source_files import TEACHER_SET
from langgraph_decompose.evals.splits import split_of

DATA = Path(
    os.environ.get("DECOMPOSE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="set DECOMPOSE_DATA to the data folder")

FILES = [  # kind, file, examples, examples with a plan of several lines: at least
    ("strategyqa", "strategyqa/train.json", 2061, 2000),
    ("strategyqa", "strategyqa/dev.json", 229, 200),
    ("break", "break/QDMR-high-level_dev.csv", 1200, 900),
    ("gsm8k", "gsm8k/train.jsonl", 7473, 0),
    ("gsm8k_socratic", "gsm8k/test_socratic.jsonl", 1319, 1200),
    ("hotpot_2wiki", "hotpot-2wiki-questions/train.jsonl", 8000, 0),
    ("webquestions", "webquestions/trainmodel.json", 2800, 0),
    ("svamp", "svamp/SVAMP.json", 1000, 0),
    ("questions", "aqua/dev.json", 254, 0),
    ("questions", "bamboogle/bamboogle.json", 125, 0),
    ("questions", "gsmhard/gsmhardv2.jsonl", 1319, 0),
    ("questions", "multihop/hotpotqa_500.jsonl", 500, 0),
    ("teacher", TEACHER_SET / "fresh.jsonl", 29500, 24000),
    ("teacher", TEACHER_SET / "fresh_more.jsonl", 13900, 10000),
    ("teacher", TEACHER_SET / "gsm8k_train.jsonl", 6500, 6400),
    ("teacher", TEACHER_SET / "hotpot_2wiki_train.jsonl", 3300, 2800),
    ("teacher", TEACHER_SET / "strategyqa_train.jsonl", 1800, 1800),
]
EVALUATION = ("test", "svamp", "gsmhard", "bamboogle", "multihop", "strategyqa/dev")


@needs_data
@pytest.mark.parametrize(
    ("kind", "file", "count", "plans"),
    FILES,
    ids=["/".join(Path(row[1]).parts[-2:]) for row in FILES],
)
def test_every_row_is_read_and_none_for_evaluation_is_for_training(kind, file, count, plans):
    examples = list(read_dataset(kind, DATA / file, data_dir=DATA))
    assert len(examples) >= count
    assert sum(len(example.plan) > 1 for example in examples) >= plans
    assert len({example.id for example in examples}) == len(examples)
    splits = {split_of(example.id) for example in examples}
    if any(name in str(file) for name in EVALUATION):
        assert splits == {"eval"}
    else:
        assert ("eval" in splits) == (kind == "break")


@needs_data
def test_a_question_of_two_files_falls_into_one_split():
    teacher = read_dataset("teacher", TEACHER_SET / "gsm8k_train.jsonl", data_dir=DATA)
    original = {x.question: x.id for x in read_dataset("gsm8k", DATA / "gsm8k/train.jsonl")}
    assert all(split_of(x.id) == split_of(original[x.question]) for x in teacher)


@needs_data
def test_the_teacher_set_repeats_next_to_nothing_of_the_evaluation_sets():
    evaluation = [
        "gsm8k/test.jsonl", "gsmhard/gsmhardv2.jsonl", "strategyqa/dev.json", "svamp/SVAMP.json",
        "webquestions/test.json", "webquestions/devtest.json", "aqua/test.json",
        "bamboogle/bamboogle.json", "multihop/hotpotqa_500.jsonl", "multihop/2wiki_500.jsonl",
        "multihop/musique_500.jsonl", "break/QDMR-high-level_dev.csv",
    ]  # fmt: skip
    sets = read_evaluation_sets([str(DATA / file) for file in evaluation])
    for file in TEACHER_SET.glob("*.jsonl"):
        teacher = read_dataset("teacher", file, data_dir=DATA)
        found = [x.id for x in teacher if sets.overlap(x.question, x.context)]
        assert len(found) <= 5, found
