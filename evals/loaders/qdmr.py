"""One QDMR step as a natural question, by rules; None where none fits."""

from __future__ import annotations

import re

from ..english import bare_verb, do_form, is_noun, plural_noun

_REF = r"#\d+"
_SUBJECT = r"(?P<subject>#\d+|(?:the )?[A-Z][\w.'’-]*(?: (?:of |the )?[A-Z][\w.'’-]*){0,4})"
_BE = "is|are|was|were"
_FORMS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern), form)
    for pattern, form in (
        (rf"if both ({_REF}) and ({_REF}) are true", "Are both {1} and {2} true?"),
        (rf"if (?P<subject>[^,]+?) ({_BE}|can|could|will|has|have|did|does) (.+)", "invert"),
        (rf"({_BE}|did|does|do|can|has|have) {_SUBJECT} (.+)", "asks"),
        (rf"(who|what|when|where|how \w+|which|in which|in what|what \w+) ({_BE}|did|do|does"
         r"|can|could|will|has|have) (.+)", "asks"),
        (rf"(who|what) (\w+) ({_REF}.*|the .+|[A-Z].+)", "who"),
    )
]  # fmt: skip
_PERSON = {
    "actor", "actress", "architect", "artist", "author", "brother", "captain", "ceo", "chairman",
    "coach", "commander", "composer", "creator", "daughter", "designer", "director", "drummer",
    "father", "founder", "governor", "guitarist", "head", "host", "husband", "inventor", "keeper",
    "king", "lead", "leader", "man", "manager", "mayor", "mother", "musician", "narrator",
    "owner", "painter", "performer", "person", "player", "politician", "presenter", "president",
    "prime", "producer", "quarterback", "queen", "representative", "ruler", "senator", "singer",
    "sister", "son", "spouse", "wife", "winner", "woman", "writer",
}  # fmt: skip
_NOUN = r"([\w' -]+?)"
_COUNTED_WHO = re.compile(rf"{_NOUN} (?:who|that|which) ((?:{_BE}|had|have|\w+ed)\b.+)")
_COUNTED_WHERE = re.compile(r"([\w'-]+(?: [\w'-]+)?) (in|on|at|under|over|between) (.+)")
_COUNTED_DONE = re.compile(rf"{_NOUN} (scored|made|thrown|kicked|killed|caught|built) (.+)")
_COUNTED_BY = re.compile(rf"{_NOUN} (?:that )?{_SUBJECT} (\w+)((?: .+)?)")
_COUNTED_OF = re.compile(rf"{_NOUN} of {_SUBJECT}((?: in .+)?)")
_ODD = re.compile(r"\bif\b|^Which (?:yards|points|number|list)\b|(?<!\w)'[^']*$", re.IGNORECASE)
_VAGUE_END = re.compile(r"\b(?:of|that|who|which|the|a|and|or|to be|is|are|was|were)$")


def step_as_question(step: str, *, past: bool = False) -> str | None:
    """The question of a step that was `return ...` in Break.

    Args:
        step: What stands after `return`.
        past: The tense of a verb that doesn't show it, as annotators leave it bare.

    Example:
        >>> step_as_question("college that #1 attended"), step_as_question("the currency of #1")
        ('Which college did #1 attend?', 'What is the currency of #1?')
    """
    step = step.strip(" .?")
    lowered = step[:1].lower() + step[1:] if not re.match(r"[A-Z][a-z]* [A-Z]", step) else step
    if len(step.split()) < 2 or len(step) > 150 or _VAGUE_END.search(step):
        return None
    text = (
        _question_form(lowered)
        or _count(lowered, past)
        or _filter(step, past)
        or _noun_phrase(step, past)
    )
    if not text or len(text.split()) < 3 or _ODD.search(text):
        return None
    return text[0].upper() + text[1:]


def _question_form(step: str) -> str | None:
    """Steps that are questions already, or nearly so."""
    for pattern, form in _FORMS:
        match = pattern.fullmatch(step)
        if not match:
            continue
        if form == "invert":
            subject, verb, rest = match["subject"], match[2], match[3]
            if re.search(r"\b(?:who|that|which|when|#\d+ (?:is|was|are))\b", subject):
                return None
            return f"{verb} {subject} {rest}?"
        if form == "who" and bare_verb(match[2]) in ("", match[2]):
            return None
        if form in ("asks", "who"):
            return re.sub(r"\b(same|lowest|highest) (as)", r"the \1 \2", f"{step}?")
        return form.format("", *match.groups())
    return None


