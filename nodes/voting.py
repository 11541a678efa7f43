"""The answer that most samples agree on (self-consistency, Wang et al., arXiv 2203.11171)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

# A minus after a word or another number is a dash, as in "1914-1918".
_NUMBER = re.compile(r"(?:(?<![\w.])[-+])?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|(?<![\w.])\.\d+)")
_AROUND_A_NUMBER = re.compile(r"[\s$€£¥%*_.]*")
_SIGNED_MONEY = re.compile(r"([-+])[$€£¥]\s?(?=\.?\d)")
# Also the vowels of Hindi, Thai and their like, which aren't letters to `\w`, without their signs
# of money, such as the baht's.
_LETTER = (
    r"[\w\u0300-\u036f\u0900-\u0963\u0966-\u09f1\u09f4-\u0af0\u0af2-\u0bf8\u0bfa-\u0e3e"
    r"\u0e40-\u1049\u1050-\u109f\u1780-\u17d3]"
)
# Signs that tell answers apart: 1/2 from 1-2, A+ from A, 5 > 3 from 5 < 3, x + 1 from x - 1.
_WORD = re.compile(
    r"(?:(?<![\w.])-)?(?:\d+(?:\.\d+)?(?:/\d+(?:\.\d+)?)?|√|"
    + _LETTER
    + r"+(?:[+#♯♭]{1,2}(?!\w))?)|(?:(?<=[\w)])|(?<=[\w)]\s))[<>≤≥≠+^]|±"
)
_ARTICLES = {"a", "an", "the"}
# Without what makes another value of the number: 8 billion isn't 8, nor is 5 + x or 5x 5.
_AMOUNT = re.compile(
    r"(-?[\d./]+) (?!(?:dozen|hundred|thousand|[mb]illion|trillion|lakh|crore)s?\b"
    r"|(?:per ?cent|pi|bn|[kinxyz])\b)[^\d<>≤≥≠+^±√π]+"
)


def normalise(answer: str) -> str:
    """What makes two wordings the same answer: numbers by value, texts by their words.

    Example:
        >>> normalise("$1,800.00") == normalise("1800"), normalise("The Hague.")
        (True, 'hague')
    """
    text = unicodedata.normalize("NFKC", answer).casefold().strip()
    text = re.sub("[−–]", "-", text)
    text = _SIGNED_MONEY.sub(r"\1", text)
    numbers = list(_NUMBER.finditer(text))
    if len(numbers) == 1:
        before, after = text[: numbers[0].start()], text[numbers[0].end() :]
        if _AROUND_A_NUMBER.fullmatch(before) and _AROUND_A_NUMBER.fullmatch(after):
            return _value(numbers[0]) + ("%" if "%" in after else "")
    words = _WORD.findall(_NUMBER.sub(_value, text))
    return " ".join([word for word in words if word not in _ARTICLES] or words) or text


def _value(number: re.Match[str]) -> str:
    """A number's value: whole ones to the last digit, others to twelve."""
    value = Decimal(number[0].replace(",", ""))
    if value != value.to_integral_value():
        return f"{float(value):.12g}"
    return f"{value:.0f}" if value else "0"


def majority(answers: Sequence[str]) -> tuple[str, int]:
    """The answer that most agree on, in its first wording, and how many do; ties: the first.

    A number alone agrees with the commonest answer that adds only a unit or other words to it.

    Raises:
        ValueError: If there is none.

    Example:
        >>> majority(["42", "7", "42.0"]), majority(["24 pears", "7", "7", "24", "$24"])
        (('42', 2), ('24 pears', 3))
    """
    if not answers:
        raise ValueError("there are no answers to vote on")
    keys = vote_keys(answers)
    best, votes = Counter(keys).most_common(1)[0]
    return answers[keys.index(best)], votes


def vote_keys(answers: Sequence[str]) -> list[str]:
    """What each answer votes for; those with the same agree."""
    keys = [normalise(answer) for answer in answers]
    worded: dict[str, str] = {}
    for key, _ in Counter(keys).most_common():
        if found := _AMOUNT.fullmatch(key):
            worded.setdefault(found[1], key)
    return [worded.get(key, key) for key in keys]
