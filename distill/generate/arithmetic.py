"""Arithmetic problems in words, with the expression of every step."""

from __future__ import annotations

from random import Random

from . import names
from .counting import change_of_stock, compared, groups
from .prices import percentages, shopping
from .rates import cut_in_parts, journey_or_work, rate
from .story import ITEMS, Story, number
from .wording import Draft


def shares_and_ages(rng: Random, s: Story) -> None:
    """Shares in a ratio, averages, ages."""
    shape = rng.random()
    people = rng.sample(names.FIRST, 3)
    tell = _shares if shape < 0.33 else _average if shape < 0.6 else _ages
    tell(rng, s, *people)


def _shares(rng: Random, s: Story, a: str, b: str, _: str) -> None:
    x, y, part = rng.randint(1, 6), rng.randint(1, 6), rng.randint(2, 20)
    total, items = (x + y) * part, rng.choice(ITEMS)
    s.say(
        f"{a} and {b} share {total} {items} in the ratio {x}:{y}.",
        f"{total} {items} are divided between {a} and {b} in the ratio {x} to {y}.",
    )
    parts = s.ask(f"{x}+{y}", "How many equal parts are there?", "How many parts are there in all?")
    one = s.ask(f"{total}/{parts}", f"How many {items} are in one part?")
    who, share = (a, x) if rng.random() < 0.5 else (b, y)
    s.ask(f"{one}*{share}", f"How many {items} does {who} get?")


def _average(rng: Random, s: Story, a: str, *_: str) -> None:
    values = [rng.randint(5, 95) for _ in range(rng.choice((2, 3, 4)))]
    values[-1] += -sum(values) % len(values)  # Whole on average.
    what, where = rng.choice((
        ("points", "games"), ("marks", "tests"), ("customers", "days"), ("goals", "seasons"),
        ("kilometres", "days"),
    ))  # fmt: skip
    listed = ", ".join(map(str, values[:-1])) + f" and {values[-1]}"
    s.say(
        f"{a} got {listed} {what} in {number(len(values), rng)} {where}.",
        f"In {number(len(values), rng)} {where}, {a} had {listed} {what}.",
    )
    total = s.ask(
        "+".join(map(str, values)),
        f"How many {what} did {a} get in all?",
        f"How many {what} did {a} get in the {len(values)} {where}?",
    )
    s.ask(
        f"{total}/{len(values)}",
        f"What is the average number of {what}?",
        f"How many {what} did {a} get on average?",
    )


def _ages(rng: Random, s: Story, a: str, b: str, c: str) -> None:
    age, d, years = rng.randint(4, 40), rng.randint(2, 30), rng.randint(2, 15)
    s.say(
        f"{a} is {age} years old. {b} is {d} years older.",
        f"{b} is {d} years older than {a}, who is {age}.",
    )
    other = s.ask(f"{age}+{d}", f"How old is {b}?")
    if rng.random() < 0.4:
        s.ask(f"{other}+{years}", f"How old will {b} be in {years} years?")
    elif rng.random() < 0.5:
        s.say(f"{c} is twice as old as {b}.")
        s.ask(f"{other}*2", f"How old is {c}?")
    else:
        s.ask(
            f"{age}+{other}",
            "What is the sum of their ages?",
            f"How old are {a} and {b} together?",
        )


_KINDS = (
    change_of_stock, groups, compared, shopping, rate, percentages, shares_and_ages,
    journey_or_work, cut_in_parts,
)  # fmt: skip


def problem(rng: Random) -> Draft:
    """A problem of one to four steps."""
    story = Story(rng)
    rng.choice(_KINDS)(rng, story)
    if rng.random() < 0.15 and len(story.sentences) >= 1:
        story.sentences.insert(rng.randrange(len(story.sentences) + 1), _aside(rng))
    return story.draft()


def _aside(rng: Random) -> str:
    """A sentence with a number that has nothing to do with the question."""
    who = rng.choice(names.FIRST)
    return rng.choice(
        (
            f"{who} is {rng.randint(5, 60)} years old.",
            f"It is {rng.randint(2, 30)} degrees outside.",
            f"The shop opens at {rng.randint(7, 11)} o'clock.",
            f"{who} lives {rng.randint(2, 20)} km away.",
        )
    )