def _count(step: str, past: bool) -> str | None:
    """`number of people who lived in Tunis` as "How many people lived in Tunis?"."""
    match = re.fullmatch(r"(?:the )?number of (?:the )?(.+)", step)
    if not match or re.match(_REF, match[1]):
        return None
    counted = match[1]
    if who := _COUNTED_WHO.fullmatch(counted):
        return f"How many {who[1]} {who[2]}?"
    if where := _COUNTED_WHERE.fullmatch(counted):
        there = "there " if where[3][0].isdigit() else ""
        return f"How many {where[1]} were {there}{where[2]} {where[3]}?"
    if done := _COUNTED_DONE.fullmatch(counted):
        return f"How many {done[1]} were {done[2]} {done[3]}?"
    if by := _COUNTED_BY.fullmatch(counted):
        asked = f"How many {by[1]}"
        return _do_question(asked, by["subject"], by[3], by[4], noun=by[1], past=past)
    if (of := _COUNTED_OF.fullmatch(counted)) and is_noun(of[1].split()[-1]):
        return f"How many {of[1]} did {of['subject']} have{of[3]}?"
    return None


def _filter(step: str, past: bool) -> str | None:
    """`#1 that starred in X` as "Which of #1 starred in X?"."""
    match = re.fullmatch(rf"({_REF}) (?:that|who|which) (.+)", step)
    if not match:
        return None
    if by := re.fullmatch(rf"{_SUBJECT} (\w+)((?: .+)?)", match[2]):
        return _do_question(f"Which of {match[1]}", by["subject"], by[2], by[3], noun="", past=past)
    first = match[2].split()[0].lower()
    fits = first in ("is", "are", "was", "were", "has", "have", "had") or bare_verb(first)
    return f"Which of {match[1]} {match[2]}?" if fits else None


def _noun_phrase(step: str, past: bool) -> str | None:
    """`the author of X` and `country that has X`."""
    match = re.fullmatch(r"(?:the |a |an )?((?!#)[\w' -]+?),? (that|who|which) (.+)", step)
    if match and not re.search(r"\b(?:of|in|for|at|on|by|from|is|was)\b", match[1]):
        noun, clause = match[1].strip(), match[3]
        which = f"Which {noun}"
        if by := re.fullmatch(rf"{_SUBJECT} (\w+)((?: .+)?)", clause):
            return _do_question(which, by["subject"], by[2], by[3], noun=noun, past=past)
        first = clause.split()[0]
        if first in ("is", "are", "was", "were", "has", "had", "have") or _inflected(first):
            return f"{which} {clause}?" if is_noun(noun.split()[-1]) else None
        return None
    by = re.fullmatch(rf"(?:the )?((?!#)[a-z]\w+(?: \w+)?) ({_REF}) (\w+)((?: \w+)?)", step)
    if by and is_noun(by[1].split()[-1]):
        return _do_question(f"Which {by[1]}", by[2], by[3], by[4], noun=by[1], past=past)
    return _of_phrase(step)


def _of_phrase(step: str) -> str | None:
    """`capital of #1` as "What is the capital of #1?"."""
    match = re.fullmatch(
        r"(?:the )?((?!#)[\w'-]+(?: [\w'-]+){0,3}?) (of|in|on|from|for|by) (.+)", step
    )
    if not match:
        return None
    head, link, rest = match.groups()
    last = head.split()[-1]
    if not is_noun(last) or re.match(r"(?i)(?:number|sum|difference|which|what|how)\b", head):
        return None
    if link != "of" and not re.match(r"#\d+$", rest):
        return None
    be = "are" if plural_noun(last) else "is"
    who = last.lower() in _PERSON or last.lower().removesuffix("s") in _PERSON
    article = "" if head[0].isupper() and len(head.split()) > 1 else "the "
    return f"{'Who' if who else 'What'} {be} {article}{head} {link} {rest}?"


def _do_question(
    asked: str, subject: str, verb: str, rest: str, *, noun: str, past: bool
) -> str | None:
    """`college`, `#1`, `attended` as "Which college did #1 attend"."""
    if noun and not is_noun(noun.split()[-1]):
        return None
    rest = rest.rstrip()
    if verb in ("is", "are", "was", "were", "can", "will", "has", "had", "have"):
        done = rest.split()
        if not done or (verb in ("has", "had", "have") and not done[0].endswith(("ed", "en"))):
            return None
        return f"{asked} {verb} {subject}{rest}?"
    lemma = bare_verb(verb)
    if not lemma or verb.endswith("ing"):
        return None
    bare = "did" if past else "does"
    do = bare if verb == lemma else do_form(verb, lemma, subject.split())
    return f"{asked} {do} {subject} {lemma}{rest}?"


def _inflected(word: str) -> bool:
    return bool(bare_verb(word)) and bare_verb(word) != word and not word.endswith("ing")
