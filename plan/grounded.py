"""A plan grammar for one question, in which names and numbers can only be the question's.

A small model garbles rare names. Under this grammar it can't: a word with a capital letter or a
digit has to stand in the question. What it accepts is part of what `plan_grammar` accepts, but
for the length of a line, which it bounds in words.
"""

from __future__ import annotations

import re

from .grammar import BLANK, plan_rules

MAX_NAMES = 300
"""A problem with more names and numbers isn't held to them: the grammar would be slow."""

_MAX_WORDS = 40
_MAX_WORD_CHARS = 30
_OPENING, _CLOSING = "\"'(\u201c\u2018[", ",.?!;:'\")\u201d\u2019]%"
_SPECIAL = re.compile(r"[A-Z\u00c0-\u00de0-9]")
_NUMBER_WORDS = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty",
]  # fmt: skip
_STARTERS = [
    "About", "After", "Against", "Are", "As", "At", "Before", "Between", "By", "Can", "Could",
    "Did", "Do", "Does", "During", "For", "From", "Given", "Had", "Has", "Have", "How", "If",
    "In", "Into", "Is", "Of", "On", "Over", "Should", "Since", "Through", "To", "Under", "Until",
    "Was", "Were", "What", "When", "Where", "Which", "Who", "Whom", "Whose", "Why", "Will",
    "With", "Without", "Would",
]  # fmt: skip


def grounded_grammar(problem: str, max_subquestions: int = 8, *, atomic: bool = True) -> str | None:
    """Grammar for plans of a problem; None if it has too many names to be held to them.

    Args:
        problem: Context and question, as the model is shown them.
        max_subquestions: The cap on lines.
        atomic: Whether the word `atomic` is allowed.

    Raises:
        PlanError: If the cap is out of range.

    Example:
        >>> grammar = grounded_grammar("Who is the spouse of the director of Jaws?")
        >>> '"Jaws"' in grammar, '"Alien"' in grammar
        (True, False)
    """
    rules = plan_rules(max_subquestions, atomic=atomic, text="text")
    names = names_and_numbers(problem)
    if len(names) > MAX_NAMES:
        return None
    return "\n".join([*rules, *_word_rules(names)]) + "\n"


def names_and_numbers(problem: str) -> list[str]:
    """Words of a problem with a capital letter or a digit, bare of punctuation around them.

    A number in words counts as its digits, too; of `Ann's` also `Ann` is a word. In a problem
    without capitals every word may be a name.

    Example:
        >>> names_and_numbers("Ann's aunt has two cats, 3 dogs and (Rex).")
        ["Ann's", 'Ann', '2', '3', 'Rex']
    """
    found: dict[str, None] = {}
    if problem == problem.lower():
        problem = f"{problem} {problem.title()}"
    for raw in problem.split():
        # Of "#1" it is the 1, but C# is a name.
        word = raw.lstrip(_OPENING + _CLOSING + "#").rstrip(_OPENING + _CLOSING)
        if word.lower() in _NUMBER_WORDS:
            found[str(_NUMBER_WORDS.index(word.lower()) + 1)] = None
        if not word.isprintable() or "<" in word or not _SPECIAL.search(word):
            continue
        found[word] = None
        found[re.sub(r"['\u2019]s$", "", word)] = None
        found.update(dict.fromkeys(part for part in word.split("-") if _SPECIAL.search(part)))
        if "," in word:
            found[word.replace(",", "")] = None
    return list(found)


def _word_rules(names: list[str]) -> list[str]:
    """Words: free ones without capitals and digits, and those of the problem as they are."""
    taken = r"<A-Z\u00c0-\u00de0-9"
    opening = f"{_bracketed(_OPENING)}?"
    closing = f"{_bracketed(_CLOSING)}{{0,3}}"
    literal = " | ".join(_quoted(name) for name in [*names, *_STARTERS])
    currency = r"[$\u20ac\u00a3]?"
    return [
        f'text ::= word (" " word){{0,{_MAX_WORDS - 1}}}',
        "word ::= free | held | reference",
        f"free ::= [^{BLANK}{taken}#] [^{BLANK}{taken}]{{0,{_MAX_WORD_CHARS}}}",
        f'held ::= {opening} {currency} ({literal}) ("-" [a-z]{{1,20}})? [\']? [s]? {closing}',
        f'reference ::= {opening} "#" [1-9] [0-9]? [\']? [s]? {closing}',
    ]


def _quoted(text: str) -> str:
    """A text as a literal of GBNF."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bracketed(characters: str) -> str:
    """Characters as a class of GBNF."""
    return "[" + re.sub(r'(["\\\[\]^-])', r"\\\1", characters) + "]"
