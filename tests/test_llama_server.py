"""The bundled file behind `python -m llama_cpp.server`, asked through `ChatOpenAI`."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest
from langchain_openai import ChatOpenAI
from langgraph_decompose import bundled_model_path, create_decomposition_graph

# Like our own models (see models/loading.py) without llama.cpp's AMX code, which may crash.
_SERVER = """
import runpy
import llama_cpp.llama_cpp as binding

params = binding.llama_model_default_params()
params.use_extra_bufts = False
binding.llama_model_default_params = lambda: params
runpy.run_module("llama_cpp.server", run_name="__main__")
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    pytest.importorskip("uvicorn")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", _SERVER, "--model", bundled_model_path()]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--n_ctx", "384", "--n_threads", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/v1"
    try:
        for _ in range(300):
            if process.poll() is not None:
                pytest.fail(f"the server ended with code {process.returncode}")
            try:
                urllib.request.urlopen(f"{url}/models", timeout=1)
                break
            except OSError:
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.timeout(120)
async def test_the_same_graph_with_its_solver_on_a_server(server: str) -> None:
    question = "Who is the spouse of the director of Jaws?"
    by_object = ChatOpenAI(
        model="any", base_url=server, api_key="none", temperature=0, max_tokens=30, max_retries=0
    )
    for solver in (by_object, f"openai:any@{server}"):
        graph = create_decomposition_graph(solver)
        result = await graph.ainvoke({"question": question})
        assert [row["status"] for row in result["answers"]] in (["ok", "ok"], ["ok", "failed"])
        assert len(result["plan"]) == 2
        solved = next(row for row in result["usage"] if row["role"] == "solver")
        assert solved["input_tokens"] > 100, "counted by the server"
