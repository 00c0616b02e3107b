"""One JSON document: parsed as the standard library would, bounded, with errors of our own."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent.errors import InvalidJSON, ProtocolError, TooDeep
from cogent.framing import MAX_DEPTH, loads, run_together

MODES = ("strict", "lenient", "tolerant")
every_mode = pytest.mark.parametrize("mode", MODES)

strings = st.text() | st.text(alphabet='[]{}"\\,: \né\u2028', max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | strings
)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(strings, inner, max_size=4),
    max_leaves=12,
)


def depth_of(value: object) -> int:
    """Measure the nesting of a parsed document; a scalar has none."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@every_mode
@given(value=documents, ascii_only=st.booleans(), indent=st.sampled_from([None, 0, 2]))
def test_json_is_parsed_as_the_standard_library_wrote_it(mode, value, ascii_only, indent):
    """Every mode takes valid JSON, from bytes and from a buffer, and gives the same value."""
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert loads(data, mode=mode) == value
    assert loads(bytearray(data), mode=mode) == value


@given(value=documents)
def test_the_depth_that_counts_is_the_depth_of_the_document(value):
    """A document passes at its own depth and not one below it, whatever its strings hold."""
    data = json.dumps(value, ensure_ascii=False).encode()
    depth = depth_of(value)
    assert loads(data, max_depth=depth) == value
    if depth:
        with pytest.raises(TooDeep):
            loads(data, max_depth=depth - 1)


@every_mode
@given(data=st.binary(max_size=60) | st.text(alphabet='[]{}",:\\ 0e-Ntrue').map(str.encode))
def test_any_bytes_give_a_value_or_one_typed_error(mode, data):
    """Nothing but `InvalidJSON` or `TooDeep` is raised, and a value is one that JSON has."""
    value = raised = None
    try:
        value = loads(data, mode=mode, max_depth=3)
    except (InvalidJSON, TooDeep) as error:
        raised = error
    assert value is None or isinstance(value, (bool, int, float, str, list, dict))
    assert raised is None or str(raised).isprintable()


@given(data=st.binary(max_size=60) | st.text(alphabet='[]{}",:\\ 0e-Ntrue').map(str.encode))
def test_a_mode_takes_all_that_the_stricter_ones_take(data):
    """Where a stricter mode gives a value, the more tolerant ones give the same."""
    value, taken = None, False
    for mode in MODES:
        try:
            now = loads(data, mode=mode)
        except ProtocolError:
            assert not taken
        else:
            assert not taken or now == value or now != now  # NaN differs from itself
            value, taken = now, True


