"""A trained decomposer's plan: the likeliest, or a sampled one where that has visible faults."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace

from ..plan import PlanError, parse_plan
from ..plan.choice import plan_value
from .engine import Engine, Generation
from .sampling import Sampling

_TEMPERATURE = 0.7
_NOT_A_PLAN = -math.inf
_ATOMIC_AFTER_ALL = -1e9


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
    """Write a plan; while the best so far has faults, sample another, up to `plans` in all.

    Whether the question is split is decided by the first, likeliest reply.

    Args:
        engine: The model.
        prompt: Token ids.
        sampling: How the first plan is written.
        problem: The user's message: context and question, the question in the last paragraph.
        plans: Most plans to write, 1 or more.
        prefix_key: See `Engine.generate`.
        emit: Called once, with the plan that was chosen.
        cancelled: Setting it ends the generation.
    """
    question = problem.rsplit("\n\n", 1)[-1]

    def write(how: Sampling) -> tuple[Generation, float]:
        made = engine.generate(
            prompt, how, prefix_key=prefix_key, emit=lambda _: None, cancelled=cancelled
        )
        return made, _value(question, made)

    best, value = write(sampling)
    tokens = best.output_tokens
    if value == _ATOMIC_AFTER_ALL:
        plans = 1
    for k in range(1, plans):
        if value >= 1:
            break
        seed = (sampling.seed or 0) + k
        other, its = write(replace(sampling, temperature=_TEMPERATURE, seed=seed))
        tokens += other.output_tokens
        if its > value:
            best, value = other, its
    emit(best.text)
    return replace(best, output_tokens=tokens)


def _value(question: str, made: Generation) -> float:
    if made.finish_reason != "stop":
        return _NOT_A_PLAN
    try:
        plan = parse_plan(made.text)
    except PlanError:
        return _NOT_A_PLAN
    return _ATOMIC_AFTER_ALL if plan.atomic else plan_value(question, plan)
