"""An exact calculator for arithmetic expressions, safe for text that a model wrote.

Numbers are fractions, so 0.1 + 0.2 is 0.3 and a third of three is one. There is no `eval`,
no name, no attribute: only numbers, + - * / ^, a postfix % for "per cent of one", and
parentheses. Length, depth and the size of numbers are bounded.
"""

from __future__ import annotations

import re
from fractions import Fraction

MAX_CHARS = 500
MAX_DEPTH = 40
MAX_BITS = 4096
_MAX_EXPONENT = 1000

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
"""How a number is written, as a pattern."""
_TOKEN = re.compile(rf"\s*(?:({NUMBER})|(\*\*|[-+*/^()%×÷−·]))")
_SAME = {"×": "*", "·": "*", "÷": "/", "−": "-", "**": "^"}


class CalculatorError(ValueError):
    """An expression that can't be calculated; the message says why."""


class NoValueError(CalculatorError):
    """An expression that has no value, or none that is calculated here, such as 1/0 or 2^0.5."""


def calculate(expression: str) -> Fraction:
    """The exact value of an arithmetic expression.

    Thousands commas and currency signs are read over; `20%` is one fifth.

    Raises:
        CalculatorError: If the text is no expression, divides by zero, or a bound is passed.

    Example:
        >>> calculate("$1,200 * 15% + 3/4")
        Fraction(723, 4)
    """
    if len(expression) > MAX_CHARS:
        raise CalculatorError(f"the expression has over {MAX_CHARS} characters")
    # A space for each sign, so that those inside a number divide it: 3$4 isn't 34.
    parser = _Parser(_tokens(re.sub(r"[$€£]", " ", expression).strip()))
    value = parser.sum(0)
    if parser.next:
        raise CalculatorError(f"{parser.next!r} stands where the expression should end")
    return value


def format_number(value: Fraction) -> str:
    """A number as people write it: exact up to six decimals, rounded beyond.

    One below a thousandth has six significant digits, since nothing would be left of it.

    Example:
        >>> format_number(Fraction(7, 2)), format_number(Fraction(-1, 3))
        ('3.5', '-0.333333')
        >>> format_number(Fraction(1, 3_000_000))
        '0.000000333333'
    """
    size, places = abs(value), 6
    if 0 < size < Fraction(1, 1000):
        places += len(str(int(1 / size))) - 1
    whole, decimals = divmod(round(size * 10**places), 10**places)
    text = f"{whole}.{decimals:0{places}}".rstrip("0").rstrip(".")
    return f"-{text}" if value < 0 else text


def numbers(expression: str) -> list[Fraction]:
    """The numbers that occur in a text.

    Example:
        >>> numbers("3 * (1,000 + 0.5)")
        [Fraction(3, 1), Fraction(1000, 1), Fraction(1, 2)]
    """
    found = re.findall(NUMBER, expression)
    return [Fraction(text.replace(",", "")) for text in found if len(text) <= MAX_CHARS]


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            raise CalculatorError(f"{text[position:].strip()[:20]!r} isn't arithmetic")
        token = match[1].replace(",", "") if match[1] else match[2]
        found.append(_SAME.get(token, token))
        position = match.end()
    if not found:
        raise CalculatorError("the expression is empty")
    return found


class _Parser:
    """Recursive descent, lowest precedence first."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._position = 0

    @property
    def next(self) -> str:
        """The token to be read, empty at the end."""
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _take(self) -> str:
        token = self.next
        self._position += 1
        return token

    def sum(self, depth: int) -> Fraction:
        """Terms joined by + and -."""
        if depth > MAX_DEPTH:
            raise CalculatorError(f"over {MAX_DEPTH} parentheses inside each other")
        value = self._product(depth)
        while self.next in ("+", "-"):
            sign = 1 if self._take() == "+" else -1
            value = _bounded(value + sign * self._product(depth))
        return value

    def _product(self, depth: int) -> Fraction:
        value = self._signed(depth)
        while self.next in ("*", "/"):
            if self._take() == "*":
                value = _bounded(value * self._signed(depth))
                continue
            divisor = self._signed(depth)
            if divisor == 0:
                raise NoValueError("division by zero")
            value = _bounded(value / divisor)
        return value

    def _signed(self, depth: int) -> Fraction:
        sign = 1
        while self.next in ("+", "-"):
            sign = -sign if self._take() == "-" else sign
        return sign * self._power(depth)

    def _power(self, depth: int) -> Fraction:
        base = self._number(depth)
        if self.next != "^":
            return base
        self._take()
        if depth > MAX_DEPTH:
            raise CalculatorError(f"over {MAX_DEPTH} powers inside each other")
        negative = self.next == "-"
        if negative:
            self._take()
        exponent = self._power(depth + 1)
        return _raise(base, -exponent if negative else exponent)

    def _number(self, depth: int) -> Fraction:
        read = self._take()
        if read == "(":
            value = self.sum(depth + 1)
            if self._take() != ")":
                raise CalculatorError("a parenthesis isn't closed")
        elif read[:1].isdigit() or read.startswith("."):
            value = _bounded(Fraction(read))
        else:
            found = repr(read) if read else "the end"
            raise CalculatorError(f"{found} stands where a number should")
        while self.next == "%":
            self._take()
            value = _bounded(value / 100)
        return value


def _raise(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1 or abs(exponent) > _MAX_EXPONENT:
        raise NoValueError(f"a power is a whole number up to {_MAX_EXPONENT}")
    if base == 0 and exponent < 0:
        raise NoValueError("division by zero")
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if bits * abs(exponent) > MAX_BITS:
        raise NoValueError("a number is too large")
    return base ** int(exponent)


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise NoValueError("a number is too large")
    return value
