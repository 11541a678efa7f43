"""A Hugging Face causal language model in this process, as a LangChain chat model.

LangChain's own wrapper can't be called asynchronously and reports no token usage.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr, model_validator

from ..errors import MissingDependencyError, ModelReferenceError, PromptTooLongError
from .call_options import call_numbers, reject_unknown_settings
from .control_tokens import SPLIT, control_pattern, split_control_tokens
from .deadline import call_deadline, seconds_within
from .messages import to_template_messages
from .rendering import render_messages

_MAX_NEW_TOKENS = 1024


class ChatTransformers(BaseChatModel):
    """A model that `transformers` loads, run on a thread of its own, greedily by default.

    A call takes `stop`, and by keyword `max_tokens`, `temperature`, `timeout` and `seed`.

    Example:
        >>> ChatTransformers(model="Qwen/Qwen3-0.6B").invoke("Hello")  # doctest: +SKIP
    """

    model: str
    """Folder or repository of the model."""
    max_tokens: int | None = None
    temperature: float | None = None
    timeout: float | None = None
    """Seconds for one call, loading and waiting not counted."""
    _loaded: tuple[Any, Any] | None = PrivateAttr(default=None)
    _threads: dict[int, ThreadPoolExecutor] = PrivateAttr(default_factory=dict)
    """By process: a forked one has the model's memory but not its thread."""

    @model_validator(mode="before")
    @classmethod
    def _known_settings_only(cls, values: Any) -> Any:
        return reject_unknown_settings(cls, values)

    @property
    def _llm_type(self) -> str:
        return "transformers"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("model", "max_tokens", "temperature")}

    def __getstate__(self) -> dict[Any, Any]:
        """What a pickle takes along: the settings, not the loaded model."""
        return {
            **super().__getstate__(),
            "__pydantic_private__": {"_loaded": None, "_threads": {}},
        }

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A copy on the same thread: a model is never used twice at once."""
        return self.__copy__()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        future, cancelled = self._start(messages, stop, kwargs)
        try:
            return future.result()
        finally:
            cancelled.set()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        future, cancelled = self._start(messages, stop, kwargs)
        try:
            return await asyncio.wrap_future(future)
        finally:
            cancelled.set()

    def _start(
        self, messages: list[BaseMessage], stop: list[str] | None, options: dict[str, Any]
    ) -> tuple[Future[ChatResult], threading.Event]:
        rows, cancelled = to_template_messages(messages), threading.Event()
        numbers = call_numbers(self, options, ("max_tokens", "temperature", "timeout", "seed"))
        given: Any = stop or []
        words = [given] if isinstance(given, str) else given
        # The model's own thread has another context.
        job = (rows, words, numbers, cancelled, call_deadline.get())
        new = ThreadPoolExecutor(max_workers=1, thread_name_prefix="transformers")
        thread = self._threads.setdefault(os.getpid(), new)
        return thread.submit(self._run, *job), cancelled

    def _run(
        self,
        rows: list[dict[str, Any]],
        stop: list[str],
        numbers: dict[str, Any],
        cancelled: threading.Event,
        deadline: float,
    ) -> ChatResult:
        model, tokenizer = self._load()
        ids = _tokenize(tokenizer, rows).to(model.device)
        count = int(ids.shape[1])
        limit = getattr(model.config, "max_position_embeddings", None)
        if limit and count >= limit:
            raise PromptTooLongError(f"the text has {count} tokens, over the limit of {limit}.")
        asked = numbers.get("max_tokens", _MAX_NEW_TOKENS)
        room = min(asked, limit - count) if limit else asked
        seconds = seconds_within(numbers.get("timeout"), deadline)
        end = time.monotonic() + (seconds or math.inf)
        temperature = numbers.get("temperature")
        # Without sampling, transformers warns of a temperature.
        drawing = {"temperature": float(temperature)} if temperature else {}
        with _seeded(numbers.get("seed")):
            output = model.generate(
                input_ids=ids,
                attention_mask=ids.new_ones(ids.shape),
                max_new_tokens=room,
                pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
                stopping_criteria=[lambda *_, **__: cancelled.is_set() or time.monotonic() > end],
                do_sample=bool(drawing),
                **drawing,
            )[0, count:]
        if time.monotonic() > end:
            raise TimeoutError("the local model did not finish within its timeout")
        return self._result(tokenizer, output, count, room, stop)

    def _result(
        self, tokenizer: Any, output: Any, count: int, room: int, stop: list[str]
    ) -> ChatResult:
        text = tokenizer.decode(output, skip_special_tokens=True)
        ends = [i for word in stop if word and (i := text.find(word)) >= 0]
        cut = not ends and len(output) >= room and output[-1] != tokenizer.eos_token_id
        message = AIMessage(
            content=text[: min(ends)] if ends else text,
            usage_metadata=UsageMetadata(
                input_tokens=count, output_tokens=len(output), total_tokens=count + len(output)
            ),
            response_metadata={
                "model_name": self.model,
                "finish_reason": "length" if cut else "stop",
            },
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            import transformers

            tokenizer = transformers.AutoTokenizer.from_pretrained(self.model)
            if not tokenizer.chat_template:
                raise ModelReferenceError(f"{self.model!r} has no chat template; use a chat model.")
            device_map = {"device_map": "auto"} if find_spec("accelerate") else {}
            model = transformers.AutoModelForCausalLM.from_pretrained(self.model, **device_map)
            self._loaded = model.eval(), tokenizer
        return self._loaded


@contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    """Draw by a seed, and leave the process's own generator as it was."""
    import torch

    with torch.random.fork_rng(enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        yield


def _tokenize(tokenizer: Any, rows: list[dict[str, Any]]) -> Any:
    """The prompt's token ids, with control tokens in messages read as text."""
    import torch

    pattern = control_pattern([*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()])
    safe = [{**row, "content": split_control_tokens(row["content"], pattern)} for row in rows]

    def render(messages: list[dict[str, Any]]) -> str:
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return str(text)

    prompt = render_messages(render, safe)
    pieces = [tokenizer.encode(p, add_special_tokens=False) for p in prompt.split(SPLIT)]
    return torch.tensor([[token for piece in pieces for token in piece]])


def chat_transformers(name: str, timeout: float | None = None) -> ChatTransformers:
    """A `ChatTransformers` for a folder or repository; nothing is loaded yet.

    Raises:
        MissingDependencyError: If transformers or torch isn't installed.
        ModelReferenceError: If the name looks like a path and no such folder exists.
    """
    if not find_spec("transformers") or not find_spec("torch"):
        raise MissingDependencyError(
            "transformers: models need what is missing here: pip install transformers torch."
        )
    path = os.path.expanduser(name)
    looks_like_path = name.startswith((".", "/", "~")) or name.count("/") > 1
    if looks_like_path and not os.path.isdir(path):
        raise ModelReferenceError(f"there is no model folder {name!r}; check the path.")
    return ChatTransformers(model=path if os.path.isdir(path) else name, timeout=timeout)
