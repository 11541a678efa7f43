"""One call of a GGUF model: its messages and options as a job for the model's own thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessage

from .call_options import call_options
from .deadline import call_deadline, seconds_within
from .messages import to_template_messages
from .tool_calls import allows_calls, tool_grammar, with_tools

if TYPE_CHECKING:
    from .engine import Engine, Generation


def generation_job(
    model: Any,
    messages: list[BaseMessage],
    stop: list[str] | None,
    options: Mapping[str, Any],
    *,
    emit: Callable[[str], None],
    cancelled: threading.Event,
) -> Callable[[Engine], Generation]:
    """What the model's thread has to do; whatever is wrong with the call is told here, at once.

    Args:
        model: The `ChatGGUF`, for its settings.
        messages: The conversation.
        stop: Texts that end the reply.
        options: The call's options; see `ChatGGUF`.
        emit: Called with each piece of the reply, on the model's thread.
        cancelled: Setting it ends the generation.

    Raises:
        UserError: If an option or a message is of the wrong kind.
    """
    grammar = options.get("grammar")
    tools = options.get("tools")
    if allows_calls(tools, options.get("tool_choice")):
        grammar = grammar or tool_grammar(tools or [], options.get("tool_choice"))
        messages = with_tools(messages, tools or [])
    rows = to_template_messages(messages)
    settings = call_options(model, stop, {**options, "grammar": grammar})
    deadline = call_deadline.get()  # The model's own thread has another context.

    def job(engine: Engine) -> Generation:
        # Imported here, on the model's thread: it pulls in llama.cpp and numpy.
        from .plan_samples import generate_reply

        seconds = seconds_within(settings.get("timeout"), deadline)
        return generate_reply(
            engine,
            rows,
            {**settings, "timeout": seconds, "plans": options.get("plans")},
            chat_template=model.chat_template,
            prefix_key=rows[0]["content"] if rows[0]["role"] == "system" else "",
            emit=emit,
            cancelled=cancelled,
        )

    return job
