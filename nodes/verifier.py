"""The verifier: is an answer right, and if not, what kind of mistake is it?

The typed verdicts are LM2's (Juneja et al., arXiv 2404.02255): `conceptual` (a wrong idea of
how to do it), `computational` (a slip in working it out), `misread` (something given was read
wrongly) and `position` (the step itself is out of place: it can't be answered from what there
is). The first three are worth asking again with the reason shown; for the last, the plan is
to blame, and the answer is kept with the doubt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ..errors import BudgetExhaustedError, describe_error, must_be_raised
from ..models.references import ResolvedModel
from ..plan import without_thinking
from ..prompts import Prompts
from .answers import AnswerRow, answer_lines, with_parts
from .calls import Call
from .events import Event
from .problem import Problem
from .steps import Steps
from .usage import UsageRow, add_usage

Mistake = Literal["conceptual", "computational", "misread", "position"]
Where = Literal["subquestions", "answer", "both"]
"""What is verified: each subquestion's answer, the final one, or both."""

PLACES = get_args(Where)
MAX_RETRIES = 8
_REASON_CHARS = 400
_MOST_LINES, _MOST_CHARS = 200, 1_000
_BEFORE = (
    r"[^\w\n]{0,20}(?:\d{1,2}[.)] )?(?:(?:final )?verdict[^\w\n]{1,10})?"
    r"(?:(?:the (?:\w{1,20} )?answer|it|that|this)(?: is|['\u2019]s) )?"
)
_VERDICT = re.compile(
    _BEFORE + r"(?:(right|correct)[^\w\n]{0,10}"
    r"|(not (?:right|correct)|wrong|incorrect|conceptual|computational|misread|position)"
    r"(?: (?:error|mistake))?"
    r"(?:[^\w\n]{0,10}|(?:[^\w\n]{0,5}[:,.(\u2013\u2014-][^\w\n]{0,5}| (?=because |since ))(.+)))",
    re.I,
)
# "Correct: 42" is no verdict: it says what would be correct.
_RIGHT_SINCE = re.compile(
    _BEFORE + r"(?:right[*_\"' ]{0,3}:"
    r"|(?:right|correct)[*_\"' ]{0,3}(?:\.| -|[\u2013\u2014]|,? ?(?:because|since) )).+",
    re.I,
)
_BUT = re.compile(r"\b(?:but|however|instead|should|not|wrong|incorrect)\b|n['\u2019]t\b", re.I)


@dataclass(frozen=True)
class Verdict:
    """What a verifier said.

    Attributes:
        right: Whether the answer may stand.
        kind: What kind of mistake it is; "" if it is right, `untyped` if the verifier only
            says that it is wrong, `unknown` if nothing could be told: then the answer stands.
        reason: Why, in the verifier's words.
        spent: Whether the budget ended before it could be asked.
    """

    right: bool
    kind: Mistake | Literal["", "untyped", "unknown"] = ""
    reason: str = ""
    spent: bool = field(default=False, repr=False)

    @classmethod
    def read(cls, text: str) -> Verdict:
        """Read a verifier's reply.

        Example:
            >>> Verdict.read("Computational: 6 * 7 is 42, not 48.")
            Verdict(right=False, kind='computational', reason='6 * 7 is 42, not 48.')
        """
        lines = without_thinking(text).splitlines()[-_MOST_LINES:]
        rows = [line.strip()[:_MOST_CHARS] for line in lines]
        found = [match for row in rows if (match := _VERDICT.fullmatch(row))]
        if not found and _is_right_since(rows):
            return cls(True)
        if not found:
            return cls(True, "unknown", "the verifier's reply names no verdict")
        # Whoever thinks aloud first says it last.
        if found[-1][1]:
            return cls(True)
        word, reason = found[-1][2].lower(), (found[-1][3] or "").strip()[:_REASON_CHARS]
        kind: Any = word if word in get_args(Mistake) else "untyped"
        return cls(False, kind, reason or "no reason given")

    def to_row(self) -> dict[str, Any]:
        """The verdict as JSON-native values."""
        return {"right": self.right, "kind": self.kind, "reason": self.reason}


