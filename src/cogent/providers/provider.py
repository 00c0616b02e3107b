"""One vendor, and the endpoint that a call to it goes to."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from ..errors import ConfigurationError
from ..wire import Dialect, Quirks
from .addresses import split
from .credentials import Credential, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ("Endpoint", "Provider")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one call goes.

    Attributes:
        url: The whole URL.
        headers: All headers, the key's included; never printed.
        secret: The key, to be taken out of what the server repeats.
        secret_header: The header that carries it.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    secret: Secret | None = None
    secret_header: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A vendor.

    Attributes:
        name: What stands before the colon in ``provider:model``.
        dialect: The wire dialect that it speaks.
        base_url: Where its API is; ``None`` if the caller must say.
        base_url_env: The environment variable that overrides it.
        read_base_url: Reads that variable's own spelling into a URL.
        locate: Makes the URL of a base URL, the dialect's route and the model, where appending
            the route is not all there is to it.
        credentials: Ways to prove who one is; the first one whose variable is set is taken.
        key_required: Whether a call without a key makes sense.
        headers: Headers that every request has.
        env_headers: Headers that are sent where an environment variable is set.
        idempotency_header: The header for a random key that is the same on all tries of one call,
            where a server knows a request again by it and answers it once. No vendor's API for
            generation does; a gateway may.
        models: Patterns (with ``*``) of model names that are this vendor's without being told.
        quirks: How it differs from the dialect.
    """

    name: str
    dialect: Dialect
    base_url: str | None = None
    base_url_env: str | None = None
    read_base_url: Callable[[str], str] = str
    locate: Callable[[str, str, str], str] | None = None
    credentials: tuple[Credential, ...] = ()
    key_required: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    env_headers: Mapping[str, str] = field(default_factory=dict)
    idempotency_header: str | None = None
    models: tuple[str, ...] = ()
    quirks: Quirks = field(default_factory=Quirks)

    def endpoint(
        self,
        model: str,
        *,
        stream: bool = True,
        api_key: Secret | None = None,
        base_url: str | None = None,
        keyless: bool = False,
    ) -> Endpoint:
        """Work out where a call goes; the environment is read here and not before.

        Args:
            model: The model's name, without the provider's.
            stream: Whether the answer is to be streamed.
            api_key: Beats the environment.
            base_url: Beats the environment.
            keyless: No key is sent: something else proves who one is.

        Raises:
            ConfigurationError: No address or no key; the message names the variable to set.
        """
        base = base_url or self._base_url()
        _check(self.name, base, "base_url" if base_url else self.base_url_env or "base_url")
        route = self.dialect.route(model, stream)
        url = self.locate(base, route, model) if self.locate else _joined(base, route)
        headers = {
            "content-type": "application/json",
            "accept": self.dialect.accept if stream else "application/json",
            # Compression holds tokens back until its block is full.
            "accept-encoding": "identity",
            **self.dialect.headers,
            **self.headers,
        }
        for header, variable in self.env_headers.items():
            if _environment(variable):
                headers[header] = _environment(variable)
        if keyless:
            return Endpoint(url, headers)
        credential, secret = self._credential(api_key)
        if secret is None:
            return Endpoint(url, headers)
        headers[credential.header] = credential.scheme + secret.reveal()
        return Endpoint(url, headers, secret, credential.header)

    def has_key(self) -> bool:
        """Tell whether the environment holds a key for this vendor."""
        return any(_environment(credential.env) for credential in self.credentials)

    def _base_url(self) -> str:
        given = _environment(self.base_url_env) if self.base_url_env else ""
        if given:
            return self.read_base_url(given)
        if self.base_url is None:
            variable = f" or set {self.base_url_env}" if self.base_url_env else ""
            raise ConfigurationError(f"{self.name} has no address: give base_url={variable}")
        return self.base_url

    def _credential(self, api_key: Secret | None) -> tuple[Credential, Secret | None]:
        """Find the key, and how it is sent."""
        # A key that is given is a key; tokens, which have a scheme, come from the environment.
        keys = [credential for credential in self.credentials if not credential.scheme]
        first = (*keys, *self.credentials, Credential(""))[0]
        if api_key is not None:
            return first, api_key
        for credential in self.credentials:
            if _environment(credential.env):
                return credential, Secret(_environment(credential.env), source=credential.env)
        if self.key_required:
            names = " or ".join(credential.env for credential in self.credentials)
            raise ConfigurationError(f"{self.name} needs a key: set {names}, or give api_key=")
        return first, None


def _environment(variable: str) -> str:
    """Read a variable; an empty one counts as unset."""
    return os.environ.get(variable, "").strip()


@lru_cache
def _check(name: str, base: str, source: str) -> None:
    """Refuse what is no address to send a key to."""
    if "@" in base.split("://")[-1].split("/")[0]:
        raise ConfigurationError(
            f"the base_url of {name} holds a user name or password, which logs would show: send it "
            "in a header, with auth="
        )
    parts = split(base, source)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"{source} must be an http or https URL: scheme, host and path")


@lru_cache
def _joined(base: str, route: str) -> str:
    """Append a route to a base URL, keeping the path and the query that the base has.

    Relative resolution (RFC 3986) would drop the last segment of the base's path.
    """
    parts = urlsplit(base)
    path, _, query = route.partition("?")
    both = "&".join(part for part in (parts.query, query) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + path, both, ""))
