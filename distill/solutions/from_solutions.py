"""Plans from worked solutions: each annotated step becomes a subquestion with its expression."""

from __future__ import annotations

import re
from dataclasses import replace

from ...evals.annotated import MAX_EXPR_CHARS, Step, fold, read_steps, trace
from ...plan.choice import asking_sentence
from ...tools.calculator import CalculatorError, calculate
from ..records import Example, calculated_lines
from .wording import as_question

MAX_LINES = 8
_MAX_MERGED = 3  # operators in one line
_MAX_ASKED_CHARS = 160
_MALE, _FEMALE = {"he", "his", "him"}, {"she", "her", "hers"}
_NO_NAME = {
    "A", "According", "After", "All", "An", "And", "Another", "April", "As", "At", "August",
    "Based", "Because", "Before", "Both", "But", "By", "Calculate", "Christmas", "December",
    "Does", "Dr", "During", "Each", "Easter", "Eight", "Every", "Farmer", "February", "Find",
    "First", "Five", "For", "Four", "Friday", "From", "Given", "Half", "Halloween", "He", "Her",
    "His", "How", "However", "I", "If", "In", "It", "Its", "January", "July", "June", "Last",
    "Many", "March", "May", "Miss", "Monday", "Mondays", "Most", "Mr", "Mrs", "Ms", "My", "Next",
    "Nine", "No", "Not", "November", "Now", "October", "Of", "On", "Once", "One", "Only", "Out",
    "Saturday", "Saturdays", "September", "Seven", "She", "Since", "Six", "So", "Some", "Sunday",
    "Sundays", "Ten", "Than", "Thanksgiving", "That", "The", "Their", "Then", "There", "These",
    "They", "This", "Three", "Thursday", "To", "Today", "Together", "Tuesday", "Twelve", "Twice",
    "Two", "Using", "We", "Wednesday", "What", "When", "Where", "Which", "While", "Who", "With",
    "Yesterday", "You", "Your",
}  # fmt: skip
_FUNCTION_WORDS = {
    "a", "an", "are", "at", "can", "could", "did", "do", "does", "for",
    "had", "has", "have", "how", "in", "is", "many", "money", "much", "of", "on", "the", "there",
    "to", "was", "were", "what", "will", "would",
}  # fmt: skip
_VAGUE = {"left", "cost", "remaining", "amount", "number", "take", "get", "each"}
_CONDITION = re.compile(
    r"^(?:if|given|assuming|since|knowing)\b[^?]*?,? (?=(?:then )?(?:how|what|by how)\b)(?:then )?",
    re.IGNORECASE,
)
_MEASURE = re.compile(
    r"\b(?:hour|minute|day|week|month|year|mile|kilometer|meter|feet|inche|yard|pound|ounce"
    r"|gram|kilogram|liter|gallon|cup|quart|ton|dozen|cent|dollar|acre|point|teaspoon"
    r"|tablespoon|pint)s?\b"
)
_WORD = r"\b[A-Z][a-z]+(?:-[A-Z][a-z]+)?\b"


def from_solution(example: Example) -> Example | None:
    r"""The example with a plan made from its solution; None if a step can't be turned.

    The last line asks what the question asks. A solution of one step makes an atomic
    example, with the expression in `meta["expr"]`.

    Example:
        >>> solution = ("Ann sold 8/2 = <<8/2=4>>4 clips in May.\n"
        ...             "Ann sold 8+4 = <<8+4=12>>12 clips altogether.\n#### 12")
        >>> made = from_solution(Example("1", "Ann sold 8 clips in April and half as many in "
        ...                              "May. How many clips did Ann sell?", solution=solution))
        >>> [(line["text"], line["expr"]) for line in made.plan]
        [('How many clips did Ann sell in May?', '8/2'), ('How many clips did Ann sell?', '8+#1')]
    """
    steps = _traced(example)
    asked = _asked(example.question)
    if not steps or not asked:
        return None
    steps = _merged(steps)
    if not steps or not _usable(steps) or not _all_used(steps):
        return None
    name = _only_name(example.question)
    texts = [_worded(step, name) for step in steps[:-1]]
    texts.append(_named(asked, name))
    if None in texts:
        return None
    known = [text for text in texts if text]
    return _with_plan(example, known, steps) if _distinct(known) else None


