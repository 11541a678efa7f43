"""Questions over a passage that tells all it takes, so that every line's answer is known.

The facts are made up and stand among others of their kind: an answer has to be found, as nobody
can know it.
"""

from __future__ import annotations

from random import Random

from .relations import RELATIONS, Relation, make, relation_from
from .wording import Draft, loosen, worded

# (kind, how it is told, how it is asked, from, to, ways to compare)
_MEASURES: list[tuple[str, str, str, int, int, list[tuple[str, str]]]] = [
    ("person", "{} was born in {n}", "When was {} born?", 1710, 2004, [
        ("Who was born first, {a} or {b}?", "least"), ("Who is younger, {a} or {b}?", "most"),
        ("Was {a} born before {b}?", "less"), ("How many years older is {a} than {b}?", "below")]),
    ("person", "{} is {n} centimetres tall", "How tall is {}?", 148, 211, [
        ("Who is taller, {a} or {b}?", "most"), ("Is {a} taller than {b}?", "more"),
        ("How many centimetres taller is {a} than {b}?", "above")]),
    ("person", "{} wrote {n} books", "How many books did {} write?", 2, 60, [
        ("Who wrote more books, {a} or {b}?", "most"), ("Did {a} write fewer books than {b}?", "less"),
        ("How many more books did {a} write than {b}?", "above"),
        ("How many books did {a} and {b} write in all?", "both")]),
    ("film", "{} was released in {n}", "When was {} released?", 1921, 2024, [
        ("Which film came out first, {a} or {b}?", "least"), ("Which is more recent, {a} or {b}?", "most"),
        ("Was {a} released before {b}?", "less")]),
    ("film", "{} is {n} minutes long", "How long is {}?", 62, 214, [
        ("Which is longer, {a} or {b}?", "most"), ("Is {a} shorter than {b}?", "less"),
        ("How many minutes longer is {a} than {b}?", "above"),
        ("How many minutes are {a} and {b} together?", "both")]),
    ("place", "{n} people live in {}", "How many people live in {}?", 310, 96000, [
        ("Which has more inhabitants, {a} or {b}?", "most"), ("Does {a} have fewer inhabitants than {b}?", "less"),
        ("How many more people live in {a} than in {b}?", "above")]),
    ("organisation", "{} was founded in {n}", "When was {} founded?", 1790, 2022, [
        ("Which is older, {a} or {b}?", "least"), ("Was {a} founded after {b}?", "more"),
        ("How many years after {b} was {a} founded?", "above")]),
    ("organisation", "{} employs {n} people", "How many people does {} employ?", 3, 8200, [
        ("Which employs more people, {a} or {b}?", "most"), ("Does {a} employ more people than {b}?", "more"),
        ("How many people do {a} and {b} employ in all?", "both")]),
    ("thing", "{} is {n} metres tall", "How tall is {}?", 9, 440, [
        ("Which is taller, {a} or {b}?", "most"), ("Is {a} taller than {b}?", "more"),
        ("How many metres taller is {a} than {b}?", "above")]),
    ("event", "{n} people attended {}", "How many people attended {}?", 40, 71000, [
        ("Which drew more people, {a} or {b}?", "most"), ("Did fewer people attend {a} than {b}?", "less"),
        ("How many people attended {a} and {b} in all?", "both")]),
]  # fmt: skip
_LOOSELY_ASKED = (("song", "person"), ("thing", "organisation"))
"""Where "Who recorded it?" may stand for its composer, of whom alone the passage tells."""
_EXPRESSIONS = {"above": "#{a}-#{b}", "below": "#{b}-#{a}", "both": "#{a}+#{b}"}


def told(rng: Random) -> Draft:
    """A chain of facts, or a comparison of two things or of two that are found first."""
    return rng.choice((_chain, _chain, _comparison))(_Story(rng))


