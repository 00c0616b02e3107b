"""Recordings as files: what came over the wire, byte for byte, cut as it was read, and when.

A file is JSON Lines. The first line names the format; each other line is one event of one
exchange: ``request``, ``head``, ``data``, and how it ended: ``end``, ``error``, ``deadline`` or
``left``. ``docs/recordings.md`` has all fields. A file that was cut off is read as far as its last
whole line, and what this version does not know is passed over.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from ..errors import ConfigurationError
from ..wire.fields import Object, integer, number, obj, optional, text
from .recorded_exchange import Read, RecordedExchange
from .replay import ReplayedModel, ReplayTransport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from typing import Self

    from ..model import Model
    from .replay import Slice
    from .reply import Fault, Reply

__all__ = ("FORMAT", "VERSION", "Recording", "as_fields")

FORMAT = "cogent-recording"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording, read back. Each way to replay it begins with its first exchange.

    Attributes:
        exchanges: In the order of their requests; they may overlap in time.
        library: The version of this library that wrote it.
        time: When the file was begun, in ISO 8601.
    """

    exchanges: tuple[RecordedExchange, ...]
    library: str = ""
    time: str = ""

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a file that `Capture` wrote, whole or cut off.

        Raises:
            OSError: The file cannot be read.
            ConfigurationError: It is no recording, or of a version of the future.
        """
        first, *lines = Path(path).read_bytes().split(b"\n")
        header = _header(first)
        exchanges: dict[int, RecordedExchange] = {}
        for position, line in enumerate(lines[:-1], 2):  # what has no line end is not whole
            try:
                _take(orjson.loads(line), exchanges)
            except (ValueError, KeyError, AttributeError) as error:
                raise ConfigurationError(f"line {position} is no event: {error!r}") from error
        return cls(tuple(exchanges.values()), text(header, "library"), text(header, "time"))

    def transport(
        self, *, speed: float = 0, slice: Slice | None = None, fault: Fault | None = None
    ) -> ReplayTransport:
        """Give a transport that answers with these exchanges in turn, the last again and again.

        Args:
            speed: 1 takes the time that the recording took, 10 a tenth of it; 0 never waits.
            slice: Read the body in pieces of so many bytes, as a ``"whole"``, or each ``"event"``
                by itself; by default as it was read.
            fault: Break each answer: ``cut_at``, ``reset_at`` or ``stall_at``, with or without
                ``before_head``. Other faults, and real connections, are the `Emulator`'s, which
                takes `replies`.

        Raises:
            ConfigurationError: There is no exchange, or ``fault`` is another one.
        """
        return ReplayTransport(self.exchanges, speed=speed, slice=slice, fault=fault)

    def model(
        self, *, speed: float = 0, slice: Slice | None = None, fault: Fault | None = None
    ) -> Model:
        """Give a model that answers with these exchanges, whatever it is asked.

        Args:
            speed: As for `transport`.
            slice: Likewise.
            fault: Likewise.

        Raises:
            ConfigurationError: As for `transport`; or the exchanges are not all of one dialect
                that is known.
        """
        return ReplayedModel(self.exchanges, self.transport(speed=speed, slice=slice, fault=fault))

    def replies(self) -> list[Reply]:
        """Give replies with which an `Emulator` plays this over real connections."""
        return [exchange.reply() for exchange in self.exchanges]


def as_fields(data: bytes) -> dict[str, str]:
    """Give bytes as a field of an event: ``text`` where they are UTF-8, else ``base64``."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": b64encode(data).decode()}


def _bytes(event: Object) -> bytes:
    if "text" in event:
        return text(event, "text").encode()
    return b64decode(text(event, "base64"), validate=True)


def _header(line: bytes) -> Object:
    try:
        header = obj(orjson.loads(line))
    except ValueError:
        header = {}
    if header.get("format") != FORMAT:
        raise ConfigurationError(f"this is no recording: its first line is not of a {FORMAT}")
    if header.get("version") != VERSION:
        raise ConfigurationError(
            f"the recording has version {header.get('version')!r}; this release reads {VERSION}"
        )
    return header


def _take(event: Object, exchanges: dict[int, RecordedExchange]) -> None:
    """Add an event to its exchange."""
    place, at = integer(event, "exchange") or 0, number(event, "at") or 0.0
    match text(event, "event"):
        case "request":
            kept = "text" in event or "base64" in event
            exchanges[place] = RecordedExchange(
                model=text(event, "model"),
                dialect=optional(event, "dialect"),
                time=text(event, "time"),
                url=text(event, "url"),
                request_headers=_strings(event, "headers"),
                request_body=_bytes(event) if kept else None,
            )
        case "head":
            exchange = exchanges[place]
            exchange.status, exchange.head_at = integer(event, "status"), at
            exchange.headers = _strings(event, "headers")
        case "data":
            exchanges[place].reads.append(Read(at, _bytes(event)))
        case ("end" | "error" | "deadline" | "left") as ending:
            exchange = exchanges[place]
            exchange.ending, exchange.ended_at = ending, at
            exchange.error, exchange.message = text(event, "error"), text(event, "message")
            exchange.retryable = event.get("retryable") is True


def _strings(event: Object, key: str) -> Mapping[str, str]:
    fields = obj(event.get(key))
    return {name: text(fields, name) for name in fields}
