"""What a student is shown and what it has to reply, for each role: contract 2 of the design."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

from ...plan import Plan, ancestors
from ...prompts import load_prompts
from ..records import Example

Role = Literal["decomposer", "solver", "solver-teacher", "solver-answer", "direct"]
"""`solver` writes one line's expression; the others with a dash are those of Wu et al. (2024):
`solver-teacher` (S_E-T) imitates the teacher's answers to all subquestions and the question,
`solver-answer` (S_E-A) the same with the reference answer at the end; `direct` answers at once."""

ROLES: tuple[Role, ...] = get_args(Role)
CONTRACT_VERSION = "1"
CONTRACT_ROLES = ("decomposer", "solver")
"""Roles that the runtime addresses by the contract; the rest get the general prompts."""


class Sample(NamedTuple):
    """A prompt as chat messages, and the reply to learn."""

    messages: list[dict[str, str]]
    completion: str


def samples(example: Example, role: Role) -> Iterator[Sample]:
    """What one example teaches in a role; nothing if it lacks what the role is about."""
    if role == "decomposer":
        yield Sample(_contract("decompose", example.problem), plan_reply(example))
    elif role == "solver":
        yield from _expressions(example)
    elif role == "direct":
        if example.answer:
            fields = {"problem": example.problem}
            yield Sample(load_prompts()["direct"].messages(fields), example.answer)
    else:
        yield from _static(example, role)


def plan_reply(example: Example) -> str:
    """The plan as text; a plan of one line splits nothing, so it is atomic too."""
    return str(example.to_plan() if len(example.plan) > 1 else Plan())


def _contract(system: str, user: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def _expressions(example: Example) -> Iterator[Sample]:
    """One sample a line that has an expression, with the answers that the line needs."""
    if not example.plan:
        if expression := example.meta.get("expr"):
            yield Sample(_contract("solve", example.problem), str(expression))
        return
    plan = example.to_plan()
    for row, line in zip(example.plan, plan.subquestions, strict=True):
        needed = [example.plan[k - 1] for k in ancestors(plan, line.id)]
        if not row.get("expr") or not all(n.get("answer") for n in needed):
            continue
        text = [example.problem]
        # A problem that isn't split is asked as it stands, like at inference.
        if len(example.plan) > 1:
            text += [f"#{n['id']} {n['text']} = {n['answer']}" for n in needed if "answer" in n]
            text += [f"#{line.id} {line.text}"]
        yield Sample(_contract("solve", "\n".join(text)), row.get("expr", ""))


def _static(example: Example, role: Role) -> Iterator[Sample]:
    """All subquestions and the question in one reply, as the `static` strategy asks for it."""
    final = example.predicted if role == "solver-teacher" else example.answer
    answers = [row.get("answer", "") for row in example.plan]
    if not final or len(answers) < 2 or not all(answers):
        return
    fields = {
        "problem": example.problem,
        "plan": str(example.to_plan()),
        "question": example.question,
    }
    lines = [f"#{k} {' '.join(answer.split())}" for k, answer in enumerate(answers, 1)]
    completion = "\n".join([*lines, f"Answer: {final}"])
    yield Sample(load_prompts()["static"].messages(fields), completion)
