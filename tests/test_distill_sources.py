"""Sources of a recipe: a mistake is mended and the same run goes on, and nothing is paid twice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langgraph_decompose import UserError
from langgraph_decompose.distill import manifest
from langgraph_decompose.distill.collect.collect import CollectSettings, collect
from langgraph_decompose.distill.importers import read_dataset
from langgraph_decompose.distill.recipe import Recipe, run_recipe
from langgraph_decompose.distill.records import Example, read_examples, write_examples
from langgraph_decompose.distill.screen.screen import ScreenSettings, screen
from langgraph_decompose.distill.source_files import TEACHER_SET
from langgraph_decompose.distill.sources import ExampleSource, make_source
from langgraph_decompose.evals.splits import split_of
from langgraph_decompose.testing import LatencyServer, ServerReply

MADE = {"generate": {"count": 3, "kinds": {"compare": 1}}}
NAMES = ("Ada", "Ben", "Cleo", "Dov")


def plan(prompt: str, _: Any) -> str:
    name = re.findall(r"Who is the mother of (\w+)'s editor\?", prompt)[-1]
    return f"#1 Who is {name}'s editor?\n#2 Who is the mother of #1? <- #1"


@pytest.fixture
def teacher() -> Iterator[LatencyServer]:
    with LatencyServer(plan) as server:
        yield server


def questions(path: Path, count: int) -> Path:
    rows = [{"question": f"Who is the mother of {name}'s editor?"} for name in NAMES[:count]]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def taught(server: LatencyServer, file: Path, **options: Any) -> dict[str, Any]:
    return {"collect": {"teacher": f"openai:any@{server.url}", "questions": str(file)} | options}


def make(row: dict[str, Any], out: Path) -> list[Example]:
    """The examples of a source that is called `mine`."""
    return list(read_examples(make_source(ExampleSource.of("mine", row), out.parent, out)))


def test_questions_that_were_missing_are_asked_when_they_are_there(
    teacher: LatencyServer, tmp_path: Path
) -> None:
    row = taught(teacher, tmp_path / "questions.jsonl")
    with pytest.raises(UserError, match=r"asks about '.*questions.jsonl', and there is no such"):
        make(row, tmp_path / "out")
    questions(tmp_path / "questions.jsonl", 2)
    assert len(make(row, tmp_path / "out")) == 2


@pytest.mark.parametrize(
    ("options", "more", "calls"),
    [
        ({"attempts": 2}, {}, 2 + 2),
        ({"limit": 1}, {}, 2),
        ({"concurrency": 1, "max_calls": 50}, {}, 2),
        ({}, {"vary": {"copies": 3, "names": 1.0}}, 2),
        ({}, {"screen": {"max_lines": 5}}, 2),
        ({}, {"split": "train"}, 2),
    ],
)
def test_a_changed_source_is_made_again_from_the_replies_it_has(
    options: dict[str, Any],
    more: dict[str, Any],
    calls: int,
    teacher: LatencyServer,
    tmp_path: Path,
) -> None:
    file, out = questions(tmp_path / "questions.jsonl", 2), tmp_path / "out"
    make(taught(teacher, file) | {"screen": {"max_lines": 4}}, out)
    again = make(taught(teacher, file, **options) | more, out)
    assert len(teacher.calls) == calls
    assert again == make(taught(teacher, file, **options) | more, tmp_path / "from_nothing")


def test_more_questions_are_asked_beside_those_that_were(
    teacher: LatencyServer, tmp_path: Path
) -> None:
    row = taught(teacher, tmp_path / "questions.jsonl") | {"screen": {}}
    for count in (2, 4):
        questions(tmp_path / "questions.jsonl", count)
        assert len(make(row, tmp_path / "out")) == count
    assert len(teacher.calls) == 4


def test_two_parts_of_one_file_ask_about_each_question_once(
    teacher: LatencyServer, tmp_path: Path
) -> None:
    file = tmp_path / "questions.jsonl"
    ids = [next(k for k in range(100) if split_of(str(k)) == split) for split in ("train", "dev")]
    rows = [{"id": k, "question": f"Who is the mother of N{k}'s editor?"} for k in ids]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for count, split in enumerate(("train", "dev"), 1):
        made = make(taught(teacher, file) | {"split": split}, tmp_path / split)
        assert [split_of(example.id) for example in made] == [split]
        assert len(teacher.calls) == count


def test_a_question_that_is_refused_for_good_is_left_out(tmp_path: Path) -> None:
    odd = ServerReply("an unknown error", status=520)
    faults = {"Ben": ServerReply("no such talk", status=400), "Cleo": odd, "Ada": "I won't."}

    def reply(prompt: str, body: Any) -> Any:
        asked = plan(prompt, body)
        return next((fault for name, fault in faults.items() if name in asked), asked)

    file, told = questions(tmp_path / "questions.jsonl", 4), []
    with LatencyServer(reply) as server:
        source = ExampleSource.of("mine", taught(server, file))
        with pytest.raises(UserError, match=r"1 of its .* failed for now \(3: .*run the same"):
            make_source(source, tmp_path, tmp_path / "out")
        faults.pop("Cleo")
        path = make_source(source, tmp_path, tmp_path / "out", told.append)
    assert [example.id for example in read_examples(path)] == ["3", "4"]
    assert told == ["mine: 2 left out, first 2: Error code: 400 - no such talk"]


def test_a_broken_question_is_refused_or_left_out_and_counted(
    teacher: LatencyServer, tmp_path: Path
) -> None:
    file, told = questions(tmp_path / "questions.jsonl", 2), []
    file.write_text(file.read_text() + '{"query": "x"}\n' * 7)
    row = taught(teacher, file, refuse_broken=True)
    with pytest.raises(UserError, match=r'jsonl:3: it has no "question"; mend the row'):
        make(row, tmp_path / "refused")
    no_json = questions(tmp_path / "no_json.jsonl", 2)
    no_json.write_text(no_json.read_text() + "{\n")
    with pytest.raises(UserError, match=r"no_json.jsonl:3: .*mend the row"):
        make(taught(teacher, no_json, refuse_broken=True), tmp_path / "no_json")
    assert teacher.calls == []
    out = tmp_path / "out"
    make_source(ExampleSource.of("mine", taught(teacher, file)), tmp_path, out, told.append)
    assert told == [f'mine: 7 left out, first {file}:3: it has no "question"']
    assert manifest.read_manifest(out)["counts"]["left_out"] == 7


def test_a_teacher_file_of_one_s_own_is_read_and_its_held_out_part_kept_out(
    tmp_path: Path,
) -> None:
    rows = [{"id": k, "question": f"Who is number {k}?", "plan": []} for k in range(60)]
    file = tmp_path / "data" / "mine.jsonl"
    file.parent.mkdir()
    file.write_text("{broken\n" + "".join(json.dumps(row) + "\n" for row in rows))
    imported = {"import": {"kind": "teacher", "path": "mine.jsonl"}}
    screened = {**imported, "screen": {"evaluation": ["dev:teacher:mine.jsonl"]}}

    def ids(row: dict[str, Any], out: str) -> set[str]:
        source = ExampleSource.of("mine", row)
        path = make_source(source, file.parent, tmp_path / out)
        return {example.id for example in read_examples(path)}

    everything = ids(imported, "all")
    assert len(everything) == 60, "the broken line is left out"
    held_out = {name for name in everything if split_of(name) == "dev"}
    # The reference itself is an evaluation set, in which a broken line is refused.
    file.write_text(file.read_text().partition("\n")[2])
    assert everything - ids(screened, "screened") == held_out != set()


def test_an_account_without_money_refuses_no_question(tmp_path: Path) -> None:
    spent = ServerReply("Your credit balance is too low to access the API.", status=400)

    def reply(prompt: str, body: Any) -> Any:
        return spent if len(server.calls) > 2 else plan(prompt, body)

    file = questions(tmp_path / "questions.jsonl", 4)
    with (
        LatencyServer(reply) as server,
        pytest.raises(UserError, match="2 of its questions failed for now"),
    ):
        make(taught(server, file), tmp_path / "out")


def test_a_source_of_another_kind_leaves_the_replies_alone(
    teacher: LatencyServer, tmp_path: Path
) -> None:
    row = taught(teacher, questions(tmp_path / "questions.jsonl", 2))
    first = make(row, tmp_path / "out")
    assert [example.source for example in make(MADE, tmp_path / "out")] == ["generated"] * 3
    assert make(row, tmp_path / "out") == first
    assert len(teacher.calls) == 2


def test_no_message_tells_to_remove_what_was_paid_for(
    teacher: LatencyServer, tmp_path: Path
) -> None:
    file = questions(tmp_path / "questions.jsonl", 2)
    make(taught(teacher, file), tmp_path / "out")
    other = taught(teacher, file, teacher=f"openai:other@{teacher.url}")
    with pytest.raises(UserError, match="replies of another teacher, 'openai:any@") as caught:
        make(other, tmp_path / "out")
    with pytest.raises(UserError, match="holds the step collect") as also:
        make(MADE, tmp_path / "out" / "collect")
    assert not any("remove" in str(refused.value) for refused in (caught, also))


def test_a_table_that_now_means_another_model_is_another_teacher(
    teacher: LatencyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    monkeypatch.setenv("DECOMPOSE_CONFIG", str(config))
    file = tmp_path / "questions.jsonl"
    row = {"collect": {"teacher": "desk", "questions": str(file)}}
    config.write_text(f'[models.desk]\nref = "openai:one@{teacher.url}"\n')
    questions(file, 2)
    made = make(row, tmp_path / "out")
    config.write_text(f'[models.desk]\nref = "openai:other@{teacher.url}"\n')
    assert make(row, tmp_path / "out") == made  # Nothing is left to ask.
    questions(file, 3)
    with pytest.raises(UserError, match="replies of another teacher, 'openai:one@"):
        make(row, tmp_path / "out")
    config.write_text(f'[models.desk]\nref = "openai:one@{teacher.url}"\nprice_in = 1\n')
    assert len(make(row, tmp_path / "out")) == 3
    assert len(teacher.calls) == 3


def test_a_teacher_whose_name_was_wrong_is_no_other_teacher(tmp_path: Path) -> None:
    def reply(prompt: str, body: Any) -> Any:
        return plan(prompt, body) if body["model"] == "any" else ServerReply("?", status=404)

    file = questions(tmp_path / "questions.jsonl", 4)
    with LatencyServer(reply) as server:
        with pytest.raises(UserError, match="can't be asked"):
            make(taught(server, file, teacher=f"openai:nay@{server.url}"), tmp_path / "out")
        assert len(make(taught(server, file), tmp_path / "out")) == 4


def test_a_finished_source_without_a_teacher_is_refused_with_other_settings(
    tmp_path: Path,
) -> None:
    before = make(MADE, tmp_path / "out")
    with pytest.raises(UserError, match="other settings or data; remove that directory, or name"):
        make({"generate": {"count": 4}}, tmp_path / "out")
    assert make(MADE, tmp_path / "out") == before


def test_a_source_that_failed_is_made_when_its_data_is_mended(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text("{}\n")
    row = {"examples": {"path": "mine.jsonl", "refuse_broken": True}}
    with pytest.raises(UserError, match="mine.jsonl:1"):
        make(row, tmp_path / "out")
    write_examples(file, [Example("1", "Who directed Jaws?")])
    assert len(make(row, tmp_path / "out")) == 1


def test_lines_that_are_left_out_are_told_and_counted(tmp_path: Path) -> None:
    write_examples(tmp_path / "mine.jsonl", [Example("1", "Who directed Jaws?")])
    with (tmp_path / "mine.jsonl").open("a") as file:
        file.write("{}\n" * 3)
    row = {"mine": {"examples": {"path": "mine.jsonl"}}, "made": MADE}
    train = {"stages": [{"data": ["mine"]}], "max_steps": 1}
    recipe, told = Recipe.of({"name": "a", "sources": row, "train": train}), []
    for _ in range(2):  # A second run finds the sources made.
        done = run_recipe(recipe, tmp_path / "out", tmp_path, told.append, until="sources")
        assert done["left_out"] == {"mine": 3}
    [line] = told
    assert line.startswith("mine: 3 left out, first ")
    assert line.endswith("mine.jsonl:2: 'id' or 'question' is missing")


def no_file(row: dict[str, Any]) -> dict[str, Any]:
    return {"second": {"examples": {"path": "nowhere.jsonl"}}}


def no_questions(row: dict[str, Any]) -> dict[str, Any]:
    return {"second": {"collect": row["collect"] | {"questions": "nowhere.jsonl"}}}


def no_evaluation(row: dict[str, Any]) -> dict[str, Any]:
    return {"second": MADE | {"screen": {"evaluation": ["gsm8k:nowhere.jsonl"]}}}


@pytest.mark.parametrize("second", [no_file, no_questions, no_evaluation])
def test_files_of_all_sources_are_looked_for_before_a_teacher_is_asked(
    second: Callable[[dict[str, Any]], dict[str, Any]], teacher: LatencyServer, tmp_path: Path
) -> None:
    row = taught(teacher, questions(tmp_path / "questions.jsonl", 2))
    train = {"stages": [{"data": ["first"]}], "max_steps": 1}
    recipe = Recipe.of({"name": "a", "sources": {"first": row, **second(row)}, "train": train})
    with pytest.raises(UserError, match="nowhere"):
        run_recipe(recipe, tmp_path / "out", tmp_path, until="sources")
    assert not teacher.calls


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"import": {"kind": "gsm9k", "path": "x"}}, "there is no format 'gsm9k'"),
        ({"import": {"kind": "gsm8k"}}, "'path': Field required"),
        ({"from_solutions": {"kind": "gsm8k", "path": "x", "lines": 1}}, "has no 'lines'"),
        ({"examples": "mine.jsonl"}, "is a mapping of path, refuse_broken, not 'mine.jsonl'"),
        ({"collect": {"teacher": "t", "questions": "q", "atempts": 2}}, "has no 'atempts'"),
        ({"collect": {"teacher": "t", "questions": "q", "attempts": 0}}, "a whole number from 1"),
        ({"generate": {"count": 3, "kinds": {"riddle": 1}}}, "nothing called 'riddle'"),
        ({"generate": {"count": 3}, 7: 1}, "'7' is no setting of it"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_made(row: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        ExampleSource.of("mine", row)


def test_a_manifest_names_every_input(tmp_path: Path) -> None:
    files = [tmp_path / name / "examples.jsonl" for name in ("fresh", "old", "a/same", "b/same")]
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text(str(file))
    manifest.begin(tmp_path / "out", "train", {}, files)
    named = manifest.read_manifest(tmp_path / "out")["inputs"]
    assert list(named) == ["fresh/examples.jsonl", "old/examples.jsonl", *map(str, files[2:])]
    assert named["old/examples.jsonl"] == manifest.file_hash(files[1])


def test_a_manifest_is_written_with_one_reading_of_the_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, read = tmp_path / "examples.jsonl", []
    file.write_text("an example")
    file_hash = manifest.file_hash
    monkeypatch.setattr(manifest, "file_hash", lambda path: read.append(path) or file_hash(path))
    manifest.finish(tmp_path, "train", {}, [file])
    assert read == [file]
    assert manifest.is_finished(tmp_path, "train", {}, [file])


def test_a_step_that_failed_before_it_wrote_anything_may_begin_with_other_settings(
    tmp_path: Path,
) -> None:
    assert manifest.begin(tmp_path / "out", "export", {"name": "a"})
    assert manifest.begin(tmp_path / "out", "export", {"name": "b"})
    (tmp_path / "out" / "model-f16.gguf").touch()
    with pytest.raises(UserError, match="other settings"):
        manifest.begin(tmp_path / "out", "export", {"name": "c"})


def test_an_import_without_any_plan_says_what_it_is_good_for(tmp_path: Path) -> None:
    file, told = questions(tmp_path / "questions.jsonl", 2), []
    source = ExampleSource.of("mine", {"import": {"kind": "questions", "path": file.name}})
    make_source(source, tmp_path, tmp_path / "out", told.append)
    assert "has a plan: it teaches to answer (`roles: [direct]`), not to split" in told[-1]
    counts = manifest.read_manifest(tmp_path / "out")["counts"]
    assert (counts["examples"], counts["plans"]) == (2, 0)


def test_what_another_split_has_is_not_left_out(tmp_path: Path) -> None:
    """Of the solutions that can't be turned, those of the split alone are counted."""
    file = tmp_path / "gsm8k" / "train.jsonl"
    file.parent.mkdir()
    solved = {"question": "How many are 2 and 3?", "answer": "2+3 = <<2+3=5>>5 in all.\n#### 5"}
    unclear = solved | {"answer": "It is clear.\n#### 5"}
    file.write_text("".join(json.dumps((solved, unclear)[n % 2]) + "\n" for n in range(60)))
    row = {"from_solutions": {"kind": "gsm8k", "path": str(file)}, "split": "dev"}
    found = len(make(row, tmp_path / "out"))
    left_out = manifest.read_manifest(tmp_path / "out")["counts"]["left_out"]
    wanted = [n % 2 for n in range(60) if split_of(f"gsm8k/train.jsonl:{n}") == "dev"]
    assert (found, left_out) == (wanted.count(0), wanted.count(1))
    assert left_out


