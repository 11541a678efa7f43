"""Chat models behind an HTTP API: hosted services and servers of one's own.

Hidden retries are switched off: retrying is the caller's, who counts and budgets it.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from ..errors import MissingDependencyError, ModelReferenceError, UserError, first_line

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

DEFAULT_TIMEOUT = 120.0
DIRECTLY = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}
"""httpx's mounts by which this machine itself is never asked through the environment's proxy: the
question would leave it."""
_URL_PROVIDERS = ("openai", "ollama", "anthropic")
_WITH_URL = re.compile(r"(?P<model>.+?)\s*@\s*(?P<url>https?://[^\s/]+\S*)", re.IGNORECASE)
# A name may have an @ itself, as `claude-sonnet@20250514`.
_HOST = re.compile(
    r"@\s*(?:localhost|\d+(?:\.\d+){3}|[\w.-]+\.[a-z]{2,}|[\w.-]+:\d+)(?![^:/])", re.IGNORECASE
)


def hosted_chat_model(
    ref: str,
    *,
    api_key_env: str | None = None,
    timeout: float | None = None,
    n_ctx: int | None = None,
) -> BaseChatModel:
    """A chat model for `PROVIDER:MODEL` or `PROVIDER:MODEL@URL`.

    With a URL the user's own OPENAI_API_KEY (or OLLAMA_API_KEY, ANTHROPIC_AUTH_TOKEN ...) is never
    sent: the key is `api_key_env`'s, else DECOMPOSE_API_KEY, else a dummy. OPENAI_PROXY and
    OPENAI_CUSTOM_HEADERS, too, are for OpenAI's own service alone.

    `n_ctx` is for Ollama, which cuts a text that is longer than its context without a word.

    Raises:
        ModelReferenceError: If the provider is unknown or the URL isn't one.
        MissingDependencyError: If the provider's package isn't installed.
        UserError: If the key is missing.
    """
    match = _WITH_URL.fullmatch(ref)
    provider, _, model = (match["model"] if match else ref).partition(":")
    # As LangChain reads it: what isn't known for openai here must not be openai there.
    provider = provider.strip().replace("-", "_").lower()
    # A mistyped URL must never turn into a call of the provider's own service.
    at_a_host = provider in _URL_PROVIDERS or "://" in ref or _HOST.search(ref)
    suspect = not match and "@" in ref and at_a_host
    if suspect or not model.strip():
        raise ModelReferenceError(
            f"{without_credentials(ref)!r} isn't PROVIDER:MODEL or PROVIDER:MODEL@http(s)://..."
        )
    url = match["url"] if match else None
    own = url and (os.environ.get("DECOMPOSE_API_KEY") or "no-key")
    key = _named_key(api_key_env) if api_key_env else own
    options = _options(provider, url, key, timeout or DEFAULT_TIMEOUT, n_ctx)
    chat_model = _init(provider, model, options)
    # Others' models may ask by OpenAI's client, as DeepSeek's does.
    others = provider not in ("openai", "azure_openai")
    if others and getattr(chat_model, "openai_proxy", None):
        chat_model = _init(provider, model, options | {"openai_proxy": None})
    # Its own bound on each chunk, of 120 s, whatever the time that a call has.
    _set_to_none(chat_model, "stream_chunk_timeout")
    if url and provider == "anthropic":
        _set_to_none(chat_model, "anthropic_proxy")  # Its clients are made on first use.
        _forget_account(chat_model, "_client", "_async_client")
    elif url or others:
        _forget_account(chat_model, "root_client", "root_async_client")
    return chat_model


def _options(
    provider: str, url: str | None, key: str | None, seconds: float, n_ctx: int | None
) -> dict[str, Any]:
    """What a provider's class of LangChain is made with: no hidden retries, no longer than that."""
    options: dict[str, Any] = {"base_url": url} if url else {}
    if provider == "ollama":
        # Without this header its client sends OLLAMA_API_KEY, whichever the server.
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        options["client_kwargs"] = {"timeout": seconds, "headers": headers, "mounts": DIRECTLY}
        return options | ({"num_ctx": n_ctx} if n_ctx else {})
    # Google's counts attempts, and takes 0 for its default of five.
    options["max_retries"] = 1 if provider == "google_genai" else 0
    if provider != "openrouter":  # By its version in milliseconds or seconds; callers keep time.
        options["timeout"] = seconds
    if key:
        options["api_key"] = key
    return options | (_openai_options(url, seconds) if provider == "openai" else {})


