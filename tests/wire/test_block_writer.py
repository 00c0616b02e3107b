"""What is written down is what is handed out."""

from __future__ import annotations

import pytest

from cogent.chunks import ReasoningChunk, RefusalChunk, TextChunk, ToolCallChunk
from cogent.errors import ArgumentsTooLarge
from cogent.wire.block_writer import BlockWriter


@pytest.fixture
def writer():
    return BlockWriter(100)


def kinds_and_texts(writer):
    return [(block.kind, block.text) for block in writer._blocks]


def test_a_block_goes_on_until_another_kind_comes(writer):
    chunks = []
    writer._reasoning("why", chunks)
    writer._reasoning(" not", chunks)
    writer._text("a", chunks)
    writer._text("b", chunks)
    writer._refusal("no", chunks)
    writer._text("c", chunks)
    assert chunks == [
        ReasoningChunk(text="why"),
        ReasoningChunk(text=" not"),
        TextChunk("a"),
        TextChunk("b"),
        RefusalChunk(text="no"),
        TextChunk("c"),
    ]
    assert kinds_and_texts(writer) == [
        ("reasoning", "why not"),
        ("text", "ab"),
        ("refusal", "no"),
        ("text", "c"),
    ]


def test_nothing_opens_no_block_and_makes_no_chunk(writer):
    chunks = []
    writer._text("a", chunks)
    writer._reasoning("", chunks)
    writer._refusal("", chunks)
    writer._text("", chunks)
    writer._text("b", chunks)
    assert kinds_and_texts(writer) == [("text", "ab")]
    assert len(chunks) == 2


@pytest.mark.parametrize(
    ("kind", "chunk"),
    [
        ("_text", TextChunk("\ufffd")),
        ("_reasoning", ReasoningChunk(text="\ufffd")),
        ("_refusal", RefusalChunk(text="\ufffd")),
    ],
)
def test_half_a_character_is_replaced_where_its_block_ends(writer, kind, chunk):
    """In its place, and not after what follows."""
    writer._surrogates = True
    chunks = []
    getattr(writer, kind)("\ud83d", chunks)
    assert chunks == []
    (writer._reasoning if kind == "_text" else writer._text)("x", chunks)
    assert chunks[0] == chunk
    assert writer._blocks[0].text == "\ufffd"
    writer._leave(chunks)
    assert len(chunks) == 2


def test_the_other_half_of_a_character_comes_with_the_next_piece(writer):
    writer._surrogates = True
    chunks = []
    writer._refusal("a\ud83d", chunks)
    writer._refusal("\ude00", chunks)
    assert [chunk.text for chunk in chunks] == ["a", "😀"]


def call(writer, name="f", call_id="c"):
    block = writer._new_call()
    block.name, block.id = name, call_id
    return block


def test_calls_are_counted_and_told_by_every_piece(writer):
    chunks = []
    first, second = call(writer), call(writer, "g", "")
    writer._arguments(first, "", chunks)
    writer._arguments(second, "{", chunks)
    writer._arguments(first, "{}", chunks)
    assert chunks == [
        ToolCallChunk(index=0, id="c", name="f", arguments=""),
        ToolCallChunk(index=1, id=None, name="g", arguments="{"),
        ToolCallChunk(index=0, id="c", name="f", arguments="{}"),
    ]


def test_a_call_without_a_name_is_written_down_only(writer):
    chunks = []
    block = call(writer, name="")
    writer._arguments(block, '{"a"', chunks)
    assert chunks == []
    block.name = "late"
    writer._arguments(block, ":1}", chunks, early=block.text)
    assert chunks == [ToolCallChunk(index=0, id="c", name="late", arguments='{"a":1}')]
    assert block.text == '{"a":1}'


def test_argument_pieces_are_rejoined_and_empty_ones_are_not_told(writer):
    writer._surrogates = True
    chunks = []
    block = call(writer)
    for piece in ("", '"\ud83d', "\ude00", "\ud83d"):
        writer._arguments(block, piece, chunks)
    writer._settle(block, chunks)
    assert [chunk.arguments for chunk in chunks] == ["", '"', "😀", "\ufffd"]
    assert block.text == '"😀\ufffd'


@pytest.mark.parametrize(
    ("pieces", "written"),
    [
        (('{"a":', "1}", '{"a":1}'), ('{"a":', "1}")),
        (("", "{}", "{}", "{}"), ("", "{}")),
        (('{"a":', '{"a":', "1}}"), ('{"a":', '{"a":', "1}}")),  # it is not whole
        (("[]", "[]"), ("[]", "[]")),
        ((" ", " ", "{}"), (" ", " ", "{}")),
    ],
)
def test_whole_arguments_that_come_once_more_are_dropped(writer, pieces, written):
    chunks = []
    block = call(writer)
    for piece in pieces:
        writer._arguments(block, piece, chunks)
    assert tuple(chunk.arguments for chunk in chunks) == written
    assert block.text == "".join(written)


def test_input_that_is_plain_text_may_repeat_itself(writer):
    block = call(writer)
    block.custom = True
    writer._arguments(block, "{}", [])
    writer._arguments(block, "{}", [])
    assert block.text == "{}{}"


def test_arguments_that_come_once_more_with_the_name_are_handed_out_once(writer):
    chunks = []
    block = call(writer, name="")
    writer._arguments(block, "{}", chunks)
    block.name = "late"
    writer._arguments(block, "{}", chunks, early=block.text)
    assert chunks == [ToolCallChunk(index=0, id="c", name="late", arguments="{}")]


def test_argument_text_has_a_limit_with_or_without_a_name(writer):
    for name in ("f", ""):
        block = call(writer, name=name)
        writer._arguments(block, "x" * 100, [])
        with pytest.raises(ArgumentsTooLarge):
            writer._arguments(block, "y", [])
