"""Where a body ends, however it is cut; ``h11`` is the witness."""

from __future__ import annotations

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cogent.errors import StreamInterrupted
from cogent.exchange.body import MAX_LINE, MAX_TRAILERS, ChunkedBody, body_of

CHUNKED = {"transfer-encoding": "chunked"}
DATA = b"data: one\n\ndata: two\n\n"


def read(headers: dict[str, str], *pieces: bytes, ends: bool = True):
    """Feed pieces; give all of the body, what broke it, and whether its end was exact."""
    body, data = body_of(200, headers), b""
    try:
        for piece in pieces:
            if body.over:
                break
            data += body.feed(piece)
        body.check()
        if ends and not body.over:
            body.close()
    except StreamInterrupted as error:
        return data, error, False
    return data, None, body.exact


def witness(headers: dict[str, str], data: bytes) -> tuple[bytes, bool]:
    """Read with ``h11``: give the body up to its end or fault, and whether it ended well."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="POST", target="/", headers=[("host", "a")]))
    parser.send(h11.EndOfMessage())
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    parser.receive_data(f"HTTP/1.1 200 OK\r\n{fields}\r\n".encode() + data)
    body = b""
    try:
        while not isinstance(event := parser.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                parser.receive_data(b"")
            elif isinstance(event, h11.Data):
                body += event.data
    except h11.RemoteProtocolError:
        return body, False
    return body, True


def cut(data: bytes, *places: int) -> list[bytes]:
    ends = [*sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in zip([0, *ends], ends, strict=False)]


WHOLE = {
    "one chunk": b"5\r\nHello\r\n0\r\n\r\n",
    "several": b"2\r\nHe\r\n3\r\nllo\r\n0\r\n\r\n",
    "extensions": b'2;a\r\nHe\r\n03 ;\r\nllo\r\n0;b="c"\r\n\r\n'.replace(b"03 ;", b"03;  "),
    "trailers": b"5\r\nHello\r\n0\r\nx-a: 1\r\nX-B:\r\n\r\n",
    "a large size": b"00000000000000000005\r\nHello\r\n0\r\n\r\n",
    "line ends in it": b"5\r\n\r\n\r\n\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_chunks_at_every_cut(data):
    """However it is cut in two, and byte by byte, it is the same body with an exact end."""
    expected = witness(CHUNKED, data)
    assert expected[1]
    ways = [cut(data, place) for place in range(len(data) + 1)]
    for pieces in (*ways, cut(data, *range(len(data)))):
        assert read(CHUNKED, *pieces) == (expected[0], None, True)


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_chunks_that_end_early(data):
    """Short of its last byte it is not whole; what was whole of it comes before the fault."""
    for end in range(len(data)):
        body, error, _ = read(CHUNKED, data[:end])
        assert error is not None
        assert body == witness(CHUNKED, data[:end])[0]


BROKEN = {
    "no size": b"\r\n",
    "no hex": b"zz\r\n",
    "negative": b"-5\r\nHello\r\n",
    "signed": b"+5\r\nHello\r\n",
    "prefixed": b"0x5\r\nHello\r\n",
    "underscore": b"0_5\r\nHello\r\n",
    "space before": b" 5\r\nHello\r\n",
    "21 digits": b"0" * 20 + b"5\r\nHello\r\n",
    "line feed alone": b"5\nHello\r\n",
    "line feed in an extension": b"5;a\n\r\nHello\r\n",
    "carriage return in an extension": b"5;a\rb\r\nHello\r\n",
    "longer than its size": b"5\r\nHello!\r\n",
    "no line end": b"5\r\nHello0\r\n\r\n",
    "line feed after a chunk": b"5\r\nHello\n0\r\n\r\n",
    "endless size": b"5;" + b"a" * MAX_LINE,
    "no trailer": b"0\r\nnothing\r\n\r\n",
    "space in a trailer's name": b"0\r\nx y: 1\r\n\r\n",
    "line feed after a trailer": b"0\r\nx: 1\n\r\n\r\n",
    "line feed as the end": b"0\r\n\n",
    "endless trailer": b"0\r\nx: " + b"a" * MAX_LINE,
    "too many trailers": b"0\r\n" + b"x: y\r\n" * (MAX_TRAILERS // 6 + 1),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_chunks_that_are_none(data):
    """They are refused as soon as they cannot be right, however they are cut, and stay so."""
    good = b"2\r\nHi\r\n"
    for pieces in ([good + data], [good, data], cut(good + data, *range(len(data) + 7))):
        body, error, _ = read(CHUNKED, *pieces, ends=False)
        assert "the connection broke in the body" in str(error)
        assert body in (b"Hi", b"HiHello")


def test_what_comes_after_the_end():
    """It is no part of the body, and the connection is not to be used again."""
    for headers, data in ((CHUNKED, WHOLE["one chunk"]), ({"content-length": "5"}, b"Hello")):
        assert read(headers, data + b"HTTP/1.1 200") == (b"Hello", None, False)
        assert read(headers, data, b"HTTP/1.1 200") == (b"Hello", None, True)


def test_lengths():
    """A body of a known length, of none, and one that only the connection ends."""
    assert read({"content-length": "5"}, b"He", b"llo") == (b"Hello", None, True)
    body, error, _ = read({"content-length": "9"}, b"Hello")
    assert body == b"Hello"
    assert "received 5 bytes, expected 9" in str(error)
    assert read({}, b"He", b"llo") == (b"Hello", None, False)
    for status, headers in ((204, CHUNKED), (304, {}), (200, {"content-length": "0"})):
        body = body_of(status, headers)
        assert (body.over, body.exact) == (True, True)
        body.feed(b"HTTP/1.1 200")
        assert not body.exact


def test_a_whole_chunk_is_not_copied_twice():
    """The bytes of a read that is one chunk are cut out of it, and not joined to anything."""
    body = ChunkedBody()
    assert [body.feed(b"5\r\nHello\r\n") for _ in range(3)] == [b"Hello"] * 3
    assert not body._held


pieces_of_chunks = st.sampled_from(
    [
        b"5\r\nHello\r\n",
        b"0\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"1;a=b\r\nx\r\n",
        b"a: b\r\n",
        b"2",
        b"zz",
    ]
)


@given(st.lists(pieces_of_chunks | st.binary(max_size=3), max_size=8), st.lists(st.integers(0)))
@example([b"5\r\nHello\r\n", b"0\r\n\r\n"], [3])
def test_the_witness_agrees(made, places):
    """What we take ``h11`` takes alike; what it refuses, so do we. Cuts change nothing."""
    data = b"".join(made)
    pieces = cut(data, *places)
    body, error, _ = read(CHUNKED, *pieces)
    uncut = read(CHUNKED, data)
    assert (body, error is None) == (uncut[0], uncut[1] is None)
    theirs, well = witness(CHUNKED, data)
    assert theirs.startswith(body)
    if error is None:
        assert (body, True) == (theirs, well)
