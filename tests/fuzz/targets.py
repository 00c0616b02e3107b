"""Every reader of foreign bytes, and what it promises about any of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import TypeAlias

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
from cogent.wire import DIALECTS, Quirks, http_error
from cogent.wire.fields import dump

from . import inputs

Target: TypeAlias = Callable[[random.Random], tuple[bytes, object]]
"""Tries one input drawn from the generator; gives it, and what became of it.

Raises:
    AssertionError: A promise was broken; what else is raised is no error that is documented.
"""


def framed(make: Callable[[], object], dialect: str, rng: random.Random) -> tuple[bytes, object]:
    """Cut bytes into frames."""
    data = inputs.stream(rng, dialect)
    return data, in_any_pieces(make, data, rng, ProtocolError)[1]


def streamed(dialect: str, rng: random.Random) -> tuple[bytes, object]:
    """Decode the body of an answer."""
    data, raw = inputs.stream(rng, dialect), rng.random() < 0.2
    make = partial(DIALECTS[dialect].decoder, include_raw=raw)
    chunks, error = in_any_pieces(make, data, rng, ProviderError)
    turns = [chunk for chunk in chunks if chunk.kind == "turn"]
    assert turns == chunks[-1:] if error is None else not turns, "one end, and it is the last"
    return data, error


def documented(dialect: str, rng: random.Random) -> tuple[bytes, object]:
    """Decode an answer that is one document."""
    data = inputs.document(rng, inputs.documents(dialect))
    decoder = DIALECTS[dialect].decoder()
    try:
        chunks = decoder.decode_document(data)
    except ProviderError as error:
        assert decoder.error is error
        return data, _printable(error)
    assert [chunk.kind for chunk in chunks].count("turn") == 1
    assert chunks[-1].kind == "turn"
    if rng.random() < 0.1:
        dump([chunk.to_dict() for chunk in chunks])
    return data, None


def requested(dialect: str, rng: random.Random) -> tuple[bytes, object]:
    """Read a request as a server does, and write what was read as a client does."""
    data = inputs.document(rng, inputs.requests(dialect))
    spoken = DIALECTS[dialect]
    try:
        body = loads(data)
        if not isinstance(body, dict):
            return data, None
        dump(spoken.encode_request(spoken.decode_request(body), Quirks()))
    except (ProtocolError, ConfigurationError) as error:
        return data, _printable(error)
    return data, None


def refused(dialect: str, rng: random.Random) -> tuple[bytes, object]:
    """Read the body of an HTTP error."""
    data = inputs.document(rng, inputs.documents(dialect)) if rng.random() < 0.2 else _error(rng)
    status = rng.choice((400, 401, 404, 413, 422, 429, 500, 503, 529, 599))
    return data, _printable(http_error(status, data, {}))


def _error(rng: random.Random) -> bytes:
    kinds = (
        b'{"error":{"message":"m","type":"t","code":"c","param":null}}',
        b'{"type":"error","error":{"type":"overloaded_error","message":"m"},"request_id":"r"}',
        b'[{"error":{"code":429,"message":"m","status":"S","details":[{"retryDelay":"3.5s"}]}}]',
        b'{"error":"m"}',
        b'{"message":"m","__type":"ThrottlingException"}',
        b'{"detail":[{"loc":["body","x"],"msg":"m","type":"extra_forbidden"}]}',
    )
    return inputs.document(rng, list(kinds))


def in_any_pieces(
    make: Callable[[], object], data: bytes, rng: random.Random, errors: type[Exception]
) -> tuple[list, Exception | None]:
    """Read bytes whole and in pieces.

    Both give the same, at each cut too: what the bytes so far complete is handed out by then.
    """
    whole, error = _read(make(), (data,), errors)
    places = [0, *inputs.cuts(rng, len(data)), len(data)]
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
            items += reader.close()
        except errors as raised:
            return items, _printable(raised)
    return items, error


def _fed(reader, pieces, errors: type[Exception]) -> tuple[list, Exception | None]:
    items: list = []
    try:
        for piece in pieces:
            items += reader.feed(piece)
        items += reader.feed(b"")  # what it found after the last item is raised now
    except errors as raised:
        return items, _printable(raised)
    return items, None


def _told(error: Exception | None) -> tuple[object, str]:
    return type(error), str(error)


def _printable(error: Exception) -> Exception:
    assert isinstance(error, CogentError)
    assert str(error).isprintable(), "an error of more than one line"
    return error


class Messages:
    """An `EventStreamFramer` whose messages are read."""

    def __init__(self) -> None:
        self._framer = EventStreamFramer()
        self.close = self._framer.close

    def feed(self, data: bytes) -> list:
        """Frame and read."""
        return [read_message(message) for message in self._framer.feed(data)]


TARGETS: dict[str, Target] = {
    "sse": partial(framed, SSEFramer, "openai-chat"),
    "sse-events": partial(framed, SSEParser, "anthropic"),
    "ndjson": partial(framed, NDJSONFramer, "ollama"),
    "json-array": partial(framed, JSONArrayFramer, "gemini"),
    "event-stream": partial(framed, Messages, "bedrock-converse"),
    **{name: partial(streamed, name) for name in DIALECTS},
    **{f"{name}-document": partial(documented, name) for name in DIALECTS},
    **{f"{name}-request": partial(requested, name) for name in DIALECTS},
    **{f"{name}-error": partial(refused, name) for name in ("openai-chat",)},
}


def attempt(name: str, number: int) -> object:
    """Try the input of a number.

    Raises:
        AssertionError: A promise was broken.
        Exception: An error that is not documented.
    """
    rng = random.Random(number * 1009 + list(TARGETS).index(name))
    return TARGETS[name](rng)[1]
