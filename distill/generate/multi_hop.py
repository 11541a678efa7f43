"""Multi-hop questions: a chain of facts, each asked about the answer of the one before."""

from __future__ import annotations

import re
from random import Random

from .relations import DESCRIPTIONS, FACTS, RELATIONS, TITLES, fill, make, relation_from
from .wording import Draft, direct_question, reword, worded


def chain(rng: Random) -> Draft:
    """A question of two to four hops, such as who the mother of the director of a film is."""
    hops = rng.choice((1, 1, 1, 1, 2, 2, 3))
    phrase, kind, lines = _start(rng)
    while len(lines) < hops:
        phrase, kind, line = _step(rng, phrase, kind, len(lines))
        lines.append(line)
    last = fill(rng.choice(FACTS["title" if kind in TITLES else kind]), rng)
    if rng.random() < 0.25:
        last = direct_question(relation_from(rng, kind), rng)
    question = last.replace("{}", phrase)
    lines.append((last.replace("{}", f"#{len(lines)}"), [len(lines)]))
    return Draft(reword(question, last, phrase, rng), lines)


def _start(rng: Random) -> tuple[str, str, list[tuple[str, list[int]]]]:
    """The innermost fact: a relation of a named thing, or a description."""
    if rng.random() < 0.5:
        relation = rng.choice(RELATIONS)
        entity = make(relation[0], rng)
        buried, asked = worded(relation, rng)
        return buried.format(entity), relation[1], [(asked.format(entity), [])]
    nouns, kind, verbs = rng.choice(DESCRIPTIONS)
    noun, verb = fill(rng.choice(nouns), rng), fill(rng.choice(verbs), rng)
    joint = (
        rng.choice(("who", "who", "that")) if kind == "person" else rng.choice(("that", "which"))
    )
    return f"the {noun} {joint} {verb}", kind, [(f"Which {noun} {verb}?", [])]


def _step(rng: Random, phrase: str, kind: str, done: int) -> tuple[str, str, tuple[str, list[int]]]:
    relation = relation_from(rng, kind)
    buried, asked = worded(relation, rng)
    return buried.format(phrase), relation[1], (asked.format(f"#{done}"), [done])


# (what happened, the question when, of which kind of thing)
_TIMES = [
    ("{} was founded", "When was {} founded?", "organisation"),
    ("{} was born", "When was {} born?", "person"),
    ("{} died", "When did {} die?", "person"),
    ("{} was released", "When was {} released?", "film"),
    ("{} came out", "When did {} come out?", "film"),
    ("{} was published", "When was {} published?", "book"),
    ("{} opened", "When did {} open?", "thing"),
    ("{} was built", "When was {} built?", "thing"),
    ("{} took place", "When did {} take place?", "event"),
    ("{} ended", "When did {} end?", "event"),
    ("{} won {event}", "When did {} win {event}?", "person"),
    ("{} moved to {place}", "When did {} move to {place}?", "person"),
    ("{} became independent", "When did {} become independent?", "place"),
]
_OFFICES = [
    ("was", "the president of {place}"), ("was", "the mayor of {place}"), ("ruled", "{place}"),
    ("was", "the king of {place}"), ("was", "prime minister of {place}"), ("led", "{organisation}"),
    ("was", "the CEO of {organisation}"), ("was", "head coach of {organisation}"), ("was", "pope"),
    ("owned", "{organisation}"), ("won", "{event}"), ("governed", "{place}"), ("was", "chancellor of Germany"),
]  # fmt: skip


