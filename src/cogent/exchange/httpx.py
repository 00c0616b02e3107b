"""The port, filled by ``httpx``: our own client, or a caller's ``httpx`` or ``httpx2`` client.

The one file that knows these libraries. Clients of either are used by what both offer, and their
exceptions are mapped by the phase in which they come: the same fault has different classes on
different loops. Cancelling the innermost read is the one way to leave a body early that unwinds
all of the library's nested generators at once, in this task, without a warning on trio.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Protocol

import anyio

from ..errors import (
    BadResponse,
    CogentError,
    ConfigurationError,
    ConnectFailed,
    NoResponse,
    ProviderError,
    StreamInterrupted,
    quoted,
)
from .port import DeadlineReached, Head, Interrupted
from .wait import Wait

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    from .port import Call

__all__ = ("CLOSE_SECONDS", "HTTPClient", "HTTPXTransport")

CLOSE_SECONDS = 2.0
"""Most time that closing a connection may take."""

_CONNECT_FAULTS = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"}
)


class _Response(Protocol):
    """What is used of a response of either library."""

    status_code: int

    @property
    def headers(self) -> Mapping[str, str]: ...
    def aiter_raw(self) -> AsyncIterator[bytes]: ...
    def aiter_bytes(self) -> AsyncIterator[bytes]: ...
    async def aclose(self) -> None: ...


class HTTPClient(Protocol):
    """What is used of a caller's client: ``httpx.AsyncClient`` and ``httpx2.AsyncClient`` fit."""

    def build_request(self, method: str, url: str, **options: object) -> object:
        """Make a request."""
        ...

    async def send(self, request: object, **options: object) -> _Response:
        """Send it."""
        ...

    async def aclose(self) -> None:
        """Close the client."""
        ...


class HTTPXTransport:
    """Makes exchanges on one client.

    Args:
        client: A caller's client: used, never closed. ``None`` makes one at the first exchange.
        max_connections: Most exchanges at a time on our own client. They queue here and never in
            the client's pool, which loses slots for good when a queued request is cancelled.
    """

    def __init__(self, client: HTTPClient | None = None, *, max_connections: int = 100) -> None:
        self._callers = client
        self._own: dict[bool, HTTPClient] = {}  # by whether it speaks TLS
        self._slots = anyio.Semaphore(max_connections) if client is None else None

    def exchange(self, call: Call) -> HTTPXExchange:
        """Prepare an exchange."""
        if self._callers is not None:
            return HTTPXExchange(self._callers, call, None)
        tls = call.url.startswith("https:")
        if tls not in self._own:
            self._own[tls] = _own_client(tls=tls)
        return HTTPXExchange(self._own[tls], call, self._slots)

    async def aclose(self) -> None:
        """Close our own connections."""
        while self._own:
            _, client = self._own.popitem()
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await client.aclose()


