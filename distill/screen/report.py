"""What a screen kept and dropped, as a page to read and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..records import Example
from ..whole_files import write_text

_MAX_SHOWN_CHARS = 200


@dataclass
class Filter:
    """One filter: what it is for, how many it dropped and some of these."""

    name: str
    about: str
    dropped: int = 0
    shown: list[dict[str, str]] = field(default_factory=list)

    def drop(self, name: str, text: str, why: str, most_shown: int) -> None:
        """Count one that is dropped, and show it if there is room."""
        self.dropped += 1
        if len(self.shown) < most_shown:
            self.shown.append({"id": name, "question": _short(text), "why": _short(why)})


@dataclass
class Report:
    """The figures of a screen."""

    filters: list[Filter]
    read: int = 0
    kept: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    lines: Counter[int] = field(default_factory=Counter)

    def keep(self, example: Example) -> None:
        """Count an example that is kept."""
        self.kept += 1
        self.sources[example.source or "(no source)"] += 1
        self.lines[len(example.plan)] += 1

    def counts(self) -> dict[str, Any]:
        """What a person wants to know, for the manifest."""
        dropped = {f.name: f.dropped for f in self.filters}
        return {"read": self.read, "kept": self.kept, "dropped": dropped}

    def write(self, directory: Path) -> None:
        """Write `report.md` and `report.json`."""
        row = {
            **self.counts(),
            "kept_by_source": dict(self.sources.most_common()),
            "kept_by_lines": dict(sorted(self.lines.items())),
            "examples": {f.name: f.shown for f in self.filters if f.shown},
        }
        text = json.dumps(row, indent=2, ensure_ascii=False) + "\n"
        write_text(directory / "report.json", text, for_owner=True)
        write_text(directory / "report.md", self.to_markdown(), for_owner=True)

    def to_markdown(self) -> str:
        """The page."""
        share = _percent(self.kept, self.read)
        page = [
            "# Screen",
            "",
            f"{self.kept:,} of {self.read:,} examples were kept ({share}).",
            "",
            "| filter | drops | dropped | of all |",
            "| --- | --- | ---: | ---: |",
            *(
                f"| {f.name} | {f.about} | {f.dropped:,} | {_percent(f.dropped, self.read)} |"
                for f in self.filters
            ),
            "",
            "## Kept",
            "",
            "| source | examples |",
            "| --- | ---: |",
            *(f"| {_cell(name)} | {count:,} |" for name, count in self.sources.most_common(50)),
            "",
            "| lines in the plan | examples |",
            "| --- | ---: |",
            *(f"| {n or 'atomic'} | {count:,} |" for n, count in sorted(self.lines.items())),
        ]
        for dropping in self.filters:
            if dropping.shown:
                page += ["", f"## Dropped: {dropping.name}", ""]
                page += [
                    f"- `{_cell(row['id'])}` {_cell(row['question'])} **({_cell(row['why'])})**"
                    for row in dropping.shown
                ]
        return "\n".join(page) + "\n"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[: _MAX_SHOWN_CHARS - 1]}…"


def _cell(text: str) -> str:
    """Text that can't become markup: examples come from anywhere."""
    for char in "\\`*_[]<>|#":
        text = text.replace(char, f"\\{char}")
    return text
