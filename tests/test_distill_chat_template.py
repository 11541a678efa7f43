"""A student's own chat template: its file renders any messages, and prompts as in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("gguf")
torch = pytest.importorskip("torch")

from langgraph_decompose.distill.check import gate  # noqa: E402
from langgraph_decompose.distill.check.greedy import open_engine  # noqa: E402
from langgraph_decompose.distill.export.export import ExportSettings, export  # noqa: E402
from langgraph_decompose.distill.train.tokenizer import (  # noqa: E402
    CHAT_TEMPLATE,
    encode_samples,
)

from . import distill_students as students  # noqa: E402

# In the manner of Qwen: the first message is looked at whether there is one or not.
QWEN = """\
{%- if messages[0].role == 'system' %}
    {{- '<|system|>\\n' + messages[0].content + '<|end|>\\n' }}
{%- endif %}
{%- for message in messages[::-1] %}
    {%- set last = message.content.startswith('x') %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
        {{- '<|' + message.role + '|>\\n' + message.content + '<|end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|assistant|>\\n' + message.content + '<|end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>\\n' }}
{%- endif %}
"""
# In the manner of Mistral: user and assistant in turn, a system message within the first.
ALTERNATING = """\
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] + '\\n\\n' %}
    {%- set messages = messages[1:] %}
{%- endif %}
{{- bos_token }}
{%- for message in messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('user and assistant must take turns') }}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- '<|user|>' + (system if system is defined and loop.first else '') }}
        {{- message['content'].strip() + '<|assistant|>' }}
    {%- else %}
        {{- message['content'] + eos_token }}
    {%- endif %}
{%- endfor %}
"""
# In the manner of Gemma: no system message at all.
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    + ALTERNATING
)
HOPELESS = (
    "{% if messages[0]['role'] != 'system' %}{{ raise_exception('no system message') }}{% endif %}"
    + students.TEMPLATE
)


def exported(template: str, directory: Path) -> tuple[Any, str]:
    """An untrained student with a template: its tokenizer and its file."""
    torch.set_num_threads(1)
    tokenizer = students.tokenizer()
    tokenizer.chat_template = template
    model = students.student("qwen3", len(tokenizer))
    source = students.save(model, tokenizer, directory / "model")
    export(ExportSettings(()), source, directory / "gguf")
    return tokenizer, str(directory / "gguf" / "model-f16.gguf")


@pytest.mark.parametrize("template", [QWEN, ALTERNATING, NO_SYSTEM])
def test_its_file_renders_any_messages_and_prompts_as_in_training(
    template: str, tmp_path: Path
) -> None:
    tokenizer, file = exported(template, tmp_path)
    question = students.messages("Who is the editor of Jaws?")
    [(prompt, _)] = encode_samples(tokenizer, [(question, "atomic")])
    with open_engine(file) as engine:
        finding = gate.template(engine)
        assert finding.passed, finding.examples
        assert engine.chat_template(None).tokenize(question) == prompt


def test_a_template_that_needs_no_help_is_exported_as_it_is(tmp_path: Path) -> None:
    _, file = exported(CHAT_TEMPLATE, tmp_path)
    with open_engine(file) as engine:
        assert engine.metadata["tokenizer.chat_template"] == CHAT_TEMPLATE
        assert gate.template(engine).passed


def test_of_a_hopeless_one_the_gate_says_what_it_refuses(tmp_path: Path) -> None:
    _, file = exported(HOPELESS, tmp_path)
    with open_engine(file) as engine:
        finding = gate.template(engine)
        assert engine.metadata["tokenizer.chat_template"] == HOPELESS
    assert not finding.passed
    assert "; mend the tokenizer's chat_template and export again" in finding.found
    assert any(
        text.startswith("[user]: ") and text.endswith("no system message")
        for text in finding.examples
    )
