"""Model references: every form, every mistake, and where the user's key goes."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph_decompose import (
    ChatGGUF,
    UserError,
    bundled_model_path,
    create_decomposer,
    create_decomposition_graph,
    parse_plan,
    resolve_model,
)
from langgraph_decompose.cli.doctor import _config
from langgraph_decompose.errors import MissingDependencyError, ModelFileError, ModelReferenceError
from langgraph_decompose.graphs.state import DecompositionInput
from langgraph_decompose.models.hosted import hosted_chat_model
from langgraph_decompose.models.http_clients import BoundedClient, BoundedClientPerLoop
from langgraph_decompose.models.references import find_gguf
from langgraph_decompose.nodes.calls import Call
from langgraph_decompose.nodes.engine_calls import open_gguf
from langgraph_decompose.settings import Settings, load_settings
from langgraph_decompose.testing import LatencyServer, ServerReply
from typing_extensions import TypedDict

from .conftest import RecordingServer


def test_bundled_and_gguf_are_chat_models_with_their_contract() -> None:
    for ref in ("bundled", f"gguf:{bundled_model_path()}"):
        model = resolve_model(ref)
        assert isinstance(model.runnable, ChatGGUF)
        assert model.speaks_contract("decomposer")
        assert not model.speaks_contract("solver")
        assert model.name == ref
        assert model.limiter.most == 1


def test_bundled_is_the_file_of_the_role_it_is_named_for() -> None:
    decomposer, solver = resolve_model("bundled"), resolve_model("bundled", "solver")
    assert decomposer.runnable.model_path == bundled_model_path()
    assert solver.runnable.model_path == bundled_model_path("solver")
    assert not solver.speaks_contract("decomposer")
    alone = f"gguf:{bundled_model_path('solver')}"
    with pytest.raises(ModelReferenceError, match="trained as solver alone and can't be a decom"):
        resolve_model(alone, "decomposer")
    ref = f"gguf:{bundled_model_path()}"
    assert resolve_model(ref, "decomposer") == resolve_model(ref), "others are what they name"
    with pytest.raises(ModelReferenceError, match="trained as decomposer alone and can't be a sol"):
        resolve_model(ref, "solver")


def test_langchain_objects_are_taken_as_they_are() -> None:
    chat = FakeListChatModel(responses=["x"])
    assert resolve_model(chat).runnable is chat
    bound = chat.bind(stop=["."])
    assert resolve_model(bound).runnable is bound
    assert isinstance(resolve_model(lambda text: text).runnable, RunnableLambda)
    own = ChatGGUF(model_path=bundled_model_path("solver"))
    assert resolve_model(own).speaks_contract("solver")


def test_a_graph_that_takes_no_messages_is_refused() -> None:
    """LangGraph leaves out what its state has no field for: it would answer without a question."""
    graphs = [
        StateGraph(state).add_node("n", lambda _: {}).add_edge(START, "n").compile()
        for state in (DecompositionInput, MessagesState, _Asked)
    ]
    for graph in graphs[:2]:
        assert resolve_model(graph).runnable is graph
    for other in (graphs[2], graphs[2].with_retry(), graphs[1].with_fallbacks([graphs[2]])):
        with pytest.raises(ModelReferenceError, match="no messages in its state.*name a function"):
            resolve_model(other)


class _Asked(TypedDict):
    question: str


def test_what_a_gguf_falls_back_on_must_understand_what_it_is_asked(
    openai_server: RecordingServer, tmp_path: Path
) -> None:
    file = tmp_path / "empty.gguf"
    file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
    empty, trained = ChatGGUF(model_path=str(file)), ChatGGUF(model_path=bundled_model_path())
    hosted = resolve_model(f"openai:m@{openai_server.url}").runnable
    openai_server.default = "#1 A?"
    falling_back = empty.bind().with_fallbacks([hosted])
    assert str(create_decomposer(falling_back).invoke("All?")) == "#1 A?"
    assert resolve_model(empty.with_fallbacks([empty])).accepts_grammar
    assert resolve_model(trained.with_fallbacks([trained])).speaks_contract("decomposer")
    for other in (hosted, empty):
        with pytest.raises(ModelReferenceError, match="doesn't understand: leave with_fallbacks"):
            resolve_model(trained.with_fallbacks([other]))
        with pytest.raises(ModelReferenceError, match="model before it is asked: leave with_fallb"):
            resolve_model(other.with_fallbacks([other, trained]))


def test_a_file_trained_here_is_asked_in_its_own_way_or_not_at_all() -> None:
    """Asked as a general model, the bundled decomposer can't even read the prompt."""
    warm = ConfigurableField(id="temperature")
    trained = ChatGGUF(model_path=bundled_model_path()).configurable_fields(temperature=warm)
    with pytest.raises(ModelReferenceError, match="'decompose' was trained .* leave configurable_"):
        resolve_model(trained)


