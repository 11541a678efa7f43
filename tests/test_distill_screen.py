"""Screening: what is dropped, why, and that nothing of an evaluation set gets through."""

import json

import pytest
from langgraph_decompose.distill.manifest import alone, read_manifest
from langgraph_decompose.distill.records import Example, read_examples, write_examples
from langgraph_decompose.distill.screen.contamination import EvaluationSets, read_evaluation_sets
from langgraph_decompose.distill.screen.screen import ScreenSettings, screen
from langgraph_decompose.errors import UserError
from langgraph_decompose.evals.splits import split_of


def lines(*texts, **fields):
    """A plan whose lines each need the one before."""
    return tuple(
        {"id": k, "text": text, "needs": [k - 1] if k > 1 else [], **fields}
        for k, text in enumerate(texts, 1)
    )


DIRECTOR = lines("Who directed Jaws?", "When was #1 born?")


def example(name="a", question="When was the director of Jaws born?", plan=DIRECTOR, **fields):
    return Example(name, question, plan=plan, **fields)


def screened(tmp_path, examples, evaluation=(), **settings):
    """Ids of the kept, and why each other one was dropped, by id."""
    write_examples(tmp_path / "in.jsonl", examples)
    out = tmp_path / "out"
    made = ScreenSettings(evaluation=[str(path) for path in evaluation], **settings)
    screen(made, [tmp_path / "in.jsonl"], out)
    kept = [row.id for row in read_examples(out / "examples.jsonl")]
    dropped = [json.loads(row) for row in (out / "dropped.jsonl").read_text().splitlines()]
    return kept, {row["example"]["id"]: f"{row['filter']}: {row['why']}" for row in dropped}


def test_what_shows_questions_is_its_owner_s_alone(tmp_path):
    screened(tmp_path, [example(), example("b")])
    files = [tmp_path / "in.jsonl", *(tmp_path / "out").iterdir()]
    open_to_all = [file.name for file in files if file.stat().st_mode & 0o077]
    assert {*open_to_all} <= {"manifest.json"}  # Not even that, where the umask is strict.


def test_without_a_method_plans_are_kept_whatever_they_lead_to(tmp_path):
    kept, _ = screened(tmp_path, [example(predicted="1950", answer="1946")])
    assert kept == ["a"]


def test_by_the_answer_the_first_attempt_that_is_right_is_kept(tmp_path):
    attempts = [
        example(predicted=found, answer="1946", attempt=k)
        for k, found in enumerate(["1950", "1946.", "1946"])
    ]
    write_examples(tmp_path / "in.jsonl", attempts)
    counts = screen(ScreenSettings(method="answer"), [tmp_path / "in.jsonl"], tmp_path / "out")
    [kept] = read_examples(tmp_path / "out/examples.jsonl")
    assert kept.attempt == 1
    assert (counts["dropped"]["answer"], counts["dropped"]["duplicate"]) == (1, 1)


def test_a_plan_of_expressions_is_solved_by_the_calculator(tmp_path):
    question = "Ida buys 3 pens at $2 each and pays with $10. How much change does Ida get?"
    plan = (
        {"id": 1, "text": "How much do the pens cost?", "needs": [], "expr": "3*2"},
        {"id": 2, "text": "How much change does Ida get?", "needs": [1], "expr": "10-#1"},
    )
    rows = [
        example("right", question, plan, answer="4"),
        example("wrong", "Say: " + question, plan, answer="5"),
    ]
    kept, dropped = screened(tmp_path, rows, method="answer")
    assert kept == ["right"]
    assert dropped["wrong"] == "answer: '4' in place of '5'"


