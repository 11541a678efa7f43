"""Problems of rates: so much a day, speed and time, work, profit, equal parts."""

from __future__ import annotations

from random import Random

from . import names
from .story import ITEMS, STUFF, Story, hero, in_question, money, number


def rate(rng: Random, s: Story) -> None:
    """So much a day, for days or weeks; a goal or a use."""
    name, she = hero(rng)
    who = in_question(name)
    a, n = rng.randint(2, 40), rng.randint(2, 12)
    per, verb, unit = rng.choice((
        ("day", "reads", "pages"), ("day", "walks", "km"), ("hour", "makes", "bracelets"),
        ("week", "saves", "$"), ("hour", "earns", "$"), ("day", "runs", "miles"),
        ("month", "pays", "$"), ("day", "sells", "sandwiches"), ("minute", "types", "words"),
        ("hour", "picks", "apples"), ("day", "drinks", "glasses of water"),
        ("week", "bakes", "cakes"), ("hour", "washes", "cars"),
    ))  # fmt: skip
    amount = f"${a}" if unit == "$" else f"{number(a, rng)} {unit}"
    of = lambda n: f"${n}" if unit == "$" else f"{n} {unit}"  # noqa: E731
    base = "wash" if verb == "washes" else verb[:-1]
    how = "How much" if unit == "$" else f"How many {unit}"
    s.say(
        f"{name} {verb} {amount} every {per}.",
        f"{name} {verb} {amount} {'an' if per == 'hour' else 'a'} {per}.",
        f"Each {per}, {who} {verb} {amount}.",
    )
    time = ""
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
        time = f"{n} {per}s"
        total = s.ask(f"{a}*{n}", f"{how} does {who} {base} in {time}?")
    else:
        goal = a * n
        s.say(
            f"{she.capitalize()} wants to reach {of(goal)}.",
            f"{she.capitalize()} needs {of(goal)} in all.",
        )
        have = a * rng.randint(0, n - 1)
        if have and rng.random() < 0.6:
            s.say(f"{she.capitalize()} already has {of(have)}.")
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
            if time:  # The line that says it isn't the question any more.
                s.sentences[-1] += f" {she.capitalize()} does this for {time}."
            s.say(
                f"{she.capitalize()} spends ${gone} on a present.",
                f"Then {she} pays ${gone} for a coat.",
            )
            s.ask(f"{total}-{gone}", f"How much money does {who} have left?")
    elif shape < 0.5:
        other, b = rng.choice(names.FIRST), rng.randint(2, 40)
        s.say(f"{other} {verb} {of(b)} every {per}.")
        if time:
            s.sentences[-1] += f" Both do this for {time}."
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


def journey_or_work(rng: Random, s: Story) -> None:
    """Speed and time, minutes and hours, profit, groups of seats."""
    name, _ = hero(rng)
    shape = rng.random()
    if shape < 0.3:
        _journey(rng, s, name)
    elif shape < 0.55:
        _work(rng, s, name)
    elif shape < 0.8:
        _profit(rng, s, name)
    else:
        _seats(rng, s)


def _journey(rng: Random, s: Story, name: str) -> None:
    who = in_question(name)
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


def _work(rng: Random, s: Story, name: str) -> None:
    who = in_question(name)
    m, n = rng.randint(2, 30) * 2, rng.randint(2, 30)
    task, done = rng.choice((
        ("paint a chair", "chairs"), ("bake a cake", "cakes"), ("wash a car", "cars"),
        ("repair a bicycle", "bicycles"), ("write a letter", "letters"), ("iron a shirt", "shirts"),
    ))  # fmt: skip
    s.say(f"It takes {who} {m} minutes to {task}.", f"{name} needs {m} minutes to {task}.")
    total = s.ask(f"{m}*{n}", f"How many minutes does {who} need for {n} {done}?")
    if rng.random() < 0.6:
        s.ask(
            f"{total}/60",
            f"How many hours does {who} need for {n} {done}?",
            f"How many hours do {n} {done} take?",
        )


def _profit(rng: Random, s: Story, name: str) -> None:
    who, items = in_question(name), rng.choice(ITEMS)
    n, cost, price = rng.randint(3, 40), rng.randint(1, 20), rng.randint(21, 45)
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


def _seats(rng: Random, s: Story) -> None:
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
            f"{number(taken, rng).capitalize()} seats are taken.", f"{taken} of them are reserved."
        )
        s.ask(f"{total}-{taken}", "How many seats are free?", "How many seats are left?")


def cut_in_parts(rng: Random, s: Story) -> None:
    """A quantity is cut, poured or used up in parts."""
    name, _ = hero(rng)
    who, (thing, unit, full) = in_question(name), rng.choice(STUFF)
    part, n = rng.randint(2, 15), rng.randint(3, 20)
    total, used = part * n, rng.randint(1, n - 1)
    told, piece = rng.choice((
        (f"{name} has a {thing} of {total} {unit} and divides it into {number(n, rng)} equal parts.", "part"),
        (f"A {thing} of {total} {unit} is cut into {number(n, rng)} equal pieces.", "piece"),
    ))  # fmt: skip
    s.sentences.append(told)
    each = s.ask(f"{total}/{n}", f"How many {full} is each {piece}?")
    if rng.random() < 0.7:
        s.say(
            f"{number(used, rng).capitalize()} of them {'is' if used == 1 else 'are'} used.",
            f"{who[0].upper() + who[1:]} uses {number(used, rng)} of them.",
        )
        gone = s.ask(f"{each}*{used}", f"How many {full} are used?")
        if rng.random() < 0.6:
            s.ask(f"{total}-{gone}", f"How many {full} are left?", f"How many {full} remain?")
