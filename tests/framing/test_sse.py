"""Server-sent events: the WHATWG algorithm, for every cutting, within limits, in linear time."""

from __future__ import annotations

import hashlib
import re
import tracemalloc
from base64 import b64decode
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cogent.errors import EventTooLarge, ProtocolError
from cogent.framing import (
    MAX_EVENT_BYTES,
    ServerSentEvent,
    SSEFramer,
    SSEParser,
    encode_comment,
    encode_event,
    sse,
)
from cogent.framing.sse_block import event_of
from tests.support.cuts import cuttings, every, partitions, pieces
from tests.support.reference import requires_reference, vectors

from .work import assert_linear

MODES = ("whatwg", "lenient")
BOM = b"\xef\xbb\xbf"
NO_LIMIT = 2**62

TOKENS = [
    b"\n", b"\n", b"\n", b"\r\n", b"\r", b"\r", b":", b" ", b"data", b"data:", b"data: x", b"event",
    b"event: e", b"error: e", b"id", b"id: 7", b"retry", b"retry: 12", b"dat", b"foo: y",
    b"unknown", b": c",
    BOM, BOM[:2], b"\0", b"\xc3\xa9", b"\xe2\x82", b"\xe2\x80\xa8", b"\xc2\x85", b"\x0b",
]  # fmt: skip
noise = st.lists(st.sampled_from(TOKENS) | st.binary(max_size=3), max_size=24)
LINES = [
    b"",
    b"data: x",
    b"data",
    b"data: ",
    b"event: e",
    b"id: 7",
    b"retry: 12",
    b": c",
    b"foo: y",
]
lines_and_ends = st.tuples(st.sampled_from(LINES), st.sampled_from([b"\n", b"\r\n", b"\r"]))
streams = st.lists(lines_and_ends.map(b"".join), max_size=24)
inputs = (noise | streams).map(b"".join)


def outcome(parser, data, lengths, *, clean=True):
    """Feed a cutting; give all that came and the type of the error, if one came."""
    frames = []
    try:
        for piece in pieces(data, lengths):
            frames += parser.feed(piece)
        frames += parser.close(clean=clean)
    except ProtocolError as error:
        return frames, type(error)
    return frames, None


def read(parser, data, lengths, *, clean=True):
    """Feed a cutting; give the events, and the id and time that hold at the end."""
    events, error = outcome(parser, data, lengths, clean=clean)
    assert error is None
    return events, (parser.last_event_id, parser.retry)


def expected(data, *, mode, clean=True):
    """Read the whole input as the standard has it: decode, split into lines, interpret each."""
    if mode == "lenient" and clean:
        data += b"\n\n"
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    *lines, _unfinished = re.split("\r\n|\r|\n", text)
    events, fields, name, retry = [], [], "", None
    last_id = block_id = ""
    time = None
    for line in lines:
        field, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            last_id = block_id
            if fields:
                events.append(ServerSentEvent(name or "message", "\n".join(fields), last_id, retry))
            fields, name, retry = [], "", None
        elif colon and not field:
            continue
        elif field == "data":
            fields.append(value)
        elif field == "event":
            name = value
        elif field == "id" and "\0" not in value:
            block_id = value
        elif field == "retry" and re.fullmatch("[0-9]{1,18}", value):
            time = retry = int(value)
    return events, (last_id, time)


def counting(lines, keep_unknown):
    """Give the lines that can matter; when a framer drops the others is its own affair."""
    names = (b"data", b"event", b"id", b"retry")
    return [
        line
        for line in lines
        if line[:1] not in (b"", b":") and (keep_unknown or line.partition(b":")[0] in names)
    ]


def blocks_of(data, *, keep_unknown):
    """Split the whole input: the lines of each block, and those of the unfinished one."""
    finished, block = [], []
    *lines, rest = re.split(rb"\r\n|\r|\n", data.removeprefix(BOM))
    for line in lines:
        block.append(line)
        if not line:
            finished.append(counting(block, keep_unknown))
            block = []
    return finished, counting([*block, rest], keep_unknown)


