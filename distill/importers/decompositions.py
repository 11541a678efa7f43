"""Human-written decompositions: StrategyQA, MuSiQue and GSM8K with subquestions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...evals.annotated import Step, final_result, one_each
from ...evals.loaders.fields import reason, relation_question, tidy
from ...evals.rows import json_rows, note
from ...evals.splits import file_id, split_of
from ...plan import references
from ..records import Example, Line, calculated_lines


def strategyqa(path: Path, broken: list[str] | None = None) -> Iterator[Example]:
    """StrategyQA: yes/no questions with subquestions in which `#n` is an earlier answer."""
    for row, value in json_rows(path, broken):
        try:
            yield Example(
                f"{file_id(path)}:{value.get('qid', row)}", tidy(value["question"]),
                plan=_lines([tidy(text) for text in value["decomposition"]]),
                answer=_truth(value["answer"]),
                source=file_id(path), licence="MIT",
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            note(path, row, reason(error), broken)


def _truth(answer: object) -> str:
    if not isinstance(answer, bool):  # As text, "no" would count as true.
        raise ValueError("'answer' is neither true nor false")
    return "yes" if answer else "no"


def musique(path: Path, broken: list[str] | None = None, split: str = "") -> Iterator[Example]:
    """MuSiQue: `question_decomposition` with `#n`; the steps `X >> relation` become questions.

    MuSiQue-Full also asks what its paragraphs don't answer. Such rows are left out and, if they
    are of the split, counted; they are never refused, since nothing is wrong with them.
    """
    for row, value in json_rows(path, broken):
        name = f"{file_id(path)}:{value.get('id', row)}"
        if value.get("answerable") is False:
            if broken is not None and split in ("", split_of(name)):
                note(path, row, "its paragraphs don't answer it", broken)
            continue
        try:
            steps = value["question_decomposition"]
            texts = [relation_question(tidy(step["question"])) for step in steps]
            yield Example(
                name, tidy(value["question"]),
                plan=_lines(texts, [str(step.get("answer") or "") for step in steps]),
                answer=str(value.get("answer") or ""), source=file_id(path), licence="CC BY 4.0",
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            note(path, row, reason(error), broken)


def gsm8k_socratic(path: Path, broken: list[str] | None = None) -> Iterator[Example]:
    """GSM8K with subquestions: `subquestion ** step` lines with annotated calculations.

    Expressions are kept if each line has one and all are clear; else the lines are taken
    to be sequential, also where a number may be the question's or an earlier result.
    """
    for row, value in json_rows(path, broken):
        try:
            solution = value["answer"]
            pairs = [line.split(" ** ", 1) for line in solution.splitlines() if " ** " in line]
            texts = _steps([tidy(text) for text, _ in pairs])
            steps = one_each([step for _, step in pairs], value["question"])
            if any(step.unsure for step in steps):
                steps = []
            single = len(texts) == 1
            yield Example(
                f"{file_id(path)}:{row}", tidy(value["question"]),
                plan=() if single else _with_steps(texts, steps), answer=final_result(solution),
                solution="\n".join(step for _, step in pairs), source=file_id(path), licence="MIT",
                meta={"expr": steps[0].expr} if single and steps else {},
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            note(path, row, reason(error), broken)


def _with_steps(texts: list[str], steps: list[Step]) -> tuple[Line, ...]:
    if steps:
        return calculated_lines(texts, steps)
    return tuple(Line(id=k, text=text, needs=list(range(1, k))) for k, text in enumerate(texts, 1))


def _steps(texts: list[str]) -> list[str]:
    if not texts:  # Taken for atomic, it would teach never to split.
        raise ValueError("it has no steps")
    return texts


def _lines(texts: list[str], answers: list[str] | None = None) -> tuple[Line, ...]:
    """Lines that need what their texts refer to; one line alone is no split."""
    if len(_steps(texts)) < 2:
        return ()
    lines = [
        Line(id=k, text=text, needs=list(references(text, k))) for k, text in enumerate(texts, 1)
    ]
    for line, answer in zip(lines, answers or [], strict=False):
        if answer:
            line["answer"] = answer
    return tuple(lines)
