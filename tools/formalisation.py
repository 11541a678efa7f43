"""What a model wrote to formalise a puzzle: sections of SMT-LIB, and how to word the answer.

    === rules
    (declare-const red Int) ...
    === question
    (assert (= red 3)) ...
    === answer
    There are { red } red balls.

The answer is a text with constants in braces, which their values replace. Of a true or false
one `{ open:yes|no }` makes words. Nothing of it is ever run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import ReplyError

MAX_CHARS = 200_000
_MAX_ANSWER_CHARS = 10_000
_HEADING = re.compile(r"^[ \t#*`]*={3,} *([A-Za-z]+)(?: *#?(\d{1,3}))?[ \t:=*`]*$", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*```.*$", re.MULTILINE)
_PLACE = re.compile(r"\{([^{}\n]*)\}")


class FormalisationError(ReplyError):
    """A formalisation that can't be used; the message says why, for whoever wrote it."""


@dataclass(frozen=True)
class Formalisation:
    """A puzzle in SMT-LIB.

    Attributes:
        rules: What holds for every puzzle of the kind.
        cases: The assertions of one puzzle each: `question`, `example 1` and so on.
        answer: The wording of an answer; empty if the model gave none.
    """

    rules: str
    cases: Mapping[str, str]
    answer: str = ""

    def script(self, case: str) -> str:
        """The whole script of one puzzle."""
        return f"{self.rules}\n{self.cases[case]}"

    @property
    def wanted(self) -> list[str] | None:
        """The constants that the answer shows; None if it shows all, having no wording."""
        if not self.answer:
            return None
        return [_parts(match)[0] for match in _PLACE.finditer(self.answer)]


def read_formalisation(reply: str, *, examples: int = 0) -> Formalisation:
    r"""Read a model's reply; words around the sections and fences are read over.

    Args:
        reply: The reply.
        examples: How many solved examples it must have formalised.

    Raises:
        FormalisationError: If a section is missing or the reply is too long.

    Example:
        >>> read_formalisation("Sure!\n=== question\n(assert true)\n=== answer\n{ x } balls")
        Formalisation(rules='', cases={'question': '(assert true)'}, answer='{ x } balls')
    """
    if len(reply) > MAX_CHARS:
        raise FormalisationError(f"the reply has over {MAX_CHARS:,} characters")
    pieces = _HEADING.split(reply)
    sections = {
        f"{name.lower()} {int(number)}" if number else name.lower(): _without_fences(text)
        for name, number, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True)
    }
    wanted = [*(f"example {number + 1}" for number in range(examples)), "question"]
    for name in wanted:
        if name not in sections:
            raise FormalisationError(f"the reply has no section '=== {name}'")
    cases = {name: sections[name] for name in wanted}
    answer = sections.get("answer", "")
    if len(answer) > _MAX_ANSWER_CHARS:
        raise FormalisationError(f"the answer section has over {_MAX_ANSWER_CHARS:,} characters")
    return Formalisation(sections.get("rules", ""), cases, answer)


def _without_fences(text: str) -> str:
    """What stands inside the fences, if there are any; a fence may also end every section."""
    pieces = _FENCE.split(text)
    if len(pieces) == 2:
        return pieces[0].strip() or pieces[1].strip()
    return "\n".join(pieces[1::2] or pieces).strip()


def word_answer(template: str, values: Mapping[str, str]) -> str:
    """The answer: the template with values put in, or all values if there is none.

    Raises:
        FormalisationError: If the template names what has no value, or shows no constant at
            all: then the answer would be the model's, not the solution's.

    Example:
        >>> word_answer("Ana is { age }, {tall:tall|small}.", {"age": "7", "tall": "false"})
        'Ana is 7, small.'
        >>> word_answer("", {"age": "7"})
        'age = 7'
    """
    if not values:
        raise FormalisationError("the assertions speak of no constant that has a value")
    if not template:
        return "\n".join(f"{name} = {value}" for name, value in values.items())
    if not _PLACE.search(template):
        raise FormalisationError("the answer section shows no constant in braces")

    def value(match: re.Match[str]) -> str:
        name, chosen, words = _parts(match)
        if name not in values:
            raise FormalisationError(
                f"the answer section shows '{name[:60]}', but the solution has no value for it: "
                "declare it with declare-const and fix it by an assertion"
            )
        return _choice(name, words, values[name]) if chosen else values[name]

    text = _PLACE.sub(value, template).strip()
    if not text:
        raise FormalisationError("the answer section words an empty answer")
    return text


def _parts(place: re.Match[str]) -> tuple[str, str, str]:
    """The constant as Z3 names it, whether a colon follows, and the words after it."""
    name, colon, words = place[1].partition(":")
    return name.strip().strip("|"), colon, words


def _choice(name: str, words: str, value: str) -> str:
    if_true, bar, if_false = words.partition("|")
    if not bar or value not in ("true", "false"):
        raise FormalisationError(
            f"in the answer section '{name[:60]}' is given words for true and false, "
            f"'yes|no', but its value is '{value[:60]}' and the words are '{words[:60]}'"
        )
    return if_true if value == "true" else if_false
