"""The single checks of a GGUF file: each a function that returns a `Finding`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import UserError
from ...evals.grounding import ungrounded_lines
from ...models.engine import Engine
from ...models.gguf_file import Contract
from ...models.llama import llama_cpp
from ...models.loading import BATCH
from ...plan import Plan, PlanError, parse_plan
from ..export.any_messages import CONVERSATIONS, SYSTEM, USER, refusals
from ..train.samples import Sample
from .agreement import Agreement, Prediction, TokenPair, compare, open_logits, predictions
from .greedy import Reply
from .tokenisation import differing

_SHOWN = 5
_REASON = 160
"""Most letters of a reason within a sentence."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: The check.
        passed: Whether the file may be published as far as this goes.
        found: The figure in words.
        limit: What it takes to pass.
        examples: Some of what went wrong.
    """

    name: str
    passed: bool
    found: str
    limit: str
    examples: tuple[str, ...] = ()


def contract(held: Contract | None, declared: Mapping[str, Any]) -> Finding:
    """The file says of itself what its checkpoint was trained for: by that it is asked."""
    grounded = declared.get("grounded") is True
    expected = _purpose(declared["roles"], declared["final"], grounded=grounded)
    found = _purpose(held.roles, held.final, grounded=held.grounded) if held else "nothing"
    return Finding("contract metadata", found == expected, found, expected)


def _purpose(roles: Sequence[str], final: str, *, grounded: bool) -> str:
    return ", ".join([*roles, final, *["grounded"] * grounded]) if roles else "nothing"


def tokenisation(tokenizer: Any, path: str, texts: list[str]) -> Finding:
    """llama.cpp cuts every text into the tokens that the checkpoint's tokenizer does."""
    wrong = differing(tokenizer, path, texts)
    return Finding(
        "tokenisation",
        not wrong,
        f"{len(texts) - len(wrong):,} of {len(texts):,} texts equal{_normalised(tokenizer)}",
        "all",
        _shown(map(ascii, wrong)),
    )


def _normalised(tokenizer: Any) -> str:
    normalises = tokenizer.backend_tokenizer.normalizer is not None
    return " once normalised, which llama.cpp doesn't do itself" if normalises else ""


def agreement(
    path: str, pairs: list[TokenPair], reference: list[Prediction], least: float, most: float
) -> tuple[list[Finding], Agreement]:
    """Both hold the same token likeliest in held-out replies, and their tokens as likely.

    A model that is sure of its replies keeps their likeliest tokens through a fair amount of
    damage; their probabilities show it sooner.

    Raises:
        UserError: If the file doesn't have the tokens of the replies.
    """
    texts = [[*prompt, *reply] for prompt, reply in pairs]
    # What the model was made for may be a hundred times as long, and takes memory.
    with open_logits(path, max(BATCH, *map(len, texts))) as gguf:
        if gguf.vocabulary <= max(map(max, texts)):
            raise UserError(
                f"it knows {gguf.vocabulary:,} tokens, the checkpoint more: it is of another one"
            )
        found = compare(reference, predictions(gguf.log_probabilities, pairs))
    text = f"{found.share:.2%} of {found.tokens:,} tokens"
    mean = found.mean_difference
    means = f"{mean:.4f} on average, {found.max_difference:.3f} at most"
    return [
        Finding("same likeliest token", found.share >= least, text, f"at least {least:.1%}"),
        Finding("difference of log-probabilities", mean <= most, means, f"at most {most:.3g}"),
    ], found


def prompts(engine: Engine, asked: Sequence[Sample], ids: list[list[int]]) -> Finding:
    """The prompts are, token for token, those of training."""
    template = engine.chat_template(None)
    wrong = [
        sample.messages[-1]["content"]
        for sample, expected in zip(asked, ids, strict=True)
        if template.tokenize(sample.messages) != expected
    ]
    text = f"{len(ids) - len(wrong)} of {len(ids)} equal"
    return Finding("prompts as in training", not wrong, text, "all", _shown(wrong))


def template(engine: Engine) -> Finding:
    """Any list of messages gives a prompt, and no text in it makes a control token."""
    rendering = engine.chat_template(None)
    wrong = refusals(rendering.render)
    plain = rendering.tokenize([SYSTEM, USER])
    forged = {**USER, "content": _text(engine, plain)}
    marks = _controls(engine, plain)
    if _controls(engine, rendering.tokenize([SYSTEM, forged])) != marks:
        wrong.append("control tokens in a text are read as such")
    total = len(CONVERSATIONS) + 1
    text = f"{total - len(wrong)} of {total} conversations"
    if wrong:
        text += f" ({wrong[0][:_REASON]}; mend the tokenizer's chat_template and export again)"
    return Finding("chat template", not wrong, text, "all", _shown(wrong))


def _text(engine: Engine, ids: list[int]) -> str:
    """Tokens as text, control tokens spelled out."""
    texts = (llama_cpp.llama_vocab_get_text(engine.vocab, token) for token in ids)
    return "".join(text.decode("utf-8", errors="replace") for text in texts)


def _controls(engine: Engine, ids: list[int]) -> list[int]:
    control = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL
    return [t for t in ids if llama_cpp.llama_vocab_get_attr(engine.vocab, t) & control]


def same_replies(
    role: str, asked: Sequence[Sample], expected: list[str], found: list[str], least: float
) -> Finding:
    """Greedy replies of both, without a grammar, are the same plan (or the same expression)."""
    read = _plan_or_text if role == "decomposer" else str.strip
    wrong = [
        f"{sample.messages[-1]['content']!r}: {one!r} became {other!r}"
        for sample, one, other in zip(asked, expected, found, strict=True)
        if read(one) != read(other)
    ]
    share = 1 - len(wrong) / len(asked)
    text = f"{share:.1%} of {len(asked)} greedy replies"
    return Finding(
        f"same replies ({role})", share >= least, text, f"at least {least:.0%}", _shown(wrong)
    )


def grammar(role: str, asked: Sequence[Sample], replies: list[Reply], cap: int) -> Finding:
    """Under the grammar every reply comes to an end, and a plan can be read."""
    wrong = [
        f"{sample.messages[-1]['content']!r}: {reply.text!r}"
        for sample, reply in zip(asked, replies, strict=True)
        if not reply.finished
        or (role == "decomposer" and isinstance(_plan_or_text(reply.text, cap), str))
    ]
    text = f"{len(replies) - len(wrong)} of {len(replies)}"
    return Finding(f"valid under the grammar ({role})", not wrong, text, "all", _shown(wrong))


def grounding(asked: Sequence[Sample], replies: list[Reply], most: float) -> Finding:
    """Few lines bring in a name or a number that isn't in the question."""
    lines, wrong = 0, []
    for sample, reply in zip(asked, replies, strict=True):
        plan = _plan_or_text(reply.text)
        if isinstance(plan, Plan):
            lines += len(plan.subquestions)
            wrong += ungrounded_lines(plan, sample.messages[-1]["content"])
    share = len(wrong) / lines if lines else 0.0
    text = f"{share:.1%} of {lines} lines"
    return Finding(
        "made-up names and numbers",
        lines > 0 and share <= most,
        text,
        f"at most {most:.0%}",
        _shown(wrong),
    )


def _plan_or_text(text: str, cap: int = 8) -> Plan | str:
    try:
        return parse_plan(text, max_subquestions=cap)
    except PlanError:
        return text.strip()


def _shown(texts: Any) -> tuple[str, ...]:
    return tuple(text[:300] for text in list(texts)[:_SHOWN])
