"""A kept reply belongs to the very model that gave it, whatever both are called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph_decompose import create_decomposition_graph, resolve_model
from langgraph_decompose.cli.main import main
from langgraph_decompose.testing import LatencyServer, ScriptedChatModel

TWICE = "#1 Say a number?\n#2 Say a number?"


def test_two_unnamed_solvers_do_not_share_replies() -> None:
    graph = create_decomposition_graph(
        {"a": lambda prompt: "from a", "b": lambda prompt: "from b"},
        route=lambda line: "ab"[line.id - 1],
        strategy="sequential",
        decomposer=ScriptedChatModel(replies=[TWICE]),
        composer=ScriptedChatModel(replies=[], default="end"),
        checkpointer=InMemorySaver(),
    )
    rows = graph.invoke({"question": "All?"}, {"configurable": {"thread_id": "1"}})["answers"]
    assert [row["answer"] for row in rows] == ["from a", "from b"]


def test_the_same_model_at_two_servers_is_two_models() -> None:
    one, other, again = (
        resolve_model(ChatOpenAI(model="m", base_url=f"http://127.0.0.1:{port}/v1", api_key="k"))
        for port in (1, 2, 1)
    )
    assert one.name == other.name
    assert one.identity != other.identity
    assert one.identity == again.identity
    assert "k" not in one.identity.split()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say which model the table `desk` stands for from now on."""
    path = tmp_path / "config.toml"
    monkeypatch.setenv("DECOMPOSE_CONFIG", str(path))

    def mean(ref: str) -> None:
        path.write_text(f'[models.desk]\nref = "{ref}"\n')

    return mean


def test_a_table_that_now_means_another_model_gives_no_kept_answers(desk: Any, capsys: Any) -> None:
    def reply(prompt: str, body: dict[str, Any]) -> str:
        return "#1 A?\n#2 B?" if body["model"] == "planner" else f"from {body['model']}"

    with LatencyServer(reply) as server:
        flags = ["--solver=desk", "--cache", "--json", f"--decomposer=openai:planner@{server.url}"]
        for name in ("one", "other", "one"):
            desk(f"openai:{name}@{server.url}")
            assert main(["ask", "All?", *flags]) == 0
            rows = json.loads(capsys.readouterr().out)["answers"]
            assert [row["answer"] for row in rows] == [f"from {name}"] * 2
        assert [row["cached"] for row in rows] == [True, True]
