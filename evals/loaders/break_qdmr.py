"""Break (Wolfson et al., 2020): QDMR steps (`return capital of #1`) as questions in words.

Only what can be turned into a natural question is kept. Steps over databases and images,
and fine-grained ones such as `return flights ;return #1 from denver`, are no questions and
are dropped with their whole plan.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...plan import Plan, PlanError, Subquestion, references
from ..items import Item
from ..splits import split_of
from .qdmr import step_as_question

_SOURCES = ("HOTPOT", "DROP", "CWQ", "COMQA")
_RESTATING = {"comparison", "arithmetic", "boolean", "intersection", "union"}
_MAX_ATOMIC_WORDS = 12
_MAX_LINES = 8


def break_qdmr(row: Mapping[str, Any], _: int) -> Item | None:
    """A row of Break; None unless it is held out from training and every step can be worded."""
    name = row["question_id"]
    if split_of(f"break:{name}") != "eval" or not (found := question_and_plan(row)):
        return None
    question, plan = found
    return Item(name, question, gold_plan=plan)


def question_and_plan(row: Mapping[str, str]) -> tuple[str, Plan] | None:
    """The question of a row and its plan in words; None if a step can't be worded.

    Raises:
        KeyError: If a column is missing.
    """
    name, question = row["question_id"], _tidy(row["question_text"])
    steps = re.split(r"\s*;\s*", row["decomposition"].strip(" ;"))
    operators = re.findall(r"\w+", row["operators"])
    if not name.startswith(_SOURCES) or not question or "�" in question:
        return None
    plan = _plan(question, [_tidy(step) for step in steps], operators)
    return None if plan is None else (question, plan)


def _plan(question: str, steps: list[str], operators: list[str]) -> Plan | None:
    """The plan; atomic for a single step, None if a step can't be worded."""
    if not all(step.startswith("return ") for step in steps) or len(steps) != len(operators):
        return None
    steps = [step.removeprefix("return ") for step in steps]
    if len(steps) == 1:
        words = len(question.split())
        return Plan() if words <= _MAX_ATOMIC_WORDS and question.endswith("?") else None
    steps, operators = _counts_merged(steps, operators)
    past = bool(re.search(r"\b(?:did|was|were|had|\w+ed)\b", question))
    texts = [step_as_question(step, past=past) for step in steps]
    if _puts_together(steps[-1], operators[-1]) and question.endswith("?"):
        texts[-1] = question[0].upper() + question[1:]
    if None in texts or not 2 <= len(texts) <= _MAX_LINES:
        return None
    try:
        lines = [
            Subquestion(k, text or "", references(steps[k - 1], k))
            for k, text in enumerate(texts, 1)
        ]
    except PlanError:  # Too long.
        return None
    used = {need for line in lines for need in line.needs}
    distinct = len({line.text.casefold() for line in lines}) == len(lines)
    complete = used == set(range(1, len(lines)))
    return Plan(tuple(lines)) if distinct and complete else None


def _counts_merged(steps: list[str], operators: list[str]) -> tuple[list[str], list[str]]:
    """`X; number of #1` as one step, where nothing else uses `X`."""
    renumbered: dict[int, int] = {}
    kept: list[str] = []
    kept_operators: list[str] = []
    for k, (step, operator) in enumerate(zip(steps, operators, strict=True), 1):
        if _only_counted(k, steps):
            continue
        counted = re.fullmatch(r"(?:the )?number of #(\d+)", step)
        if counted and _only_counted(int(counted[1]), steps):
            step = f"number of {steps[int(counted[1]) - 1]}"
        kept.append(re.sub(r"#(\d+)", lambda m: f"#{renumbered.get(int(m[1]), 0)}", step))
        kept_operators.append(operator)
        renumbered[k] = len(kept)
    return kept, kept_operators


def _only_counted(k: int, steps: list[str]) -> bool:
    uses = [step for step in steps if re.search(rf"#{k}\b", step)]
    return len(uses) == 1 and bool(re.fullmatch(rf"(?:the )?number of #{k}", uses[0]))


def _puts_together(step: str, operator: str) -> bool:
    """Whether a step joins several answers: as a last line, it asks the question itself."""
    return operator in _RESTATING and len(set(re.findall(r"#\d+", step))) > 1


def _tidy(text: str) -> str:
    """Single spaces, none before a comma or an apostrophe."""
    return re.sub(r" (?=[,.?!]|'s\b|’s\b)", "", " ".join(text.split()))
