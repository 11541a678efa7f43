"""Which numbers a text gives, in digits or words, and whether it asks for arithmetic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction

from ..plan.choice import asking_sentence
from ..tools.calculator import NUMBER, CalculatorError, NoValueError, calculate, numbers

_ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_VALUE = {word: n for n, word in enumerate(_ONES)} | {w: 20 + 10 * n for n, w in enumerate(_TENS)}
_SCALE = {
    "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12,
}  # fmt: skip

# Words that say what to do with a number: the numbers that an expression may then need.
_FACTORS = {
    "half": (2, "0.5", "1.5"), "halves": (2, "0.5"), "twice": (2,), "double": (2,),
    "thrice": (3,), "triple": (3,), "third": (3,), "quarter": (4, 25, "0.25", "0.75"),
    "fourth": (4,), "fifth": (5,), "sixth": (6,), "eighth": (8,), "tenth": (10,),
    "dozen": (12,), "pair": (2,),
}  # fmt: skip
# Units, between which a question may ask to convert.
_UNITS = {
    "minute": (60,), "hour": (60, 24, 3600), "day": (7, 24, 30, 365), "daily": (7, 30, 365),
    "week": (4, 7, 52), "weekly": (4, 7, 52), "month": (4, 12, 30), "year": (12, 52, 365),
    "foot": (12, 3), "feet": (12, 3), "yard": (3, 36), "inch": (12,), "inche": (12,),
    "mile": (5280, 1760), "dollar": (100,), "cent": (100, "0.01", "0.5"), "penny": (100, "0.01"),
    "pennie": (100, "0.01"), "nickel": (5, 100, "0.05"), "dime": (10, 100, "0.1"),
    "ounce": (16,), "oz": (16,), "pound": (16,), "ton": (2000,), "tonne": (1000,),
    "gallon": (4,), "quart": (4,), "pint": (2,), "km": (1000,), "kilometer": (1000,),
    "kilometre": (1000,), "m": (100, 1000), "meter": (100, 1000), "metre": (100, 1000),
    "cm": (100,), "centimeter": (100,), "centimetre": (100,), "mm": (10, 1000),
    "millimeter": (10, 1000), "millimetre": (10, 1000), "kg": (1000,), "kilogram": (1000,),
    "kilo": (1000,), "g": (1000,), "gram": (1000,), "l": (1000,), "liter": (1000,),
    "litre": (1000,), "ml": (1000,), "milliliter": (1000,), "millilitre": (1000,),
    "watt": (1000,), "kilowatt": (1000,), "kwh": (1000,),
}  # fmt: skip
# What everybody knows of other things, without which "weekdays" or "a square" can't be counted.
_KNOWN = {
    "seventh": (7,), "ninth": (9,), "hundredth": (100,), "thousandth": (1000,), "couple": (2,),
    "decade": (10,), "century": (100,), "tripling": (3,), "triplet": (3,), "weekday": (5,),
    "workday": (5,), "weekend": (2,), "monday": (5,), "monthly": (12,), "yearly": (12, 52, 365),
    "annual": (12, 52), "annually": (12, 52), "triangle": (3,), "square": (4,),
    "rectangle": (2, 4), "pentagon": (5,), "hexagon": (6,), "leg": (4,),
    "deck": (52,), "hundred": (100,), "thousand": (1000,), "million": (1_000_000,),
    "noon": (12,), "midnight": (12, 24),
}  # fmt: skip
# What wording implies without naming it: "both", "and his wife", "one more than".
_IMPLIED = (1, 2)
_PER_CENT = re.compile(r"(\d{1,6}(?:\.\d{1,4})?)\s?(?:%|per ?cent)", re.IGNORECASE)
_HOW_MANY = re.compile(
    r"\bhow (?:many|much|old|long|far|tall|high|wide|deep|big|large|heavy|fast|late"
    r"|expensive)\b",
    re.IGNORECASE,
)
_WHAT_COST = re.compile(
    r"\bwhat (?:do|does|did|will|would) .{1,200}\b(?:costs?|pays?|earns?|come to|add up to)\b",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    r"(?:(\d{1,30}) )?(?<![\d.,])(\d{1,30})/(\d{1,30})(?![\d/]|[.,]\d)"
    rf"|({NUMBER})"
)
_BEGINS = r"\W{0,5}\d"
_LARGE = re.compile(rf"[ -]?({'|'.join(_SCALE)})\b", re.IGNORECASE)
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b"
)
_IN_LOTS = r"\s(?:dozen|lakh|crore)s?\b"
_GOES_ON = re.compile(
    r"%?\s?[-+*/^:×÷·−–x]\s?[$€£]?\d|[,;]?\s?\d|[eE][-+]?\d|\s?(?:k|K|M|bn)\b|\s?[½⅓⅔¼¾]"
    r"|%?\s?(?:to|or|and)\s[-−–]?[$€£]?\d|\s?(?:h|hrs?|min|ft|lbs?|['′])\.?\s?\d"
    rf"|{_IN_LOTS}|(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH}"
    r"|\s(?:plus|minus|times|by)\s[$€£]?\d"
    # "4 bags * 6 pears = 24 pears"
    r"|(?:\s[^\W\d_]+){1,4}\s(?:[-+*/×÷·−–x]|plus|minus|times)\s[$€£]?\d[^(]{0,200}="
)
# A dash with a space behind it is a bullet or parts two things, unless money follows it.
_MINUS = re.compile(r"\D*(?<![\w.])(?:[-−–](?:[$€£]\s?)?|(?<![\w)\]%.]\s)[-−–]\s[$€£]\s?)\.?\d")
_NEXT_UNIT = re.compile(r"\s?([a-z]+)\.?,?(?: and)? \d[\d.,]*\s?([a-z]+)")
_CLOCK = re.compile(r"\d ?[ap]\.?m\b", re.IGNORECASE)
_FACT = re.compile(
    r"^\W*(?:who|whom|whose|where|when|why|which|is|are|was|were|do|does|did|can|could|has|have"
    r"|what (?:year|colou?r|happened|did|do|does|kind|country|city|name|language)"
    r"|what (?:is|was) the (?:name|capital|nationality|title|meaning|colou?r))\b",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"\b(?:what|calculate|compute|find|total|sum|average|cost|price|number|amount|by how)\b",
    re.IGNORECASE,
)
_SPOKEN = (
    (r"%\s+of\b", "% *"), (r"\bper ?cent\b", "%"), (r"\bplus\b", "+"), (r"\bminus\b", "-"),
    (r"\btimes\b|\bmultiplied by\b", "*"), (r"\bdivided by\b", "/"),
)  # fmt: skip
_BEFORE = re.compile(
    r"^\W*(?:what(?: is|'s)|how much is|calculate|compute|find|please)\s+", re.IGNORECASE
)


def stated_value(question: str) -> Fraction | None:
    """The value of a question that is nothing but an expression, None for any other.

    Raises:
        NoValueError: If it is one, but has no value here.

    Example:
        >>> stated_value("What is 1,200 + 300?"), stated_value("15% of 80?")
        (Fraction(1500, 1), Fraction(12, 1))
    """
    text = _BEFORE.sub("", question.strip()).rstrip("?.! =")
    for spoken, sign in (*_SPOKEN, _SPOKEN[0]):
        text = re.sub(spoken, sign, text, flags=re.IGNORECASE)
    if not re.search(r"[-+*/×÷^]", text.lstrip("-+")):
        return None
    if re.fullmatch(r"\d{4}(?:-\d{1,4}){1,2}", text.strip()):
        return None  # A date or a range of years.
    try:
        return calculate(text)
    except NoValueError:
        raise
    except CalculatorError:
        return None


def asks_for_arithmetic(asked: str, texts: Iterable[str]) -> bool:
    """Whether a question is one of quantity, with enough given to work it out.

    One number alone ("in 1905") makes no calculation: it takes two, or one and a word such
    as "half", or one and two units between which to convert.
    """
    sentence = asking_sentence(asked)
    of_quantity = _QUANTITY.search(sentence) and not _FACT.search(sentence)
    if not _HOW_MANY.search(sentence) and not _WHAT_COST.search(sentence) and not of_quantity:
        return False
    text = " ".join(texts)
    words = _words(text)
    written = len(numbers(text)) + len(spoken_numbers(text))
    factors = sum(_entry(word, _FACTORS) is not None for word in words) + text.count("%")
    units = {_entry(word, _UNITS) for word in words} - {None}
    return written + factors >= 2 or (written >= 1 and len(units) >= 2)


def given_numbers(texts: Iterable[str]) -> set[Fraction]:
    """Numbers that an expression may use: written, spoken, or meant by a word such as "half"."""
    text = " ".join(texts)
    found = {*numbers(text), *spoken_numbers(text), *map(Fraction, _IMPLIED)}
    for word in _words(text):
        for table in (_FACTORS, _UNITS, _KNOWN):
            if entry := _entry(word, table):
                found.update(map(Fraction, table[entry]))
    if _CLOCK.search(text):
        found |= {Fraction(12), Fraction(24), Fraction(60)}
    return found | _shares(text)


def stated_number(answer: str) -> Fraction | None:
    """The number of an answer to calculate on with; None if it isn't clear.

    It is the only one, or that with which the answer begins; answers are graded by
    `leading_number`. Fractions and words such as "million" are read, and 20 % is 20, as in
    lines that ask for a percentage. Not clear is what goes on, in its line, as a time, a date, a
    range, a power, a calculation or in smaller units.

    Example:
        >>> stated_number("$1,200"), stated_number("about -3 degrees"), stated_number("12 of 50")
        (Fraction(1200, 1), Fraction(-3, 1), Fraction(12, 1))
        >>> stated_number("3 1/2 hours"), stated_number("8.4 million people")
        (Fraction(7, 2), Fraction(8400000, 1))
        >>> stated_number("Ana has 3 and Ben 5"), stated_number("3 to 5"), stated_number("12:30")
        (None, None, None)
    """
    found = list(_AMOUNT.finditer(answer))
    begins = re.match(_BEGINS, answer)
    if not found or (len(found) > 1 and not begins):
        return None
    size, after = _size(found[0]), answer[found[0].end() :].partition("\n")[0]
    scale = _LARGE.match(after)
    after = after[scale.end() :] if scale else after
    if size is None or _GOES_ON.match(after) or _in_two_units(after):
        return None
    return _sign(answer) * size * (_SCALE[scale[1].lower()] if scale else 1)


def leading_number(answer: str) -> Fraction | None:
    """The number that an answer is graded by; None if there is none.

    Nobody calculates on with it, so that where no number is clear by itself
    (`stated_number`), the one with which the answer begins will do.

    Example:
        >>> leading_number("42, 6 per bag"), leading_number("Ana has 3 and Ben 5")
        (Fraction(42, 1), None)
    """
    # "She needs 3 dozen" is right where dozens are asked for.
    stated = stated_number(re.sub(_IN_LOTS, "", answer))
    if stated is None and re.match(_BEGINS, answer):
        return next((_sign(answer) * number for number in numbers(answer)), None)
    return stated


def graded_numbers(answer: str) -> set[Fraction | None]:
    """What an answer is right for: its value, or its `leading_number`; "20%" is 20 or a fifth.

    Example:
        >>> graded_numbers("3/4"), sorted(graded_numbers("20%"))
        ({Fraction(3, 4)}, [Fraction(1, 5), Fraction(20, 1)])
    """
    try:
        value = calculate(answer)
    except CalculatorError:
        return {leading_number(answer)}
    return {value, leading_number(answer)} if "%" in answer else {value}


def _sign(answer: str) -> int:
    return -1 if _MINUS.match(answer) else 1


def _size(amount: re.Match[str]) -> Fraction | None:
    """The value of a number, a fraction or both; None if it is divided by zero or too long."""
    whole, above, below, number = amount.groups()
    if number:
        return next(iter(numbers(number)), None)
    return Fraction(int(whole or 0)) + Fraction(int(above), int(below)) if int(below) else None


def _in_two_units(after: str) -> bool:
    """Whether a number goes on as in "2 hours 30 minutes"."""
    more = _NEXT_UNIT.match(after.lower())
    return bool(more) and all(_entry(unit, _UNITS) for unit in more.groups())


def _shares(text: str) -> set[Fraction]:
    """What "20 %" may become: 0.2 of it, 0.8 when it is off, 1.2 when it is more."""
    found: set[Fraction] = set()
    for match in _PER_CENT.finditer(text):
        share = Fraction(match[1]) / 100
        found |= {share, 1 - share, 1 + share, 100 - 100 * share, 100 + 100 * share}
    return found | ({Fraction(100)} if found or "%" in text or "percent" in text.lower() else set())


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+(?:['’](?!s\b)[a-z]+)?", text.lower())


def _entry(word: str, table: Mapping[str, object]) -> str | None:
    singular = word if word in table else word.removesuffix("s")
    return singular if singular in table else None


def spoken_numbers(text: str) -> list[Fraction]:
    """Numbers in words: "twenty-five", "three hundred and five" and so on, each once.

    "two, eight and nine" are three numbers, and so are "six one day passes" two.
    """
    found: list[Fraction] = []
    thousands = group = 0
    last: int | None = None
    for word in [*re.findall(r"[a-z]+|[^a-z\s-]", text.lower()), "."]:
        value, scale = _VALUE.get(word), _SCALE.get(word)
        if word == "and" and last in _SCALE.values():
            continue
        if scale and last and scale != last:
            thousands, group = _times(scale, thousands, group)
        elif value is not None and last and _continues(value, last):
            group += value
        else:
            if last is not None:
                found.append(Fraction(thousands + group))
            thousands, group, scale = 0, value or 0, None
        last = scale or value
    return found


def _times(scale: int, thousands: int, group: int) -> tuple[int, int]:
    """Go on after "hundred", which multiplies what was said, or "thousand", which closes it."""
    return (thousands, group * scale) if scale == 100 else (thousands + group * scale, 0)


def _continues(value: int, last: int) -> bool:
    """Whether a number word goes on with the one before: "twenty-five", "hundred and five"."""
    return last in _SCALE.values() or (last in range(20, 100, 10) and value < 10)
