"""What a person sees while something is done: one line that changes, and what stays above it."""

from __future__ import annotations

from langgraph_decompose.cli.terminal import one_line


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
