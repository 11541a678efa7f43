"""LangChain's own standard suites for chat models, on the real bundled file."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from langgraph_decompose import ChatGGUF, bundled_model_path

# Told to solve, the bundled solver writes an expression whatever else is said.
TEMPLATE = (
    "<|system|>solve<|end|>{% for message in messages %}"
    "{{ '<|' + ('assistant' if message['role'] == 'assistant' else 'user') + '|>' }}"
    "{{ message['content'] }}<|end|>{% endfor %}<|assistant|>"
)


class TestChatGGUFUnit(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatGGUF

    @property
    def chat_model_params(self) -> dict[str, Any]:
        # No such file: constructing a model must not load it.
        return {"model_path": "nowhere.gguf"}


class TestChatGGUFIntegration(ChatModelIntegrationTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatGGUF

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model_path": bundled_model_path("solver"), "chat_template": TEMPLATE}

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        return {**super().standard_chat_model_params, "temperature": 0}

    @property
    def has_tool_calling(self) -> bool:
        # Those tests ask for sense, which the bundled arithmetic model hasn't; that its calls
        # are well-formed is tested in test_tool_calls.py.
        return False

    @property
    def has_structured_output(self) -> bool:
        return False
