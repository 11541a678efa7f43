"""Questions of work and everyday life: choices, causes, two questions in one, checks against rules."""

from __future__ import annotations

from random import Random

from .relations import FACTS, fill, make
from .wording import Draft, loosen

_TOOLS = """PostgreSQL|MongoDB|Redis|Kubernetes|Docker|a monolith|microservices|React|Svelte|Rust|Go|Python|
TypeScript|Kafka|RabbitMQ|a data lake|a spreadsheet|GraphQL|REST|Terraform|serverless functions|a static site|
SQLite|Elasticsearch|a message queue|a vector database|Airflow|Spark|a CDN|a VPN""".replace(
    "\n", ""
).split("|")
_HOUSE = """a heat pump|a gas boiler|solar panels|an electric car|a hybrid|a used car|a gravel bike|wooden floors|
tiles|a wood stove|a dishwasher|an induction hob|a laptop|a tablet|a fixed mortgage|an index fund|a savings account|
renting|buying|a small dog|a cat|a road trip|a night train|a tent|a campervan|a gym membership|running outside|
a slow cooker|an air fryer|a keyboard|a piano""".replace("\n", "").split("|")
_PURPOSE = """for a small team|for a family of four|for a flat in an old house|for an online shop|for a school|
for a beginner|for a city with cold winters|for a company of {number} people|for {number} users|for our new app|
for a trip of two weeks|for a tight budget|for a chat application|for storing logs|for a mobile app""".replace(
    "\n", ""
).split("|")


def choice(rng: Random) -> Draft:
    """A or B for a purpose."""
    a, b = rng.sample(_TOOLS if rng.random() < 0.5 else _HOUSE, 2)
    purpose = fill(rng.choice(_PURPOSE), rng)
    question = rng.choice((
        f"Should I choose {a} or {b} {purpose}?", f"Is {a} or {b} better {purpose}?",
        f"Which is better {purpose}, {a} or {b}?", f"Should we use {a} or {b} {purpose}?",
        f"What is the better choice {purpose}, {a} or {b}?",
    ))  # fmt: skip
    each = rng.choice((
        "What are the strengths and weaknesses of {} %s?", "How well does {} work %s?", "What does {} cost %s?",
        "What are the advantages and disadvantages of {} %s?",
    )) % purpose  # fmt: skip
    return Draft(
        loosen(question, rng), [(each.format(a), []), (each.format(b), []), (question, [1, 2])]
    )


def by_two_measures(rng: Random) -> Draft:
    """Two things compared in two respects: four facts, then the question."""
    a, b = (
        (make("organisation", rng), make("organisation", rng))
        if rng.random() < 0.6
        else rng.sample(_TOOLS + _HOUSE, 2)
    )
    one, two = rng.sample(_RESPECTS, 2)
    question = rng.choice((
        f"Compare {a} and {b} in terms of {one[0]} and {two[0]}.", f"How do {a} and {b} compare in {one[0]} and {two[0]}?",
        f"Compare the {one[0]} and {two[0]} of {a} and {b}.", f"Which of {a} and {b} is better in {one[0]} and {two[0]}?",
    ))  # fmt: skip
    lines = [(r[1].format(thing), []) for thing in (a, b) for r in (one, two)]
    return Draft(loosen(question, rng), [*lines, (question, [1, 2, 3, 4])])


_RESPECTS = [
    ("price", "What is the price of {}?"), ("speed", "How fast is {}?"), ("safety", "How safe is {}?"),
    ("quality", "How good is the quality of {}?"), ("support", "What support does {} offer?"),
    ("running costs", "What are the running costs of {}?"), ("reliability", "How reliable is {}?"),
    ("ease of use", "How easy to use is {}?"), ("energy use", "How much energy does {} use?"),
]  # fmt: skip


def two_in_one(rng: Random) -> Draft:
    """Two questions joined by "and", about one thing or about two."""
    kind = rng.choice([k for k in FACTS if k != "title"])
    first, second = (fill(q, rng) for q in rng.sample(FACTS[kind], 2))
    a = make(kind, rng)
    if rng.random() < 0.3:
        b = make(kind, rng)
        question = f"{first.format(a).rstrip('?')} and {_low(second.format(b))}"
        lines: list[tuple[str, list[int]]] = [(first.format(a), []), (second.format(b), [])]
        return Draft(loosen(question, rng), [*lines, (question, [1, 2])])
    pronoun = {"person": rng.choice(("she", "he"))}.get(kind, "it")
    again = (
        rng.random() < 0.5
        and "{}'" not in second
        and not second.endswith("{}?")
        and " of {}" not in second
    )
    question = f"{first.format(a).rstrip('?')}{rng.choice((', and', ' and'))} {_low(second.format(pronoun if again else a))}"
    return Draft(
        loosen(question, rng), [(first.format(a), []), (second.format(a), []), (question, [1, 2])]
    )


_CAUSES = """the price of {crop} rise|sales fall in {place}|the {thing2} close|the {word} project fail|the server
crash on {day}|the number of bees go down|{organisation} leave {place}|the strike at {organisation} begin|the river
flood in {year}|the currency of {place} lose value|the delivery from {organisation} arrive late|the empire of {place}
fall|the bread go flat|the battery drain so fast|the build break on {day}|the roof leak""".replace(
    "\n", " "
).split("|")
_EFFECTS = """the people there|farmers|the price of bread|our customers|the environment|small shops|the work at
{organisation}|tourism in {place}|the budget for {year}|the team|house prices""".replace(
    "\n", " "
).split("|")


