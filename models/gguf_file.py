"""Read the metadata of a GGUF file without loading it, and without llama.cpp.

The format is llama.cpp's (ggml/docs/gguf.md): a magic number, counts, then key-value pairs.
Every length is bounded, because a file is untrusted input.
"""

from __future__ import annotations

import math
import stat
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..errors import ModelFileError

_SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?",
    10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_MAX_PAIRS = 10_000
_MAX_STRING = 8_000_000
_MAX_KEPT_ARRAY = 64
_MAX_ARRAY = 5_000_000
_MAX_LAYERS = 512
"""As llama.cpp has it, which ends the process at more, or none."""
_EPSILON = ("norm_epsilon", "norm_rms_epsilon")
"""How the keys end whose value llama.cpp ends the process at, if it is below 0 or no number."""
_SUPPORTED_VERSIONS = (2, 3)


NO_REPEAT = 12
"""So many tokens in a row come at most twice in a line of a file trained for this project: small
models repeat a phrase for ever now and then."""


class _SameTokenError(Exception):
    """A token that a vocabulary has twice, at which llama.cpp ends the process."""


@dataclass(frozen=True)
class Contract:
    """What a model file trained for this project says about itself (docs/architecture.md).

    Attributes:
        roles: `"decomposer"`, `"solver"` or both.
        final: How its plans end, `"last"` or `"compose"`.
        n_ctx_trained: Longest prompt and reply, in tokens, that training covered.
        prompt_version: Version of the prompt format.
        domain: What it was made for, in words.
        grounded: Whether its plans name nothing that the problem doesn't; the grammar then
            holds it to that.
    """

    roles: tuple[str, ...]
    final: str
    n_ctx_trained: int
    prompt_version: str = "1"
    domain: str = ""
    grounded: bool = False


def read_metadata(path: str | Path) -> dict[str, Any]:
    """The key-value pairs of a GGUF file; arrays of over 64 items are left out.

    Raises:
        ModelFileError: If the file is missing, can't be read, is cut off, or no GGUF.
    """
    try:
        file = Path(path).expanduser()
        found = file.stat()
    except (OSError, ValueError, RuntimeError):
        raise ModelFileError(f"there is no model file {str(path)!r}; check the path.") from None
    if stat.S_ISDIR(found.st_mode):
        raise ModelFileError(f"{str(path)!r} is a folder; name the .gguf file in it.")
    if not stat.S_ISREG(found.st_mode):
        raise ModelFileError(f"{str(path)!r} is no ordinary file.")
    return dict(_read_cached(str(file), found.st_size, found.st_mtime_ns))


def read_contract(path: str | Path) -> Contract | None:
    """The file's contract metadata, or None for a general model.

    Raises:
        ModelFileError: As `read_metadata`, or if the contract is newer than this package.
    """
    metadata = read_metadata(path)
    if "decompose.contract" not in metadata:
        return None
    version = str(metadata["decompose.contract"])
    if version != "1":
        raise ModelFileError(
            f"{str(path)!r} follows contract {version!r}, this version of langgraph-decompose "
            "reads contract 1; upgrade it."
        )
    final, roles = metadata.get("decompose.final"), metadata.get("decompose.roles")
    trained = metadata.get("decompose.n_ctx_trained", 0)
    known = isinstance(roles, list) and all(role in ("decomposer", "solver") for role in roles)
    if not known or type(trained) is not int or trained < 0:
        raise ModelFileError(f"{str(path)!r} has damaged contract metadata; export it again.")
    return Contract(
        roles=tuple(cast("list[str]", roles)),
        final="last" if final == "last" else "compose",
        n_ctx_trained=trained,
        prompt_version=str(metadata.get("decompose.prompt_version", "1")),
        domain=str(metadata.get("decompose.domain", "")),
        grounded=metadata.get("decompose.grounded") is True,
    )


@lru_cache(maxsize=64)
def _read_cached(path: str, size: int, _mtime: int) -> dict[str, Any]:
    try:
        with open(path, "rb") as stream:
            return _read(stream, path, size)
    except (struct.error, EOFError, MemoryError):
        raise ModelFileError(f"{path!r} is cut off or damaged; download it again.") from None
    except OSError as error:
        raise ModelFileError(f"{path!r} can't be read: {error.strerror}.") from None
    except _SameTokenError as error:
        raise ModelFileError(
            f"{path!r} has the token {error.args[0]!r} twice in its vocabulary, which llama.cpp "
            "doesn't load; export the file again."
        ) from None
    except UnicodeDecodeError:
        raise ModelFileError(f"{path!r} is damaged: a name in it isn't text.") from None


