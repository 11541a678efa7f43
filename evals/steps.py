"""Which step of a plan went wrong first, where the right answer of each step is known.

The kinds are those of "Faith and Fate" (Dziri et al., arXiv 2305.18654). That a wrong step
after a wrong one was worked out rightly can't be seen from its answer, so all such are
counted as propagated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal

from ..nodes.given_numbers import graded_numbers
from ..plan import Plan, levels
from .metrics.numbers import plain_number
from .metrics.spans import squad
from .metrics.text import final_answer

Step = Literal["right", "local", "propagated", "restored"]
"""Wrong though what it needs was right: local; wrong after a wrong one: propagated; right
after a wrong one: restored."""
_SAYS = re.compile(r"\b(?:is|are|was|were|(?:it|that|he|she)['’]s)\s+", re.IGNORECASE)
_DOUBT = re.compile(r"\b(?:if|never|no|not|unclear|unknown|whether)\b|n['’]t\b", re.IGNORECASE)


def label_steps(
    plan: Plan, answers: Sequence[Mapping[str, Any]], gold: Mapping[str, str]
) -> dict[int, Step]:
    r"""Judge every line of a plan that was run.

    Args:
        plan: What was run.
        answers: Rows `id, answer, status`; a line without an answer is wrong.
        gold: Line id, as text, to the right answer.

    Returns:
        Line id to its kind, for lines whose right answer is known, and those of all that
        they need.

    Example:
        >>> from langgraph_decompose import parse_plan
        >>> plan = parse_plan("#1 How many in May?\n#2 How many in all? <- #1")
        >>> label_steps(plan, [{"id": 1, "answer": "7"}], {"1": "6", "2": "8"})
        {1: 'local', 2: 'propagated'}
    """
    given = {row["id"]: row["answer"] for row in answers if row.get("status") != "failed"}
    right = {
        line.id: same_answer(given.get(line.id), gold[str(line.id)])
        for line in plan.subquestions
        if str(line.id) in gold
    }
    return {
        line.id: _kind(right[line.id], all(right[k] for k in line.needs))
        for line in plan.subquestions
        if line.id in right and right.keys() >= {*line.needs}
    }


def _kind(right: bool, parents: bool) -> Step:
    if right:
        return "right" if parents else "restored"
    return "local" if parents else "propagated"


def first_wrong(plan: Plan, labels: Mapping[int, Step]) -> str:
    r"""The depth, from 1, of the first step that is wrong by itself; `none` if there is none.

    It is `unknown` where it may be a step that has no label.

    Example:
        >>> from langgraph_decompose import parse_plan
        >>> plan = parse_plan("#1 How many in May?\n#2 How many in all? <- #1")
        >>> first_wrong(plan, {1: "right", 2: "local"}), first_wrong(plan, {1: "right"})
        ('2', 'unknown')
    """
    for depth, ids in enumerate(levels(plan), 1):
        if any(labels.get(k) == "local" for k in ids):
            return str(depth)
        if any(k not in labels for k in ids):
            return "unknown"
    return "none"


def same_answer(answer: str | None, gold: str) -> bool:
    """Whether a step's answer is the right one.

    If the right one is plainly a number, by value. Else by SQuAD's exact match, of the whole
    answer, or in a sentence such as "It is Ulm." of what follows its first is, are, was or were,
    unless a word of doubt or denial stands before that.

    Example:
        >>> same_answer("$1,800.00", "1800"), same_answer("12.75", "12")
        (True, False)
        >>> same_answer("It is the Nile.", "Nile"), same_answer("2004", "2004-2006")
        (True, False)
    """
    if answer is None:
        return False
    if number := plain_number(gold):
        return Fraction(number) in graded_numbers(answer)
    text = final_answer(answer, [gold])
    said = _SAYS.search(text)
    stated = [text[said.end() :]] if said and not _DOUBT.search(text[: said.start()]) else []
    return any(squad(part, [gold])["em"] for part in (text, *stated))