def cause_and_effect(rng: Random) -> Draft:
    """Why something happened and what came of it, or how to mend it."""
    cause, effect = _say(rng.choice(_CAUSES), rng), _say(rng.choice(_EFFECTS), rng)
    why = f"Why did {cause}?"
    if rng.random() < 0.55:
        second = rng.choice((
            f"how did it affect {effect}", f"what did that mean for {effect}",
            f"what were the consequences for {effect}",
        ))  # fmt: skip
        question = f"Why did {cause}, and {second}?"
        asked = loosen(question, rng)
        if rng.random() < 0.5:
            effects = [(f"How did this affect {effect}?", [1]), (question, [1, 2])]
        else:
            effects = [(f"What did #1 mean for {effect}?", [1])]
        return Draft(asked, [(why, []), *effects])
    question, why, mended = rng.choice((
        (f"Why did {cause}, and how can it be prevented?", why, "prevented"),
        (f"Why did {cause} and what can we do about it?", why, "put right"),
        (f"What made {cause} and how could that have been avoided?", f"What made {cause}?", "avoided"),
    ))  # fmt: skip
    return Draft(loosen(question, rng), [(why, []), (f"How can #1 be {mended}?", [1])])


def _say(text: str, rng: Random) -> str:
    extra = {
        "{crop}": "wheat coffee rice cocoa olive-oil".split(),
        "{day}": "Monday Tuesday Friday Sunday".split(),
        "{thing2}": ["factory", "mine", "harbour", "theatre", "old bakery"],
    }
    for hole, words in extra.items():
        text = text.replace(hole, rng.choice(words))
    return fill(text, rng)


_DOCUMENTS = "contract|travel policy|warranty|lease|handbook|insurance policy|price list|tender|data sheet|agreement with {organisation}".split(
    "|"
)
_CLAUSES = [
    ("Does my {thing3} of {number} euros need approval under the {doc}?", ["What does the {doc} say about approval of expenses?", "Is a {thing3} of {number} euros subject to #1?"], [[], [1]]),
    ("We cancelled the {thing3} from {organisation} {number} days before the start; what do we owe according to the {doc}?", ["What does the {doc} say about cancelling {number} days before the start?", "What is the price of the {thing3} from {organisation}?", "How much do we owe {organisation}?"], [[], [], [1, 2]]),
    ("Is the {thing3} that {person} ordered on {date} still covered by the {doc}?", ["How long does the {doc} cover a {thing3}?", "Is the {thing3} that {person} ordered on {date} still covered, given #1?"], [[], [1]]),
    ("According to the {doc}, who must sign for a {thing3} of {number} euros, and is {person} allowed to?", ["Who must sign for a {thing3} of {number} euros according to the {doc}?", "What is the role of {person}?", "Is {person} allowed to sign, given #1 and #2?"], [[], [], [1, 2]]),
    ("Which of our suppliers delivers the {thing3} within {number} days and is certified under the {doc}?", ["Which of our suppliers deliver the {thing3} within {number} days?", "Which of our suppliers are certified under the {doc}?", "Which suppliers are in both #1 and #2?"], [[], [], [1, 2]]),
    ("Did {organisation} sell more of the {thing3} in {year} than {organisation2} did?", ["How many of the {thing3} did {organisation} sell in {year}?", "How many of the {thing3} did {organisation2} sell in {year}?", "Did {organisation} sell more of the {thing3} than {organisation2}?"], [[], [], [1, 2]]),
    ("Who manages the team in which {person} works, and when is that manager's next holiday?", ["In which team does {person} work?", "Who manages #1?", "When is the next holiday of #2?"], [[], [1], [2]]),
    ("What is the phone number of the manager of the shop that sold us the {thing3}?", ["Which shop sold us the {thing3}?", "Who is the manager of #1?", "What is the phone number of #2?"], [[], [1], [2]]),
    ("How does the revenue of {organisation} in {year} compare with that of {organisation2}?", ["What was the revenue of {organisation} in {year}?", "What was the revenue of {organisation2} in {year}?", "How does the revenue of {organisation} in {year} compare with that of {organisation2}?"], [[], [], [1, 2]]),
    ("Which commit broke the {word} test, and who wrote it?", ["Which commit broke the {word} test?", "Who wrote #1?"], [[], [1]]),
    ("Which version of {organisation} fixed the bug reported by {person}, and when was it released?", ["Which version of {organisation} fixed the bug reported by {person}?", "When was #1 released?"], [[], [1]]),
]  # fmt: skip


def at_work(rng: Random) -> Draft:
    """Questions over documents and records of a firm."""
    question, lines, needs = rng.choice(_CLAUSES)
    holes = {
        "{doc}": _say(rng.choice(_DOCUMENTS), rng), "{organisation}": make("organisation", rng), "{organisation2}": make("organisation", rng),
        "{person}": make("person", rng), "{number}": make("number", rng), "{year}": make("year", rng), "{word}": make("word", rng),
        "{date}": f"{rng.randint(1, 28)} {rng.choice('January March May June August October November'.split())}",
        "{thing3}": rng.choice("laptop,course,flight,hotel booking,printer,conference room,phone,desk,truck,pump,licence,camera,sofa,boiler".split(",")),
    }  # fmt: skip
    for hole, name in holes.items():
        question = question.replace(hole, name)
        lines = [line.replace(hole, name) for line in lines]
    return Draft(loosen(question, rng), list(zip(lines, needs, strict=True)))


def _low(text: str) -> str:
    return text[0].lower() + text[1:]
