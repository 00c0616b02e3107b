"""Reading foreign JSON never fails, and writing JSON always gives UTF-8."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent.errors import ConfigurationError
from cogent.wire.fields import (
    dump,
    integer,
    items,
    mended,
    number,
    obj,
    objects,
    optional,
    text,
)

from .strategies import json_values

anything = json_values | st.floats() | st.text() | st.integers()


@given(anything)
def test_every_reader_takes_every_value(value):
    source = {"key": value}
    assert isinstance(obj(value), dict)
    assert isinstance(items(value), list)
    assert all(isinstance(item, dict) for item in objects(value))
    assert isinstance(text(source, "key"), str)
    assert optional(source, "key") != ""
    assert type(integer(source, "key")) in (int, type(None))
    assert type(number(source, "key")) in (float, type(None))


@pytest.mark.parametrize("read", [integer, number, optional])
def test_what_is_missing_is_none(read):
    assert read({}, "key") is None
    assert read({"key": None}, "key") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, 7), (-7, -7), (0, 0), (3.0, 3), ("12", 12), ("0", 0), (1e300, int(1e300)),
        (3.5, None), ("3.5", None), ("-3", None), ("", None), (" 3", None), ("٣", None),
        ("1" * 19, None), (True, None), (float("nan"), None), (float("inf"), None), ([3], None),
    ],
)  # fmt: skip
def test_integer(value, expected):
    assert integer({"n": value}, "n") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.5, 0.5), (2, 2.0), (True, None), ("0.5", None), (10**400, None)],
)
def test_number(value, expected):
    assert number({"n": value}, "n") == expected


def test_objects_leaves_out_what_is_none():
    assert objects([{"a": 1}, None, 3, "x", [], {"b": 2}]) == [{"a": 1}, {"b": 2}]
    assert objects({"a": 1}) == []


@given(json_values)
def test_dump_is_compact_utf8_that_reads_back(value):
    written = dump(value)
    assert json.loads(written.decode("utf-8")) == value
    assert b"\n" not in written


def test_dump_writes_characters_and_not_their_codes():
    assert dump({"t": "é\u2028😀"}) == '{"t":"é\u2028😀"}'.encode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": "x\ud83d"}, '{"a":"x\ufffd"}'),
        ({"\ude00": 1}, '{"\ufffd":1}'),
        (["\ud83d\ude00"], '["😀"]'),
        ({"n": 2**70}, '{"n":1180591620717411303424}'),
        ({"n": float("nan")}, '{"n":null}'),
        ({"n": float("-inf"), "m": 2**70}, '{"n":null,"m":1180591620717411303424}'),
        ({1: ("a", 2.5)}, '{"1":["a",2.5]}'),
    ],
)
def test_dump_writes_what_other_writers_refuse(value, expected):
    assert dump(value).decode() == expected


@pytest.mark.parametrize("value", [object(), {"deep": {"er": {1, 2}}}, b"bytes"])
def test_dump_refuses_what_is_no_json(value):
    with pytest.raises(ConfigurationError, match="not JSON"):
        dump(value)


def test_dump_refuses_a_circle():
    circle = []
    circle.append(circle)
    with pytest.raises(ConfigurationError):
        dump(circle)


def test_mended_leaves_sound_values_alone():
    value = {"a": ["é😀", 1, 1.5, None, True, {"b": ""}]}
    assert mended(value) == value
