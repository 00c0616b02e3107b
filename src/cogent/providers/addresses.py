"""Addresses as some vendors' own environment variables and users spell them."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from urllib.parse import SplitResult, quote, urlsplit

from ..errors import ConfigurationError
from ..hosts import is_loopback

__all__ = (
    "aws_region",
    "aws_url",
    "azure_url",
    "groq_base_url",
    "is_exposed",
    "ollama_host",
    "ollama_v1",
    "split",
)


@lru_cache
def is_exposed(url: str) -> bool:
    """Tell whether what is sent to a URL can be read on the way: plain http beyond this machine."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname)


def split(url: str, source: str) -> SplitResult:
    """Split a URL into its parts.

    Args:
        url: What was given.
        source: Where it came from, for error messages.

    Raises:
        ConfigurationError: Its host or its port is none. What it is, is not shown: a key or a
            password may have come there by mistake.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigurationError(
            f"the host in {source} is malformed; an IPv6 address stands in brackets"
        ) from None
    try:
        parts.port  # noqa: B018 - it is read here to be checked
    except ValueError:
        raise ConfigurationError(f"the port in {source} is no number up to 65535") from None
    return parts


def ollama_host(value: str) -> str:
    """Read ``OLLAMA_HOST``, which may lack scheme, port or both.

    A bare host has port 11434; with a scheme, the scheme's own port. A bare IPv6 address needs no
    brackets. An address to bind to is not one to call: 0.0.0.0 means this machine.
    """
    value = value.strip().rstrip("/")
    bare = "://" not in value
    if bare:
        host, slash, path = value.partition("/")
        is_ipv6 = host.count(":") > 1 and "[" not in host
        value = f"http://{f'[{host}]' if is_ipv6 else host}{slash}{path}"
    parts = split(value, "OLLAMA_HOST")
    host = parts.hostname or "127.0.0.1"
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - read, not bound
    host = f"[{host}]" if ":" in host else host
    port = parts.port or (11434 if bare else None)
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"


def ollama_v1(value: str) -> str:
    """Read ``OLLAMA_HOST`` as the address of Ollama's OpenAI-compatible API."""
    return f"{ollama_host(value)}/v1"


def groq_base_url(value: str) -> str:
    """Read ``GROQ_BASE_URL``, which may lack ``/openai/v1``."""
    path = split(value, "GROQ_BASE_URL").path.strip("/")
    return value if path else value.rstrip("/") + "/openai/v1"


def aws_region() -> str:
    """Give the region of the environment: ``AWS_REGION``, or else ``AWS_DEFAULT_REGION``."""
    found = (os.environ.get(name, "").strip() for name in ("AWS_REGION", "AWS_DEFAULT_REGION"))
    return next(filter(None, found), "")


def aws_url(base: str, route: str, model: str) -> str:
    """Work out the URL of a call to AWS.

    Args:
        base: An address, in which ``{region}`` stands for that of the environment.
        route: The dialect's route; the model is in it.
        model: Not looked at.
    """
    if "{region}" in base:
        region = aws_region()
        if not re.fullmatch(r"[a-z0-9-]+", region):
            raise ConfigurationError(
                f"{region!r} is no AWS region: set AWS_REGION, or give base_url="
            )
        base = base.replace("{region}", region)
    return base.rstrip("/") + route


def azure_url(base: str, route: str, model: str) -> str:
    """Work out the URL of an Azure OpenAI call.

    With an ``api-version`` (in ``base``, or in ``OPENAI_API_VERSION``) it is the classic address:
    chat under the deployment, Responses beside it. Without one it is the v1 address.

    Args:
        base: The endpoint of the resource, as ``https://NAME.openai.azure.com``, or any address
            that was copied from a working call.
        route: The dialect's route.
        model: The name of the deployment.
    """
    parts = urlsplit(base)
    origin = f"{parts.scheme}://{parts.netloc}"
    path = parts.path.rstrip("/").removesuffix(route)
    if path not in ("", "/openai") and not path.startswith("/openai/deployments/"):
        # The v1 address, or a gateway's own.
        return f"{origin}{path}{route}{f'?{parts.query}' if parts.query else ''}"
    version = os.environ.get("OPENAI_API_VERSION", "").strip()
    query = parts.query or (f"api-version={quote(version)}" if version else "")
    if "api-version" not in query:
        return f"{origin}/openai/v1{route}"
    under = f"/deployments/{quote(model, safe='')}" if route == "/chat/completions" else ""
    return f"{origin}/openai{under}{route}?{query}"