@pytest.mark.parametrize(
    ("ref", "error", "message"),
    [
        ("", ModelReferenceError, "unknown model ''; use bundled, gguf:PATH"),
        ("qwen", ModelReferenceError, "unknown model 'qwen'"),
        ("model.gguf", ModelReferenceError, "did you mean gguf:model.gguf"),
        ("gguf:", ModelReferenceError, "unknown model 'gguf:'"),
        ("gguf:nowhere.gguf", ModelFileError, "no model file 'nowhere.gguf'"),
        ("gguf:hf:nonsense", ModelReferenceError, "isn't of the form gguf:hf:REPO/FILE.gguf"),
        ("gguf:hf:a/b/c.gguf", ModelFileError, "isn't in the local cache"),
        ("transformers:./nowhere", ModelReferenceError, "no model folder './nowhere'"),
        ("nobody:model", ModelReferenceError, "LangChain knows no provider 'nobody'"),
        ("openai:gpt-5-mini", UserError, "set OPENAI_API_KEY"),
        ("openai:m@http:/x", ModelReferenceError, "isn't PROVIDER:MODEL"),
        ("openai:m@127.0.0.1:8080/v1", ModelReferenceError, "isn't PROVIDER:MODEL"),
        ("openai:m@localhost:8080", ModelReferenceError, "isn't PROVIDER:MODEL"),
        ("OpenAI:m@127.0.0.1:8080/v1", ModelReferenceError, "isn't PROVIDER:MODEL"),
        ("groq:m@localhost/v1", ModelReferenceError, "isn't PROVIDER:MODEL"),
        ("groq:m@gpu.example.org/v1", ModelReferenceError, "isn't PROVIDER:MODEL"),
        ("groq:m@box:8080/v1", ModelReferenceError, "isn't PROVIDER:MODEL"),
        ("groq:claude@20250514", MissingDependencyError, "pip install langchain-groq"),
        ("groq:@cf/meta/llama-3.1-8b", MissingDependencyError, "pip install langchain-groq"),
        ("openai:m@ftp://x", ModelReferenceError, "isn't PROVIDER:MODEL"),
        ("openai:@http://127.0.0.1/v1", ModelReferenceError, "isn't PROVIDER:MODEL"),
        ("gguf:~nobody-here/x.gguf", ModelFileError, "no model file"),
        ("gguf:a\0b", ModelFileError, "no model file"),
        ("groq:llama", MissingDependencyError, "pip install langchain-groq"),
        (42, ModelReferenceError, "a model is a reference, a chat model"),
        (ChatOpenAI, ModelReferenceError, "or a function, not <class .*ChatOpenAI"),
    ],
)
def test_a_wrong_reference_is_one_clear_line(
    ref: Any, error: type[Exception], message: str
) -> None:
    if isinstance(ref, str) and ref.startswith("transformers:"):
        pytest.importorskip("torch")
    with pytest.raises(error, match=message) as caught:
        resolve_model(ref)
    assert "\n" not in str(caught.value)


def test_a_role_that_no_bundled_model_is_trained_for_is_told() -> None:
    with pytest.raises(ModelReferenceError, match="no bundled 'composer': name .* solver"):
        resolve_model("bundled", "composer")  # type: ignore[arg-type]


