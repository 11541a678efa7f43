"""How much the release gate tries, and what a file must reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...errors import UserError
from ...plan import MAX_SUBQUESTIONS

_COUNTS = ("strings", "samples", "prompts", "max_subquestions")
_AT_MOST = ("difference_f16", "difference_quantised", "ungrounded")


@dataclass(frozen=True)
class CheckSettings:
    """How much is tried, and what a file must reach.

    Args:
        strings: Texts whose tokens are compared.
        samples: Held-out replies whose likeliest tokens are compared.
        prompts: Held-out questions of each role whose greedy replies are compared.
        agreement_f16: Least share of equal likeliest tokens of an F16 file.
        agreement_quantised: The same of a quantised one.
        replies_f16: Least share of equal greedy replies of an F16 file.
        replies_quantised: The same of a quantised one.
        difference_f16: Largest mean difference of a token's log-probability of an F16 file.
        difference_quantised: The same of a quantised one.
        ungrounded: Largest share of plan lines with a name or number not in the question.
        max_subquestions: Cap of the grammar.

    Raises:
        UserError: If a value can't be right.
    """

    strings: int = 10_000
    samples: int = 400
    prompts: int = 200
    agreement_f16: float = 0.998
    agreement_quantised: float = 0.99
    replies_f16: float = 0.97
    replies_quantised: float = 0.90
    difference_f16: float = 0.005
    difference_quantised: float = 0.05
    ungrounded: float = 0.05
    max_subquestions: int = 8

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name in _COUNTS:
                if type(value) is not int or value < 1:
                    raise UserError(f"{name!r} is a whole number from 1.")
            elif not 0 <= value <= 1:
                raise UserError(f"{name!r} is a share from 0 to 1.")
        if self.max_subquestions > MAX_SUBQUESTIONS:
            raise UserError(f"'max_subquestions' is at most {MAX_SUBQUESTIONS}.")


def looser(settings: Mapping[str, Any], tried: Mapping[str, int]) -> str:
    """Where a check asked for less than the defaults, or found less to try, in words."""
    used, usual = {**settings, **tried}, asdict(CheckSettings())
    less = [
        f"{name} {used[name]:,}, not {limit:,}"
        for name, limit in usual.items()
        if name != "max_subquestions"
        and (used[name] > limit if name in _AT_MOST else used[name] < limit)
    ]
    return "; ".join(less)