def test_a_plan_that_is_right_by_luck_is_not_recoverable(tmp_path):
    right = {"predicted": "1946", "answer": "1946"}
    unrelated = lines("Who wrote Heidi?", "How old was #1 in Rome?")
    asked = "When was the maker of Jaws born?"
    rows = [example("good", **right), example("lucky", asked, unrelated, **right)]
    kept, dropped = screened(tmp_path, rows, method="recoverable")
    assert kept == ["good"]
    assert dropped["lucky"] == "recoverable: 0% of the question's names"


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (lines("Who is it?", "Who is it?"), "#2 repeats #1"),
        (({**DIRECTOR[0]}, {"id": 2, "text": "What is Jaws?", "needs": []}), "nothing uses"),
        (({**DIRECTOR[0], "expr": "2+2", "answer": "5"}, DIRECTOR[1]), "line 1 gives 4, not 5"),
        (({**DIRECTOR[0], "expr": "2+#7"}, DIRECTOR[1]), "can't be calculated"),
        (({**DIRECTOR[0], "expr": "2+2", "answer": "four"}, DIRECTOR[1]), "line 1 is no number"),
    ],
)
def test_plans_that_cannot_be_right_are_dropped(tmp_path, plan, why):
    _, dropped = screened(tmp_path, [example(plan=plan)])
    assert dropped["a"].startswith("plan: ")
    assert why in dropped["a"]


def test_a_result_may_be_rounded_to_cents(tmp_path):
    rows = [
        example(answer, f"{answer}: {example().question}", ({**DIRECTOR[0], "expr": "10/3",
                "answer": answer}, DIRECTOR[1]))
        for answer in ("3.33", "3.2")
    ]  # fmt: skip
    assert screened(tmp_path, rows)[0] == ["3.33"]


def test_of_several_attempts_at_a_question_the_first_right_one_stays(tmp_path):
    given = {"answer": "1946", "teacher": "strong"}
    rows = [
        example("wrong", predicted="1950", **given),
        example("third", predicted="1946", attempt=2, **given),
        example("second", predicted="1946", attempt=1, **given),
    ]
    assert screened(tmp_path, rows)[0] == ["second"]


def test_what_takes_too_many_tokens_is_dropped(tmp_path):
    _, dropped = screened(tmp_path, [example()], max_tokens=20)
    assert dropped == {"a": "length: about 21 tokens"}


def test_repeated_questions_are_kept_once_and_the_better_plan_stays(tmp_path):
    rows = [
        example("rules"),
        example("teacher", "when was the Director of 'Jaws' born", teacher="strong"),
        example("wrong", teacher="strong", predicted="1", answer="2"),
        example("solver", meta={"role": "solver"}),
    ]
    kept, dropped = screened(tmp_path, rows)
    assert kept == ["teacher", "solver"]
    assert dropped["rules"].startswith("duplicate")


def test_questions_that_differ_by_a_sign_are_no_repetition(tmp_path):
    texts = ["What is 12 + 4?", "What is 12 - 4?", "What is 12 * 4?", "What are C++ and C#?"]
    texts += ["What are C and C?", "Is a well-known plant rare?"]
    rows = [example(str(k), text) for k, text in enumerate(texts)]
    again = example("again", "Is a well known plant rare?")
    kept, dropped = screened(tmp_path, [*rows, again])
    assert len(kept) == len(rows)
    assert list(dropped) == ["again"]


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("Wer ist der Autor des Buches Heidi?", False),
        ("¿Quién es el autor de la novela y cuándo nació?", False),
        ("Кто написал книгу Хайди и когда?", False),
        ("Who wrote “Das Kapital” and “Die Welt als Wille”?", True),
        ("Translate guten Morgen", True),
    ],
)
def test_questions_in_other_languages_are_dropped(tmp_path, question, kept):
    assert bool(screened(tmp_path, [example(question=question)])[0]) is kept


def test_a_short_question_is_of_its_plan_s_language(tmp_path):
    plan = lines("Kuka ohjasi elokuvan Tappajahai?", "Milloin #1 syntyi, ja missä kaupungissa?")
    rows = [example("a", "Milloin ohjaaja syntyi?", plan), example("b", "Name three colours.", ())]
    kept, dropped = screened(tmp_path, rows)
    assert kept == ["b"]
    assert dropped == {"a": "language: no common English word"}


