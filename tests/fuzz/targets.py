"""Every reader of foreign bytes, and what it promises about any of them.

Any bytes give items and an end, or items and one typed error, the same however they are cut.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from cogent import CogentError, ConfigurationError, ProtocolError, ProviderError
from cogent.framing import (
    EventStreamFramer,
    JSONArrayFramer,
    NDJSONFramer,
    SSEFramer,
    SSEParser,
    loads,
    read_message,
)
from cogent.wire import DIALECTS, Quirks, http_error, lessons
from cogent.wire.fields import dump

from . import inputs

if TYPE_CHECKING:
    from collections.abc import Callable


FIELDS = (b"data", b"event", b"id", b"retry")


def framed(
    make: Callable[..., object], limits: tuple[str, ...], data: bytes, rng: random.Random
) -> object:
    """Cut bytes into frames, at times with limits that they meet."""
    return in_any_pieces(partial(make, **_limits(rng, limits)), data, rng, ProtocolError)[1]


def streamed(dialect: str, data: bytes, rng: random.Random) -> object:
    """Decode the body of an answer."""
    limits = _limits(rng, ("max_event_bytes", "max_argument_characters"))
    make = partial(DIALECTS[dialect].decoder, include_raw=rng.random() < 0.2, **limits)
    chunks, error = in_any_pieces(make, data, rng, ProviderError)
    turns = [chunk for chunk in chunks if chunk.kind == "turn"]
    assert turns == chunks[-1:] if error is None else not turns, "one end, and it is the last"
    return error


def documented(dialect: str, data: bytes, rng: random.Random) -> object:
    """Decode an answer that is one document."""
    decoder = DIALECTS[dialect].decoder()
    try:
        chunks = decoder.decode_document(data)
    except ProviderError as raised:
        error = raised
    else:
        error = None
        assert [chunk.kind for chunk in chunks].count("turn") == 1
        assert chunks[-1].kind == "turn"
        if rng.random() < 0.1:
            dump([chunk.to_dict() for chunk in chunks])
    assert decoder.error is error, "it is raised once and forgotten"
    return error and printable(error)


def requested(dialect: str, data: bytes, rng: random.Random) -> object:
    """Read a request as a server does, and write what was read as a client does."""
    spoken = DIALECTS[dialect]
    try:
        body = loads(data)
        if isinstance(body, dict):
            dump(spoken.encode_request(spoken.decode_request(body), Quirks()))
    except (ProtocolError, ConfigurationError) as error:
        return printable(error)
    return None


def refused(data: bytes, rng: random.Random) -> object:
    """Read the body of an HTTP error."""
    status = rng.choice((400, 401, 404, 413, 422, 429, 500, 503, 529, 599))
    return printable(http_error(status, data, {}))


def _limits(rng: random.Random, names: tuple[str, ...]) -> dict[str, int]:
    return {name: rng.choice((2, 9, 80, 250)) for name in names if rng.random() < 0.2}


def in_any_pieces(
    make: Callable[[], object], data: bytes, rng: random.Random, errors: type[Exception]
) -> tuple[list, Exception | None]:
    """Read bytes whole and in pieces.

    Both give the same, at each cut too: what the bytes so far complete is handed out by then.
    """
    whole, error = _read(make(), (data,), errors)
    places = [0, *inputs.cuts(rng, data), len(data)]
    pieces = [data[start:end] for start, end in pairwise(places)]
    torn, torn_error = _read(make(), pieces, errors)
    assert torn == whole or repr(torn) == repr(whole), "how it is cut makes a difference"
    assert _told(torn_error) == _told(error), f"how it is cut makes another error: {torn_error!r}"
    if rng.random() < 0.25:
        so_far, by_then = make(), make()
        early = _fed(so_far, (data[: places[-2]],), errors)[0]
        late = _fed(by_then, pieces[:-1], errors)[0]
        assert early == late or repr(early) == repr(late), "something is handed out late"
        assert whole[: len(early)] == early or repr(whole).startswith(repr(early)[:-1])
    return whole, error


def _read(reader, pieces, errors: type[Exception]) -> tuple[list, Exception | None]:
    items, error = _fed(reader, pieces, errors)
    if error is None:
        try:
            items += filter(None, map(partial(_said, reader), reader.close()))
        except errors as raised:
            return items, printable(raised)
    return items, error


def _fed(reader, pieces, errors: type[Exception]) -> tuple[list, Exception | None]:
    items: list = []
    try:
        for piece in pieces:
            items += filter(None, map(partial(_said, reader), reader.feed(piece)))
        items += reader.feed(b"")  # what it found after the last item is raised now
    except errors as raised:
        return items, printable(raised)
    return items, None


def _said(reader: object, item: object) -> object:
    """Leave out of a block what means nothing, and need not be kept: lines of no known field."""
    if isinstance(reader, SSEFramer) and isinstance(item, bytes):
        lines = (line for line in item.split(b"\n") if line.partition(b":")[0] in FIELDS)
        return b"\n".join(lines)
    return item.lstrip(b"\n") if isinstance(item, bytes) else item


def _told(error: Exception | None) -> tuple[object, str]:
    told = str(error)
    # What is over a limit is quoted as far as it had come.
    return type(error), told.partition("; it begins with")[0]


def printable(error: Exception) -> Exception:
    assert isinstance(error, CogentError)
    assert str(error).isprintable(), "an error of more than one line"
    return error


class Messages:
    """An `EventStreamFramer` whose messages are read."""

    def __init__(self, **limits: int) -> None:
        self._framer = EventStreamFramer(**limits)
        self.close = self._framer.close

    def feed(self, data: bytes) -> list:
        """Frame and read."""
        return [read_message(message) for message in self._framer.feed(data)]


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes:
        draw: Makes an input.
        read: Reads it, and gives the error in which it ends, or ``None``.
    """

    draw: Callable[[random.Random], bytes]
    read: Callable[[bytes, random.Random], object]


