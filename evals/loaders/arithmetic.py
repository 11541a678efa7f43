"""Word problems in their original formats: GSM8K, GSM-Hard, SVAMP and AQuA."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...plan import Plan
from ...tools.calculator import format_number
from ..annotated import one_each
from ..items import Item
from ..metrics.numbers import strict_answer
from ..rows import located_rows, refuse
from .fields import Row, id_of, number_of, plan_of, text_of, texts_of, tidy

_SOCRATIC = "_socratic"
_RESULT = re.compile(r"<<[^<>=]{1,200}=\s*\$?([^<>]{1,40})>>")
_LETTERS = "ABCDE"


def gsm8k(row: Row, number: int) -> Item:
    """GSM8K (Cobbe et al., 2021): the gold result stands after `####`."""
    question, result = text_of(row, "question"), strict_answer(text_of(row, "answer"))
    if result is None:
        raise ValueError("the answer has no '#### NUMBER'")
    plan, steps = _socratic(row["socratic"], question) if "socratic" in row else (None, {})
    return Item(str(number), question, gold=[result], gold_plan=plan, gold_steps=steps)


def gsm8k_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows, each with its solution in subquestions if `NAME_socratic.jsonl` lies beside."""
    beside = path.with_stem(path.stem + _SOCRATIC)
    known: dict[str, str] = {}
    if beside.is_file() and not path.stem.endswith(_SOCRATIC):
        for place, row in located_rows(beside):
            question, solution = row.get("question"), row.get("answer")
            if isinstance(question, str) and isinstance(solution, str):
                known[question.strip()] = solution
            else:
                refuse(place, "'question' and 'answer' aren't both texts", None)
    for place, row in located_rows(path):
        solution = known.get(str(row.get("question")).strip())
        yield place, row if solution is None else {**row, "socratic": solution}


def gsm_hard(row: Row, number: int) -> Item:
    """GSM-Hard (Gao et al., 2023): GSM8K's test questions with large numbers."""
    return Item(str(number), text_of(row, "input"), gold=[number_of(row, "target")])


def svamp(row: Row, number: int) -> Item:
    """SVAMP (Patel et al., 2021): a body and a question, asked in one text."""
    body, question = row["Body"].strip(), text_of(row, "Question")
    joined = f"{body}{'' if body.endswith('.') else '.'} {question}"
    return Item(id_of(row, number, "ID"), joined, gold=[number_of(row, "Answer")])


def aqua(row: Row, number: int) -> Item:
    """AQuA (Ling et al., 2017): a problem with its options, each on a line."""
    options = [" ".join(option.split()) for option in texts_of(row, "options")]
    if not options or row["correct"] not in [*_LETTERS[: len(options)]]:
        raise ValueError("'correct' is the letter of no option")
    question = "\n".join([text_of(row, "question"), *options])
    return Item(str(number), question, gold=[row["correct"]])


def _socratic(solution: str, question: str) -> tuple[Plan | None, dict[str, str]]:
    """The plan and the answers of `subquestion ** step` lines.

    What a line needs is traced through the numbers of its step; where not all steps are
    clear, each line is taken to need all earlier ones.
    """
    pairs = [line.split(" ** ", 1) for line in solution.splitlines() if " ** " in line]
    texts, lines = [tidy(text) for text, _ in pairs], [step for _, step in pairs]
    if steps := one_each(lines, question):
        known = {str(k): format_number(step.value) for k, step in enumerate(steps, 1)}
        return plan_of(texts, [step.needs for step in steps]), known
    results = {str(k): _RESULT.findall(line) for k, line in enumerate(lines, 1)}
    plan = plan_of(texts, [range(1, k) for k in range(1, len(texts) + 1)])
    return plan, {k: found[-1].replace(",", "") for k, found in results.items() if found}
