"""AWS's event streams: what the reference parser reads is read, however it is cut, and no more."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer, ParserError
from hypothesis import given, settings
from hypothesis import strategies as st

from cogent.errors import EventTooLarge, ProtocolError
from cogent.framing import EventStreamFramer, encode_message, read_message
from cogent.framing.event_stream import Timestamp, UUIDBytes
from tests.support.cuts import cuttings, partitions, pieces

from .work import assert_linear

# One value of each type, at the limits of its width.
VALUES = [
    *(True, False),
    *(0, 127, -128, 128, -129, 2**15 - 1, -(2**15), 2**15, 2**31 - 1, -(2**31), 2**31),
    *(2**63 - 1, -(2**63), b"", b"\0\xff", "", "naïve \U0001f600"),
    *(Timestamp(0), Timestamp(-1), Timestamp(2**62), UUIDBytes(bytes(range(16)))),
]
values = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.binary(max_size=40)
    | st.text(max_size=20)
    | st.integers(-(2**63), 2**63 - 1).map(Timestamp)
    | st.binary(min_size=16, max_size=16).map(UUIDBytes)
)
headers = st.dictionaries(st.text(min_size=1, max_size=12), values, max_size=5)
messages = st.lists(st.tuples(headers, st.binary(max_size=60)), max_size=5)


def read(data, lengths, **limits):
    """Feed a cutting; give all messages and the error, if one came."""
    framer, found = EventStreamFramer(**limits), []
    try:
        for piece in pieces(data, lengths):
            found += framer.feed(piece)
        found += framer.close()
    except ProtocolError as error:
        return found, error
    return found, None


def reference(data):
    """Read with botocore's parser: messages, and whether it failed."""
    buffer, found = EventStreamBuffer(), []
    buffer.add_data(data)
    try:
        found.extend((message.headers, message.payload) for message in buffer)
    except ParserError:
        return found, True
    return found, False


def typed(headers):
    return {name: (type(value), value) for name, value in headers.items()}


@given(st.data())
def test_messages_are_read_back_by_us_and_by_the_reference(data):
    """Whatever the headers and the cutting, both give what was written."""
    sent = data.draw(messages)
    wire = b"".join(encode_message(*message) for message in sent)
    found, error = read(wire, data.draw(partitions(wire)))
    got = [read_message(message) for message in found]
    assert error is None
    assert [(typed(m.headers), m.payload) for m in got] == [(typed(h), p) for h, p in sent]
    assert reference(wire) == (sent, False)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_of_each_type(value):
    message = encode_message({":n": value})
    (got,) = read_message(message).headers.values()
    assert (type(got), got) == (type(value), value)
    assert reference(message) == ([({":n": value}, b"")], False)


def test_every_type_has_a_header():
    """The types are the ten of the format, and each is written by its own number."""
    kinds = {encode_message({"n": value})[14] for value in VALUES}
    assert kinds == set(range(10))


@pytest.mark.parametrize(("bits", "kind"), [(7, 2), (15, 3), (31, 4)])
def test_a_number_gets_the_narrowest_type(bits, kind):
    kinds = [encode_message({"n": n})[14] for n in (2**bits - 1, -(2**bits), 2**bits, ~(2**bits))]
    assert kinds == [kind, kind, kind + 1, kind + 1]


def test_every_cutting_gives_the_same():
    wire = encode_message({":event-type": "a"}, b"{}") + encode_message({}) + encode_message({})
    whole, _ = read(wire, [len(wire)])
    assert len(whole) == 3
    assert b"".join(whole) == wire
    for lengths in cuttings(wire):
        assert read(wire, lengths) == (whole, None)