@every_mode
@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]"), (' [ { "[" : ', "} ] ")]
)
def test_nesting_passes_at_the_limit_and_not_one_above(mode, opening, closing):
    """The default limit is exact, for arrays and objects."""
    levels = closing.count("]") + closing.count("}")
    at_limit = opening * (MAX_DEPTH // levels) + "0" + closing * (MAX_DEPTH // levels)
    assert depth_of(loads(at_limit.encode(), mode=mode)) == MAX_DEPTH
    with pytest.raises(TooDeep, match=str(MAX_DEPTH)):
        loads(f"[{at_limit}]".encode(), mode=mode)


@every_mode
def test_brackets_in_strings_are_no_nesting(mode):
    """Brackets, escaped quotes and backslashes inside strings and keys do not count."""
    for text in ("[" * 500, '"[{' * 500, "\\" * 7 + "[" * 500, '\\"[' * 500, "]" * 500):
        document = {text: [text, {"a": text}]}
        assert loads(json.dumps(document).encode(), mode=mode, max_depth=3) == document
        with pytest.raises(TooDeep):
            loads(json.dumps(document).encode(), mode=mode, max_depth=2)


@every_mode
def test_many_flat_brackets_are_no_nesting(mode):
    """A long list of empty lists is two deep."""
    assert loads(b"[" + b"[]," * 500 + b"{}]", mode=mode, max_depth=2) == [[]] * 500 + [{}]


@every_mode
@pytest.mark.parametrize("closing", [b"]" * 20_000, b""])
def test_deep_nesting_is_refused_before_it_is_parsed(mode, closing):
    """Twenty thousand levels, closed or not, are `TooDeep`."""
    with pytest.raises(TooDeep):
        loads(b"[" * 20_000 + closing, mode=mode)


@every_mode
@pytest.mark.parametrize("unit", [(b"[", b"]"), (b'{"a":', b"}")])
def test_no_recursion_error_escapes_when_the_limit_is_lifted(mode, unit):
    """With a limit past what the parsers can do, their own refusal is `InvalidJSON`."""
    opening, closing = unit
    with pytest.raises(InvalidJSON):
        loads(opening * 100_000 + b"1" + closing * 100_000, mode=mode, max_depth=10**9)


@every_mode
@pytest.mark.parametrize("number", ["1" * 5_000, "-" + "1" * 5_000])
def test_an_integer_of_5000_digits_is_refused(mode, number):
    """Python's own limit on digits does not come out as a plain ``ValueError``."""
    with pytest.raises(InvalidJSON):
        loads(b'{"n":' + number.encode() + b"}", mode=mode)


@every_mode
def test_integers_of_64_bits_are_exact(mode):
    """Durations in nanoseconds pass 2**53 and must not be rounded."""
    for number in (2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1):
        assert loads(str(number).encode(), mode=mode) == number


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity"])
def test_nan_and_infinity_are_taken_in_tolerant_only(constant):
    """They are not JSON; some servers send them in log probabilities."""
    for mode in ("strict", "lenient"):
        with pytest.raises(InvalidJSON):
            loads(b'{"p":' + constant + b"}", mode=mode)
    assert not math.isfinite(loads(b'{"p":' + constant + b"}", mode="tolerant")["p"])


@pytest.mark.parametrize("escape", ["\\ud83d", "\\ude00", "\\ude00\\ud83d"])
def test_lone_surrogates_are_taken_in_tolerant_only(escape):
    """Half a pair is a legal escape but no character; its other half may come in another frame."""
    data = f'{{"t":"{escape}"}}'.encode()
    for mode in ("strict", "lenient"):
        with pytest.raises(InvalidJSON):
            loads(data, mode=mode)
    assert loads(data, mode="tolerant") == {"t": escape.encode().decode("unicode_escape")}


@every_mode
def test_a_pair_of_surrogate_escapes_is_one_character(mode):
    """An escaped pair is joined in every mode."""
    assert loads(b'"\\ud83d\\ude00"', mode=mode) == "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("bad", "shown"),
    [
        (b"\xff", "\ufffd"),
        (b"\xe2\x82", "\ufffd"),
        (b"\xc3(", "\ufffd("),
        (b"\xed\xa0\xbd", "\ufffd\ufffd\ufffd"),  # a surrogate, encoded
        (b"\xc0\xaf", "\ufffd\ufffd"),  # an overlong form
    ],
)
def test_bad_utf_8_is_replaced_except_in_strict(bad, shown):
    """Only ``strict`` refuses it; the characters around it are kept."""
    data = b'{"t":"a' + bad + b'z"}'
    with pytest.raises(InvalidJSON):
        loads(data, mode="strict")
    for mode in ("lenient", "tolerant"):
        assert loads(data, mode=mode) == {"t": f"a{shown}z"}


@every_mode
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b'{"a":1}{"b":2}',
        b'{"a":1,}',
        b"[1,]",
        b"{'a':1}",
        b"tru",
        b"01",
        b'"a\tb"',
        b"\0",
        b"// no\n1",
        b"\xef\xbb\xbf1",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
    ],
)
def test_what_is_not_json_is_refused(mode, data):
    """In every mode; no encoding is guessed and no byte-order mark is taken."""
    with pytest.raises(InvalidJSON):
        loads(data, mode=mode)


def test_the_error_quotes_what_came_on_one_short_line():
    """The head of the text is shown, control characters escaped, and nothing is chained."""
    with pytest.raises(InvalidJSON) as caught:
        loads(b"<html>\r\n\x1b[31m" + b"x" * 10_000)
    message = str(caught.value)
    assert "<html>" in message
    assert message.isprintable()
    assert len(message) < 500
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_strict_is_the_default():
    """Tolerance is asked for."""
    with pytest.raises(InvalidJSON):
        loads(b"NaN")
    with pytest.raises(InvalidJSON):
        loads(b'"\xff"')


objects = st.dictionaries(strings, documents, max_size=3)
gaps = st.sampled_from(["", " ", "\n", "\r\n", "data:", "data: ", "\ndata: "])


@given(values=st.lists(st.tuples(objects, gaps), min_size=2, max_size=4), marked=st.booleans())
def test_objects_that_were_run_together_are_parted(values, marked):
    """Whatever white space or prefix is left between them, and whatever their strings hold."""
    text = "".join(json.dumps(value) + gap for value, gap in values) + "[DONE]" * marked
    pieces = run_together(text.encode())
    assert [loads(piece) for piece in pieces[: len(values)]] == [value for value, _ in values]
    assert pieces[len(values) :] == [b"[DONE]"] * marked


@pytest.mark.parametrize("data", [b"", b"{}", b"{", b"{} {", b"{}{}x", b"[][]", b"1 2", b"{}x{}"])
def test_what_is_not_all_objects_is_not_parted(data):
    assert run_together(data) == []
