"""check: the release gate. A file that fails it isn't published into the package."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...errors import MissingDependencyError, UserError
from ...models.engine import Engine
from ...models.gguf_file import NO_REPEAT, Contract, read_contract, read_metadata
from ...nodes.expression import EXPRESSION_GRAMMAR, MAX_EXPRESSION_TOKENS
from ...nodes.plan_calls import PLANS, grammar_for
from ...storage import reading, writing
from .. import manifest
from ..export.contract_file import read_contract_file
from ..export.hf_model import check_model_dir, read_json
from ..export.quantize import parameters
from ..records import Example
from ..train.samples import CONTRACT_ROLES, ROLES, Role
from ..whole_files import write_text, written_whole
from . import gate
from .greedy import Reply, gguf_reply, open_engine
from .model_card import model_card, report_text, with_evaluation
from .reference import Asked, Reference, ask_checkpoint
from .settings import CheckSettings, looser
from .tokenisation import strings

_MAX_WORDS = 20_000
_F16 = (0, 1)
"""`general.file_type` of F32 and F16."""


def check(
    settings: CheckSettings,
    model_dir: Path,
    gguf_paths: Sequence[Path],
    examples: Sequence[Example],
    directory: Path,
    progress: Callable[[str], None] = lambda _: None,
    quality: Sequence[Mapping[str, Any]] = (),
    measured_on: str = "",
) -> dict[str, Any]:
    """Hold GGUF files against the checkpoint; writes check.json, check.md and model cards.

    Args:
        settings: See `CheckSettings`.
        model_dir: The checkpoint that the files were made from, or a PEFT adapter.
        gguf_paths: The files, all made from it, each with a name of its own.
        examples: Held-out questions with their plans.
        directory: Where the reports go; a card is `NAME.md` for `NAME.gguf`.
        progress: Is told what is being done.
        quality: Rows of a table of measurements, for the cards.
        measured_on: Name of the file that they were made on.

    Returns:
        `passed`, and `failures`: sentences by file name.

    Raises:
        UserError: If there is nothing to compare, or the checkpoint can't be loaded. A file that
            can't be fails.
    """
    inputs, written = ready(model_dir, gguf_paths, directory)
    lines = "\n".join(example.to_json() for example in examples)
    about = asdict(settings) | {
        "examples": hashlib.sha256(lines.encode()).hexdigest(),
        "quality": [dict(row) for row in quality],
    }
    if not manifest.begin(directory, "check", about, inputs, outputs=written):
        return manifest.read_manifest(directory)["counts"]
    roles, n_ctx = _trained_for(model_dir, gguf_paths[0])
    progress("asking the checkpoint")
    reference = ask_checkpoint(
        model_dir, examples, roles, n_ctx, settings.samples, settings.prompts
    )
    texts = _texts(settings, examples, reference.tokenizer)
    reports: dict[str, Any] = {}
    for path in gguf_paths:
        progress(f"checking {path.name}")
        reports[path.name] = report = _check_file(settings, path, reference, texts)
        card = model_card(read_metadata(path), report, quality, measured_on)
        write_text(directory / f"{path.stem}.md", card)
    text = json.dumps(reports, indent=2) + "\n"
    write_text(directory / "check.json", text, for_owner=True)
    write_text(directory / "check.md", report_text(reports), for_owner=True)
    failures = {name: report["failures"] for name, report in reports.items() if report["failures"]}
    counts = {"passed": not failures, "failures": failures}
    manifest.finish(directory, "check", about, inputs, counts)
    return counts


def publish(
    gguf: Path,
    target: Path,
    directory: Path,
    *,
    evaluation: Sequence[Mapping[str, Any]] = (),
    loosened: bool = False,
) -> None:
    """Copy a file that passed its check, with its card (`NAME.md`) beside it.

    Args:
        gguf: The file.
        target: The path to copy it to.
        directory: Where `check` wrote its reports.
        evaluation: Rows of a table of measurements on evaluation sets, for the card.
        loosened: Publish although the check asked for less than the release gate does.

    Raises:
        UserError: If the file wasn't checked, was changed since, or failed, or if the check
            was loosened.
    """
    report = read_json(directory / "check.json").get(gguf.name)
    if not report or report.get("sha256") != manifest.file_hash(gguf):
        raise UserError(f"{str(gguf)!r} isn't what was checked in {str(directory)!r}; check it.")
    if report["failures"]:
        raise UserError(f"{str(gguf)!r} isn't published: {report['failures'][0]}")
    settings = manifest.read_manifest(directory)["settings"]
    if (less := looser(settings, report.get("tried", {}))) and not loosened:
        raise UserError(
            f"{str(gguf)!r} was checked with less than the release gate asks for ({less}); "
            "check it again, or publish it with --loosened."
        )
    card = directory / f"{gguf.stem}.md"
    with reading(card):
        text = card.read_text(encoding="utf-8")
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target.with_suffix(".md"), with_evaluation(text, evaluation))
    with written_whole(target, "part") as temporary:
        shutil.copyfile(gguf, temporary)


def ready(
    model_dir: Path, gguf_paths: Sequence[Path], directory: Path
) -> tuple[list[Path], list[str]]:
    """What `check` reads, and the names of what it writes; asked before anything takes long.

    Raises:
        UserError: If a file can't be read, two have one name, or the directory can't be used.
    """
    check_model_dir(model_dir)
    if not gguf_paths:
        raise UserError("there is no GGUF file to check; export first.")
    for path in gguf_paths:
        read_metadata(path)
    twice = [name for name, n in Counter(path.stem for path in gguf_paths).items() if n > 1]
    if twice:
        raise UserError(
            f"there are several files {twice[0]!r}, and reports and cards go by the name; rename "
            "them, or check them one by one."
        )
    written = ["check.json", "check.md", *(f"{path.stem}.md" for path in gguf_paths)]
    manifest.refuse_what_was_there(directory, written)
    manifest.make(directory)
    return [*gguf_paths, *sorted(model_dir.glob("*.safetensors"))], written


def _trained_for(model_dir: Path, path: Path) -> tuple[tuple[Role, ...], int]:
    """Roles and context; a checkpoint that doesn't say is checked as a decomposer."""
    found = read_contract_file(model_dir)
    named: Any = found.get("trained_for") or found.get("roles") or ["decomposer"]
    roles: list[Role] = [role for role in ROLES if role in named]
    if len(roles) != len(named):
        raise UserError(f"{str(model_dir)!r} was trained for a role that isn't known here.")
    contract = read_contract(path)
    return tuple(roles), contract.n_ctx_trained if contract else found.get("n_ctx_trained", 1024)


