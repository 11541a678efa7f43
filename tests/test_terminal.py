"""What a person sees while something is done: one line that changes, and what stays above it."""

from __future__ import annotations

import io

from langgraph_decompose.cli.terminal import one_line
from langgraph_decompose.cli.tree import LiveTree
from rich.console import Console


def test_numbers_change_in_their_line_and_what_else_is_said_stays() -> None:
    stays: list[str] = []
    with one_line(lambda line: None, stays.append) as say:
        for spent in ("9.3e-05", "0.0001", "1.2e-03", "7"):
            say(f"3/90 questions, {spent} spent")
        say("writing model-q8_0.gguf")
        say("writing model-q4_0.gguf")
    assert stays == [
        "3/90 questions, 7 spent",
        "writing model-q8_0.gguf",
        "writing model-q4_0.gguf",
    ]


def test_the_tree_shows_texts_letter_by_letter() -> None:
    texts = ["What is 1:100:3 in a:b:c?", "Is [bold] a \\[tag]?", "And :key:?"]
    rows = [{"id": k, "text": text, "needs": [1][: k - 1]} for k, text in enumerate(texts, 1)]
    show = LiveTree("Which?", Console(file=io.StringIO()))
    show({"type": "decompose.plan", "plan": rows})
    answered = {"id": 1, "answer": "2:100:6 \\", "seconds": 1.0}
    show({"type": "decompose.subquestion.answered", **answered})
    show({"type": "decompose.subquestion.started", "id": 2})
    failed = {"id": 3, "error": {"message": "no :ok: [/dim] \\"}}
    show({"type": "decompose.subquestion.failed", **failed})
    written = io.StringIO()
    Console(file=written, width=100).print(show.tree())
    shown = [line.strip("│├└─ ") for line in written.getvalue().splitlines()]
    assert shown[:2] == ["Which?", "✓ #1 What is 1:100:3 in a:b:c? = 2:100:6 \\ 1.0s"]
    assert shown[2].endswith(" #2 Is [bold] a \\[tag]? ← #1")
    assert shown[3] == "✗ #3 And :key:? ← #1 no :ok: [/dim] \\"


def test_the_tree_calls_nothing_right_that_nobody_judged() -> None:
    show = LiveTree("Which?", Console(file=io.StringIO()))
    for right, kind in ((True, ""), (False, "misread"), (True, "unknown")):
        show({"type": "decompose.verdict", "id": 1, "right": right, "kind": kind})
    written = io.StringIO()
    Console(file=written, width=100).print(show.tree())
    said = [line.rpartition("#1 is ")[2] for line in written.getvalue().splitlines()[1:4]]
    assert said == ["right", "misread", "not verified"]
