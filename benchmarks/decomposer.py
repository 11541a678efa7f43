"""How fast `ChatGGUF` is, and how much memory it takes, next to its two alternatives.

    python benchmarks/decomposer.py [--model FILE.gguf] [--rounds 3] [--json]

The alternatives are a bare `llama_cpp.Llama` and langchain_community's `ChatLlamaCpp`. All
sides get the same file, context, threads, batch size, questions and grammar, and take the
likeliest token each time. They take turns, ten questions at a time in a random order, and a
ratio is the median over these turns: a machine that slows down for a while then slows all
sides. Exits with 1 if a target is missed.
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

# Heavy imports stand in the functions: a child process begins with its parent's peak memory.
from langgraph_decompose import bundled_model_path
from langgraph_decompose.models.gguf_file import read_contract, read_metadata

Ask = Callable[..., str]
"""ask(system, question, grammar, max_tokens) gives the reply."""

THREADS = min(4, os.cpu_count() or 1)
TURN, QUESTIONS, MAX_TOKENS = 10, 40, 200
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
NAMES = ["Omar", "Mia", "Piotr", "Aiko", "Lena", "Samuel", "Ravi"]
RELATIONS = ["wife", "brother", "teacher", "founder", "daughter", "mother", "editor", "publisher"]
RIVERS = ["Tarn", "Vell", "Morava", "Ebro", "Lule", "Drin", "Save", "Okavango", "Minho"]
WORKS = ("The Glass Orchard", "Salt Roads", "A Winter Ledger", "Nine Lanterns", "The Quiet Mill",
         "Harbour Song", "Paper Kings", "The Tin Bridge", "North of Ash", "Low Tide", "Ember")  # fmt: skip
DECOMPOSE = (
    "You plan how to answer a question and never answer it yourself. If one step is enough, write "
    "the word atomic. Otherwise write a plan of two to four lines. Number the lines, ask in each "
    "for one fact or one calculation, write the number of an earlier line where its answer belongs, "
    "end a line with the numbers of the lines that it uses, keep names and numbers as they are, "
    "and ask no more than needed. "
)
SOLVE = (
    "You answer one step of a larger problem. Use the problem for its facts and rely on the answers "
    "already found. Answer only the step that you are asked, not the whole problem. Reply with one "
    "sum of the numbers that are given, such as four times seven, and with nothing else, without "
    "units and words, and never use a number that was not given. If it can not be known, say so. "
)


@dataclass(frozen=True)
class Row:
    """One figure and its target, if it has one."""

    name: str
    figure: float
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
    """The file's trained length, as `ChatGGUF` takes it by default."""
    contract, metadata = read_contract(path), read_metadata(path)
    native = metadata.get(f"{metadata['general.architecture']}.context_length", 512)
    return (contract.n_ctx_trained if contract else 0) or min(native, 8192)


def load_chat_gguf(path: str) -> Any:
    """The class under test."""
    from langgraph_decompose import ChatGGUF

    return ChatGGUF(model_path=path, n_ctx=context_length(path), n_threads=THREADS, temperature=0)


def load_bare(path: str) -> Any:
    """llama-cpp-python's own class."""
    from llama_cpp import Llama

    return Llama(path, n_ctx=context_length(path), n_batch=512, n_threads=THREADS,
                 n_threads_batch=THREADS, verbose=False)  # fmt: skip


def load_community(path: str) -> Any:
    """langchain_community's class, or None; not streaming, which is its faster way."""
    warnings.simplefilter("ignore", DeprecationWarning)
    try:
        from langchain_community.chat_models import ChatLlamaCpp
    except ImportError:
        return None
    return ChatLlamaCpp(model_path=path, n_ctx=context_length(path), n_batch=512, n_threads=THREADS,
                        temperature=0, repeat_penalty=1.0, streaming=False, verbose=False,
                        model_kwargs={"n_threads_batch": THREADS})  # fmt: skip


def ask_langchain(model: Any, convert: Callable[[str], Any]) -> Ask:
    """Ask a LangChain chat model; `convert` gives the grammar the form that it takes."""

    def ask(system: str, question: str, grammar: str | None, max_tokens: int = MAX_TOKENS) -> str:
        options = {"grammar": convert(grammar)} if grammar else {}
        messages = [("system", system), ("user", question)]
        return model.invoke(messages, max_tokens=max_tokens, **options).text

    return ask


