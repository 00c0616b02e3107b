"""Every vendor by name, and which one a model string means."""

from __future__ import annotations

from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from ..wire import ANTHROPIC, OLLAMA, OPENAI_CHAT, Quirks
from .credentials import Credential
from .provider import Provider

__all__ = ("provider_names", "register_provider", "resolve")


def _ollama_host(value: str) -> str:
    """Read ``OLLAMA_HOST``, which may lack scheme, port or both.

    A bare host has port 11434; with a scheme, the scheme's own port. An address to bind to is
    not one to call: 0.0.0.0 means this machine.
    """
    value = value.strip().rstrip("/")
    bare = "://" not in value
    parts = urlsplit(f"http://{value}" if bare else value)
    host = parts.hostname or "127.0.0.1"
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - read, not bound
    host = f"[{host}]" if ":" in host else host
    port = parts.port or (11434 if bare else None)
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"


_PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        Provider(
            name="openai",
            dialect=OPENAI_CHAT,
            base_url="https://api.openai.com/v1",
            base_url_env="OPENAI_BASE_URL",
            credentials=(Credential("OPENAI_API_KEY"),),
            env_headers={
                "openai-organization": "OPENAI_ORG_ID",
                "openai-project": "OPENAI_PROJECT_ID",
            },
            models=("gpt-*", "chatgpt-*", "o1", "o1-*", "o3", "o3-*", "o4-*"),
        ),
        Provider(
            name="anthropic",
            dialect=ANTHROPIC,
            base_url="https://api.anthropic.com",
            base_url_env="ANTHROPIC_BASE_URL",
            credentials=(
                Credential("ANTHROPIC_API_KEY", "x-api-key", ""),
                Credential("ANTHROPIC_AUTH_TOKEN"),
            ),
            models=("claude-*",),
        ),
        Provider(
            name="ollama",
            dialect=OLLAMA,
            base_url="http://127.0.0.1:11434",
            base_url_env="OLLAMA_HOST",
            read_base_url=_ollama_host,
            credentials=(Credential("OLLAMA_API_KEY"),),
            key_required=False,
        ),
        Provider(
            name="openai-compatible",
            dialect=OPENAI_CHAT,
            key_required=False,
            quirks=Quirks(max_tokens_field="max_tokens"),
        ),
    )
}


def register_provider(provider: Provider) -> None:
    """Add a vendor, or replace one of the same name.

    Args:
        provider: The vendor. Its name may hold no colon.

    Raises:
        ConfigurationError: The name cannot stand before the colon of a model string.
    """
    if not provider.name or ":" in provider.name or provider.name != provider.name.lower():
        raise ConfigurationError(
            f"a provider's name is lower case and has no colon, not {provider.name!r}"
        )
    _PROVIDERS[provider.name] = provider


def provider_names() -> tuple[str, ...]:
    """Give the names of all vendors that are registered."""
    return tuple(_PROVIDERS)


def resolve(model: str) -> tuple[Provider, str]:
    """Find which vendor and which of its models a string means.

    Args:
        model: ``provider:model`` (the first colon divides), or a bare name that is known to be
            one vendor's. Compared without case; the model's name is passed on as it is.

    Returns:
        The vendor and the model's name.

    Raises:
        ConfigurationError: No vendor is meant, or more than one; the message lists the choices.
    """
    head, colon, rest = model.partition(":")
    known = _PROVIDERS.get(head.lower()) if colon else None
    if known is not None:
        if not rest:
            raise ConfigurationError(f"{model!r} names no model: write {head}:MODEL")
        return known, rest
    name = model.lower()
    fitting = [
        provider
        for provider in _PROVIDERS.values()
        if any(fnmatchcase(name, pattern) for pattern in provider.models)
    ]
    if len(fitting) == 1:
        return fitting[0], model
    choices = ", ".join(f"{p.name}:{model}" for p in fitting or _PROVIDERS.values())
    told = "could be several providers'" if fitting else "is no known provider's"
    raise ConfigurationError(f"the model {model!r} {told}: write one of {choices}")
