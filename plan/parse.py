"""Read a plan from whatever a model wrote.

Models that follow the plan text exactly are the easy case. Others write numbered lists,
bullets, JSON, fenced code or a refusal to split; all of these are read here, and anything
else is a `PlanError`, never another exception.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import cast

from .types import (
    MAX_SUBQUESTIONS,
    QUESTION_MARKS,
    Final,
    Plan,
    PlanError,
    Subquestion,
    reference_pattern,
    references,
)

MAX_REPLY_CHARS = 50_000
"""Longest reply that is read at all; it bounds the time for garbage."""

_THINK, _THOUGHT = "<think>", "</think>"
_TAG_LINE = re.compile(r"^(?:\ufeff|[^\S\n])*</?think>", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*```.*$", re.MULTILINE)
_ATOMIC = re.compile(
    r"\W*(?:atomic|no\s+(?:further\s+)?decomposition(?:\s+(?:is\s+)?(?:needed|required))?"
    r"|none|n/a)\W*",
    re.IGNORECASE,
)
_CANONICAL = re.compile(r"#(\d{1,4})(?:[.:)]?\s+|[.:)．：）](?!\d)\s*)(\S.*)")
_BOLD = re.compile(r"\*\*(#\d{1,4})(?:[.:)]?\*\*[.:)]?(\s.*)|[.:)]?(\s.*)\*\*(\s*<-.*)?)")
_NUMBERED = re.compile(
    r"(?:\*\*)?[(（]?(?:(?:(?:sub-?)?question|step)\s*#?|q)?(\d{1,4})\s*[.:)\]、．：）](?!\d)"
    r"(?:\*\*)?\s*(\S.*)",
    re.I,
)
_JSON_START = re.compile(
    r"^(?![ \t]*(?:#?\d|[-*•–][ \t]))(?:[^\n\[{]*[:!][*_]*)?[ \t]*([\[{])", re.MULTILINE
)
"""The first bracket of a line, at its beginning or after : or !, but not in a list's item."""
_BULLET = re.compile(r"[-*•–]\s+(\S.*)")
_NEEDED = re.compile(r"none|n/a|(?:[\s#\d,&]|and\b)*", re.IGNORECASE)
_TEXT_KEYS = ("text", "question", "subquestion", "sub_question")
_NEEDS_KEYS = ("needs", "depends_on", "dependencies", "deps", "requires")
_LIST_KEYS = ("subquestions", "sub_questions", "plan", "questions", "steps")

# A line before its ids are made consecutive: its own id, the text, the needs (None: unmarked).
_Line = tuple[int, str, list[int] | None]


def parse_plan(text: str, *, max_subquestions: int = 8, final: Final = "compose") -> Plan:
    r"""Parse plan text, strictly where it is canonical and tolerantly where it isn't.

    A list without any dependency mark is taken as sequential: each line needs all earlier
    ones. In canonical text (`#1 ...`) a line without ` <- ` is independent.

    Args:
        text: The model's reply.
        max_subquestions: The cap on lines; a longer plan is an error, not cut.
        final: Carried into the plan.

    Raises:
        PlanError: If no plan can be read, or the plan breaks a rule.

    Example:
        >>> print(parse_plan("1. Who directed Jaws?\n2. Who is that person married to?"))
        #1 Who directed Jaws?
        #2 Who is that person married to? <- #1
    """
    if len(text) > MAX_REPLY_CHARS:
        raise PlanError(f"the reply has {len(text):,} characters, over {MAX_REPLY_CHARS:,}")
    lines = _canonical(text.split("\n"), strict=True) or _tolerant(text)
    if len(lines) == 1 and _ATOMIC.fullmatch(lines[0][1]):
        lines = []  # "#1 atomic" asks nothing.
    if len(lines) > max_subquestions:
        raise PlanError(f"the plan has {len(lines)} subquestions, over the cap {max_subquestions}")
    return Plan(_renumber(lines), final=final)


