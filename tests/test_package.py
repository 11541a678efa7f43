"""What is installed: exactly the package, whatever else lies about, and cheap to import."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import langgraph_decompose
import pytest

from .conftest import ROOT, python

FOLDERS = (
    "cli",
    "distill",
    "evals",
    "graphs",
    "models",
    "nodes",
    "plan",
    "prompts",
    "testing",
    "tools",
)
TOP = {"__init__.py", "__main__.py", "errors.py", "settings.py", "storage.py", "py.typed"}


def package_files() -> set[str]:
    """Every file that belongs into the wheel, read off the working tree."""
    found = set(TOP)
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                found.add(path.relative_to(ROOT).as_posix())
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and sdist of a copy in which build leftovers and strangers' files lie about."""
    import shutil

    source = tmp_path_factory.mktemp("source") / "copy"
    ignore = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, source, ignore=ignore)
    for stray in ("build/lib/langgraph_decompose/old.py", "graphs/.notes.txt", "secret.env"):
        (source / stray).parent.mkdir(parents=True, exist_ok=True)
        (source / stray).write_text("stray = 1\n")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return out


def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    names = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    assert names == {f"langgraph_decompose/{name}" for name in package_files()}
    assert wheel.stat().st_size < 95e6


def test_the_sdist_can_build_the_wheel_and_carries_no_strangers(built: Path) -> None:
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {m.name.split("/", 1)[1] for m in archive.getmembers() if m.isfile()}
    generated = {"PKG-INFO", "setup.cfg"}
    names = {n for n in names if not n.startswith("langgraph_decompose.egg-info/")} - generated
    beside = {"LICENSE", "README.md", "pyproject.toml", "MANIFEST.in"}
    assert names == package_files() | beside


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, langgraph_decompose\n"
        "heavy = {'langgraph', 'langchain_core', 'llama_cpp', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    python(code)


def test_every_public_name_is_there_and_documented() -> None:
    assert langgraph_decompose.__all__ == sorted(langgraph_decompose.__all__)
    for name in langgraph_decompose.__all__:
        assert (getattr(langgraph_decompose, name).__doc__ or "").strip(), name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = langgraph_decompose.nothing


def test_imports_point_down_only() -> None:
    """The plan imports nothing of ours, models nothing above them, and so on up."""
    order = [
        "plan",
        "errors",
        "settings",
        "storage",
        "tools",
        "prompts",
        "models",
        "nodes",
        "graphs",
        "evals",
        "distill",
        "cli",
    ]
    import re

    for name in order:
        files = list((ROOT / name).rglob("*.py")) or [ROOT / f"{name}.py"]
        for file in files:
            up = r"\." * len(file.relative_to(ROOT).parts)
            for target in re.findall(rf"^\s*from {up}(\w+)", file.read_text(), re.M):
                assert order.index(target) <= order.index(name), f"{file.name} imports {target}"
