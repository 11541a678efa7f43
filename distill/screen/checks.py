"""What can be wrong with one example, as the reason in words, or "" if nothing is."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from typing import TYPE_CHECKING

from ...nodes.given_numbers import stated_number
from ...plan import Plan
from ...tools.calculator import CalculatorError, calculate, format_number
from ..records import Example

if TYPE_CHECKING:
    from .screen import ScreenSettings

CHARS_PER_TOKEN = 4
_TOLERANCE = Fraction(1, 100)  # for results that were rounded to cents
_REFERENCE = re.compile(r"#(\d+)")
_WORD = re.compile(r"[^\W\d_]+")
_MIN_LATIN = 0.8
_MIN_WORDS = 4
_SURELY = 10  # words among which there is a common one
_ENGLISH = {
    "a", "about", "add", "after", "all", "an", "and", "are", "at", "be", "been", "between", "by",
    "calculate", "can", "compare", "compute", "could", "count", "did", "divide", "do", "does",
    "each", "every", "find", "for", "from", "get", "had", "has", "have", "he", "her", "his", "how",
    "i", "if", "in", "is", "it", "many", "may", "more", "most", "much", "multiply", "my", "number",
    "of", "on", "or", "our", "return", "she", "should", "subtract", "than", "that", "the", "their",
    "they", "this", "to", "was", "we", "were", "what", "when", "where", "which", "who", "whose",
    "why", "will", "with", "would", "you",
}  # fmt: skip
_FOREIGN = {
    "aan", "al", "als", "auf", "aus", "av", "avec", "bei", "ce", "che", "como", "con", "da",
    "dans", "das", "de", "dei", "del", "della", "dem", "den", "der", "des", "det", "di", "die",
    "do", "du", "e", "een", "ein", "eine", "el", "em", "en", "es", "est", "et", "för", "für",
    "het", "il", "ist", "la", "las", "le", "les", "los", "mit", "na", "och", "para", "por",
    "pour", "que", "quel", "quelle", "qui", "sich", "sind", "som", "sont", "sur", "um", "un",
    "una", "und", "une", "van", "von", "was", "wer", "wie", "wo", "y", "zu",
}  # fmt: skip


def plan_fault(example: Example) -> str:
    """Lines that repeat or that nothing uses, and expressions that don't give their answer."""
    plan = Plan(example.to_plan().subquestions, final="last")
    if plan.warnings:
        return plan.warnings[0].replace("subquestion ", "")
    values: dict[int, Fraction | None] = {}
    for line in example.plan:
        number, expr, answer = line["id"], line.get("expr", ""), line.get("answer", "")
        if not expr:  # "24 jars", as a teacher has it from the question.
            values[number] = stated_number(answer)
            continue
        worked, stated = _value(expr, values), _value(answer, {})
        values[number] = worked if stated is None else stated
        if worked is None:
            return f"the expression of line {number} can't be calculated"
        if answer and stated is None:
            return f"the answer of line {number} is no number"
        if stated is not None and abs(worked - stated) > _TOLERANCE * max(1, abs(stated)):
            return f"the expression of line {number} gives {format_number(worked)}, not {answer}"
    return ""


def worked_answer(example: Example) -> str:
    """The answer that the plan leads to: predicted, or the value of its expressions; else ""."""
    if example.predicted:
        return example.predicted
    values: dict[int, Fraction | None] = {1: _value(str(example.meta.get("expr", "")), {})}
    for line in example.plan:
        values[line["id"]] = _value(line.get("expr", ""), values)
    last = values[len(example.plan) or 1]
    return "" if last is None else format_number(last)


def length_fault(example: Example, limits: ScreenSettings) -> str:
    """Too many lines, characters, or tokens for the student."""
    if len(example.plan) > limits.max_lines:
        return f"{len(example.plan)} lines"
    if len(example.problem) > limits.max_chars:
        return f"{len(example.problem):,} characters"
    chars = len(example.problem) + sum(len(line["text"]) + 8 for line in example.plan)
    if chars > limits.max_tokens * CHARS_PER_TOKEN:
        return f"about {chars // CHARS_PER_TOKEN:,} tokens"
    return ""


def language_fault(text: str) -> str:
    """Why a text isn't English: another script, or other languages' common words.

    Example:
        >>> language_fault("Wer ist der Autor des Buches?"), language_fault("Who wrote it?")
        ('words of another language', '')
    """
    letters = [char for char in text if char.isalpha()]
    latin = sum("LATIN" in unicodedata.name(char, "") for char in letters)
    if letters and latin / len(letters) < _MIN_LATIN:
        return "another script"
    words = _WORD.findall(text)
    english = sum(word.casefold() in _ENGLISH for word in words)
    foreign = sum(word in _FOREIGN for word in words)  # With a capital it is part of a name.
    if len(words) >= _MIN_WORDS and foreign > english:
        return "words of another language"
    return "no common English word" if len(words) >= _SURELY and not english else ""


def _value(expr: str, values: dict[int, Fraction | None]) -> Fraction | None:
    """An expression's value with earlier ones put in, None if it has none."""
    try:
        written = _REFERENCE.sub(lambda m: f"({values[int(m[1])]})", expr)
        return calculate(written) if written else None
    except (CalculatorError, KeyError):
        return None
