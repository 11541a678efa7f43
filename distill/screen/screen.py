"""Screen: of what was collected, imported and generated, keep what is fit to learn from.

Filters, in this order; an example is dropped by the first that it fails:

    broken         lines of the file that are no example
    plan           plans that can't be right: repeated or unused lines, wrong expressions
    evaluation     rows that are for evaluation by their id, or of another split
    length         too many lines, characters or tokens
    language       questions in another language
    contamination  questions that overlap with an evaluation set
    answer         plans that lead to another answer than the reference (S_D-R)
    recoverable    plans from which the question can't be recovered
    duplicate      questions that occur again; the best plan is kept

The files are read twice, so that memory holds a few numbers for each example and no text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TextIO, get_args

from ...errors import UserError
from ...evals.splits import split_of
from ...storage import private
from .. import manifest
from ..collect.answers import same_answer
from ..records import Example, read_examples, write_examples
from ..whole_files import written_whole
from .checks import language_fault, length_fault, plan_fault, worked_answer
from .contamination import EvaluationSets, evaluation_file, normalised_words, read_evaluation_sets
from .recoverable import coverage
from .report import Filter, Report

Method = Literal["none", "answer", "recoverable"]
_FILTERS = {
    "broken": "lines that are no example",
    "plan": "repeated or unused lines, expressions with another value",
    "evaluation": "rows for evaluation, or of another split",
    "length": "too many lines, characters or tokens",
    "language": "another language",
    "contamination": "overlap with an evaluation set",
    "answer": "another answer than the reference",
    "recoverable": "the question can't be recovered from the plan",
    "duplicate": "the question occurs again with a better plan, or an equal one before",
}

_SIGN = re.compile(r"[+*/%=#<>^×÷−]|(?<=[\s\d])-(?=[\s\d])")
_WRITTEN = ("examples.jsonl", "dropped.jsonl", "report.json", "report.md")


@dataclass(frozen=True)
class ScreenSettings:
    """What is kept.

    Args:
        method: "none" keeps plans whatever they lead to (S_D-T), "answer" those that lead to
            the reference answer (S_D-R), "recoverable" those of them from which the question
            can be recovered.
        evaluation: Files of evaluation sets, `PATH` or `KIND:PATH`, or `dev:KIND:PATH` for the
            held-out part of a training file, `dev:PATH` for that of one whose rows have ids of
            their own; nothing that overlaps with one is kept.
        split: Keep only "train" or "dev"; "" keeps both. Rows for evaluation are never kept.
        language: "en" drops other languages; "" keeps all.
        max_lines: Most lines of a plan.
        max_chars: Most characters of context and question.
        max_tokens: Most tokens of prompt and plan, at about 4 characters a token.
        refuse_broken: Refuse a file with a broken line, instead of leaving the line out.
        shown: Dropped examples in the report, for each filter.
    """

    method: Method = "none"
    evaluation: tuple[str, ...] = ()
    split: Literal["", "train", "dev"] = ""
    language: Literal["", "en"] = "en"
    max_lines: int = 8
    max_chars: int = 8000
    max_tokens: int = 2000
    refuse_broken: bool = False
    shown: int = 5

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise UserError(f"'method' is none, answer or recoverable, not {self.method!r}.")
        if self.split not in ("", "train", "dev"):
            raise UserError(f"'split' is train, dev or empty for both, not {self.split!r}.")
        if self.language not in ("", "en"):
            raise UserError(f"'language' is en or empty for any, not {self.language!r}.")
        if isinstance(self.evaluation, str):
            raise UserError("'evaluation' is a list of files.")
        for name in ("max_lines", "max_chars", "max_tokens"):
            if getattr(self, name) < 1:
                raise UserError(f"{name!r} must be at least 1.")
        object.__setattr__(self, "evaluation", tuple(map(str, self.evaluation)))


class _Fault(NamedTuple):
    filter: str
    why: str


class _Best(NamedTuple):
    """The plan of a question to keep: a smaller rank is better, then the first."""

    rank: tuple[int, ...]
    number: int


def screen(
    settings: ScreenSettings, inputs: Sequence[Path], directory: Path, *, anew: bool = False
) -> dict[str, object]:
    """Screen files of examples into `examples.jsonl`, `dropped.jsonl` and `report.md`.

    Args:
        settings: What is kept.
        inputs: Files of examples, or directories of steps that wrote an `examples.jsonl`.
        directory: Where to write.
        anew: Whether what was screened there with other settings may be overwritten.

    Returns:
        How many were read, kept, and dropped by each filter.

    Raises:
        UserError: If a file can't be read or written, or has a broken line that is refused.
    """
    files = [path / "examples.jsonl" if path.is_dir() else path for path in inputs]
    if not files:
        raise UserError("there is nothing to screen; name files of examples.")
    evaluation = [evaluation_file(reference)[1] for reference in settings.evaluation]
    manifest.refuse_own_input(directory / "examples.jsonl", [*files, *evaluation])
    about = ("screen", asdict(settings), [*files, *evaluation])
    with manifest.alone(directory, "screen", _WRITTEN):
        if not manifest.begin(directory, *about, anew, _WRITTEN):
            return manifest.read_manifest(directory)["counts"]
        screening = _Screening(settings, files, directory)
        screening.run()
        counts = screening.report.counts()
        manifest.finish(directory, *about, counts)
        return counts


class _Screening:
    """One run over the files: judge everything, then write what is left."""

    def __init__(self, settings: ScreenSettings, files: list[Path], directory: Path) -> None:
        self.settings = settings
        self.files = files
        self.directory = directory
        self.report = Report([Filter(name, about) for name, about in _FILTERS.items()])
        self._filters = {f.name: f for f in self.report.filters}
        self._best: dict[bytes, _Best] = {}

    def run(self) -> None:
        """Write all files, each whole or not at all."""
        sets = read_evaluation_sets(self.settings.evaluation)
        whole = written_whole(self.directory / "dropped.jsonl", "part")
        with whole as new, open(new, "w", encoding="utf-8", opener=private) as dropped:
            passed = self._judge_all(sets, dropped)
            kept = self._without_duplicates(passed, dropped)
            write_examples(self.directory / "examples.jsonl", kept)
        self.report.write(self.directory)

    def _judge_all(self, sets: EvaluationSets, dropped: TextIO) -> bytearray:
        """For each example whether it passed; remembers the best of each question."""
        passed = bytearray()
        broken: list[str] | None = None if self.settings.refuse_broken else []
        for number, example in enumerate(self._read(broken)):
            self._drop_broken(broken, dropped)
            fault = self._fault(example, sets)
            passed.append(fault is None)
            if fault:
                self._drop(example, fault, dropped)
                continue
            best = _Best(_rank(example), number)
            key = _key(example)
            self._best[key] = min(best, self._best.get(key, best))
        self._drop_broken(broken, dropped)
        self.report.read += len(passed)
        return passed

    def _without_duplicates(self, passed: bytearray, dropped: TextIO) -> Iterator[Example]:
        """The second pass: the examples that passed, the best of each question alone."""
        for number, example in enumerate(self._read([])):
            if not passed[number]:
                continue
            if self._best[_key(example)].number == number:
                self.report.keep(example)
                yield example
            else:
                self._drop(example, _Fault("duplicate", "the question occurs again"), dropped)

    def _read(self, broken: list[str] | None) -> Iterator[Example]:
        for path in self.files:
            yield from read_examples(path, broken)

    def _fault(self, example: Example, sets: EvaluationSets) -> _Fault | None:
        """The first filter that an example fails, and why."""
        settings = self.settings
        split = split_of(example.id)
        other = split == "eval" or (settings.split and split != settings.split)
        checks: tuple[tuple[str, Callable[[], str]], ...] = (
            ("plan", lambda: plan_fault(example)),
            ("evaluation", lambda: f"is for {split}" if other else ""),
            ("length", lambda: length_fault(example, settings)),
            ("language", lambda: _language_fault(example) if settings.language else ""),
            ("contamination", lambda: sets.overlap(example.question, example.context)),
            ("answer", lambda: self._answer_fault(example)),
            ("recoverable", lambda: self._recoverable_fault(example)),
        )
        for name, check in checks:
            if why := check():
                return _Fault(name, why)
        return None

    def _answer_fault(self, example: Example) -> str:
        if self.settings.method == "none":
            return ""
        found = worked_answer(example)
        if not found or not example.answer:
            return "no answer of the plan" if example.answer else "no reference answer"
        if not same_answer(found, example.answer):
            return f"{found[:60]!r} in place of {example.answer[:60]!r}"
        return ""

    def _recoverable_fault(self, example: Example) -> str:
        if self.settings.method != "recoverable" or not example.plan:
            return ""
        return coverage(example).fault

    def _drop(self, example: Example, fault: _Fault, dropped: TextIO) -> None:
        row = {"filter": fault.filter, "why": fault.why, "example": json.loads(example.to_json())}
        dropped.write(json.dumps(row, ensure_ascii=False) + "\n")
        counted = self._filters[fault.filter]
        counted.drop(example.id, example.question, fault.why, self.settings.shown)

    def _drop_broken(self, broken: list[str] | None, dropped: TextIO) -> None:
        for why in broken or ():
            dropped.write(json.dumps({"filter": "broken", "why": why}) + "\n")
            self._filters["broken"].drop("", "", why, self.settings.shown)
            self.report.read += 1
        if broken:
            broken.clear()


def _language_fault(example: Example) -> str:
    """The question's, or that of question and plan: more words tell more surely."""
    texts = [example.question, *(line["text"] for line in example.plan)]
    return language_fault(example.question) or language_fault("\n".join(texts))


def _key(example: Example) -> bytes:
    """What makes two examples the same: the question's words and signs, and what it is for."""
    words, signs = normalised_words(example.problem), _SIGN.findall(example.problem)
    text = "\0".join([str(example.meta.get("role", "")), *words, *signs])
    return hashlib.blake2b(text.encode(), digest_size=12).digest()


def _rank(example: Example) -> tuple[int, ...]:
    """Smaller is better: a right answer, a teacher's plan and not a rule's, an early attempt."""
    found = worked_answer(example)
    right = bool(found and example.answer) and same_answer(found, example.answer)
    return (not right, not example.teacher, example.attempt)
