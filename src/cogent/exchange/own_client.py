"""Our own ``httpx`` clients: proxy, HTTP/2.

The one file that imports the library, and late: it costs 70 ms.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .network import put_under
from .tls import default_context, given_context

if TYPE_CHECKING:
    import ssl
    from http.cookiejar import CookieJar

    import httpx

    from .tls import Cert, Verify

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
        self._context = given_context(verify, cert)
        self._proxy = None if proxy is None else self._read_proxy(proxy)

    def context(self) -> ssl.SSLContext:
        """Give the certificates for connections of HTTP/1.1 that are not made by the library."""
        context = self._context or default_context(http2=False)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def make(self, *, tls: bool, local: bool = False) -> httpx.AsyncClient:
        """Make a client.

        Args:
            tls: Whether it will speak TLS to its hosts; else it loads no certificates.
            local: Whether its hosts are this machine, to which no proxy of the environment leads.
        """
        import httpx

        client = httpx.AsyncClient(
            verify=(self._context or default_context(self._http2)) if tls else _no_context(),
            http2=self._http2 and tls,
            proxy=self._proxy,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
            timeout=None,  # noqa: S113 - bounded by the deadlines of each wait
            trust_env=not local,
            cookies=_no_cookies(),
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
            proxy.ssl_context = self._context or default_context(self._http2)
        return proxy


def _no_cookies() -> CookieJar:
    """Make a jar that takes none: what one answer sets would go with calls of other keys."""
    from http.cookiejar import CookieJar, DefaultCookiePolicy  # the library has loaded it

    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


@cache
def _no_context() -> ssl.SSLContext:
    """A context that trusts nobody, for clients that are never to speak TLS; costs nothing."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
