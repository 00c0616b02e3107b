"""Our own clients: proxies, certificates, and options that cannot be."""

from __future__ import annotations

import base64
import logging
import ssl
import traceback
from contextlib import asynccontextmanager
from importlib import util

import pytest

from cogent.errors import ConfigurationError, ConnectFailed
from cogent.exchange import Call
from cogent.exchange.httpx import HTTPXTransport
from cogent.exchange.own_client import OwnClients
from tests.support.cancelling import cancelled_at_each_wait
from tests.support.proxy import Proxy
from tests.support.script_server import document, forever, read, send

from .reading import whole

HELLO = forever(read, send(document(200, b"Hello")))
SECRET = "open-sesame"


@asynccontextmanager
async def opened(**options):
    """Give a transport with clients of our own."""
    transport = HTTPXTransport(own=OwnClients(**options))
    try:
        yield transport
    finally:
        await transport.aclose()


async def ask(transport, url: str) -> bytes:
    return await whole(transport.exchange(Call(url, {}, b"prompt")))


def shown(error: BaseException) -> str:
    """Give all that a log could show of an error."""
    return "".join(traceback.format_exception(error, chain=True)) + repr(error)


# Certificates.


async def test_no_cookies(serve):
    """A session that a gateway opened for one key is not shown with the next one."""
    server = serve(forever(read, send(document(200, b"Hello", set_cookie="session=1; Path=/"))))
    async with opened() as transport:
        assert [await ask(transport, server.url) for _ in range(2)] == [b"Hello", b"Hello"]
    assert not [r for r in server.requests if "cookie" in r.headers]
    assert len(server.requests) == 2


async def test_private_ca(serve, certificates):
    """A server that a CA of the caller's own vouches for is trusted, given the CA in any way."""
    server = serve(HELLO, tls=certificates.for_server())
    context = ssl.create_default_context(cafile=certificates.ca)
    for verify in (certificates.ca, str(certificates.ca), context):
        async with opened(verify=verify) as transport:
            assert await ask(transport, server.url) == b"Hello"


async def test_unknown_ca(serve, certificates):
    """Without it nothing is sent, it is not tried again, and the error says what to do."""
    server = serve(HELLO, tls=certificates.for_server())
    async with opened() as transport:
        with pytest.raises(ConnectFailed, match=r"not trusted.*verify=") as caught:
            await ask(transport, server.url)
    assert caught.value.retryable is False
    assert not server.requests


async def test_client_certificate(serve, certificates):
    """A server that wants to know its clients is shown the certificate."""
    server = serve(HELLO, tls=certificates.for_server(ask_client=True))
    for cert in (certificates.client, (certificates.client, certificates.client)):
        async with opened(verify=certificates.ca, cert=cert) as transport:
            assert await ask(transport, server.url) == b"Hello"


async def test_no_client_certificate(serve, certificates):
    """Without one the error says what to do, and it is not tried again."""
    server = serve(HELLO, tls=certificates.for_server(ask_client=True))
    async with opened(verify=certificates.ca) as transport:
        with pytest.raises(ConnectFailed, match="cert=") as caught:
            await ask(transport, server.url)
    assert caught.value.retryable is False
    assert not server.requests


async def test_cancelled_while_it_connects_by_a_proxy(serve, certificates):
    """Wherever a call is cancelled on its way through a tunnel, no socket stays open."""
    server = serve(HELLO, tls=certificates.for_server())

    async def one() -> bytes:
        async with opened(verify=context, proxy=proxy.url()) as transport:
            return await ask(transport, server.url)

    context = ssl.create_default_context(cafile=certificates.ca)
    with Proxy() as proxy:
        assert await cancelled_at_each_wait(one) > 5


# Proxies.


async def test_forward_proxy(serve):
    """Calls over plain HTTP go through the proxy, those to this machine too."""
    server = serve(HELLO)
    with Proxy() as proxy:
        async with opened(proxy=proxy.url()) as transport:
            assert await ask(transport, server.url) == b"Hello"
        assert proxy.heads[0].startswith(f"POST {server.url} ")


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_tunnel(serve, certificates, tls):
    """Calls over TLS go through a tunnel; the proxy itself may be spoken to over TLS."""
    context = certificates.for_server()
    server = serve(HELLO, tls=context)
    with Proxy(tls=context if tls else None) as proxy:
        async with opened(proxy=proxy.url(), verify=certificates.ca) as transport:
            assert await ask(transport, server.url) == b"Hello"
        assert proxy.heads[0].startswith(f"CONNECT {server.origin} ")


