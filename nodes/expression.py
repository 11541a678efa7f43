"""Solving with a model trained for this project: it writes an expression, we calculate.

Such a solver does arithmetic and nothing else. Since it writes *some* expression whatever
it is asked, the guards here decide whether the question is one of quantity and whether the
expression uses only numbers that were given; otherwise the question is refused.
"""

from __future__ import annotations

import re
from fractions import Fraction

from ..errors import CutOffReplyError, ReplyError, UnsupportedQuestionError
from ..models.references import ResolvedModel
from ..tools.calculator import CalculatorError, calculate, format_number, numbers
from .calls import Call, Reply, Steps

_MAX_TOKENS = 80

EXPRESSION_GRAMMAR = r"""
root ::= sum
sum ::= product (" "? [+-] " "? product){0,9}
product ::= factor (" "? [*/] " "? factor){0,9}
factor ::= "-"? number | "(" sum ")"
number ::= [0-9]{1,12} ("." [0-9]{1,6})? "%"?
"""
"""One arithmetic expression; the token limit bounds the parentheses."""

# Numbers that words stand for, so that an expression may use them.
_WORDS_OF = {
    0: "zero", 1: "one once single another", 2: "two twice double half halves both pair couple",
    3: "three thrice triple third thirds yard yards", 4: "four quarter quarters fourth fourths",
    5: "five fifth fifths", 6: "six sixth sixths", 7: "seven seventh sevenths week weeks weekly",
    8: "eight eighth eighths", 9: "nine ninth ninths", 10: "ten tenth tenths", 11: "eleven",
    12: "twelve dozen dozens year years yearly annual annually foot feet", 13: "thirteen",
    14: "fourteen fortnight", 15: "fifteen", 16: "sixteen", 17: "seventeen", 18: "eighteen",
    19: "nineteen", 20: "twenty", 24: "day days daily", 30: "thirty month months", 40: "forty",
    50: "fifty", 52: "year years yearly", 60: "sixty hour hours minute minutes", 70: "seventy",
    80: "eighty", 90: "ninety", 100: "hundred", 365: "year years", 1000: "thousand km kg",
    3600: "hour hours",
}  # fmt: skip
_NUMBERS_OF: dict[str, set[Fraction]] = {}
for _value_, _words in _WORDS_OF.items():
    for _word in _words.split():
        _NUMBERS_OF.setdefault(_word, set()).add(Fraction(_value_))
_ALWAYS = {Fraction(1), Fraction(2), Fraction(100)}
_HOW_MANY = re.compile(
    r"\bhow (?:many|much|old|long|far|tall|high|wide|deep|big|large|heavy|fast|often)\b"
    r"|\d\s*[-+*/x]\s*\d",
    re.IGNORECASE,
)
_OF_FACT = re.compile(
    r"^\W*(?:who|whom|whose|where|when|why|which|is|are|was|were|do|does|did|can|could|has|have"
    r"|what (?:is|was) the (?:name|capital|nationality|title|meaning|colou?r))\b",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"\b(?:what|calculate|compute|find|total|sum|average|cost|price|number|amount|by how)\b",
    re.IGNORECASE,
)


def solve_expression(
    model: ResolvedModel,
    problem: str,
    lines: list[tuple[int, str, str]],
    target: tuple[int, str] | None,
) -> Steps[tuple[str, Reply]]:
    """Solve a problem, or one line of its plan, by an expression.

    Args:
        model: A solver trained for this project.
        problem: Context and question.
        lines: Needed lines as (id, text, answer), in order.
        target: The line to solve as (id, text); None solves the problem undivided.

    Raises:
        UnsupportedQuestionError: If the question isn't arithmetic, or the expression can't
            be calculated or uses a number from nowhere. No answer is made up.
    """
    asked = target[1] if target else problem
    given = _given_numbers([problem, *(answer for _, _, answer in lines)])
    _refuse_facts(model, asked, problem, given)
    text = "\n".join(
        [problem, *(f"#{k} {line} = {answer}" for k, line, answer in lines)]
        + ([f"#{target[0]} {target[1]}"] if target else [])
    )
    messages = [{"role": "system", "content": "solve"}, {"role": "user", "content": text}]
    options = {"grammar": EXPRESSION_GRAMMAR, "temperature": 0.0, "max_tokens": _MAX_TOKENS}
    reply = yield Call("solver", model, messages, options, f"solver #{target[0] if target else 0}")
    try:
        return format_number(_value(model, reply, given)), reply
    except ReplyError as error:
        error.usage = (reply.usage,)
        raise


def _value(model: ResolvedModel, reply: Reply, given: set[Fraction]) -> Fraction:
    if reply.cut_off:
        raise CutOffReplyError("the solver's expression was cut off at its token limit")
    invented = [n for n in numbers(reply.text) if n not in given]
    if invented:
        raise UnsupportedQuestionError(
            f"{_name(model)} wrote {reply.text!r}, but {format_number(invented[0])} isn't given; "
            "name a general model with --solver."
        )
    try:
        return calculate(reply.text)
    except CalculatorError as error:
        raise UnsupportedQuestionError(
            f"{_name(model)} wrote {reply.text!r}, which can't be calculated ({error}); "
            "name a general model with --solver."
        ) from None


def _refuse_facts(model: ResolvedModel, asked: str, problem: str, given: set[Fraction]) -> None:
    sentence = re.split(r"(?<=[.!?])\s+", asked.strip())[-1]
    of_quantity = _HOW_MANY.search(sentence) or (
        _QUANTITY.search(sentence) and not _OF_FACT.search(sentence)
    )
    if of_quantity and (given - _ALWAYS or re.search(r"\d", problem)):
        return
    raise UnsupportedQuestionError(
        f"{_name(model)} does arithmetic only and can't answer {sentence[:120]!r}; "
        "name a general model with --solver, such as --solver ollama:qwen3."
    )


def _name(model: ResolvedModel) -> str:
    return "the bundled solver" if model.name == "bundled" else f"the solver {model.name}"


def _given_numbers(texts: list[str]) -> set[Fraction]:
    """Numbers an expression may use: those written in the texts, in digits or words."""
    found = set(_ALWAYS)
    for text in texts:
        found.update(numbers(text))
        for word in re.findall(r"[a-z]+", text.lower()):
            found.update(_NUMBERS_OF.get(word, ()))
    return found