def test_no_secret_of_a_teacher_is_written(teacher: LatencyServer, tmp_path: Path) -> None:
    file = questions(tmp_path / "questions.jsonl", 1)
    secret = f"openai:any@{teacher.url}".replace("http://", "http://user:s3cret@")
    make(taught(teacher, file, teacher=secret), tmp_path / "out")
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert written
    assert not any(b"s3cret" in path.read_bytes() for path in written)


def test_held_out_questions_of_the_teacher_set_are_kept_out(tmp_path: Path) -> None:
    """Ids decide what is held out, and one question may have two of them."""
    held_out = next(e for e in _fresh() if split_of(e.id) == "dev" and len(e.question) > 40)
    learned = next(e for e in _fresh() if split_of(e.id) == "train")
    write_examples(tmp_path / "mine.jsonl", [replace(held_out, id="mine:1"), learned])
    row = {
        "examples": {"path": str(tmp_path / "mine.jsonl")},
        "screen": {"evaluation": ["dev:teacher:fresh.jsonl"]},
    }
    assert [example.id for example in make(row, tmp_path / "out")] == [learned.id]


def _fresh() -> Iterator[Example]:
    return read_dataset("teacher", TEACHER_SET / "fresh.jsonl")


def test_a_source_is_never_made_over_what_it_reads(tmp_path: Path) -> None:
    file = tmp_path / "out" / "examples.jsonl"
    file.parent.mkdir()
    file.write_text('{"question": "Who?", "mine": 1}\n')
    with pytest.raises(UserError, match="would be written over itself"):
        make({"import": {"kind": "questions", "path": "out/examples.jsonl"}}, tmp_path / "out")
    assert file.read_text() == '{"question": "Who?", "mine": 1}\n'


