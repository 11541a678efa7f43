"""What a report says, from summary.json and a few samples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

from ..cells import UNDIVIDED
from ..comparing import points, sentence
from ..spending import best_within
from . import tables
from .document import Block, Bullets, Heading, Picture, Table, Text
from .examples import Against
from .figures import first_name, short_names, tokens
from .plot import Point, draw

Row = Mapping[str, Any]

_READING = (
    "Intervals hold the true figure 95 times in 100: Wilson's for shares, bootstrap for other "
    "means. Of few items a bootstrap is too narrow: of 20 items it holds it 93 times in 100, of 5 "
    "85 times, of 2 hardly 50; of a difference, only items that differ count: where "
    "three of 200 do, 89 times.",
    "Systems are compared item by item: McNemar's exact test for marks of 0 and 1, random sign "
    "flips for others. The verdict goes by the p corrected after Holm for all comparisons of "
    "this report; below 0.05 the difference is taken to be real. An interval isn't corrected: it "
    "may leave out 0 where the verdict is that nothing can be told.",
    "Compared are the first system with each other one, and every splitting system with the "
    "undivided ones of its solver.",
    "“Items to see 2 points” is what a single comparison of this kind needs for a power of "
    "80 %, from how often the two differed here; at least so many, if they hardly did.",
    "At equal tokens, a splitting system has to beat what its solver gets undivided for the "
    "same spend: the best toss-up between a cheaper and a dearer baseline. That mix is chosen "
    "and tested on the same items, which favours the baselines a little. Tokens of a small "
    "model and of a large one count alike; what each role took is in a table of its own.",
    "A sample without an answer counts as failed, and 0 in every mean. One that was answered with "
    "gaps, since a subquestion failed or has no known answer or the budget was spent, counts as "
    "partial, and is judged like any other.",
    "Plans are those of all samples that didn't fail. A question that isn't split has 0 lines, "
    "depth 0 and width 0.",
)
_STEPS = (
    "Steps are local errors if all that they needed was right, propagated if some of it was "
    "wrong, restored if they are right all the same."
)


def page(summary: Mapping[str, Any], against: Sequence[Against]) -> list[Block]:
    """The whole report."""
    names = short_names(summary["systems"])
    blocks: list[Block] = [Heading(1, "Evaluation"), Heading(2, "Result"), *_result(summary, names)]
    for task, about in summary["tasks"].items():
        systems = [row for row in summary["systems"] if row["task"] == task]
        compared = [row for row in summary["comparisons"] if row["task"] == task]
        if systems:
            blocks += _task(task, about, systems, compared, names)
            blocks += _won_and_lost([a for a in against if a.task == task], names)
    blocks += [*_run(summary), Heading(2, "How to read this"), Bullets(_READING)]
    return [*blocks, *_examples(against, names)]


def _result(summary: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[Block]:
    said = [
        f"{row['task']}: {sentence(row, first_name(row, names), names[row['second']])}"
        for row in summary["comparisons"]
        if not row["mixture"]
    ]
    yield Bullets(said) if said else Text("There is nothing to compare.")


def _task(
    task: str,
    about: Row,
    systems: Sequence[Row],
    compared: Sequence[Row],
    names: Mapping[str, str],
) -> Iterator[Block]:
    metric = about["metric"]
    yield Heading(2, task)
    yield Text(
        f"{systems[0]['n']:,} items. Source: {about.get('source')}. Task version "
        f"{about.get('version')}, prompts {about.get('prompt_version')}. "
        + (f"Systems are compared by {metric}." if metric else "Only plans are judged.")
    )
    yield tables.marks(systems, names)
    yield tables.cost(systems, names)
    if metric:
        yield from _pictures(task, metric, systems, names)
        if equal := [*_at_equal_tokens(systems, compared, metric, names)]:
            yield Bullets(equal)
    if compared:
        yield Heading(3, "Comparisons")
        yield tables.comparisons(compared, names)
    if plans := tables.plans(systems, names):
        yield Heading(3, "Plans")
        yield plans
    if steps := tables.steps(systems, names):
        yield Heading(3, "Where it goes wrong first")
        yield Text(_STEPS)
        yield steps
    yield Heading(3, "Cost by role")
    yield tables.roles(systems, names)


def _pictures(
    task: str, metric: str, systems: Sequence[Row], names: Mapping[str, str]
) -> Iterator[Picture]:
    """By tokens, and by money where all prices are known and something is paid for."""
    by_tokens = {row["system"]: tokens(row) for row in systems}
    costs = {row["system"]: row["cost"] for row in systems}
    by_money = {row["system"]: 1000 * (row["cost"] or 0) / row["n"] for row in systems}
    spends: list[tuple[str, str, Mapping[str, float | None]]] = [
        ("tokens", "tokens per question", by_tokens)
    ]
    if None not in costs.values() and any(costs.values()):
        spends.append(("money", "money per 1,000 questions", by_money))
    for unit, axis, spend in spends:
        if drawn := [*_drawn(metric, systems, spend, names)]:
            left_out = [names[row["system"]] for row in systems if spend[row["system"]] is None]
            yield Picture(
                f"plot-{_file_name(task)}-{unit}.svg",
                draw(drawn, axis, metric),
                f"{task}: {metric} against {axis}, with 95 % intervals. Filled: no other system "
                "does better for as much (the Pareto front). Circles: undivided; squares: split."
                + (f" Not drawn, since nobody counted: {', '.join(left_out)}." if left_out else ""),
            )


def _drawn(
    metric: str,
    systems: Sequence[Row],
    spend: Mapping[str, float | None],
    names: Mapping[str, str],
) -> Iterator[Point]:
    for row in systems:
        figure, spent = row["metrics"][metric], spend[row["system"]]
        if spent is not None and figure["n"]:
            bounds = figure["value"], figure["low"], figure["high"]
            yield Point(names[row["system"]], spent, *bounds, row["strategy"] in UNDIVIDED)


def _file_name(task: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", task)[:60]
    # Many disks of Macs and Windows take capitals for small letters.
    return plain if plain == task.lower() else f"{plain}-{crc32(task.encode(errors='replace')):08x}"


def _at_equal_tokens(
    systems: Sequence[Row], compared: Sequence[Row], metric: str, names: Mapping[str, str]
) -> Iterator[str]:
    values = {row["system"]: row["metrics"][metric]["value"] for row in systems}
    spends = {row["system"]: tokens(row) for row in systems}
    known = {name: (t, values[name]) for name, t in spends.items() if t is not None}
    for row in systems:
        system = row["system"]
        if row["strategy"] in UNDIVIDED or system not in known:
            continue
        spend, mark = known[system]
        name, best = names[system], best_within(known, spend)
        head = f"At no more tokens than {name} takes ({spend:,.0f} a question)"
        if best is None or known[best] == known[system]:
            yield f"{head}, no system does better than its {points(mark)} %."
        else:
            yield (
                f"{head}, the best is {names[best]}: {points(known[best][1])} % for "
                f"{known[best][0]:,.0f} tokens; {name} has {points(mark)} %."
            )
        for found in compared:
            if found["mixture"] and found["second"] == system:
                said = sentence(found, f"the mix “{first_name(found, names)}”", name)
                yield "At equal tokens, " + re.sub("^It ", "it ", said)


def _won_and_lost(against: Sequence[Against], names: Mapping[str, str]) -> Iterator[Block]:
    """On what kind of items splitting won and lost: those that it cut into how many lines."""
    for found in against:
        if len(found.by_lines) > 1:
            yield Heading(
                3, f"Where {names[found.second]} wins and loses against {names[found.first]}"
            )
            yield tables.by_lines(found.by_lines)


def _examples(against: Sequence[Against], names: Mapping[str, str]) -> Iterator[Block]:
    if against:
        yield Heading(2, "Examples")
        yield Text("The largest differences from the first system; of equal ones, some by chance.")
    for found in against:
        first, second = names[found.first], names[found.second]
        better, worse, alike = found.counts
        yield Heading(3, f"{found.task}: {second} beside {first}")
        yield Text(f"{better} items better, {worse} worse, {alike} alike.")
        for title, examples in (("better", found.wins), ("worse", found.losses)):
            if examples:
                yield Text(f"{second} did {title} on:")
                yield from examples


def _run(summary: Mapping[str, Any]) -> Iterator[Block]:
    yield Heading(2, "How it was run")
    rows = [["command", summary["command"]], ["seed", str(summary["seed"])]]
    for key, value in summary["about"].items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{name} {_version(version)}" for name, version in value.items())
        rows.append([key, "unknown" if value is None else str(value)])
    yield Table(["", ""], rows, figures=False)


def _version(said: Any) -> str:
    """A package's version; of a model, what its reference means and its files' hashes."""
    if not isinstance(said, Mapping):
        return str(said)
    return f"({said['meant']}" + (f", SHA-256 {said['sha256']})" if said["sha256"] else ")")