def test_an_english_plan_in_note_form_is_english(tmp_path):
    plan = lines("Benchmark Python", "Benchmark Java", "Benchmark Rust", "Compare #1, #2, #3")
    plan = (
        {**plan[0]},
        *({**line, "needs": []} for line in plan[1:3]),
        {**plan[3], "needs": [1, 2, 3]},
    )
    rows = [example("a", "Compare Python, Java, Rust performance", plan)]
    assert screened(tmp_path, rows) == (["a"], {})


def test_a_file_that_was_taken_away_is_made_again(tmp_path):
    screened(tmp_path, [example()])
    for name in ("examples.jsonl", "dropped.jsonl", "report.json", "report.md"):
        (tmp_path / "out" / name).unlink()
        assert screened(tmp_path, [example()]) == (["a"], {})
        assert (tmp_path / "out" / name).is_file()


def test_long_questions_and_plans_are_dropped(tmp_path):
    many = lines("Who is A?", *(f"Who is {k} of #1?" for k in "BCDEFGHI"))
    chain = tuple({**row, "needs": [row["id"] - 1] if row["id"] > 1 else []} for row in many)
    rows = [example("many", plan=chain), example("long", "Why? " * 2000)]
    _, dropped = screened(tmp_path, rows)
    assert dropped["many"] == "length: 9 lines"
    assert dropped["long"].startswith("length: ")


LONG = "If a red train leaves the old station at noon with forty people, how many get off later?"
MIDDLE = "Which river flows through the capital of Iraq?"


@pytest.mark.parametrize(
    ("question", "found"),
    [
        (LONG.upper().replace(",", ";"), "is test:0"),
        (
            "Today: if a red train leaves the old station at noon with forty people or so.",
            "13 words",
        ),
        ("If a red train leaves the old station at noon with ten people, how many get off?", ""),
        ("Tell me, which river flows through the capital of Iraq?", "8 words"),
        ("Which river flows through the capital of Iran?", ""),
        ("Who is it?", "is test:2"),
        ("And who is it?", ""),
    ],
)
def test_overlap_is_13_words_or_a_whole_question_of_8_or_equality(question, found):
    sets = EvaluationSets()
    for k, text in enumerate([LONG, MIDDLE, "Who is it?"]):
        sets.add(f"test:{k}", text)
    overlap = sets.overlap(question)
    assert (found in overlap) if found else not overlap


def test_apostrophes_and_underscores_hide_no_overlap():
    sets = EvaluationSets()
    sets.add("q", "Who's in Bell’s _old_ house?")
    assert sets.overlap("Whos in Bells old house") == "is q"


def test_a_passage_that_holds_an_evaluation_question_is_contaminated():
    sets = EvaluationSets()
    sets.add("test:0", LONG)
    assert sets.overlap("What follows?", context=f"He read aloud: {LONG}")


def test_what_a_short_question_means_its_passage_says(tmp_path):
    order = "What is the total of this order?"
    row = {"question": order, "context": "Two teas at $3."}
    (tmp_path / "test.jsonl").write_text(json.dumps(row))
    rows = [
        example("same", order, context="Two teas at $3."),
        example("other", order, context="Nine cakes at $4."),
        example("bare", order),
    ]
    kept, dropped = screened(tmp_path, rows, [tmp_path / "test.jsonl"])
    assert kept == ["other", "bare"]
    assert dropped["same"].startswith("contamination: is ")


def test_a_question_of_8_words_about_a_passage_is_no_overlap_by_itself():
    sets = EvaluationSets()
    asked = "What is the total of this order in euros?"
    sets.add("eval:1", asked, "Two teas at 3 euros.")
    assert not sets.overlap(asked, "Nine cakes at 4 euros.")
    assert sets.overlap(asked, "Two teas at 3 euros.")


