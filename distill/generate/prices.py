"""Problems of prices: purchases with change, discounts and rises."""

from __future__ import annotations

from random import Random

from .story import ITEMS, Story, hero, in_question, money, number


def shopping(rng: Random, s: Story) -> None:
    """Two kinds of goods, a total, then change, a discount or a share."""
    name, she = hero(rng)
    who = in_question(name)
    one, two = rng.sample(ITEMS, 2)
    a, b, p, q = rng.randint(2, 12), rng.randint(2, 12), rng.randint(1, 20), rng.randint(1, 20)
    price = lambda v: money(v, rng)  # noqa: E731
    s.say(
        f"{name} buys {number(a, rng)} {one} at {price(p)} each and {number(b, rng)} {two} at {price(q)} each.",
        f"{name} bought {number(a, rng)} {one} for {price(p)} each and {number(b, rng)} {two} for {price(q)} apiece.",
        f"{one.capitalize()} cost {price(p)} each and {two} cost {price(q)} each. {name} buys {number(a, rng)} {one} and {number(b, rng)} {two}.",
    )
    did = "did" if "bought" in s.sentences[0] else "do"
    first = s.ask(f"{a}*{p}", f"How much {did} the {one} cost?", f"What {did} the {one} cost?")
    second = s.ask(f"{b}*{q}", f"How much {did} the {two} cost?", f"What {did} the {two} cost?")
    total = s.ask(
        f"{first}+{second}",
        f"How much does {who} spend in total?",
        f"How much does {who} pay altogether?",
        f"What do the {one} and {two} cost together?",
        "How much does everything cost?",
    )
    shape, cost = rng.random(), a * p + b * q
    if shape < 0.35:
        return
    if shape < 0.7:
        paid = next(n for n in (20, 50, 100, 200, 500, 1000) if n > cost)
        told, asked = rng.choice((
            (f"{she.capitalize()} pays with a ${paid} bill.", f"How much change does {who} get?"),
            (f"{she.capitalize()} gives the cashier {money(paid, rng)}.", f"How much change does {who} get?"),
            (f"{she.capitalize()} had {money(paid, rng)}.", f"How much money does {who} have left?"),
        ))  # fmt: skip
        s.sentences.append(told)
        s.ask(f"{paid}-{total}", asked)
    else:
        off = rng.randint(1, cost - 1) if cost > 2 else 1
        s.say(
            f"A coupon takes {money(off, rng)} off.",
            f"The shop gives a discount of {money(off, rng)}.",
        )
        s.ask(
            f"{total}-{off}",
            f"How much does {who} pay after the discount?",
            f"How much does {who} pay in the end?",
        )


def percentages(rng: Random, s: Story) -> None:
    """A part in per cent, a discount or a rise, and the rest."""
    name, _ = hero(rng)
    percent, base = rng.choice((5, 10, 15, 20, 25, 30, 40, 50, 60, 75)), rng.randint(2, 40) * 20
    shown = f"{percent}{rng.choice(('%', '%', '%', ' percent'))}"
    part = f"{base}*{percent}/100"
    if rng.random() < 0.5:
        items = rng.choice(
            ("students", "members", "seats", "trees", "cars", "visitors", *ITEMS[:20])
        )
        what = rng.choice(
            ("red", "new", "old", "sold", "ripe", "damaged", "missing", "small", "free")
        )
        s.say(
            f"There are {number(base, rng)} {items}, and {shown} of them are {what}.",
            f"Of {number(base, rng)} {items}, {shown} are {what}.",
            f"{shown} of the {number(base, rng)} {items} are {what}.",
        )
        such = s.ask(part, f"How many {items} are {what}?")
        if rng.random() < 0.6:
            s.ask(f"{base}-{such}", f"How many {items} are not {what}?")
        return
    item = rng.choice(
        ("coat", "bicycle", "laptop", "sofa", "ticket", "phone", "lamp", "watch", "camera", "table")
    )
    if rng.random() < 0.6:
        s.say(
            f"A {item} costs {money(base, rng)}. In the sale it is {shown} cheaper.",
            f"{name} buys a {item} for {money(base, rng)} with a discount of {shown}.",
            f"The price of a {item} is {money(base, rng)}, but there is {shown} off.",
        )
        off = s.ask(
            part,
            "How much is the discount?",
            f"By how much is the {item} reduced?",
            f"How many dollars are taken off the {item}?",
        )
        s.ask(
            f"{base}-{off}",
            f"What is the price of the {item} after the discount?",
            f"How much does the {item} cost now?",
            f"How much does the {item} cost after the discount?",
        )
    else:
        told, what = rng.choice((
            (f"The rent of {money(base, rng)} rises by {shown}.", "rent"),
            (f"A worker who earned {money(base, rng)} gets a raise of {shown}.", "pay"),
            (f"The price of a {item}, {money(base, rng)}, goes up by {shown}.", f"price of the {item}"),
        ))  # fmt: skip
        s.sentences.append(told)
        up = s.ask(part, f"By how much does the {what} rise?", "How much is the increase?")
        s.ask(f"{base}+{up}", f"What is the new {what}?")
