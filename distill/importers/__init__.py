"""Import: questions, solutions and decompositions as `Example`s, from their own formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ...errors import UserError
from ..records import Example, read_examples
from .break_qdmr import break_qdmr
from .decompositions import gsm8k_socratic, musique, strategyqa
from .plain import gsm8k, questions, svamp
from .teacher import teacher

_Reader = Callable[[Path, "list[str] | None"], Iterator[Example]]

_READERS: dict[str, _Reader] = {
    "examples": read_examples,
    "gsm8k": gsm8k,
    "gsm8k_socratic": gsm8k_socratic,
    "hotpot_2wiki": partial(questions, licence="CC BY-SA 4.0"),
    "questions": questions,
    "strategyqa": strategyqa,
    "svamp": svamp,
    "webquestions": partial(questions, licence="CC BY 4.0"),
}
_CHOOSY = {"break": break_qdmr, "musique": musique}
"""Readers that also leave out rows with which nothing is wrong."""
KINDS = (*sorted([*_READERS, *_CHOOSY, "teacher"]),)
"""The formats that can be read; `examples` is the pipeline's own."""


def read_dataset(
    kind: str,
    path: str | Path,
    *,
    data_dir: str | Path | None = None,
    broken: list[str] | None = None,
    split: str = "",
) -> Iterator[Example]:
    """The examples of a file in its original format, one at a time.

    Args:
        kind: One of `KINDS`.
        path: The file.
        data_dir: Where a teacher file's originals lie; by default the folder above its own.
        broken: Where to note rows that can't be used. Without it such a row is refused.
        split: Where only these examples are wanted: rows with which nothing is wrong aren't
            noted if they belong to another one.

    Raises:
        UserError: If the kind is unknown, the file can't be read, or a row is broken and
            `broken` is None.
    """
    check_kind(kind)
    path = Path(path)
    if kind == "teacher":
        root = Path(data_dir) if data_dir is not None else path.resolve().parent.parent
        return teacher(path, partial(_originals, root), broken)
    if kind in _CHOOSY:
        return _CHOOSY[kind](path, broken, split)
    return _READERS[kind](path, broken)


def check_kind(kind: str) -> None:
    """Refuse a format that can't be read.

    Raises:
        UserError: If it is none of `KINDS`.
    """
    if kind not in KINDS:
        raise UserError(f"there is no format {kind!r}; known: {', '.join(KINDS)}.")


def _originals(root: Path, source: str) -> dict[int, Example]:
    """The rows of an original file by number; its name must stay below the data folder."""
    path = (root / source).resolve()
    if not path.is_relative_to(root.resolve()):
        raise UserError(f"the source {source!r} lies outside of {str(root)!r}; name a file in it.")
    folder = Path(source).parts[0]
    kind = folder if folder in ("gsm8k", "strategyqa") else "hotpot_2wiki"
    found = read_dataset(kind, path, broken=[])
    if kind == "strategyqa":
        # Its ids don't number rows. After one that can't be read, the hash finds the question.
        return dict(enumerate(found))
    return {int(example.id.rpartition(":")[2]): example for example in found}