def _read(stream: BinaryIO, path: str, size: int) -> dict[str, Any]:
    magic = stream.read(4)
    if magic != b"GGUF":
        raise ModelFileError(f"{path!r} is no GGUF file; llama.cpp models end in .gguf.")
    version, tensors, pairs = struct.unpack("<IQQ", _take(stream, 20))
    if version not in _SUPPORTED_VERSIONS:
        raise ModelFileError(f"{path!r} has GGUF version {version}; versions 2 and 3 are read.")
    if pairs > _MAX_PAIRS:
        raise EOFError
    metadata: dict[str, Any] = {}
    for _ in range(pairs):
        key = _string(stream)
        kind = struct.unpack("<I", _take(stream, 4))[0]
        value = _value(stream, kind, distinct=key == "tokenizer.ggml.tokens")
        if value is not None:
            metadata[key] = value
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or not 1 <= alignment <= 1 << 20:
        raise EOFError
    _check_size(stream, tensors, alignment, size)
    _check_values(metadata, path)
    return metadata


def _check_values(metadata: dict[str, Any], path: str) -> None:
    """Refuse what llama.cpp would end the process at."""
    layers = metadata.get(f"{metadata.get('general.architecture')}.block_count")
    if type(layers) is int and not 1 <= layers <= _MAX_LAYERS:
        raise ModelFileError(
            f"{path!r} says that it has {layers} layers, and llama.cpp takes 1 to {_MAX_LAYERS}; "
            "download or export the file again."
        )
    for key, value in metadata.items():
        if key.endswith(_EPSILON) and isinstance(value, float) and not 0 <= value < math.inf:
            raise ModelFileError(
                f"{path!r} says that {key} is {value}, which no model can have; download or export "
                "the file again."
            )


def _check_size(stream: BinaryIO, tensors: int, alignment: int, size: int) -> None:
    """The last tensor must at least begin inside the file."""
    last = 0
    for _ in range(min(tensors, 100_000)):
        _string(stream)
        dimensions = struct.unpack("<I", _take(stream, 4))[0]
        if dimensions > 8:
            raise EOFError
        _take(stream, 8 * dimensions + 4)
        last = max(last, struct.unpack("<Q", _take(stream, 8))[0])
    start = -(-stream.tell() // alignment) * alignment
    if start + last >= size and tensors:
        raise EOFError


def _take(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise EOFError
    return data


def _string_bytes(stream: BinaryIO) -> bytes:
    length = struct.unpack("<Q", _take(stream, 8))[0]
    if length > _MAX_STRING:
        raise EOFError
    return _take(stream, length)


def _string(stream: BinaryIO) -> str:
    return _string_bytes(stream).decode("utf-8")


def _value(stream: BinaryIO, kind: int, *, distinct: bool = False) -> Any:
    if kind == _STRING:
        return _string(stream)
    if kind == _ARRAY:
        item, count = struct.unpack("<IQ", _take(stream, 12))
        if count > _MAX_ARRAY or item == _ARRAY:
            raise EOFError
        return _array(stream, item, count, distinct=distinct)
    if kind not in _SCALARS:
        raise EOFError
    code = _SCALARS[kind]
    return struct.unpack(code, _take(stream, struct.calcsize(code)))[0]


def _array(stream: BinaryIO, item: int, count: int, *, distinct: bool) -> list[Any] | None:
    """Short arrays as lists; long ones (vocabularies) are skipped."""
    if distinct and item == _STRING:
        _read_distinct(stream, count)
        return None
    if count <= _MAX_KEPT_ARRAY:
        return [_value(stream, item) for _ in range(count)]
    if item == _STRING:
        for _ in range(count):
            _string_bytes(stream)
    elif item in _SCALARS:
        stream.seek(count * struct.calcsize(_SCALARS[item]), 1)
    else:
        raise EOFError
    return None


def _read_distinct(stream: BinaryIO, count: int) -> None:
    """Skip a vocabulary; empty tokens get names of their own from llama.cpp."""
    seen: set[bytes] = set()
    for _ in range(count):
        token = _string_bytes(stream)
        if token and token in seen:
            raise _SameTokenError(token.decode("utf-8", "replace")[:60])
        seen.add(token)
