"""What the emulator has seen, and how a test waits for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..wire import Request

__all__ = ("EmulatedRequest", "Record")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatedRequest:
    """One HTTP request that the emulator was sent.

    Attributes:
        method: As ``POST``.
        path: As sent, without the query.
        query: As sent, without the question mark.
        headers: Names in lower case; the last of several of one name.
        body: The whole body.
        dialect: Name of the dialect whose path it has.
        request: The body in neutral words; ``None`` where there is no dialect or no sense in it.
        at: When it had arrived, in seconds of the monotonic clock.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    dialect: str | None = None
    request: Request | None = None
    at: float = 0.0


class Record:
    """Counts and requests. Written by the server's thread, read and waited for by others.

    Attributes:
        requests: All requests, in order of arrival.
        accepted: Connections accepted.
        closed: Connections that have ended.
        disconnects: How many times a client left before the whole answer was written.
    """

    def __init__(self) -> None:
        self.requests: list[EmulatedRequest] = []
        self.accepted = 0
        self.closed = 0
        self.disconnects = 0
        self._changed = threading.Condition()

    def add_request(self, request: EmulatedRequest) -> None:
        """Note a request."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def add_connection(self) -> None:
        """Note that a connection was accepted."""
        with self._changed:
            self.accepted += 1
            self._changed.notify_all()

    def add_closed(self) -> None:
        """Note that a connection has ended."""
        with self._changed:
            self.closed += 1
            self._changed.notify_all()

    def add_disconnect(self) -> None:
        """Note that a client left in mid-answer."""
        with self._changed:
            self.disconnects += 1
            self._changed.notify_all()

    def wait_until(self, holds: Callable[[], bool], timeout: float, awaited: str) -> None:
        """Wait until ``holds()``.

        Raises:
            TimeoutError: It did not within ``timeout`` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(holds, timeout):
                raise TimeoutError(
                    f"the emulator waited {timeout:g}s for {awaited}: {len(self.requests)} "
                    f"requests, {self.accepted} connections, {self.closed} closed, "
                    f"{self.disconnects} left by the client in mid-answer"
                )
