"""The plan as a tree on the terminal, each subquestion with its state, redrawn as it runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text
from rich.tree import Tree

from .terminal import shortened

_MARKS = {
    "waiting": ("·", "dim"),
    "answered": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("–", "yellow"),
}
Place = tuple[int, ...]
"""Ids from the outermost plan inwards; of the plan itself, ()."""


def _gate(event: Mapping[str, Any]) -> str:
    if "votes" not in event:
        return "gate: not split"
    said = "split" if event["split"] else "not split"
    return f"gate: {event['votes']} of {event['samples']} undivided answers agree, so {said}"


def _attempt(event: Mapping[str, Any]) -> str:
    found = event.get("verdict")
    if found:
        judged = "right" if not event["split"] else found["kind"] or "wrong"
        return f"attempt: judged {judged}"
    agreed = f"{event.get('votes', 0)} of {event['samples']} agree"
    return f"attempt: {agreed}, so {'split' if event['split'] else 'not split'}"


def _rung(event: Mapping[str, Any]) -> str:
    said = "enough" if event["agreed"] else "go on"
    asked = f"{event['strategy']} by {event['solver']}"
    return f"rung {asked}: {event['votes']} of {event['samples']} agree, {said}"


def _verdict(event: Mapping[str, Any]) -> str:
    name = f"#{event['id']}" if event["id"] else "the answer"
    said = "not verified" if event["kind"] == "unknown" else event["kind"] or "right"
    return f"verifier: {name} is {said}"


NOTES = {"gate": _gate, "attempt": _attempt, "rung": _rung, "verdict": _verdict}
"""Events that are told in a line of their own."""


class LiveTree:
    """Shows events of a run; a subquestion hangs under the last one that it needs.

    Example:
        >>> with LiveTree("Who is older?") as show:  # doctest: +SKIP
        ...     show({"type": "decompose.plan", "plan": []})
    """

    def __init__(self, question: str, console: Console | None = None) -> None:
        self.question = question
        self._plans: dict[Place, list[dict[str, Any]]] = {(): []}
        self._planned = False
        self._answer = ""
        self._notes: list[str] = []
        self._states: dict[Place, dict[str, Any]] = {}
        self._begin = time.monotonic()
        self._spinner = Spinner("dots")
        self._live = Live(
            console=console or Console(stderr=True),
            get_renderable=self.tree,
            refresh_per_second=12,
        )

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take in one event of the graph's custom stream."""
        kind = str(event.get("type", "")).removeprefix("decompose.")
        path = tuple(event.get("within", ()))
        if not all(isinstance(k, int) for k in path):
            return  # One sample of several, which the rung's note sums up.
        kind = kind.removeprefix("nested.")
        if kind == "plan":
            self._plans[path], self._planned = event["plan"], True
        elif kind == "plan.line":
            # A repaired plan replaces the lines that came before.
            rows = [row for row in self._plans[path] if row["id"] < event["id"]]
            self._plans[path] = [*rows, dict(event)]
            self._states.pop((*path, event["id"]), None)
        elif kind in NOTES:
            self._notes.append(NOTES[kind](event))
        elif kind == "composer.token":
            self._answer += event["text"]
        elif kind == "composer.restarted":
            self._answer = ""
        elif kind.startswith("subquestion."):
            self._states[*path, event["id"]] = {"state": kind.split(".")[1], **event}

    def tree(self) -> RenderableType:
        """The tree as it stands now."""
        tree = Tree(Text(shortened(self.question), style="bold"), guide_style="dim")
        for note in self._notes:
            tree.add(Text(shortened(note), style="dim"))
        self._grow(tree, ())
        if not self._planned:
            self._spinner.update(text="planning" if not self._notes else "working")
            tree.add(self._spinner)
        elif not self._plans[()]:
            tree.add(Text("no split: answered in one step", style="dim"))
        if self._answer:
            tree.add(Text(shortened(self._answer), style="bold"))
        return tree

    def _grow(self, root: Tree, path: Place) -> None:
        """The lines of a plan, and under a line that was split again those of its own plan."""
        branches = {0: root}
        for row in self._plans.get(path, ()):
            parent = branches[max(row["needs"], default=0)]
            branches[row["id"]] = parent.add(self._line(row, path))
            self._grow(branches[row["id"]], (*path, row["id"]))

    def _line(self, row: dict[str, Any], path: Place) -> RenderableType:
        event = self._states.get((*path, row["id"]), {"state": "waiting"})
        needs = " ".join(f"#{k}" for k in row["needs"])
        # No markup: Rich would make an emoji of the `:b:` in a:b:c.
        text = Text(f"#{row['id']} {row['text']}")
        if needs:
            text.append(f" ← {needs}", "dim")
        if event["state"] == "started":
            spinner = Spinner("dots", text=text)
            spinner.start_time = self._begin
            return spinner
        return Text.assemble(_MARKS[event["state"]], " ", text, *_outcome(event))


def _outcome(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    if event.get("answer") is not None:
        answer = f" = {shortened(event['answer'])}"
        return [(answer, "bold"), (f" {event['seconds']:.1f}s", "dim")]
    if event.get("error"):
        return [(f" {shortened(event['error']['message'])}", "red")]
    return []