def parse_partial(text: str, *, max_subquestions: int = 8) -> tuple[Subquestion, ...]:
    r"""The lines that are complete in a plan that is still being written.

    Only canonical text is read before its end; of anything else nothing is, until it is
    whole and `parse_plan` reads it. A line that is returned stays: more text that makes a
    valid plan only adds to it, unless a later `<think>` or `</think>` makes thinking of it.

    Example:
        >>> [str(line) for line in parse_partial("#1 Who directed Jaws?\n#2 Who marr")]
        ['#1 Who directed Jaws?']
    """
    found: list[Subquestion] = []
    rows = without_thinking(text).lstrip().split("\n")[:-1]
    for number, row in enumerate(rows[:max_subquestions], 1):
        match = _CANONICAL.fullmatch(row.strip())
        if not match or int(match[1]) != number or _ATOMIC.fullmatch(match[2]):
            break
        try:
            _, line, needs = _split_needs(number, match[2])
            found.append(Subquestion(number, line, tuple(needs or ())))
        except PlanError:
            break
    return tuple(found)


def without_thinking(text: str) -> str:
    """A reply without the thinking that a model wrote before it.

    Some templates open the thinking themselves, so that only its end is in the reply, and some
    models say a few words first. A reply that has `<think>` only within a line speaks of the tag.

    Example:
        >>> without_thinking("<think>hm</think>42"), without_thinking("hm</think>42")
        ('42', '42')
        >>> without_thinking("<think> opens it.</think>It is opened by <think>.")
        'It is opened by <think>.'
    """
    if "think>" not in text:  # A reply that is told as it comes is read at each token.
        return text
    before, end, reply = text.rpartition(_THOUGHT)
    is_tag = _TAG_LINE.search(text)
    if not end:
        return "" if is_tag else text
    by_template = _THINK not in before.partition(_THOUGHT)[0]
    return reply if is_tag or by_template else text


def _tolerant(text: str) -> list[_Line]:
    """Lines from a reply that isn't plan text all through; none if it means atomic."""
    body = _FENCE.sub("", without_thinking(text)).strip()
    if not body:
        raise PlanError("the reply is empty")
    if _ATOMIC.fullmatch(body):
        return []
    stripped = [_plain(line.strip()) for line in body.split("\n")]
    canonical = _canonical(stripped, strict=False)
    lines = canonical or _json(body)
    if lines is None or (not lines and _ATOMIC.fullmatch(stripped[0])):
        return []  # Why, it may say below, in a list.
    lines = lines or _listed(stripped)
    if not lines and _ATOMIC.fullmatch(stripped[-1]):
        return []  # Why, it says above.
    if not lines:
        raise PlanError("the reply holds no list of subquestions")
    return lines


def _canonical(rows: list[str], *, strict: bool) -> list[_Line]:
    """Lines of the form `#1 ...`; if strict, all or none."""
    matches = [_CANONICAL.fullmatch(row) for row in rows]
    if strict and not all(matches):
        return []
    lines = [_split_needs(int(match[1]), match[2]) for match in matches if match]
    return [(number, text, needs or []) for number, text, needs in lines]


def _split_needs(number: int, text: str) -> _Line:
    """Take a trailing `<- #1 #2` off a line; None where there is none."""
    head, arrow, listed = text.rpartition("<-")
    if not arrow:
        return number, text, None
    if (ids := needed_ids(listed)) is None:
        raise PlanError(f"what follows <- in subquestion #{number} isn't a list of ids")
    return number, head.rstrip(), ids


def needed_ids(listed: str) -> list[int] | None:
    """The ids that stand behind `<-`; None if that isn't a list of ids."""
    ids = re.findall(r"\d+", listed)
    if not _NEEDED.fullmatch(listed.strip(" \t()[].")) or any(len(k) > 4 for k in ids):
        return None
    return [int(k) for k in ids]


def _plain(row: str) -> str:
    """A line without the stars, if its `#1` is bold or all of it."""
    bold = _BOLD.fullmatch(row)
    return "".join(part or "" for part in bold.groups()) if bold else row


def _listed(stripped: list[str]) -> list[_Line]:
    """Numbered lines, else bullets, else every line that asks something."""
    numbered = [match for line in stripped if (match := _NUMBERED.fullmatch(line))]
    if numbered:
        return _unlabelled([(int(m[1]), _plain(m[2])) for m in numbered])
    bullets = [match[1] for line in stripped if (match := _BULLET.fullmatch(line))]
    asked = bullets or [
        line
        for line in stripped
        if line.partition("<-")[0].rstrip().endswith(QUESTION_MARKS)
        and "main question" not in line.lower()
    ]
    return _unlabelled([(n, _plain(line)) for n, line in enumerate(asked, 1)])


