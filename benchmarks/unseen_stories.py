"""Arithmetic stories of kinds, things and wordings that no recipe trains on, with their steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from random import Random

from langgraph_decompose.distill.generate import names, to_example
from langgraph_decompose.distill.generate.story import Story
from langgraph_decompose.distill.records import Example


def weather(rng: Random, s: Story) -> None:
    """A temperature over a day."""
    dawn, rise, fall = rng.randint(2, 20), rng.randint(3, 15), rng.randint(1, 9)
    s.say(f"At dawn the thermometer at {names.word(rng)} read {dawn} degrees.")
    s.say(f"By noon it had climbed by {rise} degrees, and by dusk it had dropped again by {fall}.")
    noon = s.ask(f"{dawn}+{rise}", "What did the thermometer read at noon?")
    s.ask(f"{noon}-{fall}", "What did the thermometer read at dusk?")


def tram(rng: Random, s: Story) -> None:
    """Passengers who get on and off."""
    on, off, more = rng.randint(15, 40), rng.randint(2, 12), rng.randint(2, 20)
    s.say(f"A tram leaves the depot with {on} passengers.")
    s.say(f"At the town hall {off} of them get off, and at the harbour {more} people get on.")
    left = s.ask(f"{on}-{off}", "How many passengers are on the tram after the town hall?")
    s.ask(f"{left}+{more}", "How many passengers are on the tram after the harbour?")


def floor(rng: Random, s: Story) -> None:
    """A floor, partly covered, to be paid for by its area."""
    long, wide, rug, price = (
        rng.randint(4, 12), rng.randint(3, 9), rng.randint(2, 10), rng.randint(3, 30),
    )  # fmt: skip
    s.say(f"A hall is {long} metres long and {wide} metres wide; {rug} square metres are carpeted.")
    s.say(f"Varnishing a square metre costs ${price}, and the carpeted part isn't varnished.")
    area = s.ask(f"{long}*{wide}", "What is the area of the hall?")
    bare = s.ask(f"{area}-{rug}", "How many square metres have to be varnished?")
    s.ask(f"{bare}*{price}", "How much does the varnishing cost?")


def league(rng: Random, s: Story) -> None:
    """Points for wins and draws."""
    club, wins, draws = names.word(rng), rng.randint(2, 14), rng.randint(2, 9)
    s.say("In this league a win brings 3 points and a draw 1 point.")
    s.say(f"{club} won {wins} matches and drew {draws}; last year the club had {wins + 1} points.")
    won = s.ask(f"{wins}*3", f"How many points did {club} get for the wins?")
    total = s.ask(f"{won}+{draws}", f"How many points does {club} have this year?")
    s.ask(f"{total}-{wins + 1}", f"By how many points did {club} improve on last year?")


def cistern(rng: Random, s: Story) -> None:
    """Something fills while it leaks."""
    leak, minutes, start = rng.randint(2, 9), rng.randint(3, 20), rng.randint(10, 90)
    flow = leak + rng.randint(2, 12)
    s.say(f"A cistern holds {start} litres.")
    s.say(f"A hose adds {flow} litres a minute while a crack loses {leak} litres a minute.")
    gain = s.ask(f"{flow}-{leak}", "By how many litres does the cistern rise each minute?")
    rise = s.ask(f"{gain}*{minutes}", f"By how many litres does it rise in {minutes} minutes?")
    s.ask(f"{start}+{rise}", f"How many litres does the cistern hold after {minutes} minutes?")


def choirs(rng: Random, s: Story) -> None:
    """Two independent counts, then their sum."""
    a, b, x, y = (rng.randint(2, 12) for _ in range(4))
    s.say(f"The men's choir stands in {a} lines of {b} singers, the women's in {x} lines of {y}.")
    men = s.ask(f"{a}*{b}", "How many singers are in the men's choir?")
    women = s.ask(f"{x}*{y}", "How many singers are in the women's choir?")
    s.ask(f"{men}+{women}", "How many singers are in both choirs together?")


KINDS: tuple[Callable[[Random, Story], None], ...] = (weather, tram, floor, league, cistern, choirs)


def unseen_stories(count: int, seed: int = 0) -> Iterator[Example]:
    """Problems with plans, the same for the same seed; all answers are above 0.

    Example:
        >>> [example] = unseen_stories(1)
        >>> len(example.plan) > 1
        True
    """
    rng, made = Random(seed), 0
    while made < count:
        story = Story(rng)
        rng.choice(KINDS)(rng, story)
        if all(Fraction(answer) > 0 for _, _, answer in story.steps):
            made += 1
            yield to_example(story.draft(), f"unseen:{seed}:{made}", "unseen")