class HTTPXExchange:
    """One request and its answer; see `cogent.exchange.Exchange`."""

    def __init__(self, client: HTTPClient, call: Call, slots: anyio.Semaphore | None) -> None:
        self._client = client
        self._call = call
        self._slots = slots
        self._holds_slot = False
        self._response: _Response | None = None
        self._body: AsyncIterator[bytes] | None = None
        self._wait = Wait()

    async def head(self, deadline: float | None) -> Head:
        """Send the request and wait for the head of the answer."""
        try:
            response = await self._wait.run(deadline, self._send)
        except (DeadlineReached, Interrupted):
            raise
        except Exception as error:  # noqa: BLE001 - of two libraries, told apart by name
            raise _head_fault(error) from (None if _shows_headers(error) else error)
        self._response = response
        headers = {name.lower(): value for name, value in response.headers.items()}
        encoding = headers.get("content-encoding", "identity").lower()
        if encoding not in ("", "identity", "gzip", "deflate"):
            raise BadResponse(
                f"the answer is encoded as {quoted(encoding)}, which was not asked for"
            )
        plain = encoding in ("", "identity")
        self._body = response.aiter_raw() if plain else response.aiter_bytes()
        return Head(response.status_code, headers)

    async def receive(self, deadline: float | None) -> bytes:
        """Wait for the next bytes of the body; ``b""`` at its end."""
        body = self._body
        if body is None:
            return b""
        try:
            while True:
                data = await self._wait.run(deadline, body.__anext__)
                if data:
                    return data
        except StopAsyncIteration:
            self._body = None
            return b""
        except (DeadlineReached, Interrupted):
            raise
        except Exception as error:
            raise _body_fault(error) from error

    def interrupt(self) -> None:
        """Make the wait that is in progress, or the next one, raise `Interrupted`."""
        self._wait.interrupt()

    async def aclose(self) -> None:
        """Release the connection."""
        body, self._body = self._body, None
        response, self._response = self._response, None
        try:
            if body is not None:
                with anyio.CancelScope(shield=True) as scope:
                    scope.cancel()
                    with suppress(Exception):
                        while True:
                            await body.__anext__()
            if response is not None:
                with anyio.move_on_after(CLOSE_SECONDS, shield=True), suppress(Exception):
                    await response.aclose()
        finally:
            self._release_slot()

    def __del__(self) -> None:
        self._release_slot()

    def _release_slot(self) -> None:
        if self._holds_slot and self._slots is not None:
            self._holds_slot = False
            self._slots.release()

    async def _send(self) -> _Response:
        if self._slots is not None and not self._holds_slot:
            await self._slots.acquire()
            self._holds_slot = True
        call = self._call
        # The library's own limit is on the connection only; all other waits are bounded here.
        request = self._client.build_request(
            "POST",
            call.url,
            headers=dict(call.headers),
            content=call.body,
            timeout=(call.connect_timeout, None, None, None),
        )
        return await self._client.send(request, stream=True, follow_redirects=False)


@cache
def _tls_context() -> ssl.SSLContext:
    """Load the certificate authorities once: it costs 20 ms and more each time."""
    import httpx

    return httpx.create_ssl_context()


@cache
def _no_tls_context() -> ssl.SSLContext:
    """A context that trusts nobody, for clients that are never to speak TLS; costs nothing."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _own_client(*, tls: bool) -> HTTPClient:
    import httpx

    # Proxies of the environment are honoured, except for this machine itself.
    direct: dict[str, httpx.AsyncBaseTransport | None] = {
        "all://127.0.0.1": None,
        "all://localhost": None,
        "all://[::1]": None,
    }
    return httpx.AsyncClient(  # type: ignore[return-value]
        verify=_tls_context() if tls else _no_tls_context(),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
        timeout=None,  # noqa: S113 - bounded by the deadlines of each wait
        mounts=direct,
    )


def _shows_headers(error: Exception) -> bool:
    """Tell whether an exception's text may repeat a header, and so a key."""
    return type(error).__name__ == "LocalProtocolError"


def _head_fault(error: Exception) -> CogentError:
    name = type(error).__name__
    if _shows_headers(error) or name in ("InvalidURL", "UnicodeEncodeError"):
        return ConfigurationError("the request cannot be sent: its URL or a header is malformed")
    told = quoted(str(error)) or name
    if name in _CONNECT_FAULTS:
        fault: ProviderError = ConnectFailed(f"cannot connect: {told}")
        if "CERTIFICATE" in told.upper():
            fault.retryable = False
        return fault
    if name == "RemoteProtocolError" and "disconnected" not in told:
        return BadResponse(f"the answer is not HTTP: {told}")
    return NoResponse(f"the connection ended before an answer came: {told}")


def _body_fault(error: Exception) -> ProviderError:
    told = quoted(str(error)) or type(error).__name__
    if type(error).__name__ == "DecodingError":
        return BadResponse(f"the body's encoding is broken: {told}")
    return StreamInterrupted(f"the connection broke in the body: {told}")
