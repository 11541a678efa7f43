"""`Plan` and `Subquestion`: the decomposer's output as validated, immutable data."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

Final = Literal["last", "compose"]
"""Who answers the question: the last line's answer, or a composer that sees every answer."""

MAX_SUBQUESTIONS = 64
"""No plan is longer than this, whatever cap the caller sets."""

MAX_TEXT_CHARS = 300
"""Longest subquestion, in characters; the longest of 14,000 teacher-written lines has 178."""

QUESTION_MARKS = ("?", "？", "؟")
"""How a question ends, also in Chinese, Japanese and Arabic."""

_LATIN = r"[\d_A-Za-zªº\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]"  # "#1º" is Spanish for "#1st".


def reference_pattern(ids: str) -> str:
    """A pattern for `#k`, which no Latin letter or digit touches: "#1st" and "C#1" are names.

    Scripts that write no spaces go on right behind it: "#1的配偶是谁?".
    """
    return rf"(?<!{_LATIN})#({ids})(?!{_LATIN})"


_REFERENCE = re.compile(reference_pattern(r"[1-9]\d?"))


class PlanError(ValueError):
    """A text or a list of rows that is no plan; the message says why, in one line."""


def references(text: str, own_id: int) -> tuple[int, ...]:
    """Ids of the earlier subquestions whose answers `text` mentions as `#k`.

    A `#k` that isn't smaller than the line's own id is literal text.

    Example:
        >>> references("Who directed #1, the #9 film of 1985?", own_id=2)
        (1,)
    """
    found = {int(match) for match in _REFERENCE.findall(text)}
    return tuple(sorted(k for k in found if k < own_id))


def _clean(text: str) -> str:
    """One line, single spaces, no control characters, no ` <- ` that would read as needs."""
    printable = (
        text
        if text.isprintable()
        else "".join(
            " " if char.isspace() or unicodedata.category(char) in ("Cc", "Cs") else char
            for char in text
        )
    )
    return " ".join(printable.replace("<-", "< -").split())


@dataclass(frozen=True, slots=True)
class Subquestion:
    """One line of a plan.

    Args:
        id: Line number, from 1; 0 for a question that isn't split, which may be of any length.
        text: The question, one line; `#k` stands for the answer of line k.
        needs: Ids of the lines whose answers this one uses, each smaller than `id`.
            References in `text` are added.

    Raises:
        PlanError: If the text is empty or too long, or a need isn't an earlier line.
    """

    id: int
    text: str
    needs: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        text = _clean(self.text)
        if not text:
            raise PlanError(f"subquestion #{self.id} is empty")
        if self.id and len(text) > MAX_TEXT_CHARS:
            raise PlanError(f"subquestion #{self.id} has over {MAX_TEXT_CHARS} characters")
        for k in self.needs:
            if not 1 <= k < self.id:
                raise PlanError(f"subquestion #{self.id} needs #{k}, which isn't an earlier line")
        object.__setattr__(self, "text", text)
        needs = tuple(sorted({*self.needs, *references(text, self.id)}))
        object.__setattr__(self, "needs", needs)

    def __str__(self) -> str:
        needs = " ".join(f"#{k}" for k in self.needs)
        return f"#{self.id} {self.text}" + (f" <- {needs}" if needs else "")

    def resolve(self, answers: Mapping[int, str]) -> str:
        """The text with the answers put in, for retrievers and cache keys.

        Example:
            >>> Subquestion(2, "Who wrote #1?").resolve({1: "Emma"})
            'Who wrote Emma?'
        """

        def answer(match: re.Match[str]) -> str:
            k = int(match[1])
            return answers.get(k, match[0]) if k < self.id else match[0]

        return _REFERENCE.sub(answer, self.text)


@dataclass(frozen=True, slots=True)
class Plan:
    """An ordered list of subquestions; an empty one is "atomic": don't split.

    Args:
        subquestions: Lines with ids 1, 2, 3 ... without gaps; acyclic, since a line
            needs only earlier ones.
        final: `"last"` if the last line's answer answers the question, `"compose"` if a
            composer does that from all answers.

    Raises:
        PlanError: If ids have gaps or there are more than `MAX_SUBQUESTIONS` lines.

    Example:
        >>> print(Plan((Subquestion(1, "Who directed Jaws?"), Subquestion(2, "Who married #1?"))))
        #1 Who directed Jaws?
        #2 Who married #1? <- #1
    """

    subquestions: tuple[Subquestion, ...] = ()
    final: Final = field(default="compose", kw_only=True)

    def __post_init__(self) -> None:
        if len(self.subquestions) > MAX_SUBQUESTIONS:
            raise PlanError(f"a plan has at most {MAX_SUBQUESTIONS} subquestions")
        for expected, subquestion in enumerate(self.subquestions, 1):
            if subquestion.id != expected:
                raise PlanError(f"subquestion #{subquestion.id} stands where #{expected} belongs")

    @property
    def atomic(self) -> bool:
        """Whether the question isn't split."""
        return not self.subquestions

    @property
    def warnings(self) -> tuple[str, ...]:
        """What looks wrong but can be run: repeated lines, answers that nothing uses."""
        found: list[str] = []
        first: dict[str, int] = {}
        needed = {k for subquestion in self.subquestions for k in subquestion.needs}
        for subquestion in self.subquestions:
            same = first.setdefault(subquestion.text.casefold(), subquestion.id)
            if same != subquestion.id:
                found.append(f"subquestion #{subquestion.id} repeats #{same}")
            is_last = subquestion.id == len(self.subquestions)
            if self.final == "last" and not is_last and subquestion.id not in needed:
                found.append(f"nothing uses the answer of subquestion #{subquestion.id}")
        return tuple(found)

    def __str__(self) -> str:
        return "\n".join(map(str, self.subquestions)) or "atomic"

    def to_rows(self) -> list[dict[str, Any]]:
        """The plan as JSON-native rows `{"id", "text", "needs"}`."""
        return [{"id": s.id, "text": s.text, "needs": list(s.needs)} for s in self.subquestions]

    @classmethod
    def from_rows(cls, rows: object, *, final: Final = "compose") -> Plan:
        """Read rows as `to_rows` writes them, from a checkpoint or an edited plan.

        Raises:
            PlanError: If a row is malformed, misnumbered or needs a later line.
        """
        if not isinstance(rows, Iterable) or isinstance(rows, str | bytes):
            raise PlanError("a plan is a list of subquestions")
        return cls(tuple(_from_row(row) for row in cast("Iterable[object]", rows)), final=final)


def _from_row(row: object) -> Subquestion:
    if not isinstance(row, Mapping):
        raise PlanError("a subquestion is an object with id, text and needs")
    fields = cast("Mapping[str, object]", row)
    number, text, needs = fields.get("id"), fields.get("text"), fields.get("needs", [])
    if not isinstance(number, int) or not isinstance(text, str) or not isinstance(needs, list):
        raise PlanError("a subquestion has an integer id, a text and a list of needs")
    if not all(isinstance(k, int) for k in cast("list[object]", needs)):
        raise PlanError(f"the needs of subquestion #{number} aren't all integers")
    return Subquestion(number, text, tuple(cast("list[int]", needs)))
