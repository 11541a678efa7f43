"""Models of a stated strength, simulated: a reply function for `LatencyServer`.

It plays three models by the name in the request: `decomposer`, `weak` and `strong`. What is
asked is read from the very prompts that the graphs send; one that can't be read is an error.

*Solving.* A prompt asks for a crate; the steps asked at once are those that neither the story
nor an answer in the prompt gives. With k of them the reply is right with the chance

    step chance ** (k ** exponent)

The exponents belong to a `World`: above 1 a step gets harder the more are asked at once, and
harder still if nothing is written down on the way. At 1 a chain asked at once is as good as
its steps one by one, so that splitting can gain nothing by itself. A right reply takes the
right steps on whatever numbers the prompt gives: wrong ones are carried on. To compose is to
copy, if the question's own crate was found.

*Being wrong.* A wrong reply is off by one of eight amounts that belong to the question; the
commonest of them has a share of its own. With the chance `habit` a sample isn't drawn at all
but is what this model always makes of that crate, right or wrong: a systematic misreading, on
which samples agree.

*Planning.* The decomposer knows the right plan. Whether a question needs one it judges rightly
with a stated chance; else it leaves whole what takes several steps, or splits a single one into
looking up a number and using it. A question may also be one line of another plan.

Every draw is a hash of seed, model, prompt and how often that prompt came before, so that what
is asked meanwhile changes nothing, and systems that ask the same get the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from crate_problems import CrateProblem
from langgraph_decompose.prompts import Prompt, load_prompts
from langgraph_decompose.testing.wire import words

PLANNING = (
    "decompose", "decompose_attempt", "decompose_repair", "decompose_split",
    "decompose_split_repair",
)  # fmt: skip
UNDERSTOOD = (*PLANNING, "direct", "cot", "solve", "compose")
"""Prompts that can be read."""
_OFF_BY = (1, 2, 3, 5, 7, 10, 12, 20)
_DEPOT = re.compile(r"Depot (\d+) has crates of")
_ASKED = re.compile(r"does the (\w+) crate hold\b")
_GIVEN = re.compile(r"the (\w+) crate holds (\d+)")
_ANSWERED = re.compile(r"^#\d+ .*does the (\w+) crate hold\b.* = (\d+)", re.MULTILINE)
_MUST_SPLIT = "must be split"
_THOUGHT = (
    "Now I look for what the story says about the {crate} crate, take the number of {items} that "
    "it starts from, and do the calculation that it asks for."
)


@dataclass(frozen=True)
class World:
    """How simulated models fail.

    Attributes:
        name: What the world is called.
        written: Exponent of the steps asked at once, where each is written down.
        brief: The same for an answer without them.
        commonest: Share of the commonest wrong value among wrong ones.
        habit: Chance that a sample is what the model always says to this.
        judgement: Chance that the decomposer is right about whether to split.
        coarse: Whether a line of its plans of longer questions takes up to three steps.
    """

    name: str
    written: float
    brief: float
    commonest: float = 0.3
    habit: float = 0.0
    judgement: float = 0.85
    coarse: bool = False

    def chance(self, step: float, steps: int, *, written: bool) -> float:
        """The chance to do some steps rightly at once; to do none is always right."""
        return step ** (steps ** (self.written if written else self.brief)) if steps else 1.0


@dataclass
class Simulator:
    """The reply function.

    Attributes:
        world: How models fail.
        problems: All that may be asked about, by number.
        step: The chance of each solver to do a single step, by model name.
        seed: Another one draws everything anew.
        spent: Words in and out by model, as the server counts them.
        calls: How often each prompt was asked of each model.
        misunderstood: Why prompts couldn't be read; none of a graph's should be here.
    """

    world: World
    problems: Mapping[int, CrateProblem]
    step: Mapping[str, float]
    seed: int = 0
    spent: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    misunderstood: list[str] = field(default_factory=list)

    def __call__(self, prompt: str, body: Mapping[str, Any]) -> str:
        """The reply to a prompt.

        Raises:
            ValueError: If it can't be understood.
        """
        model = body["model"]
        try:
            asked = _Asked.read(prompt, self.problems)
        except ValueError as error:
            self.misunderstood.append(str(error))
            raise
        drawn = _Drawn(self.seed, model, prompt, self.calls[model, prompt])
        if asked.kind in PLANNING:
            reply = self._plan(asked, drawn)
        else:
            reply = self._solve(asked, drawn, self.step[model])
        self.calls[model, prompt] += 1
        self.spent[model, "in"] += words(prompt)
        self.spent[model, "out"] += words(reply)
        return reply

    def _plan(self, asked: _Asked, drawn: _Drawn) -> str:
        """A plan or `atomic`; the former if that isn't offered."""
        _, steps = asked.problem.solve(asked.crate, asked.given)
        split = (steps > 1) == (drawn.share("judgement") < self.world.judgement)
        if split or asked.kind == "decompose_split" or _MUST_SPLIT in asked.error:
            return asked.problem.plan(asked.crate, asked.given)
        return "atomic"

    def _solve(self, asked: _Asked, drawn: _Drawn, step: float) -> str:
        value, steps = asked.problem.solve(asked.crate, asked.given)
        written = asked.kind == "cot"
        # To look up a number is a step, too; to copy the final answer is none.
        count = 0 if asked.kind == "compose" and not steps else max(steps, 1)
        habitual = drawn.share("habit") < self.world.habit
        draw = drawn.always(asked) if habitual else drawn
        if draw.share("right") >= self.world.chance(step, count, written=written):
            value = self._wrong(value, asked, draw, habitual=habitual)
        answer = f"{value} {asked.problem.items}"
        if not written:
            return answer
        thought = _THOUGHT.format(crate=asked.crate, items=asked.problem.items)
        return "\n".join([*[thought] * count, f"Answer: {answer}"])

    def _wrong(self, value: int, asked: _Asked, draw: _Drawn, *, habitual: bool) -> int:
        """One of the question's wrong values, the first of which is the commonest."""
        order = _Drawn(self.seed, asked.problem.number, asked.crate)
        amounts = sorted(_OFF_BY, key=lambda amount: order.share(amount))
        common = habitual or draw.share("common") < self.world.commonest
        amount = amounts[0 if common else 1 + int(draw.share("which") * (len(amounts) - 1))]
        return value - amount if order.share("below") < 0.5 and value > amount else value + amount


