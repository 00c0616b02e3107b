"""What a model has said, block by block."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent.chunks import ToolCall
from cogent.errors import ArgumentsTooLarge
from cogent.messages import OpaquePart, ReasoningPart, RefusalPart, TextPart, ToolCallPart
from cogent.wire.blocks import (
    Block,
    message_parts,
    parse_arguments,
    rejoined,
    sound_arguments,
    tool_calls,
)


def block(kind, text="", **facts):
    made = Block(kind, index=facts.pop("index", 0))
    made.write(text)
    for name, value in facts.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (" \n\t", {}),
        ('{"a": 1}', {"a": 1}),
        (' {"a": 1}\n', {"a": 1}),
        ('{"a":1}{"a":1}', {"a": 1}),  # sent twice by a gateway
        ('{"a":1}{"a":2}', None),
        ('{"a":1}{"a":1}{"a":1}', None),
        ('{"a"', None),
        ("[1]", None),
        ("11", None),  # not 1, twice
        ("null", None),
        ("text", None),
        ('{"a": NaN}', {"a": None}),
        ('{"a": "\\ud83d"}', {"a": "\ufffd"}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        ("{" * 200 + "}" * 200, None),
        ('{"a":' * 200 + "1" + "}" * 200, None),  # too deep
        ("\ud83d", None),
    ],
)
def test_parse_arguments(text, expected):
    assert parse_arguments(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1.0, "a":2}', '{"a": 1.0, "a":2}'),  # as received
        (" \n\t", "{}"),
        ('{"a": 1.0}{"a": 1.0}', '{"a": 1.0}'),
        ('{"a": NaN}', '{"a":null}'),
        ('{"a": "\\ud83d x"}', '{"a":"\ufffd x"}'),
        ('{"a": "\ud83d x"}', '{"a":"? x"}'),
        ('{"a"', None),
        ("[1]", None),
    ],
)
def test_arguments_for_those_who_parse_them_again(text, expected):
    assert sound_arguments(text) == expected


def test_arguments_are_held_to_their_limit():
    call = block("call", name="write")
    call.write_arguments("x" * 6, 10)
    call.write_arguments("y" * 4, 10)
    with pytest.raises(ArgumentsTooLarge, match=r"'write'.*10 characters"):
        call.write_arguments("z", 10)
    assert call.text == "xxxxxxyyyy"


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (('{"a":1}', '{"a":1}'), '{"a":1}'),
        (('{"a":', '{"a":', "1}}"), '{"a":{"a":1}}'),
    ],
)
def test_a_piece_that_is_all_of_the_arguments_is_dropped(pieces, text):
    call, custom = block("call"), block("call", custom=True)
    for piece in pieces:
        call.write_arguments(piece, 100)
        custom.write_arguments(piece, 100)
    assert call.text == text
    assert custom.text == "".join(pieces)


def test_a_block_can_be_written_anew():
    call = block("call")
    for piece in ("x" * 9, "y" * 6):
        call.clear()
        call.write_arguments(piece, 10)
    assert (call.text, call.size) == ("y" * 6, 6)


def test_calls_without_a_name_are_none():
    named = block("call", '{"a":1}', id="c1", name="f", id_generated=True)
    broken = block("call", '{"a"', id="c2", name="g", index=1)
    assert tool_calls([block("text", "t"), named, block("call", "{}", id="c0"), broken]) == (
        ToolCall("c1", "f", '{"a":1}', {"a": 1}, id_generated=True),
        ToolCall("c2", "g", '{"a"', None),
    )


def test_message_has_the_blocks_that_hold_something_in_order():
    opaque = {"type": "compaction"}
    blocks = [
        block("reasoning", "why", signature="s"),
        block("reasoning"),
        block("reasoning", redacted="blob"),
        block("text", "so"),
        block("text"),
        block("refusal"),
        block("refusal", "no"),
        block("call", "{}", id="c", name="f"),
        block("call", "{}", id="d"),
        block("opaque", data=opaque),
        block("reasoning", signature="only"),
    ]
    assert message_parts(blocks, "anthropic") == (
        ReasoningPart("why", "s"),
        ReasoningPart(redacted="blob"),
        TextPart("so"),
        RefusalPart("no"),
        ToolCallPart("c", "f", "{}"),
        OpaquePart("anthropic", opaque),
        ReasoningPart(signature="only"),
    )


@given(st.text(), st.lists(st.integers(0, 60), max_size=6))
def test_pairs_are_rejoined_however_the_text_was_cut(text, cuts):
    units = text.encode("utf-16-le", "surrogatepass")
    places = [0, *sorted(2 * cut for cut in cuts if 2 * cut < len(units)), len(units)]
    channel = Block("text")
    given_out = "".join(
        rejoined(channel, units[start:end].decode("utf-16-le", "surrogatepass"))
        for start, end in pairwise(places)
    )
    given_out += "\ufffd" if channel.held else ""
    assert given_out == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_a_half_that_stays_alone_is_replaced_and_the_last_one_waits():
    channel = Block("text")
    assert rejoined(channel, "a\ude00b\ud83dc\ud83d") == "a\ufffdb\ufffdc"
    assert channel.held == "\ud83d"
    assert rejoined(channel, "") == ""
    assert channel.held == "\ud83d"
    assert rejoined(channel, "\ud83d") == "\ufffd"
    assert rejoined(channel, "\ude00") == "😀"
    assert channel.held == ""
