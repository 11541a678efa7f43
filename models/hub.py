"""Files of the Hugging Face hub: from its cache, without the network where they are there."""

from __future__ import annotations

import re

from ..errors import MissingDependencyError, ModelFileError, ModelReferenceError


def download(spec: str) -> str:
    """The path of a GGUF file, fetched if it isn't in the cache.

    Args:
        spec: `OWNER/NAME/FILE.gguf`, with folders before the file if it lies in some.

    Raises:
        ModelReferenceError: If it has another form.
        ModelFileError: If the hub can't be reached, or doesn't give it.
        MissingDependencyError: If huggingface-hub isn't installed.
    """
    repo, _, file = spec.rpartition("/")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+(?:/[\w./-]+)?", repo) or not file.endswith(".gguf"):
        raise ModelReferenceError(f"gguf:hf:{spec} isn't of the form gguf:hf:REPO/FILE.gguf.")
    owner, name, *folders = repo.split("/")
    repo, path = f"{owner}/{name}", "/".join([*folders, file])
    try:
        from huggingface_hub import hf_hub_download, try_to_load_from_cache
    except ImportError:
        raise MissingDependencyError(
            "gguf:hf: needs a package that isn't installed: pip install huggingface-hub."
        ) from None
    try:
        cached = try_to_load_from_cache(repo, path)
        if isinstance(cached, str):
            return cached
        _reach_hub(repo, path)
        return str(hf_hub_download(repo, path))
    except ModelFileError:
        raise
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "no reason given"
        raise ModelFileError(f"the hub doesn't give {file!r} of {repo}: {reason}") from None


def _reach_hub(repo: str, path: str) -> None:
    """Ask the hub about a file, once: a download goes on asking for 24 s.

    Raises:
        ModelFileError: If it can't be reached.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    try:
        get_hf_file_metadata(hf_hub_url(repo, path))
    except HfHubHTTPError:
        pass  # It can be reached, and the download says what is amiss.
    except Exception:
        name = path.rpartition("/")[2]
        raise ModelFileError(
            f"{name!r} isn't in the local cache and the hub can't be reached; go online once."
        ) from None
