"""A declarative step as the question that it answers, by rules of English.

`She sold @ clips in May` becomes `How many clips did she sell in May?`. The rules know the
commonest forms only; anything else is no question (None), since a guess would be learned.
"""

from __future__ import annotations

import re
from itertools import pairwise

from ...evals.english import bare_verb, do_form, plural, tags

_LEAD = re.compile(
    r"^(?:so|thus|therefore|hence|then|next|finally|first|second|third|now|and|also|overall"
    r"|this means(?: that)?|that means(?: that)?|which means(?: that)?|as a result|again"
    r"|after that|in other words)\b,?\s+",
    re.IGNORECASE,
)
_FRONT = re.compile(
    r"^((?:in|on|at|during|after|before|for|by|over|with|from|every|each|altogether|together"
    r"|last|this|next)\b[^,@]{0,50}|in total|in all|altogether),\s+(.+)$",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"\b(?:a (?:combined )?total of|the sum of|an additional|about|only|just|exactly|another"
    r"|an average of|up to|around|a whole)\s+@|@"
)
_MODALS = {"will", "would", "can", "could", "should", "must"}
_BE = {"is", "are", "was", "were"}
_PREPOSITIONS = {
    "a", "about", "above", "across", "after", "all", "already", "altogether", "among", "an",
    "and", "as", "at", "because", "before", "below", "between", "but", "by", "combined", "daily",
    "during", "each", "every", "for", "from", "if", "in", "into", "left", "monthly", "next",
    "off", "on", "once", "onto", "out", "over", "per", "since", "so", "than", "that", "the",
    "this", "through", "to", "today", "together", "tomorrow", "total", "toward", "towards",
    "under", "until", "up", "weekly", "when", "where", "which", "while", "who", "with", "within",
    "without", "yearly", "yesterday", "his", "her", "their", "last", "altogether,", "away",
    "remaining", "later", "ago", "worth", "needed", "there", "now", "long", "old", "tall",
}  # fmt: skip
_FIRST = {
    "a", "all", "an", "another", "both", "each", "every", "he", "her", "his", "she", "the",
    "their", "there", "they",
}  # fmt: skip
_NUMBER_WORDS = {
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "some", "half", "only", "similarly", "lastly", "meanwhile", "initially",
    "originally", "currently", "afterwards", "together", "besides", "instead", "alone", "here",
}  # fmt: skip
_UNCLEAR = re.compile(
    r"\b(?:it|this|these|those|we|you|your|our|us|i|x|y|let|equals?|equation|value|since|because"
    r"|if|and so|so that|which|meaning|means|leaving|making|answer|sum|sides)\b|[:;()\"?!]",
    re.IGNORECASE,
)
_MONEY_VERBS = {
    "spend", "earn", "pay", "make", "cost", "save", "owe", "charge", "raise", "receive", "get",
    "need", "have", "collect", "lose", "give", "contribute", "donate", "bring", "own",
}  # fmt: skip
_TIMES = {
    "hour", "day", "week", "weekend", "month", "year", "morning", "afternoon", "evening", "night",
}  # fmt: skip
_MEASURE_HEADS = {
    "total", "cost", "price", "number", "amount", "weight", "length", "width", "height", "area",
    "perimeter", "distance", "speed", "salary", "profit", "discount", "bill", "tax", "pay",
    "revenue", "income", "fee", "tip", "time", "average", "age", "volume", "earnings", "savings",
    "budget", "rent", "wage", "difference", "rate", "commission",
}  # fmt: skip


def as_question(sentence: str, *, money: bool = False) -> str | None:
    """The question that a sentence answers, where `@` stands for the answer.

    Args:
        sentence: One statement with one `@`.
        money: Whether the answer is an amount of dollars.

    Raises:
        MissingDependencyError: If `lemminflect` isn't installed.

    Example:
        >>> as_question("So Natalia sold @ clips in May")
        'How many clips did Natalia sell in May?'
        >>> as_question("Her total pay is @", money=True)
        'What is her total pay?'
    """
    text = re.sub(r"\b(?:also|then|now) ", "", sentence.strip().rstrip("."))
    while stripped := _LEAD.match(text):
        text = text[stripped.end() :]
    front = ""
    if fronted := _FRONT.match(text):
        front, text = fronted[1], fronted[2]
    parts = _FILLER.split(text)
    if len(parts) != 2 or _UNCLEAR.search(text) or "," in text:
        return None
    before, after = _lower_first(parts[0].split()), parts[1].split()
    asked = _there_is(before, after) or _measure(before, after) or _verb(before, after, money)
    if not asked:
        return None
    end = f" {front[0].lower()}{front[1:]}" if front and front.lower() not in asked.lower() else ""
    words = f"{asked}{end}?".split()
    return " ".join([words[0].capitalize(), *words[1:]]) if 4 <= len(words) <= 24 else None


def _there_is(before: list[str], after: list[str]) -> str | None:
    """`There are @ boys in the class`."""
    if len(before) != 2 or before[0] != "there" or before[1] not in _BE:
        return None
    noun, rest = _noun(after)
    verb = {"is": "are", "was": "were"}.get(before[1], before[1])
    return _join("How many", noun, verb, "there", rest) if noun else None


