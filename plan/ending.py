"""How a plan ends, where its decomposer says that the last line answers the question."""

from __future__ import annotations

import re

from .types import Final, Plan

_WORD = r"(?:who|whom|whose|what|when|where|which|why|how)\b"
_VERB = r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\b"
_AT = r"(?:(?:at|by|for|from|in|of|on|to|with)\s+)?"
_ASKING = re.compile(rf"^\W*{_VERB}|\b{_WORD}", re.IGNORECASE)
_BE = r"(?:is|are|was|were|can|could|will|would|should)\b"
# "the man who wrote it and who directed it" asks one thing, so some words need a comma. So do
# "who sold it, and had it mended", "if he runs a mile, and does this daily" and "Who was in Are We
# There Yet? was it ...", after whose title a small letter goes on.
_AND = re.compile(
    rf"(?:, and|\?(?: and)?)\s+(?:also,?\s+)?{_AT}{_WORD}"
    rf"|\?\s+(?-i:(?=[A-Z]|and\b|also\b))(?:and\s+)?(?:also,?\s+)?{_VERB}"
    rf"|, and\s+(?:{_VERB}\s+(?:he|she|they)|{_BE}\s+(?:it|this|that))\b"
    rf"|\sand\s+(?:(?:how|what|why)\b|(?:when|where)\s+{_VERB})"
    rf"|\sand\s+{_AT}{_WORD}\W*$",
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
    """Whether a question asks twice at its end: "Who wrote it, and when?". Thanks don't count.

    Example:
        >>> asks_two_things("Who wrote it? And when?"), asks_two_things("Who wrote it?")
        (True, False)
    """
    sentences = _SENTENCE_END.split(question[-_LONGEST:].rstrip())
    asking = [sentence for sentence in sentences if "?" in sentence]
    return any(map(_asks_twice, [*asking[-1:], sentences[-1]]))


def _asks_twice(sentence: str) -> bool:
    first = _ASKING.search(sentence)
    return first is not None and _AND.search(sentence, first.end()) is not None
