"""The GBNF grammar of plan text, for llama.cpp.

It accepts what `str(plan)` writes for any plan within the cap, and nothing else: a model
that writes under it can't produce a malformed line, a forward dependency or endless text.
"""

from __future__ import annotations

from functools import cache

from .types import MAX_SUBQUESTIONS, MAX_TEXT_CHARS, PlanError

# What Python calls white space or a control character; none of it occurs in a clean text.
BLANK = r"\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


def plan_grammar(max_subquestions: int = 8, *, atomic: bool = True) -> str:
    """Grammar for plans of at most `max_subquestions` lines, or the word `atomic`.

    Args:
        max_subquestions: The cap, 1 to `MAX_SUBQUESTIONS`.
        atomic: Whether the word is allowed.

    Raises:
        PlanError: If the cap is out of range.

    Example:
        >>> plan_grammar(2).splitlines()[0]
        'root ::= "atomic" | line-1'
    """
    rules = plan_rules(max_subquestions, atomic=atomic, text=f"text-{MAX_TEXT_CHARS}")
    return "\n".join([*rules, *_text_rules()]) + "\n"


def plan_rules(max_subquestions: int, *, atomic: bool, text: str) -> list[str]:
    """The rules of a plan's lines and of what they may need; `text` names that of their texts.

    Raises:
        PlanError: If the cap is out of range.
    """
    if not 1 <= max_subquestions <= MAX_SUBQUESTIONS:
        raise PlanError(f"the cap on subquestions is 1 to {MAX_SUBQUESTIONS}")
    rules = ['root ::= "atomic" | line-1' if atomic else "root ::= line-1"]
    for n in range(1, max_subquestions + 1):
        needs = f' (" <-" needs-{n})?' if n > 1 else ""
        following = f' ("\\n" line-{n + 1})?' if n < max_subquestions else ""
        rules.append(f'line-{n} ::= "#{n} " {text}{needs}{following}')
    return rules + [f"needs-{n} ::= {_ascending(n)}" for n in range(2, max_subquestions + 1)]


def _ascending(n: int) -> str:
    """Non-empty ascending selections of the ids below n: one alternative per first id."""
    return " | ".join(
        f'" #{first}"' + "".join(f' " #{later}"?' for later in range(first + 1, n))
        for first in range(1, n)
    )


@cache
def _text_rules() -> list[str]:
    """A state machine over the characters left: plain, after a space, after a `<`.

    The states keep spaces single and inside the text, and keep `<-` out of it.
    """
    rules: list[str] = []
    for left in range(MAX_TEXT_CHARS, 0, -1):
        after_plain = f" rest-{left - 1}?" if left > 1 else ""
        after_less = f" less-{left - 1}?" if left > 1 else ""
        space = f' | " " text-{left - 1}' if left > 1 else ""
        word = f'[^<{BLANK}]{after_plain} | "<"{after_less}'
        rules.append(f"text-{left} ::= {word}")
        if left < MAX_TEXT_CHARS:
            rules.append(f"rest-{left} ::= {word}{space}")
            rules.append(f'less-{left} ::= [^<{BLANK}-]{after_plain} | "<"{after_less}{space}')
    return rules
