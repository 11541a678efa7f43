"""`collect`: a teacher's plans and solutions, asked for once, whatever goes wrong meanwhile.

The teacher is an OpenAI-compatible server on loopback; what it was asked is read off its log.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI
from langgraph_decompose import UserError, bundled_model_path
from langgraph_decompose.distill.collect.asking import Progress
from langgraph_decompose.distill.collect.collect import CollectSettings, collect
from langgraph_decompose.distill.collect.store import ReplyStore
from langgraph_decompose.distill.collect.teach import _of_attempt
from langgraph_decompose.distill.manifest import read_manifest
from langgraph_decompose.distill.records import Example, read_examples
from langgraph_decompose.evals.splits import split_of
from langgraph_decompose.models.gguf_file import read_contract
from langgraph_decompose.models.references import ResolvedModel, resolve_model
from langgraph_decompose.nodes.calls import Call
from langgraph_decompose.testing import LatencyServer, ServedCall, ServerReply

from .conftest import hears_ctrl_c, soon

AT_ONCE = (("Retry-After", "0.01"),)
QUOTA = ServerReply(
    status=429,
    headers=AT_ONCE,
    raw=b'{"error": {"message": "You exceeded your quota.", "code": "insufficient_quota"}}',
)


class Teacher:
    """A server that plans `N + N?` in two lines and solves it; faults are put before that."""

    def __init__(self, server: LatencyServer) -> None:
        self.server = server
        self.ref = f"openai:teacher@{server.url}"
        self.fault: Callable[[str], Any] = lambda prompt: None
        self.seen: Counter[str] = Counter()
        self.good: list[ServedCall] = []
        """Requests that were given a reply to pay for; delivered or not is in the server's log."""

    def reply(self, prompt: str) -> Any:
        self.seen[prompt] += 1
        if fault := self.fault(prompt):
            reply = fault if isinstance(fault, ServerReply) else ServerReply(fault)
            if reply.status == 200 and not reply.drop:
                self.good.append(self.server.calls[-1])
            return reply
        self.good.append(self.server.calls[-1])
        number = int(asked(prompt))
        if "Plan:" in prompt:
            return f"#1 it is => {number}\n#2 #1 + {number} => {2 * number}\nAnswer: {2 * number}"
        return f"#1 What is {number}?\n#2 What is #1 + {number}? <- #1"

    def paid(self) -> list[str]:
        """Prompts whose replies have arrived."""
        return [call.prompt for call in self.good if call.delivered]


def asked(prompt: str) -> str:
    """The number that a question is about."""
    return re.findall(r"^(?:Question: |Problem: )?(\d+) \+ \1\?", prompt, re.M)[-1]


def solving(prompt: str) -> bool:
    return "Plan:" in prompt


@pytest.fixture
def teacher() -> Iterator[Teacher]:
    teachers: list[Teacher] = []
    with LatencyServer(lambda prompt, body: teachers[0].reply(prompt), 0.002) as server:
        teachers.append(Teacher(server))
        yield teachers[0]


