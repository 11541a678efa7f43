"""A kept reply belongs to the very model that gave it, whatever both are called."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain.chat_models import init_chat_model
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph_decompose import (
    AnswerCache,
    ChatGGUF,
    UserError,
    bundled_model_path,
    create_decomposition_graph,
    resolve_model,
)
from langgraph_decompose.cli.main import main
from langgraph_decompose.evals.about import identity_of
from langgraph_decompose.models.chat_transformers import ChatTransformers
from langgraph_decompose.nodes.calls import Call
from langgraph_decompose.testing import LatencyServer, ScriptedChatModel

from .conftest import THREAD, always, both

TWICE = "#1 Say a number?\n#2 Say a number?"


def run(how: str, graphs: list[Any], config: Any = None) -> list[Any]:
    """Ask each in turn, in one event loop: of LangChain's models all share a client."""
    asked = {"question": "All?"}
    if how == "sync":
        return [graph.invoke(asked, config) for graph in graphs]

    async def each() -> list[Any]:
        return [await graph.ainvoke(asked, config) for graph in graphs]

    return asyncio.run(each())


def test_two_unnamed_solvers_do_not_share_replies() -> None:
    graph = create_decomposition_graph(
        {"a": lambda prompt: "from a", "b": lambda prompt: "from b"},
        route=lambda line: "ab"[line.id - 1],
        strategy="sequential",
        decomposer=ScriptedChatModel(replies=[TWICE]),
        composer=always("end"),
        checkpointer=InMemorySaver(),
    )
    rows = graph.invoke({"question": "All?"}, THREAD)["answers"]
    assert [row["answer"] for row in rows] == ["from a", "from b"]


def test_all_that_a_reply_depends_on_makes_it_another_one() -> None:
    asked = [{"role": "user", "content": "Who?"}]
    call = Call("solver", resolve_model("bundled", "solver"), asked, {"seed": 1})
    others: list[Any] = [
        {"role": "composer"},
        {"model": resolve_model("bundled")},
        {"messages": [{"role": "user", "content": "Why?"}]},
        {"options": {"seed": 2}},
        {"sample": 1},
    ]
    assert len({call.key, *(replace(call, **other).key for other in others)}) == 6
    assert replace(call, name="#1 Who?", metadata={"x": 1}, last=True).key == call.key


def test_the_same_model_at_two_servers_is_two_models() -> None:
    one, other, again = (
        resolve_model(ChatOpenAI(model="m", base_url=f"http://127.0.0.1:{port}/v1", api_key="k"))
        for port in (1, 2, 1)
    )
    assert one.name == other.name
    assert one.identity != other.identity
    assert one.identity == again.identity
    assert "k" not in one.identity.split()


def test_a_file_that_was_replaced_or_set_otherwise_is_another_model(tmp_path: Path) -> None:
    files = [tmp_path / folder / "model.gguf" for folder in ("one", "other")]
    for file in files:
        file.parent.mkdir()
        file.write_bytes(Path(bundled_model_path("solver")).read_bytes())
    one, other, again = (ChatGGUF(model_path=str(file)) for file in (*files, files[0]))
    warmer = ChatGGUF(model_path=str(files[0]), temperature=1.5)
    assert len({resolve_model(model).identity for model in (one, other, again, warmer)}) == 3
    before = resolve_model(one).identity, resolve_model(f"gguf:{files[0]}").identity
    assert before == (resolve_model(again).identity, resolve_model(f"gguf:{files[0]}").identity)
    about = identity_of(f"gguf:{files[0]}")
    os.utime(files[0], ns=(1, 1))  # As when another file takes its place.
    after = resolve_model(one).identity, resolve_model(f"gguf:{files[0]}").identity
    assert not set(before) & set(after)
    assert identity_of(f"gguf:{files[0]}") == about, "measured runs look into the file itself"


def test_settings_tell_models_apart_that_langchain_can_t_write_down() -> None:
    models = [ChatTransformers(model="m", max_tokens=n) for n in (2, 100, 2)]
    one, other, again = (resolve_model(model).identity for model in models)
    assert one == again != other
    one, other, again = (model._get_llm_string() for model in models)  # LangChain's cache.
    assert one == again != other


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


def hosted(server: LatencyServer, model: str = "small") -> ChatOpenAI:
    return ChatOpenAI(model=model, base_url=server.url, api_key="k")  # type: ignore[arg-type]


