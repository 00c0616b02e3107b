"""The elements of a streamed array: each by its last byte, the same for every cutting."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cogent.errors import LineTooLarge, ProtocolError
from cogent.framing import MAX_LINE_BYTES, JSONArrayEncoder, JSONArrayFramer, loads
from tests.support.cuts import cuttings, partitions, pieces

from .work import assert_linear, count_patterns

BOM = b"\xef\xbb\xbf"
NO_LIMIT = 2**62

strings = st.text(max_size=8) | st.text(alphabet='[]{}"\\,: \r\né\u2028', max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | strings
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=3),
    max_leaves=6,
)

TOKENS = [
    b"[", b"]", b"{", b"}", b'"', b"\\", b",", b":", b" ", b"\r\n", b"\t", BOM, BOM[:1], b"\0",
    b"1", b"null", b'"a"', b'{"a":1}', b"[[]]", b'"\\\\"', b"\xc3\xa9",
]  # fmt: skip
garbage = st.lists(st.sampled_from(TOKENS) | st.binary(max_size=2), max_size=20).map(b"".join)
inputs = garbage | garbage.map(lambda inner: b"[" + inner) | garbage.map(b"[%b]".__mod__)


def read(framer, data, lengths, *, clean=True):
    """Feed a cutting; give the elements, whether the array ended, and the error's type."""
    elements = []
    try:
        for piece in pieces(data, lengths):
            elements += framer.feed(piece)
        elements += framer.close(clean=clean)
    except ProtocolError as error:
        return elements, framer.terminated, type(error)
    return elements, framer.terminated, None


def ready_at(data):
    """Feed byte by byte; give after how many bytes each element came."""
    framer = JSONArrayFramer()
    return [at for at, byte in enumerate(data, 1) for _ in framer.feed(bytes([byte]))]


# --- Whatever the cutting ---


@given(
    array=st.lists(values, max_size=4),
    indent=st.sampled_from([None, 0, 2]),
    ascii_only=st.booleans(),
    crlf=st.booleans(),
    cut=st.data(),
)
def test_the_elements_are_those_of_the_whole_array(array, indent, ascii_only, crlf, cut):
    """Any array, compact or pretty-printed, cut anywhere: what parsing it whole gives."""
    text = json.dumps(array, indent=indent, ensure_ascii=ascii_only)
    data = (text.replace("\n", "\r\n") if crlf else text).encode()
    for lengths in ([len(data)], [1] * len(data), cut.draw(partitions(data))):
        elements, terminated, error = read(JSONArrayFramer(), data, lengths)
        assert [json.loads(element) for element in elements] == json.loads(data)
        assert terminated
        assert error is None


@settings(max_examples=2 * settings.default.max_examples)
@given(data=inputs, cut=st.data(), clean=st.booleans(), limit=st.integers(len(BOM), 24))
def test_any_bytes_give_the_same_for_every_cutting(data, cut, clean, limit):
    """Any bytes at all: the same elements, the same end, the same one typed error or none."""
    for most in (NO_LIMIT, limit):
        outcomes = [
            read(JSONArrayFramer(max_line_bytes=most), data, lengths, clean=clean)
            for lengths in ([len(data)], [1] * len(data), cut.draw(partitions(data)))
        ]
        assert outcomes[0] == outcomes[1] == outcomes[2]
        assert (
            outcomes[0][2] is None
            if most == NO_LIMIT
            else outcomes[0][2]
            in (
                None,
                LineTooLarge,
            )
        )


@given(data=inputs)
def test_what_is_an_array_as_a_whole_is_one_in_pieces(data):
    """Where the standard library reads an array out of any bytes, so does the framer."""
    try:
        whole = json.loads(data.decode())
    except ValueError:
        return
    elements, terminated, _ = read(JSONArrayFramer(), data, [1] * len(data))
    if isinstance(whole, list):
        assert terminated
        assert [json.loads(element) for element in elements] == whole
    else:
        assert not terminated
        assert [json.loads(element) for element in elements] == [whole]


@pytest.mark.parametrize(
    ("data", "elements"),
    [
        (b"[]", []),
        (b" [ \r\n ] ", []),
        (b'[{"a":1}]', [b'{"a":1}']),
        (b'[{"a":1}\r\n,\r\n{"b":2}]', [b'{"a":1}', b'{"b":2}']),
        (b'[{"a":[{"b":[1,2]},{}]},[[3],[]]]', [b'{"a":[{"b":[1,2]},{}]}', b"[[3],[]]"]),
        (b'["]", "}", "[{", ","]', [b'"]"', b'"}"', b'"[{"', b'","']),
        (b'["\\"]", "\\\\", "\\\\\\"]"]', [b'"\\"]"', b'"\\\\"', b'"\\\\\\"]"']),
        (b'[{"k\\"]}": "\\\\\\\\"}, "\\u005d"]', [b'{"k\\"]}": "\\\\\\\\"}', b'"\\u005d"']),
        (b"[1, -2.5e3 ,true,\tfalse, null ]", [b"1", b"-2.5e3", b"true", b"false", b"null"]),
        ('["\u2028", "é"]'.encode(), ['"\u2028"'.encode(), '"é"'.encode()]),
        (BOM + b'\r\n[{"a":1}]', [b'{"a":1}']),
        (b'[{"a":1}]\r\n', [b'{"a":1}']),
        (b'[{"a":1}] trailing [{"b":2}]', [b'{"a":1}']),
    ],
)
def test_array(data, elements):
    """Written out by hand: what the elements are, whatever the cutting."""
    for lengths in cuttings(data):
        assert read(JSONArrayFramer(), data, lengths) == (elements, True, None)


