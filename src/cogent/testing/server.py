"""The emulator itself: a server in a thread of its own, so that any client can talk to it."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from anyio import CancelScope, create_task_group, create_tcp_listener, to_thread
from anyio.abc import SocketAttribute, SocketListener
from anyio.from_thread import start_blocking_portal

from ..errors import UsageError
from .connection import Connection
from .record import Record
from .script import Script

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from types import TracebackType
    from typing import Self

    from anyio.abc import SocketStream

    from .record import EmulatedRequest
    from .script import Replies

__all__ = ("Emulator",)

_WAIT_SECONDS = 5.0
"""How long a test waits by default: all that it waits for is on one machine."""

_HOST = "127.0.0.1"


class Emulator:
    """An emulated provider on loopback, for every dialect, with faults on demand.

    Use it as a context manager, plain or ``async``. It runs in a thread of its own, so blocking
    clients and clients on any event loop can talk to it. Leaving ends all connections at once. An
    error that a callable ``reply`` raises ends its connection, and is raised on leaving.

    Args:
        reply: What to answer model calls with: one `Reply` for all, several to be given in turn
            (the last one again and again), or a callable that makes one from the request, in the
            server's thread. By default, an answer that says that it is emulated.
        port: The port to listen on; 0 takes a free one.

    Raises:
        ConfigurationError: ``reply`` is empty.
    """

    def __init__(self, reply: Replies = None, *, port: int = 0) -> None:
        self._record = Record()
        self._script = Script(reply, self._record)
        self._port = port
        self._address: tuple[str, int] | None = None
        self._closing = False
        self._failure: BaseException | None = None
        self._serving: Future[None] | None = None
        self._thread = ExitStack()

    @property
    def url(self) -> str:
        """Where it listens, as ``http://127.0.0.1:PORT``."""
        if self._address is None:
            raise UsageError("the emulator was not started; use it as a context manager")
        return "http://{}:{}".format(*self._address)

    @property
    def requests(self) -> Sequence[EmulatedRequest]:
        """All requests so far, in order of arrival."""
        return self._record.requests

    @property
    def connections(self) -> int:
        """How many connections were accepted."""
        return self._record.accepted

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return self._record.accepted - self._record.closed

    @property
    def disconnects(self) -> int:
        """How many times a client left before the whole answer was written."""
        return self._record.disconnects

    def start(self) -> None:
        """Start to listen.

        Raises:
            UsageError: It runs already.
            OSError: The port cannot be had.
        """
        if self._serving is not None:
            raise UsageError("the emulator runs already")
        self._closing, self._failure = False, None
        with ExitStack() as thread:
            portal = thread.enter_context(start_blocking_portal())
            listener = portal.call(self._listen)
            self._address = (_HOST, listener.extra(attribute=SocketAttribute.local_port))
            self._serving = portal.start_task_soon(self._serve, listener)
            self._thread = thread.pop_all()

    def close(self) -> None:
        """End all connections at once, and the thread. Does nothing if it does not run."""
        serving, self._serving = self._serving, None
        if serving is None:
            return
        # A connection of our own ends the wait for one: cancelling that wait could lose a
        # connection that has just been accepted, and leave its socket to the garbage collector.
        self._closing = True
        with suppress(OSError), socket.create_connection(self._address or ("", 0)):
            pass
        failure = serving.exception() or self._failure
        self._thread.close()
        while isinstance(failure, BaseExceptionGroup) and len(failure.exceptions) == 1:
            failure = failure.exceptions[0]
        if failure is not None:
            raise failure

    def wait_requests(
        self, count: int = 1, timeout: float = _WAIT_SECONDS
    ) -> Sequence[EmulatedRequest]:
        """Wait until this many requests have arrived in all, and give them all.

        Args:
            count: How many.
            timeout: For how many seconds.

        Raises:
            TimeoutError: They did not.
        """
        record = self._record
        record.wait_until(lambda: len(record.requests) >= count, timeout, f"{count} requests")
        return record.requests

    def wait_closed(self, count: int | None = None, timeout: float = _WAIT_SECONDS) -> None:
        """Wait until connections have ended, on the server's side too.

        Args:
            count: How many in all; by default, until none is open.
            timeout: For how many seconds.

        Raises:
            TimeoutError: They did not.
        """
        record = self._record
        record.wait_until(
            lambda: record.closed >= (record.accepted if count is None else count),
            timeout,
            "all connections to end" if count is None else f"{count} connections to end",
        )

    def wait_disconnects(self, count: int = 1, timeout: float = _WAIT_SECONDS) -> None:
        """Wait until clients have left in mid-answer this many times in all.

        Args:
            count: How many times.
            timeout: For how many seconds.

        Raises:
            TimeoutError: They did not.
        """
        record = self._record
        record.wait_until(lambda: record.disconnects >= count, timeout, f"{count} disconnects")

    async def awaited_requests(self, count: int = 1) -> Sequence[EmulatedRequest]:
        """Do as `wait_requests`, without blocking the event loop."""
        return await to_thread.run_sync(self.wait_requests, count, abandon_on_cancel=True)

    async def awaited_closed(self, count: int | None = None) -> None:
        """Do as `wait_closed`, without blocking the event loop."""
        await to_thread.run_sync(self.wait_closed, count, abandon_on_cancel=True)

    async def awaited_disconnects(self, count: int = 1) -> None:
        """Do as `wait_disconnects`, without blocking the event loop."""
        await to_thread.run_sync(self.wait_disconnects, count, abandon_on_cancel=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await to_thread.run_sync(self.start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with CancelScope(shield=True):
            await to_thread.run_sync(self.close)

    async def _listen(self) -> SocketListener:
        (listener,) = (await create_tcp_listener(local_host=_HOST, local_port=self._port)).listeners
        assert isinstance(listener, SocketListener)
        return listener

    async def _serve(self, listener: SocketListener) -> None:
        async with listener, create_task_group() as connections:
            stream = await listener.accept()
            while not self._closing:
                connections.start_soon(self._serve_connection, stream)
                stream = await listener.accept()
            await stream.aclose()
            connections.cancel_scope.cancel()

    async def _serve_connection(self, stream: SocketStream) -> None:
        self._record.add_connection()
        try:
            async with stream:
                await Connection(stream, self._script.respond, self._record).serve()
        except Exception as error:  # noqa: BLE001 - close() raises it, in the test's own thread
            self._failure = self._failure or error
        finally:
            self._record.add_closed()
