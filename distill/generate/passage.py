"""Questions over a passage: short reports with names and figures, and what may be asked of them."""

from __future__ import annotations

from random import Random

from . import comparison, multi_hop, names, practical
from .atomic import single_fact
from .relations import DESCRIPTIONS, fill
from .story import ITEMS
from .wording import Draft

_REPORTS = [
    "{a} {verb} {x} {items} and {b} {verb} {y}.",
    "In {year}, {b} succeeded {a} as head of {org}.",
    "{org} opened its hall in {place} in {year}.",
    "The {doc} allows {x} days; after that a fee of {y} euros is due.",
    "{a}, born in {place}, moved to {place2} in {year} and married {b}.",
    "The ticket costs {x} dollars for adults and {y} for children.",
]


def over_a_passage(rng: Random) -> Draft:
    """A question with a passage before it; its plan asks the passage step by step."""
    if rng.random() < 0.45:
        return _figures(rng)
    makers = (
        multi_hop.chain, comparison.compare, practical.two_in_one, practical.at_work, single_fact,
    )  # fmt: skip
    draft = rng.choice(makers)(rng)
    draft.context = " ".join(_sentence(rng) for _ in range(rng.randint(2, 4)))
    return draft


def _figures(rng: Random) -> Draft:
    """Two people or places with figures that the question combines."""
    a, b, c = names.person(rng), names.person(rng), names.person(rng)
    items = rng.choice(ITEMS)
    verb, base = rng.choice((
        ("sold", "sell"), ("collected", "collect"), ("ordered", "order"), ("planted", "plant"),
        ("delivered", "deliver"),
    ))  # fmt: skip
    x, y, z = (rng.randint(3, 400) for _ in range(3))
    facts = [f"{a} {verb} {x} {items}.", f"{b} {verb} {y} {items}, and {c} {z}.", _sentence(rng)]
    rng.shuffle(facts)
    each = "How many " + items + " did {} " + base + "?"
    question, used = rng.choice((
        (f"How many more {items} did {a} {base} than {b}?", [a, b]),
        (f"Who {verb} more {items}, {a} or {c}?", [a, c]),
        (f"How many {items} did {a}, {b} and {c} {base} together?", [a, b, c]),
        (f"Did {b} {base} more {items} than {c}?", [b, c]),
        (f"How many {items} did {b} and {a} {base} in all?", [b, a]),
        (f"How many {items} did {c} {base}?", []),
    ))  # fmt: skip
    lines: list[tuple[str, list[int]]] = [(each.format(who), []) for who in used]
    if used:
        lines.append((question, list(range(1, len(used) + 1))))
    return Draft(question, lines, context=" ".join(facts))


def _sentence(rng: Random) -> str:
    if rng.random() < 0.4:
        nouns, _, verbs = rng.choice(DESCRIPTIONS)
        return fill(f"The {rng.choice(nouns)} {rng.choice(verbs)}.", rng)
    return rng.choice(_REPORTS).format(
        a=names.person(rng), b=names.person(rng), org=names.organisation(rng), place=names.place(rng), place2=names.place(rng),
        year=names.year(rng), x=rng.randint(2, 90), y=rng.randint(2, 90), items=rng.choice(ITEMS),
        verb=rng.choice(("sold", "counted", "bought")), doc=rng.choice(("contract", "lease", "library card", "warranty")),
    )  # fmt: skip
