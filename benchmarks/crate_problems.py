"""Made-up counting problems whose every step, value and plan is known, for simulated solvers.

A depot has crates. Some have their number stated; each step of a problem finds that of one more
crate from one or two others. Every crate but the last is used once, so that any part of a
problem is a problem itself: that is what lets a line of a plan stand for several steps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import cycle, islice
from random import Random

LENGTHS = (1, 3, 5, 2, 1, 6, 4, 1, 2, 7, 5, 3, 1, 8, 4, 2)
"""Steps of the problems, over and over: a quarter takes a single one."""
_COLOURS = [
    "amber", "black", "blue", "bronze", "brown", "coral", "cream", "gold", "green",
    "grey", "ivory", "jade", "lilac", "mauve", "olive", "orange", "pink", "purple",
    "red", "silver", "tan", "teal", "violet", "white", "yellow",
]  # fmt: skip
_ITEMS = ["pebbles", "buttons", "stamps", "marbles", "coins", "shells", "beads", "acorns"]
_SENTENCES = {
    "more": "In the {crate} crate lie {number} more {items} than in the {inputs} crate.",
    "fewer": "In the {crate} crate lie {number} {items} fewer than in the {inputs} crate.",
    "times": "In the {crate} crate lie {number} times as many {items} as in the {inputs} crate.",
    "together": "In the {crate} crate lie as many {items} as in the {inputs} crate together.",
}
Values = Mapping[str, int]
"""How many things are in crates, by colour."""


@dataclass(frozen=True)
class Step:
    """How many things are in a crate, by one operation."""

    crate: str
    kind: str
    inputs: tuple[str, ...]
    number: int

    def value(self, values: Values) -> int:
        """The result on given inputs."""
        first = values[self.inputs[0]]
        if self.kind == "together":
            return first + values[self.inputs[1]]
        signed = {"more": first + self.number, "fewer": first - self.number}
        return max(signed.get(self.kind, first * self.number), 0)


@dataclass(frozen=True)
class CrateProblem:
    """A problem with its steps and the lines of its plan.

    Attributes:
        number: The depot's, by which prompts are told apart.
        items: What the crates hold.
        stated: What the story says outright.
        steps: In an order in which they can be done; the last one answers the question.
        lines: The crate that each line of the plan asks for; a line takes all steps that lie
            between it and the lines before.
    """

    number: int
    items: str
    stated: Values
    steps: tuple[Step, ...]
    lines: tuple[str, ...]

    @property
    def target(self) -> str:
        """The crate that the question asks for."""
        return self.steps[-1].crate

    @property
    def context(self) -> str:
        """The story."""
        stated = [f"In the {c} crate lie {n} {self.items}." for c, n in self.stated.items()]
        told = [
            _SENTENCES[s.kind].format(
                crate=s.crate,
                number=s.number,
                items=self.items,
                inputs=" crate and the ".join(s.inputs),
            )
            for s in self.steps
        ]
        return " ".join([f"Depot {self.number} has crates of {self.items}.", *stated, *told])

    @property
    def question(self) -> str:
        """What is asked."""
        return self.ask(self.target)

    @property
    def answer(self) -> int:
        """The right answer."""
        return self.solve(self.target, {})[0]

    def ask(self, crate: str, given: Collection[tuple[str, str]] = ()) -> str:
        """A question for a crate, with what others hold: a number, or a line's mark as `#1`."""
        known = " and ".join(f"the {other} crate holds {value}" for other, value in given)
        condition = f", if {known}" if known else ""
        return f"How many {self.items} does the {crate} crate hold{condition}?"

    def user(self, crate: str) -> Step:
        """The step that uses a crate."""
        return next(step for step in self.steps if crate in step.inputs)

    def open_steps(self, crate: str, given: Collection[str]) -> list[Step]:
        """The steps that it takes to find a crate's number once some are given."""
        if crate in given or crate in self.stated:
            return []
        step = next(s for s in self.steps if s.crate == crate)
        before = [s for name in step.inputs for s in self.open_steps(name, given)]
        return [*before, step]

    def solve(self, crate: str, given: Values) -> tuple[int, int]:
        """The crate's number by the right steps on what is given, right or wrong; and how many."""
        values = {**self.stated, **given}
        steps = self.open_steps(crate, given)
        for step in steps:
            values[step.crate] = step.value(values)
        return values[crate], len(steps)

    def plan(self, crate: str, given: Values) -> str:
        """The right plan for a crate; that of a single step first looks up what it starts from."""
        steps = self.open_steps(crate, given)
        whole = crate == self.target and not given
        asked = [s.crate for s in steps if not whole or s.crate in self.lines]
        if len(asked) < 2:
            start = steps[-1].inputs[0] if steps else crate
            return f"#1 {self.ask(start)}\n#2 {self.ask(crate, [(start, '#1')])} <- #1"
        ids = {name: f"#{k}" for k, name in enumerate(asked, 1)}
        return "\n".join(self._line(name, ids, given) for name in asked)

    def _line(self, crate: str, ids: Mapping[str, str], given: Values) -> str:
        others = {name: mark for name, mark in ids.items() if name != crate}
        used = self._used(crate, {**given, **others})
        known = [(name, others.get(name) or str(given[name])) for name in used]
        needs = [others[name] for name in used if name in others]
        ending = f" <- {' '.join(needs)}" if needs else ""
        return f"{ids[crate]} {self.ask(crate, known)}{ending}"

    def _used(self, crate: str, given: Collection[str]) -> list[str]:
        """Of what is given, that which the steps to a crate take in."""
        taken = [name for s in self.open_steps(crate, given) for name in s.inputs]
        return [name for name in taken if name in given]