def at_that_time(rng: Random) -> Draft:
    """Who held an office, or what held true, when something else happened."""
    happened, when, kind = rng.choice(_TIMES)
    entity = make(kind, rng)
    happened, asked = (part.replace("{}", entity) for part in _both(happened, when, rng))
    verb, office = rng.choice(_OFFICES)
    held = f"{verb} {fill(office, rng)}"
    then = f"Who {held} in #1?"
    place, person = make("place", rng), make("person", rng)
    shapes = [
        (f"Who {held} when {happened}?", then),
        (f"Who {held} in the year {happened}?", then),
        (f"Who {held} in the year that {happened}?", then),
        (f"When {happened}, who {held}?", then),
        (f"At the time {happened}, who {held}?", then),
        (f"In the year {happened}, who {held}?", then),
        (f"What was the population of {place} when {happened}?", f"What was the population of {place} in #1?"),
        (f"How old was {person} when {happened}?", ""),
    ]  # fmt: skip
    question, last = rng.choice(shapes)
    if last:
        return Draft(question, [(asked, []), (last, [1])])
    return Draft(question, [(f"When was {person} born?", []), (asked, []), (question, [1, 2])])


_GROUPS = [
    ("countries that border {place}", "Which countries border {place}?", "are {}", ["landlocked", "members of the European Union", "in the southern hemisphere"]),
    ("children of {person}", "Who are the children of {person}?", "became {}", ["a doctor", "an actor", "a politician", "a painter"]),
    ("members of {organisation}", "Who are the members of {organisation}?", "also played in {}", ["{organisation}"]),
    ("films directed by {person}", "Which films were directed by {person}?", "won {}", ["an Oscar", "an award", "{event}"]),
    ("books by {person}", "Which books did {person} write?", "were {}", ["made into films", "published after {year}", "banned"]),
    ("cities in {place}", "What are the cities in {place}?", "have {}", ["more than a million inhabitants", "an airport", "a university"]),
    ("winners of {event}", "Who were the winners of {event}?", "were born in {}", ["{place}"]),
    ("players of {organisation}", "Who are the players of {organisation}?", "have {}", ["played for {organisation}", "won {event}"]),
    ("songs on {title}", "Which songs are on {title}?", "were {}", ["written by {person}", "released as singles"]),
    ("products of {organisation}", "What are the products of {organisation}?", "cost {}", ["less than {number} dollars"]),
]  # fmt: skip
_MOST = [
    ("largest", "How large is each of #1?"), ("oldest", "How old is each of #1?"),
    ("most expensive", "What does each of #1 cost?"), ("tallest", "How tall is each of #1?"),
    ("most recent", "When did each of #1 come out?"), ("youngest", "How old is each of #1?"),
]  # fmt: skip


def group(rng: Random) -> Draft:
    """A question about members of a group that is found first."""
    members, listed, verb, ends = rng.choice(_GROUPS)
    members, listed = _both(members, listed, rng)
    what = verb.format(fill(rng.choice(ends), rng))
    shape = rng.random()
    if shape < 0.35:
        question = rng.choice((
            f"Which of the {members} {what}?", f"Which {members} {what}?",
            f"Of the {members}, which {what}?",
        ))  # fmt: skip
        return Draft(question, [(listed, []), (f"Which of #1 {what}?", [1])])
    if shape < 0.6:
        question = f"How many of the {members} {what}?"
        counted = [(f"How many of #1 {what}?", [1])]
        if rng.random() < 0.3:
            counted = [(f"Which of #1 {what}?", [1]), ("How many are #2?", [2])]
        return Draft(question, [(listed, []), *counted])
    most, asked = rng.choice(_MOST)
    question = rng.choice((
        f"Which of the {members} is the {most}?", f"Of the {members}, which is the {most}?",
        f"Of all the {members}, which one is the {most}?",
    ))  # fmt: skip
    return Draft(question, [(listed, []), (asked, [1]), (f"Which of #1 is the {most}?", [1, 2])])


def _both(first: str, second: str, rng: Random) -> tuple[str, str]:
    """Fill two texts with the same names."""
    for hole in dict.fromkeys(re.findall(r"\{(\w+)\}", first)):
        name = make(hole, rng)
        first, second = (text.replace("{" + hole + "}", name) for text in (first, second))
    return first, second
