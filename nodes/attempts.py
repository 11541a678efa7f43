"""The question undivided, several times, and whether the answers agree.

Agreement as the test of an answer is Adaptive-Solver's (arXiv 2310.01446): of three samples
all must agree, of five four, of ten six.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import must_be_raised
from ..models.references import ResolvedModel
from ..prompts import Prompts
from .answers import AnswerRow, failed
from .calls import SAMPLES_APART
from .problem import Problem
from .retrieval import retrieve, with_passages
from .solver import Style, solve_undivided, whole_question
from .steps import Steps, Together
from .usage import add_usage
from .voting import majority, vote_keys

MAX_SAMPLES = 64
GATE_START, ATTEMPT_START = 100 * SAMPLES_APART, 200 * SAMPLES_APART
"""Where the gate and `attempt_first` begin to number samples."""
THRESHOLDS = {10: 0.6, 5: 0.8, 1: 1.0}
"""From how many samples on which share of them must agree."""


@dataclass(frozen=True)
class Agreement:
    """What samples of one question agree on.

    Attributes:
        answer: The answer of most; None if there is none.
        votes: How many agree on it.
        samples: How many were asked, those that failed included.
    """

    answer: str | None
    votes: int
    samples: int

    @property
    def share(self) -> float:
        """The share of samples that agree."""
        return self.votes / self.samples

    @property
    def enough(self) -> bool:
        """Whether so many agree that the answer may be taken.

        Example:
            >>> Agreement("42", 4, 5).enough, Agreement("42", 2, 3).enough
            (True, False)
        """
        least = next(share for count, share in THRESHOLDS.items() if self.samples >= count)
        return self.answer is not None and self.share >= least

    @property
    def told(self) -> dict[str, Any]:
        """For events and traces: how many agree, and whether the question is to be split."""
        return {"votes": self.votes, "samples": self.samples, "split": not self.enough}


def agreement(rows: Sequence[AnswerRow]) -> Agreement:
    """Put the answers of samples to the vote; one that failed has none."""
    answers = [row["answer"] for row in rows if row["answer"] is not None]
    if not answers:
        return Agreement(None, 0, len(rows))
    return Agreement(*majority(answers), len(rows))


def voters(rows: Sequence[AnswerRow], answer: str | None) -> list[AnswerRow]:
    """The samples that agree on an answer, which one of them gave."""
    told = [row for row in rows if row["answer"] is not None]
    keys = vote_keys([row["answer"] or "" for row in told])
    same = {key for row, key in zip(told, keys, strict=True) if row["answer"] == answer}
    return [row for row, key in zip(told, keys, strict=True) if key in same]


def attempts(
    problem: Problem,
    count: int,
    *,
    model: ResolvedModel,
    prompts: Prompts,
    retriever: Any = None,
    style: Style = "cot",
    start: int = 0,
) -> Steps[list[AnswerRow]]:
    """Answer the whole question several times at once.

    A solver that writes only expressions is asked for those, whatever the style.

    Args:
        problem: The question.
        count: How often.
        model: Whom to ask.
        prompts: The prompt texts.
        retriever: Finds passages for the question, once; None if there is none.
        style: How it is answered.
        start: Number of the first sample; another number draws another answer.

    Returns:
        A row each, whose `answer` is the final answer alone; a failure is a row, too.
    """
    style = "direct" if model.speaks_contract("solver") else style

    def sample(number: int) -> Steps[AnswerRow]:
        answer, row = yield from solve_undivided(
            seen, model=model, prompts=prompts, style=style, sample=number
        )
        found: AnswerRow = {**row, "answer": answer}
        if row["answer"] is not None and row["answer"] != answer:
            found["reply"] = row["answer"]
        return found

    try:
        sources = yield from retrieve(retriever, problem.question)
        seen = with_passages(problem, sources)
        found = yield Together([sample(start + number) for number in range(count)])
    except Exception as error:  # The retriever's.
        found, sources = [error], []
    return [{**sample_row(problem, model, result), "sources": sources} for result in found]


def sample_row(problem: Problem, model: ResolvedModel, result: Any) -> AnswerRow:
    """What came of a sample as a row; what is the whole run's affair is raised."""
    if not isinstance(result, BaseException):
        return result
    if must_be_raised(result):
        raise result
    return failed(whole_question(problem), result, model)


def voted_row(problem: Problem, count: int, **options: Any) -> Steps[tuple[str | None, AnswerRow]]:
    """Brief `attempts` as one row: the majority's answer, with what all of them took."""
    rows = yield from attempts(problem, count, style="direct", **options)
    answer = agreement(rows).answer
    taken = add_usage(*(row["usage"] for row in rows))
    seconds = max(row["seconds"] for row in rows)
    row: AnswerRow = {**(voters(rows, answer) or rows)[0], "usage": taken, "seconds": seconds}
    return answer, row