def questions(path: Path, count: int, **row: Any) -> Path:
    rows = [{"question": f"{n} + {n}?", "answer": str(2 * n), **row} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def examples(directory: Path) -> list[Example]:
    return list(read_examples(directory / "examples.jsonl"))


@pytest.fixture
def settings(teacher: Teacher, tmp_path: Path) -> CollectSettings:
    file = questions(tmp_path / "questions.jsonl", 5)
    return CollectSettings(teacher=teacher.ref, questions=str(file))


def test_replies_are_their_owner_s_alone(tmp_path: Path) -> None:
    with ReplyStore(tmp_path):
        assert (tmp_path / "replies.jsonl").stat().st_mode & 0o077 == 0


def test_a_plan_for_every_question(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    counts = collect(settings, tmp_path / "out")
    found = examples(tmp_path / "out")
    assert [example.id for example in found] == ["1", "2", "3", "4", "5"]
    assert str(found[3].to_plan()) == "#1 What is 3?\n#2 What is #1 + 3? <- #1"
    assert (found[3].question, found[3].answer, found[3].source) == ("3 + 3?", "6", "questions")
    assert (found[3].teacher, found[3].attempt) == (teacher.ref, 0)
    assert (counts["plans"], counts["calls"], counts["failed"]) == (5, 5, 0)
    manifest = read_manifest(tmp_path / "out")
    assert manifest["finished"]
    assert manifest["counts"] == counts


def test_a_solution_answers_every_line_and_the_question(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    counts = collect(replace(settings, solve=True), tmp_path / "out")
    example = examples(tmp_path / "out")[3]
    assert [line.get("answer") for line in example.plan] == ["3", "6"]
    assert example.predicted == "6"
    assert example.solution.startswith("#1 it is => 3")
    assert (counts["solved"], counts["right"], counts["calls"]) == (5, 5, 10)


def test_a_solution_that_was_cut_off_has_no_answer(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    half = ServerReply("#1 it is => 3\n#2 3 + 3 => 6\nThat is more than 5", finish_reason="length")
    teacher.fault = lambda prompt: half if solving(prompt) else None
    assert collect(replace(settings, solve=True), tmp_path / "out")["solved"] == 0
    example = examples(tmp_path / "out")[3]
    assert (example.plan[0].get("answer"), example.predicted) == ("3", "")


def test_tokens_and_money_are_the_servers_own(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path, monkeypatch: Any
) -> None:
    counts = collect(replace(priced(teacher, settings, tmp_path, monkeypatch)), tmp_path / "out")
    tokens = sum(len(prompt.split()) for prompt in teacher.paid())
    assert counts["input_tokens"] == tokens
    assert counts["cost"] == pytest.approx(tokens * 1000 / 1e6)


def priced(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path, monkeypatch: Any
) -> CollectSettings:
    config = tmp_path / "config.toml"
    config.write_text(f'[models.priced]\nref = "{teacher.ref}"\nprice_in = 1000\nprice_out = 0\n')
    monkeypatch.setenv("DECOMPOSE_CONFIG", str(config))
    return replace(settings, teacher="priced")


def test_a_chat_model_of_ones_own_teaches(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    model = ChatOpenAI(model="mine", base_url=teacher.server.url, api_key="x")  # type: ignore[arg-type]
    collect(replace(settings, teacher="model"), tmp_path / "out", models={"model": model})
    assert {example.teacher for example in examples(tmp_path / "out")} == {"mine"}


def test_what_is_there_is_not_asked_again(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    first = collect(replace(settings, limit=2), tmp_path / "out")
    assert (first["plans"], len(teacher.server.calls)) == (2, 2)
    assert collect(settings, tmp_path / "out")["plans"] == 5
    assert len(teacher.server.calls) == 5
    before = (tmp_path / "out" / "examples.jsonl").read_bytes()
    assert collect(settings, tmp_path / "out")["calls"] == 5
    assert (tmp_path / "out" / "examples.jsonl").read_bytes() == before
    more = collect(replace(settings, attempts=3), tmp_path / "out")
    assert (more["plans"], len(teacher.server.calls)) == (15, 15)
    assert [example.attempt for example in examples(tmp_path / "out")] == [0, 1, 2] * 5


def test_later_attempts_are_drawn_with_the_temperature_given(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    collect(replace(settings, attempts=2, temperature=0.9, limit=1), tmp_path / "out")
    assert [call.body.get("temperature") for call in teacher.server.calls] == [None, 0.9]
    collect(replace(settings, attempts=2, temperature=0.4, limit=1), tmp_path / "out")
    assert [call.body.get("temperature") for call in teacher.server.calls] == [None, 0.9, 0.4]


def test_a_repair_in_a_later_attempt_is_drawn_by_another_seed() -> None:
    """With the one of what it repairs, a local model would write the same once more."""
    plan = Call("decomposer", resolve_model("bundled"), [])
    repair = replace(plan, options={"seed": 1})
    drawn = [_of_attempt(call, 2, None).options for call in (plan, repair)]
    assert [options["seed"] for options in drawn] == [2, 3]
    assert _of_attempt(repair, 0, None) is repair


def test_until_right_tries_again_where_the_answer_was_wrong(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    wrong = "#1 it is => 7\n#2 => 77\nAnswer: 77"
    # 2 + 2 is solved at the third attempt, 3 + 3 never.
    teacher.fault = lambda prompt: (
        wrong
        if solving(prompt)
        and (asked(prompt) == "3" or (asked(prompt) == "2" and teacher.seen[prompt] < 3))
        else None
    )
    counts = collect(replace(settings, attempts=4, until_right=True), tmp_path / "out")
    found = Counter(example.id for example in examples(tmp_path / "out"))
    assert found == {"1": 1, "2": 1, "3": 3, "4": 4, "5": 1}
    assert (counts["plans"], counts["right"], counts["calls"]) == (10, 4, 20)


def test_a_question_without_an_answer_is_not_tried_until_it_is_right(
    settings: CollectSettings, tmp_path: Path
) -> None:
    rows = [{"question": "1 + 1?", "answer": "2"}, {"question": "2 + 2?"}]
    Path(settings.questions).write_text("".join(json.dumps(row) + "\n" for row in rows))
    collect(replace(settings, attempts=3, until_right=True), tmp_path / "out")
    assert [(e.id, e.attempt) for e in examples(tmp_path / "out")] == [("1", 0), ("2", 0)]


def test_a_reply_that_cannot_be_read_is_repaired_once(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    cut = ServerReply("#1 What is", finish_reason="length")
    teacher.fault = lambda prompt: (
        cut
        if asked(prompt) == "1" or (asked(prompt) == "2" and "An earlier" not in prompt)
        else None
    )
    counts = collect(settings, tmp_path / "out")
    assert [example.id for example in examples(tmp_path / "out")] == ["1", "3", "4", "5"]
    assert (counts["unreadable"], counts["calls"], counts["replies"]) == (1, 7, 7)
    assert counts == collect(settings, tmp_path / "out")
    assert len(teacher.server.calls) == 7


def test_a_gateway_s_page_in_place_of_a_reply_is_no_reply(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    page = ServerReply(raw=b"<html>Sorry</html>")
    teacher.fault = lambda prompt: page if asked(prompt) == "2" else None
    counts = collect(settings, tmp_path / "out")
    assert (counts["plans"], counts["failed"], counts["unreadable"]) == (4, 1, 0)
    assert "isn't a completion: '<html>Sorry" in counts["failures"][0]
    teacher.fault = lambda prompt: None
    assert collect(settings, tmp_path / "out")["plans"] == 5


def test_a_gateway_s_page_in_place_of_a_solution_is_asked_for_again(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    settings, page = replace(settings, solve=True), ServerReply(raw=b"<html>Sorry</html>")
    teacher.fault = lambda prompt: page if solving(prompt) and asked(prompt) == "2" else None
    counts = collect(settings, tmp_path / "out")
    assert (counts["solved"], counts["failed"], counts["refused"]) == (4, 1, [])
    teacher.fault = lambda prompt: None
    counts = collect(settings, tmp_path / "out")
    assert (counts["plans"], counts["solved"], counts["failed"]) == (5, 5, 0)
    assert sorted(teacher.seen.values()) == [1] * 9 + [2], "the plan is not asked for again"


def test_questions_are_never_written_over(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    file = Path(settings.questions).rename(tmp_path / "examples.jsonl")
    before = file.read_bytes()
    with pytest.raises(UserError, match=r"examples.jsonl' would be written over itself"):
        collect(replace(settings, questions=str(file)), tmp_path)
    assert (file.read_bytes(), teacher.server.calls) == (before, [])


def test_a_teacher_that_writes_no_plan_at_all_is_told_of(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    teacher.fault = lambda prompt: ServerReply("I can't help with that.")
    with pytest.raises(UserError, match=r"no reply holds a plan \(\d: "):
        collect(settings, tmp_path / "out")
    asked_for = len(teacher.server.calls)
    with pytest.raises(UserError, match="no reply holds a plan") as caught:
        collect(settings, tmp_path / "out")
    assert len(teacher.server.calls) == asked_for, "what was paid for is kept"
    assert str(caught.value).endswith(
        "aren't asked for again: raise attempts, or name another --out."
    )


def test_what_failed_is_reported_and_asked_again_the_next_time(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    down = ServerReply("down", status=503, headers=AT_ONCE)
    teacher.fault = lambda prompt: down if asked(prompt) == "2" else None
    counts = collect(settings, tmp_path / "out")
    assert (counts["plans"], counts["failed"], counts["calls"]) == (4, 1, 7)
    assert counts["failures"] == ["3: Error code: 503 - down"]
    teacher.fault = lambda prompt: None
    counts = collect(settings, tmp_path / "out")
    assert (counts["plans"], counts["failed"], counts["calls"]) == (5, 0, 8)
    assert len(teacher.server.calls) == 8


REFUSALS = {
    "breaks down": ServerReply("#1 What is", drop=True),
    "quota": QUOTA,
    "no money": ServerReply("pay first", status=402),
    "no key": ServerReply("who are you?", status=401),
    "no credit": ServerReply("Your credit balance is too low to access the API.", status=400),
}


@pytest.mark.parametrize("how", REFUSALS)
def test_a_teacher_that_refuses_or_breaks_down_stops_it_soon_and_nothing_is_lost(
    how: str, teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    settings = replace(settings, questions=str(questions(tmp_path / "q.jsonl", 100)), concurrency=2)
    teacher.fault = lambda prompt: REFUSALS[how] if len(teacher.good) >= 10 else None
    with pytest.raises(
        UserError, match="can't be asked .*the 10 replies so far are kept"
    ) as caught:
        collect(settings, tmp_path / "out")
    assert "run the same again to go on." in str(caught.value)
    assert "\n" not in str(caught.value)
    # A refusal is clear; what breaks down may come back, and is given longer.
    more = 12 if how == "breaks down" else 5
    assert len(teacher.server.calls) <= 10 + more * 3
    assert len(examples(tmp_path / "out")) == 10
    assert not read_manifest(tmp_path / "out")["finished"]
    teacher.fault = lambda prompt: None
    assert collect(settings, tmp_path / "out")["plans"] == 100
    assert set(Counter(teacher.paid()).values()) == {1}


@pytest.mark.parametrize("status", [400, 403])
def test_refused_questions_do_not_keep_a_run_from_going_on(
    status: int, teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    file = questions(tmp_path / "q.jsonl", 60)
    settings = replace(settings, questions=str(file), concurrency=2, max_calls=40)
    odd = ServerReply("no such talk", status=status)
    teacher.fault = lambda prompt: odd if int(asked(prompt)) % 3 == 0 else None
    with pytest.raises(UserError, match="max_calls"):
        collect(settings, tmp_path / "out")
    for _ in range(2):  # The second time, nothing new comes at all.
        counts = collect(replace(settings, max_calls=None), tmp_path / "out")
        assert (counts["plans"], counts["failed"]) == (40, 20)
        assert len(counts["refused"]) == (20 if status == 400 else 0)
    assert set(Counter(teacher.paid()).values()) == {1}


def test_a_refused_key_stops_a_run_between_questions_that_were_answered_before(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    file = questions(tmp_path / "q.jsonl", 60)
    settings = replace(settings, questions=str(file), concurrency=2)
    rows = file.read_text().splitlines(keepends=True)
    file.write_text("".join(rows[::2]))
    assert collect(settings, tmp_path / "out")["plans"] == 30
    file.write_text("".join(rows))  # Every other one is new.
    teacher.fault = lambda prompt: REFUSALS["no key"]
    with pytest.raises(UserError, match="can't be asked .*; 5[0-9] of 60 questions are left"):
        collect(settings, tmp_path / "out")
    assert len(teacher.server.calls) < 40


def test_a_teacher_that_is_down_stops_it_soon(settings: CollectSettings, tmp_path: Path) -> None:
    nobody = replace(settings, teacher="openai:m@http://127.0.0.1:9/v1")
    begin = time.monotonic()
    with pytest.raises(UserError, match="can't be asked .can't connect to http://127.0.0.1:9: "):
        collect(nobody, tmp_path / "out")
    assert time.monotonic() - begin < 20


def test_a_teacher_that_answers_nothing_but_errors_stops_it(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    file = questions(tmp_path / "q.jsonl", 100)
    teacher.fault = lambda prompt: ServerReply("down", status=500, headers=AT_ONCE)
    with pytest.raises(UserError, match="can't be asked .*100 of 100 questions are left"):
        collect(replace(settings, questions=str(file), concurrency=2), tmp_path / "out")
    assert len(teacher.server.calls) <= 12 * 3


def test_a_cap_on_calls_stops_it_and_a_larger_one_goes_on(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"max_calls \(7\) was reached; . of 5 questions are left"):
        collect(replace(settings, solve=True, max_calls=7, concurrency=2), tmp_path / "out")
    assert len(teacher.server.calls) == 7
    with pytest.raises(UserError, match="max_calls"):
        collect(replace(settings, solve=True, max_calls=7), tmp_path / "out")
    assert len(teacher.server.calls) == 7
    assert collect(replace(settings, solve=True, max_calls=10), tmp_path / "out")["right"] == 5
    assert set(Counter(teacher.paid()).values()) == {1}


def test_a_cap_on_calls_counts_what_was_on_its_way_when_a_run_was_killed(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    with ReplyStore(tmp_path / "out") as store:
        for _ in range(3):
            store.note_call("decomposer")
    with pytest.raises(UserError, match=r"max_calls \(4\) was reached; 4 of 5 questions"):
        collect(replace(settings, max_calls=4, concurrency=1), tmp_path / "out")
    assert len(teacher.server.calls) == 1


def test_a_cap_on_money_counts_all_runs(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path, monkeypatch: Any
) -> None:
    settings = priced(teacher, settings, tmp_path, monkeypatch)
    capped = replace(settings, concurrency=1, max_cost=0.5)
    with pytest.raises(UserError, match=r"max_cost \(0.5\) was reached"):
        collect(capped, tmp_path / "out")
    calls = len(teacher.server.calls)
    spent = [len(prompt.split()) * 1000 / 1e6 for prompt in teacher.paid()]
    assert sum(spent[:-1]) < 0.5 <= sum(spent)
    with pytest.raises(UserError, match="max_cost"):
        collect(capped, tmp_path / "out")
    assert len(teacher.server.calls) == calls


def test_a_cap_on_money_needs_prices(settings: CollectSettings, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give the teacher price_in and price_out"):
        collect(replace(settings, max_cost=1), tmp_path / "out")


def test_a_cap_on_money_that_cannot_be_watched_stops_it(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path, monkeypatch: Any
) -> None:
    """The prices are known, but the server doesn't say how many tokens it took."""
    message = {"role": "assistant", "content": "atomic"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    reply = {"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]}
    teacher.fault = lambda prompt: ServerReply(raw=json.dumps(reply).encode())
    settings = replace(priced(teacher, settings, tmp_path, monkeypatch), concurrency=1)
    with pytest.raises(UserError, match="priced reports no tokens, so that max_cost can't be"):
        collect(replace(settings, max_cost=1.0), tmp_path / "out")
    assert len(teacher.server.calls) == 1


def test_progress_is_told_after_every_question(settings: CollectSettings, tmp_path: Path) -> None:
    told: list[Progress] = []
    collect(settings, tmp_path / "out", told.append)
    assert [progress.done for progress in told] == [1, 2, 3, 4, 5]
    assert (told[-1].total, told[-1].calls, told[-1].seconds_left) == (5, 5, 0)
    assert told[0].seconds_left
    assert str(told[-1]) == "5/5 questions, 5 calls, 0:00 left"


def test_a_torn_last_line_is_cut_off_and_asked_again(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    collect(replace(settings, concurrency=1), tmp_path / "out")
    whole = examples(tmp_path / "out")
    store = tmp_path / "out" / "replies.jsonl"
    store.write_bytes(store.read_bytes()[:-20])
    (tmp_path / "out" / "examples.jsonl").unlink()
    counts = collect(settings, tmp_path / "out")
    assert (counts["calls"], counts["replies"], counts["damaged"]) == (6, 5, 0)
    assert examples(tmp_path / "out") == whole
    assert all(json.loads(line) for line in store.read_bytes().splitlines())


def test_a_damaged_line_costs_its_own_reply_only(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    collect(replace(settings, concurrency=1), tmp_path / "out")
    store = tmp_path / "out" / "replies.jsonl"
    lines = store.read_bytes().split(b"\n")
    lines[1], lines[3] = b"\0" * 50, b'{"key": "k", "value": {"text": 1}}'
    store.write_bytes(b"\n".join(lines))
    (tmp_path / "out" / "examples.jsonl").unlink()
    counts = collect(settings, tmp_path / "out")
    assert (counts["plans"], counts["damaged"], len(teacher.server.calls)) == (5, 2, 7)


def test_a_reply_that_lacks_some_of_what_it_took_spoils_no_other(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    collect(replace(settings, concurrency=1), tmp_path / "out")
    store = tmp_path / "out" / "replies.jsonl"
    store.write_bytes(store.read_bytes().replace(b'"calls"', b'"callz"', 1))
    (tmp_path / "out" / "examples.jsonl").unlink()
    counts = collect(settings, tmp_path / "out")
    assert (counts["plans"], counts["damaged"], len(teacher.server.calls)) == (5, 1, 6)


def test_a_full_disk_is_told_and_leaves_whole_lines(tmp_path: Path) -> None:
    import resource

    with ReplyStore(tmp_path) as store:
        store.note_call("decomposer")
        whole = (tmp_path / "replies.jsonl").read_bytes()
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 5, before[1]))
            with pytest.raises(UserError, match="can't be written: File too large; what was kept"):
                store.note_call("decomposer")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, old)
    assert (tmp_path / "replies.jsonl").read_bytes() == whole


def test_one_process_at_a_time(settings: CollectSettings, tmp_path: Path) -> None:
    with (
        ReplyStore(tmp_path / "out"),
        pytest.raises(UserError, match="another process works in it"),
    ):
        collect(settings, tmp_path / "out")


def test_a_directory_of_another_teacher_is_refused(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    collect(settings, tmp_path / "out")
    other = replace(settings, teacher=teacher.ref.replace("teacher", "other"))
    with pytest.raises(UserError, match="name another --out"):
        collect(other, tmp_path / "out")


def test_gsm8k_and_other_rows_are_understood(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    rows = [
        {"question": "1 + 1?", "answer": "One and one is 2.\n#### 1,002"},
        {"question": "2 + 2?", "answer": True, "id": "b", "context": "All is as usual."},
        {"question": "3 + 3?", "answer": 6.5, "id": 70, "source": "school", "licence": "MIT"},
        {"question": "4 + 4?", "more": [1], "id": ""},
        {"question": "4 + 4?"},
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("\ufeff" + "\n\n".join(json.dumps(row) for row in rows))
    counts = collect(replace(settings, questions=str(file)), tmp_path / "out")
    found = [(e.id, e.answer, e.context, e.source, e.licence) for e in examples(tmp_path / "out")]
    assert found == [
        ("1", "1,002", "", "rows", ""),
        ("b", "yes", "All is as usual.", "rows", ""),
        ("70", "6.5", "", "school", "MIT"),
        ("7", "", "", "rows", ""),
    ]
    assert counts["repeated"] == 1


BROKEN = [
    ("not JSON", "Expecting value"),
    ("[1]", "it is no JSON object"),
    ('{"query": "x"}', 'it has no "question"'),
    ('{"question": " "}', "the question is empty"),
    ('{"question": "x", "context": ["y"]}', "so is its context"),
    ('{"question": "x", "id": true}', "the id is a text or a number"),
    ('{"question": "x", "id": 1}', "an earlier row has the id '1', too"),
    ('{"question": "x", "answer": ["y"]}', "the answer is a text or a number"),
]


@pytest.mark.parametrize(("line", "why"), BROKEN)
def test_a_broken_line_is_refused_by_file_and_line_or_skipped(
    line: str, why: str, teacher: Teacher, settings: CollectSettings, tmp_path: Path
) -> None:
    file = questions(tmp_path / "q.jsonl", 2)
    file.write_text(f"{file.read_text()}{line}\n")
    settings = replace(settings, questions=str(file))
    with pytest.raises(UserError, match=re.escape(f"{file}:3: ") + f".*{re.escape(why)}"):
        collect(replace(settings, refuse_broken=True), tmp_path / "out")
    assert teacher.server.calls == []
    counts = collect(settings, tmp_path / "out")
    assert (counts["plans"], counts["broken"]) == (2, 1)
    assert why in counts["broken_lines"][0]
    file.write_text('{"prompt": "Who?"}\n')
    with pytest.raises(UserError, match=r"no questions \(1 left out, first .*:1: it has no "):
        collect(settings, tmp_path / "none")


def test_half_of_a_character_in_an_id_is_no_reason_to_stop(
    settings: CollectSettings, tmp_path: Path
) -> None:
    file = tmp_path / "halves.jsonl"
    file.write_text('{"id": "\\ud83d", "question": "Who?"}\n')
    settings = replace(settings, questions=str(file))
    # The teacher doesn't know this question: its failure is noted under the id.
    with pytest.raises(UserError, match=r"no question could be asked \(\?: Error code: 500"):
        collect(settings, tmp_path / "out", split=split_of("?"))


def test_mistakes_are_told_in_a_sentence(settings: CollectSettings, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    answerless = tmp_path / "answerless.jsonl"
    answerless.write_text('{"question": "x"}')
    for change, message in [
        ({"questions": str(empty)}, "holds no questions"),
        ({"questions": str(tmp_path / "none.jsonl")}, "can't be read: No such file"),
        ({"questions": str(tmp_path)}, "can't be read: Is a directory"),
        ({"questions": "hf:gsm8k"}, r"isn't of the form hf:OWNER/NAME\[/CONFIG\]\[:SPLIT\]"),
        ({"questions": str(answerless), "until_right": True}, "has no reference answers"),
        ({"teacher": "nobody"}, "unknown model 'nobody'"),
        ({"teacher": "bundled", "solve": True}, "trained as decomposer alone and can't be a sol"),
    ]:
        with pytest.raises(UserError, match=message):
            collect(replace(settings, **change), tmp_path / "out")
    contract = read_contract(bundled_model_path())
    assert contract is not None
    both = ResolvedModel(
        "both", RunnableLambda(str), replace(contract, roles=("decomposer", "solver"))
    )
    with pytest.raises(UserError, match="needs a solver that reasons in words"):
        collect(
            replace(settings, teacher="both", solve=True), tmp_path / "out", models={"both": both}
        )
    for change, message in [
        ({"attempts": 0}, "attempts is a whole number from 1"),
        ({"concurrency": True}, "concurrency is a whole number from 1"),
        ({"limit": 0}, "limit is a whole number from 1"),
        ({"max_cost": -1}, "max_cost must be a number above 0"),
        ({"max_subquestions": 99}, "the cap on subquestions"),
        ({"temperature": "hot"}, "temperature is a number above 0"),
    ]:
        with pytest.raises(UserError, match=message):
            replace(settings, **change)


def test_a_hub_data_set_says_what_to_install(
    settings: CollectSettings, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match="pip install datasets"):
        collect(replace(settings, questions="hf:openai/gsm8k/main:train"), tmp_path / "out")


def test_a_data_set_is_read_by_its_split(
    teacher: Teacher, settings: CollectSettings, tmp_path: Path, monkeypatch: Any
) -> None:
    """`datasets` looks for a folder of the name before it goes to the hub."""
    pytest.importorskip("datasets")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    questions(tmp_path / "owner" / "name" / "test.jsonl", 3)
    collect(replace(settings, questions="hf:owner/name:test"), tmp_path / "out")
    found = [(e.id, e.question, e.answer, e.source) for e in examples(tmp_path / "out")]
    assert found[1] == ("2", "1 + 1?", "2", "owner/name:test")
    with pytest.raises(UserError, match="the data set 'hf:owner/name:none' can't be read: "):
        collect(replace(settings, questions="hf:owner/name:none"), tmp_path / "out2")


def test_no_secret_is_written(teacher: Teacher, settings: CollectSettings, tmp_path: Path) -> None:
    secret = teacher.ref.replace("http://", "http://user:s3cret@")
    collect(replace(settings, teacher=secret), tmp_path / "out")
    for file in (tmp_path / "out").iterdir():
        assert b"s3cret" not in file.read_bytes(), file.name


WORKERS = 8
RUNNER = f"""
import sys
from pathlib import Path
from langgraph_decompose.distill.collect.collect import CollectSettings, collect
teacher, questions, out = sys.argv[1:]
settings = CollectSettings(teacher, questions, attempts=2, solve=True, concurrency={WORKERS})
collect(settings, Path(out))
"""


def some_fault(teacher: Teacher, prompt: str) -> Any:
    """Every third question fails when first asked: 429, 500, no reply, half a one, half a plan."""
    if teacher.seen[prompt] > 1 or int(asked(prompt)) % 3:
        return None
    half = ServerReply("#1 What is", finish_reason="length")
    faults = [
        ServerReply("slow down", status=429, headers=AT_ONCE),
        ServerReply("oops", status=500, headers=AT_ONCE),
        ServerReply(drop=True),
        ServerReply("#1 What is", drop=True),
        half if not solving(prompt) and "An earlier" not in prompt else None,
    ]
    return faults[int(asked(prompt)) // 3 % 5]


def started(teacher: Teacher, file: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", RUNNER, teacher.ref, str(file), str(out)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, preexec_fn=hears_ctrl_c)


def held(teacher: Teacher, calls: int, process: subprocess.Popen[bytes]) -> None:
    """Wait for so many calls, and then until every worker waits for the server.

    All that it has sent is in the store then, since a worker asks nothing before that.
    """
    assert soon(lambda: len(teacher.server.calls) >= calls or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    teacher.server.hold()
    assert soon(lambda: teacher.server.in_flight == WORKERS)


def test_killed_three_times_nothing_is_lost_and_nothing_paid_twice(
    teacher: Teacher, tmp_path: Path
) -> None:
    file, out = questions(tmp_path / "q.jsonl", 50), tmp_path / "out"
    teacher.fault = lambda prompt: some_fault(teacher, prompt)
    for calls in (40, 90, 140):
        process = started(teacher, file, out)
        held(teacher, calls, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert soon(lambda: teacher.server.in_flight == 0)
        teacher.server.release()
        assert not (out / "examples.jsonl").exists()
    settings = CollectSettings(teacher.ref, str(file), attempts=2, solve=True)
    counts = collect(settings, out)
    assert (counts["questions"], counts["plans"], counts["failed"]) == (50, 100, 0)
    paid = teacher.paid()
    assert counts["replies"] == len(paid)
    assert counts["calls"] == len(teacher.server.calls)
    assert counts["input_tokens"] == sum(len(prompt.split()) for prompt in paid)
    # Both attempts ask in the same words: two replies for each prompt, one for each repair.
    once_an_attempt = {n for prompt, n in Counter(paid).items() if "An earlier" not in prompt}
    assert once_an_attempt == {2}
    teacher.fault = lambda prompt: None
    collect(settings, tmp_path / "undisturbed")
    assert examples(out) == examples(tmp_path / "undisturbed")


def test_ctrl_c_keeps_what_has_come(teacher: Teacher, tmp_path: Path) -> None:
    file, out = questions(tmp_path / "q.jsonl", 30), tmp_path / "out"
    process = started(teacher, file, out)
    held(teacher, 40, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert err.strip().endswith(b"KeyboardInterrupt")
    assert soon(lambda: teacher.server.in_flight == 0)
    teacher.server.release()
    settings = CollectSettings(teacher.ref, str(file), attempts=2, solve=True)
    counts = collect(settings, out)
    assert (counts["plans"], counts["damaged"], counts["replies"]) == (60, 0, 120)
    assert set(Counter(teacher.paid()).values()) == {2}
    assert counts["calls"] == len(teacher.server.calls)
