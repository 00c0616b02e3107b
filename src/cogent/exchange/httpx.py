"""The port, filled by ``httpx``: our own client, or a caller's ``httpx`` or ``httpx2`` client.

The one file that knows these libraries. Clients of either are used by what both offer, and their
exceptions are mapped by the phase in which they come: the same fault has different classes on
different loops. Cancelling the innermost read is the one way to leave a body early that unwinds
all of the library's nested generators at once, in this task, without a warning on trio.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from ..errors import (
    BadResponse,
    CogentError,
    ConfigurationError,
    ConnectFailed,
    NoResponse,
    ProviderError,
    StreamInterrupted,
    UsageError,
    quoted,
)
from .port import DeadlineReached, Head, Interrupted
from .wait import Wait

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

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
    async def aclose(self) -> None: ...


class HTTPClient(Protocol):
    """What is used of a caller's client: ``httpx.AsyncClient`` and ``httpx2.AsyncClient`` fit."""

    # The request is the library's own type, made by one method and taken by the other.
    def build_request(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        content: bytes,
        timeout: tuple[float | None, float | None, float | None, float | None],
    ) -> Any:
        """Make a request."""
        ...

    async def send(self, request: Any, *, stream: bool, follow_redirects: bool) -> _Response:
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
        self._closed = False

    def exchange(self, call: Call) -> HTTPXExchange:
        """Prepare an exchange.

        Raises:
            UsageError: The transport was closed; nobody would close another connection.
        """
        if self._closed:
            raise UsageError("this Client was closed while a call was under way")
        if self._callers is not None:
            return HTTPXExchange(self._callers, call, None)
        tls = call.url.startswith("https:")
        if tls not in self._own:
            self._own[tls] = _own_client(tls=tls)
        return HTTPXExchange(self._own[tls], call, self._slots)

    async def aclose(self) -> None:
        """Close our own connections."""
        self._closed = True
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
        self._decompress: Callable[[bytes], bytes] | None = None
        self._wait = Wait()

    async def head(self, deadline: float | None) -> Head:
        """Send the request and wait for the head of the answer."""
        try:
            response = await self._wait.run(deadline, self._send)
        except (DeadlineReached, Interrupted):
            raise
        except Exception as error:  # noqa: BLE001 - of two libraries, told apart by name
            fault = _head_fault(error)
            fault.__cause__ = None if _shows_headers(error) else error
        else:
            return self._begin(response)
        raise fault  # out here, so that what shows a header is not its context either

    def _begin(self, response: _Response) -> Head:
        self._response = response
        headers = {name.lower(): value for name, value in response.headers.items()}
        encoding = headers.get("content-encoding", "identity").lower()
        if encoding in ("gzip", "deflate"):
            # The library's own decoder would abandon its generators where the data is broken.
            self._decompress = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress
        elif encoding not in ("", "identity"):
            raise BadResponse(
                f"the answer is encoded as {quoted(encoding)}, which was not asked for"
            )
        self._body = response.aiter_raw()
        return Head(response.status_code, headers)

    async def receive(self, deadline: float | None) -> bytes:
        """Wait for the next bytes of the body; ``b""`` at its end."""
        body = self._body
        if body is None:
            return b""
        try:
            while True:
                data = await self._wait.run(deadline, body.__anext__)
                if self._decompress is not None:
                    data = self._decompress(data)
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
        request.stream = _without_generator(request.stream.__class__)(call.body)
        return await self._client.send(request, stream=True, follow_redirects=False)


class _Once(AsyncIterator[bytes]):
    """Gives one item. Unlike a generator it can be left anywhere."""

    def __init__(self, item: bytes) -> None:
        self._items = iter((item,))

    async def __anext__(self) -> bytes:
        for item in self._items:
            return item
        raise StopAsyncIteration


@cache
def _without_generator(body: type) -> type:
    """Make of either library's request body one that is iterated without a generator.

    A call that is cancelled while its body is sent would leave the generator to the collector,
    and trio complains about it.
    """
    return type(body.__name__, (body,), {"__aiter__": lambda self: _Once(b"".join(self))})


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
    return httpx.AsyncClient(
        verify=_tls_context() if tls else _no_tls_context(),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
        timeout=None,  # noqa: S113 - bounded by the deadlines of each wait
        mounts=direct,
    )


def _shows_headers(error: Exception) -> bool:
    """Tell whether an exception's text may repeat a header, and so a key."""
    return type(error).__name__ in ("LocalProtocolError", "UnicodeEncodeError")


def _head_fault(error: Exception) -> CogentError:
    name = type(error).__name__
    if _shows_headers(error) or name == "InvalidURL":
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
    if isinstance(error, zlib.error):
        return BadResponse(f"the body's encoding is broken: {told}")
    return StreamInterrupted(f"the connection broke in the body: {told}")