def solver_lines(example: Example) -> Example | None:
    """The example with every line that a solver can learn from, whether or not it is a plan.

    Steps that can't be worded are put into the expressions that use them, so that each line
    can be worked out from the question and the lines that it needs.
    """
    steps = _traced(example)
    asked = _asked(example.question)
    if not steps or not asked:
        return None
    name = _only_name(example.question)
    texts = [*(_worded(step, name) for step in steps[:-1]), asked]
    kept = [text is not None and texts.index(text) == k for k, text in enumerate(texts)]
    kept[-1] = True
    steps = fold(steps, kept)
    if not _usable(steps):
        return None
    lines = [text or "" for text, keep in zip(texts, kept, strict=True) if keep]
    made = _with_plan(example, lines, steps)
    return replace(made, meta={**made.meta, "role": "solver"})


def _traced(example: Example) -> list[Step] | None:
    """The steps, if all are clear and the last gives the answer.

    A number that is the question's and an earlier result as well may be either: taken for the
    wrong one the answer is right all the same, until a copy gets other numbers.
    """
    steps = read_steps(example.solution)
    if not steps:
        return None
    try:
        answer = calculate(example.answer) if example.answer else steps[-1].value
    except CalculatorError:
        return None
    traced = trace(steps, example.question) if steps[-1].value == answer else None
    return None if traced is None or any(step.unsure for step in traced) else traced


def _merged(steps: list[Step]) -> list[Step]:
    """One line for several calculations in one sentence; [] if it would be too coarse."""
    kept = [bool(step.sentence) for step in steps[:-1]] + [True]
    if all(kept):
        return steps
    merged = fold(steps, kept)
    before = [step.expr for step, keep in zip(steps, kept, strict=True) if keep]
    grown = [x.expr for x, old in zip(merged, before, strict=True) if len(x.expr) > len(old)]
    coarse = any(len(re.findall(r"[-+*/]", expr)) > _MAX_MERGED for expr in grown)
    return [] if coarse or len(merged) < 2 else merged


def _usable(steps: list[Step]) -> bool:
    """Whether the expressions, with results put in, give the values; and all are short."""
    for step in steps:
        written = re.sub(r"#(\d+)", lambda m: f"({steps[int(m[1]) - 1].value})", step.expr)
        if len(step.expr) > MAX_EXPR_CHARS or calculate(written) != step.value or step.value < 0:
            return False
    return len(steps) <= MAX_LINES


def _all_used(steps: list[Step]) -> bool:
    used = {k for step in steps for k in step.needs}
    return used == set(range(1, len(steps)))


def _asked(question: str) -> str:
    """The sentence that asks, "" if it isn't one that can stand as the last line."""
    asked = _CONDITION.sub("", " ".join(asking_sentence(question).split()))
    short = len(asked) <= _MAX_ASKED_CHARS
    return asked[0].upper() + asked[1:] if asked.endswith("?") and short else ""


def _worded(step: Step, name: str) -> str | None:
    asked = as_question(step.sentence, money=step.money) if step.sentence else None
    if not asked:
        return None
    counts_parts = asked.startswith("How many") and step.value.denominator != 1
    return None if counts_parts and not _MEASURE.search(asked) else _named(asked, name)


def _named(asked: str, name: str) -> str | None:
    """The question with the person's name for a pronoun; None if nobody knows who is meant."""
    words = asked.split()
    pronouns = {word.strip("?,.").lower() for word in words} & (_MALE | _FEMALE)
    if not pronouns or (name and name in asked):
        return asked
    if not name or (pronouns & _MALE and pronouns & _FEMALE):
        return None
    first = next(k for k, word in enumerate(words) if word.strip("?,.").lower() in pronouns)
    word = words[first].strip("?,.")
    owns = word.lower() == "his" or (word.lower() == "her" and not words[first].endswith("?"))
    end = words[first][len(word) :]
    words[first] = (f"{name}'s" if owns else name) + end
    return " ".join(words)


def _only_name(question: str) -> str:
    """The one person of the question, with a title; "" if there are several, or none."""
    names = [n for n in dict.fromkeys(re.findall(_WORD, question)) if n not in _NO_NAME]
    if len(names) != 1:
        return ""
    titled = re.search(rf"\b(?:Mr\.?|Mrs\.?|Ms\.?|Miss|Dr\.?) {names[0]}\b", question)
    return titled[0] if titled else names[0]


def _distinct(texts: list[str]) -> bool:
    """Whether every line asks for something that no other one asks for."""
    words = [_content(text) for text in texts]
    before, last = words[:-1], words[-1]
    repeated = any(a <= b for k, b in enumerate(before) for n, a in enumerate(before) if n != k)
    return not repeated and last not in before and all(a - _VAGUE for a in before)


def _content(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[\w'’-]+", text.lower())) - _FUNCTION_WORDS


def _with_plan(example: Example, texts: list[str], steps: list[Step]) -> Example:
    if len(steps) == 1:
        return replace(example, plan=(), meta={**example.meta, "expr": steps[0].expr})
    return replace(example, plan=calculated_lines(texts, steps))
