"""A trained decomposer's plan: the likeliest, or a sampled one where that has visible faults."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from ..plan import MAX_SUBQUESTIONS, Plan, PlanError, parse_plan
from ..plan.choice import ends_twice, plan_value
from .engine import Engine, Generation
from .sampling import Sampling

_TEMPERATURE = 0.7
_LIKELIHOOD = 0.02
"""What a plan e times as likely is worth beside its `plan_value`; see docs/models.md.

Of 941 held-out questions 0.01 to 0.08 gave as many good plans, and more than 0. The sum over a
plan's tokens served as well as their mean, although it favours short plans.
"""


def generate_plan(
    engine: Engine,
    prompt: list[int],
    sampling: Sampling,
    *,
    problem: str,
    plans: int,
    prefix_key: str,
    emit: Callable[[str], None],
    cancelled: threading.Event,
) -> Generation:
    """Write a plan; if it has visible faults, sample others, `plans` in all, and take the best.

    What a plan leaves out of the question and how likely the model finds it are weighed
    against each other. Whether the question is split is decided by the first reply that is a
    plan. A last line that asks again for what it needs is left out,
    unless a single plan is asked for. When the time runs out, the best plan so far is taken, if
    there is one.

    Args:
        engine: The model.
        prompt: Token ids.
        sampling: How the first plan is written.
        problem: The user's message: context and question, the question in the last paragraph.
        plans: Most plans to write, 1 or more.
        prefix_key: See `Engine.generate`.
        emit: Called once, with the plan that was chosen.
        cancelled: Setting it ends the generation.

    Raises:
        PromptTooLongError: If the prompt leaves no room for a reply.
        TimeoutError: If `sampling.timeout` passes before anything was written.
    """
    question = problem.rsplit("\n\n", 1)[-1]
    deadline = time.monotonic() + (sampling.timeout or math.inf)
    made: list[Generation] = []
    best, value = 0, -math.inf
    while len(made) < plans and value < math.inf:
        how = replace(sampling, timeout=_left(deadline), scored=plans > 1)
        if made:
            seed = (sampling.seed or 0) + len(made)
            how = replace(how, temperature=_TEMPERATURE, seed=seed)
        try:
            made.append(
                engine.generate(
                    prompt, how, prefix_key=prefix_key, emit=lambda _: None, cancelled=cancelled
                )
            )
        except TimeoutError:
            if value == -math.inf:
                raise
            break
        if plans > 1:
            made[-1] = _without_second_end(made[-1])
        its = _value(question, made[-1], first=value == -math.inf)
        if its > value:
            best, value = len(made) - 1, its
    emit(made[best].text)
    tokens = sum(one.output_tokens for one in made)
    return replace(made[best], cached_tokens=made[0].cached_tokens, output_tokens=tokens)


def _value(question: str, made: Generation, *, first: bool) -> float:
    """What a reply is worth; infinity ends the search, minus infinity is no plan to take.

    The first plan ends it if it is without visible faults or leaves the question undivided.
    """
    plan = _read(made)
    if plan is None or (plan.atomic and not first):
        return -math.inf
    if plan.atomic:
        return math.inf
    value = plan_value(question, plan)
    return math.inf if first and value == 1 else value + _LIKELIHOOD * (made.log_probability or 0.0)


def _without_second_end(made: Generation) -> Generation:
    plan = _read(made)
    if plan is None or not ends_twice(plan):
        return made
    return replace(made, text=made.text.rstrip().rpartition("\n")[0])


def _left(deadline: float) -> float | None:
    """Seconds until the deadline, at least a moment; None without one."""
    return None if deadline == math.inf else max(1e-3, deadline - time.monotonic())


def _read(made: Generation) -> Plan | None:
    """The plan, whatever its length: the grammar has kept the caller's cap."""
    if made.finish_reason != "stop":
        return None
    try:
        return parse_plan(made.text, max_subquestions=MAX_SUBQUESTIONS)
    except PlanError:
        return None
