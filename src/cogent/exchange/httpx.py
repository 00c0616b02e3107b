"""The port, filled by ``httpx``: our own client, or a caller's ``httpx`` or ``httpx2`` client.

Clients of either library are used by what both offer. Cancelling the innermost read is the one
way to leave a body early that unwinds all of the library's nested generators at once, in this
task, without a warning on trio.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import anyio

from ..errors import ProviderError, UsageError, quoted
from ..hosts import is_loopback
from . import body_sent
from .content_coding import Content
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
from .rules import CLOSE_SECONDS, illegal_header
from .slots import Slot, Slots
from .start import Start
from .wait import Wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .http_client import HTTPClient, HTTPResponse
    from .port import Call
    from .watchdog import Watchdog

__all__ = ("HTTPXTransport",)


class HTTPXTransport:
    """Makes exchanges on a caller's client, or on our own.

    Calls queue here, for a `Slot`, and never in the client's pool, which loses connections for
    good when a queued request is cancelled.

    Args:
        client: A caller's client: used without limit, never closed.
        own: Makes our own clients, at the first exchange that needs them, if there is no caller's.
        slots: Limits the exchanges on our own clients.
        watchdog: Ends reads at their deadlines; without one, each read has a cancel scope.
    """

    def __init__(
        self,
        client: HTTPClient | None = None,
        *,
        own: OwnClients | None = None,
        slots: Slots | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._callers = client
        self._watchdog = watchdog
        self._make = own or OwnClients()
        self._own: dict[tuple[bool, bool], HTTPClient] = {}  # by whether it is for TLS, and local
        self._slots = slots or Slots()
        self._closed = False

    def exchange(self, call: Call) -> HTTPXExchange:
        """Prepare an exchange.

        Raises:
            UsageError: The transport was closed; nobody would close another connection. Or the
                caller's client was.
        """
        if self._closed:
            raise UsageError("this Client was closed while a call was under way")
        check_allowed(call.url)
        if self._callers is not None:
            if getattr(self._callers, "is_closed", False):
                raise UsageError("the http_client was closed: close it after the last call")
            return HTTPXExchange(self._callers, call, None, self._watchdog)
        parts = urlsplit(call.url)
        kind = tls, local = parts.scheme == "https", is_loopback(parts.hostname)
        if kind not in self._own:
            self._own[kind] = self._make.make(tls=tls, local=local)
        slot = self._slots.slot(call.url)
        return HTTPXExchange(self._own[kind], call, slot, self._watchdog)

    async def aclose(self) -> None:
        """Close our own connections."""
        self._closed = True
        while self._own:
            _, client = self._own.popitem()
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await client.aclose()


class HTTPXExchange:
    """One request and its answer; see `cogent.exchange.Exchange`."""

    __slots__ = (
        "_body",
        "_call",
        "_client",
        "_content",
        "_request",
        "_response",
        "_slot",
        "_start",
        "_wait",
        "_watchdog",
        "_whole",
    )

    def __init__(
        self,
        client: HTTPClient,
        call: Call,
        slot: Slot | None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._client = client
        self._call = call
        self._slot = slot
        self._watchdog = watchdog
        self._request: Any = None  # the library's own type
        self._start: Start | None = None
        self._response: HTTPResponse | None = None
        self._body: AsyncIterator[bytes] | None = None
        self._whole = False
        self._content: Content | None = None
        self._wait = Wait()

    async def head(self, deadline: float | None) -> Head:
        """Send the request and wait for the head of the answer."""
        bad = illegal_header(self._call.headers)
        if bad is not None:
            raise malformed(bad)
        try:
            response = await self._wait.run(deadline, self._send)
        except (DeadlineReached, Interrupted):
            raise
        except Exception as error:  # noqa: BLE001 - of two libraries, told apart by name
            if type(error).__name__ == "HTTPStatusError":  # raised by a hook of the caller's
                answer = cast("Any", error).response
                if answer.request is self._request:  # and not by one that asks another server
                    return self._begin(answer)
            fault = head_fault(error)
            fault.__cause__ = None if shows_headers(error) else error
        else:
            return self._begin(response)
        raise fault  # out here, so that what shows a header is not its context either

    def _begin(self, response: HTTPResponse) -> Head:
        self._response = response
        del self._call  # its body may be long
        if response.status_code == 407:
            raise proxy_refusal(f"407 {quoted(response.reason_phrase)}")
        headers = {name.lower(): value for name, value in response.headers.items()}
        if response.is_stream_consumed:  # by a hook, or a transport for tests: it is kept, unpacked
            self._content, self._body = Content({}), response.aiter_bytes()
        else:
            # The library's own decoder gives all that a read unpacks to at once, and would abandon
            # its generators where the data is broken.
            self._content, self._body = Content(headers), response.aiter_raw()
        if self._watchdog is not None:
            self._wait.follow(self._watchdog.watch(_own_socket(response)))
        return Head(response.status_code, headers)

    async def receive(self, deadline: float | None) -> bytes:
        """Wait for the next bytes of the body; ``b""`` at its end."""
        body, content = self._body, self._content
        if body is None or content is None:
            return b""
        try:
            data = content.rest() if content.packed else b""
            while not data:
                with self._wait.until(deadline):
                    data = await body.__anext__()
                data = content.take(data)
            return data
        except (DeadlineReached, Interrupted, ProviderError):
            raise
        except StopAsyncIteration:
            self._body, self._whole = None, True
            self._wait.follow(None)  # the connection may serve another call by now
            content.close()
            return b""
        except Exception as error:
            forget_locals(error)
            raise body_fault(error) from error

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
            try:  # asyncio's own cancelling minds no shield, here or above
                if self._start is not None and not self._whole:
                    with anyio.move_on_after(CLOSE_SECONDS, shield=True), suppress(Exception):
                        await self._start.close_left()
                        await reset_left_streams(self._start.connection, self._request)
            finally:
                if self._slot is not None:
                    self._slot.release()

    async def _send(self) -> HTTPResponse:
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
        body_sent.without_generator(self._request, call.body)
        with anyio.CancelScope() as scope:
            self._start = Start(self._client, self._request, scope)
            try:
                return await self._client.send(self._request, stream=True, follow_redirects=False)
            except BaseException as error:
                forget_locals(error)
                raise
            finally:
                self._start.end()
                body_sent.forget(self._request)
        raise AssertionError("nobody cancels this scope")


def _own_socket(response: HTTPResponse) -> object:
    """Give the socket that serves this answer alone, where there is one: not on HTTP/2."""
    stream = response.extensions.get("network_stream")
    if stream is None or response.extensions.get("http_version") != b"HTTP/1.1":
        return None
    return stream.get_extra_info("socket")
