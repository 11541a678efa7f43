"""Questions that set two or three things side by side, and questions of both-or-neither."""

from __future__ import annotations

from random import Random

from .relations import RELATIONS, make
from .wording import Draft, loosen, worded

# (kind, question about each, ways to compare; {a}, {b} are the two)
_MEASURES: list[tuple[str, list[str], list[str]]] = [
    ("person", ["When was {} born?"], ["Who was born first, {a} or {b}?", "Who is older, {a} or {b}?", "Was {a} or {b} born first?", "Was {a} born before {b}?", "Who was born later, {a} or {b}?", "Who is younger, {a} or {b}?", "Is {a} older than {b}?", "How many years older is {a} than {b}?"]),
    ("person", ["When did {} die?"], ["Who died first, {a} or {b}?", "Did {a} die before {b}?", "Who died earlier, {a} or {b}?", "Did {a} or {b} die first?"]),
    ("person", ["How long did {} live?", "How old was {} at death?"], ["Who lived longer, {a} or {b}?", "Did {a} live longer than {b}?"]),
    ("person", ["How tall is {}?"], ["Who is taller, {a} or {b}?", "Is {a} taller than {b}?", "How much taller is {a} than {b}?"]),
    ("person", ["What is the nationality of {}?", "What nationality is {}?"], ["Do {a} and {b} have the same nationality?", "Were {a} and {b} of the same nationality?", "Do {a} and {b} share the same nationality?", "Are {a} and {b} of the same nationality?"]),
    ("person", ["Which country is {} from?"], ["Are {a} and {b} both from the same country?", "Are {a} and {b} from the same country?"]),
    ("person", ["What is the occupation of {}?", "What was the profession of {}?"], ["Did {a} and {b} have the same occupation?", "What occupation do {a} and {b} share?"]),
    ("person", ["How many books did {} write?"], ["Who wrote more books, {a} or {b}?", "Did {a} write more books than {b}?"]),
    ("person", ["How many goals did {} score?"], ["Who scored more goals, {a} or {b}?", "How many more goals did {a} score than {b}?"]),
    ("film", ["When was {} released?", "When did {} come out?"], ["Which film came out first, {a} or {b}?", "Was {a} released before {b}?", "Which was released earlier, {a} or {b}?", "Which film came out earlier, {a} or {b}?", "Which movie is more recent, {a} or {b}?"]),
    ("film", ["How long is {}?"], ["Which is longer, {a} or {b}?", "Is {a} longer than {b}?"]),
    ("film", ["How much did {} earn?"], ["Which film earned more, {a} or {b}?", "Did {a} make more money than {b}?"]),
    ("film", ["From which country is {}?", "Which country is {} from?"], ["Are {a} and {b} both from the same country?", "Are both {a} and {b} from the same country?", "Are the movies {a} and {b} from the same country?"]),
    ("title", ["What genre is {}?"], ["Are {a} and {b} of the same genre?"]),
    ("place", ["What is the population of {}?", "How many people live in {}?"], ["Which has a larger population, {a} or {b}?", "Does {a} have more inhabitants than {b}?", "Which city has more people, {a} or {b}?", "How many more people live in {a} than in {b}?", "Is {a} bigger than {b}?"]),
    ("place", ["What is the area of {}?", "How large is {}?"], ["Which is larger, {a} or {b}?", "Is {a} larger than {b}?", "Which country is bigger, {a} or {b}?"]),
    ("place", ["In which country is {}?", "In which country is {} located?"], ["Are {a} and {b} in the same country?", "Are both {a} and {b} located in the same country?", "Are {a} and {b} both located in the same country?"]),
    ("place", ["How far north is {}?", "At which latitude is {}?"], ["Which is farther north, {a} or {b}?", "Is {a} farther north than {b}?"]),
    ("place", ["How high is {}?"], ["Which city lies higher, {a} or {b}?"]),
    ("organisation", ["When was {} founded?"], ["Which was founded first, {a} or {b}?", "Was {a} founded before {b}?", "Which company is older, {a} or {b}?", "Which is older, {a} or {b}?"]),
    ("organisation", ["How many employees does {} have?"], ["Which has more employees, {a} or {b}?", "Does {a} employ more people than {b}?"]),
    ("organisation", ["In which country is {} based?"], ["Are {a} and {b} based in the same country?", "Are both {a} and {b} from the same country?"]),
    ("organisation", ["What does a subscription to {} cost?", "What does {} cost a month?"], ["Which is cheaper, {a} or {b}?", "Is {a} cheaper than {b}?", "How much cheaper is {a} than {b}?"]),
    ("organisation", ["How many albums has {} released?"], ["Which band has released more albums, {a} or {b}?"]),
    ("thing", ["How tall is {}?", "How high is {}?"], ["Which is taller, {a} or {b}?", "Is {a} taller than {b}?", "How much taller is {a} than {b}?"]),
    ("thing", ["How long is {}?"], ["Which is longer, {a} or {b}?", "Is {a} longer than {b}?"]),
    ("thing", ["When was {} built?", "When did {} open?"], ["Which was built first, {a} or {b}?", "Did {a} open before {b}?", "Which opened earlier, {a} or {b}?"]),
    ("thing", ["How many visitors does {} have each year?"], ["Which has more visitors, {a} or {b}?", "Does {a} get more visitors than {b}?"]),
    ("event", ["When did {} take place?"], ["Which came first, {a} or {b}?", "Did {a} take place before {b}?", "How many years passed between {a} and {b}?"]),
    ("event", ["How many people attended {}?"], ["Which drew more people, {a} or {b}?"]),
]  # fmt: skip
_THINGS: str = """an elephant|a blue whale|a cheetah|a horse|a bicycle|a laptop|a bus|a football pitch|an
orange|a banana|a light year|a marathon|a mile|a litre of water|a kilo of gold|a human|a cat|an ant|a
goldfish|a snail|a tortoise|a car|a helicopter|a computer|a bear|a wolf|a gorilla|a penguin|a
refrigerator|a hot-air balloon|a tiger|a cow|an eagle|a train|a sailing boat|a double-decker bus|a
candle|a brick|an ostrich|a polar bear"""
_COMMON = _THINGS.replace("\n", " ").split("|")
_EVERYDAY: list[tuple[str, list[str]]] = [
    ("How heavy is {}?", ["Which is heavier, {a} or {b}?", "Is {a} heavier than {b}?", "Does {a} weigh more than {b}?", "Would {a} outweigh {b}?"]),
    ("How fast is {}?", ["Which is faster, {a} or {b}?", "Could {a} outrun {b}?", "Is {a} faster than {b}?"]),
    ("How long does {} live?", ["Which lives longer, {a} or {b}?", "Does {a} live longer than {b}?"]),
    ("How large is {}?", ["Would {a} fit inside {b}?", "Is {a} larger than {b}?", "Could {a} fit into {b}?", "Which is bigger, {a} or {b}?"]),
    ("How much does {} cost?", ["Which costs more, {a} or {b}?", "Is {a} more expensive than {b}?"]),
    ("How much energy does {} need in a day?", ["Which needs more energy in a day, {a} or {b}?"]),
    ("How many calories does {} have?", ["Does {a} have more calories than {b}?"]),
]  # fmt: skip


