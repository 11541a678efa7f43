"""How a decomposer is asked: its prompt, its grammar, and what it is told of a bad reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..models.gguf_file import NO_REPEAT, Contract
from ..models.references import ResolvedModel
from ..plan import grounded_grammar, plan_grammar
from ..prompts import Prompts
from .calls import Call
from .problem import Problem

_MAX_PLAN_TOKENS = 1024
_SHOWN_OF_A_BAD_REPLY = 500
PLANS = 16
"""Most plans that a trained decomposer writes of a question, to choose the best."""


def grammar_for(
    problem: str, contract: Contract | None, max_subquestions: int, *, atomic: bool = True
) -> str:
    """The grammar that a model's plan of a problem is written under."""
    if contract and contract.grounded:
        held = grounded_grammar(problem, max_subquestions, atomic=atomic)
        if held:
            return held
    return plan_grammar(max_subquestions, atomic=atomic)


@dataclass(frozen=True)
class PlanCalls:
    """What a decomposer is asked, the first time and again.

    Attributes:
        problem: The question with its context.
        model: Whom to ask.
        prompts: The prompt texts.
        max_subquestions: The cap on lines.
        must_split: Whether `atomic` is no answer.
    """

    problem: Problem
    model: ResolvedModel
    prompts: Prompts
    max_subquestions: int
    must_split: bool

    def first(self) -> Call:
        """The first call."""
        return Call("decomposer", self.model, self._messages(), self._options())

    def again(self, reply: str, error: str) -> Call:
        """Show a general model its mistake; one trained on plans alone is sampled afresh."""
        if self.model.speaks_contract("decomposer"):
            options = self._options(temperature=0.7, seed=PLANS)
            return Call("decomposer", self.model, self._messages(), options, "decomposer repair")
        fields = {
            **self._fields,
            "error": error,
            "reply": reply[:_SHOWN_OF_A_BAD_REPLY] or "(nothing)",
        }
        name = "decompose_split_repair" if self.must_split else "decompose_repair"
        messages = self.prompts[name].messages(fields)
        return Call("decomposer", self.model, messages, self._options(), "decomposer repair")

    @property
    def _fields(self) -> dict[str, str]:
        cap = str(self.max_subquestions)
        known = {"problem": self.problem.with_hints, "max_subquestions": cap}
        return {**self.problem.attempt, **known}

    def _messages(self) -> list[dict[str, str]]:
        if self.model.speaks_contract("decomposer"):
            return [
                {"role": "system", "content": "decompose"},
                {"role": "user", "content": str(self.problem)},
            ]
        name = "decompose_split" if self.must_split else "decompose"
        name = "decompose_attempt" if self.problem.attempt else name
        return self.prompts[name].messages(self._fields)

    def _options(self, **more: Any) -> Mapping[str, Any]:
        if not self.model.accepts_grammar:
            return {}
        contract, cap = self.model.contract, self.max_subquestions
        grammar = grammar_for(str(self.problem), contract, cap, atomic=not self.must_split)
        options = {"grammar": grammar, "temperature": 0.0, **more}
        if not contract:
            return options | {"max_tokens": _MAX_PLAN_TOKENS}
        return options | {"plans": PLANS, "no_repeat": NO_REPEAT}
