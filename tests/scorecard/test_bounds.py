"""What a server may send is bounded: unpacked, nested, endless, or in a million pieces."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from contextlib import contextmanager, suppress
from functools import cache
from itertools import repeat

import httpx
import pytest

from cogent import (
    ArgumentsTooLarge,
    BadRequest,
    BadResponse,
    ConfigurationError,
    InvalidJSON,
    Model,
    ProtocolError,
    Settings,
    StreamInterrupted,
    TooDeep,
    exchange,
)
from cogent.testing import Emulator
from cogent.wire import DIALECTS, Quirks
from cogent.wire.fields import dump
from tests.support.script_server import (
    DONE,
    LAST,
    PREAMBLE,
    STOP,
    document,
    head,
    part,
    read,
    said,
    send,
)
from tests.testing.raw import PLAIN
from tests.wire import frames
from tests.wire.outcome import raised

MIB = 1024 * 1024
ONCE = Settings(max_retries=0)


@contextmanager
def peak_under(limit: int):
    """Hold what is allocated meanwhile, by whomever, to a limit in bytes."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit, f"{peak / MIB:.1f} MiB"


def feed(decoder, *pieces: bytes) -> None:
    """Feed everything, and raise what is raised only by the call after."""
    for piece in (*pieces, b""):
        decoder.feed(piece)


def model(server, http_client=None) -> Model:
    return Model("openai-compatible:m", base_url=server.url, http_client=http_client, settings=ONCE)


# 65: compression.