def test_a_short_evaluation_question_is_one_whatever_passage_is_put_before_it():
    sets = EvaluationSets()
    sets.add("eval:1", "Who directed Jaws?")
    assert sets.overlap("Who directed Jaws?", "Jaws was shown in Ulm.") == "is eval:1"


def test_evaluation_files_are_read_in_their_own_formats(tmp_path):
    svamp = tmp_path / "SVAMP.json"
    svamp.write_text(json.dumps([{"Body": "Al has 3 hens.", "Question": "How many hens?"}]))
    rows = [example(question="Al has 3 hens. How many hens?"), example("b")]
    kept, dropped = screened(tmp_path, rows, [svamp])
    assert kept == ["b"]
    assert dropped["a"].startswith("contamination: is ")


def test_of_break_only_the_rows_for_evaluation_count(tmp_path):
    names = [f"HOTPOT_dev_{k}" for k in range(40)]
    path = tmp_path / "break.csv"
    rows = [f"{name},Where is number {name[11:]}?,return x,s,dev" for name in names]
    path.write_text("\n".join(["question_id,question_text,decomposition,operators,split", *rows]))
    evaluation = [name for name in names if split_of(f"break:{name}") == "eval"]
    assert 0 < len(read_evaluation_sets([str(path)])) == len(evaluation)


EVALUATED = "Which of the two bridges over the old river is the longer one?"


@pytest.mark.parametrize(
    ("reference", "content"),
    [
        ("questions:bamboogle.json", [{"Question": EVALUATED, "answer": ["East"]}]),
        ("questions:test.jsonl", {"question": EVALUATED, "options": ["A)1"], "correct": "A"}),
        ("questions:gsmhardv2.jsonl", {"input": EVALUATED, "code": "", "target": 3.0}),
        ("webquestions:devtest.json", [{"qId": "1", "answers": ["East"], "qText": EVALUATED}]),
        ("strategyqa:dev.json",
         [{"question": EVALUATED, "answer": True, "decomposition": ["Which?", "Is it #1?"]}]),
    ],
)  # fmt: skip
def test_every_evaluation_set_has_a_reader(tmp_path, reference, content):
    kind, name = reference.split(":")
    (tmp_path / name).write_text(json.dumps(content))
    rows = [example(question=EVALUATED), example("b")]
    kept, dropped = screened(tmp_path, rows, [f"{kind}:{tmp_path / name}"])
    assert kept == ["b"]
    assert dropped["a"].startswith("contamination: is ")


def test_what_is_held_out_under_another_id_is_not_trained_on(tmp_path):
    dev, train = (
        next(k for k in range(99) if split_of(f"fresh:{k}") == part) for part in ("dev", "train")
    )
    rows = [(dev, "Who built the East Bridge?"), (train, "Who built the West Bridge?")]
    asked = [{"id": k, "question": text, "plan": []} for k, text in rows]
    path = tmp_path / "fresh.jsonl"
    path.write_text("\n".join(map(json.dumps, asked)))
    again = [example(name, text.lower()) for name, (_, text) in zip("ab", rows, strict=True)]
    kept, dropped = screened(tmp_path, again, [f"dev:teacher:{path}"])
    assert kept == ["b"], "what trains already isn't held out"
    assert dropped == {"a": f"contamination: is fresh:{dev}"}


def test_a_file_with_ids_of_its_own_is_held_out_by_these(tmp_path):
    names = [f"q{k}" for k in range(40)]
    rows = [example(n, f"Who is number {n}?") for n in names]
    write_examples(path := tmp_path / "mine.jsonl", rows)
    kept, dropped = screened(tmp_path, rows, [f"dev:{path}"])
    held_out = [name for name in names if split_of(name) == "dev"]
    assert sorted(dropped) == sorted(held_out) != []
    assert {split_of(name) for name in kept} == {"train"}


