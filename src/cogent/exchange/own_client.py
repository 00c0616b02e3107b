"""Our own ``httpx`` clients: proxy, certificates, HTTP/2.

The one file that imports the library, and late: it costs 70 ms.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .network import put_under

if TYPE_CHECKING:
    import ssl
    from typing import Literal, TypeAlias

    import httpx

    Verify: TypeAlias = "ssl.SSLContext | str | os.PathLike[str] | Literal[True]"
    StrPath: TypeAlias = "str | os.PathLike[str]"
    Cert: TypeAlias = "StrPath | tuple[StrPath, StrPath] | tuple[StrPath, StrPath, str]"

__all__ = ("OwnClients",)


class OwnClients:
    """Makes clients, each with connections of its own; for the arguments see `cogent.Client`.

    Raises:
        ConfigurationError: An argument cannot be used, or needs a package that is missing.
    """

    def __init__(
        self,
        *,
        proxy: str | None = None,
        verify: Verify = True,
        cert: Cert | None = None,
        http2: bool = False,
    ) -> None:
        if http2 and find_spec("h2") is None:
            raise ConfigurationError(
                "http2=True needs the package h2: pip install 'cogent-stream[http2]'"
            )
        self._http2 = http2
        self._context = _context(verify, cert)
        self._proxy = None if proxy is None else self._read_proxy(proxy)

    def make(self, *, tls: bool, local: bool = False) -> httpx.AsyncClient:
        """Make a client.

        Args:
            tls: Whether it will speak TLS to its hosts; else it loads no certificates.
            local: Whether its hosts are this machine, to which no proxy of the environment leads.
        """
        import httpx

        client = httpx.AsyncClient(
            verify=(self._context or _default_context(self._http2)) if tls else _no_context(),
            http2=self._http2 and tls,
            proxy=self._proxy,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
            timeout=None,  # noqa: S113 - bounded by the deadlines of each wait
            trust_env=not local,
        )
        put_under(client, whole_writes=self._http2 and tls)
        return client

    def _read_proxy(self, url: str) -> httpx.Proxy:
        """Read a proxy's URL. It is in no error, for it may hold a password."""
        import httpx

        proxy = None
        with suppress(TypeError, ValueError, httpx.InvalidURL):
            proxy = httpx.Proxy(url)
        if proxy is None or not proxy.url.host:
            raise ConfigurationError("proxy must be a URL such as 'http://user:password@host:3128'")
        scheme = proxy.url.scheme
        if scheme.startswith("socks") and find_spec("socksio") is None:
            raise ConfigurationError(
                f"a {scheme} proxy needs the package socksio: pip install 'httpx[socks]'"
            )
        if scheme == "https":
            proxy.ssl_context = self._context or _default_context(self._http2)
        return proxy


@cache
def _default_context(http2: bool) -> ssl.SSLContext:
    """Load the certificate authorities once: it costs 20 ms and more each time.

    Each protocol has a context of its own, because the library writes into it which it may use.
    """
    import httpx

    return httpx.create_ssl_context()


@cache
def _no_context() -> ssl.SSLContext:
    """A context that trusts nobody, for clients that are never to speak TLS; costs nothing."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _context(verify: Verify, cert: Cert | None) -> ssl.SSLContext | None:
    """Load what a caller gave; ``None`` stands for the shared default."""
    if verify is True and cert is None:
        return None
    import ssl

    if isinstance(verify, ssl.SSLContext):
        if cert is not None:
            raise ConfigurationError(
                "verify is an SSLContext: load cert into it, with its load_cert_chain()"
            )
        return verify
    if verify is True:
        import httpx

        context = httpx.create_ssl_context()
    elif isinstance(verify, (str, os.PathLike)):
        context = _trusting(verify)
    else:
        raise ConfigurationError(
            f"verify must be a file or folder of CA certificates, or an ssl.SSLContext, and not "
            f"{verify!r}; to check nothing, make an SSLContext that does not"
        )
    if cert is not None:
        _load_cert(context, cert)
    return context


def _trusting(path: StrPath) -> ssl.SSLContext:
    import ssl

    try:
        if os.path.isdir(path):
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as error:  # an SSLError is one
        raise ConfigurationError(f"verify: no CA certificates in {str(path)!r}: {error}") from error


def _load_cert(context: ssl.SSLContext, cert: Cert) -> None:
    given = cert if isinstance(cert, tuple) else (cert,)
    chain, key = given[0], given[1] if len(given) > 1 else None
    # Without any password OpenSSL would ask for one on the terminal.
    password = given[2] if len(given) > 2 else ""
    try:
        context.load_cert_chain(chain, key, lambda: password)
    except OSError as error:
        raise ConfigurationError(
            "cert must be a file with certificate and key, (certificate, key), or "
            f"(certificate, key, password), in PEM: {error}"
        ) from error