def config(tmp_path: Path, text: str) -> None:
    path = Path(os.environ["XDG_CONFIG_HOME"]) / "langgraph-decompose" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


def test_a_name_is_looked_up_in_the_user_s_tables(
    tmp_path: Path, openai_server: RecordingServer
) -> None:
    config(
        tmp_path,
        f"""
        solver = "desk"
        [models.desk]
        ref = "openai:qwen@{openai_server.url}"
        max_concurrency = 3
        timeout = 7
        price_in = 2.0
        price_out = 10.0
        """,
    )
    assert load_settings().solver == "desk"
    desk = resolve_model("desk")
    assert (desk.name, desk.limiter.most, desk.price_in) == ("desk", 3, 2.0)
    graph = create_decomposition_graph("desk", strategy="direct")
    [usage] = graph.invoke({"question": "6 * 7?"})["usage"]
    assert usage["model"] == "desk"
    assert usage["cost"] == pytest.approx((10 * 2.0 + 2 * 10.0) / 1e6)
    with pytest.raises(ModelReferenceError, match="or one of your names \\(desk\\)"):
        resolve_model("desc")


def test_a_file_may_be_in_one_s_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.gguf").symlink_to(bundled_model_path())
    assert resolve_model("gguf:~/mine.gguf").speaks_contract("decomposer")


def test_a_file_has_its_table_s_context_and_timeout(tmp_path: Path) -> None:
    ref = f'ref = "gguf:{bundled_model_path()}"'
    config(tmp_path, f"[models.small]\n{ref}\nn_ctx = 64\ntimeout = 7")
    model = resolve_model("small").runnable
    assert isinstance(model, ChatGGUF)
    assert (model.n_ctx, model.timeout) == (64, 7)


def test_a_file_asked_without_langchain_has_its_table_s_price(tmp_path: Path) -> None:
    config(tmp_path, '[models.desk]\nref = "bundled"\nprice_in = 1000\nprice_out = 2000\n')
    model = resolve_model("desk")
    source = find_gguf("desk")
    assert source
    with open_gguf(source) as (_, asking):
        messages = [{"role": "system", "content": "decompose"}, {"role": "user", "content": "Who?"}]
        usage = asking(Call("decomposer", model, messages, {"max_tokens": 3}), None).usage
    paid = usage["input_tokens"] * 1000 + usage["output_tokens"] * 2000
    assert usage["cost"] == pytest.approx(paid / 1e6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("solver = ", "isn't valid TOML"),
        ("ladder = " + "[" * 5000, "isn't valid TOML"),
        ("max_calls = " + "9" * 5000, "isn't valid TOML"),
        ("slover = 'x'", "has no setting 'slover'"),
        ("solver = 3", "solver must be a text"),
        ("[models.a]\nref = 'x:y'\nn_ctx = 'big'", r"\[models.a\] n_ctx must be a whole number"),
        ("[models.a]\nn_ctx = 5", "needs a ref"),
        ("[models.a]\nref = 'x:y'\nn_ctx = 5", "n_ctx must be 16 to 1e9"),
        ("[models.a]\nref = 'x:y'\ntimeout = nan", "timeout must be 0.001 to 1e9, not nan"),
        ("[models.a]\nref = 'x:y'\nprice_in = -1", "price_in must be 0 to 1e9"),
        ("[models.bundled]\nref = 'x:y'", "needs another name"),
        ("[models.a]\nref = 'x:y'\nmax_concurrency = 0", "must be 1 to 1e9"),
        ("max_tokens = 2000000000", "max_tokens must be 1 to 1e9, not 2000000000"),
        ("max_calls = 1.5", "max_calls must be a whole number, not 1.5"),
        ("max_cost = 'x'", "max_cost must be a number"),
    ],
)
def test_a_mistake_in_the_file_names_file_and_setting(
    tmp_path: Path, text: str, message: str
) -> None:
    config(tmp_path, text)
    with pytest.raises(UserError, match=message) as caught:
        load_settings()
    assert "config.toml" in str(caught.value)


