"""Arithmetic problems in words, with the expression of every step."""

from __future__ import annotations

from random import Random

from . import names
from .story import CONTAINERS, ITEMS, STUFF, Story, hero, in_question, money, number
from .wording import Draft


def _had(rng: Random, s: Story) -> None:
    """Something changes several times."""
    name, she, _ = hero(rng)
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
        verb = rng.choice(
            (
                "gives away",
                "loses",
                "sells",
                "uses",
                "breaks",
                "gives her sister" if she == "she" else "gives his brother",
            )
        )
        s.say(
            f"{she.capitalize()} {verb} {number(n, rng)} of them.",
            f"Then {she} {verb} {number(n, rng)} {items}.",
        )
        return s.ask(f"{now}-{n}", *left_ways)
    k = rng.choice((2, 3, 4, 5))
    if left % k == 0 and left > k:
        words = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth"}[k]
        s.say(
            f"{she.capitalize()} gives {words} of the {items} to a friend.",
            f"{words.capitalize()} of the {items} are sold.",
        )
        gone = s.ask(
            f"{now}/{k}",
            f"How many {items} does {who} give away?"
            if "gives" in s.sentences[-1]
            else f"How many {items} are sold?",
        )
        return s.ask(f"{now}-{gone}", *left_ways)
    s.say(f"Then the number of {items} doubles.", f"{she.capitalize()} buys as many again.")
    return s.ask(
        f"{now}*2", f"How many {items} does {who} have then?", f"How many {items} are there then?"
    )


def _groups(rng: Random, s: Story) -> None:
    """Boxes of things, loose ones, and what becomes of them."""
    name, _she, _ = hero(rng)
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


