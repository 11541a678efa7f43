"""What should not be split: single facts, wishes, greetings, definitions, one-step tasks."""

from __future__ import annotations

from random import Random

from .relations import DESCRIPTIONS, FACTS, RELATIONS, fill, make
from .wording import Draft, direct_question, loosen

_WISHES = """Set a timer for {number} minutes.|Write a poem about {thing}.|Translate "{title}" into French.|hello|
Hi there!|Good morning|thanks!|Thank you, that was helpful.|Summarise this text in two sentences.|Tell me a joke about {word}.|
What's the weather like in {place} today?|Turn off the lights in the kitchen.|Remind me to call {person} at 5 pm.|
Play some music by {person}.|Write an email to {person} about the meeting on Friday.|Rename this file to {word}.txt.|
What time is it in {place}?|How do you spell {word}?|What does {word} mean?|What is a {noun}?|Define photosynthesis.|
How do I boil an egg?|Explain recursion in one sentence.|Who are you?|Can you help me?|Book a table for {number} at {organisation}.|
Sort these names alphabetically: {person}, {person}, {person}.|Open the file {word}.py.|Delete the last row.|
What is the opposite of hot?|Give me a synonym for quick.|How many legs does a spider have?|What colour is a ruby?|
What is the boiling point of water?|What is the chemical symbol for gold?|Is water wet?|How many days are in a leap year?|
Write a haiku about {place}.|Correct the spelling in this sentence: I liv in {place}.|Stop.|What is the capital of {place}?|
What is the square root of {number}?|Convert this table to JSON.|Draft a reply to {organisation}.|How do I reset my password?|
What is the default port of PostgreSQL?|Where can I find the log files?|When is the next bus to {place}?|Call {person}.|
What is the deadline for the {word} project?|Who is responsible for the {word} account?|Restart the {word} service.""".replace("\n", "").split("|")  # fmt: skip


def single_fact(rng: Random) -> Draft:
    """One fact about something with a name, or one description turned into a question."""
    shape = rng.random()
    if shape < 0.45:
        kind = rng.choice(list(FACTS))
        fact = rng.choice([fact for fact in FACTS[kind] if "{event}" not in fact])
        question = fill(fact.replace("{}", make(kind, rng)), rng)
    elif shape < 0.75:
        relation = rng.choice(RELATIONS)
        question = direct_question(relation, rng).format(make(relation[0], rng))
    else:
        nouns, _, verbs = rng.choice(DESCRIPTIONS)
        question = f"Which {fill(rng.choice(nouns), rng)} {fill(rng.choice(verbs), rng)}?"
    return Draft(loosen(question, rng))


def wish(rng: Random) -> Draft:
    """A wish, a greeting or a definition."""
    text = fill(rng.choice(_WISHES), rng)
    return Draft(text if rng.random() < 0.8 else text.lower().rstrip(".?!"))
