"""Counting problems: what somebody has, gives away, packs, or has more of than another."""

from __future__ import annotations

from random import Random

from . import names
from .story import CONTAINERS, ITEMS, Story, hero, in_question, money, number


def change_of_stock(rng: Random, s: Story) -> None:
    """Something changes several times."""
    name, she = hero(rng)
    who, items = in_question(name), rng.choice(ITEMS)
    start = rng.randint(8, 90)
    s.say(
        f"{name} had {number(start, rng)} {items}.",
        f"{name} has {number(start, rng)} {items}.",
        f"There were {number(start, rng)} {items} in {name}'s room."
        if "a" not in name[:2].lower().split()
        else f"{name} has {number(start, rng)} {items}.",
    )
    now = str(start)
    for _ in range(rng.choice((1, 1, 2, 2, 3))):
        now = _change(rng, s, who, she, items, now)


def _change(rng: Random, s: Story, who: str, she: str, items: str, now: str) -> str:
    left, shape, n = s.value(now), rng.random(), rng.randint(2, 40)
    left_ways = (
        f"How many {items} does {who} have left?",
        f"How many {items} are left?",
        f"How many {items} remain?",
        f"How many {items} does {who} have now?",
    )
    if shape < 0.35:
        s.say(
            f"{she.capitalize()} buys {number(n, rng)} more.",
            f"Then {she} gets {number(n, rng)} more {items}.",
            f"A friend gives {who} {number(n, rng)} more {items}.",
            f"{she.capitalize()} finds another {number(n, rng)} {items}.",
        )
        return s.ask(
            f"{now}+{n}",
            f"How many {items} does {who} have then?",
            f"How many {items} does {who} have after getting {n} more?",
            f"How many {items} does {who} have now?",
            f"How many {items} does {who} have altogether?",
        )
    if shape < 0.7 and left > 4:
        n = rng.randint(1, int(left) - 1)
        verb = rng.choice((
            "gives away", "loses", "sells", "uses", "breaks",
            "gives her sister" if she == "she" else "gives his brother",
        ))  # fmt: skip
        s.say(
            f"{she.capitalize()} {verb} {number(n, rng)} of them.",
            f"Then {she} {verb} {number(n, rng)} {items}.",
        )
        return s.ask(f"{now}-{n}", *left_ways)
    k = rng.choice((2, 3, 4, 5))
    if left % k == 0 and left > k:
        words = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth"}[k]
        told, asked = rng.choice((
            (f"{she.capitalize()} gives {words} of the {items} to a friend.", f"How many {items} does {who} give away?"),
            (f"{words.capitalize()} of the {items} are sold.", f"How many {items} are sold?"),
        ))  # fmt: skip
        s.sentences.append(told)
        gone = s.ask(f"{now}/{k}", asked)
        return s.ask(f"{now}-{gone}", *left_ways)
    s.say(f"Then the number of {items} doubles.", f"{she.capitalize()} buys as many again.")
    return s.ask(
        f"{now}*2", f"How many {items} does {who} have then?", f"How many {items} are there then?"
    )


