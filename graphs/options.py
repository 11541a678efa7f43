"""What a user may set when making a graph, in one place for all factories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..nodes.answer_cache import AnswerCache
    from ..nodes.budget import Budget, Meter
    from ..nodes.gate import Gate
    from ..nodes.solvers import Route
    from ..nodes.verifier import Where
    from .escalate import Rung
    from .factory import Strategy


class Options(TypedDict, total=False):
    """Options of `create_decomposition_graph`, all by keyword.

    Attributes:
        decomposer: Writes the plan: a model reference or a chat model ("bundled"; for `dynamic`
            the solver).
        composer: Merges the answers; if None, the solver, or of several the first that writes
            text (of `SolverOption`s the likeliest to be right).
        strategy: How a question is answered (`dag`); docs/strategies.md describes each.
        max_subquestions: Most lines a plan may have, 1 to 64 (8).
        samples: Samples of `self_consistency`, 1 to 64 (5).
        gate: Who decides whether to split. `model` (default): the decomposer, which may write
            `atomic` (don't split); `always`: it may not; `never`; `disagreement`: split only if
            `attempts` undivided samples disagree.
        attempts: Undivided samples of `attempt_first` and of the gate `disagreement` (3). With
            1, `attempt_first` has it judged by the verifier.
        dup: Find the core question and the useful facts before anything else.
        verify: Have answers judged, and asked again if wrong: those of `subquestions`, the
            final `answer`, or `both`; None for none.
        verifier: Judges them: a model reference or a chat model; the solver if None.
        verify_retries: How often a wrong answer is asked for again (1).
        max_depth: Levels of plans of `recursive`; 1 splits nothing again (2).
        max_total: Most subquestions of `recursive` on all levels together (64).
        ladder: The rungs of `escalate`: `Rung`s, or dicts of their fields.
        examples: Solved puzzles for `symbolic`, `{"question", "answer"}` each; the solver's
            formalisation must get them right.
        prompts: Folder whose files replace the package's prompts of the same name.
        budget: Caps on calls, tokens, seconds and money for one question.
        shared_meter: A `Meter` whose budget all questions of the graph share.
        call_timeout: Seconds for one call; the model table's timeout if None.
        max_concurrency: Most calls at once to each solver; the model's own limit if None.
        route: For a dict of named solvers: a function from a `Subquestion` to the name of the
            solver that answers it. A question that isn't split comes as a line with id 0.
            Without a route, the dict holds `SolverOption`s, and each subquestion gets the one
            that makes it likeliest that the plan succeeds within `Budget.max_cost` (`dag`,
            `sequential` and `recursive`, without a gate that asks the whole question).
        retriever: A LangChain retriever (or a function from a text to documents), asked for each
            subquestion; the first 20 passages that it finds, of each at most 4,000 characters,
            are shown to the solver and kept under `sources`.
        answer_cache: Reuses answers between questions; off if None.
        review: Interrupt once after planning, for a person to approve, edit or reject the
            plan; needs a checkpointer.
        condense: Let the composer's model rewrite a follow-up message as a full question. If
            False, the newest message is the question exactly as it is. Of an earlier question
            that came as `question`, the model sees only the answer.
        context_schema: Type of LangGraph's run-scoped context, for solvers that read it.
    """

    decomposer: Any
    composer: Any
    strategy: Strategy
    max_subquestions: int
    samples: int
    gate: Gate
    attempts: int
    dup: bool
    verify: Where | None
    verifier: Any
    verify_retries: int
    max_depth: int
    max_total: int
    ladder: Sequence[Rung | Mapping[str, Any]] | None
    examples: Sequence[Mapping[str, str]] | None
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
