"""Draw docs/plan.svg: two questions as `decompose` shows them on a terminal.

    python docs/picture.py

Both plans are the bundled model's own, and so are the answers of the second.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from langgraph_decompose import create_decomposer, create_decomposition_graph
from langgraph_decompose.cli.tree import LiveTree
from rich.console import Console

PLANNED = "Who was born first, the director of Jaws or the director of Alien?"
SOLVED = "Tom buys 4 shirts for $25 each and 2 hats for $40 each. How much does Tom pay in total?"


def main() -> None:
    """Run both questions and write the picture."""
    console = Console(record=True, width=100, file=io.StringIO())
    console.print("[green]$[/green] decompose plan …\n", LiveTreeOf(PLANNED).planned())
    console.print("\n[green]$[/green] decompose ask …\n", LiveTreeOf(SOLVED).solved())
    svg = console.export_svg(title="decompose")
    # The font is the reader's own: a picture should fetch nothing.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    (Path(__file__).parent / "plan.svg").write_text(svg.replace("Fira Code", "monospace"))


class LiveTreeOf(LiveTree):
    """A tree filled by running a question to its end."""

    def planned(self) -> object:
        """The plan alone."""
        self(
            {"type": "decompose.plan", "plan": create_decomposer().invoke(self.question).to_rows()}
        )
        return self.tree()

    def solved(self) -> object:
        """The plan with its answers."""
        graph = create_decomposition_graph()
        for event in graph.stream({"question": self.question}, stream_mode="custom"):
            self(event)
        return self.tree()


if __name__ == "__main__":
    main()