def ready_at(parser, data):
    """Feed byte by byte; give after how many bytes each event came."""
    return [at for at, byte in enumerate(data, 1) for _ in parser.feed(bytes([byte]))]


def built(vector):
    """Put the input of a large vector together, and cut it as the vector says."""
    unit = b64decode(vector["unit_b64"]) * vector["count"]
    data = b64decode(vector["prefix_b64"]) + unit + b64decode(vector["suffix_b64"])
    return data, every(data, vector["chunk_bytes"])


# --- Against vectors ---


@pytest.mark.scorecard(38, 39)
@requires_reference
@pytest.mark.parametrize("vector", vectors("sse.json"))
def test_vector(vector):
    """Events, ids, times and moments of delivery are those of the vector, for every cutting."""
    data = b64decode(vector["input_b64"])
    final = (vector["final"]["last_event_id"], vector["final"]["retry"])
    for mode in [vector["mode"]] if vector["at_eof"] else MODES:
        for lengths in (*cuttings(data), *vector["chunkings"]):
            events, state = read(SSEParser(mode=mode), data, lengths)
            shown = [asdict(event) for event in events]
            if vector["normative"]:
                assert shown == vector["events"], (mode, lengths)
                assert state == final, (mode, lengths)
            else:
                pairs = [(event["event"], event["data"]) for event in vector["events"]]
                assert [(event["event"], event["data"]) for event in shown] == pairs
        if vector["ready_at"] is not None:
            assert ready_at(SSEParser(mode=mode), data) == vector["ready_at"]


@pytest.mark.scorecard(38)
@requires_reference
@pytest.mark.parametrize(
    "vector", [v for v in vectors("large.json") if v.values[0]["format"] == "sse"]
)
def test_large(vector):
    """Large inputs give the events that the digest stands for."""
    data, lengths = built(vector)
    assert len(data) == vector["total_bytes"]
    limit = {"max_event_bytes": 2 * MAX_EVENT_BYTES} if vector["slow"] else {}
    events, error = outcome(SSEParser(**limit), data, lengths)
    assert error is None
    assert len(events) == vector["expect"]["events"]
    assert len(events[0].data) == vector["expect"]["first_data_chars"]
    first = hashlib.sha256(events[0].data.encode()).hexdigest()
    assert first == vector["expect"]["first_data_sha256"]
    joined = hashlib.sha256("\0".join(event.data for event in events).encode()).hexdigest()
    assert joined == vector["expect"]["all_data_sha256"]


@pytest.mark.scorecard(40)
@requires_reference
@pytest.mark.parametrize(
    "vector", [v for v in vectors("limits.json") if v.values[0]["format"] == "sse"]
)
def test_limit_vector(vector):
    """The named error comes after so many events, and no more than allowed is ever held."""
    data, lengths = built(vector)
    chunks = list(pieces(data, lengths))
    parser = SSEParser(**vector["setting"])
    events = held = 0
    error = None
    tracemalloc.start()
    try:
        for chunk in chunks:
            events += len(parser.feed(chunk))
            held = max(held, len(parser._framer._pending))
        events += len(parser.close())
    except ProtocolError as raised:
        error = type(raised).__name__
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert error == vector["outcome"].get("error")
    assert events == vector["outcome"].get("after_events", vector["outcome"].get("events"))
    assert held <= vector["peak_buffer_at_most"]
    # Where an event is put together its bytes, its text and their joint are there at once.
    assert peak <= 4 * vector["peak_buffer_at_most"]


# --- The rules, written out by hand ---


def e(data, event="message", id="", retry=None):
    return ServerSentEvent(event, data, id, retry)