def compare(rng: Random) -> Draft:
    """Two things by one measure; now and then three."""
    if rng.random() < 0.2:
        each, ways = rng.choice(_EVERYDAY)
        one, two, third = rng.sample(_COMMON, 3)
        things = [one, two]
    else:
        kind, asked, ways = rng.choice(_MEASURES)
        each = rng.choice(asked)
        things, third = _alike(kind, rng), make(kind, rng)
    way = rng.choice(ways)
    if ", {a} or {b}" in way and rng.random() < 0.18:
        things.append(third)
        listed = f", {things[0]}, {things[1]} or {third}"
        question = way.replace(", {a} or {b}", listed)
    else:
        question = way.replace("{a}", things[0]).replace("{b}", things[1])
    question = _turned(question, rng)
    lines: list[tuple[str, list[int]]] = [(each.format(thing), []) for thing in things]
    lines.append((question, list(range(1, len(things) + 1))))
    return Draft(loosen(question, rng), lines)


def compare_related(rng: Random) -> Draft:
    """Two things by a fact about somebody related to each: five lines."""
    relation = rng.choice(
        [r for r in RELATIONS if r[1] in ("person", "place") and r[3] and r[0] != "person"]
    )
    kind, target = relation[:2]
    form, direct = worded(relation, rng)
    a, b = make(kind, rng), make(kind, rng)
    fact, ways = rng.choice(_RELATED[target])
    way = rng.choice(ways)
    question = way.replace("{a}", form.format(a)).replace("{b}", form.format(b))
    if kind == "film" and "director" in form and rng.random() < 0.5:
        question, fact = _by_director(a, b, rng)
    lines: list[tuple[str, list[int]]] = [
        (direct.format(a), []), (direct.format(b), []),
        (fact.format("#1"), [1]), (fact.format("#2"), [2]), (question, [3, 4]),
    ]  # fmt: skip
    return Draft(loosen(question, rng), lines)


_RELATED = {
    "person": [
        ("What is the nationality of {}?", ["Do {a} and {b} have the same nationality?", "Do {a} and {b} share the same nationality?"]),
        ("Which country is {} from?", ["Are {a} and {b} from the same country?", "Are both {a} and {b} from the same country?"]),
        ("When was {} born?", ["Who was born first, {a} or {b}?", "Is {a} older than {b}?", "Was {a} born before {b}?"]),
        ("When did {} die?", ["Who died first, {a} or {b}?", "Did {a} die before {b}?"]),
        ("Where was {} born?", ["Were {a} and {b} born in the same city?"]),
    ],
    "place": [
        ("What is the population of {}?", ["Which is larger, {a} or {b}?", "Does {a} have more people than {b}?"]),
        ("On which continent is {}?", ["Are {a} and {b} on the same continent?"]),
        ("When was {} founded?", ["Which was founded earlier, {a} or {b}?"]),
    ],
}  # fmt: skip


