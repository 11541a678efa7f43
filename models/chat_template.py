"""Render messages with a model's chat template, so that user text can't forge a role."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelFileError, UserError
from .control_tokens import SPLIT, control_pattern, split_control_tokens, split_long_runs
from .llama import llama_cpp
from .rendering import render_messages
from .template_program import TemplateProgram

if TYPE_CHECKING:
    from .engine import Engine


class ChatTemplate:
    """A model's chat template and the control tokens that it is made of.

    Args:
        engine: The loaded model.
        template: Jinja text to use instead of the one in the file.

    Raises:
        ModelFileError: If there is no template, or it isn't valid Jinja.
    """

    def __init__(self, engine: Engine, template: str | None = None) -> None:
        self._engine = engine
        text = template or engine.metadata.get("tokenizer.chat_template")
        if not text:
            raise ModelFileError(
                "the GGUF file has no chat template, so its prompt format is unknown; "
                "pass chat_template= to ChatGGUF, or use an instruct version of the model."
            )
        vocab = engine.vocab
        self._bos = llama_cpp.llama_vocab_bos(vocab)
        self._add_bos = bool(llama_cpp.llama_vocab_get_add_bos(vocab))
        eos = llama_cpp.llama_vocab_eos(vocab)
        file = repr(Path(engine.path).name)
        self._program = compile_template(text, _text(vocab, self._bos), _text(vocab, eos), file)
        self._control = _control_tokens(vocab, text)

    def tokenize(self, messages: Sequence[dict[str, Any]]) -> list[int]:
        """Token ids of the whole prompt, up to where the reply begins.

        Raises:
            UserError: If the template refuses the messages, with its reason.
        """
        safe = [
            {**m, "content": split_long_runs(split_control_tokens(m["content"], self._control))}
            for m in messages
        ]
        prompt = self.render(safe)
        pieces = prompt.split(SPLIT)
        tokens = [t for piece in pieces for t in self._engine.tokenize(piece, special=True)]
        if self._add_bos and tokens[:1] != [self._bos]:
            tokens.insert(0, self._bos)
        if not tokens:
            raise UserError("the chat template renders these messages to an empty prompt.")
        return tokens

    def render(self, messages: list[dict[str, Any]]) -> str:
        """The prompt as text, whatever control tokens the messages spell.

        Raises:
            UserError: If the template refuses the messages, with its reason, or has no end.
        """
        return render_messages(self._program.render, messages)


def compile_template(
    template: str, bos_token: str, eos_token: str, of: str = "the model"
) -> TemplateProgram:
    """A chat template, ready to render.

    Args:
        template: Jinja text.
        bos_token: Text of the token that begins a prompt.
        eos_token: Text of the one that ends a message.
        of: Whose it is, for errors.

    Raises:
        ModelFileError: If the template isn't valid Jinja.
    """
    try:
        return TemplateProgram(template, of, bos_token=bos_token, eos_token=eos_token)
    except Exception as error:
        raise ModelFileError(f"the chat template isn't valid Jinja: {error}") from None


def _text(vocab: Any, token: int) -> str:
    data: bytes | None = llama_cpp.llama_vocab_get_text(vocab, token) if token >= 0 else None
    return data.decode("utf-8", errors="replace") if data else ""


def _control_tokens(vocab: Any, template: str) -> re.Pattern[str] | None:
    """Matches the text of any control token, and of user-defined ones the template uses."""
    control, user_defined = (
        llama_cpp.LLAMA_TOKEN_ATTR_CONTROL,
        llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED,
    )
    found: set[str] = set()
    for token in range(llama_cpp.llama_vocab_n_tokens(vocab)):
        attributes = llama_cpp.llama_vocab_get_attr(vocab, token)
        if attributes & (control | user_defined):
            text = _text(vocab, token)
            if attributes & control or text in template:
                found.add(text)
    return control_pattern(found)