ROWS = [
    ("1 one event", b"data: b\n\n", [e("b")]),
    ("2 no space", b"data:b\n\n", [e("b")]),
    ("3 one space of two goes", b"data:  b\n\n", [e(" b")]),
    ("4 a tab stays", b"data:\tb\n\n", [e("\tb")]),
    ("5 data without a colon", b"data\n\n", [e("")]),
    ("6 data without a value", b"data:\n\n", [e("")]),
    ("7 two empty lines of data", b"data\ndata\n\n", [e("\n")]),
    ("8 two lines of data", b"data: b\ndata: c\n\n", [e("b\nc")]),
    ("9 a name alone, and no leak", b"event: ping\n\ndata: b\n\n", [e("b")]),
    ("10 a name holds once", b"event: n\ndata: 1\n\ndata: 2\n\n", [e("1", "n"), e("2")]),
    ("11 the last name wins, an empty one too", b"event: n\nevent\ndata: 1\n\n", [e("1")]),
    ("11b the last of two names", b"event: n\nevent: m\ndata: 1\n\n", [e("1", "m")]),
    ("12 a comment alone", b": hi\n\n", []),
    ("12b comments of all forms", b":\n:x\n: data: y\n::\n\n", []),
    ("13 a comment in an event", b"data: 1\n: c\ndata: 2\n\n", [e("1\n2")]),
    ("14 an id stays", b"id: 7\ndata: b\n\ndata: c\n\n", [e("b", id="7"), e("c", id="7")]),
    ("15 an id without data stays", b"id: 7\n\ndata: b\n\n", [e("b", id="7")]),
    ("16 an id with NUL is no id", b"id: 4\n\nid: b\0c\ndata: x\n\n", [e("x", id="4")]),
    ("17 an empty id resets", b"id: 4\n\nid\ndata: x\n\n", [e("x")]),
    ("18 a time alone", b"retry: 3000\n\n", []),
    ("18b a time in an event", b"retry: 0025\ndata: x\n\n", [e("x", retry=25)]),
    (
        "19 what is no time",
        b"retry: 3s\nretry: -1\nretry: +1\nretry: 1_0\nretry:  1\nretry: 1.5\nretry:\n"
        b"retry: \xef\xbc\x95\nretry: \xd9\xa3\ndata: x\n\n",
        [e("x")],
    ),
    ("20 CR ends lines", b"data: b\r\r", [e("b")]),
    ("21 CRLF ends lines", b"data: b\r\n\r\n", [e("b")]),
    ("22 CRLF is one line end", b"data: b\r\ndata: c\r\n\r\n", [e("b\nc")]),
    ("23 mixed line ends", b"data: b\n\r\ndata: c\r\n\ndata: d\r\r\n", [e("b"), e("c"), e("d")]),
    ("23b mixed line ends, CR and LF", b"data: b\r\ndata: c\n\r", [e("b\nc")]),
    ("24 CRLF and CR", b"data: b\r\n\r", [e("b")]),
    ("25 a byte-order mark", BOM + b"data: b\n\n", [e("b")]),
    ("26 one byte-order mark only", BOM + BOM + b"data: b\n\ndata: c\n\n", [e("c")]),
    ("27 a later byte-order mark", b"data: b\n\n" + BOM + b"data: c\n\n", [e("b")]),
    (
        "28 characters of several bytes",
        'data: {"t":"\xe9€😀"}\n\n'.encode(),
        [e('{"t":"\xe9€😀"}')],
    ),
    ("29 colons in a value", b"data: b:c: d\n\n", [e("b:c: d")]),
    ("30 names are exact", b"DATA: b\nData: c\n\n", []),
    ("31 a space before a name", b" data: b\ndata : c\n\n", []),
    ("31b unknown fields", b"error: b\ndatas: c\ndat\nx\n\n", []),
    ("34 nothing", b"", []),
    ("34b a byte-order mark and nothing", BOM, []),
    ("35 blank lines to spare", b"\n\n\ndata: b\n\n\n\n", [e("b")]),
    (
        "36 what str.splitlines takes for line ends",
        "data: \x85 \u2028 \u2029 \x0b \x0c \x1c \x1d \x1e\n\n".encode(),
        [e("\x85 \u2028 \u2029 \x0b \x0c \x1c \x1d \x1e")],
    ),
    ("37 NUL in data", b"data: b\0c\n\n", [e("b\0c")]),
    ("38 bad UTF-8", b"data: b\xffc\xe2\x82\n\n", [e("b\ufffdc\ufffd")]),
    ("38b bad UTF-8 in names", b"event: \xff\nid: \xff\ndata: c\n\n", [e("c", "\ufffd", "\ufffd")]),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("data", "events"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_row(mode, data, events):
    """One rule of the format a row; all end in whole blocks, so the modes agree."""
    for lengths in cuttings(data):
        assert read(SSEParser(mode=mode), data, lengths)[0] == events


@pytest.mark.parametrize(
    ("data", "final"),
    [
        (b"", ("", None)),
        (b"retry: 3000\n\n", ("", 3000)),
        (b"retry: 1\n\nretry: 2\n\nretry: x\n\n", ("", 2)),
        (b"retry: 1\nretry: 2\nretry: x\n\n", ("", 2)),
        (b"retry: 1\n\nretry: " + b"9" * 18 + b"\n\n", ("", 10**18 - 1)),
        (b"retry: 1\n\nretry: " + b"9" * 19 + b"\n\n", ("", 1)),
        (b"id: 7\n\n: c\n\n", ("7", None)),
        (b"id: 7\n\nid: b\0\n\n", ("7", None)),
        (b"id: 7\n\nid\n\n", ("", None)),
        (b"id: 7\ndata: x\n\nid: 8\r\r", ("8", None)),
    ],
)
def test_the_id_and_time_that_hold_at_the_end(data, final):
    """They outlive their blocks, with data or without."""
    for mode in MODES:
        for lengths in cuttings(data):
            assert read(SSEParser(mode=mode), data, lengths)[1] == final


def test_a_time_counts_with_its_line_and_an_id_with_its_block():
    """In a block that is never finished the one holds, the other does not."""
    data = b"retry: 1\nid: 7\n\nretry: 2\nid: 8\nretry: 3"
    for lengths in cuttings(data):
        for end in ({"mode": "whatwg"}, {"mode": "lenient", "clean": False}):
            mode, clean = end["mode"], end.get("clean", True)
            parser = SSEParser(mode=mode)
            assert read(parser, data, lengths, clean=clean) == ([], ("7", 2))
    parser = SSEParser()
    seen = [parser.feed(bytes([byte])) or parser.retry for byte in b"retry: 25\r"]
    assert seen == [None] * 9 + [25]


@pytest.mark.parametrize("tail", [b"data: b", b"data: b\n", b"data: b\r", b"data: b\r\n"])
def test_an_unfinished_event_counts_in_lenient_on_a_clean_end(tail):
    """Rows 32 and 33: the standard drops it, and so does everyone after a broken connection."""
    data = b"id: 1\ndata: a\n\nevent: n\nid: 2\n" + tail
    for lengths in cuttings(data):
        dropped = ([e("a", id="1")], ("1", None))
        assert read(SSEParser(mode="whatwg"), data, lengths) == dropped
        assert read(SSEParser(mode="whatwg"), data, lengths, clean=False) == dropped
        assert read(SSEParser(mode="lenient"), data, lengths, clean=False) == dropped
        taken = ([e("a", id="1"), e("b", "n", "2")], ("2", None))
        assert read(SSEParser(mode="lenient"), data, lengths) == taken


@pytest.mark.parametrize("data", [b"", BOM, BOM[:2], b"\n", b"\r", b": c", b"event: x", b"id: 1\n"])
def test_an_end_without_data_is_no_event(data):
    """Row 34: in no mode; the layer above has to see that the stream is empty."""
    for mode in MODES:
        for lengths in cuttings(data):
            assert read(SSEParser(mode=mode), data, lengths)[0] == []


# --- Moment of delivery ---


@pytest.mark.parametrize(
    ("chunks", "counts"),
    [
        ([b"data: b\r\n", b"\r\n"], [0, 1]),
        ([b"data: b\r", b"\n\r\n"], [0, 1]),
        ([b"data: b\r\n\r", b"\n"], [1, 0]),
        ([b"data: b\r\n\r", b"", b"\n"], [1, 0, 0]),
        ([b"data: b\r\n\r", b"\ndata: c\r\n\r\n"], [1, 1]),
        ([b"data: b\r", b"\r", b"\r"], [0, 1, 0]),
        ([b"data: b\n", b"\n"], [0, 1]),
        ([b"\xef", b"\xbb", b"\xbfdata: b\n\n"], [0, 0, 1]),
    ],
)
def test_a_cut_line_end_neither_delays_an_event_nor_makes_one(chunks, counts):
    """Rows 22 and 24: an event comes with the CR that completes it; the LF after it is nothing."""
    parser = SSEParser()
    assert [len(parser.feed(chunk)) for chunk in chunks] == counts
    assert parser.close() == []


@pytest.mark.scorecard(39)
def test_an_event_comes_with_its_last_byte():
    """Whatever its line ends are."""
    data = b"data: 1\n\ndata: 2\r\rdata: 3\r\n\r\n: c\n\ndata: 4\n\r\n\ndata: 5\r\n\n"
    assert ready_at(SSEParser(), data) == [9, 18, 28, 43, 55]


# --- Whatever the cutting ---


@pytest.mark.scorecard(38)
@pytest.mark.parametrize("mode", MODES)
@given(data=inputs, cut=st.data(), clean=st.booleans())
def test_every_cutting_gives_what_the_whole_input_holds(mode, data, cut, clean):
    """Any bytes, any cutting: what the slow reading by the standard gives, and never an error."""
    wanted = expected(data, mode=mode, clean=clean)
    for lengths in ([len(data)], [1] * len(data), cut.draw(partitions(data))):
        assert read(SSEParser(mode=mode), data, lengths, clean=clean) == wanted


@settings(max_examples=4 * settings.default.max_examples)
@given(
    data=inputs,
    cut=st.data(),
    mode=st.sampled_from(MODES),
    keep_unknown=st.booleans(),
    compact_at=st.sampled_from([0, 9, sse._COMPACT_AT]),
)
def test_blocks_are_the_same_for_every_cutting(data, cut, mode, keep_unknown, compact_at):
    """Whenever lines are dropped, the ones that count are all there, and are read alike."""
    wanted, unfinished = blocks_of(data, keep_unknown=keep_unknown)
    if mode == "lenient":
        wanted.append(unfinished)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "_COMPACT_AT", compact_at)
        for lengths in ([len(data)], [1] * len(data), cut.draw(partitions(data))):
            framer = SSEFramer(mode=mode, keep_unknown=keep_unknown)
            blocks, error = outcome(framer, data, lengths)
            assert error is None
            kept = [counting(block.split(b"\n"), keep_unknown) for block in blocks]
            assert list(filter(None, kept)) == list(filter(None, wanted))
            for block, lines in zip(blocks, kept, strict=True):
                fields = [line.partition(b":")[::2] for line in lines]
                values = [value.removeprefix(b" ") for name, value in fields if name == b"data"]
                names = [value.removeprefix(b" ") for name, value in fields if name == b"event"]
                name = (names or [b""])[-1].decode("utf-8", "replace")
                errors = [value.strip() for name, value in fields if name == b"error"]
                event, data_of, errors_of = event_of(block)
                assert (event, data_of) == (name, b"\n".join(values) if values else None)
                if keep_unknown:
                    assert list(errors_of) == errors


def test_unknown_fields_are_kept_on_request_only():
    """Some servers put an error where no field is; a reader may ask to see it."""
    data = b'error: {"code":500}\ndata: b\n\n{\n  "error": 1\n}\n\n'
    for lengths in cuttings(data):
        blocks, _ = outcome(SSEFramer(keep_unknown=True), data, lengths)
        assert blocks == [b'error: {"code":500}\ndata: b', b'{\n  "error": 1\n}']
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "_COMPACT_AT", 0)
        assert outcome(SSEFramer(), data, [1] * len(data)) == ([b"data: b", b"}"], None)


