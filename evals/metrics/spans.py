"""Answers that are a few words: SQuAD's exact match and F1 with their relatives.

All compare normalised texts: lower case, without ASCII punctuation and curly quotes, then without
the articles a, an and the, with single spaces. Of a model's text the part that `final_answer`
finds counts.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

from .text import final_answer

# The curly quotes of text that was typeset, too, which the official scripts leave.
_PUNCTUATION = str.maketrans("", "", string.punctuation + "‘’“”")
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_WHOLE = {"yes", "no", "noanswer"}


def squad(prediction: str, gold: Sequence[str]) -> dict[str, float]:
    """EM and F1 as SQuAD 2.0 and MuSiQue have them, the best over the answer and its aliases.

    F1 is of words with their number. If either side is empty once normalised, it is 1 if both
    are and else 0.

    Example:
        >>> squad("the Nile River", ["Nile", "River Nile"])
        {'f1': 1.0, 'em': 0.0}
    """
    words = normalised(final_answer(prediction, gold)).split()
    golds = [normalised(text).split() for text in gold]
    return {
        "f1": max((_f1(words, other) for other in golds), default=0.0),
        "em": float(words in golds),
    }


def hotpotqa(prediction: str, gold: Sequence[str]) -> dict[str, float]:
    """EM and F1 of HotpotQA, and with aliases of 2WikiMultihopQA 1.1.

    As `squad`, but "yes", "no" and "noanswer" are right as a whole or not at all, on either
    side, and two empty texts have F1 0.

    Example:
        >>> hotpotqa("Yes, both are.", ["yes"])
        {'f1': 0.0, 'em': 0.0}
    """
    text = normalised(final_answer(prediction, gold))
    golds = [normalised(other) for other in gold]
    shares = [
        0.0 if text != other and _WHOLE & {text, other} else _f1(text.split(), other.split())
        for other in golds
        if text
    ]
    return {"f1": max(shares, default=0.0), "em": float(text in golds)}


def bamboogle(prediction: str, gold: Sequence[str]) -> dict[str, float]:
    """Bamboogle by two rules, since papers differ.

    `substring` is the rule of the code that was released with "Divide-or-Conquer?": the gold
    answer, lower case, without commas and double quotes, occurs in what follows the last
    "The answer is: " (in the whole text if that isn't there). It takes "not in 1845" for 1845.
    `em` and `f1` are those of `squad`.

    Example:
        >>> bamboogle("The answer is: James Madison, 1812", ["james madison"])
        {'substring': 1.0, 'f1': 0.8, 'em': 0.0}
    """
    text = _as_released(prediction.rpartition("The answer is: ")[2])
    found = any(_as_released(answer) in text for answer in gold)
    return {"substring": float(found), **squad(prediction, gold)}


def normalised(text: str) -> str:
    """A text as SQuAD compares it.

    Example:
        >>> normalised("The  U.S.A. (an ally)")
        'usa ally'
    """
    text = unicodedata.normalize("NFC", text).lower()
    return " ".join(_ARTICLE.sub(" ", text.translate(_PUNCTUATION)).split())


def _f1(words: Sequence[str], gold: Sequence[str]) -> float:
    if not words or not gold:
        return float(words == gold)
    common = sum((Counter(words) & Counter(gold)).values())
    return 2 * common / (len(words) + len(gold))


def _as_released(text: str) -> str:
    return text.replace(",", "").replace('"', "").lower()
