"""More questions from one: other names and things, in question and plan alike.

A few thousand written plans teach a small model the style; seen many times over with the same
names they would teach it the names. What is swapped can only be copied. After the
counterfactual substitution of entities in question answering (Longpre et al., 2021,
arXiv 2109.05052).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import cast

from ..evals.grounding import ungrounded_lines
from .generate import names
from .records import Example, Line

_NAME = re.compile(
    r"(?<![\w#])[A-Z][\w'’.-]*[\w](?:(?: (?:of|the|de|von|al|du|la)){0,2} [A-Z0-9][\w'’.-]*\w|"
    r" \([A-Z0-9][^)]{1,30}\)| [A-Z](?!\w))*"
)
_ADJECTIVE = re.compile(r"(?:ian|ish|ese|ican|ench|man|utch|ek|iss)$")
_NOT_NAMES = frozenset(
    """What Which Who Whom Whose When Where Why How Is Are Was Were Do Does Did Can Could Has Have Had
    If In On At The A An Of For From To By With And Or But Then There They He She It His Her Their
    Its Each Every All Both One Two Three Four Five Six Seven Eight Nine Ten This That These Those
    After Before During While Since Until As Should Would Will Compare Tell Find Calculate Given
    Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June
    July August September October November December I We You My Our Your Mr Mrs Ms Dr Between Among
    Name Express Out Per No Not Half Together Altogether Only Some Many Most More So Later Next First
    Second Third Last Also Another Today Yesterday Tomorrow Christmas English""".split()
)


_COUNTED = re.compile(r"(?<![\w.:])(?:[Hh]ow many|\d+|\d+ more) ([a-z]{3,}s)\b")
_NOT_THINGS = frozenset(
    """minutes hours days weeks months years seconds decades centuries times miles feet inches yards
    metres meters kilometres kilometers litres liters gallons ounces pounds grams kilograms tons cups
    dollars cents degrees points percents hundreds thousands millions dozens pairs others ones its his
    has was this less plus always sales savings earnings profits costs expenses taxes wages species
    series news steps ways numbers units rates results totals differences children's
    does goes gets gives makes takes uses buys sells eats needs wants costs euros olds""".split()
)
_THINGS = """acorn album anchor ankle apron arrow axe badger ball bamboo banana band bandage banner barrel
basin bat beam bear bell bench berry bird blade blanket boat bolt book boot bottle bow bracket branch
brick bridge broom brush bucket bug bulb bush button cabin cable cactus cage cake camel camera
candle candy cane canoe car card carpet carriage carrot cart cat chair chest chick chip circle clip
cloak clock cloth cloud clove coat coconut collar comet comic cone contract cork couch cow crab crane
crayon crew crow crown cube cushion daisy desk diary dish doctor dog door dragon drawing dress drum
eagle ear egg elf engine eraser essay fan farmer feather fence fern file finch flag flask flute fork
fossil fox frame frog garden gate gem ghost glove goat gown grape guest guitar hammer hat hawk hen
hinge hook horse hose house insect island jacket jar jewel jug kettle kitten knight knot ladder lake
lantern leaflet lesson letter lily lime lion lizard lock log lorry lunch map mask mat meal medal melon
mirror mole monkey moth motor mouse-trap mule nail napkin necklace needle nest net nurse nut oar olive
orange orchid otter oven owl packet page paddle palm pan parrot patch path peach pearl pebble pen
pepper petal pigeon pillow pin pipe pirate planet plank plant plate player plum poem pond pony poster
pot prize pump pupil puppet quilt rabbit raft rake ramp raven ribbon riddle ring robe robin rock rod
roof rope rose rug ruler sack saddle sailor scarf scooter scroll seal seat shark shed sheet shell ship
shoe shovel singer skirt sleeve snail snake soldier spade spider spoon spring squirrel stamp star statue
stick stone stool story stove straw stream student swan sweater sword table tablet tail tailor teacher
tent ticket tiger tile toad tool torch towel tower toy tractor train tray trophy truck trumpet tulip
tunnel turkey tutor van vase vest video violin visitor wagon wall wallet walnut watch wheel whistle
wig window wing wolf-cub worker worm zebra""".split()


def swap_things(example: Example, rng: Random) -> Example:
    """The example with other things in place of those that are counted.

    Example:
        >>> swapped = swap_things(Example("1", "Ann has 3 apples. How many apples?"), Random(2))
        >>> "apples" in swapped.question
        False
    """
    swaps: dict[str, str] = {}
    texts = "\n".join([example.problem, *(line["text"] for line in example.plan)])
    words = set(re.findall(r"[a-z]+", texts))
    for plural in dict.fromkeys(_COUNTED.findall(example.problem)):
        if plural in _NOT_THINGS or plural in swaps or rng.random() < 0.15:
            continue
        thing = rng.choice(_THINGS)
        if {thing, _plural(thing)} & {*words, *swaps.values()}:
            continue
        swaps[plural] = _plural(thing)
        swaps |= {one: thing for one in _singulars(plural) if one in words}
    if not swaps:
        return example
    pattern = re.compile(r"\b(?:([Aa]n?) )?(" + "|".join(map(re.escape, swaps)) + r")\b")

    def rewrite(text: str) -> str:
        return pattern.sub(lambda m: _with_article(m[1], swaps[m[2]]), text)

    return rewritten(example, rewrite)


def _with_article(article: str | None, noun: str) -> str:
    if not article:
        return noun
    return f"{article[0]}{'n' if noun[0] in 'aeiou' else ''} {noun}"


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def _singulars(plural: str) -> list[str]:
    """What the singular may be: `boxes` of `boxe` or `box`, of which only one is a word."""
    found = [plural[:-1]]
    if plural.endswith("es"):
        found.append(plural[:-2])
    if plural.endswith("ies"):
        found.append(plural[:-3] + "y")
    return found


def swap_names(example: Example, rng: Random) -> Example:
    """The example with other names; names that only its plan knows stay.

    Example:
        >>> swapped = swap_names(Example("1", "Who is Ann Lee's son?"), Random(1))
        >>> "Ann Lee" in swapped.question
        False
    """
    swaps: dict[str, str] = {}
    texts = "\n".join([example.problem, *(line["text"] for line in example.plan)])
    calculated = "expr" in example.meta or any("expr" in line for line in example.plan)
    for found in _NAME.findall(example.problem):
        name = _without_first_word(found)
        if calculated:  # "It takes David 10 minutes": a number to calculate with is no name's.
            name = re.sub(r" \(?\d.*", "", name)
        if name not in swaps and _is_name(name, texts) and rng.random() < 0.85:
            swaps[name] = _nobody_else(name, "\n".join([texts, *swaps.values()]), rng)
    if not swaps:
        return example
    longest_first = sorted(swaps, key=len, reverse=True)
    pattern = re.compile(r"(?<!\w)(" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")
    swapped = rewritten(example, lambda text: pattern.sub(lambda m: swaps[m[1]], text))
    return example if _made_up(swapped) > _made_up(example) else swapped


def _nobody_else(name: str, texts: str, rng: Random) -> str:
    """A new name that the texts don't have yet."""
    new = _like(name, rng)
    while re.search(rf"(?<!\w){re.escape(new)}(?!\w)", texts):
        new = _like(name, rng)
    return new