# --- Limits ---


@settings(max_examples=4 * settings.default.max_examples)
@given(
    data=inputs,
    cut=st.data(),
    mode=st.sampled_from(MODES),
    keep_unknown=st.booleans(),
    compact_at=st.sampled_from([0, 9, sse._COMPACT_AT]),
    most=st.integers(0, 24),
    lines=st.integers(0, 4),
)
def test_limits_hold_alike_for_every_cutting(
    data, cut, mode, keep_unknown, compact_at, most, lines
):
    """What counts is what is kept: comments, line ends and unknown fields are free."""
    finished, unfinished = blocks_of(data, keep_unknown=keep_unknown)
    wanted, wanted_error = [], None
    for block in (*finished, unfinished):
        if len(b"\n".join(block)) > most or len(block) > lines:
            wanted_error = EventTooLarge
            break
        wanted.append(block)
    if wanted_error is None and mode == "whatwg":
        wanted.pop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "_COMPACT_AT", compact_at)
        for lengths in ([len(data)], [1] * len(data), cut.draw(partitions(data))):
            framer = SSEFramer(
                mode=mode, max_event_bytes=most, max_event_lines=lines, keep_unknown=keep_unknown
            )
            blocks, error = outcome(framer, data, lengths)
            kept = [counting(block.split(b"\n"), keep_unknown) for block in blocks]
            assert error is wanted_error
            assert list(filter(None, kept)) == list(filter(None, wanted))