def test_a_held_out_file_may_be_named_in_any_way(tmp_path, monkeypatch):
    rows = [example(f"q{k}", f"Who is number {k}?") for k in range(40)]
    write_examples(tmp_path / "mine.jsonl", rows)
    monkeypatch.chdir(tmp_path)
    for name in ("dev:mine.jsonl", "dev:./mine.jsonl", f"dev:{tmp_path}//mine.jsonl"):
        sets = read_evaluation_sets([name])
        found = [row.id for row in rows if sets.overlap(row.question)]
        assert found == [row.id for row in rows if split_of(row.id) == "dev"] != []


def test_copies_of_a_question_have_its_id_and_are_held_out_with_it(tmp_path):
    held_out = next(name for name in map(str, range(99)) if split_of(name) == "dev")
    other = next(name for name in map(str, range(99)) if split_of(name) == "train")
    rows = [example(held_out, f"Who directed {film}?") for film in ("Jaws", "Alien")]
    rows += [example(other, "Who directed Jaws?"), example(other, "Who directed Heidi?")]
    write_examples(path := tmp_path / "mine.jsonl", rows)
    kept, dropped = screened(tmp_path, rows, [f"dev:{path}"])
    assert kept == [other]
    assert dropped[other] == f"contamination: is {held_out}"


def test_rows_for_evaluation_are_never_kept_and_a_split_can_be_chosen(tmp_path):
    names = [f"gsm8k/train.jsonl:{k}" for k in range(30)]
    rows = [example(n, f"Who is number {n[18:]}?") for n in [*names, "gsm8k/test.jsonl:1"]]
    kept, dropped = screened(tmp_path, rows, split="dev")
    assert 0 < len(kept) < 10
    assert {split_of(name) for name in kept} == {"dev"}
    assert dropped["gsm8k/test.jsonl:1"] == "evaluation: is for eval"


def test_a_row_that_leaves_its_plan_out_is_broken_and_not_atomic(tmp_path):
    rows = [{"id": "a", "question": "Who is Ada?"}, {"id": "b", "question": "Who?", "plan": []}]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(UserError, match=r"in.jsonl:1: 'plan' is missing; it is \[\] where"):
        list(read_examples(tmp_path / "in.jsonl"))
    counts = screen(ScreenSettings(), [tmp_path / "in.jsonl"], tmp_path / "out")
    assert (counts["kept"], counts["dropped"]["broken"]) == (1, 1)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"source": None}, "'source' is no text"),
        ({"attempt": "first"}, "'attempt' is no whole number"),
        ({"meta": "x"}, "'meta' is no object"),
        ({"plan": [{"id": 1, "text": "A?", "needs": [], "answer": 7}]}, "'answer' of line 1 is no"),
    ],
)
def test_a_field_of_another_type_is_broken(tmp_path, fields, says):
    row = json.loads(example().to_json()) | fields
    (tmp_path / "in.jsonl").write_text(f"{json.dumps(row)}\n{example().to_json()}\n")
    with pytest.raises(UserError, match=rf"in\.jsonl:1: {says}"):
        list(read_examples(tmp_path / "in.jsonl"))
    counts = screen(ScreenSettings(), [tmp_path / "in.jsonl"], tmp_path / "out")
    assert (counts["kept"], counts["dropped"]["broken"]) == (1, 1)


