"""`decompose plan`: print the plan text, solve nothing.

With a GGUF decomposer this goes from `nodes/decomposer.py` straight to llama.cpp: LangChain,
which takes longer to import than the plan takes to write, isn't loaded at all.
"""

from __future__ import annotations

from argparse import Namespace

from ..errors import BudgetExhaustedError
from ..models.references import ResolvedModel, check_role, find_gguf, resolve_model
from ..nodes.budget import Meter
from ..nodes.decomposer import Decomposition, check_cap, decompose
from ..nodes.engine_calls import open_gguf
from ..nodes.problem import Problem
from ..nodes.session import Session
from ..nodes.steps import Steps
from ..nodes.steps import run as run_steps
from ..plan import depth, width
from ..prompts import load_prompts
from ..settings import Settings
from .arguments import read_problem, settings_from
from .drive import budget_of
from .terminal import print_json, say


def run(args: Namespace) -> int:
    """Plan and print; returns the exit code."""
    try:
        found = _plan(read_problem(args), settings_from(args))
    except BudgetExhaustedError as error:
        say(f"decompose: {error}")
        return 3
    for warning in found.warnings:
        say(f"warning: {warning}")
    if args.json:
        print_json({
            "plan": found.plan.to_rows(),
            "plan_source": found.source,
            "final": found.plan.final,
            "depth": depth(found.plan),
            "width": width(found.plan),
            "warnings": list(found.warnings),
            "usage": found.usage,
        })  # fmt: skip
    else:
        print(found.plan)  # noqa: T201
    return 0


def _plan(problem: Problem, settings: Settings) -> Decomposition:
    check_cap(settings.max_subquestions)
    texts = load_prompts(settings.prompts)

    def steps(model: ResolvedModel) -> Steps[Decomposition]:
        return decompose(
            problem, model=model, prompts=texts, max_subquestions=settings.max_subquestions
        )

    session = Session(Meter(budget_of(settings)), call_timeout=settings.call_timeout)
    source = find_gguf(settings.decomposer)
    if source is None:
        model = resolve_model(settings.decomposer, "decomposer")
        return run_steps(steps(model), session=session)
    check_role(source.name, source.contract, "decomposer")
    with open_gguf(source, session) as (model, asking):
        return run_steps(steps(model), asking=asking)