@cache
def bomb(piece: bytes) -> bytes:
    """Pack 300 MiB."""
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    packed = [packer.compress(piece * (MIB // len(piece))) for _ in range(300)]
    return b"".join((*packed, packer.flush()))


@pytest.mark.scorecard(65)
@pytest.mark.parametrize("piece", [b"a", b"\n", said("a" * 900)], ids=["line", "blanks", "events"])
@pytest.mark.parametrize("status", [200, 400])
async def test_a_bomb_is_refused_before_it_unpacks(serve, http_client, piece, status):
    packed = bomb(piece)
    assert len(packed) < 1.2 * MIB
    server = serve([read, send(head(status, content_encoding="gzip"), part(packed), LAST)])
    refused = BadResponse if status == 200 else BadRequest
    with peak_under(16 * MIB), pytest.raises(refused) as caught:
        await model(server, http_client).complete("hi")
    assert status == 400 or "not asked for" in str(caught.value)
    assert server.requests[0].headers["accept-encoding"] == "identity"
    await server.until_closed()


@pytest.mark.scorecard(65)
@pytest.mark.parametrize("members", [1, 7])
async def test_an_answer_that_comes_compressed_is_read(serve, members):
    """An honest body is nowhere near the limit, also in several members of gzip."""
    words = [f"{number * 7919 % 10007} " for number in range(30_000)]
    events = [PREAMBLE, *map(said, words), STOP, DONE]
    size = -(-len(events) // members)
    pieces = [b"".join(events[at : at + size]) for at in range(0, len(events), size)]
    packed = b"".join(map(gzip.compress, pieces))
    assert len(packed) * 10 < sum(map(len, pieces))
    server = serve([read, send(head(content_encoding="gzip"), part(packed), LAST)])
    assert (await model(server).complete("hi")).content == "".join(words)


@pytest.mark.scorecard(65)
async def test_a_compressed_body_that_is_cut_short_is_not_whole(serve):
    """HTTP says that it has ended, and gzip that it has not."""
    packed = gzip.compress(PREAMBLE + said("Hello"))[:-9]
    server = serve([read, send(head(content_encoding="gzip"), part(packed), LAST)])
    with pytest.raises(StreamInterrupted, match="cut short") as caught:
        await model(server).complete("hi")
    assert caught.value.partial.content == "Hello"


@pytest.mark.scorecard(65)
async def test_a_body_has_an_end(serve, http_client, monkeypatch):
    """All that is kept of an answer is bounded, though no event is large."""
    monkeypatch.setattr(exchange.content_coding, "MAX_BODY_BYTES", MIB)
    server = serve([read, send(head()), send_for_ever(part(said("more ") * 100))])
    with pytest.raises(BadResponse, match="limit of 1048576 bytes") as caught:
        await model(server, http_client).complete("hi")
    assert caught.value.partial.content.startswith("more more")
    await server.until_closed()


# 66: the body of an error.


def send_for_ever(data: bytes, sent: list[int] | None = None):
    """Send again and again until the client leaves."""

    def step(connection) -> None:
        while True:
            connection.send(data)
            if sent is not None:
                sent.append(len(data))

    return step


@pytest.mark.scorecard(66)
@pytest.mark.parametrize("data", [b"oh no ", b" ", b"[", b'{"'])
async def test_the_head_of_an_endless_error_is_enough(serve, http_client, data):
    sent: list[int] = []
    long = document(400, b"", content_length=str(1024 * MIB))
    server = serve([read, send(long), send_for_ever(data * (MIB // len(data)), sent)])
    with peak_under(16 * MIB), pytest.raises(BadRequest) as caught:
        await model(server, http_client).complete("hi")
    await server.until_closed()
    assert sum(sent) < 64 * MIB, "no more was taken than lay in buffers"
    assert len(str(caught.value.body)) <= 64 * 1024
    assert len(str(caught.value)) < 1000


# 67: what JSON can hold.

POISON = {
    "nested": b"[" * 20_000 + b"]" * 20_000,
    "nested objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "unclosed": b"[" * 20_000,
    "digits": b"1" * 5_000,
    "NaN": b"NaN",
    "infinite": b"-Infinity",
    "huge": b"1e999",
    "surrogate": b'"\\ud800"',
}


def altered(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace bytes of frames; those that have checksums get new ones."""
    parts = frames.messages(data) if frames.is_message(data) else [data]
    return b"".join(frames.altered(frame, old, new) for frame in parts)


UNREADABLE = {"nested": TooDeep, "nested objects": TooDeep, "unclosed": TooDeep} | {
    "digits": InvalidJSON
}


@pytest.mark.scorecard(67)
@pytest.mark.parametrize("poison", POISON)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_poison_in_an_event(dialect, poison):
    """A field that nobody asked for is passed over, or the event is refused; nothing else."""
    sample = frames.SAMPLES[dialect]
    decoder = DIALECTS[dialect].decoder()
    frame = frames.altered(sample["text"], b'"Hi"', b'"Hi", "x": ' + POISON[poison])
    if poison in UNREADABLE:
        with pytest.raises(UNREADABLE[poison]):
            decoder.feed(frame)
        return
    chunks = decoder.feed(frame) + decoder.feed(sample["end"])
    chunks += decoder.close()
    assert "".join(chunk.content for chunk in chunks) == "Hi"
    assert chunks[-1].finish_reason == "stop"


@pytest.mark.scorecard(67)
@pytest.mark.parametrize("poison", POISON)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_poison_in_arguments(dialect, poison):
    """Arguments are read, or the call has none and is not run, or the event is refused."""
    sample, value = frames.SAMPLES[dialect], POISON[poison].decode()
    decoder = DIALECTS[dialect].decoder()
    whole = b'{"a": 1}' in sample["call"]
    text = value if whole else json.dumps(value)[1:-1]
    old = b'{"a": 1}' if whole else b'{\\"a\\":1}'
    new = b'{"a": %b}' if whole else b'{\\"a\\":%b}'
    frame = altered(sample["call"], old, new % text.encode())
    if whole and poison in UNREADABLE:
        with pytest.raises(UNREADABLE[poison]):
            decoder.feed(frame)
        return
    chunks = decoder.feed(frame) + decoder.feed(sample["end"])
    chunks += decoder.close()
    (call,) = chunks[-1].tool_calls
    readable = {"a": "\ufffd" if poison == "surrogate" else None}
    assert call.arguments == (None if poison in UNREADABLE else readable)


@pytest.mark.scorecard(67)
@pytest.mark.parametrize("poison", POISON)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_poison_in_a_document(dialect, poison):
    """Likewise where one document comes in place of a stream."""
    decoder = DIALECTS[dialect].decoder()
    with pytest.raises(ProtocolError if poison in UNREADABLE else Exception) as caught:
        decoder.decode_document(b'{"x": ' + POISON[poison] + b"}")
    assert type(caught.value).__module__ == "cogent.errors"


PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:streamGenerateContent",
    "ollama": "/api/chat",
    "bedrock-converse": "/model/m/converse-stream",
}


@pytest.mark.scorecard(67)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_poison_in_a_request(dialect):
    """Who reads requests refuses them, and goes on to serve."""
    with Emulator() as server, httpx.Client(**PLAIN) as client:
        for poison in POISON.values():
            for body in (poison, b'{"messages": [{"role": "user", "content": %b}]}' % poison):
                assert client.post(server.url + PATHS[dialect], content=body).status_code == 400


def nested(depth: int) -> object:
    value: object = "x"
    for _ in range(depth):
        value = [value]
    return value


VALUES = {
    "nested": nested(20_000),
    "digits": 10**5_000,
    "NaN": float("nan"),
    "surrogate": "\ud800",
}


@pytest.mark.scorecard(67)
@pytest.mark.parametrize("poison", VALUES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_poison_that_another_parser_let_through(dialect, poison):
    """A request that is read from values and not from bytes becomes one again, or is refused."""
    value, known = VALUES[poison], DIALECTS[dialect]
    messages = [{"role": "user", "content": value, "parts": value}]
    body = {"model": "m", "messages": messages, "contents": messages, "input": value}
    body |= {"system": value, "temperature": value, "tools": value, "max_tokens": value}
    for field in body:
        with suppress(ConfigurationError, ProtocolError):
            request = known.decode_request({"model": "m", field: body[field]})
            dump(known.encode_request(request, Quirks()))


# 68: arguments, and what does not end.


def call_of(dialect: str, size: int):
    """Write a call with this much argument text."""
    text = '{"a":"' + "x" * size
    sample = frames.SAMPLES[dialect]["call"]
    if b'{"a": 1}' in sample:
        return altered(sample, b'{"a": 1}', text.encode() + b'"}')
    return altered(sample, b'{\\"a\\":1}', json.dumps(text)[1:-1].encode())


@pytest.mark.scorecard(68)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_arguments_of_50_mb(dialect):
    """They are refused at the limit of 8 MiB, in one piece or in many."""
    decoder = DIALECTS[dialect].decoder()
    call = call_of(dialect, 50_000_000)
    with pytest.raises(ArgumentsTooLarge, match="limit of 8388608 characters"):
        feed(decoder, call)


PIECES = {
    "openai-chat": lambda piece: frames.chat(frames.call(0, arguments=piece)),
    "openai-responses": lambda piece: frames.event(
        "response.function_call_arguments.delta", output_index=9, delta=piece
    ),
    "anthropic": lambda piece: frames.block_delta(9, "input_json_delta", partial_json=piece),
    "gemini": lambda piece: frames.gemini(
        {
            "functionCall": {
                "partialArgs": [{"jsonPath": "$.a", "stringValue": piece, "willContinue": True}],
                "willContinue": True,
            }
        }
    ),
    "bedrock-converse": lambda piece: frames.delta(9, toolUse={"input": piece}),
}


@pytest.mark.scorecard(68)
@pytest.mark.parametrize("dialect", PIECES)
def test_arguments_of_50_mb_in_pieces(dialect):
    """What is kept until then is no more than that."""
    decoder = DIALECTS[dialect].decoder()
    first, piece = frames.SAMPLES[dialect]["call"], PIECES[dialect]("x" * 65536)
    if dialect == "gemini":
        first = frames.gemini({"functionCall": {"name": "f", "willContinue": True}})
    with peak_under(12 * MIB), pytest.raises(ArgumentsTooLarge):
        feed(decoder, first, *repeat(piece, 8 * 16 + 1))


LINES = [name for name in DIALECTS if name != "bedrock-converse"]
ENDLESS = {
    "comment": b"x" * 16384,
    "comments": b": x\n" * 4096,
    "blank lines": b"\n" * 16384,
    "blank lines of CRLF": b"\r\n" * 8192,
    "white space": b" \t" * 8192,
    "empty events": b"data:\n\n" * 2340,
    "events of nothing": b"data: {}\n\n" * 1638,
    "events without an end": b"event: ping\n" * 1365,
}
REFUSED = {"white space", "events without an end"}


@pytest.mark.scorecard(68)
@pytest.mark.parametrize("kind", ENDLESS)
@pytest.mark.parametrize("dialect", LINES)
def test_what_does_not_end(dialect, kind):
    """It leaves nothing in memory, or is refused at the limit."""
    decoder = DIALECTS[dialect].decoder(max_event_bytes=MIB // 8)
    decoder.feed(b":" if kind == "comment" else b"")
    with peak_under(2 * MIB):
        error = raised(feed, decoder, *repeat(ENDLESS[kind], 8))
        before, _ = tracemalloc.get_traced_memory()
        error = error or raised(feed, decoder, *repeat(ENDLESS[kind], 12))
        after, _ = tracemalloc.get_traced_memory()
    assert after - before < MIB // 16
    assert error is None or isinstance(error, ProtocolError)
    if dialect not in ("ollama", "gemini"):
        assert (error is not None) == (kind in REFUSED)


@pytest.mark.scorecard(68)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_line_without_an_end(dialect):
    """It is refused at the limit, and what was kept of it is let go."""
    decoder = DIALECTS[dialect].decoder(max_event_bytes=MIB // 8)
    first = b"\0\x7f\xff\xff" if dialect == "bedrock-converse" else b"data: "
    with peak_under(MIB), pytest.raises(ProtocolError):
        feed(decoder, first, *repeat(b"x" * 16384, 64))


@pytest.mark.scorecard(68)
@pytest.mark.parametrize("kind", ["text", "alive"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_tiny_events(dialect, kind):
    """A great many of them leave nothing but their text."""
    decoder = DIALECTS[dialect].decoder()
    data = frames.SAMPLES[dialect][kind] * 100
    decoder.feed(data)
    with peak_under(MIB):
        feed(decoder, *repeat(data, 100))


@pytest.mark.scorecard(68)
def test_blocks_without_end():
    """Each block of an answer takes memory of its own, so they are counted."""
    decoder = DIALECTS["anthropic"].decoder()
    starts = (frames.block_start(n, "tool_use", id=f"t{n}", name="f") for n in range(10_001))
    with pytest.raises(ProtocolError, match="more than 10000 blocks"):
        feed(decoder, *starts)
