"""What a student is shown in each role: contract 2 of the design."""

from __future__ import annotations

from langgraph_decompose.distill.records import Example
from langgraph_decompose.distill.train.samples import samples
from langgraph_decompose.prompts import load_prompts

CLIPS = Example(
    id="1",
    question="Natalia sold 48 clips in April, half as many in May and 5 in June. How many?",
    plan=(
        {"id": 1, "text": "How many in May?", "needs": [], "expr": "48/2", "answer": "24"},
        {"id": 2, "text": "How many by May?", "needs": [1], "expr": "48+#1", "answer": "72"},
        {"id": 3, "text": "How many in all?", "needs": [2], "expr": "#2+5", "answer": "77"},
    ),
    answer="77",
    predicted="78",
)


def test_a_decomposer_writes_the_plan() -> None:
    [(messages, reply)] = samples(CLIPS, "decomposer")
    assert messages[0] == {"role": "system", "content": "decompose"}
    assert messages[1]["content"] == CLIPS.question
    assert reply == ("#1 How many in May?\n#2 How many by May? <- #1\n#3 How many in all? <- #2")


def test_context_comes_before_the_question() -> None:
    example = Example(id="1", question="Who?", context="A passage.")
    [(messages, reply)] = samples(example, "decomposer")
    assert messages[1]["content"] == "A passage.\n\nWho?"
    assert reply == "atomic"


def test_a_plan_of_one_line_is_atomic() -> None:
    example = Example(
        id="1", question="2 + 3?", plan=({"id": 1, "text": "2 + 3?", "needs": [], "expr": "2+3"},)
    )
    assert [s.completion for s in samples(example, "decomposer")] == ["atomic"]
    [(messages, reply)] = samples(example, "solver")
    assert (messages[1]["content"], reply) == ("2 + 3?", "2+3")


def test_a_solver_sees_what_its_line_needs_and_writes_an_expression() -> None:
    found = list(samples(CLIPS, "solver"))
    assert [reply for _, reply in found] == ["48/2", "48+#1", "#2+5"]
    assert found[2].messages == [
        {"role": "system", "content": "solve"},
        {
            "role": "user",
            "content": CLIPS.question
            + "\n#1 How many in May? = 24\n#2 How many by May? = 72\n#3 How many in all?",
        },
    ]


def test_lines_without_expression_or_needed_answer_teach_no_solver() -> None:
    plan = (
        {"id": 1, "text": "Who?", "needs": []},
        {"id": 2, "text": "How old is #1?", "needs": [1], "expr": "#1"},
    )
    assert not list(samples(Example(id="1", question="?", plan=plan), "solver"))


def test_the_papers_solvers_answer_everything_in_one_reply() -> None:
    [(messages, teacher)] = samples(CLIPS, "solver-teacher")
    [(_, reference)] = samples(CLIPS, "solver-answer")
    assert teacher == "#1 24\n#2 72\n#3 77\nAnswer: 78"
    assert reference == "#1 24\n#2 72\n#3 77\nAnswer: 77"
    fields = {
        "problem": CLIPS.problem,
        "plan": str(CLIPS.to_plan()),
        "question": CLIPS.question,
    }
    assert messages == load_prompts()["static"].messages(fields)


def test_direct_is_the_answer_alone() -> None:
    assert [s.completion for s in samples(CLIPS, "direct")] == ["77"]
    assert not list(samples(Example(id="1", question="?"), "direct"))
