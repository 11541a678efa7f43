"""What an arithmetic problem is built from: people, things, numbers in figures or words."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random

from ...tools.calculator import calculate, format_number
from . import names
from .wording import Draft

_SMALL = "zero one two three four five six seven eight nine ten eleven twelve".split()
ITEMS = """apples pears eggs cookies muffins books pencils pens marbles stickers tickets cards shirts bottles
candles flowers roses tulips stamps balloons cupcakes bracelets chairs plates shells seeds puzzles
bagels sandwiches notebooks badges coins beads bricks tiles trees carrots lemons mangoes melons fish
chickens ducks sheep toys dolls kites hats scarves socks postcards photos songs pages letters parcels
boxes jars cakes pies pizzas donuts lollipops chocolates peaches plums potatoes tomatoes onions
lamps mugs cups bowls blankets towels keys robots drones cables phones magnets paintings masks""".split()
CONTAINERS = "boxes bags baskets trays shelves packs jars cartons crates rows bundles packets drawers".split()
STUFF = [
    ("rope", "metres", "metres"), ("ribbon", "cm", "centimetres"), ("bag of rice", "kg", "kilograms"), ("barrel of oil", "litres", "litres"),
    ("roll of paper", "feet", "feet"), ("board", "inches", "inches"), ("tank of water", "litres", "litres"), ("sack of flour", "pounds", "pounds"),
    ("block of cheese", "grams", "grams"), ("piece of cloth", "yards", "yards"), ("jug of juice", "cups", "cups"),
]  # fmt: skip
ROLES = "a farmer,a baker,a teacher,the school,a shop,a library,a florist,a carpenter,the club,a tailor,a bookshop,the team,a factory,a café,a fisherman,a painter,the museum,a driver,a gardener,the zoo".split(
    ","
)

_NO_NAMES = {
    *"a another at by each for half he how in it of one she the then there what".split(),
    *_SMALL,
    *ITEMS,
}
"""What a sentence begins with, if not with a name or a figure."""


@dataclass
class Story:
    """A problem as it grows: sentences, and steps as (text, expression, answer)."""

    rng: Random
    sentences: list[str] = field(default_factory=list)
    steps: list[tuple[str, str, str]] = field(default_factory=list)

    def say(self, *ways: str) -> None:
        """Add a sentence, in one of several wordings."""
        self.sentences.append(self.rng.choice(ways))

    def ask(self, expression: str, *ways: str) -> str:
        """Add a step and return its reference, such as `#2`."""
        shown = re.sub(r"#(\d+)", lambda m: f"({self.steps[int(m[1]) - 1][2]})", expression)
        asked = {text for text, _, _ in self.steps}
        text = self.rng.choice([way for way in ways if way not in asked] or ways)
        if text in asked:  # The same words for another step would teach to repeat lines.
            text = f"{text.removesuffix('?')} after that?"
        self.steps.append((text, expression, format_number(calculate(shown))))
        return f"#{len(self.steps)}"

    def value(self, reference: str) -> Fraction:
        """The answer of a step, or the number itself."""
        return Fraction(self.steps[int(reference[1:]) - 1][2] if reference[0] == "#" else reference)

    def draft(self) -> Draft:
        """The finished problem; one step makes an atomic one."""
        self._keep_to_one_currency()
        *_, (last, _, _) = self.steps
        sentences = list(self.sentences)
        asked = last
        if self.rng.random() < 0.12 and sentences and ". " not in sentences[-1]:
            tail = sentences.pop()
            asked = f"If {_low(tail).rstrip('.')}, {_low(last)}"
        question = " ".join([*sentences, asked])
        if len(self.steps) == 1:
            return Draft(question, [], steps=[self.steps[0][1:]])
        lines = [
            (text, sorted({int(k) for k in re.findall(r"#(\d+)", expression)}))
            for text, expression, _ in self.steps
        ]
        return Draft(question, lines, steps=[step[1:] for step in self.steps])

    def _keep_to_one_currency(self) -> None:
        """Dollars and euros can't be added up."""
        told = " ".join([*self.sentences, *(text for text, _, _ in self.steps)])
        if "$" in told or "dollars" in told:
            self.sentences = [text.replace("euros", "dollars") for text in self.sentences]


def number(value: int, rng: Random) -> str:
    """A number as a problem would write it."""
    if 2 <= value <= 12 and rng.random() < 0.3:
        return _SMALL[value]
    return f"{value:,}" if value >= 1000 and rng.random() < 0.5 else str(value)


def hero(rng: Random) -> tuple[str, str]:
    """Somebody: name and pronoun; the name is ready to begin a sentence."""
    if rng.random() < 0.15:
        role = rng.choice(ROLES)
        return role[0].upper() + role[1:], "it" if "the " in role else "she"
    pronoun = rng.choice(("she", "he"))
    title = rng.choice(("Mr. ", "Mrs. ", "Ms. ")) if rng.random() < 0.06 else ""
    return f"{title}{rng.choice(names.LAST)}" if title else names.first_name(rng), pronoun


def in_question(name: str) -> str:
    """The name inside a question: `the farmer` for somebody introduced as `A farmer`."""
    for article in ("A ", "The "):
        if name.startswith(article):
            return "the " + name[len(article) :]
    return name


def money(value: int | str, rng: Random) -> str:
    """A sum of money."""
    return (
        f"${value}"
        if rng.random() < 0.6
        else f"{value} {rng.choice(('dollars', 'dollars', 'euros'))}"
    )


def _low(text: str) -> str:
    word = text.split()[0].lower()
    return text[0].lower() + text[1:] if word in _NO_NAMES else text
