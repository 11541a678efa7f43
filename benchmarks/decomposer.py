"""How fast `ChatGGUF` is, and how much memory it takes, next to its two alternatives.

    python benchmarks/decomposer.py [--model FILE.gguf] [--rounds 4] [--threads 1] [--json]

The alternatives are a bare `llama_cpp.Llama` and langchain_community's `ChatLlamaCpp`. All get
the same file, context, threads, batch size, attention, questions and grammar, and take the
likeliest token each time. They take turns of ten questions in a shuffled order, and a ratio is
the median over turns, so that a slow spell of the machine hits all alike. One thread, because
with more a busy neighbour decides the figures. Exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from statistics import median
from typing import Any

# No heavy import here: a child process starts with the peak memory of its parent.
from langgraph_decompose import bundled_model_path
from langgraph_decompose.models.gguf_file import read_contract, read_metadata

Ask = Callable[[str, str, str | None, int], str]
"""From (system text, question, grammar, most tokens) to the reply."""
OURS, BARE, COMMUNITY = "ChatGGUF", "bare Llama", "ChatLlamaCpp"
QUESTIONS, TURN, MAX_TOKENS, SHORT = 40, 10, 200, 24
MEGABYTE = 1_000_000

FORMS = (
    "Who is the {relation} of the author of {work}?",
    "Which is longer, the {river} or the {other_river}?",
    "{name} fills {small} boxes with {large} pens each and gives away {few}. How many are left?",
    "In which country was the {relation} of the director of {work} born?",
    "Were the composer of {work} and the composer of {other_work} born in the same year?",
    "A ticket costs ${large} and {name} buys {small}. With ${few} off, how much does {name} pay?",
    "What is the capital of the country through which the {river} flows?",
    "{name} walks {small} km a day, twice as much on Sundays. How far does {name} walk in a week?",
    "Which university did the {relation} of the person who wrote {work} attend?",
    "Who directed {other_work}?",
)
NAMES = ("Omar", "Mia", "Piotr", "Aiko", "Lena", "Samuel", "Ravi")
RELATIONS = ("wife", "brother", "teacher", "daughter", "mother", "editor", "publisher")
RIVERS = ("Tarn", "Vell", "Morava", "Ebro", "Lule", "Drin", "Save", "Okavango", "Minho")
WORKS = ("The Glass Orchard", "Salt Roads", "A Winter Ledger", "Nine Lanterns", "The Quiet Mill",
         "Harbour Song", "Paper Kings", "The Tin Bridge", "North of Ash", "Low Tide", "Ember")  # fmt: skip
DECOMPOSE = """You plan how to answer a question and never answer it yourself. If one step is
enough, write the word atomic. Otherwise write a plan of two to four lines. Number the lines. Ask
in each line for one fact or one calculation that the question really needs. Write the number of
an earlier line in the place where its answer belongs, and end a line with the numbers of the
lines that it uses. Keep the names and numbers of the question exactly as they are, add none,
and ask no more than needed."""
SOLVE = """You answer one step of a larger problem. Use the problem for its facts and rely on the
answers already found. Answer only the step that you are asked, not the whole problem. Reply with
one sum of the numbers that are given, such as four times seven, and with nothing else: no units,
no words, no number that was not given. Take half for one half and twice for two. If the step
can not be answered from what is given, say so in one short sentence, and stop there."""


@dataclass(frozen=True)
class Row:
    """One figure and its target, if it has one; None stands for what isn't installed."""

    name: str
    figure: float | None
    unit: str
    target: str = ""
    met: bool | None = None