@settings(max_examples=300)
@given(st.data())
def test_one_changed_bit_is_found(data):
    """As in the reference: what came before is handed out, and then it is an error."""
    parts = [encode_message({"a": 1, "b": "x"}, b"payload"), encode_message({}, b"{}")]
    wire = bytearray(b"".join(parts))
    bit = data.draw(st.integers(0, len(wire) * 8 - 1))
    wire[bit // 8] ^= 1 << bit % 8
    found, error = read(bytes(wire), data.draw(partitions(wire)))
    assert found == ([] if bit < len(parts[0]) * 8 else parts[:1])
    assert error is not None
    assert reference(bytes(wire))[1]


def prelude(total, header_bytes):
    lengths = struct.pack(">II", total, header_bytes)
    return lengths + struct.pack(">I", crc32(lengths))


@pytest.mark.parametrize(
    ("total", "header_bytes", "error"),
    [
        (1001, 0, EventTooLarge),
        (2**32 - 1, 0, EventTooLarge),
        (900, 101, EventTooLarge),
        (15, 0, ProtocolError),
        (0, 0, ProtocolError),
        (20, 5, ProtocolError),
    ],
)
def test_lengths_are_checked_by_the_prelude_alone(total, header_bytes, error):
    """Nothing is waited for, or kept, that is not allowed."""
    framer = EventStreamFramer(max_message_bytes=1000, max_header_bytes=100)
    before = encode_message({}, b"x")
    assert framer.feed(before + prelude(total, header_bytes)) == [before]
    assert framer.pending == b""
    for call in (lambda: framer.feed(b""), framer.close):
        with pytest.raises(ProtocolError) as raised:
            call()
        assert type(raised.value) is error


def test_a_message_of_just_the_limit_is_read():
    message = encode_message({"a": b"x" * 95}, b"y" * 884)
    assert len(message) == 1000
    limits = {"max_message_bytes": 1000, "max_header_bytes": 100}
    assert read(message, [1000], **limits) == ([message], None)


@pytest.mark.parametrize(
    "text", [b"data: {}\n\ndata: [DONE]\n\n", b'{"message": "No."}', b"\0" * 12]
)
def test_what_is_no_event_stream_is_an_error(text):
    with pytest.raises(ProtocolError, match="event stream"):
        EventStreamFramer().feed(text)


@pytest.mark.parametrize("clean", [True, False])
def test_a_message_that_was_cut_off_is_never_handed_out(clean):
    message = encode_message({":event-type": "a"}, b"payload")
    for size in range(len(message)):
        framer = EventStreamFramer()
        assert framer.feed(message[:size]) == []
        assert framer.close(clean=clean) == []
        assert framer.pending == message[:size]


def with_headers(block):
    """Frame a block of headers, whatever it is."""
    body = prelude(16 + len(block), len(block)) + block
    return body + struct.pack(">I", crc32(body))


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (b"\x01a", "cut short"),
        (b"\x05a\x00", "cut short"),
        (b"\x01a\x02", "cut short"),
        (b"\x01a\x05\0\0\0", "cut short"),
        (b"\x01a\x07\0\x03ab", "cut short"),
        (b"\x01a\x07\0", "cut short"),
        (b"\x01a\x0a", "type 10"),
        (b"\x01a\x00\x01a\x01", "twice"),
    ],
)
def test_broken_headers_are_one_typed_error(block, said):
    (message,) = EventStreamFramer().feed(with_headers(block))
    with pytest.raises(ProtocolError, match=said):
        read_message(message)


def test_a_message_that_is_none():
    """What no framer has given is no message; it is told as any broken one."""
    with pytest.raises(ProtocolError, match="cut short"):
        read_message(b"\0")


@given(st.binary(max_size=40))
def test_any_headers_are_read_or_a_typed_error(block):
    (message,) = EventStreamFramer().feed(with_headers(block))
    try:
        read_message(message)
    except ProtocolError:
        return
    assert not reference(message)[1]


def test_bytes_that_are_no_utf8_are_replaced():
    (message,) = EventStreamFramer().feed(with_headers(b"\x01\xff\x07\0\x01\xff"))
    assert dict(read_message(message).headers) == {"\ufffd": "\ufffd"}


@pytest.mark.parametrize(
    "headers",
    [
        {"n" * 256: True},
        {"n": 2**63},
        {"n": Timestamp(2**63)},
        {"n": "x" * 65536},
        {"n": b"x" * 65536},
        {"n": UUIDBytes(b"short")},
        {str(n): b"x" * 65000 for n in range(3)},
    ],
)
def test_what_fits_into_no_message_is_not_written(headers):
    with pytest.raises(ValueError, match=r"\d|fits"):
        encode_message(headers)


def test_headers_are_read_as_text():
    message = read_message(encode_message({"a": "x", "b": 1}))
    assert (message.text("a"), message.text("b"), message.text("c")) == ("x", "", "")


@pytest.mark.scorecard(41)
@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize("payload", [0, 100, 100_000])
def test_the_work_is_linear(chunk, payload):
    """No byte is scanned twice, in small messages or in one large one."""
    small = encode_message({"a": 1}, b"x" * min(payload, 100))

    def shape(size):
        return encode_message({}, b"x" * size) if payload > size else small * (size // len(small))

    assert_linear(EventStreamFramer, "_pending", shape, chunk)
