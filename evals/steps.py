"""Which step of a plan went wrong first, where the right answer of each step is known.

The kinds are those of "Faith and Fate" (Dziri et al., arXiv 2305.18654). That a wrong step
after a wrong one was worked out rightly can't be seen from its answer, so all such are
counted as propagated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ..nodes.given_numbers import stated_number
from ..plan import Plan, levels
from ..tools.calculator import CalculatorError, calculate

Step = Literal["right", "local", "propagated", "restored"]
"""Wrong though what it needs was right: local; wrong after a wrong one: propagated; right
after a wrong one: restored."""


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


def first_wrong(plan: Plan, labels: Mapping[int, Step]) -> int | None:
    """The depth, from 1, of the first step that is wrong by itself; None if there is none."""
    for depth, ids in enumerate(levels(plan), 1):
        if any(labels.get(k) == "local" for k in ids):
            return depth
    return None


def same_answer(answer: str | None, gold: str) -> bool:
    """Whether a step's answer is the right one: the same number, or else the same words.

    Example:
        >>> same_answer("$1,800.00", "1800"), same_answer("12.75", "12")
        (True, False)
        >>> same_answer("Nile.", "nile"), same_answer(None, "nile")
        (True, False)
    """
    if answer is None:
        return False
    try:
        number = calculate(gold)
    except CalculatorError:
        return _plain(answer) == _plain(gold)
    try:
        return calculate(answer) == number
    except CalculatorError:
        return stated_number(answer) == number


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .")
