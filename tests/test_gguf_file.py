"""GGUF headers: read without llama.cpp, and refused in one clear line when damaged."""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph_decompose import ChatGGUF, bundled_model_path
from langgraph_decompose.errors import ModelFileError
from langgraph_decompose.models.bundled import WEIGHTS
from langgraph_decompose.models.gguf_file import read_contract, read_metadata

from .conftest import Finished

DATA = Path(bundled_model_path()).read_bytes()


def test_the_bundled_file_states_its_contract() -> None:
    contract = read_contract(bundled_model_path())
    assert contract is not None
    assert contract.roles == ("decomposer",)
    assert contract.final == "last"
    assert contract.n_ctx_trained > 100
    metadata = read_metadata(bundled_model_path())
    assert metadata["general.architecture"] == "qwen3"
    assert "tokenizer.ggml.tokens" not in metadata, "vocabularies are left out"


def test_the_bundled_solver_is_a_file_of_its_own() -> None:
    contract = read_contract(bundled_model_path("solver"))
    assert contract is not None
    assert contract.roles == ("solver",)
    assert contract.n_ctx_trained < 1024, "it has seen no more than its longest sample"


def test_bundled_files_are_small_and_those_of_their_cards() -> None:
    cards = (WEIGHTS / "README.md").read_text(encoding="utf-8").split("\n# ")[1:]
    assert {card.partition("\n")[0] for card in cards} == {p.name for p in WEIGHTS.glob("*.gguf")}
    for card in cards:
        data = (WEIGHTS / card.partition("\n")[0]).read_bytes()
        assert len(data) < 60e6
        assert f"| SHA-256 | `{hashlib.sha256(data).hexdigest()}` |" in card


def write(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is no GGUF file"),
        (b"<!DOCTYPE html>", "is no GGUF file"),
        (b"GGUF", "cut off"),
        (DATA[:1000], "cut off"),
        (DATA[: len(DATA) // 2], "cut off"),
        (b"GGUF" + struct.pack("<IQQ", 99, 0, 0), "GGUF version 99"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 2**60), "cut off or damaged"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 1, 1, 2**60), "cut off or damaged"),
    ],
)
def test_a_file_that_is_no_model_is_refused_in_one_line(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    with pytest.raises(ModelFileError, match=reason) as caught:
        read_metadata(write(tmp_path, data))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="there is no model file 'nowhere.gguf'"):
        read_metadata("nowhere.gguf")
    with pytest.raises(ModelFileError, match="is a folder"):
        read_metadata(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux")
def test_a_file_that_fails_to_be_read_is_named_with_the_reason() -> None:
    with pytest.raises(ModelFileError, match="'/proc/self/mem' can't be read: Input/output error"):
        read_metadata("/proc/self/mem")


def test_llama_cpp_s_own_reason_reaches_the_user(tmp_path: Path) -> None:
    newer = DATA.replace(b"general.architecture\x08\0\0\0\x05\0\0\0\0\0\0\0qwen3",
                         b"general.architecture\x08\0\0\0\x05\0\0\0\0\0\0\0zzzzz")  # fmt: skip
    with pytest.raises(
        ModelFileError, match="unknown model architecture.*upgrade llama-cpp-python"
    ):
        ChatGGUF(model_path=write(tmp_path, newer)).invoke("hi")
    pre = b"tokenizer.ggml.pre\x08\0\0\0\x05\0\0\0\0\0\0\0"
    newer = DATA.replace(pre + b"qwen2", pre + b"qwen9")
    with pytest.raises(
        ModelFileError, match="unknown pre-tokenizer type: 'qwen9'; upgrade llama-cpp-python"
    ):
        ChatGGUF(model_path=write(tmp_path, newer)).invoke("hi")


@pytest.mark.parametrize("tokens", [1, 3, 15])
def test_a_context_that_llama_cpp_would_die_of_is_refused(
    tmp_path: Path, decompose: Callable[..., Finished], tokens: int
) -> None:
    trained = b"decompose.n_ctx_trained\x04\0\0\0"
    at = DATA.index(trained) + len(trained)
    path = write(tmp_path, DATA[:at] + struct.pack("<I", tokens) + DATA[at + 4 :])
    done = decompose("plan", "Who directed Jaws?", "--decomposer", f"gguf:{path}")
    assert (done.code, done.out) == (2, "")
    assert f"'model.gguf' says that it was trained for {tokens} tokens" in done.err


@pytest.mark.parametrize("layers", [0, 513])
def test_a_number_of_layers_that_llama_cpp_would_die_of_is_refused(
    tmp_path: Path, decompose: Callable[..., Finished], layers: int
) -> None:
    count = b"qwen3.block_count\x04\0\0\0"
    at = DATA.index(count) + len(count)
    path = write(tmp_path, DATA[:at] + struct.pack("<I", layers) + DATA[at + 4 :])
    done = decompose("plan", "Who directed Jaws?", "--decomposer", f"gguf:{path}")
    assert (done.code, done.out) == (2, "")
    assert f"model.gguf' says that it has {layers} layers, and llama.cpp takes" in done.err


@pytest.mark.parametrize("epsilon", [-1.0, float("nan"), float("inf")])
def test_an_epsilon_that_llama_cpp_would_die_of_is_refused(tmp_path: Path, epsilon: float) -> None:
    key = b"qwen3.attention.layer_norm_rms_epsilon\x06\0\0\0"
    at = DATA.index(key) + len(key)
    path = write(tmp_path, DATA[:at] + struct.pack("<f", epsilon) + DATA[at + 4 :])
    with pytest.raises(ModelFileError, match=f"layer_norm_rms_epsilon is {epsilon}, which no"):
        read_metadata(path)


def test_a_vocabulary_with_one_token_twice_is_refused_before_llama_cpp_dies_of_it(
    tmp_path: Path,
) -> None:
    one, other = (struct.pack("<Q", 1) + sign for sign in (b"|", b"~"))
    path = write(tmp_path, DATA.replace(one, other, 1))
    with pytest.raises(ModelFileError, match="has the token '~' twice in its vocabulary"):
        read_metadata(path)


def test_a_file_cut_inside_its_last_tensor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="can't load 'model.gguf'"):
        ChatGGUF(model_path=write(tmp_path, DATA[:-64])).invoke("hi")


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_header_never_raises_anything_else(data: st.DataObject) -> None:
    import tempfile

    damaged = bytearray(DATA[:120_000])
    for _ in range(data.draw(st.integers(1, 5))):
        damaged[data.draw(st.integers(0, 2000))] = data.draw(st.integers(0, 255))
    begin = time.perf_counter()
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        file.write(damaged)
        file.flush()
        try:
            read_contract(file.name)
        except ModelFileError:
            pass
    assert time.perf_counter() - begin < 30


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"decompose.n_ctx_trained\x04\0\0\0", b"decompose.n_ctx_trained\x05\0\0\0"),
        (b"decompose.roles", b"decompose.rolls"),
        (b"decomposer", b"decomposed"),
    ],
)
def test_odd_contract_metadata_is_one_line_or_harmless(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    path = write(tmp_path, DATA.replace(old, new, 1))
    if b"n_ctx" in old:
        assert read_contract(path) is not None
    else:
        with pytest.raises(ModelFileError, match="damaged contract metadata"):
            read_contract(path)


def test_a_pipe_is_no_model_and_blocks_nobody(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.gguf")
    with pytest.raises(ModelFileError, match="no ordinary file"):
        read_metadata(tmp_path / "pipe.gguf")