def crate_problems(count: int, seed: int = 0, *, coarse: bool = False) -> list[CrateProblem]:
    """Problems of all lengths, the same for the same seed.

    Args:
        count: How many.
        seed: Another one makes others.
        coarse: Whether lines of plans for 4 steps and more take up to three steps each.

    Example:
        >>> problems = crate_problems(2)
        >>> [len(problem.steps) for problem in problems]
        [1, 3]
    """
    rng, lengths = Random(seed), islice(cycle(LENGTHS), count)
    return [_problem(rng, k, length, coarse=coarse) for k, length in enumerate(lengths, 1)]


def _problem(rng: Random, number: int, length: int, *, coarse: bool) -> CrateProblem:
    names = rng.sample(_COLOURS, len(_COLOURS))
    stated: dict[str, int] = {}
    values: dict[str, int] = {}
    loose: list[str] = []  # Found, and not used yet.
    found: set[str] = set()
    steps: list[Step] = []
    for left in range(length, 0, -1):
        step = _step(rng, names, values, loose, left)
        stated |= {name: values[name] for name in step.inputs if name not in found}
        found.add(step.crate)
        loose = [*(name for name in loose if name not in step.inputs), step.crate]
        values[step.crate] = step.value(values)
        steps.append(step)
    problem = CrateProblem(number, rng.choice(_ITEMS), stated, tuple(steps), ())
    return replace(problem, lines=_lines(rng, problem, coarse=coarse))


def _step(
    rng: Random, names: list[str], values: dict[str, int], loose: list[str], left: int
) -> Step:
    """One more step; those left must suffice to bring all that is loose together.

    It may begin with a crate that the story will have to state, which then has a value, too.
    """
    if len(loose) > 1 and (len(loose) >= left or rng.random() < 0.5):
        return Step(names.pop(), "together", tuple(loose[-2:]), 0)
    if not loose or (len(loose) + 1 < left and rng.random() < 0.3):
        start = names.pop()
        values[start] = rng.randint(12, 60)
    else:
        start = loose[-1]
    fewer, times = values[start] > 25, values[start] < 90
    kind = rng.choice(["more", *["fewer"] * fewer, *["times"] * times])
    number = rng.randint(2, 4) if kind == "times" else rng.randint(2, 20)
    return Step(names.pop(), kind, (start,), number)


def _lines(rng: Random, problem: CrateProblem, *, coarse: bool) -> tuple[str, ...]:
    """A line a step, but of longer problems' steps some are left to the line that uses them.

    Of every second such problem one line takes two or three steps, if they aren't coarse.
    """
    names = [step.crate for step in problem.steps]
    if len(names) < 4:
        return tuple(names)
    hidden: list[str] = []
    if coarse:
        hidden = _hidden(problem)
    elif rng.random() < 0.5:
        hidden = [rng.choice(names[:-1])]
        user = problem.user(hidden[0]).crate
        if user != problem.target and rng.random() < 0.5:
            hidden.append(user)
    return tuple(name for name in names if name not in hidden)


def _hidden(problem: CrateProblem) -> list[str]:
    """Steps to leave to the lines that use them, so that a line takes up to three."""
    hidden: list[str] = []
    sizes: dict[str, int] = {}
    for step in problem.steps[:-1]:
        size = sizes[step.crate] = 1 + sum(sizes[name] for name in step.inputs if name in hidden)
        if size == 1 or (size == 2 and len(problem.user(step.crate).inputs) == 1):
            hidden.append(step.crate)
    return hidden