def _made_up(example: Example) -> int:
    """Lines with a name that isn't the question's, such as half of one that was swapped."""
    return len(ungrounded_lines(example.to_plan(), example.problem))


def _is_name(name: str, texts: str) -> bool:
    """Whether it is a name and not a word that a sentence happens to begin with."""
    if len(name) < 3 or (" " not in name and _ADJECTIVE.search(name)):
        return False
    return bool(re.search(rf"[\w,;:\"'] (?:\"|')?{re.escape(name)}(?!\w)", texts))


def _without_first_word(name: str) -> str:
    """The name without a capitalised word that only begins the sentence."""
    words = name.removesuffix("'s").removesuffix("’s").split()
    while words and (words[0].rstrip(".'’s") in _NOT_NAMES or words[0] in _NOT_NAMES):
        words = words[1:]
        while words and not words[0][0].isupper():
            words = words[1:]
    return " ".join(words) if words and words[0][0].isupper() else ""


def _like(name: str, rng: Random) -> str:
    """A new name of about the same shape."""
    words = name.split()
    if len(words) == 1:
        return names.first_name(rng) if rng.random() < 0.7 else names.word(rng)
    if "(" in name:
        return f"{names.title(rng).split(' (')[0]} {name[name.index('(') :]}"
    makers = (names.person, names.person, names.title, names.organisation, names.place)
    new = rng.choice(makers)(rng).strip('"').removeprefix("the ")
    return new[0].upper() + new[1:]


def rewritten(
    example: Example,
    rewrite: Callable[[str], str],
    in_expression: Callable[[str], str] = lambda text: text,
) -> Example:
    """The example with all its texts rewritten; its expressions in a way of their own."""
    plan = tuple(
        {**line, "text": rewrite(line["text"])}
        | ({"answer": rewrite(line["answer"])} if "answer" in line else {})
        | ({"expr": in_expression(line["expr"])} if "expr" in line else {})
        for line in example.plan
    )
    texts = ("question", "context", "answer", "predicted", "solution")
    changed = {name: rewrite(getattr(example, name)) for name in texts}
    return replace(example, plan=cast("tuple[Line, ...]", plan), **changed)