def test_pretty_printed_with_crlf():
    """As one provider sends it: the bytes of an element are handed out as they came."""
    first = b'{\r\n    "text": "a [b] \\"c\\" {d"\r\n  }'
    second = b'{\r\n    "usage": {\r\n      "n": 3\r\n    }\r\n  }'
    data = b"[" + first + b"\r\n,\r\n" + second + b"\r\n]\r\n"
    for lengths in cuttings(data):
        assert read(JSONArrayFramer(), data, lengths) == ([first, second], True, None)


# --- Moment of delivery ---


def test_an_element_comes_with_its_last_byte():
    """An object or array does not wait for the comma, the next element or the end."""
    assert ready_at(b'[{"a":1}') == [8]
    assert ready_at(b'[{"a":"}"},\r\n[[1],2] , {}]') == [10, 20, 25]


def test_a_scalar_comes_with_what_follows_it():
    """Nothing but the comma or the bracket says that a number has ended."""
    assert ready_at(b"[12 ,3]") == [5, 7]


def test_terminated_is_set_by_the_closing_bracket_itself():
    """It is the only sign that the array was whole."""
    framer = JSONArrayFramer()
    assert framer.feed(b'[{"a":1},{"b":2}') == [b'{"a":1}', b'{"b":2}']
    assert not framer.terminated
    assert framer.feed(b"]") == []
    assert framer.terminated
    assert framer.close() == []


# --- The end of the input ---


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("data", [b'[{"a":1},{"b":', b'[{"a":1},2', b'[{"a":1}', b'[{"a":1},"'])
def test_a_cut_array_gives_its_whole_elements(data, clean):
    """What was cut off is not handed out, and `terminated` tells."""
    for lengths in cuttings(data):
        assert read(JSONArrayFramer(), data, lengths, clean=clean) == ([b'{"a":1}'], False, None)


@pytest.mark.parametrize(
    "document", [b'{"error":{"code":429,"x":[1,"]"]}}', b"<html>[oops]</html>", b'"text"', b"12"]
)
def test_a_document_that_is_no_array_is_handed_out_whole_at_a_clean_end(document):
    """Errors come so. After a broken connection it may be half, and is not handed out."""
    for data in (document, b" \r\n" + document + b"\n", BOM + document):
        for lengths in cuttings(data):
            assert read(JSONArrayFramer(), data, lengths) == ([document], False, None)
            assert read(JSONArrayFramer(), data, lengths, clean=False) == ([], False, None)


@pytest.mark.parametrize("data", [b"", b" \r\n\t", BOM, BOM + b"\n"])
def test_nothing_is_no_document(data):
    """An empty body gives nothing; the layer above has to see that it is empty."""
    for lengths in cuttings(data):
        assert read(JSONArrayFramer(), data, lengths) == ([], False, None)


def test_an_error_can_be_an_element():
    """It is framed like any other; what is in it is the reader's to judge."""
    data = b'[{"text":"a"},\r\n{"error":{"code":503,"message":"over, and [out]"}}\r\n]'
    for lengths in cuttings(data):
        elements, terminated, error = read(JSONArrayFramer(), data, lengths)
        assert loads(elements[1])["error"]["code"] == 503
        assert terminated
        assert error is None


# --- Limits ---


@pytest.mark.parametrize(
    "data",
    [
        b'[1,{"a":"xyz"},2]',
        b'[1,"abcdefgh",2]',
        b"[1,1234567890,2]",
        b"[1,[[[[3]]]],2]"[:-3] + b" ,2]",
        b"[1,         5,2]",
        b"[1,          ,2]",
    ],
)
def test_the_limit_holds_alike_for_every_cutting(data):
    """An element of the limit passes; one byte less and it is refused, come it whole or not.

    White space before an element counts, for it has to be held as well.
    """
    size = len(data.removeprefix(b"[1,").removesuffix(b",2]").rstrip() or b" " * 10)
    for lengths in cuttings(data):
        elements, terminated, error = read(JSONArrayFramer(max_line_bytes=size), data, lengths)
        assert elements[0] == b"1"
        assert elements[-1] == b"2"
        assert terminated
        assert error is None
        framer = JSONArrayFramer(max_line_bytes=size - 1)
        assert read(framer, data, lengths) == ([b"1"], False, LineTooLarge)


