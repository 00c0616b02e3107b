"""Newline-delimited JSON: whatever the cutting, the same records or the same typed error."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cogent.errors import InvalidJSON, LineTooLarge, ProtocolError
from cogent.framing import MAX_LINE_BYTES, NDJSONFramer, encode_record, loads
from tests.support.cuts import cuttings, every, partitions, pieces
from tests.support.reference import requires_reference, vectors

from .work import assert_linear

MODES = ("strict", "lenient")
BOM = b"\xef\xbb\xbf"
NO_LIMIT = 2**62

TOKENS = [
    b"\n", b"\n", b"\r\n", b"\r", BOM, BOM[:2], b" ", b"\t", b"\0", b"{", b"}", b'{"a":1}', b"12",
    b'"\xc3\xa9"', b"\xe2\x80\xa8", b"\xff", b"NaN", b"tru", b"data: ",
]  # fmt: skip
inputs = st.lists(st.sampled_from(TOKENS) | st.binary(max_size=3), max_size=16).map(b"".join)


def read(framer, data, lengths, *, clean=True):
    """Feed a cutting; give all records and the type of the error, if one came."""
    records = []
    try:
        for piece in pieces(data, lengths):
            records += framer.feed(piece)
        records += framer.close(clean=clean)
    except ProtocolError as error:
        return records, type(error)
    return records, None


def expected(data, *, mode, limit=NO_LIMIT, clean=True):
    """Read the whole input, slowly and by the rules alone."""
    lenient = mode == "lenient"
    if lenient:
        data = data.removeprefix(BOM)
    *lines, tail = (line.removesuffix(b"\r") for line in data.split(b"\n"))
    records = []
    for line in lines:
        if len(line) > limit:
            return records, LineTooLarge
        if line.strip() or not lenient:
            records.append(line)
    if len(tail) > limit:
        return records, LineTooLarge
    if lenient:
        if not clean or not tail.strip():
            return records, None
        try:
            json.loads(tail.decode("utf-8", "replace"))
        except ValueError:
            return records, InvalidJSON
        return [*records, tail], None
    # A CR may not be dropped here: nothing says that the line has ended.
    return records, None if not data.rpartition(b"\n")[2] else InvalidJSON


# --- Against vectors ---


def verdict(record, mode):
    """Name what a record is, in the words of the vectors."""
    if not record.strip():
        return "empty_line", None
    try:
        return None, loads(record, mode=mode)
    except InvalidJSON:
        pass
    try:
        loads(record, mode="tolerant")
    except InvalidJSON:
        return "invalid_json", None
    try:
        record.decode()
    except UnicodeDecodeError:
        return "invalid_utf8", None
    # What only ``tolerant`` takes is either a constant that JSON lacks or a lone surrogate.
    return "lone_surrogate" if b"\\u" in record else "invalid_json", None


@pytest.mark.scorecard(38)
@requires_reference
@pytest.mark.parametrize("vector", vectors("ndjson.json"))
def test_vector(vector):
    """Records, values and errors are those of the vector, for every cutting."""
    data = b64decode(vector["input_b64"])
    for mode in MODES if vector["mode"] == "both" else [vector["mode"]]:
        for lengths in (*cuttings(data), *vector["chunkings"]):
            records, error = read(NDJSONFramer(mode=mode), data, lengths)
            events = list(vector["events"])
            truncated = bool(events) and events[-1].get("error") == "truncated"
            assert error is (InvalidJSON if truncated else None), (mode, lengths)
            if truncated:
                events.pop()
            shown = [record.decode("utf-8", "replace") for record in records]
            assert shown == [event["data"] for event in events], (mode, lengths)
            if vector["normative"]:
                verdicts = [verdict(record, mode) for record in records]
                wanted = [(event.get("error"), event.get("value")) for event in events]
                assert verdicts == wanted, (mode, lengths)


@pytest.mark.scorecard(38)
@requires_reference
@pytest.mark.parametrize(
    "vector", [v for v in vectors("large.json") if v.values[0]["format"] == "ndjson"]
)
def test_large(vector):
    """Large inputs give the records that the digest stands for, with the default limit."""
    unit = b64decode(vector["unit_b64"]) * vector["count"]
    data = b64decode(vector["prefix_b64"]) + unit + b64decode(vector["suffix_b64"])
    assert len(data) == vector["total_bytes"]
    records, error = read(NDJSONFramer(), data, every(data, vector["chunk_bytes"]))
    assert error is None
    assert len(records) == vector["expect"]["events"]
    assert len(records[0].decode()) == vector["expect"]["first_data_chars"]
    assert hashlib.sha256(records[0]).hexdigest() == vector["expect"]["first_data_sha256"]
    joined = hashlib.sha256(b"\0".join(records)).hexdigest()
    assert joined == vector["expect"]["all_data_sha256"]


@pytest.mark.scorecard(40)
@requires_reference
@pytest.mark.parametrize(
    "vector", [v for v in vectors("limits.json") if v.values[0]["format"] == "ndjson"]
)
def test_limit_vector(vector):
    """The named error comes after so many records, and no more than allowed is ever held."""
    unit = b64decode(vector["unit_b64"]) * vector["count"]
    data = b64decode(vector["prefix_b64"]) + unit + b64decode(vector["suffix_b64"])
    limits = dict(vector["setting"])
    depth = {"max_depth": limits.pop("max_depth")} if "max_depth" in limits else {}
    framer = NDJSONFramer(**limits)
    held = parsed = 0
    error = None
    try:
        for piece in pieces(data, every(data, vector["chunk_bytes"])):
            for record in framer.feed(piece):
                loads(record, **depth)
                parsed += 1
            held = max(held, len(framer._pending))
        for record in framer.close():
            loads(record, **depth)
            parsed += 1
    except ProtocolError as raised:
        error = type(raised).__name__
    assert error == vector["outcome"].get("error")
    assert parsed == vector["outcome"].get("after_events", vector["outcome"].get("events"))
    assert held <= vector["peak_buffer_at_most"]


# --- Whatever the cutting ---


@pytest.mark.scorecard(38)
@pytest.mark.parametrize("mode", MODES)
@given(data=inputs, cut=st.data(), clean=st.booleans())
def test_every_cutting_gives_what_the_whole_input_holds(mode, data, cut, clean):
    """Any bytes, any cutting: the records of the slow reading, and its error or none."""
    wanted = expected(data, mode=mode, clean=clean)
    for lengths in ([len(data)], [1] * len(data), cut.draw(partitions(data))):
        assert read(NDJSONFramer(mode=mode), data, lengths, clean=clean) == wanted


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=2 * settings.default.max_examples)
@given(data=inputs, cut=st.data(), limit=st.integers(len(BOM), 12))
def test_a_limit_holds_alike_for_every_cutting(mode, data, cut, limit):
    """Line ends and the byte-order mark are no part of a record, wherever they are cut."""
    wanted = expected(data, mode=mode, limit=limit)
    for lengths in ([len(data)], [1] * len(data), cut.draw(partitions(data))):
        assert read(NDJSONFramer(mode=mode, max_line_bytes=limit), data, lengths) == wanted


@pytest.mark.parametrize("data", [BOM + b'{"a":1}\r\n', b'{"a":1}\r\n{"b":2}\n', b'{"a":1}\r'])
def test_a_record_at_the_limit_passes_for_every_cutting(data):
    """Exactly at the limit passes, one byte more does not."""
    for lengths in cuttings(data):
        records, error = read(NDJSONFramer(max_line_bytes=7), data, lengths)
        assert records[0] == b'{"a":1}'
        assert error is None
        assert read(NDJSONFramer(max_line_bytes=6), data, lengths) == ([], LineTooLarge)


def test_a_blank_line_over_the_limit_is_an_error_for_every_cutting():
    """What is skipped in the end has still to be held until its line ends."""
    data = b"1\n" + b" " * 10 + b"\n2\n"
    for lengths in cuttings(data):
        assert read(NDJSONFramer(max_line_bytes=9), data, lengths) == ([b"1"], LineTooLarge)
        assert read(NDJSONFramer(max_line_bytes=10), data, lengths) == ([b"1", b"2"], None)


@pytest.mark.scorecard(40)
def test_the_default_limit():
    """64 MiB pass; one byte more is refused while it comes."""
    assert MAX_LINE_BYTES == 64 * 1024 * 1024
    line = b"1" * MAX_LINE_BYTES
    framer = NDJSONFramer()
    assert framer.feed(line) == []
    assert [len(record) for record in framer.feed(b"\n")] == [MAX_LINE_BYTES]
    assert framer.feed(line) == []
    with pytest.raises(LineTooLarge, match="max_line_bytes"):
        framer.feed(b"1")


# --- Rules, one by one ---


@pytest.mark.scorecard(39)
def test_a_record_comes_with_the_byte_that_ends_it():
    """No record waits for the next one."""
    framer = NDJSONFramer()
    data = b'{"a":1}\n\n{"b":2}\r\n3\n'
    ready = [at for at, byte in enumerate(data, 1) for _ in framer.feed(bytes([byte]))]
    assert ready == [8, 18, 20]


@pytest.mark.parametrize("mode", MODES)
def test_only_lf_ends_a_record(mode):
    """CR, NEL, VT, FF, U+2028 and U+2029 do not."""
    data = '["\u2028\u2029\x85"]\r["\x0b\x0c"]\n2\n'.encode()
    for lengths in cuttings(data):
        assert read(NDJSONFramer(mode=mode), data, lengths) == ([data[:-3], b"2"], None)


def test_blank_lines_are_skipped_in_lenient_and_handed_out_in_strict():
    """A keep-alive of a blank line is nothing to one mode and a record to the other."""
    data = b'\n \t\n\r\n{"a":1}\n\n'
    for lengths in cuttings(data):
        assert read(NDJSONFramer(mode="lenient"), data, lengths) == ([b'{"a":1}'], None)
        strict = [b"", b" \t", b"", b'{"a":1}', b""]
        assert read(NDJSONFramer(mode="strict"), data, lengths) == (strict, None)


def test_one_byte_order_mark_is_dropped_in_lenient_only():
    """One at the very start; a second one, or a later one, stays."""
    data = BOM + BOM + b"1\n" + BOM + b"2\n"
    for lengths in cuttings(data):
        records, _ = read(NDJSONFramer(mode="lenient"), data, lengths)
        assert records == [BOM + b"1", BOM + b"2"]
        records, _ = read(NDJSONFramer(mode="strict"), data, lengths)
        assert records == [BOM + BOM + b"1", BOM + b"2"]


@pytest.mark.parametrize("data", [b"", BOM, b"\n", BOM + b"\n", b"  \r"])
def test_nothing_is_no_record(data):
    """An empty body is no record and no error; the layer above has to see that it is empty."""
    for lengths in cuttings(data):
        assert read(NDJSONFramer(), data, lengths) == ([], None)


@pytest.mark.parametrize("tail", [b'{"b":2}', b'{"b":NaN}', b'{"b":"\xff"}', b'{"b":2}\r'])
def test_an_unterminated_record_counts_if_it_parses_and_the_end_was_clean(tail):
    """``lenient`` takes it on a clean end; a broken connection or ``strict`` does not."""
    data = b"1\n" + tail
    for lengths in cuttings(data):
        clean = read(NDJSONFramer(), data, lengths)
        assert clean == ([b"1", tail.removesuffix(b"\r")], None)
        assert read(NDJSONFramer(), data, lengths, clean=False) == ([b"1"], None)
        for end in (True, False):
            strict = read(NDJSONFramer(mode="strict"), data, lengths, clean=end)
            assert strict == ([b"1"], InvalidJSON)


def test_a_cut_record_is_an_error_on_a_clean_end_only():
    """Half a document after a clean end is a fault; after a broken connection it is expected."""
    data = b'1\n{"text":"hel'
    for lengths in cuttings(data):
        assert read(NDJSONFramer(), data, lengths) == ([b"1"], InvalidJSON)
        assert read(NDJSONFramer(), data, lengths, clean=False) == ([b"1"], None)


# --- Errors ---


def test_records_before_an_oversized_one_come_first():
    """They are returned; the next call raises, and every call after it."""
    framer = NDJSONFramer(max_line_bytes=8)
    assert framer.feed(b"1\n\n2\n" + b"x" * 9 + b"\n3\n") == [b"1", b"2"]
    for call in (lambda: framer.feed(b"4\n"), lambda: framer.feed(b""), framer.close):
        with pytest.raises(LineTooLarge) as caught:
            call()
        assert caught.value is framer.error


@pytest.mark.parametrize("before", [b"", b"\n", b"  \n\r\n"])
def test_an_oversized_record_with_nothing_before_it_raises_at_once(before):
    """Blank lines that are skipped do not put the error off."""
    with pytest.raises(LineTooLarge):
        NDJSONFramer(max_line_bytes=8).feed(before + b"x" * 9)


def test_an_oversized_record_is_let_go():
    """After the error nothing of it is held."""
    framer = NDJSONFramer(max_line_bytes=8)
    with pytest.raises(LineTooLarge):
        framer.feed(b"x" * 1_000)
    assert not framer._pending


# --- Encoding ---


values = st.dictionaries(st.text(max_size=4), st.text() | st.integers() | st.none(), max_size=3)


@given(values=st.lists(values, max_size=4), indent=st.sampled_from([None, 1]), cut=st.data())
def test_what_is_encoded_is_framed_again(values, indent, cut):
    """Documents come back as they were, pretty-printed ones too, however they are cut."""
    documents = [json.dumps(value, indent=indent).encode() for value in values]
    data = b"".join(map(encode_record, documents))
    assert data.count(b"\n") == len(values)
    for mode in MODES:
        records, error = read(NDJSONFramer(mode=mode), data, cut.draw(partitions(data)))
        assert error is None
        assert [json.loads(record) for record in records] == values


# --- Work ---

SHAPES = {
    "one long record": (lambda size: b'"' + b"x" * size + b'"\n', 64),
    "short records in short chunks": (lambda size: b'{"a":1}\n' * (size // 8), 5),
    "short records in one chunk": (lambda size: b'{"a":1}\n' * (size // 8), NO_LIMIT),
    "blank lines": (lambda size: b"\n" * size, 7),
    "unterminated white space": (lambda size: b" " * size, 3),
}


@pytest.mark.scorecard(41)
@pytest.mark.parametrize(("shape", "chunk"), SHAPES.values(), ids=SHAPES)
def test_time_is_linear(shape, chunk):
    """Bytes handled and lines run grow in proportion, for one long record and for many."""
    assert_linear(NDJSONFramer, "_pending", shape, chunk)
