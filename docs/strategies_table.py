"""Write the tables of strategies in docs/strategies.md and README.md from the code.

    python docs/strategies_table.py

A test holds that they are up to date.
"""

from __future__ import annotations

from pathlib import Path

from langgraph_decompose.graphs.factory import ABOUT

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- made by docs/strategies_table.py -->", "<!-- end -->"


def main() -> None:
    """Replace what stands between the marks."""
    for page, table in ((ROOT / "README.md", short()), (ROOT / "docs" / "strategies.md", whole())):
        page.write_text(between_marks(page.read_text(), table))


def between_marks(text: str, table: str) -> str:
    """A page with its table replaced."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table}\n{END}{tail}"


def short() -> str:
    """What each does and what it takes."""
    rows = [
        f"| `{name}`{' (default)' if name == 'dag' else ''} | {about.does} | {about.calls} |"
        for name, about in ABOUT.items()
    ]
    return "\n".join(["| `strategy=` | what it does | calls |", "| --- | --- | --- |", *rows])


def whole() -> str:
    """The same, and when it pays, and where it comes from."""
    rows = [
        f"| `{name}`{' (experimental)' if about.experimental else ''} | {about.does} | "
        f"{about.calls} | {about.pays} | {about.source or '–'} |"
        for name, about in ABOUT.items()
    ]
    head = "| `strategy=` | what it does | calls | when it pays | source |"
    return "\n".join([head, "| --- | --- | --- | --- | --- |", *rows])


if __name__ == "__main__":
    main()