@pytest.mark.parametrize("way", ["generate", "collect", "screen"])
def test_a_file_of_somebody_else_s_is_never_replaced(way: str, tmp_path: Path) -> None:
    examples, asked = tmp_path / "mine.jsonl", questions(tmp_path / "questions.jsonl", 1)
    write_examples(examples, [Example("a", "Who?")])
    out = tmp_path / "out"
    out.mkdir()
    (out / "examples.jsonl").write_text("mine")
    steps: dict[str, Callable[[], object]] = {
        "generate": lambda: make({"generate": {"count": 1}}, out),
        "collect": lambda: collect(CollectSettings("bundled", str(asked)), out),
        "screen": lambda: screen(ScreenSettings(), [examples], out),
    }
    with pytest.raises(UserError, match=r"examples.jsonl' was there before, not made here; move"):
        steps[way]()
    assert [(path.name, path.read_text()) for path in out.iterdir()] == [("examples.jsonl", "mine")]


def test_a_source_whose_file_was_taken_away_is_made_again_from_its_replies(
    teacher: LatencyServer, tmp_path: Path
) -> None:
    row = taught(teacher, questions(tmp_path / "questions.jsonl", 2))
    before = make(row, tmp_path / "out")
    (tmp_path / "out" / "examples.jsonl").unlink()
    assert make(row, tmp_path / "out") == before
    assert len(teacher.calls) == 2


