"""How good a predicted plan is, compared with one that a person or teacher wrote.

Lines are matched by wording before their needs are compared, so that two independent lines
may come in either order. Wording is compared by ROUGE-L (Lin, "ROUGE: A Package for Automatic
Evaluation of Summaries", 2004), which sees words, not meaning: a good plan in other words
scores low, so the figures serve to compare models on one set, not to grade a plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..plan import Plan, depth, width
from .grounding import ungrounded
from .statistics import Interval, bootstrap_mean, mean, wilson

_WORD = re.compile(r"#\d+|\w+(?:[.,'’]\w+)*", re.UNICODE)
_REFERENCE = re.compile(r"#[1-9]\d?(?!\w)")
_ALIKE = 0.6
"""From this ROUGE-L on, two lines are taken to ask the same."""


@dataclass(frozen=True)
class PlanScore:
    """One predicted plan against the gold one.

    Attributes:
        valid: The model's own text was a plan, without repair.
        atomic: The question wasn't split.
        split_right: It was split exactly if the gold plan splits it.
        count_error: Lines too many, or, below zero, too few.
        same_needs: As many lines, each with the needs of the gold line of its number.
        needs_f1: F1 of the needs, lines matched by wording.
        rouge_l: ROUGE-L F of the whole plans' texts.
        line_rouge_l: Mean ROUGE-L F of the matched lines; a line without partner counts 0.
        complete: Every name and number that the gold lines ask for is asked for.
        grounded: No line has a name or number that isn't in the problem.
        distinct: No line repeats another.
        alike: Each gold line has a line of its own that is worded much like it, and no line
            is unlike all gold ones.
        depth: Lines on the longest chain of needs; 0 if it wasn't split.
        width: Most lines that can be asked at once.
    """

    valid: bool
    atomic: bool
    split_right: bool
    count_error: int
    same_needs: bool
    needs_f1: float
    rouge_l: float
    line_rouge_l: float
    complete: bool
    grounded: bool
    distinct: bool
    alike: bool
    depth: int
    width: int

    @property
    def good(self) -> bool:
        """A stand-in for a reader's judgement, which sees repeated and missing lines only."""
        sound = self.valid and self.split_right and self.grounded and self.distinct
        near = abs(self.count_error) <= 1
        return sound and near and self.complete and self.alike


def score_plan(
    problem: str, predicted: Plan | None, gold: Plan, *, valid: bool = True
) -> PlanScore:
    """Compare a plan with the gold one.

    Args:
        problem: Context and question.
        predicted: The plan that was run; None if none could be read, of which nothing is right.
        gold: The plan to compare with.
        valid: Whether it was the model's own, without repair.

    Example:
        >>> gold = Plan.from_rows([{"id": 1, "text": "Who directed Jaws?"}])
        >>> score_plan("Who directed Jaws?", Plan(), gold).split_right
        False
    """
    plan, there = predicted or Plan(), predicted is not None
    texts, gold_texts = _texts(plan), _texts(gold)
    pairs = _matched(texts, gold_texts)
    longer = max(len(texts), len(gold_texts))
    asked = {word for text in texts for word in _words(text)}
    return PlanScore(
        valid=valid and there,
        atomic=plan.atomic,
        split_right=there and plan.atomic == gold.atomic,
        count_error=len(texts) - len(gold_texts),
        same_needs=there and _needs(plan) == _needs(gold),
        needs_f1=there * _needs_f1(plan, gold, {i: j for i, j, _ in pairs}),
        rouge_l=there * rouge_l(" ".join(texts), " ".join(gold_texts)),
        line_rouge_l=sum(f for _, _, f in pairs) / longer if longer else float(there),
        complete=there and all(word in asked for text in gold_texts for word in _named(text)),
        grounded=there and not any(ungrounded(text, problem) for text in texts),
        distinct=there and len({tuple(_words(text)) for text in texts}) == len(texts),
        alike=there and _alike(texts, gold_texts, pairs),
        depth=depth(plan),
        width=width(plan),
    )


