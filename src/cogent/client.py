"""What the calls of an application share: connections, deadlines, and how to try again."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING

import anyio

from .call.retry import RetryPolicy
from .errors import ConfigurationError, UsageError
from .exchange.httpx import HTTPXTransport
from .exchange.own_client import OwnClients
from .exchange.slots import Slots
from .settings import Timeouts

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from anyio.abc import TaskGroup

    from .exchange import Transport
    from .exchange.httpx import HTTPClient
    from .exchange.own_client import Cert, Verify

__all__ = ("Client",)


class Client:
    """Connections that all agents and models of an application use together.

    Use it as an async context manager, on one event loop::

        async with Client() as client:
            agent = Agent(model="gpt-4o", client=client)

    Without one, each run has connections of its own, closed with it.

    The connections are our own, for which the first options are, or a caller's ``http_client``.

    Args:
        proxy: URL of a proxy for all calls, to this machine too: ``http``, ``https``, or with
            ``httpx[socks]`` ``socks5``. It may hold credentials, which are shown nowhere.
            ``None`` asks the environment, and goes to this machine directly.
        verify: Who vouches for a server: a file or folder of CA certificates in PEM, instead of
            the public ones, or an ``ssl.SSLContext``, whose ALPN protocols are then set.
        cert: The certificate to show to a server: one PEM file with certificate and key,
            ``(certificate, key)``, or ``(certificate, key, password)``.
        http2: Speak HTTP/2 with servers that do, over TLS; takes ``cogent-stream[http2]``. The
            calls to one host are then streams of one connection. Leaving one early resets that
            stream alone; but a server that ends the connection, even in an orderly way
            (GOAWAY), breaks all calls that are on it.
        max_connections_per_host: Most calls at a time to one host; more wait their turn. It
            counts calls, also where HTTP/2 needs fewer connections for them.
        max_connections: Most calls at a time to all hosts; ``None`` sets no limit.
        http_client: A caller's ``httpx.AsyncClient`` or ``httpx2.AsyncClient``, used by what it
            can do and never closed.
        timeouts: How long to wait.
        retry: When to try again.

    Raises:
        ConfigurationError: An option cannot be used, lacks a package, or comes with
            ``http_client``.
    """

    def __init__(
        self,
        *,
        proxy: str | None = None,
        verify: Verify = True,
        cert: Cert | None = None,
        http2: bool = False,
        max_connections_per_host: int = 100,
        max_connections: int | None = None,
        http_client: HTTPClient | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.timeouts = timeouts or Timeouts()
        self.retry = retry or RetryPolicy()
        options = (proxy, verify, cert, http2, max_connections_per_host, max_connections)
        if http_client is not None and options != (None, True, None, False, 100, None):
            raise ConfigurationError(
                "proxy, verify, cert, http2 and the limits are for our own connections: "
                "set them on http_client itself"
            )
        self._own = OwnClients(proxy=proxy, verify=verify, cert=cert, http2=http2)
        self._http_client = http_client
        self._limits = (max_connections_per_host, max_connections)
        Slots(*self._limits)  # says now what is wrong with them
        self._transport: Transport | None = None
        self._tasks: TaskGroup | None = None
        self._thread: int | None = None

    async def __aenter__(self) -> Self:
        if self._transport is not None:
            raise UsageError("this Client is open already")
        self._transport = self.make_transport()
        self._thread = get_ident()
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        transport, self._transport = self._transport, None
        tasks, self._tasks = self._tasks, None
        try:
            if tasks is not None:
                # Its tasks never fail, so what the caller raised leaves as it is, in no group.
                tasks.cancel_scope.cancel()
                await tasks.__aexit__(None, None, None)  # noqa: ASYNC102 - no scope may be between
        finally:
            if transport is not None:
                await transport.aclose()

    @property
    def is_callers(self) -> bool:
        """Whether the connections are those of a caller's ``http_client``."""
        return self._http_client is not None

    @property
    def tasks(self) -> TaskGroup:
        """The library's only task group: what runs beside a reader lives here.

        Raises:
            UsageError: The client is not open.
        """
        if self._tasks is None:
            raise UsageError("this Client is not open: use it within `async with client:`")
        return self._tasks

    @property
    def transport(self) -> Transport:
        """The open connections.

        Raises:
            UsageError: The client is not open, or on another event loop.
        """
        if self._transport is None:
            raise UsageError("this Client is not open: use it within `async with client:`")
        if self._thread != get_ident():
            raise UsageError("this Client is open on the event loop of another thread")
        return self._transport

    def make_transport(self) -> Transport:
        """Make connections of the kind that this client was asked for."""
        return HTTPXTransport(self._http_client, own=self._own, slots=Slots(*self._limits))