def cached(solver: Any, **options: Any) -> Any:
    decomposer = always("#1 A?")
    composer = always("end")
    usual = {"decomposer": decomposer, "composer": composer, "answer_cache": AnswerCache()}
    return create_decomposition_graph(solver, **(usual | options))


@both
def test_what_was_bound_to_a_model_makes_it_another(how: str) -> None:
    """A cache that gave one's answers for the other's would make comparing them useless."""
    cache = AnswerCache()
    with LatencyServer(lambda _, body: f"{body['model']} {body.get('temperature')}") as server:
        base = hosted(server)
        models = {
            "small None": base,
            "large None": base.bind(model="large"),
            "small 0.9": base.bind(temperature=0.9),
            "larger 0.9": base.bind(temperature=0.9).bind(model="larger"),
        }
        asked = [*models.values(), base.with_retry()]
        results = run(how, [cached(model, answer_cache=cache) for model in asked])
    rows = [row for result in results for row in result["answers"]]
    assert [row["answer"] for row in rows] == [*models, "small None"]
    assert [row["cached"] for row in rows] == [False] * 4 + [True], "a retry asks the same model"


def test_a_fallback_belongs_to_the_model_and_a_bound_function_counts_by_its_name() -> None:
    with LatencyServer(lambda *_: "x") as server:
        base = hosted(server)

        def identity(fallback: str) -> str:
            return resolve_model(base.with_fallbacks([hosted(server, fallback)])).identity

        assert len({resolve_model(base).identity, identity("large"), identity("larger")}) == 3
        assert identity("large") == identity("large")
    one, again = (resolve_model(base.bind(stop=lambda: None)).identity for _ in range(2))
    assert one == again, "after a restart its address is another"


def configurable(kind: str, server: LatencyServer) -> Any:
    """A model that the config of a call names, under `model` or `which`."""
    base = hosted(server)
    if kind == "fields":
        return base.configurable_fields(model_name=ConfigurableField(id="model"))
    if kind == "alternatives":
        field = ConfigurableField(id="which")
        return base.configurable_alternatives(field, large=hosted(server, "large"))
    settings = {"base_url": server.url, "api_key": "k", "max_retries": 0}
    return init_chat_model(configurable_fields=("model", "model_provider"), **settings)


CONFIG: Any = {"configurable": {"model": "large", "which": "large", "model_provider": "openai"}}
kinds = pytest.mark.parametrize("kind", ["fields", "alternatives", "init_chat_model"])


@both
@kinds
def test_a_configurable_model_is_a_chat_model_in_every_role(how: str, kind: str) -> None:
    def reply(prompt: str, body: dict[str, Any]) -> str:
        return "#1 A?\n#2 B?" if "You plan how to answer" in prompt else body["model"]

    with LatencyServer(reply) as server:
        model = configurable(kind, server)
        graphs = [create_decomposition_graph(m, decomposer=m) for m in (model, model.with_retry())]
        for result in run(how, graphs, CONFIG):
            assert [row["answer"] for row in result["answers"]] == ["large", "large"]
            assert (result["answer"], result["status"]) == ("large", "ok")
            assert {row["model"] for row in result["usage"]} == {"configurable model"}
    roles = [[message["role"] for message in call.body["messages"]] for call in server.calls]
    assert roles == [["system", "user"]] * 8
    if kind != "fields":  # ChatOpenAI, made anew with all its fields, takes streaming for set.
        assert [call.body.get("stream", False) for call in server.calls] == [1, 0, 0, 1] * 2


@kinds
def test_a_cache_does_not_take_answers_that_hang_on_the_config(kind: str) -> None:
    with LatencyServer(lambda *_: "x") as server:
        model = configurable(kind, server)
        recursive: Any = {"strategy": "recursive", "composer": model}
        variants: list[tuple[Any, Any]] = [
            (model, {}),
            (model.with_retry(), {}),
            (hosted(server).with_fallbacks([model]), {}),
            (ChatPromptTemplate.from_template("{text}") | model, {}),
            (lambda _: "x", {"verify": "subquestions", "verifier": model}),
            (lambda _: "x", recursive),
        ]
        for solver, options in variants:
            with pytest.raises(UserError, match="can't tell apart what .* answers under differ"):
                cached(solver, **options)
        assert cached(lambda _: "x", composer=model), "lines are all that is kept"
