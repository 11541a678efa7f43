"""Collect: ask a teacher for plans, and for solutions along them, so that nothing paid is lost.

Every reply is in the directory's `replies.jsonl` before it counts. Running the same again asks
only for what is missing: after a kill, a spent budget, a teacher that was down, or with more
attempts or questions than before. `examples.jsonl` is what the next step reads.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...evals.about import identity_of
from ...evals.splits import split_of
from ...models.hosted import without_credentials
from ...models.references import check_role, resolve_model
from ...nodes.budget import Budget
from ...nodes.decomposer import check_cap
from ...nodes.solver import refuse_prose
from ...nodes.solvers import limited
from ...prompts import load_prompts
from .. import manifest
from ..records import write_examples
from .asking import Asking, OnProgress
from .questions import Question, dataset_file, read_questions
from .store import ReplyStore
from .teach import Teaching

STEP = "collect"
EXAMPLES = "examples.jsonl"
_PROMPTS = ("decompose", "cot", "teach_explain", "teach_solution")


@dataclass(frozen=True)
class CollectSettings:
    """What a teacher is asked, and what it may take.

    Attributes:
        teacher: A model reference, such as openai:gpt-5-mini or the name of a [models.NAME] table;
            in Python also a name in `models`.
        questions: A JSONL file, or `hf:OWNER/NAME[/CONFIG][:SPLIT]`.
        attempts: Plans for each question; the first is the likeliest, later ones are sampled.
        solve: Ask for a solution along each plan, too.
        explain: Show the teacher the reference solution (a row's `solution`, or GSM8K's
            annotated answer) and ask for the plan that it follows.
        until_right: Try again only while the solution isn't the reference answer (implies
            `solve`); a question without a reference answer is asked once.
        concurrency: Questions that are worked on at once.
        max_cost: Most money, over all runs on the directory; calls that are under way when
            it is reached are finished.
        max_calls: Most requests, retries included, over all runs on the directory.
        limit: Ask only the first so many questions.
        refuse_broken: Refuse a file with a broken line, before any question is asked; by default
            such a line is left out, told and counted.
        max_subquestions: Most lines that a plan may have.
        temperature: Of later attempts; a hosted model's own if None.
        call_timeout: Seconds for one call; the model's own if None.

    Raises:
        UserError: If a number is out of range.
    """

    teacher: str
    questions: str
    attempts: int = 1
    solve: bool = False
    explain: bool = False
    until_right: bool = False
    concurrency: int = 16
    max_cost: float | None = None
    max_calls: int | None = None
    limit: int | None = None
    refuse_broken: bool = False
    max_subquestions: int = 8
    temperature: float | None = None
    call_timeout: float | None = None

    def __post_init__(self) -> None:
        for name in ("attempts", "concurrency", "limit"):
            value = getattr(self, name)
            if value is None and name == "limit":
                continue
            if type(value) is not int or not 1 <= value <= 10**9:
                raise UserError(f"{name} is a whole number from 1, not {value!r}.")
        for name, most in (("temperature", 10), ("call_timeout", 10**6)):
            value = getattr(self, name)
            if value is not None and (type(value) not in (int, float) or not 0 < value <= most):
                raise UserError(f"{name} is a number above 0 and up to {most}, not {value!r}.")
        check_cap(self.max_subquestions)
        Budget(max_calls=self.max_calls, max_cost=self.max_cost)


def collect(
    settings: CollectSettings,
    directory: Path,
    progress: OnProgress | None = None,
    models: Mapping[str, Any] | None = None,
    split: str = "",
) -> dict[str, Any]:
    """Ask a teacher about all questions that have no plan yet.

    Args:
        settings: What to ask whom.
        directory: Where replies, examples and the manifest are kept.
        progress: Is told after every question.
        models: LangChain models by the names that `settings.teacher` may use for them.
        split: Ask only about this part ("train", "dev" or "eval"); "" asks about all.

    Returns:
        The counts, as in the manifest: calls, tokens, cost, plans, what failed and why.

    Raises:
        UserError: If something given is wrong; or if the budget is spent or the teacher can't
            be asked any more: then what came so far is in `examples.jsonl`, and running the
            same again goes on.

    Example:
        >>> import json, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "questions.jsonl")
        ...     _ = file.write_text(json.dumps({"question": "Who directed Jaws?"}))
        ...     settings = CollectSettings(teacher="mine", questions=str(file))
        ...     counts = collect(settings, Path(folder, "out"), models={"mine": lambda _: "atomic"})
        >>> counts["plans"], counts["calls"]
        (1, 1)
    """
    return asyncio.run(_collect(settings, directory, progress, models or {}, split))


async def _collect(
    settings: CollectSettings,
    directory: Path,
    progress: OnProgress | None,
    models: Mapping[str, Any],
    split: str,
) -> dict[str, Any]:
    kept, inputs = _what_counts(settings, split), _inputs(settings)
    manifest.refuse_own_input(directory / EXAMPLES, inputs)
    if done := _finished(directory, kept, inputs):
        return done
    manifest.refuse_what_was_there(directory, [EXAMPLES])
    teaching = _teaching(settings, models)
    broken = list[str]()
    noted = None if settings.refuse_broken else broken
    questions = read_questions(settings.questions, limit=settings.limit, broken=noted)
    _refuse_what_lacks(settings, questions.rows)
    asked = [question for question in questions.rows if split in ("", split_of(question.id))]
    kept["identity"] = _identity(settings.teacher, teaching, models)
    with ReplyStore(directory) as store:
        _refuse_another_teacher(directory, kept, store)
        manifest.begin(directory, STEP, kept, inputs, anew=True)
        asking = Asking(asked, teaching, settings, store, progress)
        await asking.run()
        write_examples(directory / EXAMPLES, asking.examples())
        if asking.stopped:
            raise _stopped(asking, len(asked), store, directory)
        counts = {
            **asking.counts(),
            "repeated": questions.repeated,
            "broken": len(broken),
            "broken_lines": broken,
        }
        manifest.finish(directory, STEP, kept, inputs, counts)
    return counts


def _refuse_what_lacks(settings: CollectSettings, rows: list[Question]) -> None:
    """Refuse questions without the answers or solutions that the settings call for."""
    if settings.until_right and not any(question.answer for question in rows):
        raise UserError(
            f"{settings.questions!r} has no reference answers to try until; give its rows an "
            "'answer', or leave until_right out."
        )
    if settings.explain and not any(question.solution for question in rows):
        raise UserError(
            f"{settings.questions!r} has no worked solutions to explain; give its rows a "
            "'solution', or leave explain out."
        )


def _stopped(asking: Asking, total: int, store: ReplyStore, directory: Path) -> UserError:
    """The one sentence that says why it stopped and how to go on."""
    stopped, kept = asking.stopped.removesuffix("."), f"are kept in {str(directory)!r}"
    left = total - asking.done
    if not left and not any(asking.examples()):
        return UserError(
            f"{stopped}; the {store.replies} replies {kept} and aren't asked for again: raise "
            "attempts, or name another --out."
        )
    return UserError(
        f"{stopped}; {left} of {total} questions are left, and the {store.replies} replies so far "
        f"{kept}: mend that, or raise the cap, and run the same again to go on."
    )


def _what_counts(settings: CollectSettings, split: str) -> dict[str, Any]:
    """The settings and prompts that the examples depend on, without secrets."""
    prompts = load_prompts()
    versions = {name: prompts[name].version for name in _PROMPTS}
    teacher = without_credentials(settings.teacher)
    return {**asdict(settings), "split": split, "teacher": teacher, "prompts": versions}


def _inputs(settings: CollectSettings) -> list[Path]:
    file = dataset_file(settings.questions)
    return [file] if file else []


def _finished(directory: Path, kept: dict[str, Any], inputs: list[Path]) -> dict[str, Any]:
    """The counts if nothing is left to do.

    More attempts or questions are no reason to begin anew, as they are for other steps: what
    was asked is found by its content, and the rest is added.

    Raises:
        UserError: If the directory belongs to another step.
    """
    found = manifest.read_manifest(directory)
    if not found:
        return {}
    counts = found.get("counts") or {}
    if found["step"] != STEP:
        raise UserError(f"{str(directory)!r} holds the step {found['step']}; name another --out.")
    same = found["fingerprint"] == manifest.fingerprint(kept, inputs)
    whole = found["finished"] and not counts.get("failed") and (directory / EXAMPLES).exists()
    return counts if same and whole else {}


def _identity(teacher: str, teaching: Teaching, models: Mapping[str, Any]) -> str:
    """What is asked under a name: a file is known by its content, wherever it lies."""
    if teaching.model.is_local and teacher not in models:
        return json.dumps(identity_of(teacher), sort_keys=True)
    return without_credentials(teaching.model.identity)


def _refuse_another_teacher(directory: Path, kept: dict[str, Any], store: ReplyStore) -> None:
    """Also one that has the name of the former, after a [models.NAME] table was changed."""
    before = {**kept, **(manifest.read_manifest(directory).get("settings") or {})}
    other = [before[key] for key in ("teacher", "identity") if before[key] != kept[key]]
    if store.replies and other:
        raise UserError(
            f"{str(directory)!r} holds replies of another teacher, {other[0]!r}; ask that one, or "
            "name another --out (in a recipe, call the source by another name)."
        )


def _teaching(settings: CollectSettings, models: Mapping[str, Any]) -> Teaching:
    given = models.get(settings.teacher)
    model = resolve_model(settings.teacher if given is None else given, "decomposer")
    solve = settings.solve or settings.until_right
    if solve:
        check_role(model.name, model.contract, "solver")
        refuse_prose(model, "static")
    if settings.max_cost is not None and None in (model.price_in, model.price_out):
        raise UserError(
            f"max_cost can't be watched for {model.name!r}: give the teacher price_in and "
            "price_out in a [models.NAME] table."
        )
    if not model.is_local and (given is not None or ":" in settings.teacher):
        # A table of the user's has its own bound.
        model = limited(model, settings.concurrency)
    return Teaching(
        model,
        load_prompts(),
        settings.max_subquestions,
        solve=solve,
        explain=settings.explain,
        temperature=settings.temperature,
    )