def test_white_space_around_the_array_and_what_follows_it_are_never_held():
    """They cost nothing, however long."""
    framer = JSONArrayFramer(max_line_bytes=8)
    for chunk in (b" " * 100, b"\r\n" * 100, b"[1", b"]", b" " * 100, b"x" * 100):
        framer.feed(chunk)
        assert len(framer._buffer) <= 8
    assert framer.terminated
    assert framer.close() == []


def test_a_document_that_is_no_array_is_held_to_the_limit():
    """It has to be kept to its end, so it is bounded while it comes."""
    for lengths in cuttings(b"x" * 9):
        framer = JSONArrayFramer(max_line_bytes=8)
        assert read(framer, b"x" * 9, lengths) == ([], False, LineTooLarge)


def test_an_element_that_never_ends_is_refused_and_let_go():
    """No more than the limit and one chunk is ever held, and nothing after the error."""
    framer = JSONArrayFramer(max_line_bytes=1_000)
    for chunk in (b'["', *[b"x" * 111] * 9):
        assert framer.feed(chunk) == []
    assert len(framer._buffer) == 1_000
    with pytest.raises(LineTooLarge, match="max_line_bytes"):
        framer.feed(b"x")
    assert not framer._buffer


def test_the_default_limit():
    """64 MiB pass."""
    framer = JSONArrayFramer()
    assert framer.feed(b"[" + b"1" * MAX_LINE_BYTES) == []
    assert [len(element) for element in framer.feed(b"]")] == [MAX_LINE_BYTES]
    with pytest.raises(LineTooLarge):
        JSONArrayFramer().feed(b"[" + b"1" * (MAX_LINE_BYTES + 1))


def test_elements_before_an_oversized_one_come_first():
    """They are returned; the next call raises, and every call after it."""
    framer = JSONArrayFramer(max_line_bytes=8)
    assert framer.feed(b'[1,{"a":2},"' + b"x" * 9) == [b"1", b'{"a":2}']
    for call in (lambda: framer.feed(b'"]'), lambda: framer.feed(b""), framer.close):
        with pytest.raises(LineTooLarge) as caught:
            call()
        assert caught.value is framer.error


def test_an_oversized_element_with_nothing_before_it_raises_at_once():
    """Whether it is whole or still coming."""
    for data in (b'["' + b"x" * 9, b'["xxxxxxxxx",1]'):
        with pytest.raises(LineTooLarge):
            JSONArrayFramer(max_line_bytes=8).feed(data)


# --- Encoding ---


@given(array=st.lists(values, max_size=4), indent=st.sampled_from([None, 1]), cut=st.data())
def test_what_is_encoded_is_framed_again(array, indent, cut):
    """The encoder's bytes are one JSON array, and its elements are the documents."""
    documents = [json.dumps(value, indent=indent).encode() for value in array]
    encoder = JSONArrayEncoder()
    data = b"".join(map(encoder.encode, documents)) + encoder.close()
    assert json.loads(data) == array
    lengths = cut.draw(partitions(data))
    assert read(JSONArrayFramer(), data, lengths) == (documents, True, None)


def test_an_array_of_nothing_is_closed_well():
    """Closing without a document gives an empty array."""
    assert json.loads(JSONArrayEncoder().close()) == []


# --- Work ---

SHAPES = {
    "one long string": (lambda size: b'["' + b"x" * size + b'"]', 64),
    "one long string of escapes": (lambda size: b'["' + b"\\n" * (size // 2) + b'"]', 63),
    "one long number": (lambda size: b"[" + b"1" * size + b"]", 64),
    "one large object": (lambda size: b"[{" + b'"a":[],' * (size // 7) + b"}]", 16),
    "many small elements": (lambda size: b"[" + b'{"a":1},' * (size // 8), 5),
    "many small elements in one chunk": (lambda size: b"[" + b"{},\r\n" * (size // 5), NO_LIMIT),
    "white space before the array": (lambda size: b" " * size + b"[]", 3),
    "white space in the array": (lambda size: b"[" + b" " * size + b"]", 3),
    "white space after the array": (lambda size: b"[]" + b" " * size, 3),
    "byte-order marks": (lambda size: BOM * (size // 3), 2),
    "no array": (lambda size: b"x" * size, 3),
}


@pytest.mark.scorecard(41)
@pytest.mark.parametrize(("shape", "chunk"), SHAPES.values(), ids=SHAPES)
def test_time_is_linear(shape, chunk, monkeypatch):
    """Bytes handled and lines run grow in proportion, for one long element and for many."""
    count_patterns(monkeypatch)
    assert_linear(JSONArrayFramer, "_buffer", shape, chunk)
