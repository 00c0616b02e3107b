"""The port: what the layers above ask of a transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("Call", "DeadlineReached", "Exchange", "Head", "Interrupted", "Transport")


class DeadlineReached(Exception):
    """The deadline of a wait has passed."""


class Interrupted(Exception):
    """`Exchange.interrupt` was called."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP POST.

    Attributes:
        url: The whole URL.
        headers: All headers; never printed, a key is among them.
        body: The body; never printed, it is the prompt.
        connect_timeout: Seconds for the connection, TLS included.
        model: Who is asked, as ``provider:model``. Not sent: for those who watch calls.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    connect_timeout: float | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer, header names in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)


class Exchange(Protocol):
    """One request and its answer, used by one task at a time.

    Deadlines are moments of ``anyio.current_time()``; ``None`` waits for ever. After an error
    only `aclose` may be called.
    """

    async def head(self, deadline: float | None) -> Head:
        """Send the request and wait for the head of the answer.

        Raises:
            ConnectFailed: No connection; nothing was sent.
            NoResponse: The connection ended before the head was whole.
            BadResponse: What came is not HTTP.
            DeadlineReached: The deadline passed.
            Interrupted: `interrupt` was called.
        """
        ...

    async def receive(self, deadline: float | None) -> bytes:
        """Wait for the next bytes of the body; ``b""`` at its end.

        Raises:
            StreamInterrupted: The body ended other than HTTP says it should.
            BadResponse: The body's encoding is broken.
            DeadlineReached: The deadline passed.
            Interrupted: `interrupt` was called.
        """
        ...

    def interrupt(self) -> None:
        """Make the wait that is in progress, or the next one, raise `Interrupted`.

        May be called from any task of the same event loop.
        """
        ...

    async def aclose(self) -> None:
        """Release the connection: for reuse after the exact end of the body, else by closing it.

        Idempotent, bounded in time, shielded from cancellation; any task may call it.
        """
        ...


class Transport(Protocol):
    """Makes exchanges, and holds what they share."""

    def exchange(self, call: Call) -> Exchange:
        """Prepare an exchange; nothing is sent before its `Exchange.head`."""
        ...

    async def aclose(self) -> None:
        """Close all connections that are the transport's own."""
        ...