def measure_plans(scores: Sequence[PlanScore]) -> dict[str, Interval]:
    """Every metric over a set of plans, with intervals."""

    def share(values: Iterable[bool]) -> Interval:
        return wilson(sum(values), len(scores))

    def count(values: Iterable[float]) -> Interval:
        # No share, even where all of them are 0 or 1.
        return bootstrap_mean([*values])

    return {
        "valid": share(s.valid for s in scores),
        "atomic": share(s.atomic for s in scores),
        "split right": share(s.split_right for s in scores),
        "count error": count(s.count_error for s in scores),
        "|count error|": count(abs(s.count_error) for s in scores),
        "same needs": share(s.same_needs for s in scores),
        "needs F1": mean([s.needs_f1 for s in scores]),
        "ROUGE-L": mean([s.rouge_l for s in scores]),
        "ROUGE-L by line": mean([s.line_rouge_l for s in scores]),
        "complete": share(s.complete for s in scores),
        "grounded": share(s.grounded for s in scores),
        "distinct": share(s.distinct for s in scores),
        "alike": share(s.alike for s in scores),
        "good": share(s.good for s in scores),
        "depth": count(s.depth for s in scores),
        "width": count(s.width for s in scores),
    }


def rouge_l(text: str, reference: str) -> float:
    """ROUGE-L F1 of two texts, by words; 1 for two empty ones.

    Example:
        >>> round(rouge_l("Who directed Jaws?", "Who was it that directed Jaws?"), 2)
        0.67
    """
    words, others = _words(text), _words(reference)
    if not words or not others:
        return float(words == others)
    common = _common_subsequence(words, others)
    return 2 * common / (len(words) + len(others))


def _named(text: str) -> list[str]:
    """Names and numbers of a line, as `_words` writes them."""
    found = _WORD.findall(_REFERENCE.sub(" ", text))
    named = [w for i, w in enumerate(found) if w[0].isdigit() or (i and w[0].isupper())]
    return [_plain(word) for word in named if word != "I"]


def _words(text: str) -> list[str]:
    return [_plain(word) for word in _WORD.findall(text)]


def _plain(word: str) -> str:
    """Lower case, without the 's of a possessive, the dots of U.S., the commas of 1,200."""
    plain = re.sub(r"['’]s?$", "", word.casefold())
    return plain.replace(",", "") if plain[0].isdigit() else plain.replace(".", "")


def _needs(plan: Plan) -> list[tuple[int, ...]]:
    return [line.needs for line in plan.subquestions]


def _texts(plan: Plan) -> list[str]:
    return [line.text for line in plan.subquestions]


def _matched(texts: Sequence[str], gold: Sequence[str]) -> list[tuple[int, int, float]]:
    """Pairs of line ids with their ROUGE-L, the most alike first; each line once."""
    alike = [
        (rouge_l(text, other), -abs(i - j), i, j)
        for i, text in enumerate(texts, 1)
        for j, other in enumerate(gold, 1)
    ]
    pairs: list[tuple[int, int, float]] = []
    for score, _, i, j in sorted(alike, reverse=True):
        if all(i != a and j != b for a, b, _ in pairs):
            pairs.append((i, j, score))
    return pairs


def _alike(
    texts: Sequence[str], gold: Sequence[str], pairs: Sequence[tuple[int, int, float]]
) -> bool:
    partners = [score for _, _, score in pairs]
    nearest = [max((rouge_l(text, other) for other in gold), default=0.0) for text in texts]
    return len(pairs) == len(gold) and min([*partners, *nearest], default=1.0) >= _ALIKE


def _needs_f1(plan: Plan, gold: Plan, partner: dict[int, int]) -> float:
    """F1 of the edges; without any on either side, whether there are as many lines."""
    # A line without partner keeps an id that no gold line has.
    place = {s.id: partner.get(s.id, -s.id) for s in plan.subquestions}
    edges = {(place[k], place[s.id]) for s in plan.subquestions for k in s.needs}
    expected = {(k, s.id) for s in gold.subquestions for k in s.needs}
    if not edges and not expected:
        return float(len(plan.subquestions) == len(gold.subquestions))
    return 2 * len(edges & expected) / (len(edges) + len(expected))


def _common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of the table at a time."""
    row = [0] * (len(second) + 1)
    for a in first:
        before = row
        row = [0]
        for j, b in enumerate(second):
            row.append(before[j] + 1 if a == b else max(before[j + 1], row[j]))
    return row[-1]
