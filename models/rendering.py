"""Messages as a prompt, by a chat template that may know no system role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ModelFileError, UserError

Rows = list[dict[str, Any]]


def render_messages(render: Callable[[Rows], str], messages: Rows) -> str:
    r"""A prompt; a template that refuses a system message gets it within the next one.

    Args:
        render: The template.
        messages: Rows `{"role", "content"}`.

    Raises:
        ModelFileError: If the template takes too long or writes too much.
        UserError: If the template refuses the messages all the same, with its reason.

    Example:
        >>> def render(messages):
        ...     assert messages[0]["role"] != "system"
        ...     return messages[0]["content"]
        >>> rows = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
        >>> render_messages(render, rows)
        'Be brief.\n\nWhy?'
    """
    try:
        return render(messages)
    except ModelFileError:
        raise
    except Exception as error:
        if len(messages) > 1 and messages[0]["role"] == "system":
            # Some templates (Gemma's, older Mistral's) know no system role.
            system, first, *rest = messages
            merged = {**first, "content": f"{system['content']}\n\n{first['content']}"}
            return render_messages(render, [merged, *rest])
        raise UserError(f"the model's chat template refuses the messages: {error}") from None
