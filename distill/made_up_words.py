"""Words that nobody has heard of, in question and plan alike: they can only be copied."""

from __future__ import annotations

import re
from random import Random

from .augment import rewritten
from .generate import names
from .records import Example

_SMALL_WORD = re.compile(r"(?<![\w#'’-])[a-z]{4,}(?![\w'’-])")
_ENDING = re.compile(r"(?:s|es|ed|ing|er|ers|ly)$")
# What says how to count or to ask, and what a number is of.
_KEPT_WORDS = frozenset(
    """about above across added after again against almost along already also altogether
    always among amount another area around average away back because been before behind
    being below between both cent centimeter centimeters centimetre centimetres cents
    century change cheaper combined cost costs could couple daily days decade decreased
    difference dime dimes discount discounted does dollar dollars done double doubled
    doubles down dozen dozens during each earlier earn earned earns eight eighteen eighth
    eighty either eleven else enough equally equals even ever every everyone exactly feet
    fewer fifteen fifth fifty first five foot forty four fourteen fourth from full further
    gain gained gallon gallons given gram grams half halves have height here hour hours
    hundred inch inches including increased inside instead into itself just kilo kilogram
    kilograms kilometer kilometers kilometre kilometres kilos last later least left length
    less liter liters litre litres long longer loss lost many meter meters metre metres
    midnight mile miles million minute minutes month monthly months more most much must
    near need needed needs never next nickel nickels nine nineteen ninety none noon number
    often older once only other others ounce ounces over pair pairs pennies penny percent
    perimeter pint pints pound pounds price prices product profit quart quarter quarterly
    quarters quarts rate rather ratio rectangle reduced remain remainder remained
    remaining remains same save saved saves second seconds seven seventeen seventy share
    shared shares should since sixteen sixth sixty sold some spend spending spends spent
    split splits square still such tenth than that their them then there these they third
    thirds thirteen thirty this those thousand three thrice through till times today
    together total towards triangle triple tripled triples twelve twenty twice under
    unless until upon very week weekday weekend weekly weeks were what when where which
    while whom whose width will with within without would yard yards year yearly years
    younger your""".split()
)


def swap_words(example: Example, rng: Random) -> Example:
    """The example with made-up words in place of some that its question and plan share.

    Nobody has heard of them, so that whatever is written in small letters has to be copied as
    faithfully as a name; endings stay.

    Example:
        >>> line = {"id": 1, "text": "Is basalt softer?", "needs": []}
        >>> swapped = swap_words(Example("1", "Is basalt softer?", plan=(line,)), Random(4))
        >>> swapped.question == swapped.plan[0]["text"], "basalt" in swapped.question
        (True, False)
    """
    asked = set(_SMALL_WORD.findall(example.problem))
    held = {word for line in example.plan for word in _SMALL_WORD.findall(line["text"])}
    forms = {word: _ENDING.sub("", word) for word in sorted(asked | held)}
    used = set(re.findall(r"[a-z]+", f"{example.problem} {example.plan}".lower()))
    stems: dict[str, str] = {}
    for word in sorted(asked & held - _KEPT_WORDS):
        stem = forms[word]
        if len(stem) < 3 or stem in stems or _has_odd_forms(stem, forms) or rng.random() > 0.35:
            continue
        made_up = names.word(rng).lower()
        if made_up not in used:
            stems[stem] = made_up
            used.add(made_up)
    swaps = {w: stems[stem] + w[len(stem) :] for w, stem in forms.items() if stem in stems}
    return rewritten(example, lambda text: _SMALL_WORD.sub(lambda m: swaps.get(m[0], m[0]), text))


def _has_odd_forms(stem: str, forms: dict[str, str]) -> bool:
    """Whether another form may be missed (bake and baked, country and countries), or is kept."""
    return any(
        word[:3] == stem[:3] and (other != stem or word in _KEPT_WORDS)
        for word, other in forms.items()
    )
