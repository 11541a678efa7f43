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

    Whether the question is split is decided by the first reply that is a plan. A last line that
    asks again for what it needs is left out, unless a single plan is asked for. When the time
    runs out, the best plan so far is taken, if there is one.

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
    while len(made) < plans and value < 1:
        how = replace(sampling, timeout=_left(deadline))
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
        plan = _read(made[-1])
        if plan is not None and plans > 1 and ends_twice(plan):
            made[-1] = replace(made[-1], text=made[-1].text.rstrip().rpartition("\n")[0])
            plan = _read(made[-1])
        if plan is not None and plan.atomic and value == -math.inf:
            best, value = len(made) - 1, math.inf
        elif plan is not None and not plan.atomic and (its := plan_value(question, plan)) > value:
            best, value = len(made) - 1, its
    emit(made[best].text)
    tokens = sum(one.output_tokens for one in made)
    return replace(made[best], cached_tokens=made[0].cached_tokens, output_tokens=tokens)


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