@pytest.mark.parametrize(
    ("tls", "refusal", "retryable"),
    [
        (False, "407 Proxy Authentication Required", False),
        (True, "407 Proxy Authentication Required", False),
        (True, "403 Forbidden", False),
        (True, "502 Bad Gateway", True),
    ],
)
async def test_proxy_refuses(serve, certificates, caplog, tls, refusal, retryable):
    """A proxy's refusal is a connection in vain; credentials went to it, and nowhere else."""
    caplog.set_level(logging.DEBUG)
    server = serve(HELLO, tls=certificates.for_server() if tls else None)
    with Proxy(refusal) as proxy:
        async with opened(proxy=proxy.url(f"me:{SECRET}@"), verify=certificates.ca) as transport:
            with pytest.raises(ConnectFailed, match=refusal) as caught:
                await ask(transport, server.url)
            assert SECRET not in repr(transport._own) + repr(vars(transport._make))
        login = base64.b64encode(f"me:{SECRET}".encode()).decode()
        assert f"proxy-authorization: basic {login}".lower() in proxy.heads[0].lower()
    assert caught.value.retryable is retryable
    for text in (shown(caught.value), caplog.text):
        assert SECRET not in text
        assert login not in text
    assert not server.requests


async def test_proxy_is_not_there(serve):
    """A proxy that cannot be reached is a connection in vain, and may come back."""
    async with opened(proxy=f"http://me:{SECRET}@127.0.0.1:1") as transport:
        with pytest.raises(ConnectFailed) as caught:
            await ask(transport, "https://api.test/v1")
    assert caught.value.retryable
    assert SECRET not in shown(caught.value)


async def test_proxy_of_the_environment(serve, monkeypatch):
    """The environment's proxy is used, except for this machine; an own one takes its place."""
    server = serve(HELLO)
    with Proxy("407 No") as proxy, Proxy() as other:
        monkeypatch.setenv("HTTP_PROXY", proxy.url())
        async with opened() as transport:
            assert await ask(transport, server.url) == b"Hello"
            with pytest.raises(ConnectFailed, match="407"):
                await ask(transport, "http://api.test/v1")
        async with opened(proxy=other.url()) as transport:
            assert await ask(transport, server.url) == b"Hello"
        assert (len(proxy.heads), len(other.heads)) == (1, 1)


# Options that cannot be.


@pytest.mark.parametrize(
    "url",
    [
        f"me:{SECRET}@host:3128",
        f"ftp://me:{SECRET}@host",
        f"http://me:{SECRET}@",
        f"http://me@host:{SECRET}",
        "",
    ],
)
def test_proxy_that_is_no_url(url):
    """It is refused at once, and not repeated."""
    with pytest.raises(ConfigurationError, match="proxy must be a URL") as caught:
        OwnClients(proxy=url)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    ("options", "missing", "mend"),
    [
        ({"http2": True}, "h2", r"pip install 'cogent-stream\[http2\]'"),
        ({"proxy": "socks5://host"}, "socksio", r"pip install 'httpx\[socks\]'"),
    ],
)
def test_missing_package(monkeypatch, options, missing, mend):
    """What an option needs is looked for at once, and the error says how to get it."""
    find = util.find_spec
    monkeypatch.setattr(
        "cogent.exchange.own_client.find_spec",
        lambda name: None if name == missing else find(name),
    )
    with pytest.raises(ConfigurationError, match=mend):
        OwnClients(**options)


def test_certificates_that_are_none(certificates, tmp_path):
    """Files that are not there or hold something else are refused at once."""
    empty = tmp_path / "empty.pem"
    empty.touch()
    for path in (empty, tmp_path / "absent.pem"):
        with pytest.raises(ConfigurationError, match=f"no CA certificates in .*{path.name}"):
            OwnClients(verify=path)
        with pytest.raises(ConfigurationError, match="cert must be"):
            OwnClients(cert=path)
    context = ssl.create_default_context(cafile=certificates.ca)
    with pytest.raises(ConfigurationError, match="load_cert_chain"):
        OwnClients(verify=context, cert=certificates.client)


def test_nothing_is_sent_unverified_by_a_slip():
    """There is no switch for it; who wants that makes a context."""
    with pytest.raises(ConfigurationError, match="not False; to check nothing, make an SSLContext"):
        OwnClients(verify=False)