NOISE = (b"", b": c\n" * 9, b":\nfoo: z\nfoo\n", b"dat\n", b"datas: z\n", b"retr: z\n")


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("finish", [b"\n", b""])
def test_comments_and_unknown_lines_cost_nothing_of_the_limit(end, noise, finish):
    """At the limit an event passes with any number of them, one byte over it fails without any."""
    lines = (b"data: aaaa\n", b"event: n\n", b"data: bbbb\n")
    kept = len(b"".join(lines)) - 1
    data = b"data: x\n\n" + noise + noise.join(lines) + noise + finish
    data = data.replace(b"\n", end)
    for lengths in cuttings(data):
        passes = SSEParser(max_event_bytes=kept, max_event_lines=3)
        assert outcome(passes, data, lengths) == ([e("x"), e("aaaa\nbbbb", "n")], None)
        for limits in ({"max_event_bytes": kept - 1}, {"max_event_lines": 2}):
            assert outcome(SSEParser(**limits), data, lengths) == ([e("x")], EventTooLarge)


@pytest.mark.parametrize("chunk", [1, 2, 1_000, sse._COMPACT_AT + 1, NO_LIMIT])
def test_a_long_event_meets_its_limit_alike_for_every_chunk_size(chunk):
    """Past the size at which lines are looked at while they come, the limit is exact as well."""
    unit = b"data: aaaa\n: comment\nunknown: z\n"
    data = unit * 2_000
    kept = 2_000 * len(b"data: aaaa\n") - 1
    for finish in (b"", b"\n"):
        lengths = every(data + finish, chunk)
        for limits, error in (
            ({"max_event_bytes": kept}, None),
            ({"max_event_bytes": kept - 1}, EventTooLarge),
            ({"max_event_lines": 2_000}, None),
            ({"max_event_lines": 1_999}, EventTooLarge),
        ):
            events, raised = outcome(SSEParser(**limits), data + finish, lengths)
            assert raised is error
            assert len(events) == (error is None)


