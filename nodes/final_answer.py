"""The answer in what a solver wrote: thinking before it, markup and formulas around it."""

from __future__ import annotations

import re

_FINAL_ANSWER = re.compile(
    r"^(?:[^\w\n(\[{\"'“]|_){0,20}(?:final )?answer(?: is)?[ *_]{0,8}[:：][ *_]{0,8}(.*)",
    re.I | re.M,
)
# "6 * 7 = 42. Answer: 42"; in an earlier line it may be that of a step.
_ENDING = re.compile(r"[.!?] [*_]{0,3}(?:final )?answer(?: is)?[ *_]{0,8}[:：](.*)", re.I)
_BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\}){1,2000})\}")
_FORMULA = re.compile(r"\$((?:[^$\\]|\\.)+)\$|\\\((.+)\\\)")
_PLAINER = (
    (re.compile(r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"(?<=\d)(?=\\[dt]?frac\{\d)"), " "),  # 3\frac{1}{2} isn't 31/2.
    (re.compile(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}"), r"\1/\2"),
    (re.compile(r"\{,\}|,\\!"), ","),
    (re.compile(r"\\([$%])"), r"\1"),
)
_STATED = re.compile(
    r"(?:^|[.!?] )\W{0,8}(?:(?:so|thus|therefore)\W{1,3})?"
    r"the (?:\w{1,20} )?answer is\b[ :]{0,8}+"
    r"(?!(?:correct|plausible|reasonable|right|valid|verified)\b)(\S.*)",
    re.I,
)
_TAG = re.compile(r"</?\w{1,40}>")
# 2**10, 2**-1 and 2**.5 are powers, src/**/*.py is a path.
_BOLD = re.compile(r"(?<![\w)/])\*\*(?=[^\s/]|/\w)|(?<=[^\s/])\*\*(?![\w(]|[-+][\w.(]|\.\d|/\*)")


def final_answer(text: str) -> str:
    r"""What follows the last "Answer:"; else what is boxed, else the last line with a word.

    It begins a line, or a sentence of the last one. What a formula that follows it boxes, as in
    "$\boxed{42}$", is taken, or all of it, in words.

    Of the last two lines, a sentence that begins with "The answer is" is taken for the rest: the
    other line may only bid farewell. Below an "Answer:" that stands alone it is the paragraph.

    Example:
        >>> final_answer("6 * 7 is 42.\n**Answer:** 42"), final_answer("\\[\n\\boxed{42}\n\\]")
        ('42', '42')
    """
    said = _lines_with_words(text) or [line.strip() for line in text.strip().splitlines()]
    marked = list(_FINAL_ANSWER.finditer(text))
    for mark in (_ENDING.search(said[-1]), *marked[-1:]):
        if mark and (found := _out_of_formula(_BOLD.sub("", mark[1]).strip(" *_"))):
            return found
    if _BOXED.search(text):
        return _out_of_formula(text)
    stated = [_BOLD.sub("", found[1]) for line in said[-2:] if (found := _STATED.search(line))]
    if stated:
        return stated[-1]
    # Without thinking before it, it is the heading of all.
    if marked and text[: marked[-1].start()].strip():
        paragraph, *_ = re.split(r"\n\s*\n", text[marked[-1].end() :].strip(), maxsplit=1)
        if lines := _lines_with_words(paragraph):
            # Stars at the ends of several lines aren't around all of them.
            found = lines[0].strip(" *_") if len(lines) == 1 else "\n".join(lines)
            return _out_of_formula(found)
    return said[-1]


def _lines_with_words(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if re.search(r"\w", _TAG.sub("", line))]


def _out_of_formula(text: str) -> str:
    """What is boxed last in a text, else what stands between the signs of a formula; plainly."""
    boxed: list[str] = _BOXED.findall(text)
    inner = boxed[-1] if boxed else text
    formula = _FORMULA.fullmatch(inner)
    inner = formula[1] or formula[2] if formula else inner
    for pattern, plain in _PLAINER if boxed or formula else ():
        inner = pattern.sub(plain, inner)
    return inner.strip()
