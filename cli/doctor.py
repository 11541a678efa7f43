"""`decompose doctor`: what works on this machine, and what to do about what doesn't."""

from __future__ import annotations

import os
import platform
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import UserError, describe_error
from ..models.hosted import is_variable, without_credentials
from ..settings import Settings, config_path, load_settings
from .terminal import print_json

if TYPE_CHECKING:
    from ..models.references import GGUFSource

Check = dict[str, Any]


def run(args: Namespace) -> int:
    """Run every check; 1 if the main job doesn't work here."""
    bundled = _bundled_decomposer, _bundled_solver
    checks = [_try(check) for check in (_versions, _llama, *bundled, _config, _keys, _tracing)]
    checks += [_optional(*package) for package in _OPTIONAL]
    if args.json:
        print_json(checks)
    else:
        marks = {True: "ok  ", False: "FAIL", None: "–   "}
        for check in checks:
            print(f"{marks[check['ok']]} {check['name']:22} {check['detail']}")  # noqa: T201
    return 1 if any(check["ok"] is False for check in checks) else 0


_OPTIONAL = [
    ("hosted: OpenAI", "langchain_openai", "langchain-openai"),
    ("hosted: Ollama", "langchain_ollama", "langchain-ollama"),
    ("transformers models", "transformers", "transformers torch"),
    ("puzzles (symbolic)", "z3", "z3-solver"),
]


def _try(check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:
        name = check.__name__.strip("_").replace("_", " ")
        detail = str(error) if isinstance(error, UserError) else describe_error(error)["message"]
        return {"name": name, "ok": False, "detail": detail}


def _versions() -> Check:
    detail = f"langgraph-decompose {__version__}, Python {platform.python_version()}"
    detail += f", langgraph {version('langgraph')}, {platform.system()} {platform.machine()}"
    return {"name": "versions", "ok": True, "detail": detail}


def _llama() -> Check:
    from ..models.llama import llama_cpp

    gpu = "with GPU" if llama_cpp.llama_supports_gpu_offload() else "CPU only"
    return {"name": "llama.cpp", "ok": True, "detail": f"{llama_cpp.__version__}, {gpu}"}


def _bundled_decomposer() -> Check:
    from ..models.references import find_gguf
    from ..nodes.decomposer import decompose
    from ..nodes.engine_calls import open_gguf
    from ..nodes.problem import Problem
    from ..nodes.steps import run as run_steps
    from ..prompts import load_prompts

    source = find_gguf("bundled", "decomposer")
    assert source is not None
    begin = time.perf_counter()
    with open_gguf(source) as (model, asking):
        problem = Problem("Who is the spouse of the director of Jaws?")
        steps = decompose(problem, model=model, prompts=load_prompts(), max_subquestions=8)
        lines = len(run_steps(steps, asking=asking).plan.subquestions)
    seconds = time.perf_counter() - begin
    detail = f"loads and plans ({lines} subquestions) in {seconds:.2f} s; {_made_for(source)}"
    return {"name": "bundled decomposer", "ok": True, "detail": detail}


def _bundled_solver() -> Check:
    from ..models.references import find_gguf
    from ..nodes.engine_calls import open_gguf
    from ..nodes.expression import solve_expression
    from ..nodes.steps import Call
    from ..nodes.steps import run as run_steps

    source = find_gguf("bundled", "solver")
    assert source is not None
    begin = time.perf_counter()
    with open_gguf(source) as (model, asking):
        question = "Ana has 4 bags with 6 pears each. How many pears does Ana have?"
        call = Call("solver", model, [])
        answer, _ = run_steps(solve_expression(call, question, [], None), asking=asking)
    seconds = time.perf_counter() - begin
    detail = (
        f"loads and solves (4 bags of 6 pears: {answer}) in {seconds:.2f} s; {_made_for(source)}"
    )
    return {"name": "bundled solver", "ok": answer == "24", "detail": detail}


def _made_for(source: GGUFSource) -> str:
    return f"made for {source.contract.domain if source.contract else 'anything'}"


def _config() -> Check:
    settings, path = load_settings(), config_path()
    if not path.is_file() and settings == Settings():
        return {"name": "configuration", "ok": None, "detail": f"no file at {path}; defaults hold"}
    where = path if path.is_file() else "environment variables"
    solver = without_credentials(settings.solver)
    detail = f"{where}: solver {solver}, {len(settings.models)} named models"
    if problem := _refused(settings):
        return {"name": "configuration", "ok": False, "detail": f"{detail}; {problem}"}
    missing = [
        table.api_key_env if is_variable(table.api_key_env) else f"the key of [models.{name}]"
        for name, table in settings.models.items()
        if table.api_key_env and not os.environ.get(table.api_key_env)
    ]
    if missing:
        detail += f"; not set: {', '.join(missing)}"
    return {"name": "configuration", "ok": not missing, "detail": detail}


def _refused(settings: Settings) -> str | None:
    """Why `decompose ask` would refuse the settings, without asking any model."""
    from ..models.references import resolve_model
    from .arguments import fitted
    from .drive import make_graph

    for role in ("decomposer", "solver", "composer", "verifier"):
        if ref := getattr(settings, role):
            try:
                resolve_model(ref, "decomposer" if role == "decomposer" else "solver")
            except UserError as error:
                return f"{role}: {error}"
    try:
        make_graph(replace(fitted(settings, {}), cache=False))
    except UserError as error:
        return str(error)
    return None


def _keys() -> Check:
    names = [name for name in os.environ if name.endswith("_API_KEY") and os.environ[name]]
    detail = ", ".join(sorted(names)) or "none set; hosted models need one, local ones don't"
    return {"name": "keys in environment", "ok": bool(names) or None, "detail": detail}


def _tracing() -> Check:
    from langsmith.utils import tracing_is_enabled

    detail = "off: LangChain tells nobody of what is asked"
    if tracing_is_enabled():
        detail = "LANGSMITH_TRACING is set: questions, contexts and answers go to LangSmith"
    return {"name": "tracing", "ok": None, "detail": detail}


def _optional(name: str, module: str, packages: str) -> Check:
    if not find_spec(module):
        return {"name": name, "ok": None, "detail": f"not installed: pip install {packages}"}
    try:
        detail = version(module.replace("_", "-"))
    except PackageNotFoundError:
        detail = "installed"
    return {"name": name, "ok": True, "detail": detail}