def _measure(before: list[str], after: list[str]) -> str | None:
    """`The total cost is @`, `Her pay for the day was @`."""
    if len(before) < 3 or before[-1] not in ("is", "was") or after[:1] not in ([], ["dollars"]):
        return None
    subject = before[:-1]
    if subject[0] not in ("the", "his", "her", "their") and not _possessive(subject[0]):
        return None
    heads = {word.lower() for word in subject}
    if subject[:2] == ["the", "number"] and subject[2:3] != ["of"]:
        return None
    if not heads & _MEASURE_HEADS or after[1:] or heads & (_BE | _MODALS):
        return None
    if subject[:3] == ["the", "number", "of"]:
        return _join("How many", *subject[3:], "are there") if len(subject) < 7 else None
    return _join("What", before[-1], *subject)


def _verb(before: list[str], after: list[str], money: bool) -> str | None:
    """`Natalia sold @ clips in May`, `He will need to buy @ boxes`, `She pays @ for them`."""
    split = _auxiliary_and_verb(before)
    if not split:
        return None
    subject, auxiliary, verb = split
    if not _is_subject(subject):
        return None
    if money:
        rest = after[1:] if after[:1] == ["dollars"] else after
        if verb[-1] not in _MONEY_VERBS or (rest[:1] and rest[0] not in _PREPOSITIONS):
            return None
        pays = verb[-1] in ("cost", "pay", "spend", "owe", "charge")
        return _join("How much" if pays else "How much money", auxiliary, *subject, *verb, *rest)
    noun, rest = _noun(after)
    if not noun or noun in ("percent", "more", "less", "times"):
        return None
    return _join("How many", noun, auxiliary, *subject, *verb, rest)


def _auxiliary_and_verb(words: list[str]) -> tuple[list[str], str, list[str]] | None:
    """Subject, auxiliary and bare verb of the words before the object."""
    for k, word in enumerate(words):
        if word in _MODALS and k > 0 and len(words) - k <= 5:
            bare = words[k + 1 :]
            ok = bare and bare_verb(bare[-1]) == bare[-1] and not set(bare) & {"be", "have", "not"}
            return (words[:k], word, bare) if ok else None
    tail: list[str] = []
    if len(words) >= 4 and words[-2] == "to" and bare_verb(words[-1]) == words[-1]:
        words, tail = words[:-2], words[-2:]  # `needs to buy @`
    if len(words) < 2:
        return None
    subject, verb = words[:-1], words[-1]
    lemma = bare_verb(verb)
    if not lemma or lemma in ("be", "do") or verb.endswith("ing") or verb in _PREPOSITIONS:
        return None
    return subject, do_form(verb, lemma, subject), [lemma, *tail]


def _is_subject(words: list[str]) -> bool:
    """Whether words are a short noun phrase that can stand in a question by itself."""
    first = words[0]
    if len(words) > 6 or not (first[0].isupper() or first in _FIRST):
        return False
    if first[0].isupper() and first.lower() in _PREPOSITIONS | _NUMBER_WORDS:
        return False
    if any(a in _TIMES and (b[0].isupper() or b in _FIRST) for a, b in pairwise(words)):
        return False  # `each month Mary`
    banned = _BE | _MODALS | {"there", "that", "to", "not", "has", "have", "had", "after", "than"}
    if any(word.lower() in banned for word in words) or words[-1].lower() in _PREPOSITIONS:
        return False
    return len(words) > 1 or first not in ("the", "each", "his", "her", "their", "a", "an", "both")


def _noun(words: list[str]) -> tuple[str, str]:
    """The counted noun, in the plural, and what follows it; `of the X` is one too."""
    begin = end = 2 if words[:1] == ["of"] else 0
    while end < len(words) and end - begin < 4 and words[end].lower() not in _PREPOSITIONS:
        end += 1
        if words[end - 1] == "of" and end < len(words):
            end += 1
    if end == begin or end - begin > 4:
        return "", ""
    counted = words[begin:end]
    if not _is_noun_phrase(counted) or words[end : end + 1] == ["and"]:
        return "", ""
    if "of" not in counted and not begin:
        counted = [*counted[:-1], plural(counted[-1])]
    return " ".join([*words[:begin], *counted]), " ".join(words[end:])


def _is_noun_phrase(words: list[str]) -> bool:
    """Whether the last word can be a noun and none is a verb in a form of its own."""
    if any(word[0].isupper() for word in words[1:]):
        return False  # `apartments Tim needs keys for`
    if words[-1].endswith("ed") or _NUMBER_WORDS & set(words):
        return False  # `stores opened`, `pages two nights ago`
    for word in words:
        kinds = tags(word)
        if "VERB" in kinds and not kinds & {"NOUN", "ADJ"} and word.endswith(("ing", "ed", "s")):
            return False
        if word in ("come", "sold", "made", "went", "walking", "get", "paid", "fewer", "given"):
            return False
    return words[-1][0].isupper() or "NOUN" in tags(words[-1])


def _lower_first(words: list[str]) -> list[str]:
    """The words without the capital of the sentence's beginning, unless that is a name."""
    lowered = words[0].lower() if words else ""
    return [lowered, *words[1:]] if lowered in _FIRST else words


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)


def _possessive(word: str) -> bool:
    return word.endswith(("'s", "’s", "s'", "s’"))