def _texts(settings: CheckSettings, examples: Sequence[Example], tokenizer: Any) -> list[str]:
    words = {word: None for example in examples for word in example.problem.split()}
    return strings(settings.strings, list(words)[:_MAX_WORDS], list(tokenizer.get_added_vocab()))


def _check_file(
    settings: CheckSettings, path: Path, reference: Reference, texts: list[str]
) -> dict[str, Any]:
    findings: list[gate.Finding] = []
    measured: dict[str, Any] = {"parameters": 0, "agreement": None, "speed": {}}
    try:
        findings.extend(_findings(settings, path, reference, texts, measured))
    except MissingDependencyError:
        raise
    except (UserError, RuntimeError) as error:
        reason = str(error).removesuffix(".")
        findings.append(gate.Finding("llama.cpp runs it", False, f"no ({reason})", "yes"))
    tried = {"strings": len(texts), **reference.tried}
    return {
        "sha256": manifest.file_hash(path),
        "bytes": path.stat().st_size,
        "tried": tried,
        "looser": looser(asdict(settings), tried),
        "findings": [asdict(finding) for finding in findings],
        **measured,
        "failures": [f"{f.name}: {f.found}, not {f.limit}" for f in findings if not f.passed],
    }


def _findings(
    settings: CheckSettings,
    path: Path,
    reference: Reference,
    texts: list[str],
    measured: dict[str, Any],
) -> Iterator[gate.Finding]:
    """What each check of a file finds; figures for its report are put into `measured`.

    Raises:
        UserError: If llama.cpp can't load it, or it is of another checkpoint.
        RuntimeError: If llama.cpp can't go on.
    """
    measured["parameters"] = parameters(path)
    quantised = read_metadata(path).get("general.file_type") not in _F16
    held = read_contract(path)
    if reference.declared:
        yield gate.contract(held, reference.declared)
    yield gate.tokenisation(reference.tokenizer, str(path), texts)
    least = settings.agreement_quantised if quantised else settings.agreement_f16
    most = settings.difference_quantised if quantised else settings.difference_f16
    found, agreed = gate.agreement(str(path), reference.pairs, reference.predicted, least, most)
    measured["agreement"] = asdict(agreed)
    yield from found
    least = settings.replies_quantised if quantised else settings.replies_f16
    with open_engine(str(path)) as engine:
        yield gate.template(engine)
        for role, asked in reference.asked.items():
            some, speed = _check_role(settings, engine, role, asked, least, held)
            measured["speed"][role] = speed
            yield from some


def _held_reply(
    engine: Engine, messages: list[dict[str, str]], role: Role, contract: Contract | None, cap: int
) -> Reply:
    """A reply as the runtime has it written: the best of several plans, or an expression."""
    if role == "decomposer":
        grammar = grammar_for(messages[-1]["content"], contract, cap)
        more = {"plans": PLANS}
    else:
        grammar, more = EXPRESSION_GRAMMAR, {"max_tokens": MAX_EXPRESSION_TOKENS}
    return gguf_reply(engine, messages, grammar=grammar, no_repeat=NO_REPEAT, **more)


def _check_role(
    settings: CheckSettings,
    engine: Engine,
    role: Role,
    asked: Asked,
    least: float,
    contract: Contract | None,
) -> tuple[list[gate.Finding], dict[str, float]]:
    samples, cap = asked.samples, settings.max_subquestions
    free = [
        gguf_reply(engine, sample.messages, max_tokens=room)
        for sample, room in zip(samples, asked.rooms, strict=True)
    ]
    texts = [reply.text for reply in free]
    findings = [
        gate.prompts(engine, samples, asked.prompts),
        gate.same_replies(role, samples, asked.replies, texts, least),
    ]
    if role not in CONTRACT_ROLES:  # No grammar holds it.
        return findings, _speed(free)
    bound = [_held_reply(engine, sample.messages, role, contract, cap) for sample in samples]
    findings.append(gate.grammar(role, samples, bound, cap))
    if role == "decomposer":
        findings.append(gate.grounding(samples, bound, settings.ungrounded))
    return findings, _speed(bound)


def _speed(replies: Sequence[Reply]) -> dict[str, float]:
    seconds = sum(reply.seconds for reply in replies)
    return {
        "tokens_per_second": sum(reply.tokens for reply in replies) / seconds,
        "seconds_per_reply": seconds / len(replies),
    }
