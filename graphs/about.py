"""What is told of each strategy: in the docs' table, which is made from this, and in reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class About:
    """A strategy in words.

    Attributes:
        does: What it does, after its name.
        calls: Model calls for one question; `n` is the number of subquestions.
        pays: When it pays, as far as it was measured.
        source: The paper that it comes from.
        plans: Whether it asks a decomposer.
        lines: Whether subquestions are asked one by one.
        always: Whether it splits every question if the decomposer does.
        reviewed: Whether a person can be shown the plan before anything is solved.
        experimental: Whether it beat nothing anywhere when it was measured.
    """

    does: str
    calls: str
    pays: str
    source: str
    plans: bool = False
    lines: bool = False
    always: bool = False
    reviewed: bool = False
    experimental: bool = False