def groups(rng: Random, s: Story) -> None:
    """Boxes of things, loose ones, and what becomes of them."""
    name, _ = hero(rng)
    who, items, box = in_question(name), rng.choice(ITEMS), rng.choice(CONTAINERS)
    a, b, c = rng.randint(2, 24), rng.randint(2, 40), rng.randint(2, 60)
    s.say(
        f"{name} has {number(a, rng)} {box} with {number(b, rng)} {items} in each.",
        f"{name} bought {number(a, rng)} {box} of {items}. Each holds {number(b, rng)} {items}.",
        f"{name} packs {number(b, rng)} {items} into each of {number(a, rng)} {box}.",
        f"There are {number(a, rng)} {box} of {items}, and each of them contains {number(b, rng)}.",
    )
    total = s.ask(
        f"{a}*{b}",
        f"How many {items} are in the {box}?",
        f"How many {items} are there in all?",
        f"How many {items} are there in the {number(a, rng)} {box}?",
    )
    shape = rng.random()
    if shape < 0.25:
        return
    if shape < 0.45:
        s.say(f"{c} more {items} lie on the table.", f"Another {number(c, rng)} {items} are loose.")
        s.ask(
            f"{total}+{c}",
            f"How many {items} are there altogether?",
            f"How many {items} does {who} have in total?",
        )
    elif shape < 0.65:
        people = rng.choice([d for d in (2, 3, 4, 5, 6, 8, 10, 12) if a * b % d == 0] or [1])
        s.say(
            f"The {items} are shared equally among {number(people, rng)} {rng.choice(('children', 'friends', 'classes', 'tables'))}."
        )
        s.ask(
            f"{total}/{people}",
            f"How many {items} does each get?",
            f"How many {items} are there for each?",
        )
    elif shape < 0.85:
        price = rng.randint(2, 15)
        s.say(
            f"Each of the {items} is sold for {money(price, rng)}.",
            f"One costs {money(price, rng)}.",
        )
        s.ask(
            f"{total}*{price}",
            f"How much do all the {items} bring in?",
            "How much money is that in total?",
            f"How much do the {items} cost altogether?",
        )
    else:
        broken = rng.randint(1, a * b - 1) if a * b > 2 else 1
        s.say(
            f"{number(broken, rng).capitalize()} of the {items} are damaged.",
            f"{broken} of them have to be thrown away.",
        )
        s.ask(
            f"{total}-{broken}",
            f"How many {items} can still be used?",
            f"How many good {items} are left?",
        )


def compared(rng: Random, s: Story) -> None:
    """What one has in terms of what another has; then a sum or a difference."""
    a, b, c = rng.sample(names.FIRST, 3)
    items, x = rng.choice(ITEMS), rng.randint(4, 60)
    verb, past = rng.choice((
        ("have", "has"), ("collect", "collected"), ("sell", "sold"), ("read", "read"),
        ("pick", "picked"), ("bake", "baked"), ("count", "counted"),
    ))  # fmt: skip
    aux = "does" if past == "has" else "did"
    how = lambda who: f"How many {items} {aux} {who} {verb}?"  # noqa: E731
    first = f"{a} {past} {number(x, rng)} {items}."
    n, k = rng.randint(2, 30), rng.choice((2, 3, 4, 5))
    times = {2: ["twice", "two times"], 3: ["three times", "3 times"]}.get(k, [f"{k} times"])
    kinds = [
        (f"{b} {past} {n} more {items} than {a}.", f"{x}+{n}"),
        (f"{b} {past} {rng.choice(times)} as many {items} as {a}.", f"{k}*{x}"),
    ]
    if x > n:
        kinds.append((f"{b} {past} {n} fewer {items} than {a}.", f"{x}-{n}"))
    if x % 2 == 0:
        kinds.append((f"{b} {past} half as many {items} as {a}.", f"{x}/2"))
    second, expression = rng.choice(kinds)
    s.sentences += [first, second] if rng.random() < 0.7 else [second, first]
    other = s.ask(expression, how(b))
    shape = rng.random()
    if shape < 0.2:
        return
    if shape < 0.55:
        s.ask(
            f"{x}+{other}",
            f"How many {items} {aux} they {verb} together?",
            f"How many {items} {aux} {a} and {b} {verb} altogether?",
            f"How many {items} {aux} they {verb} in all?",
        )
    elif shape < 0.75:
        m = rng.randint(2, 20)
        s.say(f"{c} {past} {m} more than {b}.", f"{c} {past} {m} {items} more than {b}.")
        third = s.ask(f"{other}+{m}", how(c))
        if rng.random() < 0.6:
            s.ask(
                f"{x}+{other}+{third}",
                f"How many {items} {aux} the three {verb} together?",
                f"How many {items} {aux} all three of them {verb}?",
            )
    elif s.value(other) > x:
        s.ask(f"{other}-{x}", f"How many more {items} {aux} {b} {verb} than {a}?")
    else:
        s.ask(f"{x}-{other}", f"How many more {items} {aux} {a} {verb} than {b}?")
