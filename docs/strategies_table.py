"""Write the table of strategies in docs/strategies.md from the code.

    python docs/strategies_table.py

A test holds that it is up to date.
"""

from __future__ import annotations

from pathlib import Path

from langgraph_decompose.graphs.factory import ABOUT

PAGE = Path(__file__).with_name("strategies.md")
BEGIN, END = "<!-- made by docs/strategies_table.py -->", "<!-- end -->"


def main() -> None:
    """Replace what stands between the marks."""
    PAGE.write_text(between_marks(PAGE.read_text(), table()))


def between_marks(text: str, new: str) -> str:
    """A page with its table replaced."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{new}\n{END}{tail}"


def table() -> str:
    """What each does and what it takes, when it pays, and where it comes from."""
    rows = [
        f"| `{name}`{_mark(name)} | {about.does} | {about.calls} | "
        f"{about.pays} | {about.source or '–'} |"
        for name, about in ABOUT.items()
    ]
    head = "| `strategy=` | what it does | calls | when it pays | source |"
    return "\n".join([head, "| --- | --- | --- | --- | --- |", *rows])


def _mark(name: str) -> str:
    return " (default)" if name == "dag" else " (experimental)" if ABOUT[name].experimental else ""


if __name__ == "__main__":
    main()
