"""Which part of a model's text is its answer.

Official scripts are given bare answers; models write sentences. What follows the last mark,
such as "The answer is", is taken for the answer, and without a mark the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_CHARS = 20_000
"""Of a longer text the end alone is read: that's where answers are."""

_WRAPPED = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]{0,2000})\}")
_MARK = re.compile(
    r"\\boxed\s*\{(?P<boxed>(?:[^{}]|\{[^{}]*\}){1,2000})\}"
    # Of an answer, but none: "I hope the answer is clear", "this answer is the best I have".
    r"|(?P<none>\b(?:hope\b[^.,;:!?\n]{0,30}?|(?:if|whether) (?:the|my|your) |this |that )"
    r"\banswer[ \t]+is\b)"
    # "So the answer is correct", but not of "the answer is 18 which is correct".
    r"|\banswer(?:[ \t]+(?!is\b)[\w'’-]{1,30}){0,6}?[ \t]+is[ \t]+(?:indeed[ \t]+)?"
    r"(?=(?P<praise>correct|reasonable|plausible|consistent|valid|verified|confirmed|accurate)\b"
    r"(?:[ \t]*(?:[*_]*[.,;:!?)]|$)|[ \t]+(?:and|as|because|since|with)\b))"
    r"|####"
    r"|\banswer(?:[ \t]+[\w'’-]{1,30}){0,6}?[ \t]+is\b[ \t*_]*:?"  # the answer to this is
    r"|\banswers[ \t]+are[ \t*_]*:"
    r"|\banswers?[ \t*_\"']*[:=]",  # **Final answer:**
    re.IGNORECASE | re.MULTILINE,
)
_AROUND = " \t\r\n*_`"


def after_mark(text: str, gold: Iterable[str] = ()) -> str | None:
    r"""All that follows the last answer mark; None if there is no mark.

    Marks are `####`, "the answer is", "answer:" and LaTeX's `\boxed`, of which only what is
    inside counts. A mark that nothing follows is passed over, and so is "this answer is", what is
    only hoped or supposed of the answer, and that it is correct, unless that very word is one of
    the acceptable answers: "So the answer is valid."

    Example:
        >>> after_mark("**Answer:** 18 eggs"), after_mark(r"So \boxed{18}."), after_mark("18")
        ('18 eggs', '18', None)
        >>> after_mark(r"First \boxed{5}. The answer is 18. I am sure the answer is correct.")
        '18. I am sure the answer is correct.'
    """
    text = _WRAPPED.sub(r"\1", text[-MAX_CHARS:])
    labels = {"", *(answer.casefold() for answer in gold)}
    marks = [
        mark
        for mark in _MARK.finditer(text)
        if not mark["none"] and (mark["praise"] or "").casefold() in labels
    ]
    found = ((mark["boxed"] or text[mark.end() :]).strip(_AROUND) for mark in reversed(marks))
    return next(filter(None, found), "") if marks else None


def final_answer(text: str, gold: Iterable[str] = ()) -> str:
    r"""The answer alone: the line that follows the last mark (see `after_mark`), else all of it.

    Example:
        >>> final_answer("He was born in Ulm.\nThe answer is: Ulm\nHope that helps!")
        'Ulm'
        >>> final_answer(" Ulm ")
        'Ulm'
    """
    marked = after_mark(text, gold)
    if marked is None:
        return _WRAPPED.sub(r"\1", text[-MAX_CHARS:]).strip(_AROUND)
    return marked.partition("\n")[0].strip(_AROUND)
