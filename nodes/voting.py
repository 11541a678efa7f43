"""The answer that most samples agree on (self-consistency, Wang et al., arXiv 2203.11171)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_AROUND_A_NUMBER = re.compile(r"[\s$€£¥%*_.]*")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def normalise(answer: str) -> str:
    """What makes two wordings the same answer: numbers by value, texts by their words.

    Example:
        >>> normalise("$1,800.00") == normalise("1800"), normalise("The Hague.")
        (True, 'hague')
    """
    text = unicodedata.normalize("NFKC", answer).replace("−", "-").casefold().strip()
    numbers = list(_NUMBER.finditer(text))
    if len(numbers) == 1:
        before, after = text[: numbers[0].start()], text[numbers[0].end() :]
        if _AROUND_A_NUMBER.fullmatch(before) and _AROUND_A_NUMBER.fullmatch(after):
            return f"{float(numbers[0][0].replace(',', '')):.12g}" + ("%" if "%" in after else "")
    words = _ARTICLES.sub(" ", re.sub(r"[^\w\s]", " ", text))
    return " ".join(words.split()) or text


def majority(answers: Sequence[str]) -> tuple[str, int]:
    """The answer that most agree on, in its first wording, and how many do; ties: the first.

    Raises:
        ValueError: If there is none.

    Example:
        >>> majority(["42", "7", "42.0"])
        ('42', 2)
    """
    if not answers:
        raise ValueError("there are no answers to vote on")
    keys = [normalise(answer) for answer in answers]
    best, votes = Counter(keys).most_common(1)[0]
    return answers[keys.index(best)], votes