class _Story:
    """A passage and a plan as they grow."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.sentences: list[str] = []
        self.lines: list[tuple[str, list[int]]] = []
        self.steps: list[tuple[str, str]] = []
        self._names: set[str] = set()

    def new(self, kind: str) -> str:
        """Something that the passage doesn't know yet."""
        # "(2004 film)" would contradict what is told of it.
        while (name := make(kind, self.rng)) in self._names or "(" in name:
            pass
        self._names.add(name)
        return name

    def tell(self, fact: str) -> None:
        """Add a sentence to the passage."""
        self.sentences.append(f"{fact[0].upper()}{fact[1:].rstrip('.')}.")  # Jr.

    def ask(self, text: str, needs: list[int], answer: str, expression: str = "") -> str:
        """Add a line to the plan; returns its reference."""
        self.lines.append((text, needs))
        self.steps.append((expression, answer))
        return f"#{len(self.lines)}"

    def draft(self, question: str) -> Draft:
        """The finished question; the passage is in no order."""
        self.rng.shuffle(self.sentences)
        return Draft(loosen(question, self.rng), self.lines, " ".join(self.sentences), self.steps)


def _chain(story: _Story) -> Draft:
    """A question of two to four hops, such as where the director of a film was born."""
    relation = story.rng.choice(RELATIONS)
    phrase = known = reference = story.new(relation[0])
    question, hops = "", story.rng.choice((2, 2, 2, 3, 3, 4))
    for hop in range(hops):
        buried, asked = _worded(story.rng, relation)
        answer = _related(story, buried, known, relation)
        question, phrase = asked.format(phrase), buried.format(phrase)
        needs = [hop] if hop else []
        reference = story.ask(asked.format(reference), needs, answer)
        known, relation = answer, _next(story.rng, relation)
    return story.draft(question)


def _next(rng: Random, last: Relation) -> Relation:
    """A relation that goes on from the last one, and not back: who founded what somebody founded."""
    while (relation := relation_from(rng, last[1]))[1] == last[0]:
        pass
    return relation


def _worded(rng: Random, relation: Relation) -> tuple[str, str]:
    """A relation as it is buried and told, and as it is asked."""
    if relation[:2] in _LOOSELY_ASKED:
        relation = (*relation[:3], [])
    return worded(relation, rng)


def _related(story: _Story, buried: str, known: str, relation: Relation) -> str:
    """Tell a relation of something known, and the same of something else; returns the answer."""
    answer = story.new(relation[1])
    for one, other in ((known, answer), (story.new(relation[0]), story.new(relation[1]))):
        form = buried.format(one)
        story.tell(story.rng.choice((f"{form} is {other}", f"{other} is {form}")))
    return answer


def _comparison(story: _Story) -> Draft:
    rng = story.rng
    kind, fact, each, low, high, ways = rng.choice(_MEASURES)
    (way, verdict), values = rng.choice(ways), rng.sample(range(low, high + 1), 3)
    if verdict in ("above", "below"):
        values[:2] = sorted(values[:2], reverse=verdict == "above")
    phrases, known, references = _compared(story, kind)
    for name, value in zip((*known, story.new(kind)), values, strict=True):
        story.tell(fact.replace("{n}", str(value)).format(name))
    needs = [len(story.lines) + 1, len(story.lines) + 2]
    for reference, value in zip(references, values, strict=False):
        earlier = [int(reference[1:])] if reference[0] == "#" else []
        story.ask(each.format(reference), earlier, str(value))
    question = way.format(a=phrases[0], b=phrases[1])
    expression = _EXPRESSIONS.get(verdict, "").format(a=needs[0], b=needs[1])
    story.ask(question, needs, _verdict(verdict, known, values[0], values[1]), expression)
    return story.draft(question)


def _compared(story: _Story, kind: str) -> tuple[list[str], list[str], list[str]]:
    """Two of a kind: how the question calls them, their names, and how the next lines do."""
    found = [r for r in RELATIONS if r[1] == kind and r[3] and r[0] != kind]
    if not found or story.rng.random() < 0.5:
        names = [story.new(kind), story.new(kind)]
        return names, names, names
    relation = story.rng.choice(found)
    buried, asked = _worded(story.rng, relation)
    sources = [story.new(relation[0]), story.new(relation[0])]
    known = [_related(story, buried, source, relation) for source in sources]
    pairs = zip(sources, known, strict=True)
    references = [story.ask(asked.format(source), [], name) for source, name in pairs]
    return [buried.format(source) for source in sources], known, references


def _verdict(verdict: str, names: list[str], a: int, b: int) -> str:
    results = {
        "least": names[0] if a < b else names[1], "most": names[0] if a > b else names[1],
        "less": "yes" if a < b else "no", "more": "yes" if a > b else "no",
        "above": str(a - b), "below": str(b - a), "both": str(a + b),
    }  # fmt: skip
    return results[verdict]
