"""``application/vnd.amazon.eventstream``: messages with typed headers and two checksums.

::

    total length    4 bytes   of the whole message
    headers length  4 bytes
    checksum        4 bytes   CRC-32 of the 8 bytes before it
    headers                   each: length of the name, name, type, value
    payload
    checksum        4 bytes   CRC-32 of all that is before it

All numbers are big-endian. `EventStreamFramer` cuts the bytes into messages whose checksums are
right; `read_message` reads one. https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias
from zlib import crc32

from ..errors import EventTooLarge, ProtocolError, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = (
    "MAX_HEADER_BYTES",
    "MAX_MESSAGE_BYTES",
    "EventStreamFramer",
    "EventStreamMessage",
    "HeaderValue",
    "Timestamp",
    "UUIDBytes",
    "encode_message",
    "read_message",
)

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Largest message by default, as for the other framings. AWS itself sends 24 MiB at most."""

MAX_HEADER_BYTES = 128 * 1024
"""Most bytes of headers in one message, the format's own limit."""

_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
_LEAST_BYTES = _PRELUDE.size + _CHECKSUM.size


class Timestamp(int):
    """A header's moment, in milliseconds since 1970-01-01T00:00:00Z."""


class UUIDBytes(bytes):
    """A header's UUID: its 16 bytes."""


HeaderValue: TypeAlias = "bool | int | bytes | str | Timestamp | UUIDBytes"
"""What a header can hold; whole numbers of all four widths are ``int``."""


@dataclass(frozen=True, slots=True)
class EventStreamMessage:
    """One message.

    Attributes:
        headers: Values by name. Names that begin with a colon are the protocol's own.
        payload: The bytes that it carries.
    """

    headers: Mapping[str, HeaderValue]
    payload: bytes = b""

    def text(self, name: str) -> str:
        """Give a header that is a string, ``""`` where there is none."""
        value = self.headers.get(name)
        return value if isinstance(value, str) else ""