def _unlabelled(items: list[tuple[int, str]]) -> list[_Line]:
    """Items of a list, in which `#1` may be said once more: "1. #1 Who?".

    Where all are labelled so it is plan text, which says itself what needs what.
    """
    lines: list[_Line] = []
    labelled = True
    for number, text in items:
        label = _CANONICAL.fullmatch(text)
        own = label[2] if label and int(label[1]) == number else None
        labelled = labelled and own is not None
        lines.append(_split_needs(number, (own or text).strip("* ")))
    return [(n, t, needs or []) for n, t, needs in lines] if labelled else _sequential(lines)


def _sequential(lines: list[_Line]) -> list[_Line]:
    """Where no line carries a mark, let each need all earlier ones."""
    if len(lines) > MAX_SUBQUESTIONS:
        raise PlanError(f"the list has {len(lines)} lines, a plan at most {MAX_SUBQUESTIONS}")
    marked = any(needs is not None or references(text, n) for n, text, needs in lines)
    if marked:
        return [(n, text, needs or []) for n, text, needs in lines]
    return [(n, text, [k for k, _, _ in lines[:i]]) for i, (n, text, _) in enumerate(lines)]


def _json(body: str) -> list[_Line] | None:
    """A JSON list of strings or objects, alone or under a usual key; None means atomic."""
    found = _JSON_START.search(body)
    if not found or (found.start(1) > 0 and "\n#" in body):
        return []
    try:
        value: object = json.JSONDecoder().raw_decode(body[found.start(1) :])[0]
    except (ValueError, RecursionError):
        return []
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        value = next((fields[key] for key in _LIST_KEYS if key in fields), None)
    if value == []:
        return None
    if not isinstance(value, list):
        return []
    items = cast("list[object]", value)
    lines = [_json_line(n, item) for n, item in enumerate(items, 1)]
    return _sequential([line for line in lines if line]) if all(lines) else []


def _json_line(position: int, item: object) -> _Line | None:
    if isinstance(item, str):
        return _split_needs(position, item)
    if not isinstance(item, dict):
        return None
    fields = cast("dict[str, object]", item)
    text = next((fields[key] for key in _TEXT_KEYS if isinstance(fields.get(key), str)), None)
    if text is None:
        return None
    number = _as_id(fields.get("id", position))
    needs = next((fields[key] for key in _NEEDS_KEYS if key in fields), None)
    if needs is not None and not isinstance(needs, list):
        raise PlanError(f"the needs of subquestion #{number} aren't a list")
    ids = None if needs is None else [_as_id(k) for k in cast("list[object]", needs)]
    return number, cast("str", text), ids


def _as_id(value: object) -> int:
    digits = re.fullmatch(r"(?:#|q)?(\d{1,4})", str(value).strip(), re.IGNORECASE)
    if not digits:
        raise PlanError("a subquestion has an id that isn't a number")
    return int(digits[1])


def _renumber(lines: Iterable[_Line]) -> tuple[Subquestion, ...]:
    """Make ids 1, 2, 3 ..., moving needs and references in the text along with them."""
    new_ids: dict[int, int] = {}
    renumbered: list[Subquestion] = []
    for new, (old, text, needs) in enumerate(lines, 1):
        if old in new_ids:
            raise PlanError(f"two subquestions have the id #{old}")
        missing = [k for k in needs or [] if k not in new_ids]
        if missing:
            raise PlanError(f"subquestion #{old} needs #{missing[0]}, which isn't an earlier line")

        text = _move_references(text, new_ids)
        renumbered.append(Subquestion(new, text, tuple(new_ids[k] for k in needs or [])))
        new_ids[old] = new
    return tuple(renumbered)


def _move_references(text: str, new_ids: dict[int, int]) -> str:
    def moved(match: re.Match[str]) -> str:
        return f"#{new_ids.get(int(match[1]), int(match[1]))}"

    return re.sub(reference_pattern(r"\d{1,4}"), moved, text)
