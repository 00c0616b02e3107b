"""Server-sent events, read and written: the fields of a block, and the state that outlives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .sse import MAX_EVENT_BYTES, MAX_EVENT_LINES, SSEFramer

__all__ = ("SSEParser", "ServerSentEvent", "encode_comment", "encode_event")


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event as dispatched.

    Attributes:
        event: Its type; ``message`` where the stream gave none.
        data: Its data lines, joined with LF.
        id: The last event id at that moment; it persists over events.
        retry: The reconnection time in milliseconds that this event's block set, if any.
    """

    event: str = "message"
    data: str = ""
    id: str = ""
    retry: int | None = None


class SSEParser:
    """Reads an event stream into events.

    Takes the same arguments as `SSEFramer`.

    Attributes:
        last_event_id: The id to send as ``Last-Event-ID`` on reconnection.
    """

    def __init__(
        self,
        *,
        mode: Literal["whatwg", "lenient"] = "lenient",
        max_event_bytes: int = MAX_EVENT_BYTES,
        max_event_lines: int = MAX_EVENT_LINES,
    ) -> None:
        self._framer = SSEFramer(
            mode=mode, max_event_bytes=max_event_bytes, max_event_lines=max_event_lines
        )
        self.last_event_id = ""
        self._retry: int | None = None

    @property
    def retry(self) -> int | None:
        """The reconnection time in milliseconds; it counts as soon as its line has ended."""
        value = self._retry
        head, newline, _ = self._framer.pending.rpartition(b"\n")
        for line in head.split(b"\n") if newline else ():
            value = _reconnection_time(line, value)
        return value

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next bytes and give the events that they complete.

        Raises:
            EventTooLarge: An event is over a limit; events before it are returned first.
        """
        return self._read(self._framer.feed(data))

    def close(self, *, clean: bool = True) -> list[ServerSentEvent]:
        """End the input; see `SSEFramer.close`."""
        self._retry = self.retry
        return self._read(self._framer.close(clean=clean))

    def _read(self, blocks: list[bytes]) -> list[ServerSentEvent]:
        events = []
        for block in blocks:
            event = self._dispatch(block)
            if event is not None:
                events.append(event)
        return events

    def _dispatch(self, block: bytes) -> ServerSentEvent | None:
        name = ""
        data: list[str] = []
        retry: int | None = None
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                data.append(value.decode("utf-8", "replace"))
            elif field == b"event":
                name = value.decode("utf-8", "replace")
            elif field == b"id":
                if b"\0" not in value:
                    self.last_event_id = value.decode("utf-8", "replace")
            elif field == b"retry":
                retry = _reconnection_time(line, retry)
        if retry is not None:
            self._retry = retry
        if not data:
            return None
        return ServerSentEvent(name or "message", "\n".join(data), self.last_event_id, retry)


def _reconnection_time(line: bytes, otherwise: int | None) -> int | None:
    field, _, value = line.partition(b":")
    digits = value.removeprefix(b" ")
    # ASCII digits only: int() would take signs, blanks, underscores and other scripts' digits.
    # bytes.isdigit() is ASCII by definition. More than 18 digits is no time that anyone waits.
    if field == b"retry" and digits.isdigit() and len(digits) <= 18:
        return int(digits)
    return otherwise


def encode_event(
    data: str | bytes,
    *,
    event: str | None = None,
    id: str | None = None,
    retry: int | None = None,
) -> bytes:
    """Encode one event.

    Args:
        data: Its data; line ends in it make several data lines, and arrive as LF.
        event: Its type.
        id: Its id; must hold no line end and no NUL.
        retry: Reconnection time in milliseconds.

    Returns:
        The event's bytes, the blank line that dispatches it included.

    Raises:
        ValueError: A name or id holds what would break the framing.
    """
    lines: list[bytes] = []
    for field, value in (("event", event), ("id", id)):
        if value is not None:
            if any(c in value for c in "\r\n\0"):
                raise ValueError(f"{field} may not hold a line end or NUL: {value!r}")
            lines.append(f"{field}: {value}".encode())
    if retry is not None:
        lines.append(b"retry: %d" % retry)
    raw = data.encode() if isinstance(data, str) else data
    raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines.extend(b"data: " + line for line in raw.split(b"\n"))
    return b"\n".join(lines) + b"\n\n"


def encode_comment(text: str = "") -> bytes:
    """Encode a comment, as for a keep-alive; line ends in it make several comment lines."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "".join(f": {line}\n" for line in lines).encode() + b"\n"
