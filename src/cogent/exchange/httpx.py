"""The port, filled by ``httpx``: our own client, or a caller's ``httpx`` or ``httpx2`` client.

Clients of either library are used by what both offer. Cancelling the innermost read is the one
way to leave a body early that unwinds all of the library's nested generators at once, in this
task, without a warning on trio.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import anyio

from ..errors import BadResponse, ProviderError, UsageError, quoted
from ..hosts import is_loopback
from .content_coding import ContentDecoder
from .faults import (
    body_fault,
    forget_locals,
    head_fault,
    malformed,
    proxy_refusal,
    shows_headers,
)
from .guard import check_allowed
from .http2 import reset_left_streams
from .own_client import OwnClients
from .port import DeadlineReached, Head, Interrupted
from .slots import Slot, Slots
from .start import safe_start
from .wait import Wait

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .port import Call

__all__ = ("CLOSE_SECONDS", "MAX_BODY_BYTES", "HTTPClient", "HTTPXTransport")

MAX_BODY_BYTES = 1024 * 1024 * 1024
"""Most bytes of one answer, unpacked: what an answer comes to is held in memory."""

CLOSE_SECONDS = 2.0
"""Most time that closing a connection may take."""


_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
"""What a header is made of (RFC 9110, section 5). On HTTP/2 the libraries would send anything."""


class _Response(Protocol):
    """What is used of a response of either library."""

    status_code: int

    @property
    def reason_phrase(self) -> str: ...
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
    """Makes exchanges on a caller's client, or on our own.

    Calls queue here, for a `Slot`, and never in the client's pool, which loses connections for
    good when a queued request is cancelled.

    Args:
        client: A caller's client: used without limit, never closed.
        own: Makes our own clients, at the first exchange that needs them, if there is no caller's.
        slots: Limits the exchanges on our own clients.
    """

    def __init__(
        self,
        client: HTTPClient | None = None,
        *,
        own: OwnClients | None = None,
        slots: Slots | None = None,
    ) -> None:
        self._callers = client
        self._make = own or OwnClients()
        self._own: dict[tuple[bool, bool], HTTPClient] = {}  # by whether it is for TLS, and local
        self._slots = slots or Slots()
        self._closed = False

    def exchange(self, call: Call) -> HTTPXExchange:
        """Prepare an exchange.

        Raises:
            UsageError: The transport was closed; nobody would close another connection.
        """
        if self._closed:
            raise UsageError("this Client was closed while a call was under way")
        check_allowed(call.url)
        if self._callers is not None:
            return HTTPXExchange(self._callers, call, None)
        parts = urlsplit(call.url)
        kind = tls, local = parts.scheme == "https", is_loopback(parts.hostname)
        if kind not in self._own:
            self._own[kind] = self._make.make(tls=tls, local=local)
        return HTTPXExchange(self._own[kind], call, self._slots.slot(call.url))

    async def aclose(self) -> None:
        """Close our own connections."""
        self._closed = True
        while self._own:
            _, client = self._own.popitem()
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await client.aclose()


class HTTPXExchange:
    """One request and its answer; see `cogent.exchange.Exchange`."""

    def __init__(self, client: HTTPClient, call: Call, slot: Slot | None) -> None:
        self._client = client
        self._call = call
        self._slot = slot
        self._request: Any = None  # the library's own type
        self._response: _Response | None = None
        self._body: AsyncIterator[bytes] | None = None
        self._whole = False
        self._decoder: ContentDecoder | None = None
        self._left = MAX_BODY_BYTES
        self._wait = Wait()

    async def head(self, deadline: float | None) -> Head:
        """Send the request and wait for the head of the answer."""
        bad = _illegal(self._call.headers)
        if bad is not None:
            raise malformed(bad)
        try:
            response = await self._wait.run(deadline, self._send)
        except (DeadlineReached, Interrupted):
            raise
        except Exception as error:  # noqa: BLE001 - of two libraries, told apart by name
            fault = head_fault(error)
            fault.__cause__ = None if shows_headers(error) else error
        else:
            return self._begin(response)
        raise fault  # out here, so that what shows a header is not its context either

    def _begin(self, response: _Response) -> Head:
        self._response = response
        if response.status_code == 407:
            raise proxy_refusal(f"407 {quoted(response.reason_phrase)}")
        headers = {name.lower(): value for name, value in response.headers.items()}
        if {"content-length", "transfer-encoding"} <= headers.keys():
            # RFC 9112, section 6.3: so answers are smuggled.
            raise BadResponse("the answer tells its length in two ways, as chunks and as a number")
        encoding = headers.get("content-encoding", "identity").lower()
        if encoding in ("gzip", "deflate"):
            # The library's own decoder gives all that a read unpacks to at once, and would abandon
            # its generators where the data is broken.
            self._decoder = ContentDecoder()
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
            data = await self._next(body, deadline)
        except (DeadlineReached, Interrupted, ProviderError):
            raise
        except Exception as error:
            forget_locals(error)
            raise body_fault(error) from error
        self._left -= len(data)
        if self._left < 0:
            raise BadResponse(f"the body goes on beyond the limit of {MAX_BODY_BYTES} bytes")
        return data

    async def _next(self, body: AsyncIterator[bytes], deadline: float | None) -> bytes:
        decoder = self._decoder
        while True:
            data = decoder.step() if decoder is not None else b""
            if data:
                return data
            try:
                data = await self._wait.run(deadline, body.__anext__)
            except StopAsyncIteration:
                self._body = None
                self._whole = True
                if decoder is not None:
                    decoder.close()
                return b""
            if decoder is not None:
                decoder.feed(data)
            elif data:
                return data

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
            if self._request is not None and not self._whole:
                with anyio.move_on_after(CLOSE_SECONDS, shield=True), suppress(Exception):
                    await reset_left_streams(self._client, self._request)
        finally:
            if self._slot is not None:
                self._slot.release()

    async def _send(self) -> _Response:
        if self._slot is not None:
            await self._slot.acquire()
        call = self._call
        # The library's own limit is on the connection only; all other waits are bounded here.
        self._request = self._client.build_request(
            "POST",
            call.url,
            headers=dict(call.headers),
            content=call.body,
            timeout=(call.connect_timeout, None, None, None),
        )
        body = self._request.stream.__class__
        self._request.stream = _without_generator(body)(call.body)
        with anyio.CancelScope() as scope:
            trace = safe_start(self._client, self._request.url, scope)
            self._request.extensions["trace"] = trace
            try:
                return await self._client.send(self._request, stream=True, follow_redirects=False)
            except BaseException as error:
                forget_locals(error)
                raise
        raise AssertionError  # nobody cancels this scope


def _illegal(headers: Mapping[str, str]) -> str | None:
    """Give the name of a header that cannot be sent.

    Here, so that no value is a local variable of a frame that waits, which a traceback may show.
    """
    for name, value in headers.items():
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            return name
    return None


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
