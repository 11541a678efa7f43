"""Reports for people: what a check found, and the card that goes with a model file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_FILE_TYPES = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1",
               14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K"}  # fmt: skip


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table; the first row's keys are its head.

    Example:
        >>> print(table([{"set": "DEV", "good": 0.5}]))
        | set | good |
        | --- | --- |
        | DEV | 0.5 |
    """
    if not rows:
        return ""
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *([row.get(key, "") for key in head] for row in rows)]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def report_text(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """check.md: every check of every file, with examples of what went wrong."""
    parts = ["# Check"]
    for name, report in reports.items():
        verdict = "failed" if report["failures"] else "passed"
        parts += [f"## {name}: {verdict}", _findings(report), _tried(report), _speed(report)]
        parts += [
            f"{finding['name']}, examples:\n\n" + _items(map(repr, finding["examples"]))
            for finding in report["findings"]
            if finding["examples"]
        ]
    return _page(parts)


def model_card(
    metadata: Mapping[str, Any],
    report: Mapping[str, Any],
    quality: Sequence[Mapping[str, Any]] = (),
    measured_on: str = "",
) -> str:
    """A model file's card: what it is, made from what, checked how, how good, its limits."""
    parts = [
        f"# {metadata.get('general.name', 'model')}",
        table(_facts(metadata, report)),
        "## Made from",
        f"Recipe: {metadata.get('decompose.recipe', 'not recorded')}",
        table(_training_data(metadata)) or "Not recorded.",
        "## Checks",
        _findings(report),
        _tried(report),
        _speed(report),
        "## Quality",
        f"Measured on `{measured_on}`." if quality and measured_on else "",
        table(quality) or "Not measured.",
        "## Limits",
        _items(_limits(metadata)),
    ]
    return _page(parts)


def with_evaluation(card: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """A card with the figures on evaluation sets, measured once for a released file."""
    if not rows:
        return card
    head, limits, rest = card.partition("## Limits\n")
    return _page([head.rstrip(), "## Evaluation", table(rows), f"{limits}{rest}".rstrip()])


def _facts(metadata: Mapping[str, Any], report: Mapping[str, Any]) -> list[dict[str, Any]]:
    architecture = str(metadata.get("general.architecture", ""))
    layers = metadata.get(f"{architecture}.block_count", "?")
    width = metadata.get(f"{architecture}.embedding_length", "?")
    kind = _FILE_TYPES.get(metadata.get("general.file_type", -1), "quantised")
    many = f"{report['parameters'] / 1e6:.1f}" if report["parameters"] else "?"
    trained = metadata.get("decompose.n_ctx_trained", "?")
    # Of a student that others trained only what its config declares is known.
    declared = trained == metadata.get(f"{architecture}.context_length")
    licences = _texts(metadata, "decompose.licences")
    if any("licence" in row and not row["licence"] for row in _training_data(metadata)):
        licences.append("not stated of some")
    facts = {
        "what": " and ".join(_texts(metadata, "decompose.roles")) or "general model",
        "domain": metadata.get("decompose.domain", ""),
        "size": f"{many} M parameters ({architecture}, {layers} layers, "
        f"{width} wide); {kind}, {report['bytes'] / 1e6:.1f} MB",
        "context": f"{'made for' if declared else 'trained on'} up to {trained} tokens",
        "plans end": f"`{metadata.get('decompose.final', 'compose')}`",
        "licences of the data": ", ".join(licences),
        "SHA-256": f"`{report['sha256']}`",
    }
    return [{"": key, " ": value} for key, value in facts.items() if value]


def _texts(metadata: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts; of what a damaged file has in its place, nothing."""
    found = metadata.get(name)
    return [*map(str, found)] if isinstance(found, list) else []


def _training_data(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    try:
        found = json.loads(metadata.get("decompose.data", "[]"))
    except (TypeError, ValueError, RecursionError):
        return []
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _findings(report: Mapping[str, Any]) -> str:
    return table(
        [
            {
                "check": row["name"],
                "found": row["found"],
                "limit": row["limit"],
                "passed": "yes" if row["passed"] else "**no**",
            }
            for row in report["findings"]
        ]
    )


def _tried(report: Mapping[str, Any]) -> str:
    tried, looser = report["tried"], report["looser"]
    text = (
        f"Tried on {tried['strings']:,} texts, and of each role on at least "
        f"{tried['samples']:,} replies and {tried['prompts']:,} questions."
    )
    return f"{text} The release gate asks for more: {looser}." if looser else text


def _speed(report: Mapping[str, Any]) -> str:
    return _items(
        f"{role}: {figures['tokens_per_second']:,.0f} tokens/s, "
        f"{figures['seconds_per_reply']:.2f} s a reply, on the machine of the check"
        for role, figures in report["speed"].items()
    )


def _limits(metadata: Mapping[str, Any]) -> list[str]:
    limits = ["Plans may be wrong: look at them where something hangs on the answer."]
    if trained := metadata.get("decompose.n_ctx_trained"):
        limits.append(f"Question, passage and reply have at most {trained} tokens together.")
    if domain := metadata.get("decompose.domain"):
        limits.append(f"Outside its domain ({domain}) it wasn't trained.")
    if "solver" in _texts(metadata, "decompose.roles"):
        limits.append("As solver it does arithmetic only.")
    return limits


def _items(texts: Iterable[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def _cell(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"
