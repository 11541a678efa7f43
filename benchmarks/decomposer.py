"""How fast `ChatGGUF` is, and how much memory it takes, next to its two alternatives.

    python benchmarks/decomposer.py [--model FILE.gguf] [--rounds 3] [--threads 1] [--json]

The alternatives are a bare `llama_cpp.Llama` and langchain_community's `ChatLlamaCpp`. All get
the same file, context, threads, batch size, attention, questions and grammar, and take the
likeliest token each time. At every question they take turns in a random order, and a ratio is
the median over questions, so that a slow spell of the machine hits all alike. One thread by
default, because with more a busy neighbour decides the figures. Exits with 1 if a target is
missed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from decomposer_sides import (
    BARE,
    COMMUNITY,
    OURS,
    Ask,
    ask_bare,
    ask_langchain,
    context_length,
    llama_grammar,
    load_others,
    load_ours,
    questions,
)

# No heavy import here: where there is no /proc, a child starts with the peak memory of its parent.
from langgraph_decompose import bundled_model_path
from langgraph_decompose.models.gguf_file import read_metadata
from process_memory import peak, resident

PLAIN, PLAN = "no grammar", "plan grammar"
QUESTIONS, MAX_TOKENS, SHORT, MEGABYTE = 40, 200, 24, 1_000_000
# Long instructions that every prompt of a role begins with.
ROLES = (
    "Split the question into a plan, one subquestion a line, no more than needed. " * 7,
    "Answer only this step, by a sum of the numbers that were given, and nothing else. " * 7,
)


@dataclass(frozen=True)
class Row:
    """One figure and its target, if it has one; None stands for what isn't installed."""

    name: str
    figure: float | None
    unit: str
    target: str = ""
    met: bool | None = None


def timed(ask: Ask, *call: Any) -> tuple[float, str]:
    """Seconds that a call took, and the reply."""
    start = time.perf_counter()
    reply = ask(*call)
    return time.perf_counter() - start, reply


def measure_speed(sides: dict[str, Ask], bare: Any, rounds: int) -> Iterator[Row]:
    """Plan tokens a second of every side, without and with the plan grammar."""
    from langgraph_decompose.plan import plan_grammar

    grammars = {PLAIN: None, PLAN: plan_grammar(8)}
    ways = [(side, use) for use in grammars for side in sides]
    rates: dict[Any, list[float]] = {way: [] for way in ways}
    replies: dict[Any, list[str]] = {way: [] for way in ways}
    for side, use in ways:
        sides[side]("decompose", "Warming up?", grammars[use], MAX_TOKENS)
    for question in questions(QUESTIONS) * rounds:
        for side, use in random.sample(ways, len(ways)):
            # Without a call between, the question would still be in the cache from its last use.
            sides[side]("decompose", "Anything else?", None, 1)
            seconds, reply = timed(sides[side], "decompose", question, grammars[use], MAX_TOKENS)
            # Counted alike for all, and outside the time.
            tokens = bare.tokenize(reply.encode(), add_bos=False)
            rates[side, use].append(max(1, len(tokens)) / seconds)
            replies[side, use].append(reply)
    for use in grammars:
        yield from compare(use, rates, replies)
    found = ratio(rates, (OURS, PLAN), (OURS, PLAIN))
    yield Row("ChatGGUF with / without grammar", found, "ratio", ">= 0.8", found >= 0.8)


def ratio(rates: dict[Any, list[float]], way: Any, other: Any) -> float:
    """How many times as fast one way is as another, at the same questions."""
    return median(a / b for a, b in zip(rates[way], rates[other], strict=True))


def compare(use: str, rates: Any, replies: Any) -> Iterator[Row]:
    """What the rates of all sides amount to."""
    for side in (OURS, BARE, COMMUNITY):
        rate = median(rates[side, use]) if (side, use) in rates else None
        yield Row(f"{use}: {side}", rate, "tokens/s")
    same = [a == b for a, b in zip(replies[OURS, use], replies[BARE, use], strict=True)]
    yield Row(f"{use}: replies equal to bare Llama's", sum(same) / len(same), "share")
    found = ratio(rates, (OURS, use), (BARE, use))
    yield Row(f"{use}: ChatGGUF / bare Llama", found, "ratio", ">= 0.95", found >= 0.95)
    if (COMMUNITY, use) in rates:
        found = ratio(rates, (OURS, use), (COMMUNITY, use))
        yield Row(f"{use}: ChatGGUF / ChatLlamaCpp", found, "ratio", "> 1", found > 1)