def test_the_environment_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config(tmp_path, 'solver = "a:b"\nmax_subquestions = 3')
    monkeypatch.setenv("DECOMPOSE_SOLVER", "c:d")
    monkeypatch.setenv("DECOMPOSE_MAX_SUBQUESTIONS", "5")
    assert load_settings().solver == "c:d"
    assert load_settings().max_subquestions == 5
    monkeypatch.setenv("DECOMPOSE_CONFIG", str(tmp_path / "nowhere.toml"))
    with pytest.raises(UserError, match="DECOMPOSE_CONFIG names"):
        load_settings()


@pytest.mark.parametrize("name", ["decomposer", "composer", "strategy", "prompts"])
def test_each_variable_beats_the_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config(tmp_path, f'{name} = "of the file"')
    assert getattr(load_settings(), name) == "of the file"
    monkeypatch.setenv(f"DECOMPOSE_{name.upper()}", "of the environment")
    assert getattr(load_settings(), name) == "of the environment"


def test_a_file_in_the_working_directory_is_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever unpacks somebody's archive and asks there asks no server of theirs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "langgraph-decompose").mkdir()
    for name in ("config.toml", "decompose.toml", "langgraph-decompose/config.toml"):
        (tmp_path / name).write_text('solver = "openai:m@http://127.0.0.1:9/v1"')
    (tmp_path / ".env").write_text("DECOMPOSE_SOLVER=openai:m@http://127.0.0.1:9/v1")
    assert load_settings() == Settings()


def test_none_means_none_wherever_it_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config(tmp_path, 'verify = "none"\nverifier = "none"\ncomposer = "a:b"\nsolver = "none"')
    monkeypatch.setenv("DECOMPOSE_COMPOSER", "none")
    settings = load_settings()
    assert (settings.verify, settings.verifier, settings.composer) == (None, None, None)
    assert settings.solver == "none", "there is no way without one: it is to be refused"


def test_a_file_saved_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    config(tmp_path, '\ufeffsolver = "a:b"')
    assert load_settings().solver == "a:b"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DECOMPOSE_CONFIG", "~nosuchuser/x", "no home folder for '~nosuchuser/x'; set HOME"),
        ("XDG_CONFIG_HOME", "~nosuchuser", "no home folder for '~nosuchuser'; set HOME"),
        ("DECOMPOSE_CONFIG", "/", "/ can't be read: Is a directory"),
    ],
)
def test_a_place_that_can_hold_no_configuration_is_named(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=message):
        load_settings()


def test_an_empty_device_is_an_empty_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECOMPOSE_CONFIG", os.devnull)
    assert load_settings() == Settings()


SECRETS = {
    "OPENAI_API_KEY": "sk-secret-user-key",
    "OPENAI_ORG_ID": "org-secret",
    "OPENAI_ORGANIZATION": "org-secret",
    "OPENAI_PROJECT_ID": "proj-secret",
    "OPENAI_CUSTOM_HEADERS": "Authorization: Bearer secret\nX-Gateway: secret",
}


