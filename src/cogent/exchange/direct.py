"""The port, filled by sockets of our own: HTTP/1.1 on ``anyio``'s byte streams.

``h11`` writes the request and reads the head of the answer; the body, which comes in hundreds of
small reads, goes past it. What this does not do, HTTP/2 and proxies, ``httpx`` does.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import anyio

from ..errors import NoResponse, ProviderError, UsageError, quoted
from ..hosts import is_loopback
from .content_coding import Content
from .direct_head import ask, origin_of
from .direct_pool import Pool
from .faults import body_fault, connect_fault, forget_locals, head_fault, malformed, shows_headers
from .guard import check_allowed
from .port import DeadlineReached, Head, Interrupted
from .rules import illegal_header
from .wait import Wait

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from ..errors import CogentError
    from .direct_head import Answer
    from .direct_pool import Connection, Origin
    from .port import Call, Exchange, Transport
    from .slots import Slot, Slots
    from .watchdog import Watchdog

__all__ = ("DirectTransport",)


class DirectTransport:
    """Makes exchanges on sockets of our own.

    Args:
        context: Gives the certificates to trust, when they are needed first.
        slots: Limits the exchanges.
        by_proxy: Makes the exchanges with other machines, where the environment names a proxy.
        watchdog: Ends reads at their deadlines; without one, each read has a cancel scope.
    """

    def __init__(
        self,
        context: Callable[[], ssl.SSLContext],
        *,
        slots: Slots,
        by_proxy: Transport,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._pool = Pool(context)
        self._slots = slots
        self._by_proxy = by_proxy
        self._watchdog = watchdog

    def exchange(self, call: Call) -> Exchange:
        """Prepare an exchange.

        Raises:
            ConfigurationError: The URL is none.
            UsageError: The transport was closed; nobody would close another connection.
        """
        if self._pool.closed:
            raise UsageError("this Client was closed while a call was under way")
        check_allowed(call.url)
        origin = origin_of(call.url)
        scheme = "https" if origin.tls else "http"
        if not is_loopback(origin.host) and not self._proxied.isdisjoint((scheme, "all")):
            return self._by_proxy.exchange(call)
        slot = self._slots.slot(call.url)
        return DirectExchange(self._pool, origin, call, slot, self._watchdog)

    async def aclose(self) -> None:
        """Close all connections."""
        try:
            await self._pool.aclose()
        finally:
            await self._by_proxy.aclose()

    @cached_property
    def _proxied(self) -> frozenset[str]:
        """The schemes for which the environment names a proxy; ``httpx`` knows for which hosts."""
        from urllib.request import getproxies  # costs 20 ms

        return frozenset(scheme for scheme, url in getproxies().items() if url)


class DirectExchange:
    """One request and its answer; see `cogent.exchange.Exchange`."""

    def __init__(
        self, pool: Pool, origin: Origin, call: Call, slot: Slot, watchdog: Watchdog | None
    ) -> None:
        self._pool = pool
        self._origin = origin
        self._call = call
        self._slot = slot
        self._watchdog = watchdog
        self._wait = Wait()
        self._connection: Connection | None = None
        self._answer: Answer | None = None
        self._content: Content | None = None

    async def head(self, deadline: float | None) -> Head:
        """Send the request and wait for the head of the answer."""
        bad = illegal_header(self._call.headers)
        if bad is not None:
            raise malformed(bad)
        try:
            answer = await self._wait.run(deadline, self._ask)
        except (DeadlineReached, Interrupted):
            raise
        except Exception as error:  # noqa: BLE001 - of sockets, TLS and h11, told apart by phase
            fault = self._fault(error)
            fault.__cause__ = None if shows_headers(error) else error
        else:
            del self._call  # its body may be long
            self._content = Content(answer.headers)
            self._answer = answer
            if self._watchdog is not None and self._connection is not None:
                self._wait.follow(self._watchdog.watch(self._connection.socket))
            return Head(answer.status, answer.headers)
        raise fault  # out here, so that what shows a header is not its context either

    async def receive(self, deadline: float | None) -> bytes:
        """Wait for the next bytes of the body; ``b""`` at its end."""
        answer, connection, content = self._answer, self._connection, self._content
        if answer is None or connection is None or content is None:
            return b""
        body, stream = answer.body, connection.stream
        try:
            data = content.rest() if content.packed else b""
            while not data:
                if answer.begun:
                    data, answer.begun = answer.begun, b""
                elif body.over:
                    body.check()
                    content.close()
                    return b""
                else:
                    with self._wait.until(deadline):
                        data = body.feed(await stream.receive())
                data = content.take(data)
            return data
        except (DeadlineReached, Interrupted, ProviderError):
            raise
        except anyio.EndOfStream as end:
            try:
                body.close()
            except ProviderError as fault:
                raise fault from end
            return await self.receive(deadline)
        except Exception as error:
            forget_locals(error)
            raise body_fault(error) from error

    def interrupt(self) -> None:
        """Make the wait that is in progress, or the next one, raise `Interrupted`."""
        self._wait.interrupt()

    async def aclose(self) -> None:
        """Release the connection."""
        connection, self._connection = self._connection, None
        answer, self._answer = self._answer, None
        try:
            if connection is None:
                return
            whole = answer is not None and answer.reusable and answer.body.exact
            if whole and not self._wait.was_ended:
                self._wait.follow(None)
                await self._pool.give(connection)
            else:
                await self._pool.drop(connection)
        finally:
            self._slot.release()

    async def _ask(self) -> Answer:
        await self._slot.acquire()
        connection = await self._pool.take(self._origin)
        if connection is None:
            connection = await self._pool.connect(self._origin, self._call.connect_timeout)
        self._connection = connection
        try:
            return await ask(connection.stream, self._origin, self._call)
        except BaseException as error:
            forget_locals(error)
            raise

    def _fault(self, error: Exception) -> CogentError:
        ended = isinstance(error, anyio.EndOfStream)
        if self._connection is None:
            said = "the server ends it in the TLS handshake" if ended else ""
            said = "ConnectTimeout" if isinstance(error, TimeoutError) else said
            return connect_fault(quoted(said or str(error) or type(error).__name__))
        if ended or isinstance(error, anyio.BrokenResourceError | anyio.ClosedResourceError):
            said = "" if ended else quoted(str(error.__cause__ or ""))
            said = said or "Server disconnected without sending a response."
            return NoResponse(f"the connection ended before an answer came: {said}")
        return head_fault(error)
