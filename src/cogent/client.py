"""What the calls of an application share: connections, deadlines, and how to try again."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import current_token

from .call.retry import RetryPolicy
from .call.shared import Shared
from .errors import ConfigurationError, UsageError
from .exchange.httpx import HTTPXTransport
from .exchange.own_client import OwnClients
from .exchange.slots import Slots
from .exchange.watchdog import Watchdog
from .settings import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Literal, Self, TypeAlias

    from anyio.abc import TaskGroup

    from .exchange import Transport
    from .exchange.http_client import HTTPClient
    from .exchange.tls import Cert, Verify

    Around: TypeAlias = "Callable[[Transport], Transport]"

__all__ = ("Client", "ClientStats")

_KINDS = ("httpx", "direct")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientStats:
    """How the calls of a `Client` fare.

    Attributes:
        open: Calls that have a connection, or are getting one.
        queued: Calls that wait for their turn, because as many as may run do. With a caller's
            ``http_client`` nobody waits here, and those that wait in its pool count as open.
        stalled: Of both, those whose reader has waited too long for content. A reader that does
            something else meanwhile is not waiting.
        retried: Tries after the first one, since the client was made.
        unknown_events: Events that were passed over, because their type is unknown or because
            they came after the end, in all answers since then that have ended. If it grows, a
            provider has begun to send something new.
    """

    open: int
    queued: int
    stalled: int
    retried: int
    unknown_events: int


class Client:
    """Connections that all agents and models of an application use together.

    Use it as an async context manager, in one task, whatever the tasks that make calls::

        async with Client() as client:
            agent = Agent(model="gpt-4o", client=client)

    Without one, each run has connections of its own, closed with it.

    Besides, all of its calls count against one retry quota for each host and key, see
    `RetryPolicy`, and what one has learnt of a server the others know: a field of the request
    that it refuses is left out from then on. Agents and models without a client keep that each
    for themselves. All of them may be used by many tasks at once; a client belongs to its event
    loop and its process.

    The connections are our own, for which the first options are, or a caller's ``http_client``.
    Our own calls queue before the pool of connections. A caller's pool does its own queueing,
    and ``httpx`` loses a connection for good where a call is cancelled while it queues there: in
    time every call waits for one in vain, until its deadline. Give it
    ``limits=Limits(max_connections=None)``, or more connections than calls are made at a time.

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
        transport: What moves the bytes: ``"httpx"``, or ``"direct"``, which speaks HTTP/1.1 on
            sockets of our own, with 20 to 50 % less CPU time for an event that comes alone.
            ``None`` asks the environment, ``COGENT_TRANSPORT``, and takes ``"httpx"`` where it
            says nothing. What ``"direct"`` does not do goes through ``httpx``: calls for which
            the environment names a proxy, and, where it was the environment that chose, all calls
            of a client with ``proxy``, ``http2`` or ``http_client``. A function is given the
            transport that would be used, and gives one to use instead: around it or in its place,
            closed like it. It is called whenever the client is opened, and for each run that has
            connections of its own.
        timeouts: How long to wait.
        retry: When to try again.

    Raises:
        ConfigurationError: An option cannot be used, lacks a package, or comes with one that it
            excludes, such as any of our own connections with ``http_client``.
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
        transport: Literal["httpx", "direct"] | Around | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.timeouts = timeouts or Timeouts()
        self.retry = retry or RetryPolicy()
        if http_client is not None and not hasattr(http_client, "aclose"):
            raise ConfigurationError(
                "http_client must be an httpx.AsyncClient or httpx2.AsyncClient, not "
                f"{type(http_client).__name__}"
            )
        options = (proxy, verify, cert, http2, max_connections_per_host, max_connections)
        if http_client is not None and options != (None, True, None, False, 100, None):
            raise ConfigurationError(
                "proxy, verify, cert, http2 and the limits are for our own connections: "
                "set them on http_client itself"
            )
        self._around = transport if callable(transport) else None
        needs_httpx = proxy is not None or http2 or http_client is not None
        self._is_direct = _is_direct(None if callable(transport) else transport, needs_httpx)
        self._own = OwnClients(proxy=proxy, verify=verify, cert=cert, http2=http2)
        self._http_client = http_client
        self._limits = (max_connections_per_host, max_connections)
        self._slots = Slots(*self._limits)  # says now what is wrong with them
        self.shared = Shared()
        self._transport: Transport | None = None
        self._tasks: TaskGroup | None = None
        self._home: tuple[int, object] | None = None  # the process and the event loop

    async def __aenter__(self) -> Self:
        if self._transport is not None:
            raise UsageError("this Client is open already")
        self._slots = Slots(*self._limits)
        watchdog = Watchdog()
        self._transport = self.make_transport(self._slots, watchdog)
        self._home = (os.getpid(), current_token())
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(watchdog.run)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        transport, self._transport, self._home = self._transport, None, None
        tasks, self._tasks = self._tasks, None
        try:
            if tasks is not None:
                # Its tasks never fail, so what the caller raised leaves as it is, in no group.
                tasks.cancel_scope.cancel()
                await tasks.__aexit__(None, None, None)  # noqa: ASYNC102 - no scope may be between
        except RuntimeError as error:  # of its cancel scope
            raise UsageError(
                "this Client was opened by another task, or before a task group or cancel scope "
                "that is still open: close it where it was opened, as `async with` does; in a "
                "test, use a fixture of anyio's pytest plugin, which has one task for it"
            ) from error
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
            UsageError: As for `transport`.
        """
        self._check_here()
        assert self._tasks is not None
        return self._tasks

    @property
    def transport(self) -> Transport:
        """The open connections.

        Raises:
            UsageError: The client is not open, or was opened on another event loop or in another
                process.
        """
        self._check_here()
        assert self._transport is not None
        return self._transport

    def stats(self, *, stalled_after: float = 60.0) -> ClientStats:
        """Tell how the calls fare, for a dashboard or a health check.

        Args:
            stalled_after: From how many seconds without content on a call counts as stalled.

        Raises:
            UsageError: As for `transport`.
        """
        self._check_here()
        now = anyio.current_time()
        calls, queued = tuple(self.shared.open), self._slots.queued
        return ClientStats(
            open=len(calls) - queued,
            queued=queued,
            stalled=sum(call.waiting(now) > stalled_after for call in calls),
            retried=self.shared.retried,
            unknown_events=self.shared.unknown_events,
        )

    def make_transport(
        self, slots: Slots | None = None, watchdog: Watchdog | None = None
    ) -> Transport:
        """Make connections of the kind that this client was asked for.

        Args:
            slots: Limits its calls; ``None`` makes them new ones.
            watchdog: Ends their reads at their deadlines; without one, each has a cancel scope.
        """
        slots = slots or Slots(*self._limits)
        made: Transport = HTTPXTransport(
            self._http_client, own=self._own, slots=slots, watchdog=watchdog
        )
        if self._is_direct:
            from .exchange.direct import DirectTransport

            context = self._own.context
            made = DirectTransport(context, slots=slots, by_proxy=made, watchdog=watchdog)
        return made if self._around is None else self._around(made)

    def _check_here(self) -> None:
        if self._home is None:
            raise UsageError("this Client is not open: use it within `async with client:`")
        process, loop = self._home
        if process != os.getpid():
            raise UsageError(
                "this Client was opened before a fork, and its connections are the parent's: open "
                "one in each process, after the fork"
            )
        with suppress(RuntimeError):  # outside of any loop there is no token
            if loop == current_token():
                return
        raise UsageError(
            "this Client is open on another event loop: open one on each loop, and ask it there"
        )


def _is_direct(asked: str | None, needs_httpx: bool) -> bool:
    """Tell whether calls go over sockets of our own.

    Args:
        asked: What the caller asked for; ``None``: the environment is asked.
        needs_httpx: Other options take ``httpx``.

    Raises:
        ConfigurationError: There is no such transport, or those options exclude it.
    """
    place = "transport" if asked is not None else "COGENT_TRANSPORT"
    chosen = asked if asked is not None else os.environ.get(place) or "httpx"
    if chosen not in _KINDS:
        raise ConfigurationError(f"{place} must be one of {', '.join(_KINDS)}, not {chosen!r}")
    if asked == "direct" and needs_httpx:
        raise ConfigurationError(
            "transport='direct' speaks HTTP/1.1 itself, without a proxy: leave out proxy, http2 "
            "and http_client, or say transport='httpx'"
        )
    return chosen == "direct" and not needs_httpx
