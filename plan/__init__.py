"""Plans: how a question is split, as pure data and pure functions.

Nothing here calls a model, reads a file or imports the rest of the project.
"""

from .ending import asks_two_things, ending
from .grammar import plan_grammar
from .grounded import grounded_grammar
from .next_line import parse_next
from .order import ancestors, critical_path, critical_path_ids, depth, levels, width
from .parse import MAX_REPLY_CHARS, parse_partial, parse_plan, without_thinking
from .types import MAX_SUBQUESTIONS, MAX_TEXT_CHARS, Final, Plan, PlanError, Subquestion, references

__all__ = [
    "MAX_REPLY_CHARS",
    "MAX_SUBQUESTIONS",
    "MAX_TEXT_CHARS",
    "Final",
    "Plan",
    "PlanError",
    "Subquestion",
    "ancestors",
    "asks_two_things",
    "critical_path",
    "critical_path_ids",
    "depth",
    "ending",
    "grounded_grammar",
    "levels",
    "parse_next",
    "parse_partial",
    "parse_plan",
    "plan_grammar",
    "references",
    "width",
    "without_thinking",
]
