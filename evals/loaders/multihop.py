"""Questions in several hops: HotpotQA, 2WikiMultihopQA, MuSiQue, Bamboogle, StrategyQA."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..items import Item
from ..rows import located_rows, read_rows, refuse
from .fields import Row, id_of, plan_of, reason, relation_question, text_of, texts_of, tidy

_ALIASES = "id_aliases.json"


def hotpotqa(row: Row, number: int) -> Item:
    """HotpotQA (Yang et al., 2018) and what has its format; paragraphs become the context."""
    return Item(
        id_of(row, number, "_id", "id", "idx"),
        text_of(row, "question"),
        _paragraphs(row.get("context")),
        [text_of(row, "answer"), *texts_of(row, "answer_aliases")],
    )


def two_wiki_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """2WikiMultihopQA's rows, with the aliases of `id_aliases.json` if that lies beside."""
    beside = path.with_name(_ALIASES)
    if not beside.is_file():
        yield from located_rows(path)
        return
    rows = list(located_rows(path))
    known = _aliases(beside, {str(row.get("answer_id")) for _, row in rows})
    for place, row in rows:
        yield place, {**row, "answer_aliases": known.get(str(row.get("answer_id")))}


def _aliases(path: Path, asked: set[str]) -> dict[str, list[str]]:
    """By the id of an answer, of those asked for, its other names."""
    known: dict[str, list[str]] = {}
    for number, row in read_rows(path):
        try:
            if not isinstance(row, dict):
                raise ValueError("not a JSON object")
            if (name := text_of(row, "Q_id")) in asked:
                known[name] = [*_listed(row, "aliases"), *_listed(row, "demonyms")]
        except (KeyError, TypeError, ValueError) as error:
            refuse(f"{path}:{number}", reason(error), None)
    return known


def _listed(row: Row, name: str) -> list[str]:
    if not isinstance(row.get(name, []), list):
        raise ValueError(f"{name!r} is no list of texts")
    return texts_of(row, name)


def musique(row: Row, number: int) -> Item | None:
    """MuSiQue (Trivedi et al., 2022).

    A question that has no answer in its paragraphs is left out, as the official script does
    for its answer metrics.
    """
    if row.get("answerable") is False:
        return None
    steps = row.get("question_decomposition")
    texts = [relation_question(tidy(step["question"])) for step in steps or []]
    answers = {str(k): str(step.get("answer", "")) for k, step in enumerate(steps or [], 1)}
    paragraphs = row.get("paragraphs") or []
    return Item(
        id_of(row, number, "id", "idx"),
        text_of(row, "question"),
        "\n\n".join(f"{p['title']}\n{p['paragraph_text']}" for p in paragraphs),
        [text_of(row, "answer"), *texts_of(row, "answer_aliases")],
        plan_of(texts) if texts else None,
        {k: answer for k, answer in answers.items() if answer},
    )


def bamboogle(row: Row, number: int) -> Item:
    """Bamboogle (Press et al., 2023)."""
    gold = texts_of(row, "answer" if "answer" in row else "Answer")
    if not gold or not all(text.strip() for text in gold):
        raise ValueError("'answer' is missing")
    return Item(id_of(row, number, "id"), text_of(row, "Question"), gold=gold)


def strategyqa(row: Row, number: int) -> Item:
    """StrategyQA (Geva et al., 2021): yes or no, with subquestions that people wrote."""
    if not isinstance(row["answer"], bool):
        raise ValueError("'answer' is neither true nor false")
    texts = [tidy(text) for text in texts_of(row, "decomposition")]
    return Item(
        id_of(row, number, "qid"),
        text_of(row, "question"),
        gold=["yes" if row["answer"] else "no"],
        gold_plan=plan_of(texts) if texts else None,
    )


def _paragraphs(context: Any) -> str:
    """Titles and sentences as a text; the hub has them as two lists, the original as pairs."""
    if not context:
        return ""
    if isinstance(context, dict):
        context = zip(context["title"], context["sentences"], strict=True)
    return "\n\n".join(f"{title}\n{''.join(sentences).strip()}" for title, sentences in context)