def _documents(make: Callable[[str], list[bytes]], dialect: str) -> Callable[..., bytes]:
    return lambda rng: inputs.document(rng, make(dialect))


_FRAMERS: dict[str, tuple[Callable[..., object], str, tuple[str, ...]]] = {
    "sse": (SSEFramer, "anthropic", ("max_event_bytes", "max_event_lines")),
    "sse-events": (SSEParser, "anthropic", ("max_event_bytes", "max_event_lines")),
    "ndjson": (NDJSONFramer, "ollama", ("max_line_bytes",)),
    "event-stream": (Messages, "bedrock-converse", ("max_message_bytes", "max_header_bytes")),
}

TARGETS: dict[str, Target] = {
    "json-array": Target(
        lambda rng: inputs.damaged(rng, inputs.array(rng)),
        partial(framed, JSONArrayFramer, ("max_line_bytes",)),
    )
}
for name, (framer, spoken, limits) in _FRAMERS.items():
    TARGETS[name] = Target(partial(inputs.stream, dialect=spoken), partial(framed, framer, limits))
for name in DIALECTS:
    TARGETS[name] = Target(partial(inputs.stream, dialect=name), partial(streamed, name))
for name in DIALECTS:
    drawn = _documents(inputs.documents, name)
    TARGETS[f"{name}-document"] = Target(drawn, partial(documented, name))
for name in DIALECTS:
    drawn = _documents(inputs.requests, name)
    TARGETS[f"{name}-request"] = Target(drawn, partial(requested, name))
TARGETS["error"] = Target(_documents(inputs.errors, ""), refused)


def attempt(name: str, number: int) -> object:
    """Try the input of a number.

    Returns:
        The error in which it ends, or ``None``.

    Raises:
        AssertionError: A promise was broken.
        Exception: An error that is not documented.
    """
    rng = random.Random(number * 1009 + list(TARGETS).index(name))
    data = TARGETS[name].draw(rng)
    usual, lessons._ALIKE = lessons._ALIKE, number % 3  # templates, also in short streams
    try:
        return TARGETS[name].read(data, rng)
    except Exception as error:
        error.add_note(repr(data))
        raise
    finally:
        lessons._ALIKE = usual
