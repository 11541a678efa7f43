"""The sides of `decomposer.py`: one set of questions for `ChatGGUF` and its two alternatives."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

# No heavy import here: a child process starts with the peak memory of its parent.
from langgraph_decompose.models.gguf_file import read_contract, read_metadata

Ask = Callable[[str, str, str | None, int], str]
"""From (system text, question, grammar, most tokens) to the reply."""
OURS, BARE, COMMUNITY = "ChatGGUF", "bare Llama", "ChatLlamaCpp"

FORMS = (
    "Who is the {relation} of the author of {work}?",
    "Which is longer, the {river} or the {other_river}?",
    "{name} fills {few} boxes with {many} pens each and gives {less} away. How many are left?",
    "Were the composer of {work} and the composer of {other_work} born in the same year?",
    "A ticket costs ${many} and {name} buys {few}. With ${less} off, how much does {name} pay?",
    "What is the capital of the country through which the {river} flows?",
    "{name} walks {few} km a day and {many} km on Sundays. How far does {name} walk in a week?",
    "Which university did the {relation} of the person who wrote {work} attend?",
    "Who directed {other_work}?",
)
NAMES = ("Omar", "Mia", "Piotr", "Aiko", "Lena", "Samuel", "Ravi")
RELATIONS = ("wife", "brother", "teacher", "daughter", "mother", "editor", "publisher")
RIVERS = ("Tarn", "Vell", "Morava", "Ebro", "Lule", "Drin", "Okavango", "Minho")
WORKS = ("Salt Roads", "A Winter Ledger", "Nine Lanterns", "Harbour Song", "Paper Kings",
         "The Tin Bridge", "Ember")  # fmt: skip


def questions(count: int) -> list[str]:
    """Questions of several hops, comparisons, arithmetic and a few that need no plan."""
    return [
        FORMS[i % len(FORMS)].format(
            name=NAMES[i % 7], relation=RELATIONS[i % 7], river=RIVERS[i % 8],
            other_river=RIVERS[(i + 3) % 8], work=WORKS[i % 7], other_work=WORKS[(i + 5) % 7],
            few=3 + i % 13, many=12 + i % 37, less=2 + i % 10,
        )
        for i in range(count)
    ]  # fmt: skip


def context_length(path: str) -> int:
    """The file's trained length, which `ChatGGUF` takes by default too."""
    contract, metadata = read_contract(path), read_metadata(path)
    native = metadata[f"{metadata['general.architecture']}.context_length"]
    return (contract.n_ctx_trained if contract else 0) or min(native, 8192)


def load_ours(path: str, threads: int) -> Any:
    """The class under test."""
    from langgraph_decompose import ChatGGUF

    return ChatGGUF(model_path=path, n_ctx=context_length(path), n_threads=threads, temperature=0)


def load_others(path: str, threads: int) -> tuple[Any, Any]:
    """A bare `Llama`, and langchain_community's class or None, set to be as fast as they can."""
    import llama_cpp.llama_cpp as binding
    from langgraph_decompose.models.loading import amx_may_crash
    from llama_cpp import Llama

    params = binding.llama_model_default_params()
    params.use_extra_bufts = not amx_may_crash()  # As ours; neither class has an option for it.
    binding.llama_model_default_params = lambda: params
    warnings.simplefilter("ignore", DeprecationWarning)
    alike = {"n_ctx": context_length(path), "n_batch": 512, "n_threads": threads, "verbose": False}
    more = {"n_threads_batch": threads, "flash_attn": True}
    bare = Llama(path, **alike, **more)
    try:
        from langchain_community.chat_models import ChatLlamaCpp
    except ImportError:
        return bare, None
    options = {"temperature": 0, "repeat_penalty": 1.0, "streaming": False, "model_kwargs": more}
    return bare, ChatLlamaCpp(model_path=path, **alike, **options)


def ask_langchain(model: Any, grammar_form: Callable[[str], Any]) -> Ask:
    """Ask a chat model that takes a grammar in its own form."""

    def ask(system: str, question: str, grammar: str | None, max_tokens: int) -> str:
        options = {"grammar": grammar_form(grammar)} if grammar else {}
        messages = [("system", system), ("user", question)]
        return model.invoke(messages, max_tokens=max_tokens, **options).text

    return ask


def ask_bare(llama: Any) -> Ask:
    """Ask a bare `Llama`."""

    def ask(system: str, question: str, grammar: str | None, max_tokens: int) -> str:
        options = {"grammar": llama_grammar(grammar)} if grammar else {}
        messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
        options |= {"temperature": 0, "max_tokens": max_tokens}
        return llama.create_chat_completion(messages, **options)["choices"][0]["message"]["content"]

    return ask


@lru_cache
def llama_grammar(text: str) -> Any:
    """A grammar as llama-cpp-python takes it."""
    from llama_cpp import LlamaGrammar

    return LlamaGrammar.from_string(text, verbose=False)
