"""DROP (Dua et al., 2019) in its official JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..items import Item
from ..rows import read_json
from .fields import Row, id_of, text_of, texts_of


def drop(row: Row, number: int) -> Item:
    """A question over a passage; gold are the answer and the validated answers."""
    answers = [row["answer"], *_validated(row.get("validated_answers"))]
    return Item(
        id_of(row, number, "query_id"),
        text_of(row, "question"),
        text_of(row, "passage"),
        [_spans(answer) for answer in answers],
    )


def drop_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The questions of all passages.

    Raises:
        UserError: If the file isn't in DROP's format.
    """
    sections = read_json(path)
    if not isinstance(sections, dict):
        raise UserError(f"{str(path)!r} is no JSON object of passages, as DROP's files are.")
    for name, section in sections.items():
        try:
            passage, pairs = section["passage"], section["qa_pairs"]
            for pair in pairs:
                place = f"{path}, passage {name}, question {pair.get('query_id', '?')}"
                yield place, {**pair, "passage": passage}
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path}, passage {name}: not in DROP's format ({error!r}); check the file."
            ) from None


def _spans(answer: Any) -> list[str]:
    """The spans of an answer, in the order of the official evaluator."""
    if answer.get("number"):
        return [str(answer["number"])]
    if found := texts_of(answer, "spans"):
        return found
    if "date" not in answer:
        raise ValueError("an answer has neither number, spans nor date")
    date = answer["date"]
    return ["{} {} {}".format(*(date.get(k, "") for k in ("day", "month", "year")))]


def _validated(answers: Any) -> list[Any]:
    """A list of answers; the hub has one object of lists instead."""
    if not isinstance(answers, dict):
        return list(answers or [])
    names = list(answers)
    return [dict(zip(names, row, strict=True)) for row in zip(*answers.values(), strict=True)]
