"""How a plan ends, where its decomposer says that the last line answers the question."""

from __future__ import annotations

import re

from .types import Final, Plan

_WORD = r"(?:who|whom|whose|what|when|where|which|why|how)\b"
_ASKING = re.compile(rf"\b{_WORD}", re.IGNORECASE)
# "the man who wrote it and who directed it" asks one thing, so some words need a comma.
_AND = re.compile(
    rf"(?:, and|\?(?: and)?)\s+(?:also\s+)?(?:(?:at|by|for|from|in|of|on|to|with)\s+)?{_WORD}"
    r"|\sand\s+(?:how|what|why)\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<!\b[A-Z])(?<!\b(?:Mr|Dr|St|Ms|Jr))(?<!\bMrs)[.!]\s")
_LONGEST = 500


def ending(question: str, plan: Plan) -> Final:
    """Whether the last line's answer is all that was asked for.

    A decomposer that learned to end with what answers the question still ends "Which commit
    broke it, and who wrote that?" with who wrote it, the commit being but an earlier line.

    Example:
        >>> plan = Plan.from_rows([{"id": 1, "text": "Which commit broke it?"},
        ...                        {"id": 2, "text": "Who wrote #1?"}])
        >>> ending("Which commit broke it, and who wrote that?", plan)
        'compose'
        >>> ending("Who wrote the commit that broke it?", plan)
        'last'
    """
    if plan.atomic or not asks_two_things(question):
        return "last"
    last = plan.subquestions[-1]
    return "last" if len(last.needs) > 1 or asks_two_things(last.text) else "compose"


def asks_two_things(question: str) -> bool:
    """Whether a question's last sentence asks twice: "Who wrote it, and when?".

    Example:
        >>> asks_two_things("Who wrote it? And when?"), asks_two_things("Who wrote it?")
        (True, False)
    """
    *_, asked = _SENTENCE_END.split(question[-_LONGEST:].rstrip())
    first = _ASKING.search(asked)
    return first is not None and _AND.search(asked, first.end()) is not None