def _compared(rng: Random, s: Story) -> None:
    """What one has in terms of what another has; then a sum or a difference."""
    a, b, c = rng.sample(names.FIRST, 3)
    items, x = rng.choice(ITEMS), rng.randint(4, 60)
    verb, past = rng.choice(
        (
            ("have", "has"),
            ("collect", "collected"),
            ("sell", "sold"),
            ("read", "read"),
            ("pick", "picked"),
            ("bake", "baked"),
            ("count", "counted"),
        )
    )
    aux = "does" if past == "has" else "did"
    how = lambda who: f"How many {items} {aux} {who} {verb}?"  # noqa: E731
    first = f"{a} {past} {number(x, rng)} {items}."
    n, k = rng.randint(2, 30), rng.choice((2, 3, 4, 5))
    kinds = [
        (f"{b} {past} {n} more {items} than {a}.", f"{x}+{n}"),
        (
            f"{b} {past} {rng.choice({2: ['twice', 'two times'], 3: ['three times', '3 times']}.get(k, [f'{k} times']))} as many {items} as {a}.",
            f"{k}*{x}",
        ),
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


def _shopping(rng: Random, s: Story) -> None:
    """Two kinds of goods, a total, then change, a discount or a share."""
    name, she, _ = hero(rng)
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
        s.say(
            f"{she.capitalize()} pays with a ${paid} bill.",
            f"{she.capitalize()} gives the cashier {money(paid, rng)}.",
            f"{she.capitalize()} had {money(paid, rng)}.",
        )
        s.ask(
            f"{paid}-{total}",
            f"How much change does {who} get?"
            if "had" not in s.sentences[-1]
            else f"How much money does {who} have left?",
        )
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


def _rate(rng: Random, s: Story) -> None:
    """So much a day, for days or weeks; a goal or a use."""
    name, she, _ = hero(rng)
    who = in_question(name)
    a, n = rng.randint(2, 40), rng.randint(2, 12)
    per, verb, unit = rng.choice(
        (
            ("day", "reads", "pages"),
            ("day", "walks", "km"),
            ("hour", "makes", "bracelets"),
            ("week", "saves", "$"),
            ("hour", "earns", "$"),
            ("day", "runs", "miles"),
            ("month", "pays", "$"),
            ("day", "sells", "sandwiches"),
            ("minute", "types", "words"),
            ("hour", "picks", "apples"),
            ("day", "drinks", "glasses of water"),
            ("week", "bakes", "cakes"),
            ("hour", "washes", "cars"),
        )
    )
    amount = f"${a}" if unit == "$" else f"{number(a, rng)} {unit}"
    base = (
        verb[:-1]
        if verb[-2:] != "es" or verb in ("makes", "types", "bakes", "saves")
        else verb[:-2]
    )
    how = "How much" if unit == "$" else f"How many {unit}"
    s.say(
        f"{name} {verb} {amount} every {per}.",
        f"{name} {verb} {amount} a {per}.",
        f"Each {per}, {in_question(name)} {verb} {amount}.",
    )
    if rng.random() < 0.3 and per == "day":
        weeks = rng.randint(2, 6)
        s.say(f"{she.capitalize()} does this for {number(weeks, rng)} weeks.")
        days = s.ask(
            f"{weeks}*7",
            f"How many days are in {weeks} weeks?",
            f"For how many days does {who} do this?",
        )
        total = s.ask(
            f"{a}*{days}",
            f"{how} does {who} {base} in {weeks} weeks?",
            f"{how} does {who} {base} in all?",
        )
    elif rng.random() < 0.6:
        total = s.ask(f"{a}*{n}", f"{how} does {who} {base} in {n} {per}s?")
    else:
        goal = a * n
        s.say(
            f"{she.capitalize()} wants to reach {'$' if unit == '$' else ''}{goal}{'' if unit == '$' else ' ' + unit}.",
            f"{she.capitalize()} needs {'$' if unit == '$' else ''}{goal}{'' if unit == '$' else ' ' + unit} in all.",
        )
        have = a * rng.randint(0, n - 1)
        if have and rng.random() < 0.6:
            s.say(
                f"{she.capitalize()} already has {'$' if unit == '$' else ''}{have}{'' if unit == '$' else ' ' + unit}."
            )
            rest = s.ask(f"{goal}-{have}", f"{how} does {who} still need?")
            s.ask(
                f"{rest}/{a}",
                f"How many {per}s will it take?",
                f"How many more {per}s does {who} need?",
            )
        else:
            s.ask(
                f"{goal}/{a}", f"How many {per}s will it take?", f"How many {per}s does {who} need?"
            )
        return
    shape = rng.random()
    if shape < 0.3:
        gone = rng.randint(1, max(1, int(s.value(total)) - 1))
        if unit == "$":
            s.say(
                f"{she.capitalize()} spends ${gone} on a present.",
                f"Then {she} pays ${gone} for a coat.",
            )
            s.ask(f"{total}-{gone}", f"How much money does {who} have left?")
    elif shape < 0.5:
        other, b = rng.choice(names.FIRST), rng.randint(2, 40)
        s.say(
            f"{other} {verb} {'$' if unit == '$' else ''}{b}{'' if unit == '$' else ' ' + unit} every {per}."
        )
        mult = s.steps[-1][1].split("*")[1]
        more = s.ask(
            f"{b}*{mult}",
            f"{how} does {other} {base} in the same time?",
            f"{how} does {other} {base} in that time?",
        )
        s.ask(
            f"{total}+{more}",
            f"{how} do {who} and {other} {base} together?",
            f"{how} do they {base} together?",
        )


def _percent(rng: Random, s: Story) -> None:
    """A part in per cent, a discount or a rise, and the rest."""
    name, _, _ = hero(rng)
    percent, base = rng.choice((5, 10, 15, 20, 25, 30, 40, 50, 60, 75)), rng.randint(2, 40) * 20
    sign = rng.choice(("%", "%", "%", " percent"))
    if rng.random() < 0.5:
        items = rng.choice(
            ("students", "members", "seats", "trees", "cars", "visitors", *ITEMS[:20])
        )
        what = rng.choice(
            ("red", "new", "old", "sold", "ripe", "damaged", "missing", "small", "free")
        )
        s.say(
            f"There are {number(base, rng)} {items}, and {percent}{sign} of them are {what}.",
            f"Of {number(base, rng)} {items}, {percent}{sign} are {what}.",
            f"{percent}{sign} of the {number(base, rng)} {items} are {what}.",
        )
        part = s.ask(f"{base}*{percent}/100", f"How many {items} are {what}?")
        if rng.random() < 0.6:
            s.ask(f"{base}-{part}", f"How many {items} are not {what}?")
        return
    item = rng.choice(
        ("coat", "bicycle", "laptop", "sofa", "ticket", "phone", "lamp", "watch", "camera", "table")
    )
    shape = rng.random()
    if shape < 0.6:
        s.say(
            f"A {item} costs {money(base, rng)}. In the sale it is {percent}{sign} cheaper.",
            f"{name} buys a {item} for {money(base, rng)} with a discount of {percent}{sign}.",
            f"The price of a {item} is {money(base, rng)}, but there is {percent}{sign} off.",
        )
        off = s.ask(
            f"{base}*{percent}/100",
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
        s.say(
            f"The rent of {money(base, rng)} rises by {percent}{sign}.",
            f"A worker who earned {money(base, rng)} gets a raise of {percent}{sign}.",
            f"The price of a {item}, {money(base, rng)}, goes up by {percent}{sign}.",
        )
        what = (
            "rent"
            if "rent" in s.sentences[0]
            else "pay"
            if "worker" in s.sentences[0]
            else f"price of the {item}"
        )
        up = s.ask(
            f"{base}*{percent}/100",
            f"By how much does the {what} rise?",
            "How much is the increase?",
        )
        s.ask(f"{base}+{up}", f"What is the new {what}?")


def _ratio_average_age(rng: Random, s: Story) -> None:
    """Shares in a ratio, averages, ages."""
    shape = rng.random()
    a, b, c = rng.sample(names.FIRST, 3)
    if shape < 0.33:
        x, y, part, items = (
            rng.randint(1, 6),
            rng.randint(1, 6),
            rng.randint(2, 20),
            rng.choice(ITEMS),
        )
        total = (x + y) * part
        s.say(
            f"{a} and {b} share {total} {items} in the ratio {x}:{y}.",
            f"{total} {items} are divided between {a} and {b} in the ratio {x} to {y}.",
        )
        parts = s.ask(
            f"{x}+{y}", "How many equal parts are there?", "How many parts are there in all?"
        )
        one = s.ask(f"{total}/{parts}", f"How many {items} are in one part?")
        s.ask(f"{one}*{x}", f"How many {items} does {a} get?") if rng.random() < 0.5 else s.ask(
            f"{one}*{y}", f"How many {items} does {b} get?"
        )
    elif shape < 0.6:
        values = [rng.randint(5, 95) for _ in range(rng.choice((2, 3, 4)))]
        values[-1] += -sum(values) % len(values)  # Whole on average.
        what, where = rng.choice(
            (
                ("points", "games"),
                ("marks", "tests"),
                ("customers", "days"),
                ("goals", "seasons"),
                ("kilometres", "days"),
            )
        )
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
    else:
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


def _journey_work(rng: Random, s: Story) -> None:
    """Speed and time, minutes and hours, profit, groups of seats."""
    name, _she, _ = hero(rng)
    who, shape = in_question(name), rng.random()
    if shape < 0.3:
        v, t, w, u = rng.randint(3, 90), rng.randint(2, 8), rng.randint(3, 90), rng.randint(2, 8)
        unit, full = rng.choice(
            (("km/h", "kilometres"), ("miles per hour", "miles"), ("km an hour", "km"))
        )
        s.say(
            f"{name} drives {number(t, rng)} hours at {v} {unit} and then {number(u, rng)} hours at {w} {unit}.",
            f"{name} travels at {v} {unit} for {number(t, rng)} hours, then at {w} {unit} for {number(u, rng)} hours.",
        )
        one = s.ask(
            f"{v}*{t}",
            f"How many {full} does {who} cover in the first {t} hours?",
            f"How far does {who} go in the first part?",
        )
        two = s.ask(
            f"{w}*{u}",
            f"How many {full} does {who} cover in the next {u} hours?",
            f"How far does {who} go in the second part?",
        )
        s.ask(
            f"{one}+{two}",
            f"How many {full} does {who} travel in all?",
            f"How far does {who} travel altogether?",
        )
    elif shape < 0.55:
        m, n = rng.randint(2, 30) * 2, rng.randint(2, 30)
        task, done = rng.choice(
            (
                ("paint a chair", "chairs"),
                ("bake a cake", "cakes"),
                ("wash a car", "cars"),
                ("repair a bicycle", "bicycles"),
                ("write a letter", "letters"),
                ("iron a shirt", "shirts"),
            )
        )
        s.say(f"It takes {who} {m} minutes to {task}.", f"{name} needs {m} minutes to {task}.")
        total = s.ask(f"{m}*{n}", f"How many minutes does {who} need for {n} {done}?")
        if rng.random() < 0.6:
            s.ask(
                f"{total}/60",
                f"How many hours does {who} need for {n} {done}?",
                "How many hours is that?",
            )
    elif shape < 0.8:
        items, n, cost, price = (
            rng.choice(ITEMS),
            rng.randint(3, 40),
            rng.randint(1, 20),
            rng.randint(21, 45),
        )
        s.say(
            f"{name} buys {number(n, rng)} {items} for {money(cost, rng)} each and sells them for {money(price, rng)} each.",
            f"{name} makes {number(n, rng)} {items}. Each costs {money(cost, rng)} to make and is sold for {money(price, rng)}.",
        )
        spent = s.ask(
            f"{n}*{cost}",
            f"How much do the {items} cost {who}?",
            f"How much does {who} spend on the {items}?",
        )
        earned = s.ask(
            f"{n}*{price}",
            f"How much does {who} get for the {items}?",
            f"How much does {who} earn from selling the {items}?",
        )
        s.ask(f"{earned}-{spent}", f"How much profit does {who} make?", "What is the profit?")
    else:
        seats, rows, taken = rng.randint(4, 40), rng.randint(3, 30), rng.randint(2, 60)
        place = rng.choice(("hall", "cinema", "theatre", "bus park", "classroom block", "train"))
        s.say(
            f"A {place} has {number(rows, rng)} rows of {number(seats, rng)} seats.",
            f"In a {place} there are {number(rows, rng)} rows with {number(seats, rng)} seats each.",
        )
        total = s.ask(
            f"{rows}*{seats}",
            f"How many seats does the {place} have?",
            f"How many seats are there in the {place}?",
        )
        if rows * seats > taken and rng.random() < 0.7:
            s.say(
                f"{number(taken, rng).capitalize()} seats are taken.",
                f"{taken} of them are reserved.",
            )
            s.ask(f"{total}-{taken}", "How many seats are free?", "How many seats are left?")


def _cut(rng: Random, s: Story) -> None:
    """A quantity is cut, poured or used up in parts."""
    name, _she, _ = hero(rng)
    who, (thing, unit, full) = in_question(name), rng.choice(STUFF)
    part, n = rng.randint(2, 15), rng.randint(3, 20)
    total, used = part * n, rng.randint(1, n - 1)
    s.say(
        f"{name} has a {thing} of {total} {unit} and divides it into {number(n, rng)} equal parts.",
        f"A {thing} of {total} {unit} is cut into {number(n, rng)} equal pieces.",
    )
    each = s.ask(
        f"{total}/{n}",
        f"How many {full} is each part?"
        if "parts" in s.sentences[0]
        else f"How many {full} is each piece?",
    )
    if rng.random() < 0.7:
        s.say(
            f"{number(used, rng).capitalize()} of them are used.",
            f"{who[0].upper() + who[1:]} uses {number(used, rng)} of them.",
        )
        gone = s.ask(f"{each}*{used}", f"How many {full} are used?")
        if rng.random() < 0.6:
            s.ask(f"{total}-{gone}", f"How many {full} are left?", f"How many {full} remain?")


_KINDS = [
    _had,
    _groups,
    _compared,
    _shopping,
    _rate,
    _percent,
    _ratio_average_age,
    _journey_work,
    _cut,
]


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
