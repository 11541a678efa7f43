"""Questions answered by whole graphs, undivided and divided, compared on the same items.

GSM8K and SVAMP are read in their original formats. An answer is right if it is the gold
number exactly; a question that the solver refuses, or that fails, is answered wrongly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import PromptTooLongError
from ..nodes.given_numbers import graded_numbers
from .loaders import read_items
from .rows import located_rows
from .statistics import Interval, paired_difference, wilson

STRATEGIES = ("direct", "dag")


@dataclass(frozen=True)
class Item:
    """A question with the number that answers it."""

    id: str
    question: str
    answer: Fraction


@dataclass(frozen=True)
class Answered:
    """What became of a question under one strategy."""

    item: Item
    answer: str | None
    right: bool
    split: bool
    tokens: int


@dataclass(frozen=True)
class Comparison:
    """Undivided against divided.

    Attributes:
        answers: Strategy to its answers, in the items' order.
        accuracy: Strategy to its share of right answers.
        difference: Accuracy of the last strategy less that of the first, paired by item.
    """

    answers: dict[str, list[Answered]]
    accuracy: dict[str, Interval]
    difference: Interval


def compare(
    items: Sequence[Item],
    *,
    decomposer: Any = "bundled",
    solver: Any = "bundled",
    strategies: Sequence[str] = STRATEGIES,
    progress: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Answer every item with every strategy.

    Args:
        items: What to ask.
        decomposer: A model reference or chat model.
        solver: Another one, or the same.
        strategies: Strategies of `create_decomposition_graph`, the baseline first.
        progress: Is told a line now and then.
    """
    answers: dict[str, list[Answered]] = {}
    for strategy in strategies:
        progress(f"{len(items)} questions, {strategy}")
        answers[strategy] = list(_answer(items, strategy, decomposer, solver))
    right = {strategy: [a.right for a in found] for strategy, found in answers.items()}
    return Comparison(
        answers,
        {strategy: wilson(sum(found), len(items)) for strategy, found in right.items()},
        paired_difference(right[strategies[0]], right[strategies[-1]]),
    )


def _answer(
    items: Sequence[Item], strategy: Any, decomposer: Any, solver: Any
) -> Iterator[Answered]:
    from ..graphs.factory import create_decomposition_graph

    graph = create_decomposition_graph(solver, decomposer=decomposer, strategy=strategy)
    for item in items:
        try:
            result = graph.invoke({"question": item.question})
        except PromptTooLongError:
            yield Answered(item, None, right=False, split=False, tokens=0)
            continue
        yield Answered(
            item,
            result["answer"],
            is_right(result["answer"], item.answer),
            bool(result["plan"]),
            sum((r["input_tokens"] or 0) + (r["output_tokens"] or 0) for r in result["usage"]),
        )


def is_right(answer: str | None, gold: Fraction) -> bool:
    """Whether an answer is the gold number, not merely near it.

    Example:
        >>> is_right("$1,800", Fraction(1800)), is_right("12.75", Fraction(12))
        (True, False)
    """
    return answer is not None and gold in graded_numbers(answer)


def read_numeric(name: str, path: Path, limit: int | None = None) -> list[Item]:
    """The first items of a file in the original format of `gsm8k` or `svamp`.

    Raises:
        UserError: If the file can't be read as such.
    """
    rows = islice(located_rows(path), limit)
    return [Item(i.id, i.question, Fraction(i.gold[0])) for i in read_items(name, rows)]