def test_what_is_screened_anew_takes_no_other_files_away(tmp_path: Path) -> None:
    row, out = MADE | {"screen": {}}, tmp_path / "out"
    made = make(row, out)
    (out / "examples.jsonl").unlink()
    (out / "screen" / "notes.txt").write_text("mine")
    assert make(row, out) == made
    assert (out / "screen" / "notes.txt").read_text() == "mine"


def test_a_screen_that_drops_everything_is_named(tmp_path: Path) -> None:
    german = Example("a", "Wer ist die Mutter des Autors von diesem Buch?")
    write_examples(tmp_path / "mine.jsonl", [german])
    row = {"examples": {"path": "mine.jsonl"}, "screen": {}}
    with pytest.raises(UserError, match=r"dropped 1 of 1, most as 'language'; '.*report.md'"):
        make(row, tmp_path / "out")
    write_examples(tmp_path / "mine.jsonl", [])
    with pytest.raises(UserError, match="look at its data and split"):
        make(row, tmp_path / "out")


def test_what_a_screen_drops_is_told(tmp_path: Path) -> None:
    good = Example("a", "What is 2 + 3?", answer="5", predicted="5")
    write_examples(tmp_path / "mine.jsonl", [good, replace(good, id="b", answer="")])
    row = {"examples": {"path": "mine.jsonl"}, "screen": {"method": "answer"}}
    said: list[str] = []
    make_source(ExampleSource.of("mine", row), tmp_path, tmp_path / "out", said.append)
    report = str(tmp_path / "out" / "screen" / "report.md")
    assert said == [f"mine: its screen dropped 1 of 2, most as 'answer'; {report!r} says why"]


@pytest.mark.parametrize("plan", ["#1 Who wrote it?", ["Who wrote it?"], [{"id": 1, "text": "?"}]])
def test_a_plan_of_another_form_is_told_the_form(plan: Any, tmp_path: Path) -> None:
    row = {"id": "a", "question": "Who wrote it?", "plan": plan}
    (tmp_path / "mine.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(UserError, match=r'a list of lines like \{"id": 1, "text": "...", "needs"'):
        make({"examples": {"path": "mine.jsonl"}}, tmp_path / "out")