def _by_director(a: str, b: str, rng: Random) -> tuple[str, str]:
    a, b = (film.removeprefix("the film ").removeprefix("the movie ") for film in (a, b))
    shapes = [
        (f"Which film has the director who died {{}}, {a} or {b}?", "When did {} die?", ("first", "earlier", "later")),
        (f"Which film has the director who was born {{}}, {a} or {b}?", "When was {} born?", ("first", "earlier", "later")),
        (f"Which film has the director who is {{}}, {a} or {b}?", "When was {} born?", ("older", "younger")),
        (f"Do both films {a} and {b} have the directors {{}}?", "What nationality is {}?", ("that share the same nationality",)),
        (f"Do both films, {a} and {b}, have {{}}?", "Which country is {} from?", ("the directors who are from the same country",)),
        (f"Do the directors of films {a} and {b} {{}}?", "What is the nationality of {}?", ("have the same nationality", "share the same nationality")),
        (f"Are both directors of films {a} and {b} {{}}?", "Which country is {} from?", ("from the same country",)),
    ]  # fmt: skip
    question, fact, how = rng.choice(shapes)
    return question.format(rng.choice(how)), fact


def overlap(rng: Random) -> Draft:
    """What two sets have in common."""
    what, listed, kind = rng.choice(_SETS)
    a, b = _alike(kind, rng)
    noun = what.split(" {}")[0]
    question = rng.choice(
        [f"Which {what.format(f'both {a} and {b}')}?", f"Which {what.format(f'{a} and also {b}')}?"]
    )
    if rng.random() < 0.2:
        question = f"How many {what.format(f'both {a} and {b}')}?"
        last = f"How many {noun.split()[0]} are in both #1 and #2?"
    else:
        last = f"Which {noun.split()[0]} are in both #1 and #2?"
    return Draft(
        loosen(question, rng), [(listed.format(a), []), (listed.format(b), []), (last, [1, 2])]
    )


_SETS = [
    ("countries border {}", "Which countries border {}?", "place"),
    ("rivers flow through {}", "Which rivers flow through {}?", "place"),
    ("languages are spoken in {}", "Which languages are spoken in {}?", "place"),
    ("actors appeared in {}", "Which actors appeared in {}?", "title"),
    ("players have played for {}", "Which players have played for {}?", "organisation"),
    ("films star {}", "Which films star {}?", "person"),
    ("awards were won by {}", "Which awards were won by {}?", "person"),
    ("musicians recorded with {}", "Which musicians recorded with {}?", "person"),
    ("customers bought from {}", "Which customers bought from {}?", "organisation"),
    ("airlines fly to {}", "Which airlines fly to {}?", "place"),
    ("formats are supported by {}", "Which formats are supported by {}?", "organisation"),
    ("students take classes at {}", "Which students take classes at {}?", "organisation"),
]


def lifetime(rng: Random) -> Draft:
    """Whether somebody could have known something, by dates."""
    a = make("person", rng)
    event, asked, kind = rng.choice(_COULD)
    b = make(kind, rng)
    question = event.format(a=a, b=b)
    first = rng.choice((f"When did {a} die?", f"When did {a} live?"))
    last = question if rng.random() < 0.5 else "Is #2 before #1?" if "die" in first else question
    return Draft(loosen(question, rng), [(first, []), (asked.format(b), []), (last, [1, 2])])


_COULD = [
    ("Could {a} have read {b}?", "When was {} published?", "book"),
    ("Could {a} have seen {b}?", "When was {} released?", "film"),
    ("Could {a} have visited {b}?", "When was {} built?", "thing"),
    ("Did {a} live to see {b}?", "When did {} take place?", "event"),
    ("Was {a} alive during {b}?", "When did {} take place?", "event"),
    ("Could {a} have worked for {b}?", "When was {} founded?", "organisation"),
    ("Could {a} have met {b}?", "When did {} live?", "person"),
]


def _alike(kind: str, rng: Random) -> list[str]:
    """Two of a kind, named in the same manner."""
    a, b = make(kind, rng), make(kind, rng)
    for word in ("the film ", "the movie ", "the novel ", "the book "):
        if a.startswith(word) != b.startswith(word):
            a, b = a.removeprefix(word), b.removeprefix(word)
    return [a, b]


def _turned(question: str, rng: Random) -> str:
    """`Of A and B, which is taller?` for `Which is taller, A or B?`, now and then."""
    head, comma, tail = question.partition(", ")
    if not comma or rng.random() > 0.15 or not question.startswith(("Which", "Who")):
        return question
    things = tail.rstrip("?").replace(" or ", " and ")
    return f"{rng.choice(('Of', 'Between')) if ',' not in things else 'Of'} {things}, {head[0].lower()}{head[1:]}?"
