"""What can be seen of a plan's worth: how much of the question it leaves out.

A small model's likeliest plan often repeats a line or drops a name, while one of a few sampled
plans doesn't. What such faults have in common is that they can be seen without knowing the
answer, so plans are ranked by rules and no second model is asked. After the filter of MIMAX
(keep a plan from which the question can be put together again) and self-consistency's choice
among samples (Wang et al., 2022, arXiv 2203.11171).
"""

from __future__ import annotations

import re
from typing import Any

from .types import QUESTION_MARKS, Plan

# What follows is no small letter, either (`_sentences`); Chinese puts no space before it.
_SENTENCE_END = re.compile(
    r"(?<=[.!?؟])(?<!\b(?:Mr|Dr|St|Ms)\.)(?<!\bMrs\.)\s+(?=[^\W_]|[\"'(#])"
    r"|(?<=[。！？])\s*(?=[^\s」』”’）)])"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_TOKEN = re.compile(r"#?\w+")
_NAME = re.compile(r"(?<![.?!:;\"“”] )(?<!^)\b[A-Z][^\W\d_]+")
_NUMBER = re.compile(r"(?<![\w#])\d+(?:[.,]\d+)*")
_YES_NO = re.compile(
    r"(?i)\W*(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|should|must|may"
    r"|might)\b"
)
_QUANTITY = re.compile(r"(?i)\bhow (?:many|much)\b")
_OPEN = re.compile(r"(?i)(?:\w+ )?(?:what|which|who|whose|whom|when|where|why|how)\b")
_COMMON = {
    "a", "about", "after", "all", "also", "altogether", "an", "and", "any", "are", "as", "at",
    "be", "been", "before", "between", "by", "can", "could", "did", "do", "does", "during",
    "each", "for", "from", "had", "has", "have", "he", "her", "his", "how", "i", "if", "in",
    "into", "is", "it", "its", "many", "may", "me", "more", "most", "much", "of", "on", "one",
    "or", "other", "s", "she", "so", "some", "such", "than", "that", "the", "their", "them",
    "then", "there", "these", "they", "this", "those", "to", "total", "two", "was", "were",
    "what", "when", "where", "which", "who", "whom", "whose", "why", "will", "with", "would",
    "you", "your",
}  # fmt: skip
_STEM = 5
_REPEATED_WORDS = 3
_IN_ALL = {"all", "altogether", "in", "total"}
_FAULT = 0.5


def plan_value(question: str, plan: Plan) -> float:
    """How well a plan that splits a question holds it: 1 at best, less for each visible fault.

    The mean of the shares of the asking sentence's words, of the names and of the numbers that
    its lines hold, and whether the last line asks for yes or no exactly if the question does;
    less a half for each repeated line, each line that repeats itself, and each line whose
    answer no other needs. Of a question "how many" or "how much", names and numbers don't
    count: they are what its lines are solved with, not what they ask.

    Args:
        question: The question without its context.
        plan: A plan with lines.

    Example:
        >>> rows = [{"id": 1, "text": "Who directed Jaws?"},
        ...         {"id": 2, "text": "When was #1 born?", "needs": [1]}]
        >>> plan_value("When was the director of Jaws born?", Plan.from_rows(rows))
        1.0
        >>> plan_value("When was the director of Jaws born?", Plan.from_rows(rows[:1])) < 1
        True
    """
    texts = [line.text for line in plan.subquestions]
    if not texts:
        return 0.0
    held = " ".join(texts)
    asked = asking_sentence(question)
    stems = content_stems(held)
    shares = [held_share(content_stems(asked), stems), float(ends_alike(asked, texts[-1]))]
    if not _QUANTITY.search(asked):
        shares.append(held_share(name_stems(question), stems))
        shares.append(held_share({*_NUMBER.findall(question)}, {*_NUMBER.findall(held)}))
    return sum(shares) / len(shares) - _FAULT * _faults(plan)


def _faults(plan: Plan) -> int:
    words = [tuple(_TOKEN.findall(line.text.casefold())) for line in plan.subquestions]
    needed = {k for line in plan.subquestions for k in line.needs}
    unneeded = sum(line.id not in needed for line in plan.subquestions[:-1])
    return len(words) - len(set(words)) + sum(map(_repeats_itself, words)) + unneeded


def _repeats_itself(words: tuple[str, ...]) -> bool:
    runs = [words[k : k + _REPEATED_WORDS] for k in range(len(words) - _REPEATED_WORDS + 1)]
    return len(set(runs)) < len(runs)


def ends_twice(plan: Plan) -> bool:
    """Whether the last line asks once more for what it needs: a sum "altogether", and "in total".

    Example:
        >>> rows = [{"id": 1, "text": "What do the hats cost?"},
        ...         {"id": 2, "text": "How much is that in all?", "needs": [1]},
        ...         {"id": 3, "text": "How much is that in total?", "needs": [2]}]
        >>> ends_twice(Plan.from_rows(rows)), ends_twice(Plan.from_rows(rows[:2]))
        (True, False)
    """
    lines = plan.subquestions
    if len(lines) < 3 or lines[-1].needs != (lines[-2].id,):
        return False
    last, before = (
        [word for word in _TOKEN.findall(line.text.casefold()) if word not in _IN_ALL]
        for line in (lines[-1], lines[-2])
    )
    return last == before


def asking_sentence(text: str) -> str:
    """The sentence that asks: the last with a question mark, else the last.

    Example:
        >>> asking_sentence("Ana has 5 pens. How many is that in U.S. dozens? Show your work.")
        'How many is that in U.S. dozens?'
    """
    sentences = _sentences(text.strip())
    asking = [each for each in sentences if each.rstrip(" \"')」』”’）").endswith(QUESTION_MARKS)]
    return (asking or sentences)[-1]


def _sentences(text: str) -> list[str]:
    """The sentences of a text; after an abbreviation, a small letter of any script goes on."""
    found = _SENTENCE_END.finditer(text)
    ends = [e for e in found if text[e.start() - 1] in "。！？" or not text[e.end()].islower()]
    begins = [0, *(e.end() for e in ends)]
    return [text[a:b] for a, b in zip(begins, [*(e.start() for e in ends), None], strict=True)]


def ends_alike(asked: str, last: str) -> bool:
    """Whether a plan's last line asks for yes or no if the question does, and only then."""
    wanted = _is_yes_no(asked)
    return wanted is None or wanted == _is_yes_no(last)


def _is_yes_no(text: str) -> bool | None:
    """Whether a sentence asks for yes or no; None if its beginning doesn't tell."""
    if _YES_NO.match(text):
        return not re.search(r"\bor\b", text)  # "Is it A or B?" asks for a choice.
    return False if _OPEN.match(text) else None


def content_stems(text: str) -> set[str]:
    """The beginnings of a text's words but for the commonest: `directed` counts as `director`."""
    return {_stem(word) for word in _WORD.findall(text) if word.casefold() not in _COMMON}


def name_stems(text: str) -> set[str]:
    """The beginnings of the words with a capital that no sentence begins with."""
    return {_stem(name) for name in _NAME.findall(text)}


def _stem(word: str) -> str:
    return re.sub(r"['’]s?$", "", word.casefold())[:_STEM]


def held_share(wanted: set[Any], held: set[Any]) -> float:
    """Which share of what is wanted is held; 1 if nothing is wanted."""
    return len(wanted & held) / len(wanted) if wanted else 1.0