class EventStreamFramer:
    """Cuts the input into messages, whole and with their checksums verified.

    Args:
        max_message_bytes: Largest message in bytes, checksums included.
        max_header_bytes: Most bytes of headers in one message.
    """

    __slots__ = ("_pending", "_total", "error", "max_header_bytes", "max_message_bytes")

    def __init__(
        self,
        *,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        max_header_bytes: int = MAX_HEADER_BYTES,
    ) -> None:
        self.max_message_bytes = max_message_bytes
        self.max_header_bytes = max_header_bytes
        self.error: ProtocolError | None = None
        self._pending = bytearray()  # the unfinished message
        self._total = 0  # its length, once its prelude is complete

    @property
    def pending(self) -> bytes:
        """The unfinished message so far."""
        return bytes(self._pending)

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and give the messages that they complete.

        Raises:
            EventTooLarge: A message says that it is over a limit.
            ProtocolError: A checksum is wrong, or lengths contradict each other: bytes were
                changed or lost, or this is no event stream. Like the above, raised by the next
                call if this one completes messages before it.
        """
        if self.error is not None:
            raise self.error
        pending, messages, start = self._pending, [], 0
        pending += data
        try:
            while self._known(start) and len(pending) - start >= self._total:
                end = start + self._total
                messages.append(_verified(bytes(pending[start:end])))
                start, self._total = end, 0
            del pending[:start]
        except ProtocolError as error:
            pending.clear()
            self.error = error
            if not messages:
                raise
        return messages

    def close(self, *, clean: bool = True) -> list[bytes]:
        """End the input. A message that was cut off is not handed out, however it ended.

        Its checksum comes last, so nothing in it can be trusted; see `pending`.

        Raises:
            ProtocolError: As latched by `feed`.
        """
        if self.error is not None:
            raise self.error
        return []

    def _known(self, start: int) -> bool:
        """Learn the length of the message at ``start``, as soon as its prelude is there."""
        if not self._total and len(self._pending) - start >= _PRELUDE.size:
            total, headers, checksum = _PRELUDE.unpack_from(self._pending, start)
            if crc32(self._pending[start : start + 8]) != checksum:
                shown = quoted(repr(bytes(self._pending[start : start + _PRELUDE.size])))
                raise ProtocolError(
                    f"no message of an event stream begins like {shown}: its checksum is wrong"
                )
            _check_size("message", total, self.max_message_bytes)
            _check_size("header", headers, self.max_header_bytes)
            if headers + _LEAST_BYTES > total:
                raise ProtocolError(
                    f"a message of {total} bytes has no room for {headers} of headers"
                )
            self._total = total
        return self._total > 0


def _check_size(part: str, size: int, limit: int) -> None:
    if size > limit:
        raise EventTooLarge(
            f"{size} {part} bytes are over the limit of {limit} bytes (max_{part}_bytes)"
        )


def _verified(message: bytes) -> bytes:
    (checksum,) = _CHECKSUM.unpack_from(message, len(message) - _CHECKSUM.size)
    if crc32(memoryview(message)[: -_CHECKSUM.size]) != checksum:
        raise ProtocolError(
            f"the checksum of a message of {len(message)} bytes is wrong: "
            "bytes were changed or lost on the way"
        )
    return message


def read_message(message: bytes) -> EventStreamMessage:
    """Read one message, as `EventStreamFramer` gives it.

    Bytes of names and strings that are not UTF-8 become U+FFFD.

    Raises:
        ProtocolError: Its headers are broken.
    """
    headers: dict[str, HeaderValue] = {}
    try:
        end = _PRELUDE.size + _PRELUDE.unpack_from(message)[1]
        for name, value in _headers(message, end):
            if name in headers:
                raise ProtocolError(f"the header {quoted(name)!r} comes twice in one message")
            headers[name] = value
    except (struct.error, IndexError):
        raise ProtocolError("the headers of a message are cut short") from None
    return EventStreamMessage(MappingProxyType(headers), message[end : -_CHECKSUM.size])


def _headers(message: bytes, end: int) -> Iterator[tuple[str, HeaderValue]]:
    block, at = message[:end], _PRELUDE.size
    while at < end:
        name_end = at + 1 + block[at]
        name, kind = block[at + 1 : name_end].decode("utf-8", "replace"), block[name_end]
        at = name_end + 1
        if kind in _FLAGS:
            yield name, _FLAGS[kind]
            continue
        if kind not in _KINDS:
            raise ProtocolError(f"the header {quoted(name)!r} has the unknown type {kind}")
        form, make = _KINDS[kind]
        (value,) = form.unpack_from(block, at)
        at += form.size
        if form is _SIZE:
            start, at = at, at + value
            if at > end:
                raise IndexError
            value = block[start:at]
        yield name, make(value)


_FLAGS = {0: True, 1: False}
_SIZE = struct.Struct(">H")
_KINDS: dict[int, tuple[struct.Struct, Callable[..., HeaderValue]]] = {
    2: (struct.Struct(">b"), int),
    3: (struct.Struct(">h"), int),
    4: (struct.Struct(">i"), int),
    5: (struct.Struct(">q"), int),
    6: (_SIZE, bytes),
    7: (_SIZE, lambda value: value.decode("utf-8", "replace")),
    8: (struct.Struct(">q"), Timestamp),
    9: (struct.Struct("16s"), UUIDBytes),
}
"""How the types of values are written, and what they become."""


def encode_message(headers: Mapping[str, HeaderValue], payload: bytes = b"") -> bytes:
    """Encode one message; a whole number gets the narrowest type that holds it.

    Raises:
        ValueError: A name or value does not fit into its field, or all of them into a message.
    """
    try:
        block = b"".join(_encode_header(name, value) for name, value in headers.items())
        if len(block) > MAX_HEADER_BYTES:
            raise ValueError(f"{len(block)} bytes of headers are more than {MAX_HEADER_BYTES}")
        lengths = struct.pack(">II", _LEAST_BYTES + len(block) + len(payload), len(block))
    except struct.error as error:
        raise ValueError(f"this fits into no message: {error}") from None
    body = lengths + _CHECKSUM.pack(crc32(lengths)) + block + payload
    return body + _CHECKSUM.pack(crc32(body))


def _encode_header(name: str, value: HeaderValue) -> bytes:
    raw = name.encode()
    return struct.pack("B", len(raw)) + raw + _encode_value(value)


def _encode_value(value: HeaderValue) -> bytes:
    match value:
        case bool():
            return b"\0" if value else b"\1"
        case Timestamp():
            return struct.pack(">Bq", 8, value)
        case int():
            kinds = ((2, 7, ">Bb"), (3, 15, ">Bh"), (4, 31, ">Bi"), (5, 63, ">Bq"))
            bits = (value if value >= 0 else ~value).bit_length()
            kind, form = next(((k, f) for k, most, f in kinds if bits <= most), (5, ">Bq"))
            return struct.pack(form, kind, value)
        case UUIDBytes():
            if len(value) != 16:
                raise ValueError(f"a UUID has 16 bytes, not {len(value)}")
            return struct.pack(">B16s", 9, value)
        case bytes():
            return struct.pack(">BH", 6, len(value)) + value
        case str():
            raw = value.encode()
            return struct.pack(">BH", 7, len(raw)) + raw
