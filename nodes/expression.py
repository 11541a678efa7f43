"""Solving with a model trained for this project: it writes an expression, we calculate.

Such a solver does arithmetic and nothing else. Where it needs the answer of an earlier line
it may write `#k`, which is surer for a small model than copying digits. Since it writes
*some* expression whatever it is asked, `given_numbers.py` decides whether the question is
one of quantity, and an expression that uses a number which wasn't given is refused. A
question that is an expression itself is calculated without asking anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from ..errors import ReplyError, UnsupportedQuestionError
from ..models.gguf_file import NO_REPEAT
from ..models.references import ResolvedModel
from ..plan.choice import asking_sentence
from ..tools.calculator import CalculatorError, NoValueError, calculate, format_number, numbers
from .answers import AnswerRow
from .calls import Call, drawn
from .given_numbers import asks_for_arithmetic, given_numbers, stated_number, stated_value
from .replies import Reply, whole_text
from .steps import Steps
from .usage import no_usage

MAX_EXPRESSION_TOKENS = 80
_MOST_EXACT_CHARS = 30
"""Of a fraction that is calculated on with; an expression has room for several of them."""

EXPRESSION_GRAMMAR = r"""
root ::= sum
sum ::= product (" "? [+-] " "? product){0,9}
product ::= factor (" "? [*/] " "? factor){0,9}
factor ::= "-"? (number | answer) | "(" sum ")"
number ::= [0-9]{1,12} ("." [0-9]{1,6})? "%"?
answer ::= "#" [1-9] [0-9]?
"""
"""One arithmetic expression; `#2` is line 2's answer. The token limit bounds the parentheses."""

_REFERENCE = re.compile(r"#([0-9]+)")


def solve_expression(
    call: Call,
    problem: str,
    lines: list[tuple[int, str, str]],
    target: tuple[int, str] | None,
    exact: Mapping[int, str] | None = None,
) -> Steps[tuple[str, Reply]]:
    """Solve a problem, or one line of its plan, by an expression.

    Args:
        call: The call as it would be made to a general model; its name and sample are kept.
        problem: Context and question.
        lines: Needed lines as (id, text, answer), in order.
        target: The line to solve as (id, text); None solves the problem undivided.
        exact: What the answers of lines are rounded from, by id; see `exact_answers`.

    Raises:
        UnsupportedQuestionError: If the question isn't arithmetic, or the expression can't
            be calculated or uses a number from nowhere. No answer is made up.
    """
    model = call.model
    asked = target[1] if target else problem
    texts = [problem, *(answer for _, _, answer in lines)]
    if not lines and (value := _stated(asked)) is not None:
        nothing = no_usage(call.role, model.name, 0, 0.0)
        return _answer(value, Reply("", cut_off=False, usage=nothing))
    if not asks_for_arithmetic(asked, texts):
        raise UnsupportedQuestionError(
            f"{_name(model)} does arithmetic only and can't answer "
            f"{asking_sentence(asked)[:120]!r}; name a general model with --solver, "
            "such as --solver ollama:qwen3."
        )
    given = given_numbers(texts)
    text = "\n".join(
        [problem, *(f"#{k} {line} = {answer}" for k, line, answer in lines)]
        + ([f"#{target[0]} {target[1]}"] if target else [])
    )
    messages = [{"role": "system", "content": "solve"}, {"role": "user", "content": text}]
    reply = yield replace(call, messages=messages, options=_options(call.sample))
    try:
        answers = {k: answer for k, _, answer in lines} | dict(exact or {})
        return _answer(_value(model, reply, given, answers), reply)
    except ReplyError as error:
        error.usage = (reply.usage,)
        raise


def _stated(asked: str) -> Fraction | None:
    """The value of a question that is an expression; without one, the solver would write another.

    Raises:
        UnsupportedQuestionError: If it is one that has no value.
    """
    try:
        return stated_value(asked)
    except NoValueError as error:
        raise UnsupportedQuestionError(
            f"{asked[:120]!r} can't be calculated: {error}; name a general model with --solver."
        ) from None


def exact_answers(rows: Iterable[AnswerRow]) -> dict[int, str]:
    """By id, the fractions from which the answers of rows are rounded."""
    return {row["id"]: row["exact"] for row in rows if "exact" in row}


def _answer(value: Fraction, reply: Reply) -> tuple[str, Reply]:
    """A number as people write it, and the reply with what that rounds."""
    text, fraction = format_number(value), str(value)
    rounded = Fraction(text) != value and len(fraction) <= _MOST_EXACT_CHARS
    return text, replace(reply, exact=fraction) if rounded else reply


def _options(sample: int) -> dict[str, Any]:
    held = {"grammar": EXPRESSION_GRAMMAR, "no_repeat": NO_REPEAT}
    return {**held, "max_tokens": MAX_EXPRESSION_TOKENS, "temperature": 0.0, **drawn(sample)}


def _value(
    model: ResolvedModel, reply: Reply, given: set[Fraction], answers: Mapping[int, str]
) -> Fraction:
    text = whole_text(reply, "the solver's expression")
    invented = [n for n in numbers(_REFERENCE.sub(" ", text)) if n not in given]
    if invented:
        raise _refused(model, reply, f", but {format_number(invented[0])} isn't given")
    try:
        return calculate(put_answers_in(text, answers))
    except CalculatorError as error:
        raise _refused(model, reply, f", which can't be calculated ({error})") from None


def put_answers_in(expression: str, answers: Mapping[int, str]) -> str:
    """An expression with the numbers that the answers give in place of `#k`.

    Raises:
        CalculatorError: If there is no answer k, or it isn't clear which number it gives.

    Example:
        >>> put_answers_in("#1*4 - #2", {1: "$1,200", 2: "-3 degrees"})
        '(1200)*4 - (-3)'
        >>> put_answers_in("#1*6", {1: "100/3"})
        '(100/3)*6'
    """

    def number(match: re.Match[str]) -> str:
        k = int(match[1])
        if k not in answers:
            raise CalculatorError(f"there is no answer #{k}")
        value = stated_number(answers[k])
        if value is None:
            raise CalculatorError(f"the answer #{k} isn't one number")
        return f"({value})"

    return _REFERENCE.sub(number, expression)


def _refused(model: ResolvedModel, reply: Reply, reason: str) -> UnsupportedQuestionError:
    return UnsupportedQuestionError(
        f"{_name(model)} wrote {reply.text!r}{reason}; name a general model with --solver."
    )


def _name(model: ResolvedModel) -> str:
    return "the bundled solver" if model.name == "bundled" else f"the solver {model.name}"
