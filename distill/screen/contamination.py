"""Contamination: training questions that are also, or nearly, in an evaluation set.

Two texts overlap if they have 13 consecutive words in common, in any case and punctuation: the
rule of GPT-3 (Brown et al. 2020, arXiv 2005.14165, appendix C), whose lower bound is 8 words.
So an evaluation question of 8 to 12 words counts if it occurs whole in the training question,
and a shorter one only if the two are equal. What "What is the total of this order?" means, its
passage says: of a question with a passage, 13 words count, or that both are equal. Problems that
differ in their numbers alone, such as GSM-Hard's, share 13 words nearly always and are found by
their GSM8K wording.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from ...errors import UserError
from ...evals.rows import csv_rows
from ...evals.splits import split_of
from ..collect.questions import question_rows
from ..importers import KINDS, read_dataset
from ..records import read_examples

NGRAM = 13
MIN_NGRAM = 8
DEV = "dev:"
"""Begins a reference of which only the rows for development count: a recipe's held-out part."""

_WORD = re.compile(r"\d+(?:[.,]\d+)*|\w+")
_PAIR = re.compile(r"([a-z0-9_]+):(.+)", re.DOTALL)


def normalised_words(text: str) -> tuple[str, ...]:
    """The words and numbers of a text, without case, accents' encoding and punctuation."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").replace("'", "")
    return tuple(_WORD.findall(text.replace("_", " ")))


class EvaluationSets:
    """The questions of evaluation sets, to be looked up by what they have in common."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._exact: dict[int, int] = {}
        self._grams: dict[int, dict[int, int]] = {}  # By length: hash to question.

    def __len__(self) -> int:
        return len(self._names)

    def add(self, name: str, question: str, context: str = "") -> None:
        """Add a question, and the passage that it is asked about; `name` says which it is."""
        words = normalised_words(question)
        if not words:
            return
        number = len(self._names)
        self._names.append(name)
        self._exact.setdefault(hash(normalised_words(f"{context} {question}")), number)
        if len(words) >= (NGRAM if context else MIN_NGRAM):
            grams = self._grams.setdefault(min(len(words), NGRAM), {})
            for gram in _grams(words, NGRAM):
                grams.setdefault(gram, number)

    def overlap(self, question: str, context: str = "") -> str:
        """Which evaluation question a training question repeats, and how; "" if none."""
        words, whole = normalised_words(question), normalised_words(f"{context} {question}")
        # One without a passage is repeated whatever passage stands before it.
        for text in (whole, words):
            if (number := self._exact.get(hash(text))) is not None:
                return f"is {self._names[number]}"
        for text in (words, whole if context else ()):
            for length, known in self._grams.items():
                if len(text) < length:
                    continue
                for gram in _grams(text, length):
                    if (number := known.get(gram)) is not None:
                        return f"shares {length} words with {self._names[number]}"
        return ""


def read_evaluation_sets(references: Iterable[str]) -> EvaluationSets:
    """Read evaluation sets.

    Args:
        references: Files, as `PATH` or `KIND:PATH` with a kind of `read_dataset`. Of Break's
            CSV files, which also hold training rows, only the tenth for evaluation is read.
            `dev:KIND:PATH` reads the rows for development alone, of a file that is trained on,
            and `dev:PATH` those of a file whose rows have ids of their own: ids decide which
            these are, so one question under two ids may be in both parts.

    Raises:
        UserError: If a file can't be read, has a broken row or holds no question: what isn't
            read can't be kept out of the training.
    """
    sets = EvaluationSets()
    for reference in references:
        before = len(sets)
        for row in _questions(reference):
            sets.add(*row)
        if len(sets) == before:
            raise UserError(f"the evaluation set {reference!r} holds no questions; name another.")
    return sets


def repeated_questions(held_out: Iterable[Path], training: Iterable[Path]) -> tuple[int, int]:
    """How many of the held-out examples' questions are trained on as well, and how many there are.

    Raises:
        UserError: If a file can't be read or has a broken row.
    """
    asked = {normalised_words(e.problem) for path in held_out for e in read_examples(path)}
    rows = (normalised_words(e.problem) for path in training for e in read_examples(path))
    return len({words for words in rows if words in asked}), len(asked)


def evaluation_file(reference: str) -> tuple[str, Path]:
    """Kind and file of a reference; the kind is guessed where none is given."""
    if pair := _named(reference):
        return pair[1], Path(pair[2])
    path = Path(reference.removeprefix(DEV))
    if path.suffix == ".csv":
        return "break", path
    return ("svamp" if path.name.casefold().startswith("svamp") else "questions"), path


def _named(reference: str) -> re.Match[str] | None:
    """The kind and the path of a reference that has both."""
    match = _PAIR.fullmatch(reference.removeprefix(DEV))
    return match if match and match[1] in KINDS else None


def _questions(reference: str) -> Iterator[tuple[str, str, str]]:
    kind, path = evaluation_file(reference)
    part = "dev" if reference.startswith(DEV) else "eval" if kind == "break" else ""
    # With a kind, ids are those that its reader gives; without, those that a recipe splits by.
    own = reference.startswith(DEV) and not _named(reference) and kind == "questions"
    for row in _own_rows(path) if own else _rows(kind, path):
        if part in ("", split_of(row[0])):
            yield row


def _rows(kind: str, path: Path) -> Iterator[tuple[str, str, str]]:
    """Ids, questions and passages; of Break also those whose plans can't be worded."""
    if kind == "break":
        for _, row in csv_rows(path):
            yield f"break:{row.get('question_id', '')}", row.get("question_text", ""), ""
        return
    for example in read_dataset(kind, path):
        yield example.id, example.question, example.context


def _own_rows(path: Path) -> Iterator[tuple[str, str, str]]:
    """The same of a file of examples, or of questions for a teacher."""
    for _, question in question_rows(str(path)):
        yield question.id, question.problem.question, question.problem.context


def _grams(words: tuple[str, ...], length: int) -> Iterator[int]:
    """Hashes of all runs of `length` words; of the whole if it is shorter."""
    if len(words) <= length:
        yield hash(words)
        return
    for run in zip(*(islice(words, k, None) for k in range(length)), strict=False):
        yield hash(run)
