"""What the calls of an application share: connections, deadlines, and how to try again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from .errors import UsageError
from .exchange.httpx import HTTPXTransport
from .retry import RetryPolicy
from .settings import Timeouts

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from anyio.abc import TaskGroup

    from .exchange import Transport
    from .exchange.httpx import HTTPClient

__all__ = ("Client",)


class Client:
    """Connections that all agents and models of an application use together.

    Use it as an async context manager, on one event loop::

        async with Client() as client:
            agent = Agent(model="gpt-4o", client=client)

    Without one, each run has connections of its own, closed with it.

    Args:
        http_client: A caller's ``httpx.AsyncClient`` or ``httpx2.AsyncClient``, used by what it
            can do (proxies, HTTP/2, certificates) and never closed.
        max_connections: Most calls at a time on our own connections; more wait their turn.
        timeouts: How long to wait.
        retry: When to try again.
    """

    def __init__(
        self,
        *,
        http_client: HTTPClient | None = None,
        max_connections: int = 100,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.timeouts = timeouts or Timeouts()
        self.retry = retry or RetryPolicy()
        self._http_client = http_client
        self._max_connections = max_connections
        self._transport: Transport | None = None
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        if self._transport is not None:
            raise UsageError("this Client is open already")
        self._transport = self.make_transport()
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
            UsageError: The client is not open.
        """
        if self._transport is None:
            raise UsageError("this Client is not open: use it within `async with client:`")
        return self._transport

    def make_transport(self) -> Transport:
        """Make connections of the kind that this client was asked for."""
        return HTTPXTransport(self._http_client, max_connections=self._max_connections)
