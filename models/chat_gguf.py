"""`ChatGGUF`: any instruct GGUF file as a LangChain chat model, in this process."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self, TypeVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, PrivateAttr, model_validator

from .call_options import reject_unknown_settings
from .control_tokens import SPLIT, split_long_runs
from .forks import ForkedLock
from .generation_job import generation_job
from .pool import EngineHandle, EngineSettings, file_version
from .replies import as_chunk, chat_result, last_chunk, overflow_as_langchain_knows_it, text_chunk
from .tool_calls import allows_calls, functions_of

T = TypeVar("T")

# Guards every model's handle, so that no call slips in while it is being closed.
_handles = ForkedLock()


class ChatGGUF(BaseChatModel):
    """A GGUF file, run by llama.cpp in this process, as a LangChain chat model.

    The file is loaded at the first call and shared by every `ChatGGUF` with the same path and
    settings; if it is replaced, one made afterwards loads the new file. Calls from any number of
    threads and tasks are safe: they run one after another on the model's own thread and never
    block the event loop. `close()` frees the memory; so does leaving a `with` block.

    Besides `stop`, a call takes by keyword `max_tokens`, `temperature`, `top_k`, `top_p`,
    `min_p`, `seed`, `timeout`, `grammar` (GBNF text that the reply must follow), `no_repeat` (a
    run of so many tokens comes at most twice in a line) and `plans` (how many plans a trained
    decomposer writes; the best by `plan_value` is taken).

    Raises:
        ModelFileError: At the first call, if the file is missing, damaged, no GGUF, newer
            than the installed llama.cpp, or without a chat template; at any call, if the
            template takes too long for its messages.
        PromptTooLongError: If a prompt doesn't fit `n_ctx`.
        MissingDependencyError: If llama-cpp-python isn't installed.

    Example:
        >>> from langgraph_decompose import ChatGGUF, bundled_model_path
        >>> with ChatGGUF(model_path=bundled_model_path()) as model:
        ...     print(model.invoke([("system", "decompose"), ("user", "Who wrote Emma?")]).text)
        atomic
    """

    model_path: str
    """Path of the .gguf file."""
    n_ctx: int | None = Field(default=None, ge=16)
    """Context in tokens; None takes the file's trained length, at most 8,192."""
    n_gpu_layers: int | None = None
    """Layers on the GPU; None takes all if llama.cpp was built with GPU support."""
    n_threads: int | None = Field(default=None, ge=1)
    """CPU threads; None chooses by cores and model size."""
    chat_template: str | None = None
    """Jinja template to use instead of the file's own."""
    temperature: float | None = Field(default=None, ge=0)
    """None and 0 always take the likeliest token."""
    top_k: int = Field(default=40, ge=0)
    top_p: float = Field(default=0.95, gt=0, le=1)
    min_p: float = Field(default=0.05, ge=0, le=1)
    seed: int | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    """Longest reply in tokens; None: until the context is full."""
    stop: list[str] | None = None
    timeout: float | None = Field(default=None, gt=0)
    """Seconds for one call, without waiting for others; the chat template has 10 s of its own."""
    max_retries: int | None = None
    """Accepted for compatibility; a local model has nothing to retry."""

    _handle: EngineHandle | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _known_settings_only(cls, values: Any) -> Any:
        return reject_unknown_settings(cls, values)

    @property
    def _llm_type(self) -> str:
        return "gguf"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {
            name: getattr(self, name)
            for name in type(self).model_fields
            if name not in BaseChatModel.model_fields
        }

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = "gguf"
        params["ls_model_name"] = kwargs.get("model", self.name_of_file)
        return params

    @property
    def name_of_file(self) -> str:
        """The file's name without its folder and ending."""
        return Path(self.model_path).stem

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Let the model call tools; a grammar made of their schemas keeps calls well-formed.

        Args:
            tools: Functions, pydantic classes, tools or OpenAI-style schemas.
            tool_choice: `any`, `required` or True to force a call, a tool's name to force
                that one, `auto` or None to leave it to the model, `none` to forbid it.
            kwargs: Further call options.

        Raises:
            UserError: If a tool is no function, such as a search that a provider makes itself.
        """
        shaped = [convert_to_openai_tool(tool) for tool in tools]
        functions_of(shaped)
        return self.bind(tools=shaped, tool_choice=tool_choice, **kwargs)

    def close(self) -> None:
        """Free the model's memory unless another `ChatGGUF` uses it; a later call reloads."""
        with _handles:
            handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()

    async def aclose(self) -> None:
        """`close` without blocking the event loop."""
        await asyncio.to_thread(self.close)

    def __getstate__(self) -> dict[Any, Any]:
        """What copies and pickles take along: the settings, not the loaded model."""
        state = super().__getstate__()
        return {**state, "__pydantic_private__": {"_handle": None}}

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied._handle = None
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self.__copy__()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_token_ids(self, text: str) -> list[int]:
        """The model's own token ids (the inherited method would load GPT-2's)."""
        parts = split_long_runs(text.replace(SPLIT, "\ufffd")).split(SPLIT)

        def job(engine: Any) -> list[int]:
            return [token for part in parts for token in engine.tokenize(part, special=False)]

        return self._submit(job).result()

    def _submit(self, job: Callable[[Any], T]) -> Future[T]:
        """Queue a job on the model's thread; `close` can't come between."""
        with _handles:
            return self._opened().submit(job)

    def _opened(self) -> EngineHandle:
        if self._handle is None or not self._handle.usable:
            path = os.path.realpath(os.path.expanduser(self.model_path))
            chosen = (self.n_ctx, self.n_gpu_layers, self.n_threads)
            self._handle = EngineHandle(EngineSettings(path, *chosen, file_version(path)))
        return self._handle

    async def _aopen(self) -> None:
        """Look for the file aside: `langgraph dev` refuses whatever may block the event loop."""

        def look() -> None:
            with _handles:
                self._opened()

        if self._handle is None or not self._handle.usable:
            await asyncio.to_thread(look)

    def _start(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        options: dict[str, Any],
        emit: Callable[[str], None],
    ) -> tuple[Future[Any], threading.Event]:
        """Queue a generation; the event cancels it."""
        cancelled = threading.Event()
        job = generation_job(self, messages, stop, options, emit=emit, cancelled=cancelled)
        return self._submit(job), cancelled

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        future, cancelled = self._start(messages, stop, kwargs, lambda _: None)
        try:
            with overflow_as_langchain_knows_it():
                return chat_result(future.result(), self.name_of_file, kwargs)
        finally:
            cancelled.set()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        await self._aopen()
        future, cancelled = self._start(messages, stop, kwargs, lambda _: None)
        try:
            with overflow_as_langchain_knows_it():
                return chat_result(await asyncio.wrap_future(future), self.name_of_file, kwargs)
        finally:
            cancelled.set()

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        if allows_calls(kwargs.get("tools"), kwargs.get("tool_choice")):
            # Whether it is text or a call is known at the end only.
            yield as_chunk(self._generate(messages, stop, run_manager, **kwargs))
            return
        pieces: SimpleQueue[str | None] = SimpleQueue()
        future, cancelled = self._start(messages, stop, kwargs, pieces.put)
        future.add_done_callback(lambda _: pieces.put(None))
        try:
            while (piece := pieces.get()) is not None:
                yield text_chunk(piece)
            with overflow_as_langchain_knows_it():
                last = last_chunk(future.result(), self.name_of_file)
            yield last
        finally:
            cancelled.set()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        if allows_calls(kwargs.get("tools"), kwargs.get("tool_choice")):
            yield as_chunk(await self._agenerate(messages, stop, run_manager, **kwargs))
            return
        await self._aopen()
        loop, pieces = asyncio.get_running_loop(), asyncio.Queue[str | None]()

        def put(piece: str | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

        future, cancelled = self._start(messages, stop, kwargs, put)
        future.add_done_callback(lambda _: put(None))
        try:
            while (piece := await pieces.get()) is not None:
                yield text_chunk(piece)
            with overflow_as_langchain_knows_it():
                last = last_chunk(future.result(), self.name_of_file)
            yield last
        finally:
            cancelled.set()
            future.cancel()
