"""A trained decomposer's plan: the likeliest, or a sampled one where that has visible faults."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

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
_AGREEMENT = 0.5
"""What it is worth if all samples have as many lines; half of it if half of them have.

Of 1,345 held-out questions 46 got the right number of lines, names and numbers by it and 26
lost it. With eight samples in place of sixteen there was no gain.
"""


@dataclass(frozen=True)
class _Reply:
    """A reply, the lines of its plan (none if atomic; None without a plan) and what it is worth."""

    made: Generation
    lines: int | None
    value: float


def generate_reply(
    engine: Engine,
    rows: list[dict[str, Any]],
    options: Mapping[str, Any],
    *,
    chat_template: str | None = None,
    prefix_key: str = "",
    emit: Callable[[str], None] = lambda _: None,
    cancelled: threading.Event | None = None,
) -> Generation:
    """Answer messages; where several plans are asked for, with the best of them.

    Args:
        engine: The model.
        rows: The messages, as a chat template takes them.
        options: The fields of `Sampling`, and `plans`.
        chat_template: In place of the file's own.
        prefix_key: See `Engine.generate`.
        emit: Called with each piece of the reply.
        cancelled: Setting it ends the generation.

    Raises:
        PromptTooLongError: If the prompt leaves no room for a reply.
        TimeoutError: If the options' timeout passes before anything was written.
    """
    prompt = engine.chat_template(chat_template).tokenize(rows)
    sampling = Sampling(**{name: value for name, value in options.items() if name != "plans"})
    how: Any = {"prefix_key": prefix_key, "emit": emit, "cancelled": cancelled or threading.Event()}
    if plans := options.get("plans"):
        return generate_plan(
            engine, prompt, sampling, problem=rows[-1]["content"], plans=plans, **how
        )
    return engine.generate(prompt, sampling, **how)


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

    What a plan leaves out of the question, how likely the model finds it and how many of the
    others have as many lines (after Wang et al., 2022, arXiv 2203.11171) are weighed against
    each other. Whether the question is split is decided by the first reply that is a plan. A
    last line that asks again for what it needs is left out, unless a single plan is asked for.
    When the time runs out, the best plan so far is taken, if there is one.

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
    replies: list[_Reply] = []
    while len(replies) < plans and not _settling(replies):
        how = replace(sampling, timeout=_left(deadline), scored=plans > 1)
        if replies:
            seed = (sampling.seed or 0) + len(replies)
            how = replace(how, temperature=_TEMPERATURE, seed=seed)
        try:
            made = engine.generate(
                prompt, how, prefix_key=prefix_key, emit=lambda _: None, cancelled=cancelled
            )
        except TimeoutError:
            if all(reply.lines is None for reply in replies):
                raise
            break
        replies.append(_reply(question, _without_second_end(made) if plans > 1 else made))
    best = _best(replies).made
    emit(best.text)
    tokens = sum(reply.made.output_tokens for reply in replies)
    return replace(best, cached_tokens=replies[0].made.cached_tokens, output_tokens=tokens)


def _reply(question: str, made: Generation) -> _Reply:
    plan = _read(made)
    if plan is None:
        return _Reply(made, None, 0.0)
    return _Reply(made, len(plan.subquestions), plan_value(question, plan))


def _settling(replies: Sequence[_Reply]) -> _Reply | None:
    """The first plan, if it is without visible faults or leaves the question undivided."""
    first = next((reply for reply in replies if reply.lines is not None), None)
    return first if first and (first.lines == 0 or first.value == 1) else None


def _best(replies: Sequence[_Reply]) -> _Reply:
    """The plan that settles it, else the best that splits, else the first reply."""
    split = [reply for reply in replies if reply.lines]
    alike = Counter(reply.lines for reply in split)

    def worth(reply: _Reply) -> float:
        likelihood = _LIKELIHOOD * (reply.made.log_probability or 0.0)
        return reply.value + likelihood + _AGREEMENT * alike[reply.lines] / len(split)

    return _settling(replies) or max(split, key=worth, default=replies[0])


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