class _Drawn:
    """Chances that belong to what they are drawn for."""

    def __init__(self, *what: Any) -> None:
        self._what = what

    def share(self, name: Any) -> float:
        """A number from 0 to 1."""
        data = repr((*self._what, name)).encode()
        return int.from_bytes(blake2b(data, digest_size=8).digest()) / 2**64

    def always(self, asked: _Asked) -> _Drawn:
        """The same whatever the words of the prompt and the number of the sample."""
        seed, model = self._what[:2]
        return _Drawn(seed, model, "always", asked.problem.number, asked.crate)


@dataclass(frozen=True)
class _Asked:
    """What a prompt asks for: a crate of a problem, where some are given."""

    kind: str
    problem: CrateProblem
    crate: str
    given: Mapping[str, int]
    error: str = ""

    @classmethod
    def read(cls, prompt: str, problems: Mapping[int, CrateProblem]) -> _Asked:
        kind, fields = read_prompt(prompt)
        depot = _DEPOT.search(fields["problem"])
        if not depot:
            raise ValueError(f"no depot is named in {fields['problem']!r}")
        crate, given = read_question(fields["problem"])
        if "subquestion" in fields:
            crate, more = read_question(fields["subquestion"])
            given |= more
        given |= read_answers(fields.get("answers", ""))
        return cls(kind, problems[int(depot[1])], crate, given, fields.get("error", ""))


def read_question(text: str) -> tuple[str, dict[str, int]]:
    """The crate that a question asks for, and what it says of others.

    Raises:
        ValueError: If it isn't a question of these problems.
    """
    crates = set(_ASKED.findall(text))
    if len(crates) != 1:
        raise ValueError(f"no question about one crate: {text!r}")
    return crates.pop(), {crate: int(number) for crate, number in _GIVEN.findall(text)}


def read_answers(text: str) -> dict[str, int]:
    """What answered lines say of crates."""
    return {crate: int(number) for crate, number in _ANSWERED.findall(text)}


def read_prompt(prompt: str) -> tuple[str, dict[str, str]]:
    """Which of the package's prompts a text is, and what was put into its fields.

    Raises:
        ValueError: If it is none that a simulated model understands.
    """
    for kind, pattern in _PATTERNS.items():
        found = pattern.fullmatch(prompt)
        if found:
            return kind, found.groupdict()
    raise ValueError(f"a prompt that isn't understood: {prompt[:200]!r}")


def _pattern(prompt: Prompt) -> re.Pattern[str]:
    """The prompt as `LatencyServer` shows it, its fields as groups."""
    text = "\n\n".join(part.strip() for _, part in prompt.parts)
    pieces: Sequence[str] = re.split(r"\{(\w+)\}", text)
    marked = [f"(?P<{p}>.*)" if k % 2 else re.escape(p) for k, p in enumerate(pieces)]
    return re.compile("".join(marked), re.DOTALL)


_PATTERNS = {kind: _pattern(load_prompts()[kind]) for kind in UNDERSTOOD}