@pytest.mark.scorecard(40)
def test_the_default_limit():
    """A block of 64 MiB passes; one byte more is refused."""
    assert MAX_EVENT_BYTES == 64 * 1024 * 1024
    line = b"data: " + b"x" * (MAX_EVENT_BYTES - len(b"data: "))
    assert [len(block) for block in SSEFramer().feed(line + b"\n\n")] == [MAX_EVENT_BYTES]
    framer = SSEFramer()
    framer.feed(line[:-1])
    framer.feed(b"x")
    assert [len(block) for block in framer.feed(b"\n\n")] == [MAX_EVENT_BYTES]
    with pytest.raises(EventTooLarge):
        SSEFramer().feed(line + b"x\n\n")


@pytest.mark.scorecard(29, 40)
def test_what_is_not_kept_is_not_held():
    """Endless comments, unknown fields and keep-alives fill no buffer, a large event before or not.

    So too the line ends of blank lines.
    """
    large = b"data: x\n" * 20_000
    for unit in (b"c", b": c\n", b"unknown: c\n", b": c\n\n", b"\r\n"):
        for before in ([], [large, b"\n"], [large, large, b"\n\n"]):
            framer = SSEFramer()
            for chunk in (*before, b"\n: "):
                framer.feed(chunk)
            for _ in range(1_000):
                framer.feed(unit * 100)
                assert len(framer.pending) <= 2 * sse._COMPACT_AT