def ask_bare(llama: Any) -> Ask:
    """Ask a bare `Llama`."""

    def ask(system: str, question: str, grammar: str | None, max_tokens: int = MAX_TOKENS) -> str:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
        reply = llama.create_chat_completion(
            messages, temperature=0.0, max_tokens=max_tokens,
            grammar=llama_grammar(grammar) if grammar else None,
        )  # fmt: skip
        return reply["choices"][0]["message"]["content"]

    return ask


@lru_cache
def llama_grammar(text: str) -> Any:
    """A grammar as llama-cpp-python takes it."""
    from llama_cpp import LlamaGrammar

    return LlamaGrammar.from_string(text, verbose=False)


def measure_speed(gguf: Any, bare: Any, community: Any, rounds: int) -> Iterator[Row]:
    """Plan tokens a second of every side, without and with the plan grammar."""
    from langgraph_decompose.plan import plan_grammar

    sides = {"ChatGGUF": ask_langchain(gguf, str), "bare Llama": ask_bare(bare)}
    if community is not None:
        sides["ChatLlamaCpp"] = ask_langchain(community, llama_grammar)
    ways = [(side, grammar) for side in sides for grammar in (None, plan_grammar(8))]
    rates: dict[Any, list[float]] = {way: [] for way in ways}
    replies: dict[Any, list[str]] = {way: [] for way in ways}
    for side, grammar in ways:
        sides[side]("decompose", "Who wrote Emma?", grammar)
    shuffle, asked = random.Random(0).shuffle, questions(QUESTIONS)
    for begin in list(range(0, QUESTIONS, TURN)) * rounds:
        shuffle(ways)
        for way in ways:
            start = time.perf_counter()
            texts = [sides[way[0]]("decompose", q, way[1]) for q in asked[begin : begin + TURN]]
            seconds = time.perf_counter() - start
            # Counted alike for all sides, and outside the time.
            count = sum(len(bare.tokenize(t.encode(), add_bos=False)) for t in texts)
            rates[way].append(count / seconds)
            replies[way] += texts
    yield from speed_rows(rates, replies, community is not None)


def speed_rows(rates: Any, replies: Any, community: bool) -> Iterator[Row]:
    """What the rates amount to."""
    grammar = next(way[1] for way in rates if way[1])

    def ratio(side: Any, other: Any) -> float:
        return median(a / b for a, b in zip(rates[side], rates[other], strict=True))

    for text, using in (("no grammar", None), ("plan grammar", grammar)):
        for side in dict.fromkeys(way[0] for way in rates):
            yield Row(f"{text}: {side}", median(rates[side, using]), "tokens/s")
        ours, theirs = ("ChatGGUF", using), ("bare Llama", using)
        same = sum(map(str.__eq__, replies[ours], replies[theirs])) / len(replies[ours])
        yield Row(f"{text}: replies as those of bare Llama", same, "share")
        found = ratio(ours, theirs)
        yield Row(f"{text}: ChatGGUF / bare Llama", found, "ratio", ">= 0.95", found >= 0.95)
        if community:
            found = ratio(ours, ("ChatLlamaCpp", using))
            yield Row(f"{text}: ChatGGUF / ChatLlamaCpp", found, "ratio", "> 1", found > 1)
    found = ratio(("ChatGGUF", grammar), ("ChatGGUF", None))
    yield Row("ChatGGUF with / without the grammar", found, "ratio", ">= 0.8", found >= 0.8)


def measure_reuse(gguf: Any, bare: Any, rounds: int) -> Iterator[Row]:
    """Two roles with long instructions take turns: is the beginning of a prompt kept?"""
    roles = [(DECOMPOSE, SOLVE)[i % 2] for i in range(TURN)]
    calls = list(zip(roles, questions(TURN), strict=True))
    constant = {role: constant_tokens(gguf.model_path, role) for role in (DECOMPOSE, SOLVE)}
    shares = []
    for role, question in calls:
        usage = gguf.invoke([("system", role), ("user", question)], max_tokens=24).usage_metadata
        shares.append(min(1.0, usage["input_token_details"]["cache_read"] / constant[role]))
    ratios = [bare_time / our_time for our_time, bare_time in (
        (seconds(ask_langchain(gguf, str), calls), seconds(ask_bare(bare), calls))
        for _ in range(4 * rounds))]  # fmt: skip
    yield Row("constant beginning, decompose", constant[DECOMPOSE], "tokens")
    yield Row("constant beginning, solve", constant[SOLVE], "tokens")
    least = min(shares[2:])
    yield Row("least share of it reused, calls 3 to 10", least, "share", "1", least == 1)
    yield Row("time of bare Llama / ChatGGUF for these calls", median(ratios), "ratio")