@pytest.mark.parametrize("provider", ["openai", "OpenAI"])
@pytest.mark.parametrize("own_key", [None, "my-server-key"])
async def test_the_user_s_openai_key_never_reaches_another_server(
    openai_server: RecordingServer,
    monkeypatch: pytest.MonkeyPatch,
    own_key: str | None,
    provider: str,
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    if own_key:
        monkeypatch.setenv("DECOMPOSE_API_KEY", own_key)
    model = resolve_model(f"{provider}:qwen@{openai_server.url}").runnable
    model.invoke("hi")
    await model.ainvoke("hi")
    assert len(openai_server.requests) == 2
    for request in openai_server.requests:
        sent = str(request["headers"]) + str(request["body"])
        assert "secret" not in sent
        assert request["headers"]["authorization"] == f"Bearer {own_key or 'no-key'}"


def made_by_langchain(monkeypatch: pytest.MonkeyPatch, model: Any = None) -> dict[str, Any]:
    """The options that LangChain is given for a provider whose package isn't here."""
    given: dict[str, Any] = {}

    def init_chat_model(_: str, **options: Any) -> Any:
        given.update(options)
        return model

    monkeypatch.setattr("langchain.chat_models.init_chat_model", init_chat_model)
    return given


@pytest.mark.parametrize(
    ("ref", "sent"),
    [
        ("ollama:q@http://box:11434", {"Authorization": "Bearer no-key"}),
        ("ollama:q", {}),
    ],
)
def test_ollama_s_own_key_goes_to_no_other_server(
    ref: str, sent: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client sends OLLAMA_API_KEY wherever there is no such header."""
    given = made_by_langchain(monkeypatch)
    hosted_chat_model(ref)
    assert given["client_kwargs"]["headers"] == sent
    assert "api_key" not in given


def test_ollama_s_server_gets_the_key_of_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    given = made_by_langchain(monkeypatch)
    monkeypatch.setenv("BOX_KEY", "k1")
    hosted_chat_model("ollama:q@https://box", api_key_env="BOX_KEY")
    assert given["client_kwargs"]["headers"] == {"Authorization": "Bearer k1"}


@pytest.mark.parametrize(
    ("ref", "kept"),
    [("anthropic:c@http://box/v1", None), ("anthropic:c", "secret")],
)
def test_anthropic_s_own_token_goes_to_no_other_server(
    ref: str, kept: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client reads ANTHROPIC_AUTH_TOKEN and ANTHROPIC_CUSTOM_HEADERS by itself."""
    clients = [
        SimpleNamespace(auth_token="secret", _custom_headers={"x-key": "secret"}) for _ in range(2)
    ]
    model = SimpleNamespace(
        _client=clients[0],
        _async_client=clients[1],
        default_headers={"a": "b"},
        anthropic_proxy="secret",
    )
    made_by_langchain(monkeypatch, model)
    hosted_chat_model(ref)
    assert model.anthropic_proxy == kept, "ANTHROPIC_PROXY is for its own service, and for that"
    assert [client.auth_token for client in clients] == [kept, kept]
    headers = {"x-key": "secret"} if kept else {"a": "b"}
    assert [client._custom_headers for client in clients] == [headers, headers]


def test_what_is_for_openai_goes_to_no_other_service_by_its_client(
    openai_server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As DeepSeek's model is: LangChain's for OpenAI with another address."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    model = ChatOpenAI(model="m", base_url=openai_server.url, api_key="k", max_retries=0)
    made_by_langchain(monkeypatch, model)
    hosted_chat_model("deepseek:m").invoke("hi")
    [request] = openai_server.requests
    assert "secret" not in str(request["headers"])


def test_openai_s_proxy_is_for_no_other_service_by_its_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """LangChain's model for OpenAI reads OPENAI_PROXY by itself, whatever its address."""
    given = made_by_langchain(monkeypatch, SimpleNamespace(openai_proxy="http://proxy:3128"))
    hosted_chat_model("deepseek:m")
    assert given["openai_proxy"] is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_this_machine_is_asked_without_the_environment_s_proxy(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    for client in (BoundedClient(1), BoundedClientPerLoop(1)):
        here = client._transport_for_url(httpx.URL(f"http://{host}:8080/v1"))
        away = client._transport_for_url(httpx.URL("http://models.example/v1"))
        assert here is client._transport
        assert away is not client._transport


def test_a_key_in_place_of_its_variable_is_not_shown(
    tmp_path: Path, openai_server: RecordingServer
) -> None:
    table = f'[models.a]\nref = "openai:q@{openai_server.url}"\napi_key_env = "sk-1f2e"'
    config(tmp_path, table)
    with pytest.raises(UserError, match="isn't the place for the key itself") as caught:
        resolve_model("a")
    assert "sk-1f2e" not in str(caught.value)
    assert "not set: the key of [models.a]" in _config()["detail"]


def test_a_table_names_the_variable_that_holds_the_key(
    tmp_path: Path, openai_server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    config(tmp_path, f'[models.a]\nref = "openai:q@{openai_server.url}"\napi_key_env = "MY_KEY"')
    with pytest.raises(UserError, match="MY_KEY holds the model's key, but isn't set"):
        resolve_model("a")
    monkeypatch.setenv("MY_KEY", "k1")
    resolve_model("a").runnable.invoke("hi")
    assert openai_server.requests[0]["headers"]["authorization"] == "Bearer k1"


def test_one_model_serves_one_event_loop_after_another(openai_server: RecordingServer) -> None:
    graph = create_decomposition_graph(f"openai:q@{openai_server.url}", strategy="direct")
    for _ in range(3):
        assert asyncio.run(graph.ainvoke({"question": "6 * 7?"}))["answer"] == "42"


async def test_a_packed_reply_is_unpacked_once() -> None:
    """As servers behind nginx and the like send it."""
    message = {"role": "assistant", "content": "42"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]}
    packed = gzip.compress(json.dumps(body).encode())
    reply = ServerReply(raw=packed, headers=(("Content-Encoding", "gzip"),))
    with LatencyServer(lambda *_: reply) as server:
        model = resolve_model(f"openai:m@{server.url}").runnable
        assert [model.invoke("hi").text, (await model.ainvoke("hi")).text] == ["42", "42"]
        assert "".join(part.text for part in model.stream("hi")) == "42"


def test_connections_of_event_loops_that_are_closed_are_let_go(
    openai_server: RecordingServer,
) -> None:
    client = BoundedClientPerLoop(timeout=30)
    for _ in range(3):
        assert asyncio.run(client.post(openai_server.url, json={})).status_code == 200
    assert len(client._clients) == 1


async def test_openai_s_proxy_is_for_openai_alone(
    openai_server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_PROXY", openai_server.url.removesuffix("/v1"))
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://api.example/v1")
    model = resolve_model("openai:m").runnable
    assert [model.invoke("hi").text, (await model.ainvoke("hi")).text] == ["42", "42"]
    assert {r["headers"]["host"] for r in openai_server.requests} == {"api.example"}
    monkeypatch.setenv("OPENAI_PROXY", "http://127.0.0.1:9")
    own = resolve_model(f"openai:m@{openai_server.url}").runnable
    assert [own.invoke("hi").text, (await own.ainvoke("hi")).text] == ["42", "42"]
    monkeypatch.setenv("OPENAI_PROXY", "nonsense://x")
    with pytest.raises(UserError, match="the proxy that the environment names can't be used"):
        resolve_model("openai:m")


async def test_others_are_asked_through_the_proxy_of_the_environment(
    openai_server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", openai_server.url.removesuffix("/v1"))
    model = resolve_model("openai:m@http://models.example/v1").runnable
    assert [model.invoke("hi").text, (await model.ainvoke("hi")).text] == ["42", "42"]
    assert {r["headers"]["host"] for r in openai_server.requests} == {"models.example"}


def test_hidden_retries_are_off(openai_server: RecordingServer) -> None:
    openai_server.default = (500, "down")
    with pytest.raises(Exception, match="down"):
        resolve_model(f"openai:q@{openai_server.url}").runnable.invoke("hi")
    assert len(openai_server.requests) == 1


def test_hidden_retries_are_off_at_google_too(monkeypatch: pytest.MonkeyPatch) -> None:
    given = made_by_langchain(monkeypatch)
    hosted_chat_model("google_genai:gemini-2.5-flash")
    assert given["max_retries"] == 1, "its client takes 0 for five attempts"


def test_openrouter_s_client_is_given_no_seconds_for_milliseconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = made_by_langchain(monkeypatch)
    hosted_chat_model("openrouter:qwen/qwen3-8b", timeout=60)
    assert "timeout" not in given
    assert given["max_retries"] == 0


def test_a_table_s_context_is_ollama_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it cuts what is longer than its default, and doesn't say so."""
    given = made_by_langchain(monkeypatch)
    config(tmp_path, '[models.own]\nref = "ollama:qwen3"\nn_ctx = 16384')
    resolve_model("own")
    assert given["num_ctx"] == 16384


def test_a_key_that_is_missing_is_called_as_its_client_reads_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def init_chat_model(*_: Any, **__: Any) -> Any:
        raise ValueError("API key required. Provide api_key or set GOOGLE_API_KEY/GEMINI_API_KEY.")

    monkeypatch.setattr("langchain.chat_models.init_chat_model", init_chat_model)
    with pytest.raises(UserError, match="google_genai needs a key: set GOOGLE_API_KEY, or choose"):
        resolve_model("google_genai:gemini-2.5-flash")


async def test_a_slow_stream_has_the_time_that_its_call_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """LangChain's own bound on the time to the next chunk is 120 s, whatever a table says."""
    monkeypatch.setenv("LANGCHAIN_OPENAI_STREAM_CHUNK_TIMEOUT_S", "0.1")
    with LatencyServer(lambda *_: "at\nlast", line_latency=0.5) as server:
        model = resolve_model(f"openai:m@{server.url}").runnable
        assert "".join([part.text async for part in model.astream("hi")]) == "at\nlast"


def test_a_password_in_a_url_is_not_shown(openai_server: RecordingServer) -> None:
    host = openai_server.url.removeprefix("http://")
    for password in ("pass", "p@ss"):
        model = resolve_model(f"openai:q@http://me:{password}@{host}")
        assert "ss@" not in model.name


@pytest.mark.parametrize("spelling", ["openai:q@{}", "openai:q @ {}", "openai:q@HTTP{}"])
def test_however_a_url_is_spelt_the_key_stays_here(
    openai_server: RecordingServer, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    url = openai_server.url.removeprefix("http") if "HTTP" in spelling else openai_server.url
    resolve_model(spelling.format(url)).runnable.invoke("hi")
    [request] = openai_server.requests
    assert "sk-secret" not in str(request)


@pytest.fixture
def hub() -> Iterator[str]:
    """A server that answers as the Hugging Face hub does for one file."""
    data = Path(bundled_model_path()).read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(b"")

        def do_GET(self) -> None:
            self.answer(data)

        def answer(self, body: bytes) -> None:
            found = self.path == "/me/tiny/resolve/main/tiny.gguf"
            self.send_response(200 if found else 404)
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("ETag", '"abc"')
            if not found:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", str(len(data) if found else 0))
            self.end_headers()
            if found:
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_file_of_the_hub_is_fetched_once_and_then_works_offline(hub: str, tmp_path: Path) -> None:
    script = (
        "import sys\nfrom langgraph_decompose.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    )
    plan = ["plan", "Who is the spouse of the director of Jaws?", "--decomposer"]

    def run(ref: str, **env: str) -> subprocess.CompletedProcess[str]:
        everything = {**os.environ, "HF_ENDPOINT": hub, "HF_HUB_DISABLE_XET": "1", **env}
        command = [sys.executable, "-c", script, *plan, ref]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=everything)

    first = run("gguf:hf:me/tiny/tiny.gguf", HF_HUB_OFFLINE="0")
    assert first.returncode == 0, first.stderr
    assert len(parse_plan(first.stdout).subquestions) == 2
    unreachable = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"}
    assert run("gguf:hf:me/tiny/tiny.gguf", **unreachable).stdout == first.stdout
    missing = run("gguf:hf:me/tiny/other.gguf", HF_HUB_OFFLINE="0")
    assert missing.returncode == 2
    assert "'other.gguf'" in missing.stderr
    assert "Traceback" not in missing.stderr
    begin = time.monotonic()
    unknown = run("gguf:hf:me/tiny/other.gguf", **unreachable)
    assert time.monotonic() - begin < 20, "huggingface_hub itself tries for 24 s"
    assert unknown.returncode == 2
    assert "'other.gguf' isn't in the local cache and the hub can't be reached" in unknown.stderr