def questions(count: int) -> list[str]:
    """Questions of several hops, comparisons, arithmetic and a few that need no plan."""
    return [
        FORMS[i % len(FORMS)].format(
            name=NAMES[i % 7], relation=RELATIONS[i % 7], work=WORKS[i % 11],
            other_work=WORKS[(i + 5) % 11], river=RIVERS[i % 9], other_river=RIVERS[(i + 4) % 9],
            small=3 + i % 13, large=12 + i % 37, few=2 + i % 9,
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
    """A bare `Llama`, and langchain_community's class or None; both with their faster settings."""
    from llama_cpp import Llama

    warnings.simplefilter("ignore", DeprecationWarning)
    alike = {"n_ctx": context_length(path), "n_batch": 512, "n_threads": threads, "verbose": False}
    more = {"n_threads_batch": threads, "flash_attn": True}
    bare = Llama(path, **alike, **more)
    try:
        from langchain_community.chat_models import ChatLlamaCpp
    except ImportError:
        return bare, None
    return bare, ChatLlamaCpp(model_path=path, temperature=0, repeat_penalty=1.0, streaming=False,
                              model_kwargs=more, **alike)  # fmt: skip


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
        reply = llama.create_chat_completion(
            messages, temperature=0, max_tokens=max_tokens, **options
        )
        return reply["choices"][0]["message"]["content"]

    return ask


@lru_cache
def llama_grammar(text: str) -> Any:
    """A grammar as llama-cpp-python takes it."""
    from llama_cpp import LlamaGrammar

    return LlamaGrammar.from_string(text, verbose=False)


def timed(ask: Ask, calls: list[tuple[str, str]], *options: Any) -> tuple[float, list[str]]:
    """Seconds that calls took together, and the replies."""
    start = time.perf_counter()
    replies = [ask(system, question, *options) for system, question in calls]
    return time.perf_counter() - start, replies


def measure_speed(sides: dict[str, Ask], bare: Any, rounds: int) -> Iterator[Row]:
    """Plan tokens a second of every side, without and with the plan grammar."""
    from langgraph_decompose.plan import plan_grammar

    grammars = {"no grammar": None, "plan grammar": plan_grammar(8)}
    ways = [(side, use) for use in grammars for side in sides]
    rates: dict[Any, list[float]] = {way: [] for way in ways}
    replies: dict[Any, list[str]] = {way: [] for way in ways}
    calls = [("decompose", question) for question in questions(QUESTIONS)]
    for begin in [0, *range(0, QUESTIONS, TURN)] + [*range(0, QUESTIONS, TURN)] * (rounds - 1):
        for side, use in random.sample(ways, len(ways)):
            turn = calls[begin : begin + TURN]
            seconds, texts = timed(sides[side], turn, grammars[use], MAX_TOKENS)
            # Counted in one way for all, and outside the time.
            count = sum(len(bare.tokenize(text.encode(), add_bos=False)) for text in texts)
            rates[side, use].append(count / seconds)
            replies[side, use] += texts
    for use in grammars:
        yield from compare(use, rates, replies)
    found = ratio(rates, (OURS, "plan grammar"), (OURS, "no grammar"))
    yield Row("ChatGGUF with / without grammar", found, "ratio", ">= 0.8", found >= 0.8)


def ratio(rates: dict[Any, list[float]], way: Any, other: Any) -> float:
    """How many times as fast one way is; the first turn only warms up."""
    return median(a / b for a, b in zip(rates[way][1:], rates[other][1:], strict=True))


def compare(use: str, rates: Any, replies: Any) -> Iterator[Row]:
    """What the rates of all sides amount to."""
    for side in (OURS, BARE, COMMUNITY):
        rate = median(rates[side, use][1:]) if (side, use) in rates else None
        yield Row(f"{use}: {side}", rate, "tokens/s")
    same = [a == b for a, b in zip(replies[OURS, use], replies[BARE, use], strict=True)]
    yield Row(f"{use}: replies equal to bare Llama's", sum(same) / len(same), "share")
    found = ratio(rates, (OURS, use), (BARE, use))
    yield Row(f"{use}: ChatGGUF / bare Llama", found, "ratio", ">= 0.95", found >= 0.95)
    if (COMMUNITY, use) in rates:
        found = ratio(rates, (OURS, use), (COMMUNITY, use))
        yield Row(f"{use}: ChatGGUF / ChatLlamaCpp", found, "ratio", "> 1", found > 1)


def measure_reuse(ours: Any, sides: dict[str, Ask], rounds: int) -> Iterator[Row]:
    """Two roles with long instructions take turns: is what all their prompts share kept?"""
    calls = [((DECOMPOSE, SOLVE)[i % 2], q) for i, q in enumerate(questions(TURN))]
    constant = {role: constant_tokens(ours, role) for role in (DECOMPOSE, SOLVE)}
    shares = []
    for role, question in calls:
        usage = ours.invoke([("system", role), ("user", question)], max_tokens=SHORT).usage_metadata
        shares.append(min(1.0, usage["input_token_details"]["cache_read"] / constant[role]))
    times = []
    for _ in range(4 * rounds):
        took = {s: timed(sides[s], calls, None, SHORT)[0] for s in random.sample([OURS, BARE], 2)}
        times.append(took[BARE] / took[OURS])
    least = min(shares[2:])
    yield Row("two roles: constant part of decompose", constant[DECOMPOSE], "tokens")
    yield Row("two roles: constant part of solve", constant[SOLVE], "tokens")
    yield Row("two roles: least share of it reused", least, "share", "1", least == 1)
    yield Row("two roles: speed of ChatGGUF / bare Llama", median(times), "ratio")


def constant_tokens(ours: Any, system: str) -> int:
    """Number of tokens with which every prompt with this system text begins."""
    from langgraph_decompose.models.engine import EngineSettings
    from langgraph_decompose.models.pool import EngineHandle

    path = os.path.realpath(ours.model_path)
    handle = EngineHandle(EngineSettings(path, ours.n_ctx, ours.n_gpu_layers, ours.n_threads))

    def prompt(user: str) -> list[int]:
        rows = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        return handle.submit(lambda engine: engine.chat_template(None).tokenize(rows)).result()

    try:
        return len(os.path.commonprefix([prompt("Who?"), prompt("7 + 8")]))
    finally:
        handle.close()


def measure_memory(options: argparse.Namespace) -> Iterator[Row]:
    """Peak of a process that answers 20 questions, and growth over 150 more after 50."""
    before, after = (in_child(count, options)["peak"] for count in (0, 20))
    delta = (after - before) / MEGABYTE
    limit = os.path.getsize(options.model) / MEGABYTE + cache_bytes(options.model) / MEGABYTE + 150
    yield Row("peak memory: imports", before / MEGABYTE, "MB")
    yield Row(
        "peak memory: file and 20 questions on top", delta, "MB", f"<= {limit:.0f}", delta <= limit
    )
    sizes = in_child(200, options)
    growth = (sizes["200"] - sizes["50"]) / MEGABYTE
    yield Row("memory growth from question 50 to 200", growth, "MB", "< 2", growth < 2)


def cache_bytes(path: str) -> int:
    """Size of the keys and values, two bytes each; llama.cpp rounds cells up to 256."""
    metadata = read_metadata(path)
    name = metadata["general.architecture"]
    heads = metadata[f"{name}.attention.head_count"]
    width = metadata.get(
        f"{name}.attention.key_length", metadata[f"{name}.embedding_length"] // heads
    )
    kept = metadata.get(f"{name}.attention.head_count_kv", heads)
    cells = -(-context_length(path) // 256) * 256
    return metadata[f"{name}.block_count"] * cells * kept * width * 2 * 2


def in_child(count: int, options: argparse.Namespace) -> dict[str, int]:
    """Answer questions in a fresh process; its memory in bytes."""
    command = [sys.executable, os.path.abspath(__file__), "--child", str(count)]
    command += ["--model", options.model, "--threads", str(options.threads)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def child(options: argparse.Namespace) -> dict[str, int]:
    """What the fresh process does: all imports, then the questions."""
    import resource

    import langgraph_decompose.models.engine  # noqa: F401, it imports llama_cpp
    from langgraph_decompose.plan import plan_grammar

    ask, sizes = ask_langchain(load_ours(options.model, options.threads), str), {}
    for done, question in enumerate(questions(options.child), 1):
        ask("decompose", question, plan_grammar(8), MAX_TOKENS)
        sizes[done] = resident() if done in (50, 200) else 0
    unit = 1 if sys.platform == "darwin" else 1024
    return sizes | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}


def resident() -> int:
    """Memory that this process holds now, in bytes."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        command = ["ps", "-o", "rss=", "-p", str(os.getpid())]
        return int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) * 1024


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """All figures; memory first, while this process is still small."""
    yield from measure_memory(options)
    ours, (bare, community) = (
        load_ours(options.model, options.threads),
        load_others(options.model, options.threads),
    )
    sides = {OURS: ask_langchain(ours, str), BARE: ask_bare(bare)}
    if community is not None:
        sides[COMMUNITY] = ask_langchain(community, llama_grammar)
    yield from measure_speed(sides, bare, options.rounds)
    yield from measure_reuse(ours, sides, options.rounds)
    ours.close()


def show(row: Row) -> None:
    """Print one line of the table."""
    figure = "not installed" if row.figure is None else f"{row.figure:.2f} {row.unit}"
    verdict = "" if row.met is None else "met" if row.met else "MISSED"
    target = f"target {row.target}" if row.target else ""
    print(f"{row.name:<44} {figure:>18}  {target:<16} {verdict}".rstrip(), flush=True)


def main() -> int:
    """Measure and print; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default=bundled_model_path(), help="a GGUF file")
    parser.add_argument("--rounds", type=int, default=4, help="times every question is asked")
    parser.add_argument("--threads", type=int, default=1, help="of every side")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        print(json.dumps(child(options)))
        return 0
    rows = []
    for row in measure(options):
        rows.append(row)
        if not options.json:
            show(row)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    missed = [row.name for row in rows if row.met is False]
    if missed:
        print(f"missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