@pytest.mark.parametrize("compact_at", [0, 50, sse._COMPACT_AT])
def test_each_event_has_the_limits_to_itself(compact_at):
    """What one event has used is given back at its end, however it was read."""
    event = b"event: n\n" + b": c\ndata: aaaa\n" * 9 + b"\n"
    size = len(event.replace(b": c\n", b"")) - 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "_COMPACT_AT", compact_at)
        for data in (event * 2, event * 7, b": c\n\n\n".join([event] * 7)):
            for lengths in (*cuttings(data), every(data, 7), every(data, 100), every(data, 200)):
                parser = SSEParser(max_event_bytes=size, max_event_lines=10)
                events, error = outcome(parser, data, lengths)
                assert error is None
                assert events == [e("\n".join(["aaaa"] * 9), "n")] * data.count(b"event")


# --- Errors ---


def test_events_before_an_oversized_one_come_first():
    """They are returned; the next call raises, and every call after it."""
    parser = SSEParser(max_event_bytes=8)
    events = parser.feed(b"data: 1\n\n\ndata: 2\n\ndata: 345\n\ndata: 6\n\n")
    assert events == [e("1"), e("2")]
    caught = []
    for call in (lambda: parser.feed(b"data: 7\n\n"), lambda: parser.feed(b""), parser.close):
        with pytest.raises(EventTooLarge, match="max_event_bytes") as raised:
            call()
        caught.append(raised.value)
    assert caught[0] is caught[1] is caught[2]


@pytest.mark.parametrize("before", [b"", b"\n", BOM + b"\r\n\r\n"])
@pytest.mark.parametrize("after", [b"", b"\n\n", b"\n\ndata: 2\n\n"])
def test_an_oversized_event_with_nothing_before_it_raises_at_once(before, after):
    """Whether it is whole or still coming; nothing of it is held on to."""
    parser = SSEParser(max_event_bytes=8)
    with pytest.raises(EventTooLarge):
        parser.feed(before + b"data: 123" + after)
    assert not parser._framer.pending


def test_the_error_quotes_the_head_of_the_event_on_one_line():
    """So that it can be told which event it was; the rest of it is not in the message."""
    with pytest.raises(EventTooLarge) as caught:
        SSEParser(max_event_bytes=100).feed(b"event: picture\ndata: \x1b" + b"x" * 1_000)
    assert "event: picture" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


# --- Encoding ---

values = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n\0"))