def constant_tokens(path: str, system: str) -> int:
    """Number of tokens with which every prompt with these instructions begins."""
    from langgraph_decompose.models.engine import EngineSettings
    from langgraph_decompose.models.pool import EngineHandle

    settings = EngineSettings(os.path.realpath(path), context_length(path), None, THREADS)
    handle = EngineHandle(settings)

    def prompt(user: str) -> list[int]:
        rows = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        return handle.submit(lambda engine: engine.chat_template(None).tokenize(rows)).result()

    try:
        return len(os.path.commonprefix([prompt("Who?"), prompt("7 + 8")]))
    finally:
        handle.close()


def seconds(ask: Ask, calls: list[tuple[str, str]]) -> float:
    """Time of short calls."""
    start = time.perf_counter()
    for system, question in calls:
        ask(system, question, None, 24)
    return time.perf_counter() - start


def measure_memory(path: str) -> Iterator[Row]:
    """Peak of a process that answers 20 questions, and growth over 150 more after 50."""
    if sys.platform == "win32":
        return
    before = in_child("imports", path)["peak"]
    after = in_child("20 questions", path)["peak"]
    limit = os.path.getsize(path) + cache_bytes(path) + 150 * MEGABYTE
    figure, target = (after - before) / MEGABYTE, f"<= {limit / MEGABYTE:.0f}"
    yield Row("peak memory of imports alone", before / MEGABYTE, "MB")
    yield Row(
        "peak memory over imports, 20 questions", figure, "MB", target, after - before <= limit
    )
    sizes = in_child("200 questions", path)
    growth = (sizes["after 200"] - sizes["after 50"]) / MEGABYTE
    yield Row("growth from question 50 to 200", growth, "MB", "< 2", growth < 2)


def cache_bytes(path: str) -> int:
    """Size of the keys and values, two bytes each; llama.cpp rounds cells up to 256."""
    metadata = read_metadata(path)
    prefix = metadata["general.architecture"]
    heads = metadata[f"{prefix}.attention.head_count"]
    width = metadata[f"{prefix}.embedding_length"] // heads
    width = metadata.get(f"{prefix}.attention.key_length", width)
    kept = metadata.get(f"{prefix}.attention.head_count_kv", heads)
    cells = -(-context_length(path) // 256) * 256
    return metadata[f"{prefix}.block_count"] * cells * kept * width * 2 * 2


def in_child(task: str, path: str) -> dict[str, int]:
    """Run a task in a fresh process; its memory figures in bytes."""
    command = [sys.executable, os.path.abspath(__file__), "--child", task, "--model", path]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def child(task: str, path: str) -> dict[str, int]:
    """The task of a fresh process."""
    import resource

    import langgraph_decompose.models.engine  # noqa: F401, it imports llama_cpp
    from langgraph_decompose.plan import plan_grammar

    model, sizes = load_chat_gguf(path), {}
    for i, question in enumerate(questions(0 if task == "imports" else int(task.split()[0])), 1):
        messages = [("system", "decompose"), ("user", question)]
        model.invoke(messages, grammar=plan_grammar(8), max_tokens=MAX_TOKENS)
        if i in (50, 200):
            sizes[f"after {i}"] = resident()
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


def show(rows: list[Row]) -> None:
    """Print the table and what was missed."""
    print(f"{'':<48} {'figure':>9} {'unit':<9} {'target':<9}")
    for row in rows:
        verdict = "" if row.met is None else "met" if row.met else "MISSED"
        print(f"{row.name:<48} {row.figure:>9.2f} {row.unit:<9} {row.target:<9} {verdict}".rstrip())


def main() -> int:
    """Measure, print, and say by the exit code whether all targets are met."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default=bundled_model_path(), help="a GGUF file")
    parser.add_argument("--rounds", type=int, default=3, help="times that every question is asked")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options.child, options.model)))
        return 0
    rows = list(measure_memory(options.model))
    gguf, bare = load_chat_gguf(options.model), load_bare(options.model)
    rows += measure_speed(gguf, bare, load_community(options.model), options.rounds)
    rows += measure_reuse(gguf, bare, options.rounds)
    gguf.close()
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        show(rows)
    missed = [row.name for row in rows if row.met is False]
    if missed:
        print(f"targets missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
