"""What a user may set when making a graph, in one place for all factories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from pathlib import Path

    from ..nodes.answer_cache import AnswerCache
    from ..nodes.budget import Budget, Meter
    from ..nodes.solvers import Route
    from .factory import Strategy


class Options(TypedDict, total=False):
    """Options of `create_decomposition_graph`, all by keyword.

    Attributes:
        decomposer: Writes the plan: a model reference or a chat model ("bundled").
        composer: Merges the answers; the solver if None.
        strategy: `dag` (default), `sequential`, `static`, `self_consistency`, `cot`, `direct`.
        max_subquestions: Most lines a plan may have, 1 to 64 (8).
        samples: Samples of `self_consistency`, 1 to 64 (5).
        prompts: Folder whose files replace prompts of the same name.
        budget: Caps on calls, tokens, seconds and money for one question.
        shared_meter: A `Meter` whose budget all questions of the graph share.
        call_timeout: Seconds for one call; the model table's timeout if None.
        max_concurrency: Most calls at once to each solver; the model's own limit if None.
        route: With a dict of named solvers: a function from a `Subquestion` to the name of
            the solver that answers it. Without it, the dict holds `SolverOption`s, and each
            subquestion gets the one that makes the plan's success likeliest within
            `Budget.max_cost`.
        retriever: A LangChain retriever (or a function from a text to documents) that is
            asked for each subquestion; what it finds is shown to the solver and kept under
            `sources`.
        answer_cache: Keeps answers between questions; off if None.
        review: Interrupt once after planning, for a person to approve, edit or reject the
            plan; needs a checkpointer.
        condense: Let the composer's model rewrite a follow-up message as a full question; if
            False, the newest message is the question as it stands.
        context_schema: Type of the run-scoped context, for solvers that read it.
    """

    decomposer: Any
    composer: Any
    strategy: Strategy
    max_subquestions: int
    samples: int
    prompts: str | Path | None
    budget: Budget | None
    shared_meter: Meter | None
    call_timeout: float | None
    max_concurrency: int | None
    route: Route | None
    retriever: Any
    answer_cache: AnswerCache | None
    review: bool
    condense: bool
    context_schema: type[Any] | None
