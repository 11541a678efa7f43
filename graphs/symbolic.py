"""`symbolic`: the solver model states a puzzle in SMT-LIB, Z3 solves it, a program words it.

Mittal et al. (SymPro-LM in FCoReBench, arXiv 2402.02611) let a model write the rules, a solver
do the search, and given solved examples find mistakes; Pan et al. (Logic-LM, arXiv
2305.12295) let the solver's error messages mend the script. Unlike theirs, nothing that the
model wrote is run: it writes no Python, and Z3 works in a process that can do nothing else.
An answer is Z3's or there is none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langgraph.graph import StateGraph

from ..errors import CutOffReplyError, EmptyReplyError
from ..models.deadline import call_deadline, seconds_within
from ..models.limiter import Limiter
from ..nodes.answers import AnswerRow, answered
from ..nodes.calls import Call, drawn
from ..nodes.composer import undivided_outcome
from ..nodes.events import Event
from ..nodes.problem import Problem
from ..nodes.replies import Reply
from ..nodes.retrieval import retrieve, with_passages
from ..nodes.solver import whole_question, with_failure_as_row
from ..nodes.solvers import Solvers
from ..nodes.steps import Do, Steps
from ..nodes.usage import add_usage
from ..nodes.voting import normalise
from ..tools.formalisation import Formalisation, FormalisationError, read_formalisation, word_answer
from ..tools.smt import MEGABYTES, SECONDS, SmtResult, asolve_smt, require_z3, solve_smt
from .about import About
from .roles import Roles, solved_in_one_node

ABOUT = About(
    does="lets the solver state a puzzle in SMT-LIB, which Z3 solves; the answer is Z3's",
    calls="1, and up to 4 repairs",
    pays="on constraint puzzles, where search in words fails (their figures, not ours)",
    source="Mittal et al., arXiv 2402.02611",
)
REPAIRS = 4
"""Most calls that mend a formalisation, after the one that wrote it."""
_SHOWN_OF_A_BAD_REPLY = 8_000
_NEEDS = "the strategy 'symbolic' needs a solver that writes SMT-LIB;"
_CURE = "name another --solver"
_NOT_UNIQUE = "the formalisation allows other answers, too"
# Each needs a core and up to a gigabyte, however many questions are asked at once.
_places = Limiter(os.cpu_count() or 1)


@dataclass(frozen=True)
class _Solution:
    """The answer, the script that it solves, and whether no other answer fits."""

    answer: str | None = None
    script: str | None = None
    unique: bool | None = None


def build_symbolic(roles: Roles) -> StateGraph[Any, Any, Any, Any]:
    """One call that formalises, and up to four that repair what Z3 or an example refutes.

    Args:
        roles: Models and settings; of `examples` the answers are known.

    Raises:
        MissingDependencyError: If z3-solver isn't installed.
        UserError: If the solver writes expressions only.
    """
    require_z3()
    roles.solver.must_write_words(_NEEDS, _CURE)

    def solve(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        problem = Problem.of(state)
        chosen = replace(roles, solvers=Solvers(roles.solver_of(problem)))
        chosen.solver.must_write_words(_NEEDS, _CURE)
        steps = with_failure_as_row(_row(problem, chosen), problem, chosen.solver)
        solved, row = yield from steps
        found = solved or _Solution()
        told = {**(state.get("trace") or {}), "symbolic": {"script": found.script}}
        state = {**state, "trace": told}
        if found.unique is False:
            state["warnings"] = [*state.get("warnings", []), _NOT_UNIQUE]
        return undivided_outcome(state, found.answer, row, roles.limits.budget)

    return solved_in_one_node(roles, "symbolic", solve)


def _row(problem: Problem, roles: Roles) -> Steps[tuple[_Solution, AnswerRow]]:
    """The solution and its row."""
    sources = yield from retrieve(roles.retriever, problem.question)
    seen = with_passages(problem, sources)
    found, replies = yield from _attempts(seen, roles)
    question, answer = whole_question(problem), found.answer or ""
    row = answered(question, problem.question, answer, replies, roles.solver, sources)
    row["seconds"] = sum(reply.usage["seconds"] for reply in replies)  # One after another.
    return found, row


def _attempts(problem: Problem, roles: Roles) -> Steps[tuple[_Solution, list[Reply]]]:
    """Formalise, and repair until an answer comes out; all replies are returned.

    Where what failed is asked again, the repairs go on behind those that were kept.

    Raises:
        FormalisationError: If the last repair is no better; it carries the usage of all.
    """
    replies: list[Reply] = []
    trouble = text = ""
    left, number = 1 + REPAIRS, 0
    try:
        while left:
            left -= 1
            try:
                reply = yield _call(problem, roles, number, text, trouble)
                left += reply.earlier
                replies.append(reply)
                text = reply.text
                found = yield from _solved(reply, roles)
            except (FormalisationError, EmptyReplyError, CutOffReplyError) as error:
                replies += [Reply("", cut_off=False, usage=usage) for usage in error.usage]
                trouble = str(error)
                number += 1
                yield Event("symbolic", {"attempt": number, "answer": None, "error": trouble})
            else:
                told = {"attempt": number + 1, "answer": found.answer, "error": ""}
                yield Event("symbolic", told)
                return found, replies
        raise FormalisationError(f"no formalisation worked; at the last, {trouble}")
    except Exception as error:
        paid = add_usage([reply.usage for reply in replies], getattr(error, "usage", ()))
        error.usage = tuple(paid)  # type: ignore[attr-defined]
        raise


def _call(problem: Problem, roles: Roles, number: int, text: str, trouble: str) -> Call:
    """The call that formalises or, from the second on, repairs."""
    fields = {"problem": problem.with_hints, "examples": _shown(roles.examples)}
    if number:
        fields |= {"reply": text[:_SHOWN_OF_A_BAD_REPLY] or "(nothing)", "error": trouble}
    name = "formalise_repair" if number else "formalise"
    messages = roles.prompts[name].messages(fields)
    # A model in this process would repeat its mistake word for word.
    return Call("solver", roles.solver, messages, drawn(number), f"solver {name}", sample=number)


def _shown(examples: Sequence[Mapping[str, str]]) -> str:
    return (
        "\n\n".join(
            f"Example {number}\n{example['question']}\nAnswer: {example['answer']}"
            for number, example in enumerate(examples, 1)
        )
        or "none"
    )


def _solved(reply: Reply, roles: Roles) -> Steps[_Solution]:
    """The answer of a formalisation that gets the given examples right.

    Raises:
        FormalisationError: If there is none, saying why.
    """
    if reply.cut_off:
        raise FormalisationError("the reply was cut off at the token limit: write less")
    formal = read_formalisation(reply.text, examples=len(roles.examples))
    for number, example in enumerate(roles.examples, 1):
        answer = (yield from _worded(formal, f"example {number}")).answer or ""
        if normalise(answer) != normalise(example["answer"]):
            raise FormalisationError(
                f"the formalisation answers example {number} with {answer[:200]!r}, "
                f"but the right answer is {example['answer'][:200]!r}"
            )
    return (yield from _worded(formal, "question"))


def _worded(formal: Formalisation, case: str) -> Steps[_Solution]:
    """Z3's solution of one puzzle, put into the words of the answer section."""
    wanted = formal.wanted if case == "question" else []
    script = formal.script(case)
    found = yield from _z3(script, wanted)
    if found.error:
        raise FormalisationError(f"{case}: {found.error}")
    if found.status == "unsat":
        raise FormalisationError(f"{case}: Z3 finds that the assertions contradict each other")
    try:
        return _Solution(word_answer(formal.answer, found.values), script, found.unique)
    except FormalisationError as error:
        raise FormalisationError(f"{case}: {error}") from None


def _z3(script: str, wanted: Sequence[str] | None) -> Steps[SmtResult]:
    """Run Z3 when there is a place for it, and not beyond the budget's time."""
    options: Any = {"megabytes": MEGABYTES, "wanted": wanted}

    def seconds() -> float:
        return seconds_within(SECONDS, call_deadline.get())

    def blocking(_: Any) -> SmtResult:
        with _places.hold():
            return solve_smt(script, seconds=seconds(), **options)

    async def awaitable(_: Any) -> SmtResult:
        async with _places.ahold():
            return await asolve_smt(script, seconds=seconds(), **options)

    try:
        return (yield Do(blocking, awaitable, bounded=True))
    except TimeoutError:
        return SmtResult("unknown", error="Z3 took longer than a call may take")