@given(
    events=st.lists(
        st.fixed_dictionaries(
            {"data": st.text() | st.text(alphabet="\r\n: é\ufeff")},
            optional={
                "event": values,
                "id": values,
                "retry": st.integers(0, 10**18 - 1),
            },
        ),
        max_size=4,
    ),
    cut=st.data(),
)
def test_what_is_encoded_is_read_again(events, cut):
    """Data, name, id and time come back, line ends in data as LF, however the bytes are cut."""
    data, wanted, last_id = b"", [], ""
    for event in events:
        fields = dict(event)
        text = fields.pop("data")
        data += encode_event(text, **fields) + encode_comment(text)
        assert encode_event(text.encode(), **fields) == encode_event(text, **fields)
        last_id = fields.get("id", last_id)
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        wanted.append(e(text, fields.get("event") or "message", last_id, fields.get("retry")))
    for lengths in ([len(data)], [1] * len(data), cut.draw(partitions(data))):
        assert read(SSEParser(mode="whatwg"), data, lengths)[0] == wanted


def test_the_bytes_of_an_event():
    """Fields in the order of the standard's examples, one space after the colon."""
    assert encode_event("a\r\nb\rc\n") == b"data: a\ndata: b\ndata: c\ndata: \n\n"
    full = encode_event(b"x", event="n", id="7", retry=5)
    assert full == b"event: n\nid: 7\nretry: 5\ndata: x\n\n"
    assert encode_comment() == b": \n\n"
    assert encode_comment("a\r\nb\rc") == b": a\n: b\n: c\n\n"


@pytest.mark.parametrize("field", ["event", "id"])
@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b"])
def test_a_name_or_id_that_would_break_the_framing_is_refused(field, value):
    """Else whoever sets it could write events of their own."""
    with pytest.raises(ValueError, match=field):
        encode_event("x", **{field: value})


@pytest.mark.parametrize("text", ["x", "a\n\ndata: b\n\n", "a\r\rdata: b\r\r", ""])
def test_a_comment_is_no_event(text):
    """Between events it is nothing, whatever its text."""
    data = encode_event("1") + encode_comment(text) + encode_event("2")
    for lengths in cuttings(data):
        assert read(SSEParser(), data, lengths)[0] == [e("1"), e("2")]


# --- Work ---

SHAPES = {
    "one long line": (lambda size: b"data: " + b"x" * size, 16),
    "one long line, finished": (lambda size: b"data: " + b"x" * size + b"\n\n", NO_LIMIT),
    "many lines of one event": (lambda size: b"data: x\n" * (size // 8) + b"\n", 13),
    "many lines of one event, CRLF": (lambda size: b"data: x\r\n" * (size // 9) + b"\r\n", 13),
    "empty lines of data": (lambda size: b"data\n" * (size // 5) + b"\n", 13),
    "lines and comments": (lambda size: b"data: x\n: c\n" * (size // 12), 13),
    "small events in small chunks": (lambda size: b"data: x\n\n" * (size // 9), 13),
    "small events in one chunk": (lambda size: b"data: x\n\n" * (size // 9), NO_LIMIT),
    "one long comment": (lambda size: b": " + b"x" * size, 16),
    "many comments": (lambda size: b": c\n" * (size // 4), 13),
    "keep-alives": (lambda size: b": c\n\n" * (size // 5), 13),
    "unknown fields": (lambda size: b"unknown: x\n" * (size // 11), 13),
    "blank lines": (lambda size: b"\n" * size, 7),
}


@pytest.mark.scorecard(41)
@pytest.mark.parametrize("keep_unknown", [True, False])
@pytest.mark.parametrize(("shape", "chunk"), SHAPES.values(), ids=SHAPES)
def test_time_is_linear(shape, chunk, keep_unknown):
    """Bytes handled and lines run grow in proportion, whatever an event is made of."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "_COMPACT_AT", 128)  # so that a small input shows what a large one does
        assert_linear(lambda: SSEFramer(keep_unknown=keep_unknown), "_pending", shape, chunk)
