"""Every example runs as it stands, and the README shows only what is true."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT

EXPECTED = {
    "quickstart.py": r"\? 180\nAnswer: 180\n",
    "own_graph.py": r"search: .+\nsearch: .+ #1\?\n",
    "chain.py": r"decompose\.subquestion\.answered\n",
    "studio.py": "",
    "tool.py": "Tool: 180\n",
    "middleware.py": r"#2 .+ = 180\n",
    "subgraph.py": "ai: 24\n",
    "ladder.py": "132\n  direct: 3 of 3 agree, 0 calls\n60\n",
}


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.name)
def test_an_example_runs(path: Path) -> None:
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(EXPECTED[path.name], done.stdout)


def test_langgraph_json_names_a_graph_that_a_server_can_run() -> None:
    declared = json.loads((ROOT / "langgraph.json").read_text())
    [(_, where)] = declared["graphs"].items()
    file, name = where.split(":")
    spec = importlib.util.spec_from_file_location("studio", ROOT / file)
    assert spec is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    graph = getattr(module, name)
    assert graph.checkpointer is None, "the server supplies its own"
    assert "question" in graph.get_input_jsonschema()["properties"]
    assert graph.get_graph().draw_mermaid()