def test_broken_lines_are_counted_or_refused(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text(f'{example().to_json()}\n{{"id": "b"}}\nno JSON\n')
    counts = screen(ScreenSettings(), [path], tmp_path / "out")
    assert counts["read"] == 3
    assert counts["dropped"]["broken"] == 2
    with pytest.raises(UserError, match=r"in\.jsonl:2: 'id' or 'question' is missing"):
        screen(ScreenSettings(refuse_broken=True), [path], tmp_path / "other")


def test_the_report_shows_what_was_dropped_and_why(tmp_path):
    screened(tmp_path, [example(), *(example(f"d{k}") for k in range(9))])
    page = (tmp_path / "out/report.md").read_text()
    assert "1 of 10 examples were kept (10.0 %)." in page
    assert page.count("the question occurs again)") == 5, "up to five are shown"
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["dropped"]["duplicate"] == 9
    assert report["kept_by_lines"] == {"2": 1}


def test_dropped_text_is_no_markup_in_the_report(tmp_path):
    rows = [example("<b>", "What is [this](http://x) | <script>?")] * 2
    screened(tmp_path, rows)
    page = (tmp_path / "out/report.md").read_text()
    assert "<script>" not in page.replace("\\<script\\>", "")


def test_a_screen_that_is_done_is_not_repeated_and_one_that_was_killed_is(tmp_path):
    write_examples(tmp_path / "in.jsonl", [example()])
    out = tmp_path / "out"
    first = screen(ScreenSettings(), [tmp_path / "in.jsonl"], out)
    made = (out / "examples.jsonl").stat().st_mtime_ns
    assert screen(ScreenSettings(), [tmp_path / "in.jsonl"], out) == first
    assert (out / "examples.jsonl").stat().st_mtime_ns == made
    state = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**state, "finished": False}))
    assert screen(ScreenSettings(), [tmp_path / "in.jsonl"], out) == first
    with pytest.raises(UserError, match="other settings or data"):
        screen(ScreenSettings(method="answer"), [tmp_path / "in.jsonl"], out)


def test_a_second_screen_in_the_same_directory_is_refused(tmp_path):
    write_examples(tmp_path / "in.jsonl", [example()])
    asked = ScreenSettings(), [tmp_path / "in.jsonl"], tmp_path / "out"
    refused = pytest.raises(UserError, match="another process screens in .*; wait for it, or name")
    with alone(tmp_path / "out", "screen", ()), refused:
        screen(*asked)
    assert screen(*asked)["kept"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "can't be read: "),
        ('{"step": "", "fingerprint": "", "finished": true, "counts": 5}', "is no manifest"),
    ],
)
def test_a_damaged_manifest_is_named(tmp_path, text, message):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=f"manifest.json' {message}"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "luck"}, "'method' is none, answer or recoverable, not 'luck'"),
        ({"split": "eval"}, "'split' is train, dev or empty"),
        ({"language": "de"}, "'language' is en or empty"),
        ({"max_lines": 0}, "'max_lines' must be at least 1"),
        ({"evaluation": "x.json"}, "'evaluation' is a list"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(UserError, match=message):
        ScreenSettings(**settings)


def test_files_that_are_not_there_or_hold_no_questions_are_named(tmp_path):
    with pytest.raises(UserError, match="nothing to screen"):
        screen(ScreenSettings(), [], tmp_path / "out")
    with pytest.raises(UserError, match="none.jsonl' can't be read"):
        screen(ScreenSettings(), [tmp_path / "none.jsonl"], tmp_path / "out")
    (tmp_path / "empty.json").write_text("[]")
    with pytest.raises(UserError, match="holds no questions"):
        read_evaluation_sets([str(tmp_path / "empty.json")])


def test_an_evaluation_set_with_a_broken_line_is_refused(tmp_path):
    """What can't be read can't be kept out of the training."""
    asked = {"question": "When was the director of Jaws born and where did they live?"}
    (tmp_path / "test.jsonl").write_text(json.dumps(asked) + '\n{"question": "Where is\n')
    with pytest.raises(UserError, match=r"test.jsonl:2: .*; mend it"):
        read_evaluation_sets([str(tmp_path / "test.jsonl")])


def test_examples_are_never_screened_into_their_own_file(tmp_path):
    write_examples(tmp_path / "examples.jsonl", [example()])
    before = (tmp_path / "examples.jsonl").read_bytes()
    for given in (tmp_path, tmp_path / "examples.jsonl"):
        with pytest.raises(UserError, match="would be written over itself; name another --out"):
            screen(ScreenSettings(), [given], tmp_path)
    assert (tmp_path / "examples.jsonl").read_bytes() == before
