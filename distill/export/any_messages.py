"""Chat templates that render any list of messages, also those that a student brought along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import UserError

USER, SYSTEM = (
    {"role": "user", "content": "Who is {{ x }} <b>?\n\n  Zoë 🙂 “é” {% raw %}"},
    {"role": "system", "content": "decompose"},
)
_ASSISTANT = {"role": "assistant", "content": "#1 A?\n#2 B? <- #1"}
CONVERSATIONS: tuple[list[dict[str, Any]], ...] = (
    [],
    [USER],
    [SYSTEM],
    [_ASSISTANT],
    [SYSTEM, USER],
    [USER, _ASSISTANT],
    [USER, USER],
    [SYSTEM, SYSTEM, USER],
    [SYSTEM, USER, _ASSISTANT, USER],
    [USER, SYSTEM, USER],
    [SYSTEM, {"role": "tool", "content": "42"}],
    [SYSTEM, {"role": "user", "content": ""}],
    [SYSTEM, {"role": "user", "content": None}],
    [SYSTEM, {"role": "user", "content": [{"type": "text", "text": "Why?"}, {"type": "image"}]}],
)
"""What a template has to render; the runtime itself sends text alone, other programs don't."""

# Put before a template, it gives it what any takes: user and assistant in turn, beginning with the
# user, after at most one system message. Such a list stays as it is, so that its prompt does too.
_FOLD = r"""
{%- set fold = namespace(system=[], turns=[]) -%}
{%- for message in messages -%}
{%- set all = namespace(text='') -%}
{%- if message['content'] is string -%}
{%- set all.text = message['content'] -%}
{%- elif message['content'] is iterable and message['content'] is not mapping -%}
{%- for part in message['content'] -%}
{%- if part is string -%}
{%- set all.text = all.text + part -%}
{%- elif part is mapping and part['text'] is string -%}
{%- set all.text = all.text + part['text'] -%}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- set role = 'assistant' if message['role'] == 'assistant' else 'user' -%}
{%- if message['role'] == 'system' and loop.first and not loop.last -%}
{%- set fold.system = [{'role': 'system', 'content': all.text}] -%}
{%- elif fold.turns and fold.turns[-1]['role'] == role -%}
{%- set joined = fold.turns[-1]['content'] + '\n\n' + all.text -%}
{%- set fold.turns = fold.turns[:-1] + [{'role': role, 'content': joined}] -%}
{%- else -%}
{%- set fold.turns = fold.turns + [{'role': role, 'content': all.text}] -%}
{%- endif -%}
{%- endfor -%}
{%- if not fold.turns or fold.turns[0]['role'] == 'assistant' -%}
{%- set fold.turns = [{'role': 'user', 'content': ''}] + fold.turns -%}
{%- endif -%}
{%- set messages = fold.system + fold.turns -%}
""".lstrip()


def refusals(render: Callable[[list[dict[str, Any]]], str]) -> list[str]:
    """Which of `CONVERSATIONS` a template refuses with a `UserError`, and why."""
    found: list[str] = []
    for messages in CONVERSATIONS:
        try:
            reason = "" if render(messages).strip() else "the prompt is empty"
        except UserError as error:
            reason = str(error)
        if reason:
            found.append(f"[{', '.join(map(_named, messages))}]: {reason}")
    return found


def _named(message: dict[str, Any]) -> str:
    content = message["content"]
    return message["role"] + ("" if isinstance(content, str) else f" with content {content}")


def template_for_any_messages(template: str, bos_token: str, eos_token: str) -> str:
    """A student's template; if it refuses some lists of messages, one that folds them first.

    What no folding helps stays as it is, for the gate to tell of.
    """
    folded = _FOLD + template
    helps = _refuses(template, bos_token, eos_token) and not _refuses(folded, bos_token, eos_token)
    return folded if helps else template


def _refuses(template: str, bos_token: str, eos_token: str) -> bool:
    from ...models.chat_template import compile_template
    from ...models.rendering import render_messages

    try:
        program = compile_template(template, bos_token, eos_token)
    except UserError:
        return True
    return bool(refusals(lambda messages: render_messages(program.render, messages)))