def _openai_options(url: str | None, seconds: float) -> dict[str, Any]:
    proxy = None if url else os.environ.get("OPENAI_PROXY") or None
    options = {
        "stream_usage": True,
        # LangChain takes either clients or a proxy.
        "openai_proxy": None,
        # LangChain's own socket options switch off httpx's reading of proxy settings.
        "http_socket_options": (),
        **_clients(seconds, proxy),
    }
    return options | ({"use_responses_api": False} if url else {})


def without_credentials(ref: str) -> str:
    """The reference without a user name and password in its URL."""
    return re.sub(r"(?<=://)[^/\s]*@", "", ref)


def is_variable(name: str) -> bool:
    """Whether it looks like a variable's name, not like a key that was put in its place.

    Example:
        >>> is_variable("DESK_KEY"), is_variable("sk-1f2e")
        (True, False)
    """
    return bool(re.fullmatch(r"[A-Z_][A-Z0-9_]*", name))


def _named_key(name: str) -> str:
    key = os.environ.get(name)
    if not key and not is_variable(name):
        raise UserError(
            "api_key_env names the environment variable that holds the model's key, and none is "
            "called so; it isn't the place for the key itself."
        )
    if not key:
        raise UserError(f"the environment variable {name} holds the model's key, but isn't set.")
    return key


def _init(provider: str, model: str, options: dict[str, Any]) -> BaseChatModel:
    from langchain.chat_models import init_chat_model

    try:
        return init_chat_model(model, model_provider=provider, **options)
    except ImportError as error:
        package = getattr(error, "name", None) or f"langchain-{provider}"
        package = package.replace("_", "-")
        raise MissingDependencyError(
            f"the provider {provider!r} needs what isn't installed: pip install {package}."
        ) from None
    except Exception as error:
        text = str(error).strip()
        if "api_key" in text or "API_KEY" in text:
            # Google's is GOOGLE_API_KEY, its provider's name google_genai.
            named = re.search(r"\b[A-Z][A-Z0-9_]*_API_KEY\b", text)
            variable = named[0] if named else f"{provider.upper()}_API_KEY"
            raise UserError(
                f"{provider} needs a key: set {variable}, or choose another model."
            ) from None
        reason = first_line(error)
        if "Unsupported provider" in text or "Unable to infer" in text:
            reason = f"LangChain knows no provider {provider!r}"
        raise ModelReferenceError(f"{provider}:{model} can't be used: {reason}.") from None


def _clients(timeout: float, proxy: str | None) -> dict[str, Any]:
    """Bounded HTTP clients."""
    from .http_clients import BoundedClient, BoundedClientPerLoop

    try:
        return {
            "http_client": BoundedClient(timeout, proxy),
            "http_async_client": BoundedClientPerLoop(timeout, proxy),
        }
    except (ImportError, ValueError) as error:
        raise UserError(f"the proxy that the environment names can't be used: {error}") from None
    except OSError as error:
        raise UserError(
            f"the certificates can't be read ({error.strerror}); mend or unset SSL_CERT_FILE."
        ) from None


def _forget_account(chat_model: Any, *clients: str) -> None:
    """Keep from another server what the environment holds for OpenAI's or Anthropic's own.

    That is organisation, project and token, and OPENAI_CUSTOM_HEADERS and its like, which may
    hold a key.
    """
    _set_to_none(chat_model, "openai_organization")
    for client in filter(None, (getattr(chat_model, name, None) for name in clients)):
        _set_to_none(client, "organization", "project", "auth_token")
        client._custom_headers = getattr(chat_model, "default_headers", None) or {}


def _set_to_none(thing: Any, *names: str) -> None:
    for name in names:
        if getattr(thing, name, None) is not None:
            setattr(thing, name, None)
