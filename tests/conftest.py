"""What tests share: an isolated user, the bundled model, real servers on loopback, ways to ask."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from langgraph_decompose import ChatGGUF, bundled_model_path
from langgraph_decompose.testing import ScriptedChatModel

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"

SEATS = "A train has 6 cars with 40 seats each. 60 seats are taken. How many seats are free?"
ASKED: Any = {"question": "All?"}
THREAD: Any = {"configurable": {"thread_id": "1"}}
both = pytest.mark.parametrize("how", ["sync", "async"])


# A busy machine takes its time: where CI isn't set, Hypothesis fails whatever takes over 0.2 s.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# What a user may have set for programs like ours, and for how a terminal is written to.
_SET = ("DECOMPOSE_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "HF_", "RAY_ADDRESS")
_SHOWN = ("VISUAL", "EDITOR", "FORCE_COLOR", "NO_COLOR", "TTY_")
_INSTEAD = {
    "HF_HUB_OFFLINE": "1",
    "NO_PROXY": "127.0.0.1,localhost",
    "TERM": "xterm",
    "COLUMNS": "80",
}


@pytest.fixture(scope="session", autouse=True)
def nobody_in_particular(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No configuration, no keys, no proxy, no editor: what a fresh machine has.

    For the session, since what a module prepares comes before the fixtures of its tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(_SET + _SHOWN) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        for name, value in _INSTEAD.items():
            patch.setenv(name, value)
        _keep_in(tmp_path_factory.mktemp("nobody"), patch)
        yield


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test finds what another has kept."""
    _keep_in(tmp_path, monkeypatch)


def _keep_in(folder: Path, patch: pytest.MonkeyPatch) -> None:
    for kind in ("config", "state", "cache"):
        patch.setenv(f"XDG_{kind.upper()}_HOME", str(folder / kind))
    patch.setenv("HF_HOME", str(folder / "huggingface"))


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A budget of 30 s loses no time till this is set, and has 0.5 s when it is looked at next."""
    near, looks = threading.Event(), []

    def now() -> float:
        if near.is_set():
            looks.append(time.monotonic())
        return 29.5 + time.monotonic() - looks[0] if looks else 0.0

    clock = SimpleNamespace(monotonic=now)
    monkeypatch.setattr("langgraph_decompose.nodes.budget.time", clock)
    return near


def run(how: str, runnable: Any, value: Any = ASKED, config: Any = None) -> Any:
    """Ask by `invoke` or by `ainvoke`: the same test body for both."""
    if how == "sync":
        return runnable.invoke(value, config)
    return asyncio.run(runnable.ainvoke(value, config))


@pytest.fixture(params=["sync", "async"])
def anyhow(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`run` in each of the two ways."""
    return partial(run, request.param)


def always(text: Any, **options: Any) -> ScriptedChatModel:
    """A model that says the same to everything."""
    return ScriptedChatModel(replies=[], default=text, **options)


def step(prompt: str) -> str:
    """The step that a solver's prompt asks for."""
    return prompt.rsplit("Step to answer now: ", 1)[1].split("\n")[0]


def soon(true: Callable[[], Any], within: float = 120) -> bool:
    """Whether something becomes true in time."""
    end = time.monotonic() + within
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.01)
    return bool(found)


async def until(true: Callable[[], Any], within: float = 30) -> None:
    """Wait in an event loop until something becomes true."""
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def without_seconds(value: Any) -> Any:
    """A result without what differs each time."""
    if isinstance(value, dict):
        return {k: without_seconds(v) for k, v in value.items() if k != "seconds"}
    return [without_seconds(v) for v in value] if isinstance(value, list) else value


@pytest.fixture
def bundled() -> ChatGGUF:
    """The bundled model as a chat model; the file stays loaded between tests."""
    return ChatGGUF(model_path=bundled_model_path())


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    """The bundled decomposer itself, without LangChain around it."""
    from langgraph_decompose.models.engine import Engine
    from langgraph_decompose.models.pool import EngineSettings

    engine = Engine(EngineSettings(bundled_model_path()))
    yield engine
    engine.close()


@dataclass
class RecordingServer:
    """An OpenAI-compatible server on loopback that replays replies and keeps every request.

    A reply is a text, an (HTTP status, error message or whole body) with maybe a dict of headers
    behind, or a function of the request body.
    """

    url: str = ""
    replies: list[Any] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    default: Any = "42"
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_reply(self, body: dict[str, Any]) -> Any:
        with self.lock:
            reply = self.replies.pop(0) if self.replies else self.default
        return reply(body) if callable(reply) else reply


def _completion(text: str, finish: str = "stop") -> dict[str, Any]:
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 0,
        "model": "scripted",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": text},
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
    }


@pytest.fixture
def openai_server() -> Iterator[RecordingServer]:
    record = RecordingServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with record.lock:
                headers = {name.lower(): value for name, value in self.headers.items()}
                record.requests.append({"headers": headers, "body": body})
            reply = record.next_reply(body)
            if isinstance(reply, str):
                reply = (200, _completion(reply))
            status, value, *more = reply
            if status != 200 and isinstance(value, str):
                value = {"error": {"message": value, "type": "error"}}
            data = json.dumps(value).encode()
            self.send_response(status)
            for name, text in more[0].items() if more else ():
                self.send_header(name, text)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    record.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield record
    server.shutdown()
    server.server_close()


@dataclass
class Finished:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def decompose(tmp_path: Path) -> Callable[..., Finished]:
    """Run the real `decompose` in a process of its own."""

    def run(*args: str, stdin: str | bytes = "", env: dict[str, str] | None = None) -> Finished:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            [sys.executable, "-m", "langgraph_decompose", *args],
            input=data,
            capture_output=True,
            timeout=120,
            cwd=tmp_path,
            env={**os.environ, **(env or {})},
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


class Forks:
    """The process that forks a child for each run."""

    def __init__(self, empty: Path) -> None:
        # httpx loads all certificate authorities of the machine for each client, which takes
        # longer than a run; loopback needs none.
        env = {**os.environ, "SSL_CERT_DIR": str(empty), "OPENBLAS_NUM_THREADS": "1"}
        env.pop("SSL_CERT_FILE", None)
        runner = Path(__file__).with_name("crash_runner.py")
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([sys.executable, str(runner)], env=env, **pipes)

    def run(self, **case: Any) -> Iterator[dict[str, Any]]:
        """What the child tells, as it comes, till it has ended."""
        print(json.dumps(case), file=self.process.stdin, flush=True)
        while True:
            line = json.loads(self.process.stdout.readline())
            yield line
            if line["type"] == "ended":
                return


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    forks = Forks(tmp_path_factory.mktemp("no_certificates"))
    yield forks
    forks.process.communicate(timeout=30)


def python(code: str) -> str:
    """What a program prints that runs to its end in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def hears_ctrl_c() -> None:
    """For `preexec_fn`: a process that a script has started in the background ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def shared(path: str) -> Path:
    """A file of the development data; the test is skipped, visibly, where there is none."""
    file = SHARED / path
    if not file.exists():
        pytest.skip(f"needs the development data {path!r}")
    return file
