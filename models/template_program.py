"""A chat template as the program that it is: sandboxed, and with an end to its time and text.

Jinja's sandbox keeps a template from files and the system and bounds one `range`, but not a loop
within a loop, a macro that calls itself, or a text that doubles. A file is untrusted input. What
one filter or method makes at a stroke isn't bounded, such as `center` of a large number.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NoReturn

# llama-cpp-python brings it along.
from jinja2 import nodes
from jinja2.ext import LoopControlExtension
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ..errors import ModelFileError
from .llama import llama_cpp

MAX_SECONDS = 10.0
MAX_CHARS = 1_000_000
"""Of a prompt, beside twice what is in the messages: whoever writes that much is told how many
tokens are too many."""
_SIZED = (str, list, tuple)
_EACH, _BOUNDED = "decompose_each_in_time", "decompose_bounded"


class TemplateProgram:
    """A compiled chat template; renders as llama-cpp-python and transformers do.

    Args:
        template: Jinja text.
        of: Whose it is, for errors.
        tokens: `bos_token` and `eos_token`.

    Raises:
        Exception: Jinja's or Python's, if the template isn't valid.
    """

    def __init__(self, template: str, of: str, **tokens: str) -> None:
        self._sandbox = _BoundedSandbox(of)
        self._template = self._sandbox.from_string(_watched(self._sandbox.parse(template)))
        self._tokens = tokens

    def render(self, messages: list[dict[str, Any]]) -> str:
        """The prompt, up to where the reply begins.

        Raises:
            ModelFileError: If it takes too long or becomes too long.
            Exception: Whatever the template raises.
        """
        self._sandbox.begin(messages)
        unused = dict.fromkeys(("functions", "function_call", "tools", "tool_choice"))
        parts, length = [], 0
        for part in self._template.generate(
            messages=messages,
            add_generation_prompt=True,
            raise_exception=_raise_exception,
            strftime_now=lambda form: datetime.now().strftime(form),
            **self._tokens,
            **unused,
        ):
            parts.append(part)
            length += len(part)
            self._sandbox.check_length(length)
        return "".join(parts)


class _BoundedSandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, which looks at the clock at every call and wherever a loop goes on."""

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self, of: str) -> None:
        formatter = llama_cpp.llama_chat_format.Jinja2ChatFormatter
        extensions = [formatter.IgnoreGenerationTags, LoopControlExtension]
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
        self.filters |= {
            "tojson": formatter.tojson,
            _EACH: self._each_in_time,
            _BOUNDED: self._bounded,
        }
        self._of, self._end, self._most = of, math.inf, MAX_CHARS

    def begin(self, messages: list[dict[str, Any]]) -> None:
        """From now on the time counts, and these messages may be written."""
        self._end = time.monotonic() + MAX_SECONDS
        self._most = MAX_CHARS + 2 * len(str(messages))

    def check_length(self, length: int) -> None:
        """Refuse what is longer than any prompt of the messages."""
        if length > self._most:
            self._refuse()

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        self._check_time()
        for value in (*args, *kwargs.values()):
            self._bounded(value)
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**":  # No prompt needs one, and 9 ** 9 ** 9 takes minutes.
            self._refuse()
        for text, times in ((left, right), (right, left)):
            if isinstance(text, _SIZED) and isinstance(times, int):
                self.check_length(len(text) * times)
        return super().call_binop(context, operator, left, right)

    def _bounded(self, value: Any) -> Any:
        if isinstance(value, _SIZED):
            self.check_length(len(value))
        return value

    def _each_in_time(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._check_time()
            yield item

    def _check_time(self) -> None:
        if time.monotonic() > self._end:
            self._refuse()

    def _refuse(self) -> NoReturn:
        raise ModelFileError(
            f"the chat template of {self._of} takes too long, or writes too much, for a prompt; "
            "pass another one as chat_template= to ChatGGUF, or use another file."
        )


def _watched(template: nodes.Template) -> nodes.Template:
    """The template, with our filters on what a loop goes over and on what is set.

    Only what is set, or passed in a call, can grow from one turn of a loop to the next.
    """
    kinds = (nodes.For, nodes.Assign, nodes.AssignBlock)
    for node in list(template.find_all(kinds)):
        if isinstance(node, nodes.For):
            node.iter = _through(_EACH, node.iter)
        elif isinstance(node, nodes.Assign):
            node.node = _through(_BOUNDED, node.node)
        else:
            node.filter = _through(_BOUNDED, node.filter)
    return template


def _through(name: str, value: nodes.Node | None) -> nodes.Filter:
    return nodes.Filter(value, name, [], [], None, None, lineno=value.lineno if value else 1)


def _raise_exception(message: str) -> NoReturn:
    raise ValueError(message)
