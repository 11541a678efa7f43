"""DROP's exact match and F1 (Dua et al., 2019), by the rules of its official evaluator."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Sequence

from .assignment import best_total
from .text import after_mark

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_BULLET = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s+")
_MAX_SPANS = 64


def drop(prediction: str | Sequence[str], gold: Sequence[Sequence[str]]) -> dict[str, float]:
    """EM and F1, each the best over the answer and the validated answers.

    Args:
        prediction: A text, see `spans_of`, or the spans.
        gold: Acceptable answers, each a list of spans. One whose first span is blank is
            passed over.

    Example:
        >>> drop("Browns; Bears", [["Bears", "Browns"]])
        {'f1': 1.0, 'em': 1.0}
        >>> drop("Browns", [["Bears", "Browns"]])
        {'f1': 0.5, 'em': 0.0}
    """
    spans = spans_of(prediction) if isinstance(prediction, str) else prediction
    scores = [em_and_f1(spans, answer) for answer in gold if answer and answer[0].strip()]
    return {
        "f1": max((f1 for _, f1 in scores), default=0.0),
        "em": max((em for em, _ in scores), default=0.0),
    }


def spans_of(text: str) -> list[str]:
    r"""The spans that a text gives as its answer.

    The official evaluator wants a list for several spans. That is read from a JSON list, from
    what semicolons part, or from a list of lines with bullets or numbers; any other text, or
    what follows its last answer mark, is one span.

    Example:
        >>> spans_of("The answer is: Browns; Bears"), spans_of("- Browns\n- Bears")
        (['Browns', 'Bears'], ['Browns', 'Bears'])
        >>> spans_of("Browns and Bears")
        ['Browns and Bears']
    """
    marked = after_mark(text)
    text = (text if marked is None else marked).strip()
    spans = _json_list(text) or _bulleted(text) or text.split("\n")[0].split(";")
    if marked is None and len(spans) < 2:
        return [text]
    spans = [span.strip() for span in spans if span.strip()]
    return spans if 0 < len(spans) <= _MAX_SPANS else [text]


def em_and_f1(predicted: Sequence[str], gold: Sequence[str]) -> tuple[float, float]:
    """Exact match and F1 of lists of spans.

    EM is 1 if there are as many spans and they are the same as a set. For F1, spans are paired
    for the greatest sum of their F1 (of words as a set; 0 if the gold span has numbers and the
    other none of them), which is divided by the larger number of spans and rounded to two
    decimals.

    Example:
        >>> em_and_f1(["3.0"], ["3"]), em_and_f1(["4 yards"], ["3 yards"])
        ((1.0, 1.0), (0.0, 0.0))
    """
    texts, golds = [normalised(s) for s in predicted], [normalised(s) for s in gold]
    em = float(len(texts) == len(golds) and {*texts} == {*golds})
    bags = [{*text.split()} for text in texts]
    table = [[_bag_f1(bag, {*other.split()}) for bag in bags] for other in golds]
    f1 = best_total(table) / max(len(texts), len(golds), 1)
    # numpy's rounding, which the evaluator uses, differs from Python's own on 0.665.
    return em, round(f1 * 100) / 100


def normalised(text: str) -> str:
    """A span as the evaluator compares it, word by word; hyphens part words.

    Example:
        >>> normalised("The 3-yard (field) goal"), normalised("1,800")
        ('3.0 yard field goal', '1800.0')
    """
    words = (_plain(word) for word in re.split("[ -]", text))
    return " ".join(" ".join(words).split())


def _plain(word: str) -> str:
    word = word.lower()
    word = word if _is_number(word) else word.translate(_PUNCTUATION)
    word = str(float(word)) if _is_number(word) else word
    return _ARTICLE.sub(" ", word)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _bag_f1(predicted: set[str], gold: set[str]) -> float:
    numbers = {word for word in gold if _is_number(word)}
    if numbers and not numbers & predicted:
        return 0.0
    common = len(predicted & gold)
    precision = common / len(predicted) if predicted else 1.0
    recall = common / len(gold) if gold else 1.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _json_list(text: str) -> list[str]:
    if not text.startswith("["):
        return []
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [str(span) for span in found] if isinstance(found, list) else []


def _bulleted(text: str) -> list[str]:
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) < 2 or not all(_BULLET.match(line) for line in lines):
        return []
    return [_BULLET.sub("", line, count=1) for line in lines]