def _is_right_since(rows: Sequence[str]) -> bool:
    """Whether "right" is said with a reason, and nothing before or after takes it back."""
    is_said = any(_RIGHT_SINCE.fullmatch(row) for row in rows)
    return is_said and not any(_BUT.search(row) for row in rows)


@dataclass(frozen=True)
class Verifier:
    """Who verifies, what, and how often a wrong answer is asked for again.

    Raises:
        UserError: If the model only writes expressions.
    """

    model: ResolvedModel
    prompts: Prompts
    where: Where | None
    retries: int = 1

    def __post_init__(self) -> None:
        self.model.must_write_words("a verifier writes in words, and", "name a --verifier")

    @property
    def of_subquestions(self) -> bool:
        """Whether each subquestion's answer is verified."""
        return self.where in ("subquestions", "both")

    @property
    def of_answers(self) -> bool:
        """Whether the final answer is."""
        return self.where in ("answer", "both")


def verify(
    problem: Problem,
    asked: str,
    known: Sequence[AnswerRow],
    answer: str,
    verifier: Verifier,
    sample: int,
) -> Steps[tuple[Verdict, list[UsageRow]]]:
    """Ask whether an answer is right.

    A verifier that fails has no say: the answer stands, and the verdict is `unknown`.

    Args:
        problem: The question.
        asked: What was asked: a step of it, or the question itself.
        known: The answers that it was answered with.
        answer: The answer.
        verifier: Whom to ask.
        sample: Number of the sample, where the same may be asked several times.
    """
    fields = {
        "problem": problem.with_hints,
        "answers": answer_lines(known) or "none",
        "asked": asked,
        "answer": answer,
    }
    messages = verifier.prompts["verify"].messages(fields)
    call = Call("verifier", verifier.model, messages, sample=sample)
    try:
        reply = yield call
    except Exception as error:
        if must_be_raised(error):
            raise
        reason = f"the verifier failed: {describe_error(error)['message']}"
        spent = isinstance(error, BudgetExhaustedError)
        return Verdict(True, "unknown", reason, spent), list(getattr(error, "usage", ()))
    if reply.cut_off:
        return Verdict(True, "unknown", "the verifier's reply was cut off"), [reply.usage]
    return Verdict.read(reply.text), [reply.usage]


def until_right(
    row: AnswerRow,
    judge: Callable[[str, int], Steps[tuple[Verdict, list[UsageRow]]]],
    again: Callable[[str, Verdict, int], Steps[AnswerRow]],
    retries: int,
) -> Steps[AnswerRow]:
    """Have an answer judged, and asked for again while it is wrong and retries are left.

    Args:
        row: The answer.
        judge: Verifies an answer; told how often that was done before.
        again: Answers again, shown the wrong answer and the verdict; told which retry it is.
        retries: How often at most.

    Returns:
        The last answer with its `verdict` and the usage of all that it took.
    """
    for retry in range(retries + 1):
        verdict, usage = yield from judge(row["answer"] or "", retry)
        row = {**row, "verdict": verdict.to_row(), "usage": add_usage(row["usage"], usage)}
        yield Event("verdict", {"id": row["id"], **verdict.to_row()})
        if verdict.right or verdict.kind == "position" or retry == retries:
            break
        try:
            better = yield from again(row["answer"] or "", verdict, retry + 1)
        except Exception as error:
            if must_be_raised(error):
                raise
            usage = list(getattr(error, "usage", ()))
            return {**row, "usage": add_usage(row["usage"], usage)}
        usage = add_usage(row["usage"], better["usage"])
        row = {**better, "usage": usage, "seconds": row["seconds"] + better["seconds"]}
    return row


def doubts(rows: Iterable[AnswerRow]) -> list[str]:
    """Warnings for answers that stand although a verifier called them wrong."""
    found: list[str] = []
    for place, row in with_parts(rows):
        verdict = row.get("verdict") or {"right": True, "kind": ""}
        name = place or "the answer"
        if not verdict["right"]:
            found.append(f"the verifier doubts {name}: {verdict['kind']}: {verdict['reason']}")
        elif verdict["kind"] == "unknown":
            found.append(f"{name} isn't verified: {verdict['reason']}")
    return found