def measure_reuse(ours: Any, sides: dict[str, Ask], rounds: int) -> Iterator[Row]:
    """Two roles with long instructions take turns: is what their prompts begin with kept?"""
    constant = [constant_tokens(ours, role) for role in ROLES]
    shares, ratios = [], []
    for i, question in enumerate(questions(QUESTIONS)):
        messages = [("system", ROLES[i % 2]), ("user", question)]
        usage = ours.invoke(messages, max_tokens=SHORT).usage_metadata
        shares.append(min(1.0, usage["input_token_details"]["cache_read"] / constant[i % 2]))
    for i, question in enumerate(questions(QUESTIONS) * rounds):
        call = (ROLES[i % 2], question, None, SHORT)
        took = {side: timed(sides[side], *call)[0] for side in random.sample([OURS, BARE], 2)}
        ratios.append(took[BARE] / took[OURS])
    least = min(shares[2:])
    yield Row("two roles: fixed beginning of each prompt", min(constant), "tokens")
    yield Row("two roles: least share of it reused", least, "share", "1", least == 1)
    yield Row("two roles: speed of ChatGGUF / bare Llama", median(ratios), "ratio")


def constant_tokens(ours: Any, system: str) -> int:
    """Number of tokens with which every prompt with this system text begins."""

    def prompt(engine: Any, user: str) -> list[int]:
        rows = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        return engine.chat_template(None).tokenize(rows)

    both = ours._submit(lambda engine: (prompt(engine, "Who?"), prompt(engine, "7 + 8")))
    first, second = both.result()
    return next(i for i, token in enumerate(first) if token != second[i])


def measure_memory(options: argparse.Namespace) -> Iterator[Row]:
    """Peak of a process that answers 20 questions, and growth over 150 more after 50."""
    before, after = (in_child(count, options)["peak"] / MEGABYTE for count in (0, 20))
    limit = (os.path.getsize(options.model) + cache_bytes(options.model)) / MEGABYTE + 150
    met = after - before <= limit
    yield Row("peak memory: imports", before, "MB")
    yield Row(
        "peak memory: file and 20 questions more", after - before, "MB", f"<= {limit:.0f}", met
    )
    sizes = in_child(200, options)
    growth = (sizes["200"] - sizes["50"]) / MEGABYTE
    yield Row("memory: growth from question 50 to 200", growth, "MB", "< 2", growth < 2)


def cache_bytes(path: str) -> int:
    """Size of the keys and values, two bytes each; llama.cpp rounds cells up to 256."""
    metadata = read_metadata(path)
    name = metadata["general.architecture"]
    heads = metadata[f"{name}.attention.head_count"]
    width = metadata[f"{name}.embedding_length"] // heads
    width = metadata.get(f"{name}.attention.key_length", width)
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
    import langgraph_decompose.models.engine  # noqa: F401, it imports llama_cpp
    from langgraph_decompose.plan import plan_grammar

    ask, sizes = ask_langchain(load_ours(options.model, options.threads), str), {}
    for done, question in enumerate(questions(options.child), 1):
        ask("decompose", question, plan_grammar(8), MAX_TOKENS)
        if done in (50, 200):
            sizes[str(done)] = resident()
    return sizes | {"peak": peak()}


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """All figures; memory first, while this process is still small."""
    yield from measure_memory(options)
    ours = load_ours(options.model, options.threads)
    bare, community = load_others(options.model, options.threads)
    sides = {OURS: ask_langchain(ours, str), BARE: ask_bare(bare)}
    if community is not None:
        sides[COMMUNITY] = ask_langchain(community, llama_grammar)
    yield from measure_speed(sides, bare, options.rounds)
    yield from measure_reuse(ours, sides, options.rounds)
    ours.close()


def show(row: Row) -> None:
    """Print one line of the table."""
    figure = "not installed" if row.figure is None else f"{row.figure:.2f} {row.unit}"
    target = f"target {row.target}" if row.target else ""
    verdict = "" if row.met is None else "met" if row.met else "MISSED"
    print(f"{row.name:<44} {figure:>18}  {target:<16} {verdict}".rstrip(), flush=True)


def main() -> int:
    """Measure and print; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default=bundled_model_path(), help="a GGUF file")
    parser.add_argument("--rounds", type=int, default=3, help="times every question is asked")
    parser.add_argument("--threads", type=int, default=1, help="of every side")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not os.path.isfile(options.model):
        parser.error(f"there is no file {options.model!r}")
    if options.child is not None:
        print(json.dumps(child(options)))
        return 0
    rows: list[Row] = []
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
